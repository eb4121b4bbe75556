"""What a file has named so far, in 24 bytes a name: so a mailbox's second row is met, however long the file is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Names = Sequence[str | None]  # one per row: its key, or its address
Table = NDArray[np.int64]  # hash of a name, the line it stands in, hash of what that row said; sorted by the first


class EarlierRow(NamedTuple):
    """A row of the same file that named the same thing before."""

    line: int
    same: bool  # word for word
    which: int  # which of the row's names was there already


class DuplicateIndex:
    """Sorted arrays instead of a dict: a million names in 24 MB instead of 200."""

    def __init__(self) -> None:
        self.big: Table = np.empty((3, 0), np.int64)
        self.recent: Table = np.empty((3, 0), np.int64)

    def find_earlier(
        self, lines: Sequence[int], names: Sequence[Names], said: Sequence[int]
    ) -> list[EarlierRow | None]:
        """For each row: the earlier one that has one of its names, or None. Those without are remembered.

        `names` holds, for each way to name a row, one name per row; `said` is a hash of everything in the row.
        """
        found: list[EarlierRow | None] = [None] * len(lines)
        hashed = [[hash((which, name)) if name else 0 for name in some] for which, some in enumerate(names)]
        for which, hashes in enumerate(hashed):
            self._find_in_earlier_sets(np.array(hashes, np.int64), said, which, found)
        if any(len(set(hashes)) < len(hashes) for hashes in hashed):
            _find_in_this_set(hashed, lines, said, found)
        new = [i for i, earlier in enumerate(found) if earlier is None]
        for hashes in hashed:
            rows = [i for i in new if hashes[i]]
            columns = [[hashes[i] for i in rows], [lines[i] for i in rows], [said[i] for i in rows]]
            self._remember(np.array(columns, np.int64))
        return found

    def _find_in_earlier_sets(
        self, hashes: NDArray[np.int64], said: Sequence[int], which: int, found: list[EarlierRow | None]
    ) -> None:
        for known in (self.big, self.recent):
            if known.shape[1]:
                at = np.minimum(np.searchsorted(known[0], hashes), known.shape[1] - 1)
                for i in map(int, np.flatnonzero((known[0][at] == hashes) & (hashes != 0))):
                    found[i] = EarlierRow(int(known[1][at[i]]), int(known[2][at[i]]) == said[i], which)

    def _remember(self, new: Table) -> None:
        self.recent = _sorted(np.hstack([self.recent, new]))
        if self.recent.shape[1] * 8 > self.big.shape[1]:  # seldom enough that sorting the big one does not count
            self.big, self.recent = _sorted(np.hstack([self.big, self.recent])), self.recent[:, :0]


def _find_in_this_set(
    hashed: Sequence[Sequence[int]], lines: Sequence[int], said: Sequence[int], found: list[EarlierRow | None]
) -> None:
    first: dict[int, int] = {}
    for i in range(len(lines)):
        names = [hashes[i] for hashes in hashed]
        for which, name in enumerate(names):
            if found[i] is None and name and name in first:
                found[i] = EarlierRow(lines[first[name]], said[first[name]] == said[i], which)
        if found[i] is None:
            first.update((name, i) for name in names if name)


def _sorted(rows: Table) -> Table:
    return rows[:, np.argsort(rows[0], kind="stable")]
