"""Confirmation: what a person said is true of a lead, and what we had believed before. Theirs for good."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlmodel import Field, Session, SQLModel, col

from models.contact import Contact, Market
from models.segment import Role, Segment
from models.types import Id, Moment

SURE = ("role", "persona", "department", "seniority")  # what a person can speak of


class Confirmation(SQLModel, table=True):
    """The record: one row for each thing said. Append-only; the last word on a field is the one that stands."""

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    contact_id: int = Field(foreign_key="contact.id", index=True, sa_type=Id)
    at: datetime = Field(sa_type=Moment)
    by: str
    field: str  # one of SURE
    was: str | None = None  # what we had believed
    was_confidence: float | None = None  # how surely; None where we keep no confidence
    said: str


def confirm(session: Session, contact_id: int, said: Mapping[str, str], by: str, now: datetime) -> list[dict[str, Any]]:
    """Write down what a person says of a business contact (field → value), from this commit on the truth, confidence 1.

    A role that is no champion's takes the place of the title's role too: what the title says was corrected.
    Returns the new lines of the record; what was said before by a person, word for word, adds none.
    """
    columns = [col(getattr(Segment, name)) for name in SURE]
    query = select(*columns, col(Segment.role_confidence), col(Segment.persona_confidence), col(Segment.confirmed))
    held = session.execute(query.where(col(Segment.contact_id) == contact_id).with_for_update()).mappings().first()
    before: Mapping[Any, Any] = held or {}
    theirs = set(before.get("confirmed") or ())
    new: list[dict[str, Any]] = [
        {"contact_id": contact_id, "at": now, "by": by, "field": name, "was": before.get(name),
         "was_confidence": before.get(f"{name}_confidence"), "said": value}
        for name, value in said.items() if name not in theirs or before.get(name) != value
    ]  # fmt: skip
    if not new:
        return []
    stands: dict[str, Any] = {str(row["field"]): row["said"] for row in new}
    for name in ("role", "persona"):
        if name in stands:
            stands[f"{name}_confidence"] = 1.0
    if stands.get("role", Role.CHAMPION) != Role.CHAMPION:
        stands["title_role"] = stands["role"]
    stands |= {"confirmed": sorted(theirs | said.keys()), "confirmed_by": by, "confirmed_at": now}
    if held is None:
        session.execute(insert(Segment), [{"contact_id": contact_id, "segmented_at": now, **stands}])
    else:
        session.execute(update(Segment).where(col(Segment.contact_id) == contact_id).values(**stands))
    session.execute(insert(Confirmation), new)
    return new


def record(session: Session, contact_ids: list[int]) -> dict[int, dict[str, dict[str, Any]]]:
    """The last word on each field of these contacts: {contact: {field: {by, at, was, said}}}. By the index."""
    query = select(*map(col, (Confirmation.contact_id, Confirmation.field, Confirmation.by, Confirmation.at,
                              Confirmation.was, Confirmation.said)))  # fmt: skip
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for row in session.execute(
        query.where(col(Confirmation.contact_id).in_(contact_ids)).order_by(col(Confirmation.id))
    ):
        found.setdefault(row.contact_id, {})[row.field] = {"by": row.by, "at": row.at, "was": row.was, "said": row.said}
    return found


def business_contact(session: Session, address: str) -> int | None:
    """The contact with this normalised address in the B2B market: roles are a matter of work."""
    query = select(col(Contact.id)).where(col(Contact.address) == address, col(Contact.market) == Market.B2B)
    return session.execute(query).scalar()
