"""The outbox: which letter is due next, its messages taken into a worker's hands, and those that may not leave."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, Update, bindparam, func, select
from sqlalchemy.orm import Session

from models.bulk_upsert import among
from models.delivery_states import State, Trigger, change_state, is_one_of
from models.message import ADDRESS
from models.message import TABLE as MESSAGE
from models.types import Moment


class DueLetter(NamedTuple):
    """The letter that has been due longest. `tries`: refused requests it was in, which halve the next one."""

    campaign: str
    version_id: int
    letter: str
    tries: int


class NotNow(NamedTuple):
    """A message in our hands that may not leave. `trigger`: FORBID (skipped for good) or POSTPONE (it waits again,
    until `not_before` where there is one)."""

    message_id: int
    trigger: Trigger
    reason: str | None
    detail: str | None = None
    not_before: datetime | None = None


def oldest_due(session: Session, now: datetime, paused: Iterable[str]) -> DueLetter | None:
    """The oldest due letter of a campaign that is not among the paused ones. Walks `message_due` to its first row."""
    m = MESSAGE.c
    row = session.execute(
        select(m.campaign, m.version_id, m.letter, m.tries)
        .where(WAITING, m.not_before <= now, m.campaign.not_in(list(paused)))
        .order_by(m.not_before, m.id)
        .limit(1)
    ).first()
    return DueLetter._make(row) if row else None


def lock_due(session: Session, letter: DueLetter, n: int, now: datetime) -> list[int]:
    """Up to `n` due messages of one letter, locked until this transaction ends. Two workers never get the same row.

    Walks `message_next` from the letter's first row to its nth, however long the outbox is. PostgreSQL passes over the
    rows that another worker has locked. SQLite: the caller has the write lock.
    """
    return list(session.execute(LOCK_DUE, {**letter._asdict(), "now": now, "n": n}).scalars())


def claim_messages(session: Session, parts: Mapping[str, Sequence[int]]) -> None:
    """What was locked is claimed for attempts: attempt → its messages."""
    alone = []
    for attempt_id, ids in parts.items():
        if len(ids) == 1:
            alone.append({"b_attempt": attempt_id, "b_id": ids[0]})
        else:
            session.execute(CLAIM, {"b_attempt": attempt_id, "ids": ids})
    if alone:
        session.connection().execute(CLAIM_ONE, alone)


def lock_addresses_to_claim(session: Session, message_ids: Sequence[int], *, caps: bool, persons: bool) -> None:
    """Lock the addresses of messages while they are claimed, in one order for everybody. PostgreSQL only.

    For good while caps are counted, so that two workers cannot both take a person's last place; else shared. `persons`:
    also the address that stands for all of a person's, so that two workers with two of them meet.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_lock_to_claim(caps, persons), {"ids": message_ids})


def lock_addresses_to_arm(session: Session, attempt_ids: Sequence[str]) -> None:
    """Lock the addresses of requests, shared, so that an unsubscribe commits either before the last look or after the
    arming. PostgreSQL only."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(LOCK_TO_ARM, {"attempts": attempt_ids})


def put_aside(session: Session, rows: Sequence[NotNow], was: State) -> None:
    """Messages in our hands that may not leave are skipped, or wait again. `was`: claimed, or only locked (waiting)."""
    by_trigger: dict[Trigger, list[NotNow]] = {}
    for row in rows:
        by_trigger.setdefault(row.trigger, []).append(row)
    for trigger, some in by_trigger.items():
        values = [
            {"b_id": row.message_id, "b_reason": row.reason, "b_detail": row.detail, "b_not_before": row.not_before}
            for row in some
        ]
        session.connection().execute(_put_aside(trigger, was), values)


# Made ready once: to put a statement together takes longer than to run it.
@lru_cache
def _put_aside(trigger: Trigger, was: State) -> Update:
    return (
        change_state(MESSAGE, trigger, was)
        .where(MESSAGE.c.id == bindparam("b_id"))
        .values(
            reason=bindparam("b_reason"),
            detail=bindparam("b_detail"),
            not_before=func.coalesce(bindparam("b_not_before", type_=Moment), MESSAGE.c.not_before),
            attempt_id=None,
        )
    )


@lru_cache
def _lock_to_claim(caps: bool, persons: bool) -> Select[tuple[int]]:
    return _locked(among(MESSAGE.c.id, "ids"), share=not caps, persons=persons)


def _locked(which: ColumnElement[bool], *, share: bool, persons: bool) -> Select[tuple[int]]:
    """Count the addresses of these messages, each locked."""
    m, a = MESSAGE.c, ADDRESS.c
    theirs = select(m.address).where(which)
    whose = ADDRESS.alias("whose").c
    known = select(whose.person).join(MESSAGE, m.address == whose.address).where(which, whose.person.is_not(None))
    wanted = a.address.in_(theirs.union(known) if persons else theirs)
    locked = select(a.address).where(wanted).order_by(a.address).with_for_update(read=share)
    return select(func.count()).select_from(locked.subquery())


WAITING = is_one_of(MESSAGE.c.state, (State.WAITING,))
LOCK_DUE = (
    select(MESSAGE.c.id)
    .where(
        WAITING,
        MESSAGE.c.campaign == bindparam("campaign"),
        MESSAGE.c.version_id == bindparam("version_id"),
        MESSAGE.c.letter == bindparam("letter"),
        MESSAGE.c.tries == bindparam("tries"),
        MESSAGE.c.not_before <= bindparam("now", type_=Moment),
    )
    .order_by(MESSAGE.c.not_before, MESSAGE.c.id)
    .limit(bindparam("n"))
    .with_for_update(skip_locked=True)  # SQLite knows no row locks and leaves this out
)
CLAIMED = change_state(MESSAGE, Trigger.CLAIM).values(attempt_id=bindparam("b_attempt"))
CLAIM = CLAIMED.where(among(MESSAGE.c.id, "ids"))
CLAIM_ONE = CLAIMED.where(MESSAGE.c.id == bindparam("b_id"))
LOCK_TO_ARM = _locked(among(MESSAGE.c.attempt_id, "attempts"), share=True, persons=False)
