"""Deliverability: unknown requests, letters of a day, complaints and bounces of a week: for the circuit breaker."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from models.attempt import STILL_OPEN
from models.attempt import TABLE as ATTEMPT
from models.delivery_states import MAYBE_SENT, TAKEN_STATES, AttemptState
from models.event import EventKind
from models.message import SALES
from models.message import TABLE as MESSAGE

UNWELCOME = (EventKind.COMPLAINED, EventKind.BOUNCED)


def taken_since_unknown(session: Session, channel: str, most: int) -> int | None:
    """How many requests (at most `most`) the channel took after the last one whose end nobody knows; None without one.

    Attempts' ids are in the order of time: two short walks, `attempt_open` and the primary key.
    """
    a = ATTEMPT.c
    doubtful = select(func.max(a.id)).where(a.state == AttemptState.UNKNOWN, STILL_OPEN, a.channel == channel)
    last = session.execute(doubtful).scalar()
    if last is None:
        return None
    since = select(a.id).where(a.id > last, a.state.in_(TAKEN_STATES), a.channel == channel).limit(most)
    return len(session.execute(since).all())


def unknown_letters(session: Session, channel: str) -> int:
    """Letters whose end nobody knows. Walks `attempt_open`."""
    a = ATTEMPT.c
    which = (a.state == AttemptState.UNKNOWN, STILL_OPEN, a.channel == channel)
    return int(session.execute(select(func.coalesce(func.sum(a.n), 0)).where(*which)).scalar_one())


def maybe_sent_since(session: Session, since: datetime) -> dict[str, int]:
    """Sending domain → letters that left, may have left or are about to, since a moment. Reads the attempts: one for
    many letters."""
    a = ATTEMPT.c
    which = (a.claimed_at >= since, a.state.in_(MAYBE_SENT))
    domain = func.coalesce(a.domain, "")
    rows = session.execute(select(domain, func.sum(a.n)).where(*which).group_by(domain))
    return {name: int(n) for name, n in rows}


class Reception(NamedTuple):
    """How the letters of one campaign from one sending domain were received."""

    campaign: str
    domain: str
    accepted: int
    complained: int = 0
    bounced: int = 0
    newest: datetime | None = None  # when the newest complaint or bounce was heard of


def reception(session: Session, since: datetime) -> list[Reception]:
    """Per campaign and sending domain: letters accepted since a moment, complaints and hard bounces among them, and the
    newest of those.

    Counts what was accepted by its requests, and reads the letters only of those who complained or bounced. Mails to
    our own salespeople are left out.
    """
    m, a = MESSAGE.c, ATTEMPT.c
    domain = func.coalesce(a.domain, "")
    accepted = session.execute(
        select(a.campaign, domain, func.sum(a.n))
        .where(a.state == AttemptState.ACCEPTED, a.ended_at >= since, a.campaign != SALES)
        .group_by(a.campaign, domain)
    ).all()
    unwelcome = session.execute(
        select(
            m.campaign,
            domain,
            func.sum(case((m.outcome == EventKind.COMPLAINED, 1), else_=0)),
            func.sum(case((m.outcome == EventKind.BOUNCED, 1), else_=0)),
            func.max(m.outcome_at),
        )
        .outerjoin(ATTEMPT, a.id == m.attempt_id)
        .where(m.outcome.in_(UNWELCOME), m.accepted_at >= since, m.campaign != SALES)
        .group_by(m.campaign, domain)
    )
    bad = {(slug, name): counts for slug, name, *counts in unwelcome}
    return [Reception(slug, name, int(n), *bad.get((slug, name), ())) for slug, name, n in accepted]
