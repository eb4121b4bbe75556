"""Requests: armed, made, and what is known of them written down. No session is open while one is under way."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from models.delivery_states import State
from models.queries import request_steps as steps
from models.queries.request_steps import Answered, MessageResult
from models.send_pause import EVERYTHING, PauseScope, pause_sending
from nurture.channels.base import Channel, OutboundEmail, ScheduledSend
from nurture.rules.delivery.states import ARMED_LEASE, Answer, Verdict, consequences, trigger_of
from nurture.runtime import database, log
from tasks.delivery import claims, eligibility
from tasks.delivery.claims import ClaimedBatch, ClaimedMessages
from tasks.delivery.concurrency import Senders
from tasks.delivery.eligibility import Delivered
from tasks.delivery.worker import DeliveryWorker


def send(worker: DeliveryWorker, claimed: ClaimedMessages) -> Delivered:
    """Write the letters and offer them, request after request."""
    batches, done = claims.write(worker, claimed)
    for batch in batches:
        done += offer(worker, batch)
    return done + claimed.put_aside


def offer(worker: DeliveryWorker, batch: ClaimedBatch) -> Delivered:
    """Arm one request, make it, record what is known. No session is open while it is under way."""
    batch = _with_scheduled_send(worker.channel, batch, worker.clock())
    armed, done = arm(worker, batch)
    if not armed:
        return done
    began = worker.clock()
    return done + record(worker, began, batch, armed, _answer(worker, batch, armed))


def _with_scheduled_send(channel: Channel, batch: ClaimedBatch, now: datetime) -> ClaimedBatch:
    """Where the campaign says so, the provider keeps the letters for a while, under a name it gives beforehand."""
    lead = batch.published.campaign.hold_for if batch.published.campaign else None
    if not lead or channel.scheduled_sends is None:
        return batch
    name = channel.scheduled_sends.new(now)
    return replace(batch, scheduled_send=ScheduledSend(name, now + lead) if isinstance(name, str) else name)


def _answer(worker: DeliveryWorker, batch: ClaimedBatch, emails: list[OutboundEmail]) -> Answer:
    if isinstance(batch.scheduled_send, Answer):
        return batch.scheduled_send
    may_still = partial(still_armed, worker, batch.attempt_id)
    return worker.channel.send(emails, may_still, worker.clock(), batch.scheduled_send)


def offer_together(worker: DeliveryWorker, batches: Sequence[ClaimedBatch], senders: Senders[Delivered]) -> Delivered:
    """Several small requests, armed in one transaction and then made at the same time. Answers are written down as they
    come, those that came together in one transaction."""
    if len(batches) == 1:
        return offer(worker, batches[0])
    batches = [_with_scheduled_send(worker.channel, batch, worker.clock()) for batch in batches]
    armed, done = arm_together(worker, batches)
    going = [(batch, emails) for batch in batches if (emails := armed[batch.attempt_id])]

    def ask(batch: ClaimedBatch, emails: list[OutboundEmail]) -> Answer:
        return _answer(worker, batch, emails)

    for answers in senders.together([partial(ask, *one) for one in going]):
        done += record_together(worker, worker.clock(), [(*going[n], answer) for n, answer in answers.items()])
    return done


def arm(worker: DeliveryWorker, batch: ClaimedBatch) -> tuple[list[OutboundEmail], Delivered]:
    """The last look, committed immediately before the request: from here on these messages are possibly sent."""
    armed, done = arm_together(worker, [batch])
    return armed[batch.attempt_id], done


def arm_together(
    worker: DeliveryWorker, batches: Sequence[ClaimedBatch]
) -> tuple[dict[str, list[OutboundEmail]], Delivered]:
    """The same for several requests of one claim, in as many statements as for one."""
    now = worker.clock()
    until, armed = now + ARMED_LEASE, {batch.attempt_id: list[OutboundEmail]() for batch in batches}
    with database.writing(worker.engine) as session:
        # where our lease is over the rows wait again, and it is somebody else's turn
        if len(batches) == 1:
            fenced = steps.fence(session, batches[0].attempt_id, worker.name, now, until, batches[0].request.alone)
            ours = list(batches) if fenced else []
        else:
            alone = {batch.attempt_id: batch.request.alone for batch in batches}
            mine = steps.fence_all(session, alone, worker.name, now, until)
            ours = [batch for batch in batches if batch.attempt_id in mine]
        if not ours:
            return armed, Delivered()
        for batch in ours:
            if isinstance(kept := batch.scheduled_send, ScheduledSend):
                steps.note_send_time(session, batch.attempt_id, kept.batch_id, kept.send_at)
        done = eligibility.check_arming(session, [batch.attempt_id for batch in ours], ours[0].published, now)
        going = steps.arm_messages(session, {batch.attempt_id: len(batch.request.emails) for batch in ours})
    for batch in ours:
        leave = going[batch.attempt_id]
        armed[batch.attempt_id] = [email for email in batch.request.emails if email.message_id in leave]
    return armed, done


def still_armed(worker: DeliveryWorker, attempt_id: str) -> bool:
    """Nobody may have looked while this machine stood still: the lease counts, not only the state."""
    with database.glancing(worker.engine) as connection:
        until = steps.armed_until(connection, attempt_id)
    return until is not None and worker.clock() < until


SAME_FOR_ALL = (Verdict.TAKEN, Verdict.UNKNOWN)  # whatever else an answer says, it says of messages one by one


def record(
    worker: DeliveryWorker, now: datetime, batch: ClaimedBatch, emails: Sequence[OutboundEmail], answer: Answer
) -> Delivered:
    """Write down what the answer makes known. Refused without a name, everybody waits for a half as large request."""
    return record_together(worker, now, [(batch, emails, answer)])


def record_together(
    worker: DeliveryWorker, now: datetime, answered: Sequence[tuple[ClaimedBatch, Sequence[OutboundEmail], Answer]]
) -> Delivered:
    """The same for several answers, in one transaction."""
    taken = {
        batch.attempt_id: (len(emails), _answered(answer))
        for batch, emails, answer in answered
        if len(answered) > 1 and answer.verdict is Verdict.TAKEN and not isinstance(batch.scheduled_send, ScheduledSend)
    }
    done = Delivered(requests=len(taken))
    with database.writing(worker.engine) as session:
        if taken:
            ours = steps.record_taken(session, {i: said for i, (_, said) in taken.items()}, now)
            done += Delivered(accepted=sum(taken[i][0] for i in ours))
        others = sorted((one for one in answered if one[0].attempt_id not in taken), key=lambda one: one[0].attempt_id)
        return sum((_recorded(session, now, *one) for one in others), done)


def _answered(answer: Answer) -> Answered:
    return Answered(answer.status, answer.provider_id, answer.detail or None)


def _recorded(
    session: Session, now: datetime, batch: ClaimedBatch, emails: Sequence[OutboundEmail], answer: Answer
) -> Delivered:
    scheduled = isinstance(batch.scheduled_send, ScheduledSend)
    after = consequences(answer, len(emails), batch.tries, now, scheduled=scheduled)
    results = (
        []
        if answer.verdict in SAME_FOR_ALL
        else [
            MessageResult(email.message_id, its.trigger, its.reason, its.detail or None, its.not_before, its.more_tries)
            for email, its in zip(emails, after, strict=True)
        ]
    )
    trigger = trigger_of(answer, scheduled=scheduled)
    first = steps.record_answer(session, batch.attempt_id, trigger, results, now, _answered(answer))
    if answer.verdict is Verdict.STOP:
        scope = PauseScope.campaign(batch.published.slug) if answer.campaign_only else EVERYTHING
        pause_sending(session, scope, answer.detail, "the provider's answer", now)
        log.write(log.SendPauseSet(str(scope), "the provider's answer"))
    if not first:
        return Delivered(requests=1)
    states = Counter(its.state for its in after)
    return Delivered(
        requests=1,
        accepted=states[State.ACCEPTED],
        scheduled=states[State.SCHEDULED],
        skipped=states[State.SKIPPED],
        refused=states[State.REFUSED],
        unknown=states[State.UNKNOWN],
        put_off=states[State.WAITING],
        stopped="" if answer.campaign_only or answer.verdict not in (Verdict.STOP, Verdict.BUSY) else answer.detail,
    )
