"""One walk's model: workers run the real outbox and stop anywhere; everything else happens between their steps."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from greenlet import getcurrent, greenlet
from sqlalchemy.exc import IntegrityError, OperationalError

from models import event, message
from models.queries import account_stop, suppression
from models.send_pause import EVERYTHING, PauseScope, pause_sending
from nurture.channels.sendgrid.channel import SendGrid
from nurture.channels.sendgrid.events import read_events
from nurture.channels.sendgrid.provider_log import AROUND
from nurture.rules.delivery.states import ARMED_LEASE
from nurture.runtime import database
from tasks import feedback
from tasks.delivery import claims, concurrency, outbox, reconciliation, send_pauses
from tasks.delivery.scheduled_send import CancelledSends, cancel_sends
from tests.doubles.sendgrid.webhook import wire_form
from tests.walks import resend
from tests.walks.database import (
    LETTERS,
    PUMPS,
    SHOP,
    START,
    WalkDatabase,
    rows_to_plan,
    scheduling_database,
    walk_database,
)
from tests.walks.invariants import KINDS, Invariants
from tests.walks.provider import ANSWERS, UNREACHABLE, ModelWire, Provider

WEIGHTS = {  # how likely each move is in a mean walk; each walk has its own scenario, some things often, some never
    "work": 60.0, "freeze": 4.0, "wake": 3.5, "crash": 1.0, "seconds": 6.0, "minutes": 2.5, "hours": 0.4, "days": 0.05,
    "hear": 4.0, "apply": 3.0, "leave": 1.0, "return": 0.1, "withdraw": 0.2, "answer": 0.2, "pause": 0.3, "go on": 1.0,
    "plan": 1.0, "database fails": 0.4, "look up": 0.7, "ask the log": 2.0,
}  # fmt: skip
RESEND_WEIGHTS = WEIGHTS | {  # another policy is tried out: days pass, the provider falls silent, our receiver is shut
    "minutes": 1.0, "hours": 1.5, "days": 0.0, "a day": 1.5, "a dark day": 0.3, "resolve": 3.0, "fall silent": 1.0,
    "shut the receiver": 1.0, "hear": 8.0, "look up": 0.0, "ask the log": 0.0, "pause": 0.0, "crash": 2.0, "plan": 2.0,
}  # fmt: skip
CANCEL_WEIGHTS = WEIGHTS | {  # letters are held: there is time, and somebody uses it
    "cancel sends": 9.0, "a while": 1.5, "a half hour": 1.5, "pause": 1.5, "go on": 5.0, "leave": 1.5,
    "undo a cancellation": 0.4, "hours": 0.1, "minutes": 0.5, "seconds": 2.0, "freeze": 1.0, "wake": 2.0, "crash": 0.5,
    "plan": 2.0,
}  # fmt: skip
USUAL = {"hold": WEIGHTS, "resend": RESEND_WEIGHTS, "cancel": CANCEL_WEIGHTS}
IDLE = dict.fromkeys(USUAL, ("plan", "minutes", "hear", "apply", "go on"))  # when nobody would find anything to do
IDLE |= {"cancel": ("plan", "a while", "cancel sends", "cancel sends", "cancel sends", "go on")}
AGAIN, FAILS, LOSES = "an event id comes again", "a cancellation fails", "a cancellation comes about, a proxy says 504"
AT_ONCE = "requests at once"  # how many a worker makes, instead of one, three or six
PLACES = ("with letters claimed", "with letters armed", "connecting", "the answer is on its way")
DROWSY = {"wake": 4.0, "minutes": 8.0}  # who stands still wakes when others have gone on
SCENARIOS: tuple[dict[str, float], ...] = (  # what is rare in most walks is common in some
    {},
    {"leave": 4.0, "return": 3.0, "withdraw": 0.5, "answer": 0.5},  # people change their minds all day
    DROWSY | {"with letters claimed": 0.15},
    DROWSY | {"with letters armed": 0.15},
    DROWSY | {"connecting": 0.3},
    DROWSY | {"the answer is on its way": 0.3},
)
FROZEN = 6  # workers that may wake some time; the oldest is forgotten


@dataclass(eq=False)
class Worker:
    """A process with a run of `deliver`, and the threads it has, that go on only when the walk lets them."""

    name: str
    skew: timedelta
    threads: list[greenlet] = field(default_factory=list)  # the first is the main one
    broken: bool = False  # the database refuses its next transaction, or loses the answer to its commit


@dataclass
class OutboxModel:
    """`chance` decides everything; `scenario` lays down how likely some of it is: the weights of moves (WEIGHTS) and of
    the provider's answers (ANSWERS), the probability that a worker freezes at a place (PLACES), those of AGAIN, FAILS
    and LOSES, and how many requests a worker makes at once (AT_ONCE)."""

    chance: Random
    store: WalkDatabase | None = None
    workers: int = 0  # 0: one to three, as chance has it
    policy: str = "hold"  # or "resend": tests.walks.resend; or "cancel": the provider holds letters until their time
    scenario: Mapping[str, float] = field(default_factory=dict)
    watch: Collection[str] = KINDS

    def __post_init__(self) -> None:
        self.store = self.store or (scheduling_database() if self.policy == "cancel" else walk_database())
        self.store.reset()
        self.engine, self.now, self.over = self.store.engine, START, False
        self.story: deque[str] = deque(maxlen=60)
        self.active: list[Worker] = []
        self.frozen: list[Worker] = []
        self.provider = Provider(self.chance, lambda: self.now, self._answers())
        self.channel = SendGrid(self.store.settings)
        self.channel.api.wire = ModelWire(self.provider, self.pause)
        self.invariants = Invariants(self.store.raw, self.provider, self.watch, held=self.policy == "cancel")
        self.receiver = resend.EventReceiver() if self.policy == "resend" else None
        self.receiver_is_shut = False
        self.workers = self.workers or self.chance.choice([1, 2, 3])
        # from four on, small requests are armed several at a time
        self.channel.limits = replace(self.channel.limits, at_once=self.chance.choice([1, 3, 6]))
        self.names = self.attempts = 0
        self.committed = False
        self._set_up(self.scenario)
        self.hub = getcurrent()
        for _ in range(3):
            self.move_plan()

    def _set_up(self, scenario: Mapping[str, float]) -> None:
        usual = USUAL[self.policy]
        own = {move: weight * self.chance.choice([0.2, 1, 1, 3]) for move, weight in usual.items()}
        own |= {} if self.receiver else self.chance.choice(SCENARIOS)
        own |= scenario
        self.places = {place: own.pop(place, 0.0) for place in PLACES}
        if at_once := own.pop(AT_ONCE, 0):
            self.channel.limits = replace(self.channel.limits, at_once=int(at_once))
        self.provider.repeats = own.pop(AGAIN, self.provider.repeats)
        self.provider.fails = own.pop(FAILS, self.provider.fails)
        self.provider.loses = own.pop(LOSES, self.provider.loses)
        self.provider.weights |= {answer: own.pop(answer) for answer in list(own) if answer in self.provider.weights}
        self.scenario = {move: own.pop(move, 0.0) for move in WEIGHTS | RESEND_WEIGHTS | CANCEL_WEIGHTS}
        assert not own, f"no such thing can happen: {', '.join(own)}"

    def _answers(self) -> dict[str, float]:
        """Mostly well; a few faults of this walk's own choice often."""
        weights = dict.fromkeys([*ANSWERS, UNREACHABLE], 0.3) | {"takes it": 8.0, "401": 0.1, "404": 0.1}
        for fault in self.chance.sample(sorted(weights), 3):
            weights[fault] += 2
        if self.policy == "cancel":
            weights["takes it"] *= 4  # for each request is two: first it gets a name
        return weights

    # --- the workers

    def pause(self, where: str) -> None:
        """A worker's step ends here: anything may happen before it goes on, and it may never go on."""
        if getcurrent() is not self.hub and not self.over:
            self.hub.switch(where)

    @contextmanager
    def playing(self) -> Iterator["OutboxModel"]:
        """The real code with our scheduling under it. At the end every worker that still stands is forgotten."""
        real_writing, real_reading = database.writing, database.reading

        @contextmanager
        def writing(engine: Any) -> Iterator[Any]:
            self.pause("before the transaction")
            lost = self._fails("before the commit")
            with real_writing(engine) as session:
                yield session
                if lost:
                    raise OperationalError("COMMIT", {}, Exception("the disk is full"))
            self.committed = True
            if self._fails("after the commit"):
                raise OperationalError("COMMIT", {}, Exception("the connection was cut"))
            self.pause("after the commit")

        @contextmanager
        def reading(engine: Any) -> Iterator[Any]:
            self.pause("before the look")
            with real_reading(engine) as session:
                yield session

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(database, "writing", writing)
            patch.setattr(database, "reading", reading)
            patch.setattr(feedback, "PAUSE", 0)
            patch.setattr(concurrency, "ThreadPoolExecutor", lambda *_: Pool(self))
            patch.setattr(concurrency, "wait", self._wait)
            patch.setattr(claims, "new_id", self._new_id)
            patch.setattr(claims, "worker_name", lambda: self._current().name)
            try:
                yield self
            finally:
                self.over = True
                for worker in self.active + self.frozen:
                    self._end(worker)
                self.active, self.frozen = [], []

    def _wait(self, futures: Collection["Future[Any]"], **_: Any) -> tuple[set["Future[Any]"], None]:
        while not self.over and not any(future.done() for future in futures):
            self.pause("waiting for its threads")
        return {future for future in futures if future.done()}, None

    def _fails(self, when: str) -> bool:
        worker = self._current()
        if worker is None or not worker.broken or self.chance.random() < 0.5:
            return False
        worker.broken = False
        self.tell(f"{worker.name}: the database fails {when}")
        return True

    def _current(self) -> Any:
        return next((w for w in self.active if getcurrent() in w.threads), None)

    def _new_id(self) -> str:
        self.attempts += 1
        return f"a{self.attempts:05d}"

    def _hire(self, work: Callable[[Worker], Any] | None = None) -> Worker:
        self.names += 1
        skew = self.chance.choice([0, 0, 0, -120, 120])
        worker = Worker(f"w{self.names}", timedelta(seconds=skew))
        worker.threads.append(greenlet(lambda: self._run(work or self._deliver, worker)))
        self.active.append(worker)
        return worker

    def _deliver(self, worker: Worker) -> None:
        outbox.deliver(self.engine, lambda: self.now + worker.skew, self.channel, self.store.composer, most=50)

    def _cancel_sends(self, worker: Worker) -> None:
        began = self.invariants.commits
        done = cancel_sends(self.engine, lambda: self.now + worker.skew, self.channel, self.store.composer)
        if done != CancelledSends():
            self.tell(f"{worker.name}: {done}")
        if not done.missed:
            self.invariants.called_back(began, self.now + worker.skew)

    def _run(self, work: Callable[[Worker], Any], worker: Worker) -> None:
        try:
            work(worker)
        except OperationalError:
            self.tell(f"{worker.name} gives up")  # the next run finds in the database what is to be done
        except IntegrityError as error:  # the last net held, but nobody may ever fall into it
            self.invariants.broken("caught by the net", str(error.orig), self.story)

    def _due(self) -> bool:
        """Would a new run of the outbox find anything to do? Asked only so as not to spend the walk on idle runs."""
        due = """SELECT 1 FROM message WHERE state = 'waiting' AND not_before <= :now AND NOT EXISTS (
                     SELECT 1 FROM send_pause WHERE scope IN ('everything', 'campaign:' || campaign))
                 UNION SELECT 1 FROM attempt WHERE state IN ('claimed', 'armed') AND lease_until < :now LIMIT 1"""
        return bool(self.store.raw.execute(due, {"now": f"{self.now:%Y-%m-%d %H:%M:%S.%f}"}).fetchone())

    def _step(self, worker: Worker) -> None:
        thread = self.chance.choice(worker.threads)
        where = thread.switch()
        if thread.dead:
            worker.threads.remove(thread)
        if not worker.threads:
            self.active.remove(worker)
        elif self.chance.random() < max(self.places.get(place, 0.0) for place in (where, self._holds(worker))):
            self._freeze(worker)

    def _holds(self, worker: Worker) -> str:
        """As a place: what it has in its hands."""
        held = "SELECT state FROM attempt WHERE owner = ? AND state IN ('claimed', 'armed') ORDER BY state"
        [state] = self.store.raw.execute(held, [worker.name]).fetchone() or [None]
        return f"with letters {state}"

    # --- the moves

    def move(self, name: str) -> None:
        getattr(self, f"move_{name.replace(' ', '_')}")()
        self._check_invariants()

    def _check_invariants(self) -> None:
        if self.committed or self.invariants.unread:
            self.committed = False
            self.invariants.check(self.story)

    def any_move(self) -> str:
        name = self.chance.choices(list(self.scenario), list(self.scenario.values()))[0]
        self.move(name)
        return name

    def tell(self, line: str) -> None:
        self.story.append(f"{self.now - START} {line}")

    def move_work(self) -> None:
        if not self.active and not self._due():  # nobody would find anything: something must happen first
            return self.move(self.chance.choice(IDLE[self.policy]))
        while len(self.active) < self.workers and self._due():
            self._hire()
        worker = self.chance.choice(self.active)
        self.tell(f"{worker.name} goes on")
        self._go_on(worker, self.chance.choice([1, 2, 4, 8]))

    def _go_on(self, worker: Worker, steps: int) -> None:
        for _ in range(steps):
            self._step(worker)
            self._check_invariants()
            if worker not in self.active:
                break

    def move_freeze(self) -> None:
        if self.active:
            self._freeze(self.chance.choice(self.active))

    def _freeze(self, worker: Worker) -> None:
        self.active.remove(worker)
        self.frozen.append(worker)
        self.tell(f"{worker.name} freezes")
        if len(self.frozen) > FROZEN:
            self._forget(self.frozen[0])

    def move_wake(self) -> None:
        if self.frozen:
            worker = self.frozen.pop(self.chance.randrange(len(self.frozen)))
            self.active.append(worker)
            self.tell(f"{worker.name} wakes")
            self._step(worker)

    def move_crash(self) -> None:
        if self.active:
            worker = self.chance.choice(self.active)
            self.tell(f"{worker.name} is killed")
            self._forget(worker)

    def _forget(self, worker: Worker) -> None:
        """Killed: not one more line of it runs that could touch anything."""
        (self.active if worker in self.active else self.frozen).remove(worker)
        over, self.over = self.over, True
        self._end(worker)
        self.over = over

    def _end(self, worker: Worker) -> None:
        for thread in worker.threads:
            thread.throw()

    def move_database_fails(self) -> None:
        if self.active:
            self.chance.choice(self.active).broken = True

    def pass_time(self, span: timedelta) -> None:
        until = self.now + span
        while self.receiver and self.now < until:  # the webhook does not wait for our next move
            slot = min(self.now + resend.SLOT, until)
            self._send_canaries(slot)
            self.now = slot
            self.move_hear()
        self.now = until
        self.provider.let_go()
        self.tell(f"{span} pass")

    def move_seconds(self) -> None:
        self.pass_time(timedelta(seconds=self.chance.randint(1, 40)))

    def move_minutes(self) -> None:
        self.pass_time(self.chance.choice([ARMED_LEASE, timedelta(minutes=3), timedelta(seconds=-20)]))

    def move_hours(self) -> None:
        self.pass_time(timedelta(hours=self.chance.randint(1, 8)))

    def move_days(self) -> None:
        self.pass_time(timedelta(days=self.chance.choice([1, 1, 2, 8])))

    def move_a_while(self) -> None:
        self.pass_time(timedelta(minutes=self.chance.randint(4, 12)))

    def move_a_half_hour(self) -> None:
        self.pass_time(timedelta(minutes=self.chance.randint(20, 40)))

    def move_cancel_sends(self) -> None:
        """What may not leave is cancelled, and what was is settled: a process of its own, that may stop anywhere."""
        if self.store.raw.execute("SELECT 1 FROM attempt WHERE batch_id IS NOT NULL LIMIT 1").fetchone():
            worker = self._hire(self._cancel_sends)
            self.tell(f"{worker.name} calls back")
            self._go_on(worker, self.chance.choice([1, 4, 16, 64, 64]))

    def move_undo_a_cancellation(self) -> None:
        """Somebody takes a cancellation back at the provider while there are letters that may leave thereby."""
        kept_sends = self.provider.kept_sends
        if names := [held.batch for held in kept_sends.requests if held.batch in kept_sends.cancelled]:
            name = self.chance.choice(names)
            self.tell(f"somebody takes the cancellation of {name} back")
            self.provider.kept_sends.undo_cancellation(name)

    def _send_canaries(self, until: datetime) -> None:
        """Three a minute around what is sent, one a half hour while time passes."""
        at = self.now
        while at < until:
            if self.provider.silent is False:
                late = timedelta(seconds=20 * self.chance.random())  # our own mailbox answers at once
                self.provider.events.append((at + late, {"canary": at}))
            near = at - self.now < timedelta(minutes=2) or until - at < timedelta(minutes=2)
            at += timedelta(seconds=20) if near else min(resend.SLOT, until - at - timedelta(minutes=1))

    def move_hear(self) -> None:
        if self.receiver_is_shut:  # the provider tries for a day, then gives up
            young = self.now - timedelta(hours=24)
            self.provider.events = [pair for pair in self.provider.events if pair[0] > young]
            return
        deaf = self.scenario["hear"] < 1  # in some walks hardly anything gets through to us
        self.keep(*self.provider.hear(lost=0.0 if self.receiver else 0.9 if deaf else 0.05))

    def keep(self, body: bytes, events: list[dict[str, Any]]) -> None:
        if self.receiver:
            for canary in [e["canary"] for e in events if "canary" in e]:
                self.receiver.heard.setdefault(canary, self.now)
            events = [e for e in events if "canary" not in e]
            body = wire_form(events)
        if events:
            self.tell("told: " + ", ".join(f"{e['event']} {e.get('nt_attempt')} {e['email']}" for e in events))
            self._write(lambda session: event.keep(session, read_events(body, self.now)))
            self.invariants.told(events)

    def move_apply(self) -> None:
        if not self.invariants.heard:
            return
        done = feedback.apply(self.engine, self.now)
        if done.events:
            self.tell(f"{done.events} events are applied")
        self.invariants.applied(self.story)

    def _write(self, what: Callable[[Any], Any]) -> Any:
        with database.writing(self.engine) as session:
            return what(session)

    def _somebody(self) -> str:
        """Often one whose letter is in a worker's hands at this moment."""
        people = self.invariants.people
        return self.chance.choice(self.chance.choice([people, self.invariants.in_hand or people]))

    def move_leave(self) -> None:
        """Somebody unsubscribes on our page, or one of us does it for them."""
        address, why = self._somebody(), self.chance.choice(["unsubscribe", "person"])
        self.tell(f"{address} leaves ({why})")
        self._write(
            lambda session: suppression.record_once(
                session, suppression.SuppressionEntry(address, self.now, why, "the walk")
            )
        )
        self.invariants.stopped(address)

    def move_return(self) -> None:
        address = self.chance.choice(self.invariants.people)
        if self._write(lambda session: suppression.resubscribe(session, address, "the walk", self.now)):
            self.tell(f"{address} is back")
            self.invariants.free(address)

    def move_withdraw(self) -> None:
        """Consent is taken back in the file that comes from the customer's own system."""
        address = self._somebody()
        self.tell(f"{address} withdraws consent")
        self.store.raw.execute("UPDATE contact SET consent = 'withdrawn' WHERE address = ?", [address])
        self.committed = True
        self.invariants.stopped(address)

    def move_answer(self) -> None:
        """A colleague replies: the whole account is left alone."""
        account = self.chance.choice([1, 2])
        self.tell(f"account {account} replies")
        self._write(
            lambda session: account_stop.stop_accounts(session, {account: account_stop.AccountStop(self.now, "reply")})
        )
        self.invariants.stopped(account)

    def move_a_day(self) -> None:
        self.pass_time(timedelta(hours=26))

    def move_a_dark_day(self) -> None:
        """Our receiver is shut for longer than the provider tries."""
        self.receiver_is_shut = True
        self.tell("our receiver is shut for a day")
        self.pass_time(timedelta(hours=30))
        self.receiver_is_shut = False

    def move_resolve(self) -> None:
        """Not ours: see tests/walks/resend.py."""
        given_back = self._write(lambda session: resend.resolve(session, self.receiver, self.now))
        self.invariants.settled |= set(given_back)
        if given_back:
            self.tell(f"silence is taken for proof: {', '.join(given_back)}")

    def move_fall_silent(self) -> None:
        self.provider.silent = not self.provider.silent
        self.tell("the provider falls silent" if self.provider.silent else "the provider speaks again")

    def move_shut_the_receiver(self) -> None:
        self.receiver_is_shut = not self.receiver_is_shut
        self.tell("our receiver is shut" if self.receiver_is_shut else "our receiver is open again")

    def move_look_up(self) -> None:
        """A person looks at the provider's own list for an unknown request, and says what they saw."""
        unknown = self.store.raw.execute("SELECT id FROM attempt WHERE state = 'unknown' ORDER BY id").fetchall()
        if unknown:
            [attempt] = self.chance.choice(unknown)
            sent = any(taken.attempt == attempt for taken in self.provider.log)
            self.tell(f"somebody looks {attempt} up: {'sent' if sent else 'not sent'}")
            settled = self.invariants.settled | ({attempt} if not sent else set())
            before, self.invariants.settled = self.invariants.settled, settled
            try:
                reconciliation.settle(self.engine, self.now, attempt, sent, "the walk")
            except reconciliation.MayStillLeave:  # that it has not been sent says nothing before its time
                self.invariants.settled = before

    def move_ask_the_log(self) -> None:
        """The provider's own log is asked about everything unknown; a process of its own, that may stop anywhere."""
        if not self.store.raw.execute("SELECT 1 FROM attempt WHERE state = 'unknown' LIMIT 1").fetchone():
            return
        self.pass_time(self.chance.choice([timedelta(minutes=5), timedelta(minutes=40)]))
        blind = self.chance.random() < 0.3  # it answers, and finds nothing of anybody
        self._hire(lambda worker: reconciliation.reconcile(self.engine, lambda: self.now, "sendgrid", Log(self, blind)))
        self.tell(f"{self.active[-1].name} asks the log" + (", which is blind" if blind else ""))

    def move_pause(self) -> None:
        scope = self.chance.choice([EVERYTHING, PauseScope.campaign(SHOP), PauseScope.campaign(PUMPS)])
        self.tell(f"{scope} is paused")
        self._write(lambda session: pause_sending(session, scope, "the walk", "the walk", self.now))
        self.invariants.stopped(str(scope))

    def move_go_on(self) -> None:
        rows = self.store.raw.execute("SELECT scope FROM send_pause ORDER BY scope").fetchall()
        scopes = [PauseScope.parse(scope) for (scope,) in rows]
        for scope in scopes:  # ours, and those that a 401 has set
            if send_pauses.resume(self.engine, scope, self.store.composer, self.now):
                self.tell(f"{scope} goes on")
            self.invariants.free(str(scope))

    def move_plan(self) -> None:
        slug = self.chance.choice(sorted(LETTERS))
        letter = self.chance.choice(LETTERS[slug])
        version = self.store.versions[slug]
        rows = rows_to_plan(self.store.raw, slug, letter, version, self.now, 90 if self.receiver else 7)
        some = self.chance.sample(rows, self.chance.randint(1, len(rows)))
        self.tell(f"{letter} is planned for {len(some)}")
        self._write(lambda session: message.plan(session, [message.PlannedMessage(**row) for row in some]))
        self.invariants.planned(some)

    # --- the end

    def settle(self) -> None:
        """The storm is over: the provider is well, all that it still has to tell arrives, nobody is frozen any more."""
        for worker in self.active + self.frozen:
            self._forget(worker)
        self.provider.weights, self.provider.silent, self.receiver_is_shut = {"takes it": 1.0}, False, False
        self.places = {}
        for _ in range(12):  # within eight days every letter has left or its time is over
            self.move("go on")
            self.pass_time(timedelta(hours=25))
            while self.provider.ready():
                self.keep(*self.provider.hear())
            self.move("apply")
            self.move("cancel sends")
            while self.active:
                self.move("work")
            if self._due():
                self._hire()
                while self.active:
                    self.move("work")
            if self.invariants.at_rest and not self.provider.events:
                break
        self.invariants.end(self.story)


@dataclass
class Pool:
    """A worker's threads, as the walk schedules them."""

    model: OutboxModel
    futures: list["Future[Any]"] = field(default_factory=list)

    def submit(self, work: Callable[[], Any]) -> "Future[Any]":
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except Exception as error:  # as a real pool does: whoever asks for the result gets it
                future.set_exception(error)

        self.model._current().threads.append(greenlet(run))
        self.futures.append(future)
        return future

    def shutdown(self) -> None:
        while not self.model.over and not all(future.done() for future in self.futures):
            self.model.pause("waiting for its threads")


@dataclass
class Log:
    """The provider's own log, asked by reconcile. It may lag behind by twenty minutes, and be blind for some."""

    model: OutboxModel
    blind: bool

    def has(self, email: str, attempt_id: str, at: datetime) -> bool:
        self.model.pause("asking the log")
        provider, behind = self.model.provider, self.model.now - timedelta(minutes=20)
        for taken in provider.log:
            near = abs(taken.at - at) <= AROUND
            if (taken.address, taken.attempt) == (email, attempt_id) and near and taken.at < behind and not self.blind:
                return True
        provider.absent.add(attempt_id)
        return False
