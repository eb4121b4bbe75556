"""The outbox leaves, once: claim, write, arm, offer, record. Where a worker dies, the next run knows what it may do."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import accumulate, takewhile
from typing import NamedTuple

from sqlalchemy import Engine

from models.delivery_states import Trigger
from models.queries import request_steps as steps
from models.queries.request_evidence import unknown_attempts
from models.queries.request_steps import MessageResult
from nurture.channels.base import Channel
from nurture.rendering.composer import Composer
from nurture.rules.delivery.states import CLAIM_LEASE
from nurture.runtime import database, log
from nurture.runtime.clock import Clock
from nurture.runtime.restore_guard import RestoreMarkFile
from tasks.delivery import claims, dispatch
from tasks.delivery.circuit_breaker import allowance, watch
from tasks.delivery.claims import ClaimedBatch, ClaimedMessages
from tasks.delivery.concurrency import Senders, seldom_collected
from tasks.delivery.eligibility import Delivered
from tasks.delivery.restore_guard import RestoreCheck
from tasks.delivery.worker import DeliveryWorker
from tasks.task import task

FEW = 10  # letters: requests this small are armed and written down several at a time …
MOST_TOGETHER = 20  # … up to so many letters


@task(run_name="deliver the outbox (up to {most} messages)")
def deliver(
    engine: Engine,
    clock: Clock,
    channel: Channel,
    composer: Composer,
    most: int = 100_000,
    outside: RestoreMarkFile | None = None,
) -> Delivered:
    """Send what is due until nothing is, `most` are done or somebody pauses sending.

    Letters are written here while requests are under way: as many as the channel takes at once, each in a thread.
    `outside`: the mark that shows whether the database has forgotten what was sent; without it nobody looks.
    """
    worker = DeliveryWorker(engine, clock, channel, composer, claims.worker_name())
    done = tidy(engine, clock(), channel)
    watch(engine, clock())
    guard = RestoreCheck(engine, outside) if outside else None
    if guard and (why := guard.reason_to_stop(clock())):
        return done + Delivered(stopped=why)
    composer.database_name = guard.name if guard else ""
    with seldom_collected(), Senders[Delivered](channel.limits.at_once) as senders:
        while True:
            may = allowance(engine, clock(), channel, composer.settings)
            done += Delivered(stopped=may.stop)
            left = min(most - done.accepted - done.scheduled - done.unknown - senders.carrying, may.most)
            idle = done.stopped or left <= 0 or (may.careful and senders.busy)
            claimed = None if idle else claims.claim(worker, left, may.of_domain)
            if claimed is None:
                if not senders.busy:
                    if guard and guard.moved_at:
                        guard.move(clock(), at_once=True)
                    return done
                done = sum(senders.next_answers(), done)
                continue
            done += claimed.put_aside
            if guard and (why := guard.move(clock())):
                claims.give_back(worker, list(claimed.parts))
                done += Delivered(stopped=why)
                continue
            done = _offer_claimed(worker, claimed, senders, done)


def _offer_claimed(
    worker: DeliveryWorker, claimed: ClaimedMessages, senders: Senders[Delivered], done: Delivered
) -> Delivered:
    """Write what was claimed and offer it as senders come free. Returns what the run has done so far: `done` and more.

    Where sending stops, or a request's end becomes unknown, the rest is given back: the next request is a small one.
    """
    unknown, lease_until = done.unknown, worker.clock() + CLAIM_LEASE
    for batches, aside, still in _flights(worker, claimed):
        done += aside
        if not batches:
            continue
        letters = sum(len(batch.request.emails) for batch in batches)
        while not senders.has_room(letters, len(batches)):
            done = sum(senders.next_answers(), done)
        if done.stopped or done.unknown > unknown:
            claims.give_back(worker, [one.attempt_id for one in (*batches, *still)])
            break
        if lease_until - worker.clock() < CLAIM_LEASE / 2:  # many small requests: we are alive and keep them
            lease_until = worker.clock() + CLAIM_LEASE
            claims.keep(worker, [*batches, *still], lease_until)
        work = partial(dispatch.offer_together, worker, batches, senders)
        done = sum(senders.submit(letters, work, len(batches)), done)
    return done


class _Flight(NamedTuple):
    """Requests that are made at the same time."""

    batches: list[ClaimedBatch]
    put_aside: Delivered  # while they were written
    still_claimed: list[ClaimedBatch | ClaimedMessages]


def _flights(worker: DeliveryWorker, claimed: ClaimedMessages) -> Iterator[_Flight]:
    """Requests as they are written, small ones several at a time.

    Letters are written only when the ones before are on their way, so no more of them wait than one attempt carries.
    """
    some, aside, rest = list[ClaimedBatch](), Delivered(), claimed.by_attempt()
    while rest or some:
        while rest and len(some) < max(1, worker.channel.limits.at_once // 2):
            batches, more = claims.write(worker, rest.pop(0))
            aside += more
            some += batches
            if any(len(batch.request.emails) > FEW for batch in batches):
                break
        flight = _next_flight(some, max(1, worker.channel.limits.at_once // 2))
        some = some[len(flight) :]
        if flight or aside != Delivered():
            yield _Flight(flight, aside, [*some, *rest])
        aside = Delivered()


def _next_flight(batches: Sequence[ClaimedBatch], most: int) -> list[ClaimedBatch]:
    """The next request, and small ones with it, as long as few letters in all become unknown should this worker die."""
    letters = [len(batch.request.emails) for batch in batches]
    few = sum(1 for _ in takewhile(lambda n: n <= FEW, letters))
    small = sum(1 for _ in takewhile(lambda n: n <= MOST_TOGETHER, accumulate(letters)))
    return list(batches[: max(1, min(few, small, most))])


def tidy(engine: Engine, now: datetime, channel: Channel) -> Delivered:
    """Dead workers' leases, and unknown requests that the channel itself can settle."""
    with database.writing(engine) as session:
        reaped = steps.reap(session, now)
        for attempt_id, ids in unknown_attempts(session, channel.name).items():
            if (taken := channel.accepted(ids)) is not None:
                sent, not_sent = Trigger.SETTLE_SENT, Trigger.SETTLE_NOT_SENT
                results = [MessageResult(i, sent if i in taken else not_sent) for i in ids]
                steps.record_answer(session, attempt_id, sent if taken else not_sent, results, now)
    if reaped.given_back:
        log.write(log.ClaimReturned(reaped.given_back, "lease over"))
    return Delivered(released=reaped.given_back, unknown_requests=reaped.unknown)
