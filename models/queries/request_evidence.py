"""What later proves what became of a request: events about its messages, also of requests ruled out or forgotten."""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.attempt import ITEMS, STILL_OPEN
from models.attempt import TABLE as ATTEMPT
from models.delivery_states import (
    BELIEVED_UNSENT,
    CANCELLABLE,
    OPEN,
    POSSIBLY_SENT,
    SETTLED_AS_UNSENT,
    AttemptState,
    State,
    Trigger,
    change_state,
)
from models.message import TABLE as MESSAGE


class Proven(NamedTuple):
    """Requests that events have proven: of those still open, and of those already ruled out (surprises)."""

    proven: int
    surprises: int


class Carried(NamedTuple):
    """A letter that a request carried: an address is in a request once at most."""

    attempt_id: str
    address: str


class ForgottenMessage(NamedTuple):
    """A message that an event speaks of whose request this database does not know: our id and the address, as told."""

    message_id: int | None
    address: str | None


def unknown_attempts(session: Session, channel: str | None = None) -> dict[str, list[int]]:
    """Requests whose end nobody knows (of one channel, or of all), with their messages.

    Walks `attempt_open`, then `message_attempt`: few, however much was sent.
    """
    a, m = ATTEMPT.c, MESSAGE.c
    which = select(a.id).where(a.state == AttemptState.UNKNOWN, STILL_OPEN)
    ids = list(session.execute(which.where(a.channel == channel) if channel else which).scalars())
    found: dict[str, list[int]] = {}
    for start in range(0, len(ids), 1_000):
        carried = select(m.attempt_id, m.id).where(
            m.attempt_id.in_(ids[start : start + 1_000]), m.state == State.UNKNOWN
        )
        for attempt_id, message_id in session.execute(carried.order_by(m.id)):
            found.setdefault(attempt_id, []).append(message_id)
    return found


def why_alone(session: Session, message_id: int) -> str | None:
    """Why this message could not share its last request, if it could not."""
    a, i = ATTEMPT.c, ITEMS.c
    question = (
        select(a.alone_why).join(ITEMS, i.attempt_id == a.id).where(i.message_id == message_id, a.armed_at.is_not(None))
    )
    return session.execute(question.order_by(i.live.desc(), a.id.desc()).limit(1)).scalar()


def prove_accepted(session: Session, attempt_ids: Iterable[str] | Mapping[str, datetime], now: datetime) -> Proven:
    """An event for any message of a request proves that the provider took the whole request.

    Given as attempt → moment of its newest event: one before the send time proves no more than that it is scheduled.
    Open attempts become accepted. An attempt already ruled out is a surprise: its messages that wait again are accepted
    too, also those skipped or refused since, for `send --missing` would else write to them twice; those claimed anew
    drop out of their new attempt at its arming.
    """
    a, m = ATTEMPT.c, MESSAGE.c
    columns = select(a.id, a.state, a.send_at).where(a.id.in_(sorted(set(attempt_ids))))
    found = session.execute(columns.order_by(a.id).with_for_update()).all()
    newest = attempt_ids if isinstance(attempt_ids, Mapping) else {}
    early = {row.id for row in found if row.send_at and row.id in newest and newest[row.id] < row.send_at}
    scheduled = [row.id for row in found if row.id in early and row.state in OPEN]
    opened = [row.id for row in found if row.id not in early and row.state in (*OPEN, *CANCELLABLE)]
    surprising = [row.id for row in found if row.id not in early and row.state in SETTLED_AS_UNSENT]
    if scheduled:
        session.execute(change_state(ATTEMPT, Trigger.TAKEN_FOR_LATER).where(a.id.in_(scheduled)))
        theirs = change_state(MESSAGE, Trigger.TAKEN_FOR_LATER).where(m.attempt_id.in_(scheduled))
        session.execute(theirs.values(reason=None, detail=None))
    if opened:
        session.execute(change_state(ATTEMPT, Trigger.EVENT).where(a.id.in_(opened)).values(ended_at=now))
        theirs = change_state(MESSAGE, Trigger.EVENT, *POSSIBLY_SENT).where(m.attempt_id.in_(opened))
        session.execute(theirs.values(accepted_at=now, reason=None, detail=None))
    if surprising:
        carried = select(ITEMS.c.message_id).where(ITEMS.c.attempt_id.in_(surprising))
        detail = "accepted after all: an event came for a request ruled out"
        theirs = change_state(MESSAGE, Trigger.EVENT, *BELIEVED_UNSENT).where(m.id.in_(carried))
        session.execute(theirs.values(accepted_at=now, reason=None, detail=detail))
        session.execute(change_state(ATTEMPT, Trigger.EVENT).where(a.id.in_(surprising)).values(ended_at=now))
    return Proven(len(opened) + len(scheduled), len(surprising))


def attempts_by_letter_name(session: Session, names: Iterable[str]) -> dict[str, str]:
    """The provider's own names of letters → the attempts they were in, as far as their answers have come.

    A letter is called `<the provider's name of its request>.<rest>`, and either part may have dots.
    """
    beginnings = {name: [name[: dot.start()] for dot in re.finditer(r"\.|$", name)] for name in set(names)}
    wanted = {beginning for some in beginnings.values() for beginning in some}
    if not wanted:
        return {}
    mine = select(ATTEMPT.c.provider_id, ATTEMPT.c.id).where(ATTEMPT.c.provider_id.in_(wanted))
    known: dict[str, str] = dict(session.execute(mine).tuples().all())
    found = {name: [known[b] for b in some if b in known] for name, some in beginnings.items()}
    return {name: attempts[-1] for name, attempts in found.items() if attempts}


def known_attempts(session: Session, attempt_ids: Collection[str]) -> set[str]:
    """Which of these requests are written down here."""
    return set(session.execute(select(ATTEMPT.c.id).where(ATTEMPT.c.id.in_(attempt_ids))).scalars())


def messages_carried(session: Session, attempt_ids: Iterable[str]) -> dict[Carried, int]:
    """Whom these requests carried a letter to, and which message that was."""
    question = (
        select(ITEMS.c.attempt_id, MESSAGE.c.address, MESSAGE.c.id)
        .join(MESSAGE, MESSAGE.c.id == ITEMS.c.message_id)
        .where(ITEMS.c.attempt_id.in_(set(attempt_ids)))
    )
    return {Carried(attempt_id, address): i for attempt_id, address, i in session.execute(question)}


def accept_forgotten(session: Session, told: Collection[ForgottenMessage], now: datetime) -> set[ForgottenMessage]:
    """Messages of requests that a restored database has forgotten are accepted. Returns those that are so here too."""
    m = MESSAGE.c
    rows = session.execute(select(m.id, m.address).where(m.id.in_({one.message_id for one in told if one.message_id})))
    mine = {ForgottenMessage._make(row) for row in rows} & set(told)
    theirs = change_state(MESSAGE, Trigger.EVENT, *BELIEVED_UNSENT).where(m.id.in_({one.message_id for one in mine}))
    session.execute(theirs.values(accepted_at=now, reason=None, detail="sent before the database was restored"))
    return mine
