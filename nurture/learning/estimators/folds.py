"""Who learns and who judges: shuffled parts that never split a person or account, or blocks that go forward in time."""

from itertools import pairwise

import numpy as np

from nurture.learning.metrics import Floats, Ints

SMALL = 6_000  # leads up to which folds are repeated
BLOCKS = (0.4, 0.55, 0.7, 0.85, 1.0)  # shares of the time-ordered leads between which the judged blocks lie
LEAST = 5  # of each outcome in every part
SNAPSHOTS = 24  # so many different moments, or fewer, are snapshots: none is cut, the judges are the latest of them
JUDGED = 4  # of them

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
    if (moments := snapshots(moment)) is not None:
        folds = [(np.flatnonzero(moment < one), np.flatnonzero(moment == one)) for one in moments[1:][-JUDGED:]]
        folds = [fold for fold in folds if _enough(y, fold)]
        return folds if len(folds) > 1 else []
    order = np.argsort(moment, kind="stable")
    cuts = [int(len(y) * share) for share in BLOCKS]
    blocks = [(np.sort(order[:a]), np.sort(order[a:b])) for a, b in pairwise(cuts)]
    return blocks if all(_enough(y, fold) for fold in blocks) else []


def snapshots(moment: Floats) -> Floats | None:
    """The moments in their order, where all leads were looked at at a few; None where every lead has a time of its own.

    Leads of one moment know nothing of each other's outcome: learning from some to judge the others would be cheating.
    """
    moments = np.unique(moment)
    return moments if len(moments) <= SNAPSHOTS else None


def _enough(y: Floats, fold: Fold) -> bool:
    return all(min(y[part].sum(), (1 - y[part]).sum()) >= LEAST for part in fold)
