"""SendGrid, as far as we know it, on this machine: what it took, when, and what it will say about it."""

from __future__ import annotations

import base64
import os
import random
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal, Self

from . import api
from .accepted import Journal, Keep, Letter, delivered_headers, recipients
from .aftermath import TIDY, Aftermath
from .batches import MOST_OPEN_STATUSES, PAUSE_ENDS_AFTER, Batches
from .faults import Fault, Faults
from .limits import Json
from .reactions import Disorder, Policy, Reaction, silent
from .substitutions import Disagreement
from .timeline import Clock, FrozenClock, Timeline, wall_clock
from .webhook import Poster, Signer, Webhook, post_over_http
from .wire import BODY_LIMIT, Answer, Request, Server

SCOPES = frozenset({
    "mail.send", "mail.batch.create", "mail.batch.read", "user.scheduled_sends.create", "user.scheduled_sends.read",
    "asm.groups.suppressions.create", "suppression.create", "suppression.read", "messages.read",
    "user.webhooks.event.settings.read",
})  # fmt: skip
TICK = 0.02  # seconds between looks at the timeline when `automatic`


class SendGridDouble:
    """A context manager: `with SendGridDouble(keep="full", clock=FrozenClock()) as sg: …sg.url…`

    Leaving it raises if a letter depended on the order of substitutions and nobody looked at `disagreements`.

    What it knows: `accepted` (letters, in order; `accepted_count` always), `requests` (the last hundred, with
    keep="full"), `batches`, `suppressed`, `webhook`, `faults`, `disagreements`, `state()`.
    What one can do: `faults.script([...])`, `faults.mix({...})`, `poison[address] = named`, `stop_listening()`,
    `resume()`, `happens("click", letter, url=…)`, `post_events()`, `advance(timedelta)`, `run_due()`.
    """

    def __init__(
        self,
        *,
        api_key: str = "SG.double",
        keep: Keep = "full",
        journal: str | os.PathLike[str] | None = None,
        clock: Clock = wall_clock,
        seed: int | str = 0,
        delay: timedelta = timedelta(0),
        faults: Sequence[Fault | str | None] = (),
        mix: Mapping[str, float] | None = None,
        rate_limit: tuple[int, float] | None = None,
        substitute: Literal["all", "sample", "off"] = "all",
        senders: Iterable[str] | None = None,
        scopes: Iterable[str] = SCOPES,
        react: Policy = silent,
        webhook: str | None = None,
        disorder: Disorder = TIDY,
        poster: Poster = post_over_http,
        post_every: timedelta = timedelta(seconds=30),
        post_connections: int = 1,
        automatic: bool = False,
        control: bool = False,
        most_open_batches: int = MOST_OPEN_STATUSES,
        body_limit: int = BODY_LIMIT,
        port: int = 0,
    ) -> None:
        self.api_key, self.keep, self.substitute, self.control = api_key, keep, substitute, control
        self.clock, self.seed, self.delay = clock, seed, delay.total_seconds()
        self.senders = None if senders is None else frozenset(s.lower() for s in senders)
        self.scopes = frozenset(scopes)
        self.rate_limit = None if rate_limit is None else api.RateLimit(*rate_limit)
        self.journal = None if journal is None else Journal(journal)

        self.faults = Faults(seed)
        self.faults.script(faults)
        self.faults.mix(mix or {})
        self.timeline = Timeline()
        self.batches = Batches(most_open_batches)
        untidy = random.Random(f"disorder {seed}")
        self.webhook = Webhook(
            webhook, Signer(seed), clock, self.timeline, untidy, poster, disorder.shuffle, post_connections
        )
        self.aftermath = Aftermath(react, disorder, untidy, self.webhook, clock, self.timeline, seed, post_every)
        # a restarted double with the same seed and journal must not give out the same message ids again
        self.ids = random.Random(f"ids {seed} {self.journal.size if self.journal else 0}")

        self.lock = threading.RLock()
        self.accepted: list[Letter] = []
        self.scheduled: list[Letter] = []
        self.accepted_count = self.refused = self.sandboxed = 0
        self.answers: Counter[int] = Counter()
        self.requests: deque[Request] = deque(maxlen=100)
        self.disagreements: list[Disagreement] = []
        self.poison: dict[str, bool] = {}  # address -> does the 400 name the recipient?
        self.group_suppressed: dict[int, set[str]] = {}

        self.server = Server(self.answer, port, body_limit)
        self.stopped = threading.Event()
        self.ticker = threading.Thread(target=self.tick, name="sendgrid-double-time") if automatic else None

    def __enter__(self) -> Self:
        self.server.start()
        if self.ticker:
            self.ticker.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.stop()
        if kind is None and self.disagreements:
            raise AssertionError(f"letters depend on the order of substitutions: {self.disagreements[:3]}")

    def stop(self) -> None:
        self.stopped.set()
        if self.ticker:
            self.ticker.join()
        self.server.stop()
        if self.journal:
            self.journal.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def suppressed(self) -> dict[str, str]:
        """Addresses SendGrid itself will not mail, with the reason its `dropped` event gives."""
        return self.aftermath.suppressed

    @property
    def public_key(self) -> str:
        return self.webhook.signer.public_key

    def stop_listening(self) -> None:
        self.server.stop_listening()

    def resume(self) -> None:
        self.server.resume()

    def to(self, address: str) -> list[Letter]:
        return [letter for letter in self.accepted if letter.to == address]

    def state(self) -> Json:
        return {
            "accepted": self.accepted_count,
            "scheduled": self.timeline.count("scheduled"),
            "discarded": len(self.batches.discarded),
            "sandboxed": self.sandboxed,
            "refused": self.refused,
            "answers": {str(status): n for status, n in sorted(self.answers.items())},
            "faults": dict(self.faults.used),
            "disagreements": len(self.disagreements),
            "events_waiting": self.timeline.count("event") + len(self.webhook.pending),
            "events_posted": self.webhook.posted,
            "events_expired": self.webhook.expired,
        }

    # --- taking mail -------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        with self.lock:
            result = api.answer(self, request)
            if self.keep == "full":
                self.requests.append(request)
            self.answers[result.status] += 1
        result.after += self.delay  # taken at once, answered later: the worst case for a sender that dies meanwhile
        return result

    def new_id(self) -> str:
        return base64.urlsafe_b64encode(self.ids.randbytes(16)).rstrip(b"=").decode()

    def accept(self, mail: Json, parts: Mapping[int, Mapping[str, str]]) -> str:
        """Take the whole mail; what has a `send_at` in the future waits for it."""
        message_id, now = self.new_id(), self.clock()
        scheduled = any("send_at" in part for part in (mail, *mail["personalizations"]))
        if self.keep == "none" and self.aftermath.quiet and not scheduled:
            return self.count_only(mail, message_id, now)
        by_time: defaultdict[int | None, list[Letter]] = defaultdict(list)
        for index, person in enumerate(mail["personalizations"]):
            due = person.get("send_at", mail.get("send_at"))
            due = due if due and due > now.timestamp() else None
            for someone in recipients(person):
                letter = self.letter(mail, person, someone, parts.get(index, {}))
                letter.message_id, letter.index, letter.accepted_at, letter.send_at = message_id, index, now, due
                by_time[due].append(letter)
        for due, letters in by_time.items():
            if due is None:
                self.let_go(letters)
            else:
                self.scheduled += letters if self.keep != "none" else []
                self.write("scheduled", letters, now)
                due_at = datetime.fromtimestamp(due, UTC)
                self.timeline.at(due_at, "scheduled", partial(self.time_has_come, letters, due_at))
        return message_id

    def count_only(self, mail: Json, message_id: str, now: datetime) -> str:
        """The benchmark's path: no letter objects, the journal if there is one."""
        shared, people = mail.get("custom_args", {}), mail["personalizations"]
        self.accepted_count += sum(len(person.get(kind, ())) for person in people for kind in ("to", "cc", "bcc"))
        if self.journal:
            pairs = [(s["email"], shared | p.get("custom_args", {})) for p in people for s in recipients(p)]
            self.journal.write("accepted", message_id, pairs, now)
        return message_id

    def letter(self, mail: Json, person: Json, someone: Json, parts: Mapping[str, str]) -> Letter:
        args = mail.get("custom_args", {}) | person.get("custom_args", {})
        if self.keep == "keys":
            args = {name: value for name, value in args.items() if name.startswith("nt_")}
        letter = Letter(someone["email"], custom_args=args, batch_id=mail.get("batch_id"))
        if self.keep == "full":
            sender: Json = person.get("from") or mail["from"]
            letter.to_name = someone.get("name", "")
            letter.from_email, letter.from_name = sender["email"], sender.get("name", "")
            letter.subject, letter.text, letter.html = parts["subject"], parts["text"], parts["html"]
            letter.reply_to, letter.categories = parts["reply_to"], mail.get("categories", ())
            letter.headers = delivered_headers(mail.get("headers", {}) | person.get("headers", {}))
        return letter

    def time_has_come(self, letters: list[Letter], due_at: datetime) -> None:
        """`send_at`: leave, stay (paused) or be thrown away (cancelled)."""
        with self.lock:
            verdicts = {id(letter): self.batches.verdict(letter, due_at) for letter in letters}
            held = [letter for letter in letters if verdicts[id(letter)] == "held"]
            self.batches.held += held
            self.batches.discarded += [letter for letter in letters if verdicts[id(letter)] == "discarded"]
            for letter in held:
                self.timeline.at(due_at + PAUSE_ENDS_AFTER, "expire", partial(self.batches.expire, letter))
            self.let_go([letter for letter in letters if verdicts[id(letter)] == "leave"])

    def let_go(self, letters: list[Letter]) -> None:
        """Now they are accepted: in memory, in the journal, and on their way to a reader."""
        now = self.clock()
        with self.lock:
            self.write("accepted", letters, now)
            self.accepted_count += len(letters)
            if self.keep != "none":
                self.accepted += letters
            for letter in letters:
                letter.accepted_at = now
                self.aftermath.begin(letter)

    def write(self, kind: str, letters: Sequence[Letter], now: datetime) -> None:
        if self.journal and letters:
            self.journal.write(kind, letters[0].message_id, [(x.to, x.custom_args) for x in letters], now)

    def logged(self) -> list[Letter]:
        """What the Email Logs know: everything that left and is not older than thirty days."""
        oldest = self.clock() - timedelta(days=30)
        return [letter for letter in self.accepted if letter.accepted_at >= oldest]

    def happens(self, event: str, letter: Letter, *, asynchronous: bool = False, **fields: Any) -> None:
        """One event, now: `sg.happens("click", sg.accepted[0], url="https://example.com/roi")`."""
        reaction = Reaction(event, fields=fields, asynchronous=asynchronous)
        self.aftermath.happen(letter, reaction, self.clock(), 1000 + len(letter.events))

    # --- time --------------------------------------------------------------------------------

    def run_due(self) -> None:
        """Everything whose time has come by the clock: scheduled letters, events, posts, retries."""
        while due := self.timeline.take_due(self.clock()):
            for do in due:
                do()

    def advance(self, by: timedelta) -> None:
        """Let that much time pass on a FrozenClock, stopping at every moment at which something is due."""
        if not isinstance(self.clock, FrozenClock):
            raise TypeError("advance() moves a FrozenClock; with a clock of your own, move it and call run_due()")
        until = self.clock() + by
        self.run_due()
        while (moment := self.timeline.next_at()) is not None and moment <= until:
            self.clock.set(moment)
            self.run_due()
        self.clock.set(until)

    def post_events(self) -> int:
        """Post all planned events at once, whatever the clock says; how many were answered with 2xx."""
        before = self.webhook.posted
        while planned := self.timeline.take_all("event"):
            for do in planned:
                do()
        self.webhook.flush()
        return self.webhook.posted - before

    def tick(self) -> None:
        while not self.stopped.wait(TICK):
            self.run_due()
