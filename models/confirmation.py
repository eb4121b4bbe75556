"""Confirmation: what a person said is true of a lead, and what we had believed before. Theirs for good."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import insert, select, update
from sqlmodel import Field, Session, SQLModel, col

from models.bulk_upsert import parameters
from models.contact import Contact, Market
from models.segment import Role, Segment
from models.types import Id, Moment


class Confirmation(SQLModel, table=True):
    """The record: one row for each thing said. Append-only; the last word on a field is the one that stands."""

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    contact_id: int = Field(foreign_key="contact.id", index=True, sa_type=Id)
    at: datetime = Field(sa_type=Moment)
    by: str
    field: str  # one of models.segment.CONFIRMABLE
    was: str | None = None  # what we had believed
    was_confidence: float | None = None  # how surely; None where we keep no confidence
    said: str


class NewConfirmation(NamedTuple):
    """One thing said of a contact: the columns of its row."""

    contact_id: int
    at: datetime
    by: str
    field: str
    was: str | None
    was_confidence: float | None
    said: str


class Confirmed(NamedTuple):
    """The last word on a field of a contact: who said it, when, what we had believed, what they said."""

    by: str
    at: datetime
    was: str | None
    said: str


class _Standing(NamedTuple):
    """What stands of a contact in the moment before somebody speaks."""

    role: str | None = None
    persona: str | None = None
    department: str | None = None
    seniority: str | None = None
    role_confidence: float | None = None
    persona_confidence: float | None = None
    confirmed: list[str] | None = None

    def value(self, field: str) -> str | None:
        return {"role": self.role, "persona": self.persona, "department": self.department}.get(field, self.seniority)

    def confidence(self, field: str) -> float | None:
        return {"role": self.role_confidence, "persona": self.persona_confidence}.get(field)


def confirm(
    session: Session, contact_id: int, said: Mapping[str, str], by: str, now: datetime
) -> list[NewConfirmation]:
    """Write down what a person says of a business contact (field → value): from this commit on the truth, confidence 1.

    A role that is no champion's takes the place of the title's role too: what the title says was corrected.
    Returns the new lines of the record; what was said before by a person, word for word, adds none.
    """
    held = session.execute(
        select(col(Segment.role), col(Segment.persona), col(Segment.department), col(Segment.seniority),
               col(Segment.role_confidence), col(Segment.persona_confidence), col(Segment.confirmed))
        .where(col(Segment.contact_id) == contact_id)
        .with_for_update()
    ).first()  # fmt: skip
    before = _Standing._make(held) if held else _Standing()
    confirmed = set(before.confirmed or ())
    new = [
        NewConfirmation(contact_id, now, by, field, before.value(field), before.confidence(field), value)
        for field, value in said.items()
        if field not in confirmed or before.value(field) != value
    ]
    if not new:
        return []
    stands: dict[str, str | float | datetime | list[str]] = {one.field: one.said for one in new}
    for field in ("role", "persona"):
        if field in stands:
            stands[f"{field}_confidence"] = 1.0
    if stands.get("role", Role.CHAMPION) != Role.CHAMPION:
        stands["title_role"] = stands["role"]
    stands |= {"confirmed": sorted(confirmed | said.keys()), "confirmed_by": by, "confirmed_at": now}
    if held is None:
        session.execute(insert(Segment), [{"contact_id": contact_id, "segmented_at": now, **stands}])
    else:
        session.execute(update(Segment).where(col(Segment.contact_id) == contact_id).values(**stands))
    session.execute(insert(Confirmation), parameters(new))
    return new


def confirmed_fields(session: Session, contact_ids: Sequence[int]) -> dict[int, dict[str, Confirmed]]:
    """The last word on each field of these contacts: contact id → field → what was said. By the index."""
    rows = session.execute(
        select(col(Confirmation.contact_id), col(Confirmation.field), col(Confirmation.by), col(Confirmation.at),
               col(Confirmation.was), col(Confirmation.said))
        .where(col(Confirmation.contact_id).in_(contact_ids))
        .order_by(col(Confirmation.id))
    )  # fmt: skip
    found: dict[int, dict[str, Confirmed]] = {}
    for contact_id, field, *word in rows:
        found.setdefault(contact_id, {})[field] = Confirmed._make(word)
    return found


def business_contact(session: Session, address: str) -> int | None:
    """The contact with this normalised address in the B2B market: roles are a matter of work."""
    query = select(col(Contact.id)).where(col(Contact.address) == address, col(Contact.market) == Market.B2B)
    return session.execute(query).scalar()
