"""The invariants of a walk: compares what the database believes with what the provider knows, after every commit."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from models.delivery_states import ATTEMPT_NEXT, LEDGER, MESSAGE_NEXT
from nurture.rules.delivery.scheduled_send import LAST_CALL
from nurture.rules.delivery.states import ARMED_LEASE
from tests.walks.provider import NAMED, POISON, Provider, Taken

MESSAGE_STEPS = {(before, after) for (before, _), after in MESSAGE_NEXT.items()}
ATTEMPT_STEPS = {(before, after) for (before, _), after in ATTEMPT_NEXT.items()}
KINDS = frozenset({
    "twice", "after a stop", "lost", "accepted withdrawn", "unknown without proof", "forbidden step", "ledger",
    "too late", "evidence lost", "unsettled", "caught by the net", "still held",
})  # fmt: skip
SKEW = timedelta(minutes=2)  # no clock of a worker is further from the provider's
POSSIBLY = ("armed", "unknown", "scheduled", "accepted")  # with the provider, for all we know
ENDS = ("accepted", "skipped", "refused", "unknown")


class Violation(AssertionError):
    """The promise was broken. `kind` says which; the text tells the last steps of the walk."""

    def __init__(self, kind: str, what: str, story: Iterable[str]) -> None:
        self.kind = kind
        self.step = 0  # of its walk
        super().__init__("\n  ".join([f"{kind}: {what}. The last steps were:", *story]))


class Invariants:
    """`watch`: the kinds of violation that end the walk; what a mutant breaks on its way there is passed over."""

    def __init__(self, raw: Any, provider: Provider, watch: Collection[str] = KINDS, *, held: bool = False) -> None:
        self.raw, self.provider, self.watch, self.all_held = raw, provider, watch, held
        self.read = 0  # lines of the provider's log
        self.commits = 0
        self.plans: dict[tuple[str, str, str], Any] = {}  # what was ever planned
        self.messages: dict[int, tuple[str, str | None]] = {}  # state, attempt
        self.attempts: dict[str, str] = {}
        self.carries: dict[int, tuple[str, str, str, int | None]] = {}  # campaign, letter, address, account
        self.armed: dict[str, int] = {}  # attempt → the commit that armed it
        self.stops: dict[Any, int] = {}  # address, account or scope of a send pause → the commit that stopped it
        self.accepted: dict[tuple[str, str, str], Taken] = {}
        self.heard: list[Mapping[str, Any]] = []  # events that were answered with "written", not yet applied
        self.back: dict[Any, float] = {}  # address, account or scope of a send pause → when it was let go
        self.known: set[tuple[Any, ...]] = set()  # events that were applied: told once more they change nothing
        self.proven: set[str] = set()
        self.seen: set[tuple[str, str, str]] = set()  # (message or attempt, state before, state after)
        self.settled: set[str] = set()  # unknown attempts that a person looked up and found not sent
        self.scheduled: dict[str, int] = {}  # attempt → the commit from which on it was known to be held
        self.calls: list[tuple[int, datetime]] = []  # looks of calls back that all came about: after which commit, when
        rows = raw.execute("SELECT DISTINCT address FROM contact ORDER BY address").fetchall()
        self.people = [address for (address,) in rows]

    @property
    def unread(self) -> bool:
        return self.read < len(self.provider.log)

    def broken(self, kind: str, what: str, story: Iterable[str]) -> None:
        if kind in self.watch:
            raise Violation(kind, what, story)

    # --- what the walk tells us

    def planned(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.plans |= {(r["campaign"], r["letter"], r["address"]): None for r in rows}

    def stopped(self, what: Any) -> None:
        """It was committed this moment."""
        self.stops.setdefault(what, self.commits + 1)

    def free(self, what: Any) -> None:
        self.stops.pop(what, None)
        self.back[what] = self.provider.clock().timestamp()

    def called_back(self, commit: int, at: datetime) -> None:
        """A run that cancelled whatever may not leave has got all of it. `at`: its own clock, when it ended."""
        self.calls.append((commit, at))

    def told(self, events: Sequence[Mapping[str, Any]]) -> None:
        self.heard += events

    def applied(self, story: Iterable[str]) -> None:
        """Whatever was written down and applied must have had its effect, whatever its sg_event_id."""
        for e in self.heard:
            same = tuple(e.get(name) for name in ("event", "email", "timestamp", "nt_attempt", "nt_message", "url"))
            old = e["event"] == "unsubscribe" and e["timestamp"] <= self.back.get(e["email"], 0)
            if e["event"] in ("bounce", "spamreport", "unsubscribe") and same not in self.known and not old:
                self.stopped(e["email"])  # who came back since is not stopped by an old goodbye, told late or again
            self.known.add(same)
            if e.get("nt_attempt"):
                self.proven.add(e["nt_attempt"])
        self.heard = []
        states = dict(self.raw.execute("SELECT id, state FROM attempt").fetchall())
        for attempt in sorted(self.proven):
            if states.get(attempt) != "accepted":
                self.broken("evidence lost", f"{attempt} was told of and is {states[attempt]}", story)

    # --- what we see

    def check(self, story: Iterable[str]) -> None:
        self.commits += 1
        messages = {i: (s, a) for i, s, a in self.raw.execute("SELECT id, state, attempt_id FROM message")}
        if len(messages) > len(self.carries):
            rows = self.raw.execute("SELECT id, campaign, letter, address, account_id FROM message").fetchall()
            self.carries = {i: tuple(rest) for i, *rest in rows}
        attempts = dict(self.raw.execute("SELECT id, state FROM attempt").fetchall())
        for attempt, state in attempts.items():
            before = self.attempts.get(attempt)
            if state == "armed" and before != "armed":
                self.armed[attempt] = self.commits
            if state == "scheduled" and before != "scheduled":
                self.scheduled[attempt] = self.commits
            if before and before != state:
                self.seen.add(("attempt", before, state))
            if before and before != state and (before, state) not in ATTEMPT_STEPS:
                self.broken("forbidden step", f"attempt {attempt} went from {before} to {state}", story)
        self._read_log(story)
        for held in self.provider.kept_sends.requests:
            for _, ids in held.letters:
                if (state := messages[int(ids["nt_message"])][0]) not in POSSIBLY:
                    what = f"message {ids['nt_message']} is {state}, and {held.attempt} brings it at {held.send_at}"
                    self.broken("still held", what, story)
        for i, (state, _) in messages.items():
            before, attempt = self.messages.get(i, (None, None))
            if before != state:
                self._went(i, before, state, attempt, story)
            if state not in POSSIBLY and self.carries[i][:3] in self.accepted:
                self.broken("lost", f"the provider has message {i}, and it is {state}", story)
        if sum(state in LEDGER for state, _ in messages.values()) != len(self.plans):
            self.broken("ledger", f"{len(self.plans)} were planned, {len(messages)} are in the outbox", story)
        self.messages, self.attempts = messages, attempts

    def _went(self, i: int, before: str | None, state: str, attempt: str | None, story: Iterable[str]) -> None:
        self.seen.add(("message", before or "", state))
        if before == "accepted":
            self.broken("accepted withdrawn", f"message {i} is {state}", story)
        if before and (before, state) not in MESSAGE_STEPS:
            self.broken("forbidden step", f"message {i} went from {before} to {state}", story)
        if before == "unknown" and state not in POSSIBLY and not self._ruled_out(attempt or ""):
            self.broken("unknown without proof", f"message {i} was unknown and is {state}", story)
        if state == "accepted" and self.carries[i][:3] not in self.accepted and not self._leaves_now(attempt or ""):
            self.broken("lost", f"message {i} is accepted, and the provider never had it", story)

    def _leaves_now(self, attempt: str) -> bool:
        """Its time has come by one of our clocks; whether it does leave is asked at the end."""
        held = self.provider.kept_sends.has(attempt)
        return held is not None and held.send_at - self.provider.clock() <= SKEW

    def _ruled_out(self, attempt: str) -> bool:
        if attempt in self.provider.denied | self.provider.absent | self.settled:
            return True
        [batch] = self.raw.execute("SELECT batch_id FROM attempt WHERE id = ?", [attempt]).fetchone()
        if batch is None:  # where letters are held, one without a name was not offered
            return self.all_held
        return batch in self.provider.kept_sends.cancelled and not self.provider.kept_sends.has(attempt)

    def _read_log(self, story: Iterable[str]) -> None:
        for taken in self.provider.log[self.read :]:
            campaign, letter, address, account = self.carries[taken.message]
            if earlier := self.accepted.get((campaign, letter, address)):
                self.broken("twice", f"{address} got {letter} from {earlier.attempt} and {taken.attempt}", story)
            self.accepted[campaign, letter, address] = taken
            [since] = self.raw.execute("SELECT armed_at FROM attempt WHERE id = ?", [taken.attempt]).fetchone()
            late = taken.handed - datetime.fromisoformat(f"{since}+00:00") if since else ARMED_LEASE
            if late > ARMED_LEASE + SKEW:
                self.broken("too late", f"{taken.attempt} left {late} after its last look at stops", story)
            if taken.attempt not in self.armed:
                self.broken("forbidden step", f"{taken.attempt} left without being armed", story)
            for stop in (address, account, "everything", f"campaign:{campaign}"):
                if self.stops.get(stop, self.commits + 1) < self.armed.get(taken.attempt, self.commits) and (
                    stop != account or campaign == "pumps"
                ):
                    self.broken("after a stop", f"{taken.attempt} brought {letter} to {address}", story)
                if self._was_cancelled(taken, self.stops.get(stop)) and (stop != account or campaign == "pumps"):
                    self.broken("after a stop", f"{taken.attempt}, held, brought {letter} to {address}", story)
        self.read = len(self.provider.log)

    def _was_cancelled(self, taken: Taken, stop: int | None) -> bool:
        """It was held and known to be when a cancellation began that got all it wanted, after the stop and in time."""
        known = self.scheduled.get(taken.attempt)
        if stop is None or known is None or taken.at == taken.handed:
            return False
        [batch] = self.raw.execute("SELECT batch_id FROM attempt WHERE id = ?", [taken.attempt]).fetchone()
        if batch in self.provider.kept_sends.undone:
            return False
        return any(commit >= max(stop, known) and taken.at - at > LAST_CALL for commit, at in self.calls)

    @property
    def in_hand(self) -> list[str]:
        """Whose letters a worker has claimed or armed, or the provider holds."""
        held = ("claimed", "armed", "scheduled")
        return [self.carries[i][2] for i, (state, _) in self.messages.items() if state in held]

    @property
    def at_rest(self) -> bool:
        return all(state in ENDS for state, _ in self.messages.values())

    def end(self, story: Iterable[str]) -> None:
        """Everything has come to rest, and no letter is unknown that the provider told us of."""
        self.check(story)
        for i, (state, _) in self.messages.items():
            if state not in ENDS:
                self.broken("unsettled", f"message {i} is {state}", story)
            if state == "accepted" and self.carries[i][:3] not in self.accepted:
                self.broken("lost", f"message {i} is accepted, and the provider never had it", story)
            if state == "refused" and self.carries[i][2] not in (NAMED, POISON):
                self.broken("lost", f"message {i} was refused although nothing was wrong with it", story)
        self.applied(story)
