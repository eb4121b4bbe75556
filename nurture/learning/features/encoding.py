"""How often leads like this one bought: a number per value, or per pair of values (interactions)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nurture.learning.features.columns import FeatureReader, FeatureTable
from nurture.learning.metrics import Floats, Ints

SMOOTHING = 20.0  # leads' worth of the average, mixed into every small group
CROSSFITS = 5  # parts a training set is cut into, so that no lead is told its own outcome

Part = tuple[str, int]  # ("number" | "level", index of the field)


@dataclass(frozen=True)
class Key:
    """One value, or several together, as a whole number per lead."""

    parts: tuple[Part, ...]
    values: tuple[Floats, ...]  # per part: the sorted values of a number field; empty for levels
    sizes: tuple[int, ...]

    def codes(self, table: FeatureTable) -> Ints:
        """The key's value of every lead, shape (n,)."""
        code = np.zeros(len(table), dtype=np.int64)
        for (kind, i), values, size in zip(self.parts, self.values, self.sizes, strict=True):
            code = code * size + (table.levels[:, i] if kind == "level" else _exact(table.numbers[:, i], values))
        return code


def _exact(numbers: Floats, values: Floats) -> Ints:
    """0 unknown, 1 never seen, then the place of exactly this number."""
    place = np.searchsorted(values, numbers)
    hit = values[np.minimum(place, len(values) - 1)] == numbers
    return np.where(np.isnan(numbers), 0, np.where(hit, place + 2, 1)).astype(np.int64)


def make_key(reader: FeatureReader, table: FeatureTable, parts: Sequence[Part]) -> Key:
    """A key over these fields, with the numbers that this table has."""
    values, sizes = [], []
    for kind, i in parts:
        seen = np.unique(table.numbers[:, i][~np.isnan(table.numbers[:, i])]) if kind == "number" else np.empty(0)
        values.append(seen if len(seen) or kind == "level" else np.zeros(1))
        sizes.append(len(values[-1]) + 2 if kind == "number" else reader.levels[i].size)
    return Key(tuple(parts), tuple(values), tuple(sizes))


@dataclass(frozen=True)
class Encoding:
    """What each key's groups came to in training, as log odds against the average. Small groups are drawn to it."""

    keys: tuple[Key, ...]
    codes: tuple[Ints, ...]
    odds: tuple[Floats, ...]

    def apply(self, table: FeatureTable) -> Floats:
        """The log odds of every key's group, shape (n, keys); 0 for a group that was never seen."""
        made = np.zeros((len(table), len(self.keys)))
        for j, (key, codes, odds) in enumerate(zip(self.keys, self.codes, self.odds, strict=True)):
            code = key.codes(table)
            place = np.minimum(np.searchsorted(codes, code), len(codes) - 1)
            made[:, j] = np.where(codes[place] == code, odds[place], 0.0)
        return made


def learn_encoding(keys: Sequence[Key], table: FeatureTable, y: Floats, parts: Ints) -> tuple[Encoding, Floats]:
    """The encoding for new leads, and the cross-fitted columns for these: each is told about the other parts only."""
    base, made = float(y.mean()), np.zeros((len(table), len(keys)))
    codes, odds = [], []
    for j, key in enumerate(keys):
        seen, group = np.unique(key.codes(table), return_inverse=True)
        n, k = len(seen), CROSSFITS
        rows = np.bincount(parts * n + group, minlength=k * n).reshape(k, n).astype(np.float64)
        hits = np.bincount(parts * n + group, weights=y, minlength=k * n).reshape(k, n)
        made[:, j] = _odds(hits.sum(0) - hits, rows.sum(0) - rows, base)[parts, group]
        codes.append(seen)
        odds.append(_odds(hits.sum(0), rows.sum(0), base))
    return Encoding(tuple(keys), tuple(codes), tuple(odds)), made


def _odds(hits: Floats, rows: Floats, base: float) -> Floats:
    rate = np.clip((hits + SMOOTHING * base) / (rows + SMOOTHING), 1e-4, 1 - 1e-4)
    return np.asarray(np.log(rate / (1 - rate)) - np.log(base / (1 - base)))
