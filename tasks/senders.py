"""Senders: the requests under way, each in a thread of its own, and never more letters than may be in doubt at once."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from nurture.rules import brakes

T = TypeVar("T")


class Senders(Generic[T]):
    """With one request at a time there are no threads, and everything is in order."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.pool = ThreadPoolExecutor(at_once, "sender") if at_once > 1 else None
        self.under_way: dict[Future[T], int] = {}

    def __enter__(self) -> "Senders[T]":
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool:
            self.pool.shutdown()  # waits: what has left must be written down

    @property
    def busy(self) -> bool:
        return bool(self.under_way)

    @property
    def carrying(self) -> int:
        return sum(self.under_way.values())

    def has_room(self, letters: int) -> bool:
        """A power cut leaves everything under way in doubt, so there is a limit to that too."""
        few = self.carrying + letters <= brakes.MOST_IN_DOUBT
        return not self.busy or (len(self.under_way) < self.at_once and few)

    def give(self, letters: int, work: Callable[[], T]) -> list[T]:
        """Have it done. What is done already is returned."""
        if self.pool is None:
            return [work()]
        self.under_way[self.pool.submit(work)] = letters
        return []

    def next_answers(self) -> list[T]:
        """Wait until at least one request has its answer."""
        done, _ = wait(self.under_way, return_when=FIRST_COMPLETED)
        for future in done:
            del self.under_way[future]
        return [future.result() for future in done]
