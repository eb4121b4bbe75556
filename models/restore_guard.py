"""Epoch: how far sending has come, as the database remembers it. A restored one remembers less than was sent."""

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel

from models.attempt import TABLE as ATTEMPT
from models.bulk_upsert import add_new
from models.types import Moment

RESTORED = "restored"  # the scope of the brake that only a confirmation releases


class Epoch(SQLModel, table=True):
    """One row. The same name and a mark that is never ahead of `mark` stand outside the database."""

    id: int = Field(default=1, primary_key=True)
    name: str  # of this database, made once by chance
    mark: int = 0  # goes up by one again and again while anything is sent
    moved_at: datetime = Field(sa_type=Moment)
    forgiven: str = ""  # requests made before this id may be unknown to the database: a person knows why
    confirmed_at: datetime | None = Field(default=None, sa_type=Moment)
    confirmed_by: str | None = None


def read(session: Session, *, lock: bool = False) -> dict[str, Any] | None:
    question = select(*TABLE.c).where(TABLE.c.id == 1)
    row = session.execute(question.with_for_update() if lock else question).mappings().first()
    return dict(row) if row else None


def begin(session: Session, name: str, now: datetime) -> None:
    """The first worker makes the row; to the others it is there already."""
    add_new(session, Epoch, [{"id": 1, "name": name, "mark": 0, "moved_at": now, "forgiven": ""}])


def move(session: Session, mark: int, now: datetime, **confirmed: Any) -> None:
    session.execute(update(TABLE).values(mark=mark, moved_at=now, **confirmed))


def anything_sent(session: Session) -> bool:
    return session.execute(select(ATTEMPT.c.id).where(ATTEMPT.c.armed_at.is_not(None)).limit(1)).first() is not None


TABLE = Epoch.__table__  # type: ignore[attr-defined]
