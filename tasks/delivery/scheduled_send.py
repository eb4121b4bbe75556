"""Scheduled sends are cancelled when something stops them, or when nobody knows whether the provider has them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models import account_pause as pauses
from models.delivery_states import CANCELLABLE, AttemptState, Trigger
from models.queries import request_steps as steps
from models.queries import scheduled_send
from models.queries.request_steps import MessageResult, Settled
from models.queries.scheduled_send import OpenBatch
from models.send_pause import send_pauses
from nurture.channels.base import Cancellation, Channel, ScheduledSends
from nurture.rendering.composer import Composer
from nurture.rules.delivery.scheduled_send import in_time, over
from nurture.rules.eligibility.facts import MessageFacts
from nurture.rules.eligibility.messages import final_objection
from nurture.runtime import database
from nurture.runtime.clock import Clock
from tasks.task import task

CANCELLED, TOO_LATE = "cancelled: ", "it was too late to cancel"
CANCELLED_BY_0_1 = "called back: "  # how 0.1 began the same note
FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CancelledSends:
    """What became of scheduled sends: requests cancelled, those that could not be, letters that wait again since they
    surely did not leave, letters that left at their time."""

    cancelled: int = 0
    missed: int = 0
    waiting: int = 0
    left: int = 0
    trouble: str = ""  # why some could not be cancelled


@task("cancel what may not leave")
def cancel_sends(engine: Engine, clock: Clock, channel: Channel, composer: Composer) -> CancelledSends:
    """Cancel scheduled sends while there is time; when their time is over, let what surely did not leave wait again.

    No session is open while the provider is asked. Nothing is scheduled: one short look.
    """
    with database.reading(engine) as session:
        rows = scheduled_send.open_batches(session)
        wanted = _to_cancel(session, rows, composer, clock()) if rows else {}
    if not rows:
        return CancelledSends()
    batches = channel.scheduled_sends
    called = missed = waiting = 0
    trouble = ""
    if batches:
        mine = [row for row in rows if row.channel == channel.name]
        called, missed, trouble = _cancel(engine, clock, batches, [r for r in mine if r.id in wanted], wanted)
        waiting = sum(
            _settle(engine, clock(), batches, row) for row in mine if row.is_cancelled and over(row.send_at, clock())
        )
        for row in mine:
            if row.was_tried and over(row.send_at, clock()):
                _ask_about(engine, batches, row)
        _forget(engine, batches, [row for row in mine if over(row.send_at, clock())])
    with database.writing(engine) as session:
        left = scheduled_send.accept_due(session, clock())
    return CancelledSends(called, missed, waiting, left, trouble)


def _to_cancel(session: Session, rows: list[OpenBatch], composer: Composer, now: datetime) -> dict[str, str]:
    """Request → why it may not leave; for those where a cancellation still counts."""
    open_ = [r for r in rows if r.state in CANCELLABLE and not r.cancelled_at and in_time(r.send_at, now)]
    found = {r.id: "nobody knows whether it was taken" for r in open_ if r.state == AttemptState.UNKNOWN}
    found |= {
        r.id: (r.evidence or "").removeprefix(CANCELLED_BY_0_1).removeprefix(CANCELLED) for r in open_ if r.was_tried
    }
    by_id = {r.id: r for r in open_ if r.state == AttemptState.SCHEDULED and r.id not in found}
    pauses_in_force = send_pauses(session)
    for attempt_id, row in by_id.items():
        if why := pauses_in_force.why(row.campaign, row.domain):
            found[attempt_id] = f"sending is paused: {why}"
    paused = by_id.keys() - found.keys() if by_id and pauses.any_paused(session, list(by_id), now) else ()
    for attempt_id in paused:
        if pauses.any_paused(session, [attempt_id], now):
            found[attempt_id] = "somebody in it is away, or their account is paused"
    for letter in scheduled_send.stopped_letters(session, list(by_id)) if by_id else ():
        published = composer.published_version(session, letter.campaign, letter.version_id)
        no = final_objection(MessageFacts(*letter.eligibility)._replace(not_after=FOR_EVER), published.campaign, now)
        if no:
            found.setdefault(letter.attempt_id, f"somebody in it may not be written to: {no.sentence()}")
    return found


def _cancel(
    engine: Engine, clock: Clock, batches: ScheduledSends, rows: list[OpenBatch], why: dict[str, str]
) -> tuple[int, int, str]:
    """Those that leave soonest first. Returns how many were cancelled, how many could not be, and why."""
    done, trouble = 0, ""
    for row in rows:
        why_cancelled = CANCELLED + why[row.id]
        with database.writing(engine) as session:
            scheduled_send.note_cancelling(session, row.id, why_cancelled)
        how, said = batches.cancel(row.batch_id) if in_time(row.send_at, clock()) else (Cancellation.FAILED, TOO_LATE)
        if how is Cancellation.DONE and not in_time(row.send_at, clock()):
            how, said = Cancellation.FAILED, TOO_LATE
        if how is Cancellation.DONE:
            with database.writing(engine) as session:
                done += scheduled_send.note_cancelled(session, row.id, clock(), why_cancelled)
            continue
        trouble = trouble or said
        if how is Cancellation.FULL:
            with database.writing(engine) as session:
                scheduled_send.note_cancelling(session, row.id, None)
            break
    return done, len(rows) - done, trouble


def _ask_about(engine: Engine, batches: ScheduledSends, row: OpenBatch) -> None:
    """Its time is over. If the provider has it noted as cancelled, nobody knows since when: in time or too late?"""
    noted = batches.cancelled(row.batch_id)
    if noted is None:
        return
    with database.writing(engine) as session:
        if noted:
            scheduled_send.note_cancel_unknown(
                session, row.id, f"{row.evidence}; but nobody knows whether that was in time"
            )
        else:
            scheduled_send.note_cancelling(session, row.id, None)


def _settle(engine: Engine, now: datetime, batches: ScheduledSends, row: OpenBatch) -> int:
    """Its time is over. If the provider still has it noted as cancelled and tells of no letter, it did not leave.

    Returns how many letters wait again.
    """
    stands = batches.cancelled(row.batch_id)
    if stands is None:
        return 0
    with database.writing(engine) as session:
        if not stands:
            scheduled_send.note_cancel_unknown(
                session, row.id, f"{row.evidence}; but the provider has no note of that any more"
            )
            return 0
        ids = scheduled_send.letters_not_sent(session, row.id, row.send_at)
        if ids is None:
            return 0
        why = row.evidence or ""
        results = [MessageResult(i, Trigger.CANCEL, detail=why, not_before=now) for i in ids]
        steps.record_answer(session, row.id, Trigger.CANCEL, results, now, Settled(why))
    return len(ids)


def _forget(engine: Engine, batches: ScheduledSends, rows: list[OpenBatch]) -> None:
    """What has ended needs no name any more; what was cancelled gives its place to another one."""
    ended = [row for row in rows if row.state in (AttemptState.ACCEPTED, AttemptState.REJECTED)]
    noted = {row.id for row in ended if row.cancelled_at or row.evidence}
    done = [row.id for row in ended if row.id not in noted or batches.forget(row.batch_id)]
    if done:
        with database.writing(engine) as session:
            scheduled_send.forget_batches(session, done)
