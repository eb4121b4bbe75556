"""The outbox leaves, once: claim, write, arm, offer, record. Where a worker dies, the next run knows what it may do."""

import os
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from itertools import chain, repeat
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models import attempt as attempts
from models import message as messages
from models.attempt import AttemptState
from models.campaign import set_brake
from models.message import State
from models.recipient import handoffs, recipients
from nurture import db
from nurture.clock import Clock
from nurture.desk import Desk, Edition
from nurture.envelope import Envelope, Parcel, Transport
from nurture.rules.delivery import (
    AGAIN,
    ARMED_LEASE,
    CLAIM_LEASE,
    Answer,
    Fate,
    Sorted,
    Verdict,
    batch_size,
    fates,
    second_chance,
    sort_out,
)
from nurture.rules.reasons import Reason, Skip, Wait
from tasks.brakes import allowance, watch
from tasks.order import order
from tasks.senders import Senders

MOST_CLAIMED = 5_000  # messages in one claim
AT_A_TIME = 1_000  # messages looked at in one transaction when a step is planned again


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one run of the outbox did, in messages (requests and released/doubted: in attempts)."""

    accepted: int = 0
    skipped: int = 0
    refused: int = 0
    unknown: int = 0
    put_off: int = 0  # waiting again: outside hours, a cap, the provider busy
    requests: int = 0
    released: int = 0
    doubted: int = 0
    stopped: str = ""  # why the sender stopped early, when it did

    def __add__(self, other: "Delivered") -> "Delivered":
        mine, theirs = asdict(self), asdict(other)
        stopped = mine.pop("stopped") or theirs.pop("stopped")
        return Delivered(**{key: mine[key] + theirs[key] for key in mine}, stopped=stopped)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A batch in a worker's hands: its attempt, the edition it is written from, its readers. No session is open."""

    attempt_id: str
    edition: Edition
    tries: int
    readers: Sequence[Mapping[str, Any]]
    handoffs: Mapping[int, Mapping[str, Any]]
    put_aside: Delivered


@dataclass(frozen=True, slots=True)
class Load:
    """Letters that will leave in one request, under one attempt that is still only claimed."""

    attempt_id: str
    edition: Edition
    tries: int
    parcel: Parcel


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def new_id() -> str:
    """Time-ordered, never met again: a restored database cannot hand out an old attempt's id."""
    return f"{int(time.time() * 1000):012x}{secrets.token_hex(10)}"


@order(run_name="deliver the outbox (up to {most} messages)")
def deliver(engine: Engine, clock: Clock, transport: Transport, desk: Desk, most: int = 100_000) -> Delivered:
    """Send what is due until nothing is, `most` are done or somebody pulls the brake.

    Letters are written here while requests are under way: as many as the carrier takes at once, each in a thread.
    """
    owner = worker_name()
    done = tidy(engine, clock(), transport)
    watch(engine, clock())
    with Senders[Delivered](transport.at_once) as senders:
        while True:
            may = allowance(engine, clock(), transport, desk.settings)
            done += Delivered(stopped=may.stop)
            left = min(most - done.accepted - done.unknown - senders.carrying, may.most)
            idle = done.stopped or left <= 0 or (may.careful and senders.busy)
            claimed = None if idle else claim(engine, clock(), transport, desk, owner, left)
            if claimed is None:
                if not senders.busy:
                    return done
                done = sum(senders.next_answers(), done)
                continue
            loads, aside = write(engine, clock, transport, desk, owner, claimed)
            done += aside
            doubts, held_until = done.unknown, clock() + CLAIM_LEASE
            for n, load in enumerate(loads):
                letters = len(load.parcel.envelopes)
                while not senders.has_room(letters):
                    done = sum(senders.next_answers(), done)
                if done.stopped or done.unknown > doubts:  # after a doubt the next request is a small one
                    give_back(engine, clock(), owner, loads[n:])
                    break
                if held_until - clock() < CLAIM_LEASE / 2:  # many small requests: we are alive and keep them
                    held_until = clock() + CLAIM_LEASE
                    keep(engine, clock(), owner, loads[n:], held_until)
                done = sum(senders.give(letters, partial(offer, engine, clock, transport, owner, load)), done)


def tidy(engine: Engine, now: datetime, transport: Transport) -> Delivered:
    """Dead workers' leases, letters whose time is over, and unknowns that the carrier itself can settle."""
    with db.writing(engine) as session:
        released, doubted = attempts.reap(session, now)
        expired = messages.expire(session, now)
        for attempt_id, ids in attempts.unknown(session, transport.name).items():
            if (taken := transport.taken(ids)) is not None:
                rows = [_fated(i, Fate(State.ACCEPTED if i in taken else State.WAITING), now) for i in ids]
                state = AttemptState.ACCEPTED if taken else AttemptState.REJECTED
                attempts.finish(session, attempt_id, state, rows, now)
    return Delivered(released=released, doubted=doubted, skipped=expired)


def claim(
    engine: Engine, now: datetime, transport: Transport, desk: Desk, owner: str, most: int = 1_000_000
) -> Claimed | None:
    """Take the oldest due letter's messages and look at everything that could forbid them. None: nothing is due."""
    with db.reading(engine) as session:  # look first: the write lock is never taken to find nothing
        if _head(session, now) is None:
            return None
    with db.writing(engine) as session:
        head = _head(session, now)
        if head is None:
            return None
        edition = desk.edition(session, head.campaign, head.version_id)
        attempt_id = new_id()
        # the first time round as much as can leave at once, so that letters of several kinds still fill their requests
        reach = transport.most * (transport.at_once if head.tries == 0 else 1)
        ids = messages.claim(session, head, batch_size(min(reach, most, MOST_CLAIMED), head.tries), attempt_id, now)
        if not ids:
            return None
        attempts.open_attempt(
            session,
            {"id": attempt_id, "owner": owner, "state": AttemptState.CLAIMED, "transport": transport.name,
             "campaign": head.campaign, "version_id": head.version_id, "letter": head.letter, "n": len(ids),
             "claimed_at": now, "lease_until": now + CLAIM_LEASE},
            ids,
        )  # fmt: skip
        aside = _look(session, attempt_id, edition, now, caps=True)
        readers = recipients(session, attempt_id)
        attempts.drop(session, attempt_id, [row["message_id"] for row in readers])
        return Claimed(
            attempt_id,
            edition,
            head.tries,
            readers,
            handoffs(session, [row["handoff_id"] for row in readers if row["handoff_id"]]),
            aside,
        )


def _head(session: Session, now: datetime) -> Any:
    brakes = messages.brakes(session)
    if "all" in brakes:
        return None
    return messages.head(session, now, [scope.removeprefix("campaign:") for scope in brakes])


def _look(session: Session, attempt_id: str, edition: Edition, now: datetime, *, caps: bool) -> Delivered:
    """Ask the rule about every message of the attempt; those that may not leave are put aside with their reason."""
    campaign = edition.campaign
    days = campaign.per_days if campaign else 7
    caps = caps and campaign is not None  # mails to sales know none
    rows = messages.standing(session, attempt_id, now, days=days, lock="update" if caps else "share", caps=caps)
    brakes = messages.brakes(session)
    brake = brakes.get("all") or brakes.get(f"campaign:{edition.slug}")
    for row in rows:
        row["brake"] = brake
    return _put_aside(session, sort_out(rows, campaign, now, caps=caps))


def _put_aside(session: Session, result: Sorted) -> Delivered:
    rows = [_aside(i, State.SKIPPED, no) for i, no in result.skip.items()]
    rows += [_aside(i, State.WAITING, later) for i, later in result.wait.items()]
    messages.put_aside(session, rows)
    return Delivered(skipped=len(result.skip), put_off=len(result.wait))


def _aside(message_id: int, state: State, no: Skip | Wait) -> dict[str, Any]:
    until = no.until if isinstance(no, Wait) else None
    return {"id": message_id, "state": state, "reason": no.reason, "detail": no.detail or None, "not_before": until}


def send(engine: Engine, clock: Clock, transport: Transport, desk: Desk, owner: str, claimed: Claimed) -> Delivered:
    """Write the letters and offer them, request after request."""
    loads, done = write(engine, clock, transport, desk, owner, claimed)
    for load in loads:
        done += offer(engine, clock, transport, owner, load)
    return done


def write(
    engine: Engine, clock: Clock, transport: Transport, desk: Desk, owner: str, claimed: Claimed
) -> tuple[list[Load], Delivered]:
    """The letters of a claimed batch, in as few requests as can be. Each request gets an attempt of its own."""
    done = claimed.put_aside
    envelopes, failures = desk.write(claimed.edition, claimed.readers, claimed.handoffs, claimed.attempt_id, clock())
    parcels = transport.parcels(envelopes)
    loads = [
        Load(claimed.attempt_id if first else new_id(), claimed.edition, claimed.tries, parcel)
        for first, parcel in zip(chain([True], repeat(False)), parcels, strict=False)
    ]
    if not failures and len(loads) == 1:
        return loads, done
    now = clock()
    parts = {load.attempt_id: [e.message_id for e in load.parcel.envelopes] for load in loads}
    with db.writing(engine) as session:
        aside = _put_aside(session, Sorted([], {i: Skip(Reason.NOT_RENDERED, why) for i, why in failures.items()}, {}))
        if not attempts.split(session, claimed.attempt_id, owner, now, now + CLAIM_LEASE, parts):
            session.rollback()
            return [], done  # our lease is over and the rows wait again: somebody else's turn
        if not loads:
            attempts.end(session, claimed.attempt_id, AttemptState.VOID, now)
    return loads[:1] + [_readdressed(load) for load in loads[1:]], done + aside


def _readdressed(load: Load) -> Load:
    """The same letters, carrying the id of their new attempt."""
    envelopes = [replace(envelope, attempt_id=load.attempt_id) for envelope in load.parcel.envelopes]
    return replace(load, parcel=Parcel(envelopes, load.parcel.alone))


def offer(engine: Engine, clock: Clock, transport: Transport, owner: str, load: Load) -> Delivered:
    """Arm one request, make it, record what is known. No session is open while it is under way."""
    armed, done = arm(engine, clock(), owner, load)
    if not armed:
        return done
    answer = transport.send(armed, lambda: _still_armed(engine, clock, load.attempt_id), clock())
    return done + record(engine, clock(), load, armed, answer)


def keep(engine: Engine, now: datetime, owner: str, loads: Sequence[Load], until: datetime) -> None:
    with db.writing(engine) as session:
        attempts.renew(session, [load.attempt_id for load in loads], owner, now, until)


def give_back(engine: Engine, now: datetime, owner: str, loads: Sequence[Load]) -> None:
    """What was claimed and will not be offered now waits again, at once."""
    with db.writing(engine) as session:
        attempts.release(session, [load.attempt_id for load in loads], owner, now)


def arm(engine: Engine, now: datetime, owner: str, load: Load) -> tuple[list[Envelope], Delivered]:
    """The last look, committed immediately before the request: from here on these messages are possibly sent."""
    with db.writing(engine) as session:
        if not attempts.fence(session, load.attempt_id, owner, now, now + ARMED_LEASE, load.parcel.alone):
            return [], Delivered()  # our lease is over and the rows wait again: somebody else's turn
        done = _look(session, load.attempt_id, load.edition, now, caps=False)
        going = set(attempts.going(session, load.attempt_id))
        envelopes = [envelope for envelope in load.parcel.envelopes if envelope.message_id in going]
        attempts.arm(session, load.attempt_id, [e.message_id for e in envelopes], len(load.parcel.envelopes))
    return envelopes, done


def _still_armed(engine: Engine, clock: Clock, attempt_id: str) -> bool:
    """Nobody may have looked while this machine stood still: the lease counts, not only the state."""
    with db.reading(engine) as session:
        until = attempts.armed_until(session, attempt_id)
    return until is not None and clock() < until


STATE_AFTER = {Verdict.TAKEN: AttemptState.ACCEPTED, Verdict.UNKNOWN: AttemptState.UNKNOWN}


def record(engine: Engine, now: datetime, load: Load, envelopes: Sequence[Envelope], answer: Answer) -> Delivered:
    """Write down what the answer makes known. Refused without a name, everybody waits for a half as large request."""
    after = fates(answer, len(envelopes), load.tries, now)
    rows = (
        []
        if answer.verdict in STATE_AFTER
        else [_fated(envelope.message_id, fate, now) for envelope, fate in zip(envelopes, after, strict=True)]
    )
    with db.writing(engine) as session:
        first = attempts.finish(
            session, load.attempt_id, STATE_AFTER.get(answer.verdict, AttemptState.REJECTED), rows, now,
            status=answer.status, provider_id=answer.provider_id, detail=answer.detail or None,
        )  # fmt: skip
        if answer.verdict is Verdict.STOP:
            scope = f"campaign:{load.edition.slug}" if answer.campaign_only else "all"
            set_brake(session, scope, answer.detail, "the provider's answer", now)
    if not first:
        return Delivered(requests=1)
    return Delivered(
        requests=1,
        accepted=sum(fate.state is State.ACCEPTED for fate in after),
        skipped=sum(fate.state is State.SKIPPED for fate in after),
        refused=sum(fate.state is State.REFUSED for fate in after),
        unknown=sum(fate.state is State.UNKNOWN for fate in after),
        put_off=sum(fate.state is State.WAITING for fate in after),
        stopped="" if answer.campaign_only or answer.verdict not in (Verdict.STOP, Verdict.BUSY) else answer.detail,
    )


def _fated(message_id: int, fate: Fate, now: datetime) -> dict[str, Any]:
    return {"id": message_id, "state": fate.state, "reason": fate.reason, "detail": fate.detail or None,
            "not_before": fate.not_before, "more_tries": fate.more_tries,
            "accepted_at": now if fate.state is State.ACCEPTED else None}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Replanned:
    """What became of a step's messages that had been skipped or refused."""

    waiting: int = 0  # they wait again, and leave with the next delivery
    still_out: int = 0  # what forbade them still does


@order("send step {step} of version {version_id} to those who are missing")
def missing(engine: Engine, now: datetime, desk: Desk, version_id: int, step: int) -> Replanned:
    """Plan a step's letter again for those who were left out for a reason that no longer holds.

    Whoever has an accepted message, one in doubt or one that waits keeps it: asking twice changes nothing.
    """
    waiting = still_out = last = 0
    while True:
        with db.writing(engine) as session:
            rows = messages.left_out(session, version_id, step, AGAIN, last, AT_A_TIME)
            if not rows:
                return Replanned(waiting, still_out)
            edition = desk.edition(session, rows[0]["campaign"], version_id)
            chances = {
                row["id"]: second_chance(row, edition.campaign, now) if edition.campaign else None for row in rows
            }
            again = [{"id": i, "not_after": until} for i, until in chances.items() if until]
            waiting += messages.wait_again(session, again, now)
            still_out += len(rows) - len(again)
            last = rows[-1]["id"]
