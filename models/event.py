"""Event: what the provider told us, kept raw and for good before anything is made of it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Index, bindparam, select, text, update
from sqlmodel import Field, Session, SQLModel, col

from models.bulk_upsert import add_new
from models.types import Id, Moment


class EventKind(StrEnum):
    """What an event says of a letter, in our words."""

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
    provider_id: str | None = None  # the provider's own name of the letter, where ours are missing
    stop: str | None = None  # SuppressedBy: the provider's own list for which it dropped the letter
    database_name: str | None = None  # of the database that made the request
    raw: str  # the provider's own words, one JSON object
    applied_at: datetime | None = Field(default=None, sa_type=Moment)


class NewEvent(NamedTuple):
    """An event as it is kept: the columns of its row. See `Event` for the meaning of each."""

    key: str
    kind: str
    at: datetime
    received_at: datetime
    address: str | None
    message_id: int | None
    attempt_id: str | None
    provider_id: str | None
    stop: str | None
    database_name: str | None
    url: str | None
    machine: bool
    raw: str


class UnappliedEvent(NamedTuple):
    """An event nobody has acted on."""

    id: int
    key: str
    kind: str
    at: datetime
    received_at: datetime
    address: str | None
    message_id: int | None
    attempt_id: str | None
    url: str | None
    provider_id: str | None
    stop: str | None
    database_name: str | None


class EventOwner(NamedTuple):
    """Which request and which message an event is about."""

    id: int
    attempt_id: str | None
    message_id: int | None


class MessageEvent(NamedTuple):
    """One event of a message, as far as the rules read it. `machine`: the provider said so, or its user agent did."""

    key: str
    kind: str
    at: datetime
    url: str | None = None
    machine: bool = False
    message_id: int | None = None


def keep(session: Session, events: Sequence[NewEvent]) -> int:
    """Write what we heard; what we heard before changes nothing. Returns how many were new.

    The unique index on `key` carries it. In the order of their keys: two posts at once that repeat each other would
    otherwise wait for each other.
    """
    unique = {event.key: event for event in events}
    return add_new(session, Event, [unique[key] for key in sorted(unique)])


def unapplied(session: Session, most: int, after: int = 0) -> list[UnappliedEvent]:
    """The oldest events nobody has acted on, after an id. `event_new` holds exactly these: an empty one costs nothing.

    Another worker's events are passed over on PostgreSQL; on SQLite there is no other writer meanwhile.
    """
    columns = (
        Event.id, Event.key, Event.kind, Event.at, Event.received_at, Event.address, Event.message_id, Event.attempt_id,
        Event.url, Event.provider_id, Event.stop, Event.database_name,
    )  # fmt: skip
    new = (col(Event.applied_at).is_(None), col(Event.id) > after)
    query = select(*map(col, columns)).where(*new).order_by(col(Event.id)).limit(most)
    return [UnappliedEvent._make(row) for row in session.execute(query.with_for_update(skip_locked=True))]


def any_unapplied(session: Session, after: int = 0) -> bool:
    """Is there an event nobody has acted on, after an id?"""
    new = (col(Event.applied_at).is_(None), col(Event.id) > after)
    return session.execute(select(col(Event.id)).where(*new).limit(1)).first() is not None


def set_owners(session: Session, owners: Sequence[EventOwner]) -> None:
    """Write down which request and message these events are about."""
    if owners:
        table = Event.__table__  # type: ignore[attr-defined]
        session.connection().execute(
            update(table)
            .where(table.c.id == bindparam("b_id"))
            .values(attempt_id=bindparam("b_attempt_id"), message_id=bindparam("b_message_id")),
            [{"b_id": one.id, "b_attempt_id": one.attempt_id, "b_message_id": one.message_id} for one in owners],
        )


def of_messages(session: Session, message_ids: Collection[int]) -> list[MessageEvent]:
    """Everything ever heard of these messages: a handful of rows each, by the index on message_id."""
    columns = (Event.key, Event.kind, Event.at, Event.url, Event.machine, Event.message_id)
    rows = session.execute(select(*map(col, columns)).where(col(Event.message_id).in_(message_ids)))
    return [MessageEvent._make(row) for row in rows]


def mark_applied(session: Session, ids: Collection[int], now: datetime) -> None:
    """These events have taken effect."""
    done = update(Event).where(col(Event.id).in_(ids)).values(applied_at=now)
    session.execute(done.execution_options(synchronize_session=False))


def mark_machines(session: Session, keys: Collection[str]) -> None:
    """These events were no person: opened by a privacy proxy, clicked by a scanner."""
    if keys:
        late = update(Event).where(col(Event.key).in_(keys), col(Event.machine).is_(False)).values(machine=True)
        session.execute(late.execution_options(synchronize_session=False))
