"""Message: one letter to one lead. The row is the outbox; the database forbids the second copy."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import (
    Index,
    Table,
    UniqueConstraint,
    bindparam,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel, col

from models.account import Account
from models.address import Address
from models.bulk_upsert import add_new, among
from models.contact import Contact
from models.delivery_states import State, Trigger, change_state
from models.types import Id, MaybeJson, Moment

SALES = "_sales"  # the campaign of mails to our own salespeople: no consent, hours or caps
WORKING_DAY = timedelta(hours=15)  # "today" for the account cap: from this morning back to after last evening, any zone


class Message(SQLModel, table=True):
    """One letter to one lead: planned, and how far it is."""

    __table_args__ = (
        UniqueConstraint("campaign", "letter", "address"),  # the promise: never twice, whatever the version or variant
        Index(
            "message_due",
            "not_before",
            "id",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(  # the due messages of one letter, in order: a claim reads as many rows as it takes
            "message_next",
            *("campaign", "version_id", "letter", "tries", "not_before", "id"),
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "message_attempt",
            "attempt_id",
            sqlite_where=text("attempt_id IS NOT NULL"),
            postgresql_where=text("attempt_id IS NOT NULL"),
        ),  # partial: a full one made the planner scan
        Index("message_address", "address"),  # how much has this person had lately? Not touched by an acceptance
        Index("message_ledger", "campaign", "version_id", "step", "state"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    campaign: str
    version_id: int = Field(sa_type=Id)
    step: int  # position in that version's steps, from 0: for the ledger, never for identity
    letter: str
    address: str = Field(foreign_key="address.address")
    contact_id: int | None = Field(default=None, index=True, sa_type=Id)
    account_id: int | None = Field(default=None, index=True, sa_type=Id)
    handoff_id: int | None = Field(default=None, sa_type=Id)  # for mails to sales
    state: str = Field(default=State.WAITING)
    reason: str | None = None  # Reason: of a skip or refusal, or of the last wait
    detail: str | None = None  # the same in words, with its figures
    planned_at: datetime = Field(sa_type=Moment)
    not_before: datetime = Field(sa_type=Moment)
    not_after: datetime = Field(sa_type=Moment)  # a restored backup does not send last month's sale
    attempt_id: str | None = None
    tries: int = 0  # certain refusals of a batch it was in; halves the next one
    accepted_at: datetime | None = Field(default=None, sa_type=Moment)
    outcome: str | None = None  # what happened then: delivered, opened, clicked, replied, bounced, dropped, complained
    outcome_at: datetime | None = Field(default=None, sa_type=Moment)
    content_assets: dict[str, str] | None = Field(default=None, sa_type=MaybeJson)  # kind asked for → slug it carries


class PlannedMessage(NamedTuple):
    """A message as it is planned: waiting, or skipped with its reason. The fields are columns of Message."""

    campaign: str
    version_id: int
    step: int
    letter: str
    address: str
    contact_id: int | None
    account_id: int | None
    state: str
    planned_at: datetime
    not_before: datetime
    not_after: datetime
    reason: str | None = None
    detail: str | None = None
    content_assets: Mapping[str, str] | None = None  # kind asked for → slug
    handoff_id: int | None = None


def plan(session: Session, rows: Sequence[PlannedMessage]) -> int:
    """Write messages to the outbox, waiting or skipped. One that is there already, in whatever state, stays as it is.

    Returns how many were new. A second planner of the same moment writes nothing.
    """
    return add_new(session, Message, rows)


class ResentMessage(NamedTuple):
    """A skipped or refused message that waits again. `not_after`: until when it may leave now."""

    id: int
    not_after: datetime


def wait_again(session: Session, messages: Sequence[ResentMessage], now: datetime) -> int:
    """Skipped or refused messages wait again; what was meanwhile planned again stays as it is. Returns how many do."""
    if not messages:
        return 0
    t = TABLE.c
    done = session.connection().execute(
        change_state(TABLE, Trigger.RESEND)
        .where(t.id == bindparam("b_id"))
        .values(reason=None, detail=None, not_before=now, tries=0, attempt_id=None,
                not_after=bindparam("b_not_after", type_=Moment))
        .execution_options(preserve_rowcount=True),
        [{"b_id": one.id, "b_not_after": one.not_after} for one in messages],
    )  # fmt: skip
    return int(done.rowcount)


class FeedbackMessage(NamedTuple):
    """A message that events speak of, and what it came to as far as we knew."""

    id: int
    campaign: str
    letter: str
    address: str
    contact_id: int | None
    account_id: int | None
    outcome: str | None
    outcome_at: datetime | None


class MessageOutcome(NamedTuple):
    """What a message came to, and when for the first time: an event kind, or None for nothing yet."""

    id: int
    outcome: str | None
    outcome_at: datetime | None


def lock_for_feedback(session: Session, ids: Iterable[int]) -> list[FeedbackMessage]:
    """The messages that events speak of, locked in one order for everybody."""
    columns = (
        Message.id, Message.campaign, Message.letter, Message.address, Message.contact_id, Message.account_id,
        Message.outcome, Message.outcome_at,
    )  # fmt: skip
    query = select(*map(col, columns)).where(col(Message.id).in_(sorted(ids))).order_by(col(Message.id))
    return [FeedbackMessage._make(row) for row in session.execute(query.with_for_update())]


def save_outcomes(session: Session, outcomes: Sequence[MessageOutcome]) -> int:
    """Write down what messages came to. Returns how many."""
    if outcomes:
        session.connection().execute(
            update(TABLE)
            .where(TABLE.c.id == bindparam("b_id"))
            .values(outcome=bindparam("b_outcome"), outcome_at=bindparam("b_outcome_at", type_=Moment)),
            [{"b_id": one.id, "b_outcome": one.outcome, "b_outcome_at": one.outcome_at} for one in outcomes],
        )
    return len(outcomes)


TABLE: Table = Message.__table__  # type: ignore[attr-defined]
ADDRESS: Table = Address.__table__  # type: ignore[attr-defined]
CONTACT: Table = Contact.__table__  # type: ignore[attr-defined]
ACCOUNT: Table = Account.__table__  # type: ignore[attr-defined]

# Made ready once: to put a statement together takes longer than to run it.
CLAIMED_IN = (among(TABLE.c.attempt_id, "attempts"), TABLE.c.state == State.CLAIMED)
