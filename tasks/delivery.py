"""The outbox leaves, once: claim, write, arm, offer, record. Where a worker dies, the next run knows what it may do."""

import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, repeat, takewhile
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models import attempt as attempts
from models import message as messages
from models import pause as pauses
from models import person
from models.attempt import AttemptState
from models.campaign import set_brake
from models.epoch import RESTORED
from models.message import State
from models.recipient import handoffs, recipients
from nurture import db
from nurture.clock import Clock
from nurture.desk import Desk, Edition
from nurture.envelope import Envelope, Hold, Parcel, Transport
from nurture.epoch import Outside
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
    objection,
    second_chance,
    sort_out,
)
from nurture.rules.reasons import Reason, Skip, Wait
from tasks.brakes import allowance, watch
from tasks.order import order
from tasks.restored import Watchman
from tasks.senders import Senders, seldom_collected

MOST_CLAIMED = 5_000  # messages in one claim
EVERYTHING = frozenset({"all", RESTORED})  # scopes of brakes that stop all sending
FEW = 10  # letters: requests this small are armed and written down several at a time
AT_A_TIME = 1_000  # messages looked at in one transaction when a step is planned again


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one run of the outbox did, in messages (requests and released/doubted: in attempts)."""

    accepted: int = 0
    scheduled: int = 0  # taken, and held by the provider until their time
    skipped: int = 0
    refused: int = 0
    unknown: int = 0
    put_off: int = 0  # waiting again: outside hours, a cap, the provider busy
    requests: int = 0
    released: int = 0
    doubted: int = 0
    stopped: str = ""  # why the sender stopped early, when it did

    def __add__(self, other: "Delivered") -> "Delivered":
        counts = {key: getattr(self, key) + getattr(other, key) for key in COUNTED}
        return Delivered(**counts, stopped=self.stopped or other.stopped)


COUNTED = tuple(field.name for field in fields(Delivered) if field.name != "stopped")


@dataclass(frozen=True, slots=True)
class Claimed:
    """Messages in a worker's hands, by attempt: who is likely to share a request shares one. No session is open."""

    edition: Edition
    tries: int
    parts: Mapping[str, Sequence[Mapping[str, Any]]]  # attempt → its readers
    handoffs: Mapping[int, Mapping[str, Any]]
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
    edition: Edition
    tries: int
    parcel: Parcel
    hold: Hold | Answer | None = None  # an answer: the provider cannot hold them now, so they are not offered


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def new_id() -> str:
    """Time-ordered, never met again: a restored database cannot hand out an old attempt's id."""
    return f"{int(time.time() * 1000):012x}{secrets.token_hex(10)}"


@order(run_name="deliver the outbox (up to {most} messages)")
def deliver(
    engine: Engine, clock: Clock, transport: Transport, desk: Desk, most: int = 100_000, outside: Outside | None = None
) -> Delivered:
    """Send what is due until nothing is, `most` are done or somebody pulls the brake.

    Letters are written here while requests are under way: as many as the carrier takes at once, each in a thread.
    `outside`: the mark that shows whether the database has forgotten what was sent; without it nobody looks.
    """
    owner = worker_name()
    done = tidy(engine, clock(), transport)
    watch(engine, clock())
    watchman = Watchman(engine, outside) if outside else None
    if watchman and (why := watchman.look(clock())):
        return done + Delivered(stopped=why)
    desk.epoch = watchman.name if watchman else ""
    with seldom_collected(), Senders[Delivered](transport.at_once) as senders:
        while True:
            may = allowance(engine, clock(), transport, desk.settings)
            done += Delivered(stopped=may.stop)
            left = min(most - done.accepted - done.scheduled - done.unknown - senders.carrying, may.most)
            idle = done.stopped or left <= 0 or (may.careful and senders.busy)
            claimed = None if idle else claim(engine, clock(), transport, desk, owner, left, may.of_domain)
            if claimed is None:
                if not senders.busy:
                    if watchman and watchman.moved_at:
                        watchman.move(clock(), at_once=True)
                    return done
                done = sum(senders.next_answers(), done)
                continue
            done += claimed.put_aside
            if watchman and (why := watchman.move(clock())):
                give_back(engine, clock(), owner, list(claimed.parts))
                done += Delivered(stopped=why)
                continue
            doubts, held_until = done.unknown, clock() + CLAIM_LEASE
            for loads, aside, still in _flights(engine, clock, transport, desk, owner, claimed):
                done += aside
                if not loads:
                    continue
                letters = sum(len(load.parcel.envelopes) for load in loads)
                while not senders.has_room(letters, len(loads)):
                    done = sum(senders.next_answers(), done)
                if done.stopped or done.unknown > doubts:  # after a doubt the next request is a small one
                    give_back(engine, clock(), owner, [held.attempt_id for held in (*loads, *still)])
                    break
                if held_until - clock() < CLAIM_LEASE / 2:  # many small requests: we are alive and keep them
                    held_until = clock() + CLAIM_LEASE
                    keep(engine, clock(), owner, [*loads, *still], held_until)
                work = partial(offer_together, engine, clock, transport, owner, loads, senders)
                done = sum(senders.give(letters, work, len(loads)), done)


def _flights(
    engine: Engine, clock: Clock, transport: Transport, desk: Desk, owner: str, claimed: Claimed
) -> Iterator[tuple[list[Load], Delivered, list[Load | Claimed]]]:
    """Requests as they are written, small ones several at a time; what was put aside meanwhile; what is still claimed.

    Letters are written only when the ones before are on their way, so no more of them wait than one attempt carries.
    """
    some, aside, rest = list[Load](), Delivered(), claimed.by_attempt()
    while rest or some:
        while rest and len(some) < max(1, transport.at_once // 2):
            loads, more = write(engine, clock, transport, desk, owner, rest.pop(0))
            aside += more
            some += loads
            if any(len(load.parcel.envelopes) > FEW for load in loads):
                break
        flight = _next_flight(some, max(1, transport.at_once // 2))
        some = some[len(flight) :]
        if flight or aside != Delivered():
            yield flight, aside, [*some, *rest]
        aside = Delivered()


def _next_flight(loads: Sequence[Load], most: int) -> list[Load]:
    few = list(takewhile(lambda load: len(load.parcel.envelopes) <= FEW, loads))
    return few[:most] or list(loads[:1])


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
    engine: Engine,
    now: datetime,
    transport: Transport,
    desk: Desk,
    owner: str,
    most: int = 1_000_000,
    of_domain: Callable[[str], int] = lambda _: 1_000_000,
) -> Claimed | None:
    """Take the oldest due letter's messages and look at everything that could forbid them. None: nothing is due.

    `of_domain`: how many letters a sending domain may still send. A campaign whose domain may send none waits.
    """
    with db.reading(engine) as session:  # look first: the write lock is never taken to find nothing
        if _head(session, now) is None:
            return None
    with db.writing(engine) as session:
        brakes, closed = messages.brakes(session), list[str]()
        while True:
            head = _head(session, now, closed)
            if head is None:
                return None
            edition = desk.edition(session, head.campaign, head.version_id)
            room = 0 if f"domain:{edition.domain}" in brakes else of_domain(edition.domain)
            if room:
                break
            closed.append(head.campaign)
        # the first time round as much as can leave at once, so that letters of several kinds still fill their requests
        reach = transport.most * (transport.at_once if head.tries == 0 else 1)
        ids = messages.pick(session, head, batch_size(min(reach, most, room, MOST_CLAIMED), head.tries), now)
        if not ids:
            return None
        campaign = edition.campaign
        caps = campaign is not None  # mails to sales know none
        days = campaign.per_days if campaign else 7
        persons = caps and person.any_known(session)
        messages.hold_addresses(session, {"ids": ids}, share=not caps, persons=persons)
        rows = recipients(session, ids, now, days=days, caps=caps)
        if persons:
            person.count_together(session, rows, now - timedelta(days=days))
        aside = _look(session, rows, edition, now, caps=True)
        readers = [row for row in rows if row["goes"]]
        parts = {
            new_id(): those[n : n + transport.most]
            for those in desk.sorted(edition, readers)
            for n in range(0, len(those), transport.most)
        }
        if not parts:
            return Claimed(edition, head.tries, {}, {}, aside)
        carried = {attempt_id: [row["id"] for row in those] for attempt_id, those in parts.items()}
        messages.take(session, carried)
        attempts.open_attempts(
            session,
            {"owner": owner, "state": AttemptState.CLAIMED, "transport": transport.name, "campaign": head.campaign,
             "version_id": head.version_id, "letter": head.letter, "domain": edition.domain, "claimed_at": now,
             "lease_until": now + CLAIM_LEASE},
            carried,
        )  # fmt: skip
        spoken_of = handoffs(session, [row["handoff_id"] for row in readers if row["handoff_id"]])
        return Claimed(edition, head.tries, parts, spoken_of, aside)


def _head(session: Session, now: datetime, closed: Sequence[str] = ()) -> Any:
    brakes = messages.brakes(session)
    if not EVERYTHING.isdisjoint(brakes):
        return None
    return messages.head(session, now, [*(scope.removeprefix("campaign:") for scope in brakes), *closed])


def _look(session: Session, rows: list[dict[str, Any]], edition: Edition, now: datetime, *, caps: bool) -> Delivered:
    """Ask the rule about messages picked (`caps`) or claimed; those that may not leave are put aside with their reason.

    Each row learns whether it `goes`.
    """
    rested = _resting(session, rows, now) if edition.campaign else []
    result = sort_out(
        _braked(session, edition, rows), edition.campaign, now, caps=caps and edition.campaign is not None
    )
    going = set(result.go)
    for row in rows:
        row["goes"] = row["id"] in going
    pauses.prolong(session, [{"id": row["id"], "not_after": row["not_after"] + (row["rest"].until - now)}
                             for row in rested if row["id"] in result.wait])  # fmt: skip
    return _put_aside(session, result, State.WAITING if caps else State.CLAIMED)


def _last_look(session: Session, attempt_ids: Sequence[str], edition: Edition, now: datetime) -> Delivered:
    """About each kind of reader first, and where the rule objects about each of them: a thousand are a few kinds."""
    messages.hold_addresses(session, {"attempts": attempt_ids}, share=True)
    if edition.campaign and pauses.touch(session, attempt_ids, now):
        return _look(session, messages.standing(session, attempt_ids), edition, now, caps=False)
    kinds = _braked(session, edition, messages.alike(session, attempt_ids))
    if not any(objection(kind, edition.campaign, now, caps=False) for kind in kinds):
        return Delivered()
    return _look(session, messages.standing(session, attempt_ids), edition, now, caps=False)


def _resting(session: Session, rows: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """The rows whose account is paused or whose reader is away; each row learns its `rest`."""
    rests = pauses.rests(session, now)
    for row in rows:
        rest = rests.of(row["account_id"], row["address"])
        row["rest"] = rest if rest and rest.until > now else None
    return [row for row in rows if row["rest"]]


def _braked(session: Session, edition: Edition, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    brakes = messages.brakes(session)
    scopes = (*EVERYTHING, f"campaign:{edition.slug}", f"domain:{edition.domain}")
    brake = next((brakes[scope] for scope in scopes if scope in brakes), None)
    for row in rows:
        row["brake"] = brake
    return rows


def _put_aside(session: Session, result: Sorted, held: State = State.CLAIMED) -> Delivered:
    rows = [_aside(i, State.SKIPPED, no) for i, no in result.skip.items()]
    rows += [_aside(i, State.WAITING, later) for i, later in result.wait.items()]
    messages.put_aside(session, rows, held)
    return Delivered(skipped=len(result.skip), put_off=len(result.wait))


def _aside(message_id: int, state: State, no: Skip | Wait) -> dict[str, Any]:
    until = no.until if isinstance(no, Wait) else None
    return {"id": message_id, "state": state, "reason": no.reason, "detail": no.detail or None, "not_before": until}


def send(engine: Engine, clock: Clock, transport: Transport, desk: Desk, owner: str, claimed: Claimed) -> Delivered:
    """Write the letters and offer them, request after request."""
    loads, done = write(engine, clock, transport, desk, owner, claimed)
    for load in loads:
        done += offer(engine, clock, transport, owner, load)
    return done + claimed.put_aside


def write(
    engine: Engine, clock: Clock, transport: Transport, desk: Desk, owner: str, claimed: Claimed
) -> tuple[list[Load], Delivered]:
    """The letters of a claimed batch, in as few requests as can be. Each request gets an attempt of its own."""
    loads, done = list[Load](), Delivered()
    for attempt_id, readers in claimed.parts.items():
        edition, tries = claimed.edition, claimed.tries
        envelopes, failures = desk.write(edition, readers, claimed.handoffs, attempt_id, clock())
        parcels = transport.parcels(envelopes)
        mine = [
            Load(attempt_id if first else new_id(), edition, tries, parcel)
            for first, parcel in zip(chain([True], repeat(False)), parcels, strict=False)
        ]
        if failures or len(mine) != 1:
            mine, aside = _split(engine, clock(), owner, attempt_id, mine, failures)
            done += aside
        loads += mine
    return loads, done


def _split(
    engine: Engine, now: datetime, owner: str, attempt_id: str, loads: list[Load], failures: Mapping[int, str]
) -> tuple[list[Load], Delivered]:
    """What was claimed as one leaves in several requests, or not at all."""
    parts = {load.attempt_id: [e.message_id for e in load.parcel.envelopes] for load in loads}
    with db.writing(engine) as session:
        aside = _put_aside(session, Sorted([], {i: Skip(Reason.NOT_RENDERED, why) for i, why in failures.items()}, {}))
        if not attempts.split(session, attempt_id, owner, now, now + CLAIM_LEASE, parts):
            session.rollback()
            return [], Delivered()  # our lease is over and the rows wait again: somebody else's turn
        if not loads:
            attempts.end(session, attempt_id, AttemptState.VOID, now)
    return loads[:1] + [_readdressed(load) for load in loads[1:]], aside


def _readdressed(load: Load) -> Load:
    """The same letters, carrying the id of their new attempt."""
    envelopes = [replace(envelope, attempt_id=load.attempt_id) for envelope in load.parcel.envelopes]
    return replace(load, parcel=Parcel(envelopes, load.parcel.alone))


def offer(engine: Engine, clock: Clock, transport: Transport, owner: str, load: Load) -> Delivered:
    """Arm one request, make it, record what is known. No session is open while it is under way."""
    load = _with_hold(transport, load, clock())
    armed, done = arm(engine, clock(), owner, load)
    if not armed:
        return done
    return done + record(engine, clock(), load, armed, _answer(engine, clock, transport, load, armed))


def _with_hold(transport: Transport, load: Load, now: datetime) -> Load:
    """Where the campaign says so, the provider keeps the letters for a while, under a name it gives beforehand."""
    lead = load.edition.campaign.lead if load.edition.campaign else None
    if not lead or transport.batches is None:
        return load
    name = transport.batches.new(now)
    return replace(load, hold=Hold(name, now + lead) if isinstance(name, str) else name)


def _answer(engine: Engine, clock: Clock, transport: Transport, load: Load, envelopes: list[Envelope]) -> Answer:
    if isinstance(load.hold, Answer):
        return load.hold
    more = {"hold": load.hold} if load.hold else {}
    return transport.send(envelopes, lambda: _still_armed(engine, clock, load.attempt_id), clock(), **more)


def offer_together(
    engine: Engine, clock: Clock, transport: Transport, owner: str, loads: Sequence[Load], senders: Senders[Delivered]
) -> Delivered:
    """Several small requests, armed in one transaction and then made at the same time. Answers are written down as they
    come, those that came together in one transaction."""
    if len(loads) == 1:
        return offer(engine, clock, transport, owner, loads[0])
    loads = [_with_hold(transport, load, clock()) for load in loads]
    armed, done = arm_together(engine, clock(), owner, loads)
    going = [(load, envelopes) for load in loads if (envelopes := armed[load.attempt_id])]

    def ask(load: Load, envelopes: list[Envelope]) -> Answer:
        return _answer(engine, clock, transport, load, envelopes)

    for answers in senders.together([partial(ask, *one) for one in going]):
        done += record_together(engine, clock(), [(*going[n], answer) for n, answer in answers.items()])
    return done


def keep(engine: Engine, now: datetime, owner: str, loads: Sequence[Load | Claimed], until: datetime) -> None:
    with db.writing(engine) as session:
        attempts.renew(session, [load.attempt_id for load in loads], owner, now, until)


def give_back(engine: Engine, now: datetime, owner: str, attempt_ids: Sequence[str]) -> None:
    """What was claimed and will not be offered now waits again, at once."""
    with db.writing(engine) as session:
        attempts.release(session, attempt_ids, owner, now)


def arm(engine: Engine, now: datetime, owner: str, load: Load) -> tuple[list[Envelope], Delivered]:
    """The last look, committed immediately before the request: from here on these messages are possibly sent."""
    armed, done = arm_together(engine, now, owner, [load])
    return armed[load.attempt_id], done


def arm_together(
    engine: Engine, now: datetime, owner: str, loads: Sequence[Load]
) -> tuple[dict[str, list[Envelope]], Delivered]:
    """The same for several requests of one claim, in as many statements as for one."""
    until, armed = now + ARMED_LEASE, {load.attempt_id: list[Envelope]() for load in loads}
    with db.writing(engine) as session:
        # where our lease is over the rows wait again, and it is somebody else's turn
        if len(loads) == 1:
            fenced = attempts.fence(session, loads[0].attempt_id, owner, now, until, loads[0].parcel.alone)
            ours = list(loads) if fenced else []
        else:
            alone = {load.attempt_id: load.parcel.alone for load in loads}
            mine = attempts.fence_all(session, alone, owner, now, until)
            ours = [load for load in loads if load.attempt_id in mine]
        if not ours:
            return armed, Delivered()
        for load in ours:
            if isinstance(load.hold, Hold):
                attempts.hold(session, load.attempt_id, load.hold.batch_id, load.hold.until)
        done = _last_look(session, [load.attempt_id for load in ours], ours[0].edition, now)
        going = attempts.arm(session, {load.attempt_id: len(load.parcel.envelopes) for load in ours})
    for load in ours:
        leave = going[load.attempt_id]
        armed[load.attempt_id] = [envelope for envelope in load.parcel.envelopes if envelope.message_id in leave]
    return armed, done


def _still_armed(engine: Engine, clock: Clock, attempt_id: str) -> bool:
    """Nobody may have looked while this machine stood still: the lease counts, not only the state."""
    with db.glancing(engine) as connection:
        until = attempts.armed_until(connection, attempt_id)
    return until is not None and clock() < until


STATE_AFTER = {Verdict.TAKEN: AttemptState.ACCEPTED, Verdict.UNKNOWN: AttemptState.UNKNOWN}


def record(engine: Engine, now: datetime, load: Load, envelopes: Sequence[Envelope], answer: Answer) -> Delivered:
    """Write down what the answer makes known. Refused without a name, everybody waits for a half as large request."""
    return record_together(engine, now, [(load, envelopes, answer)])


def record_together(
    engine: Engine, now: datetime, answered: Sequence[tuple[Load, Sequence[Envelope], Answer]]
) -> Delivered:
    """The same for several answers, in one transaction."""
    taken = {
        load.attempt_id: (len(envelopes), {"status": answer.status, "provider_id": answer.provider_id,
                                           "detail": answer.detail or None})
        for load, envelopes, answer in answered
        if len(answered) > 1 and answer.verdict is Verdict.TAKEN and not isinstance(load.hold, Hold)
    }  # fmt: skip
    done = Delivered(requests=len(taken))
    with db.writing(engine) as session:
        if taken:
            ours = attempts.taken(session, {i: said for i, (_, said) in taken.items()}, now)
            done += Delivered(accepted=sum(taken[i][0] for i in ours))
        others = sorted((one for one in answered if one[0].attempt_id not in taken), key=lambda one: one[0].attempt_id)
        return sum((_recorded(session, now, *one) for one in others), done)


def _recorded(session: Session, now: datetime, load: Load, envelopes: Sequence[Envelope], answer: Answer) -> Delivered:
    is_held = isinstance(load.hold, Hold)
    after = fates(answer, len(envelopes), load.tries, now, held=is_held)
    rows = (
        []
        if answer.verdict in STATE_AFTER
        else [_fated(envelope.message_id, fate, now) for envelope, fate in zip(envelopes, after, strict=True)]
    )
    state = STATE_AFTER.get(answer.verdict, AttemptState.REJECTED)
    if is_held and answer.verdict is Verdict.TAKEN:
        state = AttemptState.SCHEDULED
    first = attempts.finish(
        session, load.attempt_id, state, rows, now,
        status=answer.status, provider_id=answer.provider_id, detail=answer.detail or None,
    )  # fmt: skip
    if answer.verdict is Verdict.STOP:
        scope = f"campaign:{load.edition.slug}" if answer.campaign_only else "all"
        set_brake(session, scope, answer.detail, "the provider's answer", now)
    if not first:
        return Delivered(requests=1)
    states = Counter(fate.state for fate in after)
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
