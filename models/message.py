"""Message: one letter to one lead. The row is the outbox; the database forbids the second copy."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Index,
    Result,
    Row,
    RowMapping,
    Select,
    Table,
    UniqueConstraint,
    bindparam,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel, col

from models.account import Account
from models.address import Address
from models.bulk_upsert import add_new, among
from models.campaign import Brake
from models.contact import Contact
from models.types import Id, MaybeJson, Moment


class State(StrEnum):
    WAITING = "waiting"  # written to the outbox, not yet offered to anybody
    CLAIMED = "claimed"  # a worker holds it under a lease, nothing has left
    ARMED = "armed"  # committed just before the request: from here on it may have been sent
    SCHEDULED = "scheduled"  # the provider has it and holds it until its time: it can still be called back
    ACCEPTED = "accepted"  # the provider took it. Never taken back
    SKIPPED = "skipped"  # we decided not to send; `reason` says why
    REFUSED = "refused"  # the provider will never take it; `reason` says why
    UNKNOWN = "unknown"  # nobody knows: held for evidence, never sent again by a timer


LEDGER = {  # which of the ledger's five groups a state counts in
    State.WAITING: "waiting",
    State.CLAIMED: "waiting",
    State.ARMED: "unknown",  # honest: it may be on the wire this very moment
    State.SCHEDULED: "waiting",
    State.ACCEPTED: "accepted",
    State.SKIPPED: "skipped",
    State.REFUSED: "refused",
    State.UNKNOWN: "unknown",
}


TAKEN_UP = (State.CLAIMED, State.ARMED, State.SCHEDULED, State.UNKNOWN)  # may be in an inbox soon: counts against caps
SALES = "_sales"  # the campaign of mails to our own salespeople: no consent, hours or caps
WORKING_DAY = timedelta(hours=15)  # "today" for the account cap: from this morning back to after last evening, any zone


class Message(SQLModel, table=True):
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
    pieces: dict[str, Any] | None = Field(default=None, sa_type=MaybeJson)  # kind asked for → piece it carries


def plan(session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
    """Write messages to the outbox, waiting or skipped. One that is there already, in whatever state, stays as it is.

    Returns how many were new. A second planner of the same moment writes nothing.
    """
    return add_new(session, Message, [dict(row) for row in rows])


def expire(session: Session, now: datetime) -> int:
    """Waiting letters whose time is over are skipped, also after a long stop of ours.

    Reads those that are due, in `message_due`: a letter does not expire before it may leave.
    """
    t = TABLE.c
    done = session.execute(
        update(TABLE)
        .where(t.state == WAITS, t.not_before <= now, t.not_after < now)
        .values(state=State.SKIPPED, reason="expired")
    )
    return int(done.rowcount)  # type: ignore[attr-defined]


def brakes(session: Session) -> dict[str, str]:
    """What is paused, and why: {"all" | "campaign:<slug>": why}."""
    return dict(session.execute(select(col(Brake.scope), col(Brake.why))).tuples().all())


def head(session: Session, now: datetime, paused: Iterable[str]) -> Row[Any] | None:
    """The oldest due letter that is not paused: (campaign, version_id, letter, tries).

    Walks `message_due` to its first row.
    """
    t = TABLE.c
    return session.execute(
        select(t.campaign, t.version_id, t.letter, t.tries)
        .where(t.state == WAITS, t.not_before <= now, t.campaign.not_in(list(paused)))
        .order_by(t.not_before, t.id)
        .limit(1)
    ).first()


def pick(session: Session, of: Row[Any], n: int, now: datetime) -> list[int]:
    """Up to `n` due messages of one letter, held until this transaction ends. Two workers never get the same row.

    Walks `message_next` from the letter's first row to its nth, however long the outbox is. PostgreSQL passes over the
    rows that another worker holds. SQLite: the caller holds the write lock.
    """
    its = {"campaign": of.campaign, "version": of.version_id, "letter": of.letter, "tries": of.tries}
    return list(session.execute(PICK, {**its, "now": now, "n": n}).scalars())


def take(session: Session, parts: Mapping[str, Sequence[int]]) -> None:
    """What was picked is claimed for attempts: attempt → its messages."""
    alone = []
    for attempt_id, ids in parts.items():
        if len(ids) == 1:
            alone.append({"b_attempt": attempt_id, "b_id": ids[0]})
        else:
            session.execute(TAKE, {"b_attempt": attempt_id, "ids": ids})
    if alone:
        session.connection().execute(TAKE_ONE, alone)


def hold_addresses(
    session: Session, which: Mapping[str, Sequence[Any]], *, share: bool = False, persons: bool = False
) -> None:
    """Lock the addresses of messages (`ids`) or of attempts (`attempts`), in one order for everybody. PostgreSQL only.

    For good while caps are counted, so that two workers cannot both take a person's last place; shared at the arming,
    so that an unsubscribe commits either before the last look or after the arming. `persons`: also the address that
    stands for all of a person's, so that two workers with two of them meet.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_addresses(tuple(which), share, persons), which)


@lru_cache
def _addresses(by: tuple[str, ...], share: bool, persons: bool) -> Select[Any]:
    t, a = TABLE.c, ADDRESS.c
    theirs: Any = select(t.address).where(*_which(by))
    if persons:
        whose = ADDRESS.alias("whose").c
        known = (
            select(whose.person).join(TABLE, t.address == whose.address).where(*_which(by), whose.person.is_not(None))
        )
        theirs = theirs.union(known)
    held = select(a.address).where(a.address.in_(theirs)).order_by(a.address).with_for_update(read=share)
    return select(func.count()).select_from(held.subquery())


def _which(by: Iterable[str]) -> list[ColumnElement[bool]]:
    t = TABLE.c
    return [among(t.id, name) if name == "ids" else among(t.attempt_id, name) for name in by]


def wait_again(session: Session, rows: Sequence[Mapping[str, Any]], now: datetime) -> int:
    """Skipped or refused messages wait again. Rows: id, not_after. What was meanwhile planned again stays as it is."""
    if not rows:
        return 0
    t = TABLE.c
    done = session.connection().execute(
        update(TABLE)
        .where(t.id == bindparam("b_id"), or_(t.state == State.SKIPPED, t.state == State.REFUSED))
        .values(state=State.WAITING, reason=None, detail=None, not_before=now, tries=0, attempt_id=None,
                not_after=bindparam("b_not_after", type_=Moment))
        .execution_options(preserve_rowcount=True),
        [{f"b_{key}": value for key, value in row.items()} for row in rows],
    )  # fmt: skip
    return int(done.rowcount)


def plain(result: Result[Any]) -> list[dict[str, Any]]:
    """Rows as plain dicts: four times as quick to read as mappings are."""
    keys = list(result.keys())
    return [dict(zip(keys, row, strict=True)) for row in result.all()]  # all(): a loop would fetch them one by one


def put_aside(session: Session, rows: Sequence[Mapping[str, Any]], held: State = State.CLAIMED) -> None:
    """Messages in our hands that may not leave: skipped for good, or waiting again. `held`: claimed, or only picked.

    Rows: id, state, reason, detail, not_before.
    """
    if rows:
        values = [{"b_held": held, **{f"b_{key}": value for key, value in row.items()}} for row in rows]
        session.connection().execute(PUT_ASIDE, values)


def told_of(session: Session, ids: Iterable[int]) -> list[RowMapping]:
    """The messages that events speak of, locked in one order for everybody."""
    columns = (
        Message.id,
        Message.campaign,
        Message.letter,
        Message.address,
        Message.contact_id,
        Message.account_id,
        Message.outcome,
        Message.outcome_at,
    )
    query = select(*map(col, columns)).where(col(Message.id).in_(sorted(ids))).order_by(col(Message.id))
    return list(session.execute(query.with_for_update()).mappings())


def came_to(session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
    """Write down what messages came to. Rows: id, outcome, outcome_at."""
    if rows:
        session.connection().execute(
            update(TABLE)
            .where(TABLE.c.id == bindparam("b_id"))
            .values(outcome=bindparam("b_outcome"), outcome_at=bindparam("b_outcome_at", type_=Moment)),
            [{f"b_{key}": value for key, value in row.items()} for row in rows],
        )
    return len(rows)


def posted(session: Session, wanted: Mapping[str, str], first: int, most: int) -> tuple[list[RowMapping], int]:
    """What was taken, newest first, and how many in all. `wanted`: campaign, address, language, text; empty means any.

    Reads all accepted rows: this is for the mailbox of one machine, not for a million letters.
    """
    found = (
        select(col(Message.id))
        .outerjoin(Contact, col(Contact.id) == Message.contact_id)
        .where(col(Message.state) == State.ACCEPTED)
    )
    if wanted.get("campaign"):
        found = found.where(col(Message.campaign) == wanted["campaign"])
    if wanted.get("address"):
        found = found.where(col(Message.address) == wanted["address"])
    if wanted.get("language"):
        found = found.where(
            or_(
                col(Contact.locale) == wanted["language"],
                col(Contact.locale).startswith(f"{wanted['language']}-", autoescape=True),
            )
        )
    for word in wanted.get("text", "").split()[:8]:
        places = (Message.address, Message.campaign, Message.letter, Contact.first_name, Contact.last_name)
        found = found.where(or_(*(col(place).icontains(word, autoescape=True) for place in places)))
    total = session.execute(select(func.count()).select_from(found.subquery())).scalar_one()
    page = found.order_by(col(Message.accepted_at).desc(), col(Message.id).desc()).limit(most).offset(first)
    columns = (
        Message.campaign,
        Message.letter,
        Message.address,
        Message.accepted_at,
        Message.outcome,
        Contact.locale,
    )
    return list(session.execute(page.add_columns(*map(col, columns))).mappings()), total


def campaigns_posted(session: Session) -> list[str]:
    query = select(col(Message.campaign)).where(col(Message.state) == State.ACCEPTED).distinct()
    return sorted(session.execute(query).scalars())


TABLE: Table = Message.__table__  # type: ignore[attr-defined]
WAITS = literal(State.WAITING.value, literal_execute=True)  # written out: SQLite uses no partial index for a "?"
ADDRESS: Table = Address.__table__  # type: ignore[attr-defined]
CONTACT: Table = Contact.__table__  # type: ignore[attr-defined]
ACCOUNT: Table = Account.__table__  # type: ignore[attr-defined]

# Made ready once: to put a statement together takes longer than to run it.
PICK = (
    select(TABLE.c.id)
    .where(
        TABLE.c.state == WAITS,
        TABLE.c.campaign == bindparam("campaign"),
        TABLE.c.version_id == bindparam("version"),
        TABLE.c.letter == bindparam("letter"),
        TABLE.c.tries == bindparam("tries"),
        TABLE.c.not_before <= bindparam("now", type_=Moment),
    )
    .order_by(TABLE.c.not_before, TABLE.c.id)
    .limit(bindparam("n"))
    .with_for_update(skip_locked=True)  # SQLite knows no row locks and leaves this out
)
TAKE = (
    update(TABLE)
    .where(among(TABLE.c.id, "ids"), TABLE.c.state == State.WAITING)
    .values(state=State.CLAIMED, attempt_id=bindparam("b_attempt"))
)
TAKE_ONE = (
    update(TABLE)
    .where(TABLE.c.id == bindparam("b_id"), TABLE.c.state == State.WAITING)
    .values(state=State.CLAIMED, attempt_id=bindparam("b_attempt"))
)
PUT_ASIDE = (
    update(TABLE)
    .where(TABLE.c.id == bindparam("b_id"), TABLE.c.state == bindparam("b_held"))
    .values(
        state=bindparam("b_state"),
        reason=bindparam("b_reason"),
        detail=bindparam("b_detail"),
        not_before=func.coalesce(bindparam("b_not_before", type_=Moment), TABLE.c.not_before),
        attempt_id=None,
    )
)
CLAIMED_IN = (among(TABLE.c.attempt_id, "attempts"), TABLE.c.state == State.CLAIMED)
