"""Role change: when the rules began to see somebody in another buying role, and why. What people say is confirmed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlmodel import Field, Session, SQLModel, col

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


def write(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(RoleChange), list(rows))


def of(session: Session, contact_ids: Sequence[int], since: datetime, until: datetime) -> list[dict[str, Any]]:
    """The changes of some contacts, oldest first. By the index."""
    columns = map(col, (RoleChange.contact_id, RoleChange.at, RoleChange.was, RoleChange.becomes, RoleChange.why))
    rows = session.execute(
        select(*columns)
        .where(col(RoleChange.contact_id).in_(contact_ids), col(RoleChange.at) > since, col(RoleChange.at) <= until)
        .order_by(col(RoleChange.id))
    )
    return [dict(row) for row in rows.mappings()]
