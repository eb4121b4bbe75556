"""Attempt: one request to the provider, committed before it leaves, for all the messages it carries."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Index,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel, col

from models import message
from models.message import Message, State
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
    alone_why: str | None = None  # why its one message could not share a request

    __table_args__ = (
        Index(
            "attempt_open",
            "state",
            "lease_until",
            sqlite_where=text("state IN ('claimed', 'armed', 'unknown')"),
            postgresql_where=text("state IN ('claimed', 'armed', 'unknown')"),
        ),
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


OPEN = (AttemptState.ARMED, AttemptState.UNKNOWN)  # possibly sent, not yet known
BELIEVED_UNSENT = (State.WAITING, State.CLAIMED, State.SKIPPED, State.REFUSED)


def open_attempt(session: Session, row: Mapping[str, Any], message_ids: Sequence[int]) -> None:
    """Write down an attempt and what it carries, in the transaction that claimed the messages."""
    session.execute(insert(TABLE), [dict(row)])
    _carry(session, row["id"], message_ids)


def _carry(session: Session, attempt_id: str, message_ids: Sequence[int]) -> None:
    """An item for each message: one statement, for PostgreSQL is slow with a thousand small ones."""
    t = message.TABLE.c
    items = select(literal(attempt_id), t.id, literal(1)).where(t.id.in_(message_ids))
    session.execute(insert(ITEMS).from_select(["attempt_id", "message_id", "live"], items))


def fence(session: Session, attempt_id: str, owner: str, now: datetime, until: datetime, alone: str = "") -> bool:
    """Claimed → armed, only by its owner and only inside its lease. Whoever loses this race does nothing."""
    done = session.execute(
        update(Attempt)
        .where(col(Attempt.id) == attempt_id, *_held(owner, now))
        .values(state=AttemptState.ARMED, armed_at=now, lease_until=until, alone_why=alone or None)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


def _held(owner: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Claimed, by this worker, inside the lease."""
    return col(Attempt.owner) == owner, col(Attempt.state) == AttemptState.CLAIMED, col(Attempt.lease_until) > now


def renew(session: Session, attempt_ids: Iterable[str], owner: str, now: datetime, until: datetime) -> None:
    """A worker that is alive keeps what it claimed. A lease that is over stays over."""
    session.execute(
        update(Attempt).where(col(Attempt.id).in_(list(attempt_ids)), *_held(owner, now)).values(lease_until=until)
    )


def split(
    session: Session, attempt_id: str, owner: str, now: datetime, until: datetime, parts: Mapping[str, Sequence[int]]
) -> bool:
    """One claimed attempt becomes several, a request each. `parts`: its own id and new ones → their messages.

    Each has its own fence, arming and end from here on. False, and nothing done, when the lease is over.
    """
    mine = select(*TABLE.c).where(col(Attempt.id) == attempt_id, *_held(owner, now)).with_for_update()
    old = session.execute(mine).mappings().first()
    if old is None:
        return False
    t, i = message.TABLE.c, ITEMS.c
    for part, ids in parts.items():
        if part == attempt_id:
            continue
        session.execute(insert(TABLE), [{**old, "id": part, "n": len(ids), "lease_until": until}])
        # first out of the old, then into the new: one live attempt at every moment
        session.execute(delete(ITEMS).where(i.attempt_id == attempt_id, i.message_id.in_(ids)))
        _carry(session, part, ids)
        still = and_(t.id.in_(ids), t.attempt_id == attempt_id, t.state == State.CLAIMED)
        session.execute(update(message.TABLE).where(still).values(attempt_id=part))
    drop(session, attempt_id, parts.get(attempt_id, ()))
    session.execute(update(Attempt).where(col(Attempt.id) == attempt_id).values(lease_until=until))
    return True


def arm(session: Session, attempt_id: str, going: Sequence[int], n: int) -> None:
    """The messages that passed the last look are armed; the attempt no longer carries the others."""
    t = message.TABLE.c
    session.execute(
        update(message.TABLE).where(t.attempt_id == attempt_id, t.state == State.CLAIMED).values(state=State.ARMED)
    )
    if len(going) < n:
        drop(session, attempt_id, going)
    if not going:
        end(session, attempt_id, AttemptState.VOID, None)


def drop(session: Session, attempt_id: str, going: Sequence[int]) -> None:
    """Messages that went elsewhere before the request are no part of it: a late event for it does not speak of them."""
    here = select(col(Message.id)).where(col(Message.attempt_id) == attempt_id)
    session.execute(delete(ITEMS).where(ITEMS.c.attempt_id == attempt_id, ITEMS.c.message_id.not_in(here)))
    session.execute(update(Attempt).where(col(Attempt.id) == attempt_id).values(n=len(going)))


def going(session: Session, attempt_id: str) -> list[int]:
    """The messages still in an attempt that is about to leave."""
    t = message.TABLE.c
    return list(session.execute(select(t.id).where(t.attempt_id == attempt_id, t.state == State.CLAIMED)).scalars())


def unknown(session: Session, transport: str | None = None) -> dict[str, list[int]]:
    """Attempts whose end nobody knows (of one transport, or of all), with their messages.

    Walks `attempt_open`, then `message_attempt`: few, however much was sent.
    """
    a, t = TABLE.c, message.TABLE.c
    which = select(a.id).where(a.state == AttemptState.UNKNOWN, STILL_OPEN)
    ids = list(session.execute(which.where(a.transport == transport) if transport else which).scalars())
    found: dict[str, list[int]] = {}
    for start in range(0, len(ids), 1_000):
        carried = select(t.attempt_id, t.id).where(
            t.attempt_id.in_(ids[start : start + 1_000]), t.state == State.UNKNOWN
        )
        for attempt_id, message_id in session.execute(carried.order_by(t.id)):
            found.setdefault(attempt_id, []).append(message_id)
    return found


def alone(session: Session, message_id: int) -> str | None:
    """Why this message could not share its last request, if it could not."""
    a, i = TABLE.c, ITEMS.c
    question = (
        select(a.alone_why).join(ITEMS, i.attempt_id == a.id).where(i.message_id == message_id, a.armed_at.is_not(None))
    )
    return session.execute(question.order_by(i.live.desc(), a.id.desc()).limit(1)).scalar()


def end(session: Session, attempt_id: str, state: AttemptState, now: datetime | None, **values: Any) -> None:
    session.execute(update(Attempt).where(col(Attempt.id) == attempt_id).values(state=state, ended_at=now, **values))


def armed_until(session: Session, attempt_id: str) -> datetime | None:
    """The last look, after the connection stands and before the first byte: a frozen worker must not write."""
    mine = select(TABLE.c.lease_until).where(TABLE.c.id == attempt_id, TABLE.c.state == AttemptState.ARMED)
    return session.execute(mine).scalar()


def finish(
    session: Session,
    attempt_id: str,
    state: AttemptState,
    fates: Sequence[Mapping[str, Any]],
    now: datetime,
    **answer: Any,
) -> bool:
    """Record an answer: only on an attempt that is still open, so a late answer never takes back what an event proved.

    `fates`: id, state, reason, detail, not_before (None: unchanged), more_tries, accepted_at; an empty list gives every
    message the attempt's own state. Returns False when somebody else settled it first.
    """
    done = session.execute(
        update(Attempt)
        .where(col(Attempt.id) == attempt_id, col(Attempt.state).in_(OPEN))
        .values(state=state, ended_at=now, **answer)
    )
    if not done.rowcount:  # type: ignore[attr-defined]
        return False
    table = message.TABLE  # `or_`, not `in_`: many rows in one statement know no expanding lists
    mine = (table.c.attempt_id == attempt_id, or_(table.c.state == State.ARMED, table.c.state == State.UNKNOWN))
    if not fates:
        accepted = state == AttemptState.ACCEPTED
        session.execute(
            update(table)
            .where(*mine)
            .values(
                state=State.ACCEPTED if accepted else State.UNKNOWN,
                accepted_at=now if accepted else None,
                reason=None,
                detail=None if accepted else answer.get("detail"),
            )
        )
        return True
    session.connection().execute(
        update(table)
        .where(table.c.id == bindparam("b_id"), *mine)
        .values(
            state=bindparam("b_state"),
            reason=bindparam("b_reason"),
            detail=bindparam("b_detail"),
            attempt_id=None,
            not_before=func.coalesce(bindparam("b_not_before", type_=Moment), table.c.not_before),
            tries=table.c.tries + bindparam("b_more_tries"),
            accepted_at=bindparam("b_accepted_at", type_=Moment),
        ),
        [{f"b_{key}": value for key, value in row.items()} for row in fates],
    )
    session.execute(update(AttemptItem).where(col(AttemptItem.attempt_id) == attempt_id).values(live=0))
    return True


def release(session: Session, attempt_ids: Iterable[str], owner: str, now: datetime) -> int:
    """A worker that stops early gives back what it has claimed and not armed. Returns how many messages wait again."""
    ids = list(attempt_ids)
    mine = select(TABLE.c.id).where(TABLE.c.id.in_(ids), *_held(owner, now)).with_for_update()
    return _give_back(session, list(session.execute(mine).scalars()), now)


def _give_back(session: Session, attempt_ids: Sequence[str], now: datetime) -> int:
    """Claimed attempts end, never having been on the wire; their messages wait again. No try is counted."""
    if not attempt_ids:
        return 0
    t, which = message.TABLE.c, TABLE.c.id.in_(attempt_ids)
    session.execute(update(TABLE).where(which).values(state=AttemptState.RELEASED, ended_at=now))
    session.execute(update(ITEMS).where(ITEMS.c.attempt_id.in_(attempt_ids)).values(live=0))
    done = session.execute(
        update(message.TABLE)
        .where(t.attempt_id.in_(attempt_ids), t.state == State.CLAIMED)
        .values(state=State.WAITING, attempt_id=None)
    )
    return int(done.rowcount)  # type: ignore[attr-defined]


def reap(session: Session, now: datetime) -> tuple[int, int]:
    """Dead workers' leases. Claimed and never armed: the messages wait again. Armed: unknown, never waiting.

    Returns (attempts released, attempts become unknown).
    """
    over = select(col(Attempt.id)).where(col(Attempt.lease_until) < now, STILL_OPEN)
    released = list(
        session.execute(
            over.where(col(Attempt.state) == AttemptState.CLAIMED).with_for_update(skip_locked=True)
        ).scalars()
    )
    doubted = list(
        session.execute(
            over.where(col(Attempt.state) == AttemptState.ARMED).with_for_update(skip_locked=True)
        ).scalars()
    )
    _give_back(session, released, now)
    if doubted:
        session.execute(
            update(Attempt)
            .where(col(Attempt.id).in_(doubted))
            .values(state=AttemptState.UNKNOWN, detail="the worker died between arming and the answer")
        )
        session.execute(
            update(Message)
            .where(col(Message.attempt_id).in_(doubted), col(Message.state) == State.ARMED)
            .values(state=State.UNKNOWN, detail="the worker died between arming and the answer")
        )
    return len(released), len(doubted)


def prove_accepted(session: Session, attempt_ids: Iterable[str], now: datetime) -> tuple[int, int]:
    """An event for any member proves that the provider took the whole request.

    Open attempts become accepted. An attempt already ruled out is a surprise: its messages that wait again are accepted
    too, also those skipped or refused since, for `send --missing` would else write to them twice; those claimed anew
    drop out of their new attempt at its arming. Returns (proven, surprises).
    """
    ids = sorted(set(attempt_ids))
    rows = session.execute(
        select(col(Attempt.id), col(Attempt.state))
        .where(col(Attempt.id).in_(ids))
        .order_by(col(Attempt.id))
        .with_for_update()
    ).all()
    opened = [i for i, state in rows if state in OPEN]
    surprising = [i for i, state in rows if state in (AttemptState.REJECTED, AttemptState.RELEASED, AttemptState.VOID)]
    if opened:
        session.execute(
            update(Attempt).where(col(Attempt.id).in_(opened)).values(state=AttemptState.ACCEPTED, ended_at=now)
        )
        session.execute(
            update(Message)
            .where(col(Message.attempt_id).in_(opened), col(Message.state).in_((State.ARMED, State.UNKNOWN)))
            .values(state=State.ACCEPTED, accepted_at=now, reason=None, detail=None)
        )
    if surprising:
        carried = select(col(AttemptItem.message_id)).where(col(AttemptItem.attempt_id).in_(surprising))
        session.execute(
            update(Message)
            .where(col(Message.id).in_(carried), col(Message.state).in_(BELIEVED_UNSENT))
            .values(
                state=State.ACCEPTED,
                accepted_at=now,
                reason=None,
                detail="accepted after all: an event came for a request ruled out",
            )
        )
        session.execute(
            update(Attempt).where(col(Attempt.id).in_(surprising)).values(state=AttemptState.ACCEPTED, ended_at=now)
        )
    return len(opened), len(surprising)


def called(session: Session, names: Iterable[str]) -> dict[str, str]:
    """The provider's own names of letters → the attempts they were in, as far as their answers have come.

    A letter is called `<X-Message-Id of its request>.<rest>`, and either part may have dots.
    """
    beginnings = {name: [name[: dot.start()] for dot in re.finditer(r"\.|$", name)] for name in set(names)}
    wanted = {beginning for some in beginnings.values() for beginning in some}
    if not wanted:
        return {}
    mine = select(col(Attempt.provider_id), col(Attempt.id)).where(col(Attempt.provider_id).in_(wanted))
    known: dict[str, str] = dict(session.execute(mine).tuples().all())  # type: ignore[arg-type]
    found = {name: [known[b] for b in some if b in known] for name, some in beginnings.items()}
    return {name: attempts[-1] for name, attempts in found.items() if attempts}


def carried_to(session: Session, attempt_ids: Iterable[str]) -> dict[tuple[str, str], int]:
    """(attempt, address) → the message it carried there: an address is in a request once at most."""
    question = (
        select(col(AttemptItem.attempt_id), col(Message.address), col(Message.id))
        .join(Message, col(Message.id) == AttemptItem.message_id)
        .where(col(AttemptItem.attempt_id).in_(set(attempt_ids)))
    )
    return {(attempt_id, address): i or 0 for attempt_id, address, i in session.execute(question)}


TABLE: Table = Attempt.__table__  # type: ignore[attr-defined]
ITEMS: Table = AttemptItem.__table__  # type: ignore[attr-defined]
STILL_OPEN = text("state IN ('claimed', 'armed', 'unknown')")  # word for word as in the index: SQLite proves no more
