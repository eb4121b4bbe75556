"""Senders: the requests under way, each in a thread of its own, never with more letters than may become unknown."""

import gc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import TracebackType
from typing import Generic, TypeVar

from nurture.rules.delivery import circuit_breaker

T = TypeVar("T")
R = TypeVar("R")
MADE_BEFORE_A_LOOK = 100_000  # objects


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Python looks for cycles each time 700 objects more have been made; a thousand letters are many thousand objects
    and no cycle. Looking as seldom as this takes a sixth off the whole run, and no memory that one would notice."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(max(usual[0], MADE_BEFORE_A_LOOK), *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


class Senders(Generic[T]):
    """With one request at a time there are no threads, and everything is in order."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.pool = ThreadPoolExecutor(at_once, "sender") if at_once > 1 else None
        self.crew = ThreadPoolExecutor(at_once, "channel") if at_once > 1 else None
        self.under_way: dict[Future[T], tuple[int, int]] = {}  # letters and requests

    def __enter__(self) -> "Senders[T]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool in (self.pool, self.crew):
            if pool:
                pool.shutdown()  # waits: what has left must be written down

    @property
    def busy(self) -> bool:
        """Is any request under way?"""
        return bool(self.under_way)

    @property
    def carrying(self) -> int:
        """Letters in the requests under way."""
        return sum(letters for letters, _ in self.under_way.values())

    def has_room(self, letters: int, requests: int = 1) -> bool:
        """May these letters leave now? A power cut leaves everything under way unknown, so that has a limit too."""
        few = self.carrying + letters <= circuit_breaker.MOST_UNKNOWN
        out = sum(requests for _, requests in self.under_way.values())
        return not self.busy or (out + requests <= self.at_once and few)

    def submit(self, letters: int, work: Callable[[], T], requests: int = 1) -> list[T]:
        """Have a request made, in a thread where there are any. Returns the results that are there already."""
        if self.pool is None:
            return [work()]
        self.under_way[self.pool.submit(work)] = letters, requests
        return []

    def next_answers(self) -> list[T]:
        """Wait until at least one request has its answer."""
        done, _ = wait(self.under_way, return_when=FIRST_COMPLETED)
        for future in done:
            del self.under_way[future]
        return [future.result() for future in done]

    def together(self, works: Sequence[Callable[[], R]]) -> Iterator[dict[int, R]]:
        """Have works done at the same time. Results are handed out as they come, by position.

        A work that fails is told when the others are done: their results must be written down.
        """
        if self.crew is None:
            yield from ({n: work()} for n, work in enumerate(works))
            return
        waiting = {self.crew.submit(work): n for n, work in enumerate(works)}
        failed: list[BaseException] = []
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            found = {waiting.pop(future): future for future in done}
            failed += [error for future in found.values() if (error := future.exception())]
            if well := {n: future.result() for n, future in found.items() if not future.exception()}:
                yield well
        if failed:
            raise failed[0]
