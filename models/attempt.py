"""Attempt: one request to the provider, committed before it leaves, for all the messages it carries."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Index,
    Table,
    Update,
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
from models.bulk_upsert import among
from models.message import Message, State
from models.types import Id, Moment


class AttemptState(StrEnum):
    CLAIMED = "claimed"
    ARMED = "armed"
    SCHEDULED = "scheduled"  # taken, and held by the provider until `send_at`
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
    domain: str | None = None  # of the sender: its good name is what brakes and warm-up protect
    asked_at: datetime | None = Field(default=None, sa_type=Moment)  # when the provider's log was asked about it …
    evidence: str | None = None  # … and what followed from its answer
    send_at: datetime | None = Field(default=None, sa_type=Moment)  # until then the provider holds the letters …
    batch_id: str | None = None  # … and under this name it can be told to throw them away
    cancelled_at: datetime | None = Field(default=None, sa_type=Moment)  # when it was, and said yes

    __table_args__ = (
        Index(  # those that the provider holds, or held and has not forgotten
            "attempt_batch",
            "send_at",
            sqlite_where=text("batch_id IS NOT NULL"),
            postgresql_where=text("batch_id IS NOT NULL"),
        ),
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
OR_HELD = (*OPEN, AttemptState.SCHEDULED)  # … or still to leave
POSSIBLY_SENT = (State.ARMED, State.UNKNOWN, State.SCHEDULED)
ALL_OF_THEM = {AttemptState.ACCEPTED: State.ACCEPTED, AttemptState.SCHEDULED: State.SCHEDULED}
BELIEVED_UNSENT = (State.WAITING, State.CLAIMED, State.SKIPPED, State.REFUSED)


def open_attempts(session: Session, row: Mapping[str, Any], parts: Mapping[str, Sequence[int]]) -> None:
    """Write down attempts and what each carries, in the transaction that claims the messages.

    `row`: what they have in common; `parts`: attempt → its messages.
    """
    session.execute(OPEN_ONE, [{**row, "id": attempt_id, "n": len(ids)} for attempt_id, ids in parts.items()])
    alone = []
    for attempt_id, ids in parts.items():
        if len(ids) == 1:
            alone.append({"attempt_id": attempt_id, "message_id": ids[0], "live": 1})
        else:  # one statement, for PostgreSQL is slow with a thousand small ones
            session.execute(CARRY, {"attempt": attempt_id, "ids": ids})
    if alone:
        session.connection().execute(CARRY_ONE, alone)


def fence(session: Session, attempt_id: str, owner: str, now: datetime, until: datetime, alone: str = "") -> bool:
    """Claimed → armed, only by its owner and only inside its lease. Whoever loses this race does nothing."""
    given = {"b_id": attempt_id, "b_owner": owner, "b_now": now, "b_until": until, "b_alone": alone or None}
    return bool(session.execute(FENCE, given).rowcount)  # type: ignore[attr-defined]


def fence_all(session: Session, attempts: Mapping[str, str], owner: str, now: datetime, until: datetime) -> set[str]:
    """The same for several requests at once: attempt → why it has a request of its own. Returns those that are ours."""
    given = {"attempts": sorted(attempts), "b_owner": owner, "b_now": now, "b_until": until}
    ours = set(session.execute(FENCE_ALL, given).scalars())
    if why := [{"b_id": i, "b_alone": alone} for i, alone in sorted(attempts.items()) if alone and i in ours]:
        say = update(TABLE).where(TABLE.c.id == bindparam("b_id")).values(alone_why=bindparam("b_alone"))
        session.connection().execute(say, why)
    return ours


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
        # first out of the old, then into the new: one live attempt at every moment
        session.execute(delete(ITEMS).where(i.attempt_id == attempt_id, among(i.message_id, "ids")), {"ids": ids})
        open_attempts(session, {**old, "lease_until": until}, {part: ids})
        still = and_(among(t.id, "ids"), t.attempt_id == attempt_id, t.state == State.CLAIMED)
        session.execute(update(message.TABLE).where(still).values(attempt_id=part), {"ids": ids})
    drop(session, attempt_id, parts.get(attempt_id, ()))
    session.execute(update(Attempt).where(col(Attempt.id) == attempt_id).values(lease_until=until))
    return True


def arm(session: Session, attempts: Mapping[str, int]) -> dict[str, set[int]]:
    """The messages that passed the last look are armed; an attempt no longer carries the others.

    `attempts`: attempt → how many messages it has carried. Returns for each those that go.
    """
    going: dict[str, set[int]] = {attempt_id: set() for attempt_id in attempts}
    for attempt_id, message_id in session.execute(ARM, {"attempts": list(attempts)}):
        going[attempt_id].add(message_id)
    for attempt_id, n in attempts.items():
        if len(going[attempt_id]) < n:
            drop(session, attempt_id, going[attempt_id])
        if not going[attempt_id]:
            end(session, attempt_id, AttemptState.VOID, None)
    return going


def drop(session: Session, attempt_id: str, going: Collection[int]) -> None:
    """Messages that went elsewhere before the request are no part of it: a late event for it does not speak of them."""
    here = select(col(Message.id)).where(col(Message.attempt_id) == attempt_id)
    session.execute(delete(ITEMS).where(ITEMS.c.attempt_id == attempt_id, ITEMS.c.message_id.not_in(here)))
    session.execute(update(TABLE).where(TABLE.c.id == attempt_id).values(n=len(going)))


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
    session.execute(update(TABLE).where(TABLE.c.id == attempt_id).values(state=state, ended_at=now, **values))


def hold(session: Session, attempt_id: str, batch_id: str, send_at: datetime) -> None:
    """The provider will be asked to keep the letters until then, under this name."""
    session.execute(update(TABLE).where(TABLE.c.id == attempt_id).values(batch_id=batch_id, send_at=send_at))


def armed_until(session: Session | Connection, attempt_id: str) -> datetime | None:
    """The last look, after the connection stands and before the first byte: a frozen worker must not write."""
    return session.execute(ARMED_UNTIL, {"b_id": attempt_id}).scalar()


def finish(
    session: Session,
    attempt_id: str,
    state: AttemptState,
    fates: Sequence[Mapping[str, Any]],
    now: datetime,
    of: Sequence[AttemptState] = (),
    **answer: Any,
) -> bool:
    """Record an answer: only on an attempt that is still open, so a late answer never takes back what an event proved.

    `fates`: id, state, reason, detail, not_before (None: unchanged), more_tries, accepted_at; an empty list gives every
    message the attempt's own state. `of`: the states it may end from, usually `OPEN`. Returns False when somebody else
    settled it first.
    """
    values = {f"b_{key}": value for key, value in answer.items()}
    given = {"b_id": attempt_id, "open": list(of or OPEN), "b_state": state, "b_ended_at": now, **values}
    if not session.execute(_ended(tuple(answer)), given).rowcount:  # type: ignore[attr-defined]
        return False
    if not fates:
        accepted = state == AttemptState.ACCEPTED
        after = ALL_OF_THEM.get(state, State.UNKNOWN)
        given = {"b_state": after, "b_accepted_at": now if accepted else None,
                 "b_detail": None if accepted else answer.get("detail")}  # fmt: skip
        session.execute(ALL_FATED, {"b_attempt": attempt_id, **given})
        return True
    rows = [{"b_attempt": attempt_id, **{f"b_{key}": value for key, value in row.items()}} for row in fates]
    session.connection().execute(EACH_FATED, rows)
    session.execute(update(ITEMS).where(ITEMS.c.attempt_id == attempt_id).values(live=0))
    return True


def taken(session: Session, answers: Mapping[str, Mapping[str, Any]], now: datetime) -> set[str]:
    """Record that several requests were taken: attempt → status, provider_id. Returns those that were still open."""
    asked = select(TABLE.c.id).where(among(TABLE.c.id, "attempts"), among(TABLE.c.state, "open"))
    held = asked.order_by(TABLE.c.id).with_for_update()  # in one order for everybody
    ours = list(session.execute(held, {"attempts": list(answers), "open": list(OPEN)}).scalars())
    if ours:
        rows = [{"b_id": i, "b_ended_at": now, **{f"b_{key}": v for key, v in answers[i].items()}} for i in ours]
        session.connection().execute(TAKEN, rows)
        session.execute(ALL_TAKEN, {"attempts": ours, "b_accepted_at": now})
    return set(ours)


@lru_cache
def _ended(said: tuple[str, ...]) -> Update:
    values: dict[str, Any] = {key: bindparam(f"b_{key}") for key in ("state", "ended_at", *said)}
    return update(TABLE).where(TABLE.c.id == bindparam("b_id"), among(TABLE.c.state, "open")).values(**values)


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


def prove_accepted(
    session: Session, attempt_ids: Iterable[str] | Mapping[str, datetime], now: datetime
) -> tuple[int, int]:
    """An event for any member proves that the provider took the whole request.

    With the moments of the newest events: one before the time of held letters proves no more than that they are held.
    Open attempts become accepted. An attempt already ruled out is a surprise: its messages that wait again are accepted
    too, also those skipped or refused since, for `send --missing` would else write to them twice; those claimed anew
    drop out of their new attempt at its arming. Returns (proven, surprises).
    """
    ids = sorted(set(attempt_ids))
    found = session.execute(
        select(col(Attempt.id), col(Attempt.state), col(Attempt.send_at))
        .where(col(Attempt.id).in_(ids))
        .order_by(col(Attempt.id))
        .with_for_update()
    ).all()
    told = attempt_ids if isinstance(attempt_ids, Mapping) else {}
    early = {i for i, _, send_at in found if send_at and i in told and told[i] < send_at}
    rows = [(i, state) for i, state, _ in found if i not in early]
    held = [i for i, state, _ in found if i in early and state in OPEN]
    opened = [i for i, state in rows if state in OR_HELD]
    surprising = [i for i, state in rows if state in (AttemptState.REJECTED, AttemptState.RELEASED, AttemptState.VOID)]
    if held:
        session.execute(update(Attempt).where(col(Attempt.id).in_(held)).values(state=AttemptState.SCHEDULED))
        theirs = (col(Message.attempt_id).in_(held), col(Message.state).in_((State.ARMED, State.UNKNOWN)))
        session.execute(update(Message).where(*theirs).values(state=State.SCHEDULED, reason=None, detail=None))
    if opened:
        session.execute(
            update(Attempt).where(col(Attempt.id).in_(opened)).values(state=AttemptState.ACCEPTED, ended_at=now)
        )
        session.execute(
            update(Message)
            .where(col(Message.attempt_id).in_(opened), col(Message.state).in_(POSSIBLY_SENT))
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
    return len(opened) + len(held), len(surprising)


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


def known(session: Session, attempt_ids: Collection[str]) -> set[str]:
    """Which of these requests are written down here."""
    return set(session.execute(select(TABLE.c.id).where(TABLE.c.id.in_(attempt_ids))).scalars())


def carried_to(session: Session, attempt_ids: Iterable[str]) -> dict[tuple[str, str], int]:
    """(attempt, address) → the message it carried there: an address is in a request once at most."""
    question = (
        select(col(AttemptItem.attempt_id), col(Message.address), col(Message.id))
        .join(Message, col(Message.id) == AttemptItem.message_id)
        .where(col(AttemptItem.attempt_id).in_(set(attempt_ids)))
    )
    return {(attempt_id, address): i or 0 for attempt_id, address, i in session.execute(question)}


def sent_all_the_same(
    session: Session, told: Collection[tuple[int | None, str | None]], now: datetime
) -> set[tuple[int | None, str | None]]:
    """Messages of requests that a restored database has forgotten: accepted. `told`: (message, address) of the events.

    Returns those of them that are so here too.
    """
    rows = session.execute(
        select(col(Message.id), col(Message.address)).where(col(Message.id).in_({i for i, _ in told if i}))
    )
    mine: set[tuple[int | None, str | None]] = {(i, address) for i, address in rows} & set(told)
    session.execute(
        update(Message)
        .where(col(Message.id).in_({i for i, _ in mine}), col(Message.state).in_(BELIEVED_UNSENT))
        .values(state=State.ACCEPTED, accepted_at=now, reason=None, detail="sent before the database was restored")
    )
    return mine


TABLE: Table = Attempt.__table__  # type: ignore[attr-defined]
ITEMS: Table = AttemptItem.__table__  # type: ignore[attr-defined]
STILL_OPEN = text("state IN ('claimed', 'armed', 'unknown')")  # word for word as in the index: SQLite proves no more

# Made ready once: to put a statement together takes longer than to run it.
OPEN_ONE, CARRY_ONE = insert(TABLE), insert(ITEMS)
CARRY = insert(ITEMS).from_select(
    ["attempt_id", "message_id", "live"],
    select(bindparam("attempt", type_=ITEMS.c.attempt_id.type), message.TABLE.c.id, literal(1)).where(
        among(message.TABLE.c.id, "ids")
    ),
)
FENCED = (  # one fence, whether for one request or for many
    update(TABLE)
    .where(
        TABLE.c.owner == bindparam("b_owner"),
        TABLE.c.state == AttemptState.CLAIMED,
        TABLE.c.lease_until > bindparam("b_now", type_=Moment),
    )
    .values(
        state=AttemptState.ARMED,
        armed_at=bindparam("b_now", type_=Moment),
        lease_until=bindparam("b_until", type_=Moment),
    )
)
FENCE = FENCED.where(TABLE.c.id == bindparam("b_id")).values(alone_why=bindparam("b_alone"))
FENCE_ALL = FENCED.where(among(TABLE.c.id, "attempts")).returning(TABLE.c.id)
TAKEN = (
    update(TABLE)
    .where(TABLE.c.id == bindparam("b_id"))
    .values(
        state=AttemptState.ACCEPTED,
        ended_at=bindparam("b_ended_at", type_=Moment),
        status=bindparam("b_status"),
        provider_id=bindparam("b_provider_id"),
        detail=bindparam("b_detail"),
    )
)
ALL_TAKEN = (
    update(message.TABLE)
    .where(
        among(message.TABLE.c.attempt_id, "attempts"),
        or_(message.TABLE.c.state == State.ARMED, message.TABLE.c.state == State.UNKNOWN),
    )
    .values(state=State.ACCEPTED, accepted_at=bindparam("b_accepted_at", type_=Moment), reason=None, detail=None)
)
ARM = (
    update(message.TABLE)
    .where(*message.CLAIMED_IN)
    .values(state=State.ARMED)
    .returning(message.TABLE.c.attempt_id, message.TABLE.c.id)
)
ARMED_UNTIL = select(TABLE.c.lease_until).where(TABLE.c.id == bindparam("b_id"), TABLE.c.state == AttemptState.ARMED)
ITS_OPEN = (  # `or_`, not `in_`: many rows in one statement know no expanding lists
    message.TABLE.c.attempt_id == bindparam("b_attempt"),
    or_(*(message.TABLE.c.state == state for state in POSSIBLY_SENT)),
)
ALL_FATED = (
    update(message.TABLE)
    .where(*ITS_OPEN)
    .values(
        state=bindparam("b_state"),
        accepted_at=bindparam("b_accepted_at", type_=Moment),
        reason=None,
        detail=bindparam("b_detail"),
    )
)
EACH_FATED = (
    update(message.TABLE)
    .where(message.TABLE.c.id == bindparam("b_id"), *ITS_OPEN)
    .values(
        state=bindparam("b_state"),
        reason=bindparam("b_reason"),
        detail=bindparam("b_detail"),
        attempt_id=None,
        not_before=func.coalesce(bindparam("b_not_before", type_=Moment), message.TABLE.c.not_before),
        tries=message.TABLE.c.tries + bindparam("b_more_tries"),
        accepted_at=bindparam("b_accepted_at", type_=Moment),
    )
)
