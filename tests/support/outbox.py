"""A small outbox for tests: people, a published campaign, messages due now, and a channel that answers as told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlmodel import Session, SQLModel, col

from models import Account, Address, Contact, Message, State
from models import campaign as kept
from models.bulk_upsert import insert_into
from nurture.channels.base import AddressKind, ChannelLimits, OutboundEmail, RequestBatch, ScheduledSend
from nurture.channels.parts import EMAIL_PARTS
from nurture.config import campaigns
from nurture.rendering.composer import Composer
from nurture.rendering.links import Links
from nurture.rules.delivery.states import Answer, Verdict
from nurture.runtime import database
from nurture.runtime.settings import Settings

TERMS = """
name = "Test"
market = "b2c"
goal = "order"
audience = "market = 'b2c'"
max_per_person = 3
[hours]
start = "00:00"
end = "23:59"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
[[steps]]
letter = "offer"
"""
LINES = "Hello {{ person.first_name }}\n{{ company.postal_address }}\n{{ unsubscribe_url }}"
FILES = {
    "test/campaign.toml": TERMS,
    "test/offer/subject.txt": "For {{ person.name }}",
    "test/offer/body.txt": LINES,
    "test/offer/body.html": "<p>" + LINES + "</p>",
}


@dataclass
class Told:
    """A channel that answers what the test tells it, and remembers what it was offered."""

    answers: list[Answer | Callable[[Sequence[OutboundEmail]], Answer]] = field(default_factory=list)
    most: int = 100
    name: str = "told"
    address_kind = AddressKind.EMAIL
    parts = EMAIL_PARTS
    scheduled_sends: None = None
    provider_log: None = None
    offered: list[list[OutboundEmail]] = field(default_factory=list)

    @property
    def limits(self) -> ChannelLimits:
        return ChannelLimits(self.most)

    def request_batches(self, emails: Sequence[OutboundEmail]) -> list[RequestBatch]:
        return [RequestBatch(emails)] if emails else []

    def send(
        self,
        emails: Sequence[OutboundEmail],
        still_armed: Callable[[], bool],
        now: datetime,
        scheduled: ScheduledSend | None = None,
    ) -> Answer:
        if not still_armed():
            return Answer(Verdict.UNKNOWN, detail="no longer armed")
        self.offered.append(list(emails))
        answer = self.answers.pop(0) if self.answers else Answer(Verdict.TAKEN, 202, f"id-{len(self.offered)}")
        return answer(emails) if callable(answer) else answer

    def accepted(self, message_ids: Sequence[int]) -> set[int] | None:
        return None

    @property
    def people(self) -> list[str]:
        return [email.to_email for request in self.offered for email in request]


def composer(tmp: Path) -> Composer:
    return Composer(Settings(var=tmp), Links(["a secret for tests only"], "http://127.0.0.1:1"))


def add_missing(session: Session, model: type[SQLModel], rows: list[dict[str, Any]]) -> None:
    """Insert rows; one that is there already stays as it is."""
    session.execute(insert_into(session, model).on_conflict_do_nothing(), rows)


def fill(engine: Engine, now: datetime, n: int, **change: Any) -> int:
    """`n` consumers with consent, one waiting message each; `change` is laid over each message. Returns the version."""
    with database.writing(engine) as session:
        add_missing(session, Address, [{"address": f"p{i}@home.example"} for i in range(n)])
        add_missing(session, Account, [{"key": "foo", "name": "Foo & Søns <GmbH>", "country": "DE", "traits": {},
                                    "created_at": now, "updated_at": now}])  # fmt: skip
        person = {"market": "b2c", "first_name": "Zoë", "last_name": "O'Brien", "country": "DE", "locale": "en"}
        rest = {"consent": "granted", "stage": "aware", "traits": {}, "created_at": now, "updated_at": now}
        to = [{"key": f"p{i}", "address": f"p{i}@home.example", "email": f"p{i}@home.example"} for i in range(n)]
        add_missing(session, Contact, [{**person, **rest, **one} for one in to])
        version, _ = kept.publish(
            session, kept.CampaignTerms("test", "Test", "b2c"), campaigns.digest(FILES), FILES, "me", now
        )
        ids = dict(session.execute(select(col(Contact.address), col(Contact.id))).all())
        add_missing(session, Message, [
            {"campaign": "test", "version_id": version, "step": 0, "letter": "offer", "address": f"p{i}@home.example",
             "contact_id": ids[f"p{i}@home.example"], "state": State.WAITING, "planned_at": now, "not_before": now,
             "not_after": now + timedelta(days=7)} | change for i in range(n)])  # fmt: skip
    return version


def states(engine: Engine) -> dict[str, int]:
    """How many messages are in which state."""
    with database.reading(engine) as session:
        found: dict[str, int] = {}
        for state in session.execute(select(col(Message.state))).scalars():
            found[state] = found.get(state, 0) + 1
        return found


def message(engine: Engine, i: int) -> Any:
    with database.reading(engine) as session:
        mine = (col(Message.campaign) == "test", col(Message.address) == f"p{i}@home.example")
        return session.execute(select(*Message.__table__.c).where(*mine)).mappings().one()  # type: ignore[attr-defined]
