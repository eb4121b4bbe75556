"""Handoff: a lead given to a salesperson with its reasons and a due time, and what they said."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from models.moment import Id, Json, Moment


class Decision(StrEnum):
    OFFERED = "offered"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    RECYCLED = "recycled"  # back to nurture: not now


class Handoff(SQLModel, table=True):
    __table_args__ = (
        Index("one_open_handoff", "contact_id", unique=True, sqlite_where=text("state = 'offered'"),
              postgresql_where=text("state = 'offered'")),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    contact_id: int = Field(foreign_key="contact.id", index=True, sa_type=Id)
    account_id: int | None = Field(default=None, sa_type=Id)
    owner_email: str = Field(index=True)
    state: str = Field(default=Decision.OFFERED)
    score: float
    grade: str
    score_version: str
    reasons: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    context: dict[str, Any] = Field(default_factory=dict, sa_type=Json)  # the account as sales sees it on that day
    offered_at: datetime = Field(sa_type=Moment)
    due_at: datetime = Field(sa_type=Moment)
    decided_at: datetime | None = Field(default=None, sa_type=Moment)
    decided_why: str | None = None  # the salesperson's reason: a rejection is a label
