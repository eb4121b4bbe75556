"""Restore guard: how far sending has come, as the database remembers it. A restored one remembers too little."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Table, select, update
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel

from models.attempt import TABLE as ATTEMPT
from models.bulk_upsert import add_new
from models.types import Moment


class RestoreGuard(SQLModel, table=True):
    """One row. The same name and a mark that is never ahead of `mark` stand outside the database."""

    __tablename__ = "restore_guard"

    id: int = Field(default=1, primary_key=True)
    name: str  # of this database, made once by chance
    mark: int = 0  # goes up by one again and again while anything is sent
    moved_at: datetime = Field(sa_type=Moment)
    ignore_before: str = ""  # requests made before this id may be unknown to the database: a person knows why
    confirmed_at: datetime | None = Field(default=None, sa_type=Moment)
    confirmed_by: str | None = None


class GuardState(NamedTuple):
    """The row, as it is read."""

    name: str
    mark: int
    ignore_before: str
    confirmed_at: datetime | None
    confirmed_by: str | None


class _FirstRow(NamedTuple):
    id: int
    name: str
    mark: int
    moved_at: datetime
    ignore_before: str


def guard_state(session: Session, *, lock: bool = False) -> GuardState | None:
    """What the database remembers; None before anything was sent. `lock`: until this transaction ends."""
    t = TABLE.c
    question = select(t.name, t.mark, t.ignore_before, t.confirmed_at, t.confirmed_by).where(t.id == 1)
    row = session.execute(question.with_for_update() if lock else question).first()
    return GuardState._make(row) if row else None


def begin_guard(session: Session, name: str, now: datetime) -> None:
    """The first worker makes the row; to the others it is there already."""
    add_new(session, RestoreGuard, [_FirstRow(1, name, 0, now, "")])


def move_mark(session: Session, mark: int, now: datetime) -> None:
    """Sending has come this far."""
    session.execute(update(TABLE).values(mark=mark, moved_at=now))


def confirm_mark(session: Session, mark: int, newest: str, by: str, now: datetime) -> None:
    """A person knows what was sent since: sending goes on from here. Requests made before `newest` may be unknown."""
    session.execute(
        update(TABLE).values(mark=mark, moved_at=now, ignore_before=newest, confirmed_at=now, confirmed_by=by)
    )


def anything_sent(session: Session) -> bool:
    """Has any request ever been armed here?"""
    return session.execute(select(ATTEMPT.c.id).where(ATTEMPT.c.armed_at.is_not(None)).limit(1)).first() is not None


TABLE: Table = RestoreGuard.__table__  # type: ignore[attr-defined]
