"""Event: what the provider told us, kept raw and for good before anything is made of it."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from models.moment import Id, Moment


class Kind(StrEnum):
    PROCESSED = "processed"
    DROPPED = "dropped"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"  # hard: the mailbox does not exist
    BLOCKED = "blocked"  # soft: not this time
    OPENED = "opened"
    CLICKED = "clicked"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"
    REPLIED = "replied"
    UNKNOWN = "unknown"  # a kind we have no word for yet: kept, changes nothing


class Event(SQLModel, table=True):
    """`key` is made of (attempt, message, kind, timestamp, url …): a repeat is the same row, whatever its order."""

    __table_args__ = (
        Index("event_new", "id", sqlite_where=text("applied_at IS NULL"), postgresql_where=text("applied_at IS NULL")),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    key: str = Field(unique=True)
    kind: str
    at: datetime = Field(sa_type=Moment)
    received_at: datetime = Field(sa_type=Moment)
    address: str | None = None
    message_id: int | None = Field(default=None, index=True, sa_type=Id)
    attempt_id: str | None = Field(default=None, index=True)
    url: str | None = None
    machine: bool = False  # opened by a privacy proxy, clicked by a scanner: kept, never scored
    raw: str  # the provider's own words, one JSON object
    applied_at: datetime | None = Field(default=None, sa_type=Moment)
