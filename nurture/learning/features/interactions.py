"""Interactions: values, and pairs of values, that tell what the trees missed."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from nurture.learning.features.columns import MOST_LEVELS, FeatureReader, FeatureTable
from nurture.learning.features.encoding import Key, Part, make_key
from nurture.learning.metrics import Floats, Ints

MOST_KEYS = 8
MOST_PAIRED = 24  # fields that are looked at in pairs
MOST_VALUES = 20_000  # of a number that is looked at value by value
EVIDENCE = 3.0  # standard errors a key must pay by; the model selection then judges it once more
DRAWN = 20.0  # leads' worth of nothing, mixed into every group

KeyParts = tuple[Part, ...]


def find_interactions(
    reader: FeatureReader, table: FeatureTable, rest: Floats, fold: Ints, forward: bool
) -> list[KeyParts]:
    """The keys that pay, the best first, each judged after those before it.

    `rest` is what the trees got wrong (outcome minus probability) on leads they had not seen. A group's mean in the
    other folds, or in order of time in the earlier ones, foretells its mean in this fold, or it does not.
    """
    singles = _singles(reader, table)
    groups = {one: _groups(reader, table, one) for one in singles}
    strength = {one: _gain(group, rest, fold, forward)[1] for one, group in groups.items()}
    wide = {one for one in singles if one[0][0] == "number" or reader.levels[one[0][1]].size > MOST_LEVELS}
    strongest = sorted(singles, key=lambda one: -strength[one] - (0.5 if one in wide else 0.0))[:MOST_PAIRED]
    for a, b in combinations(strongest, 2):
        groups[(*a, *b)] = _groups(reader, table, (*a, *b))
    chosen: list[KeyParts] = []
    while len(chosen) < MOST_KEYS and groups:
        told = {one: _gain(group, rest, fold, forward) for one, group in groups.items()}
        best = max(told, key=lambda one: told[one][0])
        saved, evidence, prediction = told[best]
        if saved <= 0 or evidence < EVIDENCE:
            break
        chosen.append(best)
        rest = rest - prediction
        promising = sorted(told, key=lambda one: -told[one][0])[: max(20, len(told) // 2)]
        groups = {one: groups[one] for one in promising if one != best}
    return chosen


def interaction_keys(reader: FeatureReader, table: FeatureTable, chosen: Sequence[KeyParts]) -> tuple[Key, ...]:
    """The chosen interactions as keys over this table."""
    return tuple(make_key(reader, table, one) for one in chosen)


def _singles(reader: FeatureReader, table: FeatureTable) -> list[KeyParts]:
    """Levels, and numbers whose values come again."""
    found: list[KeyParts] = []
    for i, one in enumerate(reader.numbers):
        known = table.numbers[:, i][~np.isnan(table.numbers[:, i])]
        if one.how == "value" and 2 < len(np.unique(known)) <= min(MOST_VALUES, len(known) / 2):
            found.append((("number", i),))
    return found + [(("level", i),) for i in range(len(reader.levels))]


def _groups(reader: FeatureReader, table: FeatureTable, parts: KeyParts) -> Ints:
    return np.unique(make_key(reader, table, parts).codes(table), return_inverse=True)[1]


def _gain(group: Ints, rest: Floats, fold: Ints, forward: bool) -> tuple[float, float, Floats]:
    """What a grouping tells of the residuals in other folds: squared error saved, standard errors, the prediction."""
    n, k = int(group.max()) + 1, int(fold.max()) + 1
    rows = np.bincount(fold * n + group, minlength=k * n).reshape(k, n).astype(np.float64)
    sums = np.bincount(fold * n + group, weights=rest, minlength=k * n).reshape(k, n)
    if forward:
        others, told = np.cumsum(rows, 0) - rows, np.cumsum(sums, 0) - sums
    else:
        others, told = rows.sum(0) - rows, sums.sum(0) - sums
    prediction = np.asarray((told / (others + DRAWN))[fold, group])
    hits = rest * prediction
    return float((2 * hits - prediction**2).sum()), float(hits.sum() / (np.sqrt(np.sum(hits**2)) or 1.0)), prediction
