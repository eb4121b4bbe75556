"""Health: what the brakes need to know. Requests in doubt, letters of a day, complaints and bounces of a week."""

from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from models.attempt import STILL_OPEN, AttemptState
from models.attempt import TABLE as ATTEMPT
from models.event import Kind
from models.message import SALES, State, plain
from models.message import TABLE as MESSAGE

MAYBE_SENT = (AttemptState.CLAIMED, AttemptState.ARMED, AttemptState.ACCEPTED, AttemptState.UNKNOWN)


def taken_since_doubt(session: Session, transport: str, most: int) -> int | None:
    """How many requests (at most `most`) the carrier took after the last one whose end nobody knows; None without one.

    Attempts' ids are in the order of time: two short walks, `attempt_open` and the primary key.
    """
    a = ATTEMPT.c
    doubtful = select(func.max(a.id)).where(a.state == AttemptState.UNKNOWN, STILL_OPEN, a.transport == transport)
    last = session.execute(doubtful).scalar()
    if last is None:
        return None
    since = select(a.id).where(a.id > last, a.state == AttemptState.ACCEPTED, a.transport == transport).limit(most)
    return len(session.execute(since).all())


def in_doubt(session: Session, transport: str) -> int:
    """Letters whose end nobody knows. Walks `attempt_open`."""
    a = ATTEMPT.c
    which = (a.state == AttemptState.UNKNOWN, STILL_OPEN, a.transport == transport)
    return int(session.execute(select(func.coalesce(func.sum(a.n), 0)).where(*which)).scalar_one())


def maybe_sent_since(session: Session, since: datetime) -> int:
    """Letters that left, may have left or are about to, since a moment. Reads the attempts: one for many letters."""
    a = ATTEMPT.c
    which = (a.claimed_at >= since, a.state.in_(MAYBE_SENT))
    return int(session.execute(select(func.coalesce(func.sum(a.n), 0)).where(*which)).scalar_one())


def reception(session: Session, since: datetime) -> list[dict[str, Any]]:
    """Per campaign: letters accepted since a moment, complaints and hard bounces among them, and the newest of those.

    Reads the window's letters once; mails to our own salespeople are left out.
    """
    m = MESSAGE.c
    complained, bounced = m.outcome == Kind.COMPLAINED, m.outcome == Kind.BOUNCED
    return plain(
        session.execute(
            select(
                m.campaign,
                func.count().label("accepted"),
                func.sum(case((complained, 1), else_=0)).label("complained"),
                func.sum(case((bounced, 1), else_=0)).label("bounced"),
                func.max(case((complained | bounced, m.outcome_at))).label("newest"),
            )
            .where(m.state == State.ACCEPTED, m.accepted_at >= since, m.campaign != SALES)
            .group_by(m.campaign)
        )
    )
