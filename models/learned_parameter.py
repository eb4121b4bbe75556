"""Lesson: what the record taught, in words and figures. Nothing is overwritten: the newest of each kind is in force."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Index, insert, select
from sqlmodel import Field, Session, SQLModel, col

from models.types import Id, Json, Moment


class About(StrEnum):
    """What a learned parameter is about."""

    ACCOUNTS = "accounts"  # how likely an account opens an opportunity
    ROLES = "roles"  # whose absence costs deals
    THRESHOLD = "threshold"  # from which score on sales have time for a lead
    DRIFT = "drift"  # what moved since the champion was trained


class Lesson(SQLModel, table=True):
    """`words` is one sentence for people; an empty `version` says that nothing could be learned, and `words` why."""

    __table_args__ = (Index("lesson_newest", "about", "made_at"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    about: str
    version: str
    made_at: datetime = Field(sa_type=Moment)
    words: str
    body: dict[str, Any] = Field(default_factory=dict, sa_type=Json)


class LearnedInForce(NamedTuple):
    """The newest parameter about something: see `Lesson` for the columns."""

    version: str
    words: str
    body: dict[str, Any]  # JSON, its shape by what it is about
    made_at: datetime


def write(session: Session, about: About, version: str, words: str, body: Mapping[str, Any], now: datetime) -> None:
    """Keeps what was learned, beside everything learned before. `body` is JSON."""
    row = {"about": about, "version": version, "words": words, "body": dict(body), "made_at": now}
    session.execute(insert(Lesson), [row])


def newest(session: Session, about: About, now: datetime) -> LearnedInForce | None:
    """The latest parameter about something by `now`; None before the first. One step along `lesson_newest`."""
    row = session.execute(
        select(col(Lesson.version), col(Lesson.words), col(Lesson.body), col(Lesson.made_at))
        .where(col(Lesson.about) == about, col(Lesson.made_at) <= now)
        .order_by(col(Lesson.made_at).desc(), col(Lesson.id).desc())
        .limit(1)
    ).first()
    return None if row is None else LearnedInForce._make(row)
