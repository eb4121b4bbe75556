"""Attempt: one request to the provider, committed before it leaves, with all the messages it carries."""

from datetime import datetime

from sqlalchemy import Index, Table, text
from sqlmodel import Field, SQLModel

from models.delivery_states import UNFINISHED, AttemptState
from models.types import Id, Moment

STILL_OPEN = text("state IN ({})".format(", ".join(f"'{state}'" for state in UNFINISHED)))
# also in queries, word for word: SQLite does not see by itself that a condition is narrower than that of an index


class Attempt(SQLModel, table=True):
    """One request: who makes it, which letter it carries, how far it is, and what the provider said."""

    id: str = Field(primary_key=True)  # time-ordered UUID: never met again, even after a restore
    owner: str  # which worker
    state: str = Field(default=AttemptState.CLAIMED)
    channel: str
    campaign: str
    version_id: int = Field(sa_type=Id)
    letter: str
    n: int
    claimed_at: datetime = Field(sa_type=Moment)
    lease_until: datetime = Field(sa_type=Moment)
    armed_at: datetime | None = Field(default=None, sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)
    status: int | None = None  # the HTTP answer
    provider_id: str | None = Field(default=None, index=True)  # the provider's own name for the request
    detail: str | None = None
    alone_why: str | None = None  # why its one message could not share a request
    domain: str | None = None  # of the sender: its reputation is what circuit breaker and warm-up protect
    asked_at: datetime | None = Field(default=None, sa_type=Moment)  # when the provider's log was asked about it …
    evidence: str | None = None  # … and what followed from its answer
    send_at: datetime | None = Field(default=None, sa_type=Moment)  # until then the provider keeps the letters …
    batch_id: str | None = None  # … and under this name it can be told to throw them away
    cancelled_at: datetime | None = Field(default=None, sa_type=Moment)  # when it was, and said yes

    __table_args__ = (
        Index(  # those that the provider keeps until their time, or kept and has not forgotten
            "attempt_batch",
            "send_at",
            sqlite_where=text("batch_id IS NOT NULL"),
            postgresql_where=text("batch_id IS NOT NULL"),
        ),
        Index("attempt_open", "state", "lease_until", sqlite_where=STILL_OPEN, postgresql_where=STILL_OPEN),
    )


class AttemptItem(SQLModel, table=True):
    """Which messages an attempt carried. The partial unique index makes a second live attempt impossible."""

    __tablename__ = "attempt_item"
    __table_args__ = (
        Index(
            "one_live_attempt",
            "message_id",
            unique=True,
            sqlite_where=text("live = 1"),
            postgresql_where=text("live = 1"),
        ),
    )

    attempt_id: str = Field(primary_key=True, foreign_key="attempt.id")
    message_id: int = Field(primary_key=True, sa_type=Id)
    live: int = 1


TABLE: Table = Attempt.__table__  # type: ignore[attr-defined]
ITEMS: Table = AttemptItem.__table__  # type: ignore[attr-defined]
