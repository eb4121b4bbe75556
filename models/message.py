"""Message: one letter to one lead. The row is the outbox; the database forbids the second copy."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, Row, RowMapping, UniqueConstraint, and_, bindparam, func, or_, select, text, update
from sqlalchemy.orm import Session, aliased
from sqlmodel import Field, SQLModel, col

from models.account import Account
from models.address import Address
from models.bulk import add_new
from models.campaign import Brake
from models.contact import Contact
from models.moment import Id, Moment


class State(StrEnum):
    WAITING = "waiting"  # written to the outbox, not yet offered to anybody
    CLAIMED = "claimed"  # a worker holds it under a lease, nothing has left
    ARMED = "armed"  # committed just before the request: from here on it may have been sent
    ACCEPTED = "accepted"  # the provider took it. Never taken back
    SKIPPED = "skipped"  # we decided not to send; `reason` says why
    REFUSED = "refused"  # the provider will never take it; `reason` says why
    UNKNOWN = "unknown"  # nobody knows: held for evidence, never sent again by a timer


LEDGER = {  # which of the ledger's five groups a state counts in
    State.WAITING: "waiting",
    State.CLAIMED: "waiting",
    State.ARMED: "unknown",  # honest: it may be on the wire this very moment
    State.ACCEPTED: "accepted",
    State.SKIPPED: "skipped",
    State.REFUSED: "refused",
    State.UNKNOWN: "unknown",
}


TAKEN_UP = (State.CLAIMED, State.ARMED, State.UNKNOWN)  # may be in somebody's inbox any moment: counts against caps
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
        Index(
            "message_attempt",
            "attempt_id",
            sqlite_where=text("attempt_id IS NOT NULL"),
            postgresql_where=text("attempt_id IS NOT NULL"),
        ),  # partial: a full one made the planner scan
        Index("message_address_accepted", "address", "accepted_at"),  # how much has this person had lately?
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


def plan(session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
    """Write messages to the outbox, waiting or skipped. One that is there already, in whatever state, stays as it is.

    Returns how many were new. A second planner of the same moment writes nothing.
    """
    return add_new(session, Message, [dict(row) for row in rows])


def expire(session: Session, now: datetime) -> int:
    """Waiting letters whose time is over are skipped, also after a long stop of ours."""
    done = session.execute(
        update(Message)
        .where(col(Message.state) == State.WAITING, col(Message.not_after) < now)
        .values(state=State.SKIPPED, reason="expired")
    )
    return int(done.rowcount)  # type: ignore[attr-defined]


def brakes(session: Session) -> dict[str, str]:
    """What is paused, and why: {"all" | "campaign:<slug>": why}."""
    return dict(session.execute(select(col(Brake.scope), col(Brake.why))).all())


def head(session: Session, now: datetime, paused: Iterable[str]) -> Row[Any] | None:
    """The oldest due letter that is not paused: (campaign, version_id, letter, tries).

    Walks `message_due` to its first row.
    """
    return session.execute(
        select(col(Message.campaign), col(Message.version_id), col(Message.letter), col(Message.tries))
        .where(
            col(Message.state) == State.WAITING, col(Message.not_before) <= now, col(Message.campaign).not_in(paused)
        )
        .order_by(col(Message.not_before), col(Message.id))
        .limit(1)
    ).first()


def claim(session: Session, of: Row[Any], n: int, attempt_id: str, now: datetime) -> list[int]:
    """Take up to `n` due messages of one letter for an attempt. Two workers never get the same row.

    PostgreSQL: the pick is materialized, for a LIMIT in a plain IN (subquery) can be exceeded under load; rows another
    worker holds are passed over. SQLite: the caller holds the write lock.
    """
    pick = (
        select(col(Message.id))
        .where(
            col(Message.state) == State.WAITING,
            col(Message.not_before) <= now,
            col(Message.campaign) == of.campaign,
            col(Message.version_id) == of.version_id,
            col(Message.letter) == of.letter,
            col(Message.tries) == of.tries,
        )
        .order_by(col(Message.not_before), col(Message.id))
        .limit(n)
        .with_for_update(skip_locked=True)  # SQLite knows no row locks and leaves this out
        .cte("pick")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    taken = session.execute(
        update(Message)
        .where(col(Message.id).in_(select(pick.c.id)))
        .values(state=State.CLAIMED, attempt_id=attempt_id)
        .returning(col(Message.id))
        .execution_options(synchronize_session=False)
    )
    return sorted(taken.scalars())


def standing(
    session: Session, attempt_id: str, now: datetime, *, days: int = 7, lock: str | None = None
) -> list[RowMapping]:
    """All that could forbid the messages of an attempt, a row each in the order of their ids.

    `lock`: "update" while caps are counted, so that two workers cannot both take a person's last place; "share" at arm,
    so that an unsubscribe commits either before this look or after the arming. PostgreSQL only.
    """
    other, colleague = aliased(Message), aliased(Message)
    if lock and session.get_bind().dialect.name == "postgresql":
        session.execute(
            select(col(Address.address))
            .where(col(Address.address).in_(select(col(Message.address)).where(col(Message.attempt_id) == attempt_id)))
            .order_by(col(Address.address))
            .with_for_update(read=lock == "share")
        )
    person_lately = (
        select(func.count())
        .where(
            other.address == Message.address,
            other.id != Message.id,
            other.campaign != SALES,
            or_(other.accepted_at > now - timedelta(days=days), other.state.in_(TAKEN_UP)),  # type: ignore[union-attr,operator,attr-defined]
        )
        .scalar_subquery()
    )
    account_today = (
        select(func.count(colleague.address.distinct()))  # type: ignore[attr-defined]
        .where(
            colleague.account_id == Message.account_id,
            colleague.address != Message.address,
            colleague.campaign != SALES,
            or_(
                colleague.accepted_at > now - WORKING_DAY,  # type: ignore[operator]
                and_(colleague.state.in_(TAKEN_UP), colleague.attempt_id != attempt_id),
            ),  # type: ignore[attr-defined,arg-type]
        )
        .scalar_subquery()
    )
    return list(
        session.execute(
            select(
                col(Message.id),
                col(Message.campaign),
                col(Message.version_id),
                col(Message.letter),
                col(Message.address),
                col(Message.contact_id),
                col(Message.account_id),
                col(Message.handoff_id),
                col(Message.state),
                col(Message.not_after),
                col(Address.suppressed_why),
                col(Contact.consent),
                col(Contact.time_zone),
                func.coalesce(Contact.country, Account.country).label("country"),
                col(Account.stopped_why).label("account_stopped_why"),
                person_lately.label("person_lately"),
                account_today.label("account_today"),
            )
            .join(Address, col(Address.address) == Message.address)
            .outerjoin(Contact, col(Contact.id) == Message.contact_id)
            .outerjoin(Account, col(Account.id) == Message.account_id)
            .where(col(Message.attempt_id) == attempt_id, col(Message.state) == State.CLAIMED)
            .order_by(col(Message.id))
        ).mappings()
    )


def put_aside(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Claimed messages that may not leave: skipped for good, or waiting again.

    Rows: id, state, reason, detail, not_before.
    """
    if rows:
        session.connection().execute(
            update(TABLE)
            .where(TABLE.c.id == bindparam("b_id"), TABLE.c.state == State.CLAIMED)
            .values(
                state=bindparam("b_state"),
                reason=bindparam("b_reason"),
                detail=bindparam("b_detail"),
                not_before=func.coalesce(bindparam("b_not_before", type_=Moment), TABLE.c.not_before),
                attempt_id=None,
            ),
            [{f"b_{key}": value for key, value in row.items()} for row in rows],
        )


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
        Contact.first_name,
        Contact.last_name,
    )
    return list(session.execute(page.add_columns(*map(col, columns))).mappings()), total


def campaigns_posted(session: Session) -> list[str]:
    query = select(col(Message.campaign)).where(col(Message.state) == State.ACCEPTED).distinct()
    return sorted(session.execute(query).scalars())


TABLE = Message.__table__  # type: ignore[attr-defined]
