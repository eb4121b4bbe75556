"""Taking messages in hand and writing their letters. No request is made here: until one is armed, all can go back."""

import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, repeat

from sqlalchemy.orm import Session

from models.queries import outbox, person
from models.queries import request_steps as steps
from models.queries.outbox import DueLetter
from models.queries.recipients import MailedHandoff, Recipient, as_recipient, handoffs, recipients
from models.queries.request_steps import NewAttempt
from models.send_pause import ScopeKind, send_pauses
from nurture.channels.base import RequestBatch, ScheduledSend
from nurture.rendering.composer import PublishedLetters
from nurture.rules.delivery.states import CLAIM_LEASE, Answer, batch_size
from nurture.rules.eligibility.messages import CheckedBatch
from nurture.rules.reasons import Reason, Skip
from nurture.runtime import database, log
from tasks.delivery import eligibility
from tasks.delivery.eligibility import Delivered
from tasks.delivery.worker import DeliveryWorker

MOST_CLAIMED = 5_000  # messages in one claim


@dataclass(frozen=True, slots=True)
class Claimed:
    """Messages in a worker's hands, by attempt: who is likely to share a request shares one. No session is open."""

    published: PublishedLetters
    tries: int
    parts: Mapping[str, Sequence[Recipient]]  # attempt → its readers
    handoffs: Mapping[int, MailedHandoff]
    put_aside: Delivered

    @property
    def attempt_id(self) -> str:
        return next(iter(self.parts))

    def by_attempt(self) -> list["Claimed"]:
        return [replace(self, parts={i: readers}, put_aside=Delivered()) for i, readers in self.parts.items()]


@dataclass(frozen=True, slots=True)
class Load:
    """Letters that will leave in one request, under one attempt that is still only claimed."""

    attempt_id: str
    published: PublishedLetters
    tries: int
    batch: RequestBatch
    hold: ScheduledSend | Answer | None = None  # an answer: the provider cannot hold them now, so they are not offered


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def new_id() -> str:
    """Time-ordered, never met again: a restored database cannot hand out an old attempt's id."""
    return f"{int(time.time() * 1000):012x}{secrets.token_hex(10)}"


def claim(
    worker: DeliveryWorker,
    most: int = 1_000_000,
    of_domain: Callable[[str], int] = lambda _: 1_000_000,
) -> Claimed | None:
    """Take the oldest due letter's messages and look at everything that could forbid them. None: nothing is due.

    `of_domain`: how many letters a sending domain may still send. A campaign whose domain may send none waits.
    """
    now, channel, composer = worker.clock(), worker.channel, worker.composer
    with database.reading(worker.engine) as session:  # look first: the write lock is never taken to find nothing
        if _head(session, now) is None:
            return None
    with database.writing(worker.engine) as session:
        pauses, closed = send_pauses(session), list[str]()
        while True:
            head = _head(session, now, closed)
            if head is None:
                return None
            published = composer.published_version(session, head.campaign, head.version_id)
            room = 0 if published.domain in pauses.names(ScopeKind.DOMAIN) else of_domain(published.domain)
            if room:
                break
            closed.append(head.campaign)
        # the first time round as much as can leave at once, so that letters of several kinds still fill their requests
        reach = channel.limits.per_request * (channel.limits.at_once if head.tries == 0 else 1)
        ids = outbox.lock_due(session, head, batch_size(min(reach, most, room, MOST_CLAIMED), head.tries), now)
        if not ids:
            return None
        campaign = published.campaign
        caps = campaign is not None  # mails to sales know none
        days = campaign.per_days if campaign else 7
        persons = caps and person.any_known(session)
        outbox.lock_addresses_to_claim(session, ids, caps=caps, persons=persons)
        rows = recipients(session, ids, now, days=days, caps=caps)
        if persons:
            person.count_together(session, rows, now - timedelta(days=days))
        may_leave, aside = eligibility.check_claim(session, rows, published, now)
        readers = [as_recipient(row) for row in rows if row["id"] in may_leave]
        parts = {
            new_id(): those[n : n + channel.limits.per_request]
            for those in composer.by_variant(published, readers)
            for n in range(0, len(those), channel.limits.per_request)
        }
        if not parts:
            return Claimed(published, head.tries, {}, {}, aside)
        carried = {attempt_id: [reader.message_id for reader in those] for attempt_id, those in parts.items()}
        outbox.claim_messages(session, carried)
        new = NewAttempt(
            worker.name,
            channel.name,
            head.campaign,
            head.version_id,
            head.letter,
            published.domain,
            now,
            now + CLAIM_LEASE,
        )
        steps.open_attempts(session, new, carried)
        spoken_of = handoffs(session, [reader.handoff_id for reader in readers if reader.handoff_id])
        return Claimed(published, head.tries, parts, spoken_of, aside)


def _head(session: Session, now: datetime, closed: Sequence[str] = ()) -> DueLetter | None:
    pauses = send_pauses(session)
    if pauses.stop_everything:
        return None
    return outbox.oldest_due(session, now, [*pauses.names(ScopeKind.CAMPAIGN), *closed])


def write(worker: DeliveryWorker, claimed: Claimed) -> tuple[list[Load], Delivered]:
    """The letters of a claimed batch, in as few requests as can be. Each request gets an attempt of its own."""
    loads, done = list[Load](), Delivered()
    for attempt_id, readers in claimed.parts.items():
        published, tries = claimed.published, claimed.tries
        emails, failures = worker.composer.write_emails(
            published, readers, claimed.handoffs, attempt_id, worker.clock()
        )
        batches = worker.channel.request_batches(emails)
        mine = [
            Load(attempt_id if first else new_id(), published, tries, batch)
            for first, batch in zip(chain([True], repeat(False)), batches, strict=False)
        ]
        if failures or len(mine) != 1:
            mine, aside = _split(worker, attempt_id, mine, failures)
            done += aside
        loads += mine
    return loads, done


def _split(
    worker: DeliveryWorker, attempt_id: str, loads: list[Load], failures: Mapping[int, str]
) -> tuple[list[Load], Delivered]:
    """What was claimed as one leaves in several requests, or not at all."""
    parts = {load.attempt_id: [e.message_id for e in load.batch.emails] for load in loads}
    now = worker.clock()
    with database.writing(worker.engine) as session:
        aside = eligibility.put_aside(
            session, CheckedBatch(skip={i: Skip(Reason.NOT_RENDERED, why) for i, why in failures.items()})
        )
        if not steps.split_attempt(session, attempt_id, worker.name, now, now + CLAIM_LEASE, parts):
            session.rollback()
            return [], Delivered()  # our lease is over and the rows wait again: somebody else's turn
        if not loads:
            steps.void(session, attempt_id, now)
    return loads[:1] + [_readdressed(load) for load in loads[1:]], aside


def _readdressed(load: Load) -> Load:
    """The same letters, carrying the id of their new attempt."""
    emails = [replace(email, attempt_id=load.attempt_id) for email in load.batch.emails]
    return replace(load, batch=RequestBatch(emails, load.batch.alone))


def keep(worker: DeliveryWorker, loads: Sequence[Load | Claimed], until: datetime) -> None:
    """The worker is alive: what it has claimed stays its own until then."""
    with database.writing(worker.engine) as session:
        steps.renew_leases(session, [load.attempt_id for load in loads], worker.name, worker.clock(), until)


def give_back(worker: DeliveryWorker, attempt_ids: Sequence[str]) -> None:
    """What was claimed and will not be offered now waits again, at once."""
    with database.writing(worker.engine) as session:
        steps.give_back(session, attempt_ids, worker.name, worker.clock())
    log.write(log.ClaimReturned(len(attempt_ids), "not to be offered now"))
