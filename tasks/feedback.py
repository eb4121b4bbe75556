"""Feedback: what recipients did is applied. In any order, any number of times, with one result."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Engine, RowMapping
from sqlmodel import Session

from models import activity, event, message, restore_guard
from models.address import SuppressedBy
from models.event import Kind
from models.queries import account_stop, request_evidence, suppression
from models.queries.account_stop import AccountStop
from models.queries.request_evidence import Carried, ForgottenMessage
from models.queries.suppression import SuppressionEntry
from nurture.rules.feedback.reactions import ACTIVITIES, STOPS_ACCOUNT, SUPPRESSES, Heard, machines, outcome
from nurture.runtime import database
from tasks.delivery.restore_guard import pause_for_strangers
from tasks.task import task

AT_A_TIME = 500
PAUSE = 0.02  # seconds. SQLite does not serve its waiting writers in turn: without it the webhook would starve
ANSWERED = timedelta(minutes=10)  # by then every answer is written down, with the provider's name of the request
LATELY = timedelta(days=7)  # meetings come by file, not as events; a week of them is looked at each time


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


@task("apply events")
def apply(engine: Engine, now: datetime) -> Applied:
    """Work through the events nobody has acted on, a few hundred to a transaction."""
    done, last = Applied(), 0
    while _anything(engine, last):
        with database.writing(engine) as session:
            news = _named(session, event.unapplied(session, AT_A_TIME, last))
            done += _apply(session, news, now)
        if not news:  # another worker has them in hand
            break
        last = news[-1]["id"]
        if engine.dialect.name == "sqlite":
            time.sleep(PAUSE)
    with database.reading(engine) as session:
        meetings = activity.of_running_accounts(session, [k for k in STOPS_ACCOUNT if k != "reply"], now - LATELY, now)
    if meetings:
        with database.writing(engine) as session:
            done += Applied(
                stopped=account_stop.stop_accounts(
                    session, {i: AccountStop(at, STOPS_ACCOUNT[kind]) for i, kind, at in meetings}
                )
            )
    return done


def _anything(engine: Engine, after: int) -> bool:
    """Look first without the write lock."""
    with database.reading(engine) as session:
        return event.anything_new(session, after)


def _named(session: Session, news: Sequence[RowMapping]) -> list[dict[str, Any]]:
    """The events, those without our ids found by what the provider itself calls the letter."""
    rows = [dict(row) for row in news]
    nameless = [row for row in rows if row["provider_id"] and not row["attempt_id"]]
    if not nameless:
        return rows
    attempts = request_evidence.attempts_by_letter_name(session, [row["provider_id"] for row in nameless])
    letters = request_evidence.messages_carried(session, attempts.values())
    for row in nameless:
        if mine := attempts.get(row["provider_id"]):
            row |= {"attempt_id": mine, "message_id": letters.get(Carried(mine, row["address"]), row["message_id"])}
    found = [row for row in nameless if row["attempt_id"]]
    event.name(session, [{key: row[key] for key in ("id", "attempt_id", "message_id")} for row in found])
    return rows


def _apply(session: Session, news: Sequence[dict[str, Any]], now: datetime) -> Applied:
    """One chunk. Each message's whole history is read again, so it does not matter which part of it is new."""
    strangers = _strangers(session, news, now)
    if strangers:
        pause_for_strangers(session, len(strangers), now)
    heard = {e["attempt_id"]: e["at"] for e in sorted(news, key=lambda e: e["at"]) if e["attempt_id"]}  # the newest
    seen = request_evidence.prove_accepted(session, heard, now)
    messages = {m["id"]: m for m in message.told_of(session, {e["message_id"] for e in news if e["message_id"]})}
    histories: dict[int, list[Heard]] = defaultdict(list)
    for row in event.of_messages(session, messages.keys()):
        histories[row["message_id"]].append(Heard(row["key"], row["kind"], row["at"], row["url"], row["machine"]))
    machine = {key for history in histories.values() for key in machines(history)}

    event.are_machines(session, machine)
    done = Applied(
        strangers=len(strangers),
        events=len(news),
        proven=seen.proven,
        surprises=seen.surprises,
        machines=sum(e["key"] in machine for e in news),
        outcomes=message.came_to(session, _changed(messages, histories, machine)),
        activities=_activities(session, news, messages, machine),
        suppressed=suppression.record(session, _suppressions(news, messages)),
        stopped=_stop_who_replied(session, news, messages),
    )
    event.applied(session, [e["id"] for e in news if not _too_early(e, now)], now)
    return done


def _strangers(session: Session, news: Sequence[dict[str, Any]], now: datetime) -> set[str]:
    """Requests with our database's own name that it does not know, made since anybody confirmed a restore.

    Their letters are out: what still waits for the same reader is accepted. Numbers that the database has given to
    another letter since mean nothing.
    """
    named = [e for e in news if e["attempt_id"] and e["database_name"]]
    if not named or (ours := restore_guard.guard_state(session)) is None:
        return set()
    known = request_evidence.known_attempts(session, {e["attempt_id"] for e in named})
    forgotten = [e for e in named if e["database_name"] == ours.name and e["attempt_id"] not in known]
    told = {ForgottenMessage(e["message_id"], e["address"]) for e in forgotten}
    accepted = request_evidence.accept_forgotten(session, told, now)
    for e in forgotten:
        if ForgottenMessage(e["message_id"], e["address"]) not in accepted:
            e["message_id"] = None
    event.name(session, [{key: e[key] for key in ("id", "attempt_id", "message_id")} for e in forgotten])
    return {e["attempt_id"] for e in forgotten if e["attempt_id"] >= ours.ignore_before}


def _too_early(e: Mapping[str, Any], now: datetime) -> bool:
    """It names a request whose answer may still be on its way to us: it is looked at again at the next run."""
    return bool(e["provider_id"] and not e["attempt_id"] and now - e["received_at"] < ANSWERED)


def _changed(
    messages: Mapping[int, RowMapping], histories: Mapping[int, list[Heard]], machine: set[str]
) -> list[dict[str, Any]]:
    changed = []
    for message_id, history in histories.items():
        kind, at = outcome(history, machine) or (None, None)
        if (kind, at) != (messages[message_id]["outcome"], messages[message_id]["outcome_at"]):
            changed.append({"id": message_id, "outcome": kind, "outcome_at": at})
    return changed


def _activities(
    session: Session, news: Sequence[Mapping[str, Any]], messages: Mapping[int, RowMapping], machine: set[str]
) -> int:
    """A person's opens, clicks and replies are kept; what turned out to be a machine's is taken back."""
    activity.remove(session, [_dedupe(key) for key in machine])
    rows = []
    for e in news:
        to = messages.get(e["message_id"])
        if (
            to
            and to["contact_id"]
            and to["campaign"] != message.SALES
            and e["kind"] in ACTIVITIES
            and e["key"] not in machine
        ):
            rows.append(
                activity.NewActivity(
                    _dedupe(e["key"]),
                    to["contact_id"],
                    to["account_id"],
                    ACTIVITIES[e["kind"]],
                    e["at"],
                    e["url"] or to["letter"],
                    to["campaign"],
                )
            )
    return activity.add_activities(session, rows)


def _dedupe(key: str) -> int:
    return int.from_bytes(sha256(f"event {key}".encode()).digest()[:8], "big", signed=True)


def _suppressions(news: Sequence[Mapping[str, Any]], messages: Mapping[int, RowMapping]) -> list[SuppressionEntry]:
    """Bounces long after delivery come without our ids, so the address alone must be enough."""
    stops = []
    for e in news:
        to = messages.get(e["message_id"])
        address = to["address"] if to else e["address"]
        why, by = SUPPRESSES.get(Kind(e["kind"])), "the provider's event"
        if e["kind"] == Kind.DROPPED and e["stop"]:
            why, by = SuppressedBy(e["stop"]), "the provider's own list, for which it dropped a letter"
        if address and why:
            stops.append(SuppressionEntry(address, e["at"], why, by, to["campaign"] if to else None))
    return stops


def _stop_who_replied(session: Session, news: Sequence[Mapping[str, Any]], messages: Mapping[int, RowMapping]) -> int:
    accounts: dict[int, AccountStop] = {}
    contacts: dict[int, datetime] = {}
    for e in sorted((e for e in news if e["kind"] == Kind.REPLIED), key=lambda e: e["at"], reverse=True):
        to = messages.get(e["message_id"])
        if not to or to["campaign"] == message.SALES:  # a salesperson's answer is no lead's
            continue
        if to["account_id"]:
            accounts[to["account_id"]] = AccountStop(e["at"], STOPS_ACCOUNT["reply"])
        elif to["contact_id"]:
            contacts[to["contact_id"]] = e["at"]
    account_stop.stop_contacts(session, contacts)
    return account_stop.stop_accounts(session, accounts)
