"""Labels of leads to learn from, with what must not be forgotten when they are cut into parts: time and groups."""

from dataclasses import dataclass

import numpy as np

from nurture.learning.metrics import Bools, Floats, Ints


@dataclass(frozen=True)
class Examples:
    """n leads of which it is known what became of them; their columns are in a frame or table of n rows beside it."""

    y: Floats  # shape (n,): 1.0 bought, 0.0 did not
    moment: Floats | None = None  # shape (n,): when each row was true, growing with time (days since 2000-01-01)
    groups: Ints | None = None  # shape (n,): rows of one person or account share a number and are never split

    def take(self, rows: Ints | Bools) -> "Examples":
        """Some of them, in the order of `rows`."""
        return Examples(
            self.y[rows],
            None if self.moment is None else self.moment[rows],
            None if self.groups is None else self.groups[rows],
        )

    def __len__(self) -> int:
        return len(self.y)

    @property
    def rarer(self) -> int:
        """How many leads have the rarer of the two outcomes."""
        return int(min(self.y.sum(), (1 - self.y).sum()))

    def by_time(self) -> Ints:
        """Their rows, the oldest first; as they are where there is no time."""
        return np.arange(len(self.y)) if self.moment is None else np.argsort(self.moment, kind="stable")
