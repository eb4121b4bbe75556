"""Reconciliation: requests whose end nobody knows, and accepted ones that vouch for the provider's log."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from models.attempt import ITEMS, STILL_OPEN
from models.attempt import TABLE as ATTEMPT
from models.delivery_states import AttemptState, State
from models.message import CONTACT
from models.message import TABLE as MESSAGE
from models.types import Moment


class UnknownRequest(NamedTuple):
    """A request whose end nobody knows. `status`, `detail`: what was answered; `evidence`: what the provider's log said
    when it was asked last (`asked_at`); `send_at`: when scheduled letters were to leave."""

    id: str
    channel: str
    campaign: str
    letter: str
    n: int
    armed_at: datetime
    status: int | None
    detail: str | None
    evidence: str | None
    asked_at: datetime | None
    send_at: datetime | None

    @property
    def moments(self) -> list[datetime]:
        """When the log may have noted it: when it was made and, of scheduled letters, when they left."""
        return [self.armed_at, *([self.send_at] if self.send_at else [])]


class LockedRequest(NamedTuple):
    """A request whose end nobody knows, locked until the transaction ends."""

    id: str
    detail: str | None
    send_at: datetime | None


class Voucher(NamedTuple):
    """An accepted request whose letters must be in the log."""

    id: str
    armed_at: datetime
    send_at: datetime | None

    @property
    def moments(self) -> list[datetime]:
        """When the log may have noted it: when it was made and, of scheduled letters, when they left."""
        return [self.armed_at, *([self.send_at] if self.send_at else [])]


class Vouchers(NamedTuple):
    """The accepted requests of one channel next before and next after a moment, where there are any nearby."""

    before: Voucher | None
    after: Voucher | None


def unknown_requests(session: Session, channel: str | None = None) -> list[UnknownRequest]:
    """Every request whose end nobody knows (of one channel, or of all), oldest first."""
    a = ATTEMPT.c
    columns = (a.id, a.channel, a.campaign, a.letter, a.n, a.armed_at, a.status, a.detail, a.evidence, a.asked_at,
               a.send_at)  # fmt: skip
    question = select(*columns).where(a.state == AttemptState.UNKNOWN, STILL_OPEN).order_by(a.id)
    rows = session.execute(question.where(a.channel == channel) if channel else question)
    return [UnknownRequest._make(row) for row in rows]


def lock_unknown(session: Session, attempt_id: str) -> LockedRequest | None:
    """Lock an unknown request until this transaction ends; None when its end is known (by now)."""
    a = ATTEMPT.c
    question = (
        select(a.id, a.detail, a.send_at).where(a.id == attempt_id, a.state == AttemptState.UNKNOWN).with_for_update()
    )
    row = session.execute(question).first()
    return LockedRequest._make(row) if row else None


def note_log_answers(session: Session, said: Mapping[str, str], now: datetime) -> None:
    """The provider's log was asked about these requests. `said`: request → what followed from its answer."""
    if said:
        session.connection().execute(
            update(ATTEMPT)
            .where(ATTEMPT.c.id == bindparam("b_id"))
            .values(evidence=bindparam("b_said"), asked_at=bindparam("b_at", type_=Moment)),
            [{"b_id": attempt_id, "b_said": words, "b_at": now} for attempt_id, words in said.items()],
        )


def unknown_messages(session: Session, attempt_id: str) -> list[int]:
    """The messages of a request whose end nobody knows, by id."""
    m = MESSAGE.c
    question = select(m.id).where(m.attempt_id == attempt_id, m.state == State.UNKNOWN).order_by(m.id)
    return list(session.execute(question).scalars())


def recipient_emails(session: Session, attempt_id: str, most: int) -> list[str]:
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


def vouchers(session: Session, channel: str, at: datetime, near: timedelta) -> Vouchers:
    """The accepted requests of a channel next before and next after a moment, at most `near` from it."""
    a = ATTEMPT.c
    accepted = select(a.id, a.armed_at, a.send_at).where(
        a.channel == channel, a.state == AttemptState.ACCEPTED, a.provider_id.is_not(None)
    )
    before = accepted.where(a.armed_at < at, a.armed_at >= at - near).order_by(a.armed_at.desc())
    after = accepted.where(a.armed_at > at, a.armed_at <= at + near).order_by(a.armed_at)
    found = (session.execute(question.limit(1)).first() for question in (before, after))
    return Vouchers._make(Voucher._make(row) if row else None for row in found)
