"""Feedback: what recipients did is applied. In any order, any number of times, with one result."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import Engine
from sqlmodel import Session

from models import activity, event, message, restore_guard
from models.activity import FeedbackActivity
from models.address import SuppressedBy
from models.event import EventKind, EventOwner, MessageEvent, UnappliedEvent
from models.message import FeedbackMessage, MessageOutcome
from models.queries import account_stop, request_evidence, suppression
from models.queries.account_stop import AccountStop
from models.queries.request_evidence import Carried, ForgottenMessage
from models.queries.suppression import SuppressionEntry
from nurture.rules.feedback.reactions import ACTIVITIES, STOPS_ACCOUNT, SUPPRESSES, machines, outcome
from nurture.runtime import database
from tasks.delivery.restore_guard import pause_for_strangers
from tasks.task import task

CHUNK = 500
PAUSE = 0.02  # seconds. SQLite does not serve its waiting writers in turn: without it the webhook would starve
ANSWERED = timedelta(minutes=10)  # by then every answer is written down, with the provider's name of the request
MEETINGS_OF = timedelta(days=7)  # meetings come by file, not as events; a week of them is looked at each time


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of the new events. `surprises` must stay 0: the provider took what we had ruled out."""

    events: int = 0
    proven: int = 0
    surprises: int = 0
    outcomes: int = 0
    activities: int = 0
    machines: int = 0
    suppressed: int = 0
    stopped: int = 0
    strangers: int = 0  # requests of ours that the database does not know: it was restored

    def __add__(self, other: "Applied") -> "Applied":
        return Applied(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Feedback:
    """New events with what is known of their messages. `machine_keys`: the events that were no person."""

    events: Sequence[UnappliedEvent]
    messages: Mapping[int, FeedbackMessage]
    histories: Mapping[int, Sequence[MessageEvent]]
    machine_keys: set[str]

    def message_of(self, one: UnappliedEvent) -> FeedbackMessage | None:
        """The message an event is about; None where we know none."""
        return self.messages.get(one.message_id) if one.message_id is not None else None


@task("apply events")
def apply(engine: Engine, now: datetime) -> Applied:
    """Work through the events nobody has acted on, a few hundred to a transaction."""
    done, last = Applied(), 0
    while _any_unapplied(engine, last):
        with database.writing(engine) as session:
            events = _with_owners(session, event.unapplied(session, CHUNK, last))
            done += _apply(session, events, now)
        if not events:  # another worker has them in hand
            break
        last = events[-1].id
        if engine.dialect.name == "sqlite":
            time.sleep(PAUSE)
    return done + _stop_for_meetings(engine, now)


def _any_unapplied(engine: Engine, after: int) -> bool:
    """Look first without the write lock."""
    with database.reading(engine) as session:
        return event.any_unapplied(session, after)


def _stop_for_meetings(engine: Engine, now: datetime) -> Applied:
    """Accounts that booked a meeting lately get no further letters."""
    kinds = [kind for kind in STOPS_ACCOUNT if kind != "reply"]
    with database.reading(engine) as session:
        meetings = activity.of_running_accounts(session, kinds, now - MEETINGS_OF, now)
    if not meetings:
        return Applied()
    stops = {one.account_id: AccountStop(one.at, STOPS_ACCOUNT[one.kind]) for one in meetings}
    with database.writing(engine) as session:
        return Applied(stopped=account_stop.stop_accounts(session, stops))


def _with_owners(session: Session, events: Sequence[UnappliedEvent]) -> list[UnappliedEvent]:
    """The events, those without our ids found by what the provider itself calls the letter."""
    names = [one.provider_id for one in events if one.provider_id and not one.attempt_id]
    if not names:
        return list(events)
    attempts = request_evidence.attempts_by_letter_name(session, names)
    letters = request_evidence.messages_carried(session, attempts.values())
    found = []
    for one in events:
        if one.provider_id and not one.attempt_id and (mine := attempts.get(one.provider_id)):
            message_id = letters.get(Carried(mine, one.address), one.message_id) if one.address else one.message_id
            found.append(one._replace(attempt_id=mine, message_id=message_id))
    event.set_owners(session, [EventOwner(one.id, one.attempt_id, one.message_id) for one in found])
    by_id = {one.id: one for one in found}
    return [by_id.get(one.id, one) for one in events]


def _apply(session: Session, events: Sequence[UnappliedEvent], now: datetime) -> Applied:
    """One chunk. Each message's whole history is read again, so it does not matter which part of it is new."""
    events, strangers = _forgotten(session, events, now)
    if strangers:
        pause_for_strangers(session, len(strangers), now)
    newest = {one.attempt_id: one.at for one in sorted(events, key=lambda one: one.at) if one.attempt_id}
    seen = request_evidence.prove_accepted(session, newest, now)
    found = _load(session, events)
    event.mark_machines(session, found.machine_keys)
    done = Applied(
        strangers=len(strangers),
        events=len(events),
        proven=seen.proven,
        surprises=seen.surprises,
        machines=sum(one.key in found.machine_keys for one in events),
        outcomes=message.save_outcomes(session, _changed_outcomes(found)),
        activities=_save_activities(session, found),
        suppressed=suppression.record(session, _suppressions(found)),
        stopped=_stop_who_replied(session, found),
    )
    event.mark_applied(session, [one.id for one in events if not _too_early(one, now)], now)
    return done


def _load(session: Session, events: Sequence[UnappliedEvent]) -> Feedback:
    ids = {one.message_id for one in events if one.message_id}
    messages = {one.id: one for one in message.lock_for_feedback(session, ids)}
    histories: dict[int, list[MessageEvent]] = defaultdict(list)
    for one in event.of_messages(session, messages.keys()):
        if one.message_id is not None:
            histories[one.message_id].append(one)
    machine_keys = {key for history in histories.values() for key in machines(history)}
    return Feedback(events, messages, histories, machine_keys)


def _forgotten(
    session: Session, events: Sequence[UnappliedEvent], now: datetime
) -> tuple[Sequence[UnappliedEvent], set[str]]:
    """Requests with our database's own name that it does not know, made since anybody confirmed a restore.

    Their letters are out: what still waits for the same reader is accepted. Numbers that the database has given to
    another letter since mean nothing: such events lose their message. Returns the events as they are now.
    """
    attempt_ids = {one.attempt_id for one in events if one.attempt_id and one.database_name}
    if not attempt_ids or (ours := restore_guard.guard_state(session)) is None:
        return events, set()
    unknown = attempt_ids - request_evidence.known_attempts(session, attempt_ids)
    forgotten = [one for one in events if one.database_name == ours.name and one.attempt_id in unknown]
    told = {ForgottenMessage(one.message_id, one.address) for one in forgotten}
    accepted = request_evidence.accept_forgotten(session, told, now)
    settled = [
        one if ForgottenMessage(one.message_id, one.address) in accepted else one._replace(message_id=None)
        for one in forgotten
    ]
    event.set_owners(session, [EventOwner(one.id, one.attempt_id, one.message_id) for one in settled])
    by_id = {one.id: one for one in settled}
    strangers = {one.attempt_id for one in settled if one.attempt_id and one.attempt_id >= ours.ignore_before}
    return [by_id.get(one.id, one) for one in events], strangers


def _too_early(one: UnappliedEvent, now: datetime) -> bool:
    """It names a request whose answer may still be on its way to us: it is looked at again at the next run."""
    return bool(one.provider_id and not one.attempt_id and now - one.received_at < ANSWERED)


def _changed_outcomes(found: Feedback) -> list[MessageOutcome]:
    changed = []
    for message_id, history in found.histories.items():
        kind, at = outcome(history, found.machine_keys) or (None, None)
        known = found.messages[message_id]
        if (kind, at) != (known.outcome, known.outcome_at):
            changed.append(MessageOutcome(message_id, kind, at))
    return changed


def _save_activities(session: Session, found: Feedback) -> int:
    """A person's opens, clicks and replies are kept; what turned out to be a machine's is removed again."""
    activity.remove(session, [_dedupe(key) for key in found.machine_keys])
    new = []
    for one in found.events:
        to, kind = found.message_of(one), ACTIVITIES.get(EventKind(one.kind))
        if to and to.contact_id and to.campaign != message.SALES and kind and one.key not in found.machine_keys:
            new.append(
                FeedbackActivity(
                    _dedupe(one.key), to.contact_id, to.account_id, kind, one.at, one.url or to.letter, to.campaign
                )
            )
    return activity.add_activities(session, new)


def _dedupe(key: str) -> int:
    return int.from_bytes(sha256(f"event {key}".encode()).digest()[:8], "big", signed=True)


def _suppressions(found: Feedback) -> list[SuppressionEntry]:
    """Bounces long after delivery come without our ids, so the address alone must be enough."""
    entries = []
    for one in found.events:
        to = found.message_of(one)
        address = to.address if to else one.address
        why, heard_from = SUPPRESSES.get(EventKind(one.kind)), "the provider's event"
        if one.kind == EventKind.DROPPED and one.stop:
            why, heard_from = SuppressedBy(one.stop), "the provider's own list, for which it dropped a letter"
        if address and why:
            entries.append(SuppressionEntry(address, one.at, why, heard_from, to.campaign if to else None))
    return entries


def _stop_who_replied(session: Session, found: Feedback) -> int:
    """Stop the accounts, or the leads without one, that answered. Returns how many accounts were not stopped before."""
    accounts: dict[int, AccountStop] = {}
    contacts: dict[int, datetime] = {}
    replies = [one for one in found.events if one.kind == EventKind.REPLIED]
    for one in sorted(replies, key=lambda one: one.at, reverse=True):  # the earliest is written last
        to = found.message_of(one)
        if not to or to.campaign == message.SALES:  # a salesperson's answer is no lead's
            continue
        if to.account_id:
            accounts[to.account_id] = AccountStop(one.at, STOPS_ACCOUNT["reply"])
        elif to.contact_id:
            contacts[to.contact_id] = one.at
    account_stop.stop_contacts(session, contacts)
    return account_stop.stop_accounts(session, accounts)
