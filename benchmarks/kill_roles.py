"""What each process of benchmarks/kill.py does until it is killed. Everything real but the speed of the clock."""

import json
import os
import random
import signal
import socket
import sys
import time
import traceback
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from models import Address, Contact, Message, metadata
from models import campaign as kept
from models import message as messages
from models.queries import request_steps as steps
from models.queries import suppression
from models.send_pause import resume_sending, send_pauses
from nurture.channels.sendgrid.channel import SendGrid
from nurture.config import campaigns
from nurture.rendering.composer import Composer
from nurture.rendering.links import UNSUBSCRIBE, Links
from nurture.runtime import database
from nurture.runtime.settings import Settings
from nurture.web.app import serve
from tasks import feedback
from tasks.delivery import claims, dispatch, eligibility, outbox

FASTER = 30  # an armed lease of 90 s lasts 3
DEADLINE = 1.5  # seconds for a request: well below the armed lease, as in life
PEOPLE, LETTERS = 4_000, ("offer", "reminder")
BATCH = 10
AT_ONCE = 8  # requests of one sender: what a kill leaves in doubt grows with them
SUICIDE = 0.004  # before and after each step of the protocol
OPEN = ("waiting", "claimed", "armed")
SECRET = "a secret for this benchmark only"  # noqa: S105
TERMS = """
name = "Test"
market = "b2c"
goal = "order"
audience = "market = 'b2c'"
[hours]
start = "00:00"
end = "23:59"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
[[steps]]
letter = "offer"
[[steps]]
letter = "reminder"
"""
LINES = "Hello {{ person.first_name }}\n{{ company.postal_address }}\n{{ unsubscribe_url }}"
FILES = {"test/campaign.toml": TERMS} | {
    f"test/{letter}/{file}": words
    for letter in LETTERS
    for file, words in (
        ("subject.txt", f"{letter} for {{{{ person.name }}}}"), ("body.txt", LINES), ("body.html", f"<p>{LINES}</p>"))
}  # fmt: skip


@dataclass
class KillSetup:
    """One run of the kill test: its folder, database, web port, and the provider that is killed with it."""

    folder: Path
    url: str
    port: int
    provider: str
    key: str

    def __post_init__(self) -> None:
        self.began, self.start = time.monotonic(), datetime.now(UTC)

    def clock(self) -> datetime:
        return self.start + timedelta(seconds=(time.monotonic() - self.began) * FASTER)

    @cached_property
    def settings(self) -> Settings:
        given: dict[str, Any] = {
            "SENDGRID_API_KEY": "SG.double", "SENDGRID_HOST": self.provider, "SENDGRID_WEBHOOK_KEY": self.key,
            "var": self.folder, "database_url": self.url, "web_port": self.port, "channel": "sendgrid",
            "web_url": f"http://127.0.0.1:{self.port}", "secret": SECRET, "sendgrid_batch": BATCH,
            "sendgrid_requests": AT_ONCE,
        }  # fmt: skip
        return Settings(_env_file=None, **given)  # type: ignore[call-arg]

    @property
    def links(self) -> Links:
        return Links([SECRET], self.settings.web_url)

    @property
    def peace(self) -> bool:
        return (self.folder / "peace").exists()

    def log(self, name: str, **line: Any) -> None:
        """One line, one write: a kill leaves it whole or not there."""
        said = json.dumps({**line, "at": time.monotonic_ns()}) + "\n"
        fd = os.open(self.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, said.encode())
        os.close(fd)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text().splitlines() if path.exists() else []:
        yield json.loads(line)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settle(setup: KillSetup) -> None:
    """Tables, people with consent, a published campaign."""
    engine, now = database.engine_for(setup.url), setup.start
    metadata.create_all(engine)
    with database.writing(engine) as session:
        session.execute(insert(Address), [{"address": f"p{i}@home.example"} for i in range(PEOPLE)])
        session.execute(insert(Contact), [
            {"market": "b2c", "key": f"p{i}", "address": f"p{i}@home.example", "email": f"p{i}@home.example",
             "first_name": "Zoë", "last_name": "O'Brien", "country": "DE", "locale": "en", "consent": "granted",
             "stage": "aware", "traits": {}, "created_at": now, "updated_at": now} for i in range(PEOPLE)])  # fmt: skip
        kept.publish(session, kept.CampaignTerms("test", "Test", "b2c"), campaigns.digest(FILES), FILES, "me", now)
    engine.dispose()


def play(role: str, setup: KillSetup, seed: int) -> None:
    """In a forked child: do it until somebody kills us."""
    try:
        out = os.open(setup.folder / f"{role}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(out, 1)
        os.dup2(out, 2)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ROLES[role](setup, random.Random(seed))
    except BaseException:
        last_words()
    os._exit(1)


def last_words() -> None:
    traceback.print_exc()
    sys.stderr.flush()


def until_killed(setup: KillSetup, work: Callable[[Engine], Any], pause: float) -> None:
    """A database that is busy, or chose us in a deadlock, is tried again, as the next scheduled run would."""
    engine = database.engine_for(setup.url)
    while True:
        try:
            work(engine)
        except SQLAlchemyError as error:
            setup.log("errors", error=str(error)[:300])
        time.sleep(pause)


def sender(setup: KillSetup, chance: random.Random) -> None:
    real, real_all = steps.fence, steps.fence_all

    def fence(*given: Any, **named: Any) -> bool:
        """The moment of arming, taken inside its transaction and before it looks at stops: none that was committed
        before this moment may be missed."""
        done = real(*given, **named)
        if done:
            setup.log("armed", attempt=given[1])
        return done

    def fence_all(*given: Any, **named: Any) -> set[str]:
        ours = real_all(*given, **named)
        for attempt_id in ours:
            setup.log("armed", attempt=attempt_id)
        return ours

    steps.fence, steps.fence_all = fence, fence_all
    channel = SendGrid(setup.settings, deadline=DEADLINE)
    composer = Composer(setup.settings, setup.links)
    mortal(chance, channel, "send")
    transactions = (
        "open_attempts", "fence", "fence_all", "arm_messages", "record_answer", "record_taken", "split_attempt"
    )  # fmt: skip
    for module, names in ((outbox, ("tidy",)), (claims, ("claim", "write")),
                          (eligibility, ("check_claim", "check_arming")),
                          (dispatch, ("arm_together", "record_together")), (steps, transactions)):  # fmt: skip
        for name in names:
            mortal(chance, module, name)
    until_killed(setup, lambda engine: outbox.deliver(engine, setup.clock, channel, composer), 0.02)


def mortal(chance: random.Random, where: Any, name: str) -> None:
    """The process may kill itself just before or just after this step."""
    real = getattr(where, name)

    def step(*given: Any, **named: Any) -> Any:
        if chance.random() < SUICIDE:
            os.kill(os.getpid(), signal.SIGKILL)
        done = real(*given, **named)
        if chance.random() < SUICIDE:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(where, name, step)


def web(setup: KillSetup, chance: random.Random) -> None:
    serve(setup.settings)


def feed_back(setup: KillSetup, chance: random.Random) -> None:
    until_killed(setup, lambda engine: feedback.apply(engine, setup.clock()), 0.05)


def planner(setup: KillSetup, chance: random.Random) -> None:
    """Plans some more, and much again; and is the person who ends the send pause that a 401 has set."""

    def plan(engine: Engine) -> None:
        now = setup.clock()
        with database.writing(engine) as session:
            for scope in send_pauses(session).why_of:
                resume_sending(session, scope)
            if setup.peace:
                return
            contacts = session.execute(select(col(Contact.id), col(Contact.address)).order_by(col(Contact.id))).all()
            done = session.execute(select(Message.id)).all()
            far = min(len(done) // len(LETTERS) + 25, len(contacts))
            again = chance.sample(range(far), min(40, far))
            new = range(max(far - 50, 0), far)
            messages.plan(session, [
                messages.PlannedMessage("test", 1, step, letter, contacts[i].address, contacts[i].id, None, "waiting",
                                        planned_at=now, not_before=now, not_after=now + timedelta(days=7))
                for i in sorted({*again, *new}) for step, letter in enumerate(LETTERS)])  # fmt: skip

    until_killed(setup, plan, 0.1)


def leaver(setup: KillSetup, chance: random.Random) -> None:
    """People unsubscribe, on the page or by the hand of one of us. What is written down here had been committed."""

    def leave(engine: Engine) -> None:
        if setup.peace:
            return
        with database.reading(engine) as session:
            newest = session.execute(
                select(col(Message.id), col(Message.address)).order_by(col(Message.id).desc()).limit(200)
            ).all()
        if not newest:
            return
        message_id, address = chance.choice(newest)
        if chance.random() < 0.5:
            page = f"{setup.settings.web_url}/u/{setup.links.token(UNSUBSCRIBE, message_id)}"
            try:
                with urllib.request.urlopen(urllib.request.Request(page, b"", method="POST"), timeout=5) as answer:  # noqa: S310
                    if b"We will not write to you again" not in answer.read():
                        return
            except OSError:
                return  # the web app is dead at this moment: nothing was promised
        else:
            with database.writing(engine) as session:
                suppression.record_once(
                    session, suppression.SuppressionEntry(address, setup.clock(), "person", "benchmark")
                )
        setup.log("stopped", address=address)

    until_killed(setup, leave, 0.04)


ROLES: dict[str, Callable[[KillSetup, random.Random], None]] = {
    "sender": sender, "web": web, "feedback": feed_back, "planner": planner, "leaver": leaver,
}  # fmt: skip
