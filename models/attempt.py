"""Attempt: one request to the provider, committed before it leaves, for all the messages it carries."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from models.moment import Id, Moment


class AttemptState(StrEnum):
    CLAIMED = "claimed"
    ARMED = "armed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"  # surely not taken
    UNKNOWN = "unknown"
    RELEASED = "released"  # its lease ended before it was armed; never on the wire
    VOID = "void"  # every member dropped out at arm


class Attempt(SQLModel, table=True):
    id: str = Field(primary_key=True)  # time-ordered UUID: never met again, even after a restore
    owner: str  # which worker
    state: str = Field(default=AttemptState.CLAIMED)
    transport: str
    campaign: str
    version_id: int = Field(sa_type=Id)
    letter: str
    n: int
    claimed_at: datetime = Field(sa_type=Moment)
    lease_until: datetime = Field(sa_type=Moment)
    armed_at: datetime | None = Field(default=None, sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)
    status: int | None = None  # the HTTP answer
    provider_id: str | None = Field(default=None, index=True)  # X-Message-Id
    detail: str | None = None

    __table_args__ = (
        Index("attempt_open", "state", "lease_until", sqlite_where=text("state IN ('claimed', 'armed', 'unknown')"),
              postgresql_where=text("state IN ('claimed', 'armed', 'unknown')")),
    )


class AttemptItem(SQLModel, table=True):
    """Which messages an attempt carried. The partial unique index makes a second live attempt impossible."""

    __tablename__ = "attempt_item"
    __table_args__ = (
        Index("one_live_attempt", "message_id", unique=True, sqlite_where=text("live = 1"),
              postgresql_where=text("live = 1")),
    )

    attempt_id: str = Field(primary_key=True, foreign_key="attempt.id")
    message_id: int = Field(primary_key=True, sa_type=Id)
    live: int = 1
