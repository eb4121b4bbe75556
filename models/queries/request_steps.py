"""The steps of a request: claimed, split, armed, answered; or given back, when nothing of it has left."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Update,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.orm import Session

from models.attempt import ITEMS, STILL_OPEN
from models.attempt import TABLE as ATTEMPT
from models.bulk_upsert import among
from models.delivery_states import OPEN, AttemptState, State, Trigger, change_state, is_one_of, next_message_state
from models.message import TABLE as MESSAGE
from models.types import Moment

DIED = "the worker died between arming and the answer"


class NewAttempt(NamedTuple):
    """What the requests of one claim have in common. `domain`: the sender's; `lease_until`: a worker that is silent for
    longer loses them."""

    owner: str
    channel: str
    campaign: str
    version_id: int
    letter: str
    domain: str | None
    claimed_at: datetime
    lease_until: datetime


class MessageResult(NamedTuple):
    """What the end of a request means for one of its messages. `not_before` None: unchanged; `more_tries`: how many
    refusals of a whole request are added to those it had."""

    message_id: int
    trigger: Trigger
    reason: str | None = None
    detail: str | None = None
    not_before: datetime | None = None
    more_tries: int = 0


class Answered(NamedTuple):
    """What the provider answered: HTTP status, its own name for the request, and the reason of a no in words."""

    status: int | None
    provider_id: str | None
    detail: str | None


class Settled(NamedTuple):
    """What became known of a request later, and from whom; its answer, if there was one, stays."""

    detail: str


class Reaped(NamedTuple):
    """Requests of dead workers: given back before they were armed, and unknown since they were armed already."""

    given_back: int
    unknown: int


def open_attempts(session: Session, new: NewAttempt, parts: Mapping[str, Sequence[int]]) -> None:
    """Write down claimed requests and what each carries, in the transaction that claims the messages.

    `parts`: attempt → its messages.
    """
    shared = {**new._asdict(), "state": AttemptState.CLAIMED}
    session.execute(OPEN_ONE, [{**shared, "id": attempt_id, "n": len(ids)} for attempt_id, ids in parts.items()])
    alone = []
    for attempt_id, ids in parts.items():
        if len(ids) == 1:
            alone.append({"attempt_id": attempt_id, "message_id": ids[0], "live": 1})
        else:  # one statement, for PostgreSQL is slow with a thousand small ones
            session.execute(CARRY, {"attempt": attempt_id, "ids": ids})
    if alone:
        session.connection().execute(CARRY_ONE, alone)


def renew_leases(session: Session, attempt_ids: Iterable[str], owner: str, now: datetime, until: datetime) -> None:
    """A worker that is alive keeps what it claimed. A lease that is over stays over."""
    mine = (ATTEMPT.c.id.in_(list(attempt_ids)), *_owned(owner, now))
    session.execute(update(ATTEMPT).where(*mine).values(lease_until=until))


def split_attempt(
    session: Session, attempt_id: str, owner: str, now: datetime, until: datetime, parts: Mapping[str, Sequence[int]]
) -> bool:
    """One claimed attempt becomes several, a request each. `parts`: its own id and new ones → their messages.

    Each has its own fence, arming and end from here on. False, and nothing done, when the lease is over.
    """
    a, m, i = ATTEMPT.c, MESSAGE.c, ITEMS.c
    columns = (a.owner, a.channel, a.campaign, a.version_id, a.letter, a.domain, a.claimed_at, a.lease_until)
    mine = select(*columns).where(a.id == attempt_id, *_owned(owner, now)).with_for_update()
    if (row := session.execute(mine).first()) is None:
        return False
    new = NewAttempt._make(row)._replace(lease_until=until)
    for part, ids in parts.items():
        if part == attempt_id:
            continue
        # first out of the old, then into the new: one live attempt at every moment
        session.execute(delete(ITEMS).where(i.attempt_id == attempt_id, among(i.message_id, "ids")), {"ids": ids})
        open_attempts(session, new, {part: ids})
        still = and_(among(m.id, "ids"), m.attempt_id == attempt_id, m.state == State.CLAIMED)
        session.execute(update(MESSAGE).where(still).values(attempt_id=part), {"ids": ids})
    drop_messages(session, attempt_id, parts.get(attempt_id, ()))
    session.execute(update(ATTEMPT).where(a.id == attempt_id).values(lease_until=until))
    return True


def fence(session: Session, attempt_id: str, owner: str, now: datetime, until: datetime, alone: str = "") -> bool:
    """Claimed → armed, only by its owner and only inside its lease. Whoever loses this race does nothing.

    `alone`: why its one message has a request of its own.
    """
    given = {"b_id": attempt_id, "b_owner": owner, "b_now": now, "b_until": until, "b_alone": alone or None}
    return bool(session.execute(FENCE, given).rowcount)  # type: ignore[attr-defined]


def fence_all(session: Session, attempts: Mapping[str, str], owner: str, now: datetime, until: datetime) -> set[str]:
    """The same for several requests at once: attempt → why it has a request of its own. Returns those that are ours."""
    given = {"attempts": sorted(attempts), "b_owner": owner, "b_now": now, "b_until": until}
    ours = set(session.execute(FENCE_ALL, given).scalars())
    if why := [{"b_id": i, "b_alone": alone} for i, alone in sorted(attempts.items()) if alone and i in ours]:
        say = update(ATTEMPT).where(ATTEMPT.c.id == bindparam("b_id")).values(alone_why=bindparam("b_alone"))
        session.connection().execute(say, why)
    return ours


def note_send_time(session: Session, attempt_id: str, batch_id: str, send_at: datetime) -> None:
    """The provider will be asked to keep the letters until then, under this name."""
    session.execute(update(ATTEMPT).where(ATTEMPT.c.id == attempt_id).values(batch_id=batch_id, send_at=send_at))


def arm_messages(session: Session, attempts: Mapping[str, int]) -> dict[str, set[int]]:
    """The messages that passed the last look are armed; an attempt no longer carries the others.

    `attempts`: attempt → how many messages it has carried. Returns for each those that go.
    """
    going: dict[str, set[int]] = {attempt_id: set() for attempt_id in attempts}
    for attempt_id, message_id in session.execute(ARM, {"attempts": list(attempts)}):
        going[attempt_id].add(message_id)
    for attempt_id, n in attempts.items():
        if len(going[attempt_id]) < n:
            drop_messages(session, attempt_id, going[attempt_id])
        if not going[attempt_id]:
            void(session, attempt_id, None)
    return going


def drop_messages(session: Session, attempt_id: str, going: Collection[int]) -> None:
    """Messages that went elsewhere before the request are no part of it: a late event for it does not speak of them."""
    here = select(MESSAGE.c.id).where(MESSAGE.c.attempt_id == attempt_id)
    session.execute(delete(ITEMS).where(ITEMS.c.attempt_id == attempt_id, ITEMS.c.message_id.not_in(here)))
    session.execute(update(ATTEMPT).where(ATTEMPT.c.id == attempt_id).values(n=len(going)))


def void(session: Session, attempt_id: str, now: datetime | None) -> None:
    """A request ends before it was made: none of its messages may leave."""
    session.execute(change_state(ATTEMPT, Trigger.ALL_FORBIDDEN).where(ATTEMPT.c.id == attempt_id).values(ended_at=now))


def armed_until(session: Session | Connection, attempt_id: str) -> datetime | None:
    """The last look, after the connection stands and before the first byte: a frozen worker must not write."""
    return session.execute(ARMED_UNTIL, {"b_id": attempt_id}).scalar()


def record_answer(
    session: Session, attempt_id: str, trigger: Trigger, results: Sequence[MessageResult], now: datetime,
    known: Answered | Settled | None = None,
) -> bool:  # fmt: skip
    """Record how a request ended, only where the table of transitions allows it: a late answer never takes back what an
    event proved.

    Without `results` the trigger is every message's. Returns False when somebody else settled it first.
    """
    columns = {f"b_{name}": value for name, value in known._asdict().items()} if known else {}
    ended = _ended(trigger, known._fields if known else ())
    if not session.execute(ended, {"b_id": attempt_id, "b_ended_at": now, **columns}).rowcount:  # type: ignore[attr-defined]
        return False
    if not results:
        accepted = next_message_state(trigger) is State.ACCEPTED
        given = {"b_accepted_at": now if accepted else None, "b_detail": None if accepted else columns.get("b_detail")}
        session.execute(_all_changed(trigger), {"b_attempt": attempt_id, **given})
        return True
    by_trigger: dict[Trigger, list[MessageResult]] = {}
    for result in results:
        by_trigger.setdefault(result.trigger, []).append(result)
    for what, some in by_trigger.items():
        accepted_at = now if next_message_state(what) is State.ACCEPTED else None
        rows = [
            {"b_attempt": attempt_id, "b_id": one.message_id, "b_reason": one.reason, "b_detail": one.detail,
             "b_not_before": one.not_before, "b_more_tries": one.more_tries, "b_accepted_at": accepted_at}
            for one in some
        ]  # fmt: skip
        session.connection().execute(_each_changed(what), rows)
    session.execute(update(ITEMS).where(ITEMS.c.attempt_id == attempt_id).values(live=0))
    return True


def record_taken(session: Session, answers: Mapping[str, Answered], now: datetime) -> set[str]:
    """Record that several requests were taken: attempt → answer. Returns those that were still open."""
    ours = list(session.execute(STILL_AWAITED, {"attempts": list(answers)}).scalars())
    if ours:
        rows = [{"b_id": i, "b_ended_at": now, **{f"b_{k}": v for k, v in answers[i]._asdict().items()}} for i in ours]
        session.connection().execute(_ended(Trigger.TAKEN, Answered._fields), rows)
        session.execute(ALL_TAKEN, {"attempts": ours, "b_accepted_at": now})
    return set(ours)


def give_back(session: Session, attempt_ids: Iterable[str], owner: str, now: datetime) -> int:
    """A worker that stops early gives back what it has claimed and not armed. Returns how many messages wait again."""
    mine = select(ATTEMPT.c.id).where(ATTEMPT.c.id.in_(list(attempt_ids)), *_owned(owner, now)).with_for_update()
    return _give_back(session, list(session.execute(mine).scalars()), now)


def reap(session: Session, now: datetime) -> Reaped:
    """Dead workers' leases. Claimed and never armed: the messages wait again. Armed: unknown, never waiting."""
    a = ATTEMPT.c
    over = select(a.id).where(a.lease_until < now, STILL_OPEN)
    claimed, armed = (
        list(session.execute(over.where(a.state == state).with_for_update(skip_locked=True)).scalars())
        for state in (AttemptState.CLAIMED, AttemptState.ARMED)
    )
    _give_back(session, claimed, now)
    if armed:
        session.execute(change_state(ATTEMPT, Trigger.SILENCE).where(a.id.in_(armed)).values(detail=DIED))
        theirs = MESSAGE.c.attempt_id.in_(armed)
        session.execute(change_state(MESSAGE, Trigger.SILENCE).where(theirs).values(detail=DIED))
    return Reaped(len(claimed), len(armed))


def _owned(owner: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Claimed, by this worker, inside the lease."""
    return ATTEMPT.c.owner == owner, ATTEMPT.c.state == AttemptState.CLAIMED, ATTEMPT.c.lease_until > now


def _give_back(session: Session, attempt_ids: Sequence[str], now: datetime) -> int:
    """Claimed attempts end, never having been on the wire; their messages wait again. No try is counted."""
    if not attempt_ids:
        return 0
    which = ATTEMPT.c.id.in_(attempt_ids)
    session.execute(change_state(ATTEMPT, Trigger.GIVE_BACK).where(which).values(ended_at=now))
    session.execute(update(ITEMS).where(ITEMS.c.attempt_id.in_(attempt_ids)).values(live=0))
    theirs = MESSAGE.c.attempt_id.in_(attempt_ids)
    done = session.execute(change_state(MESSAGE, Trigger.GIVE_BACK).where(theirs).values(attempt_id=None))
    return int(done.rowcount)  # type: ignore[attr-defined]


# Made ready once: to put a statement together takes longer than to run it.
@lru_cache
def _ended(trigger: Trigger, said: tuple[str, ...]) -> Update:
    values = {name: bindparam(f"b_{name}", type_=ATTEMPT.c[name].type) for name in ("ended_at", *said)}
    return change_state(ATTEMPT, trigger).where(ATTEMPT.c.id == bindparam("b_id")).values(**values)


@lru_cache
def _all_changed(trigger: Trigger) -> Update:
    its = MESSAGE.c.attempt_id == bindparam("b_attempt")
    at = bindparam("b_accepted_at", type_=Moment)
    return change_state(MESSAGE, trigger).where(its).values(accepted_at=at, reason=None, detail=bindparam("b_detail"))


@lru_cache
def _each_changed(trigger: Trigger) -> Update:
    m = MESSAGE.c
    return (
        change_state(MESSAGE, trigger)
        .where(m.id == bindparam("b_id"), m.attempt_id == bindparam("b_attempt"))
        .values(
            reason=bindparam("b_reason"),
            detail=bindparam("b_detail"),
            attempt_id=None,
            not_before=func.coalesce(bindparam("b_not_before", type_=Moment), m.not_before),
            tries=m.tries + bindparam("b_more_tries"),
            accepted_at=bindparam("b_accepted_at", type_=Moment),
        )
    )


OPEN_ONE, CARRY_ONE = insert(ATTEMPT), insert(ITEMS)
CARRY = insert(ITEMS).from_select(
    ["attempt_id", "message_id", "live"],
    select(bindparam("attempt", type_=ITEMS.c.attempt_id.type), MESSAGE.c.id, literal(1)).where(
        among(MESSAGE.c.id, "ids")
    ),
)
FENCED = (  # one fence, whether for one request or for many
    change_state(ATTEMPT, Trigger.ARM)
    .where(ATTEMPT.c.owner == bindparam("b_owner"), ATTEMPT.c.lease_until > bindparam("b_now", type_=Moment))
    .values(armed_at=bindparam("b_now", type_=Moment), lease_until=bindparam("b_until", type_=Moment))
)
FENCE = FENCED.where(ATTEMPT.c.id == bindparam("b_id")).values(alone_why=bindparam("b_alone"))
FENCE_ALL = FENCED.where(among(ATTEMPT.c.id, "attempts")).returning(ATTEMPT.c.id)
ARM = (
    change_state(MESSAGE, Trigger.ARM)
    .where(among(MESSAGE.c.attempt_id, "attempts"))
    .returning(MESSAGE.c.attempt_id, MESSAGE.c.id)
)
ARMED_UNTIL = select(ATTEMPT.c.lease_until).where(
    ATTEMPT.c.id == bindparam("b_id"), ATTEMPT.c.state == AttemptState.ARMED
)
STILL_AWAITED = (
    select(ATTEMPT.c.id)
    .where(among(ATTEMPT.c.id, "attempts"), is_one_of(ATTEMPT.c.state, OPEN))
    .order_by(ATTEMPT.c.id)  # in one order for everybody
    .with_for_update()
)
ALL_TAKEN = (
    change_state(MESSAGE, Trigger.TAKEN)
    .where(among(MESSAGE.c.attempt_id, "attempts"))
    .values(accepted_at=bindparam("b_accepted_at", type_=Moment), reason=None, detail=None)
)
