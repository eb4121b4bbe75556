"""Learned parameter: what the record taught, in words and figures. The newest of each subject is in force."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Index, insert, select
from sqlmodel import Field, Session, SQLModel, col

from models.types import Id, Json, Moment


class LearnedSubject(StrEnum):
    """What was learned about."""

    ACCOUNTS = "accounts"  # how likely an account opens an opportunity
    ROLES = "roles"  # whose absence costs deals
    THRESHOLD = "threshold"  # from which score on sales have time for a lead
    DRIFT = "drift"  # what moved since the champion was trained


class LearnedParameter(SQLModel, table=True):
    """`words` is one sentence for people; an empty `version` says that nothing could be learned, and `words` why."""

    __tablename__ = "learned_parameter"
    __table_args__ = (Index("learned_parameter_newest", "subject", "made_at"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    subject: str
    version: str
    made_at: datetime = Field(sa_type=Moment)
    words: str
    body: dict[str, Any] = Field(default_factory=dict, sa_type=Json)


class LearnedInForce(NamedTuple):
    """What is in force about a subject. `body`: its figures, as the learner wrote them (JSON)."""

    version: str
    words: str
    body: dict[str, Any]
    made_at: datetime


def write(
    session: Session, subject: LearnedSubject, version: str, words: str, body: Mapping[str, Any], now: datetime
) -> None:
    """Write down what was learned about a subject; it is in force from `now` on."""
    row = {"subject": subject, "version": version, "words": words, "body": dict(body), "made_at": now}
    session.execute(insert(LearnedParameter), [row])


def newest(session: Session, subject: LearnedSubject, now: datetime) -> LearnedInForce | None:
    """What is in force about a subject at `now`. One step along `learned_parameter_newest`."""
    p = LearnedParameter
    row = session.execute(
        select(col(p.version), col(p.words), col(p.body), col(p.made_at))
        .where(col(p.subject) == subject, col(p.made_at) <= now)
        .order_by(col(p.made_at).desc(), col(p.id).desc())
        .limit(1)
    ).first()
    return LearnedInForce._make(row) if row else None
