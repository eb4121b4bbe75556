"""Role change: when the rules began to see somebody in another buying role, and why. What people say is confirmed."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import insert, select
from sqlmodel import Field, Session, SQLModel, col

from models.bulk_upsert import parameters
from models.types import Id, Moment


class RoleChange(SQLModel, table=True):
    """Append-only. The first role somebody is given is no change and has no row."""

    __tablename__ = "role_change"

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    contact_id: int = Field(foreign_key="contact.id", index=True, sa_type=Id)
    at: datetime = Field(sa_type=Moment)
    was: str | None = None
    becomes: str | None = None
    why: str | None = None  # the segment's evidence of that day


class RoleChangeRow(NamedTuple):
    """One change of a contact's role: the columns of its row."""

    contact_id: int
    at: datetime
    was: str | None
    becomes: str | None
    why: str | None


def add_role_changes(session: Session, changes: Sequence[RoleChangeRow]) -> None:
    """Write changes down, beside those that are there."""
    if changes:
        session.execute(insert(RoleChange), parameters(changes))


def role_changes(session: Session, contact_ids: Sequence[int], since: datetime, until: datetime) -> list[RoleChangeRow]:
    """The changes of some contacts, oldest first. By the index."""
    rows = session.execute(
        select(col(RoleChange.contact_id), col(RoleChange.at), col(RoleChange.was), col(RoleChange.becomes),
               col(RoleChange.why))
        .where(col(RoleChange.contact_id).in_(contact_ids), col(RoleChange.at) > since, col(RoleChange.at) <= until)
        .order_by(col(RoleChange.id))
    )  # fmt: skip
    return [RoleChangeRow._make(row) for row in rows]
