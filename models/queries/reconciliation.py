"""Doubt: requests whose end nobody knows, their readers, and the requests that vouch for the provider's log."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from models.attempt import ITEMS, STILL_OPEN
from models.attempt import TABLE as ATTEMPT
from models.delivery_states import AttemptState, State
from models.message import CONTACT, plain
from models.message import TABLE as MESSAGE
from models.types import Moment


def held(session: Session, channel: str | None = None) -> list[dict[str, Any]]:
    """Every request in doubt, oldest first: id, channel, campaign, letter, n, armed_at, status, detail, and what the
    provider's log said (evidence) when it was asked last (asked_at)."""
    a = ATTEMPT.c
    columns = (a.id, a.channel, a.campaign, a.letter, a.n, a.armed_at, a.status, a.detail, a.evidence, a.asked_at,
               a.send_at)  # fmt: skip
    question = select(*columns).where(a.state == AttemptState.UNKNOWN, STILL_OPEN).order_by(a.id)
    return plain(session.execute(question.where(a.channel == channel) if channel else question))


def lock(session: Session, attempt_id: str) -> dict[str, Any] | None:
    """A request in doubt, held until this transaction ends; None when it is not in doubt (any more)."""
    a = ATTEMPT.c
    question = (
        select(a.id, a.detail, a.send_at).where(a.id == attempt_id, a.state == AttemptState.UNKNOWN).with_for_update()
    )
    return next(iter(plain(session.execute(question))), None)


def asked(session: Session, said: Mapping[str, str], now: datetime) -> None:
    """The provider's log was asked about these requests. `said`: request → what followed from its answer."""
    if said:
        session.connection().execute(
            update(ATTEMPT)
            .where(ATTEMPT.c.id == bindparam("b_id"))
            .values(evidence=bindparam("b_said"), asked_at=bindparam("b_at", type_=Moment)),
            [{"b_id": attempt_id, "b_said": words, "b_at": now} for attempt_id, words in said.items()],
        )


def doubtful_messages(session: Session, attempt_id: str) -> list[int]:
    m = MESSAGE.c
    question = select(m.id).where(m.attempt_id == attempt_id, m.state == State.UNKNOWN).order_by(m.id)
    return list(session.execute(question).scalars())


def readers(session: Session, attempt_id: str, most: int) -> list[str]:
    """E-mail addresses of some of an attempt's readers, as they were written to."""
    m, i, c = MESSAGE.c, ITEMS.c, CONTACT.c
    question = (
        select(func.coalesce(c.email, m.address))
        .select_from(ITEMS)
        .join(MESSAGE, m.id == i.message_id)
        .outerjoin(CONTACT, c.id == m.contact_id)
        .where(i.attempt_id == attempt_id, i.live == 1)
        .order_by(m.id)
        .limit(most)
    )
    return list(session.execute(question).scalars())


def vouchers(session: Session, channel: str, at: datetime, near: timedelta) -> dict[str, dict[str, Any] | None]:
    """The accepted requests of the same carrier next before and next after a moment, where there are any nearby."""
    a = ATTEMPT.c
    taken = (a.channel == channel, a.state == AttemptState.ACCEPTED, a.provider_id.is_not(None))
    before = (
        select(a.id, a.armed_at, a.send_at)
        .where(*taken, a.armed_at < at, a.armed_at >= at - near)
        .order_by(a.armed_at.desc())
    )
    after = (
        select(a.id, a.armed_at, a.send_at).where(*taken, a.armed_at > at, a.armed_at <= at + near).order_by(a.armed_at)
    )
    return {
        name: next(iter(plain(session.execute(question.limit(1)))), None)
        for name, question in (("before", before), ("after", after))
    }
