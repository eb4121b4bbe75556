"""Who learns and who judges: shuffled parts that never split a person or account, or blocks that go forward in time."""

from itertools import pairwise

import numpy as np

from nurture.scorers.measures import Floats, Ints

SMALL = 6_000  # leads up to which folds are repeated
BLOCKS = (0.4, 0.55, 0.7, 0.85, 1.0)  # shares of the time-ordered leads between which the judged blocks lie
LEAST = 5  # of each outcome in every part

Fold = tuple[Ints, Ints]  # rows to learn from, rows to be judged on


def shuffled_folds(y: Floats, groups: Ints | None, k: int, seed: int) -> Ints:
    """A fold number per lead: positives spread evenly, a group never split."""
    rng = np.random.default_rng(seed)
    if groups is not None:
        _, place = np.unique(groups, return_inverse=True)
        n = int(place.max()) + 1
        order = np.lexsort(
            (rng.random(n), np.bincount(place, weights=y, minlength=n))
        )  # alike groups to different folds
        fold_of = np.empty(n, dtype=np.int64)
        fold_of[order] = np.arange(n) % k
        return np.asarray(fold_of[place])
    order = np.lexsort((rng.random(len(y)), y))
    fold = np.empty(len(y), dtype=np.int64)
    fold[order] = np.arange(len(y)) % k
    return fold


def rounds_of_folds(y: Floats, groups: Ints | None, seed: int = 0) -> list[list[Fold]]:
    """Shuffled folds, repeated for small sets."""
    k, repeats = (5, 2) if len(y) <= SMALL else (5, 1) if len(y) <= 20_000 else (3, 1)
    rounds = []
    for again in range(repeats):
        fold = shuffled_folds(y, groups, k, seed + again)
        rounds.append([(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(k)])
    return rounds


def forward_folds(y: Floats, moment: Floats) -> list[Fold]:
    """Blocks of time, each to be judged by what was learned before it; none if a block has too few of an outcome."""
    order = np.argsort(moment, kind="stable")
    cuts = [int(len(y) * share) for share in BLOCKS]
    blocks = [(np.sort(order[:a]), np.sort(order[a:b])) for a, b in pairwise(cuts)]
    enough = all(min(y[part].sum(), (1 - y[part]).sum()) >= LEAST for fold in blocks for part in fold)
    return blocks if enough else []
