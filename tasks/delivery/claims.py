"""Taking messages in hand and writing their letters. No request is made here: until one is armed, all can go back."""

import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import NamedTuple

from sqlmodel import Session

from models.queries import outbox, person
from models.queries import request_steps as steps
from models.queries.outbox import DueLetter
from models.queries.recipients import MailedHandoff, Recipient, handoffs, recipients
from models.queries.request_steps import NewAttempt
from models.send_pause import ScopeKind, send_pauses
from nurture.channels.base import RequestBatch, ScheduledSend
from nurture.rendering.composer import Composer, PublishedLetters
from nurture.rules.delivery.states import CLAIM_LEASE, Answer, batch_size
from nurture.rules.eligibility.messages import CheckedBatch
from nurture.rules.reasons import Reason, Skip
from nurture.runtime import database, log
from tasks.delivery import eligibility
from tasks.delivery.eligibility import Delivered
from tasks.delivery.worker import DeliveryWorker

MOST_CLAIMED = 5_000  # messages in one claim


@dataclass(frozen=True, slots=True)
class ClaimedMessages:
    """Messages in a worker's hands, by attempt: who is likely to share a request shares one. No session is open."""

    published: PublishedLetters
    tries: int
    parts: Mapping[str, Sequence[Recipient]]  # attempt → its readers
    handoffs: Mapping[int, MailedHandoff]
    put_aside: Delivered

    @property
    def attempt_id(self) -> str:
        """The first attempt's: the only one's after `by_attempt`."""
        return next(iter(self.parts))

    def by_attempt(self) -> list["ClaimedMessages"]:
        """The same messages, a value for each attempt."""
        return [replace(self, parts={i: readers}, put_aside=Delivered()) for i, readers in self.parts.items()]


@dataclass(frozen=True, slots=True)
class ClaimedBatch:
    """Letters that will leave in one request, under one attempt that is still only claimed."""

    attempt_id: str
    published: PublishedLetters
    tries: int
    request: RequestBatch
    scheduled_send: ScheduledSend | Answer | None = None  # an answer: the provider cannot keep them, so none is offered


class _NextLetter(NamedTuple):
    """The letter that has been due longest of those that may leave now."""

    letter: DueLetter
    published: PublishedLetters
    room: int  # how many letters its sending domain may still send


def worker_name() -> str:
    """This process, as its leases name it: machine and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def new_id() -> str:
    """Time-ordered, never met again: a restored database cannot hand out an old attempt's id."""
    return f"{int(time.time() * 1000):012x}{secrets.token_hex(10)}"


def claim(
    worker: DeliveryWorker,
    most: int = 1_000_000,
    of_domain: Callable[[str], int] = lambda _: 1_000_000,
) -> ClaimedMessages | None:
    """Claim the oldest due letter's messages and check everything that could forbid them. None: nothing is due.

    `of_domain`: how many letters a sending domain may still send. A campaign whose domain may send none waits.
    """
    now, limits = worker.clock(), worker.channel.limits
    with database.reading(worker.engine) as session:  # the write lock is never taken to find nothing
        if _oldest_due(session, now) is None:
            return None
    with database.writing(worker.engine) as session:
        if (following := _next_letter(session, worker.composer, now, of_domain)) is None:
            return None
        letter, published, room = following
        # the first time round as much as can leave at once, so that letters of several kinds still fill their requests
        reach = limits.per_request * (limits.at_once if letter.tries == 0 else 1)
        ids = outbox.lock_due(session, letter, batch_size(min(reach, most, room, MOST_CLAIMED), letter.tries), now)
        if not ids:
            return None
        readers, aside = _those_who_may(session, ids, following, now)
        parts = {
            new_id(): those[n : n + limits.per_request]
            for those in worker.composer.by_variant(published, readers)
            for n in range(0, len(those), limits.per_request)
        }
        if not parts:
            return ClaimedMessages(published, letter.tries, {}, {}, aside)
        carried = {attempt_id: [reader.message_id for reader in those] for attempt_id, those in parts.items()}
        outbox.claim_messages(session, carried)
        steps.open_attempts(session, _new_attempt(worker, following, now), carried)
        spoken_of = handoffs(session, [reader.handoff_id for reader in readers if reader.handoff_id])
        return ClaimedMessages(published, letter.tries, parts, spoken_of, aside)


def _next_letter(
    session: Session, composer: Composer, now: datetime, of_domain: Callable[[str], int]
) -> _NextLetter | None:
    pauses, closed = send_pauses(session), list[str]()
    while letter := _oldest_due(session, now, closed):
        published = composer.published_version(session, letter.campaign, letter.version_id)
        room = 0 if published.domain in pauses.names(ScopeKind.DOMAIN) else of_domain(published.domain)
        if room:
            return _NextLetter(letter, published, room)
        closed.append(letter.campaign)
    return None


def _those_who_may(
    session: Session, ids: Sequence[int], following: _NextLetter, now: datetime
) -> tuple[list[Recipient], Delivered]:
    """Lock the addresses of locked messages and ask the policies; what may not leave is put aside."""
    campaign = following.published.campaign
    caps = campaign is not None  # mails to sales know none
    days = campaign.per_days if campaign else 7
    persons = caps and person.any_known(session)
    outbox.lock_addresses_to_claim(session, ids, caps=caps, persons=persons)
    due = recipients(session, ids, now, days=days, caps=caps)
    addresses = [one.eligibility.address for one in due]
    since = now - timedelta(days=days)
    elsewhere = person.letters_elsewhere(session, addresses, following.letter, since) if persons else {}
    may_leave, aside = eligibility.check_claim(session, due, elsewhere, following.published, now)
    return [one.recipient for one in due if one.recipient.message_id in may_leave], aside


def _new_attempt(worker: DeliveryWorker, following: _NextLetter, now: datetime) -> NewAttempt:
    letter, until = following.letter, now + CLAIM_LEASE
    return NewAttempt(
        worker.name, worker.channel.name, letter.campaign, letter.version_id, letter.letter,
        following.published.domain, now, until,
    )  # fmt: skip


def _oldest_due(session: Session, now: datetime, closed: Sequence[str] = ()) -> DueLetter | None:
    pauses = send_pauses(session)
    if pauses.stop_everything:
        return None
    return outbox.oldest_due(session, now, [*pauses.names(ScopeKind.CAMPAIGN), *closed])


def write(worker: DeliveryWorker, claimed: ClaimedMessages) -> tuple[list[ClaimedBatch], Delivered]:
    """The letters of a claimed batch, in as few requests as can be. Each request gets an attempt of its own."""
    batches, done = list[ClaimedBatch](), Delivered()
    for attempt_id, readers in claimed.parts.items():
        published, tries = claimed.published, claimed.tries
        emails, failures = worker.composer.write_emails(
            published, readers, claimed.handoffs, attempt_id, worker.clock()
        )
        requests = worker.channel.request_batches(emails)
        mine = [
            ClaimedBatch(attempt_id if first else new_id(), published, tries, request)
            for first, request in zip(chain([True], repeat(False)), requests, strict=False)
        ]
        if failures or len(mine) != 1:
            mine, aside = _split(worker, attempt_id, mine, failures)
            done += aside
        batches += mine
    return batches, done


def _split(
    worker: DeliveryWorker, attempt_id: str, batches: list[ClaimedBatch], failures: Mapping[int, str]
) -> tuple[list[ClaimedBatch], Delivered]:
    """What was claimed as one leaves in several requests, or not at all."""
    parts = {batch.attempt_id: [e.message_id for e in batch.request.emails] for batch in batches}
    now = worker.clock()
    with database.writing(worker.engine) as session:
        aside = eligibility.put_aside(
            session, CheckedBatch(skip={i: Skip(Reason.NOT_RENDERED, why) for i, why in failures.items()})
        )
        if not steps.split_attempt(session, attempt_id, worker.name, now, now + CLAIM_LEASE, parts):
            session.rollback()
            return [], Delivered()  # our lease is over and the rows wait again: somebody else's turn
        if not batches:
            steps.void(session, attempt_id, now)
    return batches[:1] + [_readdressed(batch) for batch in batches[1:]], aside


def _readdressed(batch: ClaimedBatch) -> ClaimedBatch:
    """The same letters, carrying the id of their new attempt."""
    emails = [replace(email, attempt_id=batch.attempt_id) for email in batch.request.emails]
    return replace(batch, request=RequestBatch(emails, batch.request.alone))


def keep(worker: DeliveryWorker, batches: Sequence[ClaimedBatch | ClaimedMessages], until: datetime) -> None:
    """The worker is alive: what it has claimed stays its own until then."""
    with database.writing(worker.engine) as session:
        steps.renew_leases(session, [batch.attempt_id for batch in batches], worker.name, worker.clock(), until)


def give_back(worker: DeliveryWorker, attempt_ids: Sequence[str]) -> None:
    """What was claimed and will not be offered now waits again, at once."""
    with database.writing(worker.engine) as session:
        steps.give_back(session, attempt_ids, worker.name, worker.clock())
    log.write(log.ClaimReturned(len(attempt_ids), "not to be offered now"))
