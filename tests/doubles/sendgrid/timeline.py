"""Time as the double sees it: a clock one can hold still, and a list of what will happen when."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    return datetime.now(UTC)


class FrozenClock:
    """A clock that moves only when told to."""

    def __init__(self, start: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)) -> None:
        self.now = start

    def __call__(self) -> datetime:
        return self.now

    def set(self, now: datetime) -> None:
        self.now = max(self.now, now)  # time does not run backwards here; jump tests use a clock of their own

    def advance(self, by: timedelta) -> None:
        self.now += by


class Timeline:
    """What is due when. Safe to fill from the server's thread while a test empties it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counter = itertools.count()  # ties keep the order in which they were planned
        self.heap: list[tuple[datetime, int, str, Callable[[], None]]] = []

    def at(self, when: datetime, kind: str, do: Callable[[], None]) -> None:
        with self.lock:
            heapq.heappush(self.heap, (when, next(self.counter), kind, do))

    def next_at(self) -> datetime | None:
        with self.lock:
            return self.heap[0][0] if self.heap else None

    def take_due(self, now: datetime) -> list[Callable[[], None]]:
        due = []
        with self.lock:
            while self.heap and self.heap[0][0] <= now:
                due.append(heapq.heappop(self.heap)[3])
        return due

    def take_all(self, kind: str) -> list[Callable[[], None]]:
        """Everything of one kind, whenever it would have been due, in order."""
        with self.lock:
            taken = sorted(entry for entry in self.heap if entry[2] == kind)
            self.heap = [entry for entry in self.heap if entry[2] != kind]
            heapq.heapify(self.heap)
        return [do for *_, do in taken]

    def count(self, kind: str) -> int:
        with self.lock:
            return sum(entry[2] == kind for entry in self.heap)
