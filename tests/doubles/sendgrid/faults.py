"""Everything that can go wrong between a sender and SendGrid, by name, on demand.

A fault is given by its name or as `Fault(name, seconds=…, index=…)`. Scripted faults are used first,
one per request, in order; after that a seeded mix of probabilities decides; else all goes well.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .wire import Then

MAIL_SEND = "/v3/mail/send"


class Behaviour(NamedTuple):
    takes: bool  # was the mail accepted? The sender may never learn it
    then: Then
    status: int | None  # None: the status a healthy SendGrid would give


BEHAVIOURS = {
    "ok":               Behaviour(True, Then.REPLY, None),
    "slow":             Behaviour(True, Then.REPLY, None),
    "accept_then_cut":  Behaviour(True, Then.CUT, None),
    "accept_then_hang": Behaviour(True, Then.HANG, None),
    "accept_then_500":  Behaviour(True, Then.REPLY, 500),
    "accept_then_503":  Behaviour(True, Then.REPLY, 503),
    "accept_then_504":  Behaviour(True, Then.REPLY, 504),  # a proxy gave up waiting for an origin that did not
    "truncated":        Behaviour(True, Then.HALF, None),
    "500":              Behaviour(False, Then.REPLY, 500),
    "502":              Behaviour(False, Then.REPLY, 502),
    "503":              Behaviour(False, Then.REPLY, 503),
    "504":              Behaviour(False, Then.REPLY, 504),
    "429":              Behaviour(False, Then.REPLY, 429),
    "401":              Behaviour(False, Then.REPLY, 401),  # also what used-up credits look like
    "403":              Behaviour(False, Then.REPLY, 403),
    "refuse_recipient": Behaviour(False, Then.REPLY, 400),  # one poison recipient fails the whole request
    "read_then_cut":    Behaviour(False, Then.CUT, None),
    "hang":             Behaviour(False, Then.HANG, None),
    "stop_listening":   Behaviour(False, Then.CUT, None),
}  # fmt: skip


class UnknownFault(ValueError):
    """The name is in no table. The message lists the names there are."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`seconds`: how long slow is, when 429 resets, when a vanished listener is back (None: never)."""

    name: str
    seconds: float | None = None
    index: int = 0  # refuse_recipient: which personalization is to blame

    def __post_init__(self) -> None:
        if self.name not in BEHAVIOURS:
            raise UnknownFault(f"no fault is called {self.name!r}; there are: {', '.join(BEHAVIOURS)}")

    @property
    def behaviour(self) -> Behaviour:
        return BEHAVIOURS[self.name]


ALL_WELL = Fault("ok")


def fault(given: Fault | str | Mapping[str, Any] | None) -> Fault:
    """From a name, from JSON (`{"name": "slow", "seconds": 2}`), or None for all well."""
    if given is None:
        return ALL_WELL
    if isinstance(given, Fault):
        return given
    return Fault(given) if isinstance(given, str) else Fault(**given)


class Faults:
    def __init__(self, seed: int | str) -> None:
        self.random = random.Random(f"faults {seed}")
        self.scripts: dict[str, deque[Fault]] = {}
        self.mixture: list[tuple[float, Fault]] = []
        self.used: dict[str, int] = {}

    def script(self, faults: Iterable[Fault | str | Mapping[str, Any] | None], path: str = MAIL_SEND) -> None:
        """One per request to `path`, in order, behind those already waiting."""
        self.scripts.setdefault(path, deque()).extend(fault(f) for f in faults)

    def mix(self, probabilities: Mapping[str, float], seconds: float | None = None) -> None:
        """From now on, each mail/send draws its fate: `{"accept_then_cut": 0.02, "500": 0.05}`."""
        if sum(probabilities.values()) > 1:
            raise ValueError("the probabilities of a mix add up to more than 1; what is left over is 'ok'")
        self.mixture = [(p, Fault(name, seconds)) for name, p in probabilities.items()]

    def clear(self) -> None:
        self.scripts.clear()
        self.mixture = []

    def next(self, path: str) -> Fault:
        chosen = self.choose(path)
        if chosen is not ALL_WELL:
            self.used[chosen.name] = self.used.get(chosen.name, 0) + 1
        return chosen

    def choose(self, path: str) -> Fault:
        if waiting := self.scripts.get(path):
            return waiting.popleft()
        if self.mixture and path == MAIL_SEND:
            drawn = self.random.random()
            for probability, candidate in self.mixture:
                if drawn < probability:
                    return candidate
                drawn -= probability
        return ALL_WELL
