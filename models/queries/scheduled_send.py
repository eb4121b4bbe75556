"""Scheduled sends: requests whose letters the provider keeps until their time, and what cancels them."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from models.attempt import TABLE as ATTEMPT
from models.contact import Consent
from models.delivery_states import CANCELLABLE, AttemptState, State, Trigger, change_state, message_states
from models.event import Event
from models.message import ACCOUNT, ADDRESS, CONTACT
from models.message import TABLE as MESSAGE
from models.queries.eligibility import ROW, EligibilityRow, messages_with_facts


class OpenBatch(NamedTuple):
    """A request that the provider keeps, or kept; under `batch_id` it can be cancelled. `evidence`: why it was, or was
    to be, cancelled; `cancelled_at`: when the provider said yes to that."""

    id: str
    state: str
    channel: str
    campaign: str
    version_id: int
    domain: str | None
    n: int
    send_at: datetime
    batch_id: str
    cancelled_at: datetime | None
    evidence: str | None

    @property
    def is_cancelled(self) -> bool:
        """The provider said yes, and nothing has settled it since."""
        return bool(self.cancelled_at) and self.state in CANCELLABLE

    @property
    def was_tried(self) -> bool:
        """A cancellation was begun, and nobody knows what came of it: its answer was lost, or whoever made it died."""
        return self.state == AttemptState.SCHEDULED and not self.cancelled_at and bool(self.evidence)


class StoppedLetter(NamedTuple):
    """A letter of a scheduled request that something might forbid now."""

    attempt_id: str
    campaign: str
    version_id: int
    eligibility: EligibilityRow


def open_batches(session: Session) -> list[OpenBatch]:
    """Every request with a name by which it can be cancelled, soonest first. `attempt_batch` holds exactly these."""
    a = ATTEMPT.c
    columns = (
        a.id, a.state, a.channel, a.campaign, a.version_id, a.domain, a.n, a.send_at, a.batch_id, a.cancelled_at,
        a.evidence,
    )  # fmt: skip
    rows = session.execute(select(*columns).where(a.batch_id.is_not(None)).order_by(a.send_at, a.id))
    return [OpenBatch._make(row) for row in rows]


def stopped_letters(session: Session, attempt_ids: Collection[str]) -> list[StoppedLetter]:
    """Letters among these requests that something might forbid now, with all that could, in the order of their ids."""
    might = or_(
        ADDRESS.c.suppressed_at.is_not(None), CONTACT.c.consent != Consent.GRANTED, ACCOUNT.c.stopped_at.is_not(None)
    )
    question = messages_with_facts(MESSAGE.c.attempt_id, MESSAGE.c.campaign, MESSAGE.c.version_id, *ROW)
    which = (MESSAGE.c.attempt_id.in_(attempt_ids), MESSAGE.c.state == State.SCHEDULED, might)
    rows = session.execute(question.where(*which).order_by(MESSAGE.c.id))
    return [StoppedLetter(row[0], row[1], row[2], EligibilityRow._make(row[3:])) for row in rows]


def note_cancelling(session: Session, attempt_id: str, why: str | None) -> None:
    """A cancellation begins, written down before it is made: whoever finds this and no end of it knows that it may have
    come about. `why` is None where it surely did not."""
    a = ATTEMPT.c
    mine = (a.id == attempt_id, a.state.in_(CANCELLABLE), a.cancelled_at.is_(None))
    session.execute(update(ATTEMPT).where(*mine).values(evidence=why))


def note_cancelled(session: Session, attempt_id: str, now: datetime, why: str) -> bool:
    """The provider has been told to throw them away. False when they were settled meanwhile."""
    a = ATTEMPT.c
    mine = (a.id == attempt_id, a.state.in_(CANCELLABLE), a.cancelled_at.is_(None))
    return bool(session.execute(update(ATTEMPT).where(*mine).values(cancelled_at=now, evidence=why)).rowcount)  # type: ignore[attr-defined]


def note_cancel_unknown(session: Session, attempt_id: str, why: str) -> None:
    """The cancellation may not have come about: nobody knows whether the letters left at their time."""
    a, m = ATTEMPT.c, MESSAGE.c
    mine = change_state(ATTEMPT, Trigger.CANCEL_UNPROVEN).where(a.id == attempt_id)
    session.execute(mine.values(cancelled_at=None, detail=why))
    theirs = change_state(MESSAGE, Trigger.CANCEL_UNPROVEN).where(m.attempt_id == attempt_id)
    session.execute(theirs.values(detail=why))


def letters_not_sent(session: Session, attempt_id: str, send_at: datetime) -> list[int] | None:
    """The messages of a request that was cancelled; None if any event tells that they left at their time."""
    e = Event.__table__.c  # type: ignore[attr-defined]
    if session.execute(select(e.id).where(e.attempt_id == attempt_id, e.at >= send_at).limit(1)).first():
        return None
    m = MESSAGE.c
    which = (m.attempt_id == attempt_id, m.state.in_(message_states(Trigger.CANCEL)))
    return list(session.execute(select(m.id).where(*which).order_by(m.id)).scalars())


def accept_due(session: Session, now: datetime) -> int:
    """Scheduled letters that nobody has cancelled, or tried to, leave at their time: accepted. Returns how many."""
    a, m = ATTEMPT.c, MESSAGE.c
    due = (a.batch_id.is_not(None), a.state == AttemptState.SCHEDULED, a.send_at <= now, a.cancelled_at.is_(None),
           a.evidence.is_(None))  # fmt: skip
    ids = list(session.execute(select(a.id).where(*due).order_by(a.id).with_for_update(skip_locked=True)).scalars())
    if not ids:
        return 0
    session.execute(change_state(ATTEMPT, Trigger.SEND_TIME).where(a.id.in_(ids)).values(ended_at=now))
    left = change_state(MESSAGE, Trigger.SEND_TIME).where(m.attempt_id.in_(ids))
    return int(session.execute(left.values(accepted_at=now, reason=None, detail=None)).rowcount)  # type: ignore[attr-defined]


def forget_batches(session: Session, attempt_ids: Collection[str]) -> None:
    """Nothing can be cancelled any more, and the provider keeps no note of it."""
    if attempt_ids:
        session.execute(update(ATTEMPT).where(ATTEMPT.c.id.in_(attempt_ids)).values(batch_id=None))
