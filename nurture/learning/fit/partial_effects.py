"""The lead every other is compared with, the columns that move together, and roughly what each of them does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nurture.learning.estimators.recipe import FittedModel
from nurture.learning.features.columns import FeatureReader, FeatureTable
from nurture.learning.metrics import Codes, Floats, Ints, ranks

SAMPLE = 3_000  # leads that partial effects are measured on
STEPS = 24  # of a number's partial effect
TOGETHER = 0.7  # association (0–1) from which two columns are one reason: visits and pages, region and branch
LARGEST = 50  # levels of a column that may join a family


@dataclass(frozen=True)
class TypicalLead:
    """A typical lead: per field the median (unknown where most are) or the most frequent level."""

    numbers: Floats
    levels: Codes


@dataclass(frozen=True)
class PartialEffects:
    """Families of raw columns that move together, and the mean effect of being as one is, in log odds.

    `edges` and `effects` go by raw column: the effect of its whole family by this column's bin or level. A column made
    of several fields (text, the time) has none; it is a family of its own.
    """

    families: tuple[tuple[int, ...], ...]
    edges: tuple[Floats, ...]
    effects: tuple[Floats, ...]


def typical_of(table: FeatureTable, zero: Sequence[int] = ()) -> TypicalLead:
    """`zero`: number fields that are compared with nothing at all instead of the middle."""
    numbers = np.full(table.numbers.shape[1], np.nan)
    for j in range(len(numbers)):
        values = table.numbers[:, j]
        known = values[~np.isnan(values)]
        if 2 * len(known) >= len(values) and len(known):
            numbers[j] = np.quantile(known, 0.5, method="lower")
    numbers[list(zero)] = 0.0
    levels = [np.bincount(table.levels[:, j]).argmax() for j in range(table.levels.shape[1])]
    return TypicalLead(numbers, np.array(levels, dtype=np.int32))


def replaced(table: FeatureTable, typical: TypicalLead, reader: FeatureReader, owners: Sequence[int]) -> FeatureTable:
    """The same leads, typical in everything that comes from these raw columns."""
    made = FeatureTable(table.numbers.copy(), table.levels.copy())
    for owner in owners:
        numbers, levels = reader.fields_of(reader.owners[owner])
        made.numbers[:, numbers] = typical.numbers[numbers]
        made.levels[:, levels] = typical.levels[levels]
    return made


def partial_effects(
    learned: FittedModel,
    typical: TypicalLead,
    table: FeatureTable,
    seed: int = 0,
    together: Mapping[str, str] | None = None,
) -> PartialEffects:
    """Measured on a sample of leads. `together`: raw column → its family, where that is known beforehand."""
    few, reader = table.take(np.random.default_rng(seed).permutation(len(table))[:SAMPLE]), learned.reader
    base = learned.log_odds(few)
    edges, effects = [np.empty(0)] * len(reader.owners), [np.empty(0)] * len(reader.owners)
    grouped = families(reader, few) if together is None else _named(reader, together)
    for family in grouped:
        effect = base - learned.log_odds(replaced(few, typical, reader, family))
        for owner in family:
            numbers, levels = reader.fields_of(reader.owners[owner])
            if len(numbers) + len(levels) != 1:
                continue
            if levels:
                effects[owner] = _means(
                    few.levels[:, levels[0]].astype(np.int64), effect, reader.levels[levels[0]].size
                )
            else:
                edges[owner] = _cuts(few.numbers[:, numbers[0]])
                group = bin_of(few.numbers[:, numbers[0]], edges[owner])
                effects[owner] = _means(group, effect, len(edges[owner]) + 2)
    return PartialEffects(grouped, tuple(edges), tuple(effects))


def _named(reader: FeatureReader, together: Mapping[str, str]) -> tuple[tuple[int, ...], ...]:
    found: dict[str, list[int]] = {}
    for i, owner in enumerate(reader.owners):
        found.setdefault(together.get(owner, owner), []).append(i)
    return tuple(tuple(one) for one in found.values())


def families(reader: FeatureReader, table: FeatureTable) -> tuple[tuple[int, ...], ...]:
    """Raw columns that say much the same, together: taking one away while its twin stays would say nothing true."""
    codes: dict[int, Ints] = {}
    numeric: dict[int, Floats] = {}
    for i, owner in enumerate(reader.owners):
        numbers, levels = reader.fields_of(owner)
        if len(numbers) + len(levels) == 1 and owner != reader.time:
            if levels and reader.levels[levels[0]].size <= LARGEST:
                codes[i] = np.unique(table.levels[:, levels[0]], return_inverse=True)[1]
            elif numbers:
                values = table.numbers[:, numbers[0]]
                if np.isnan(values).mean() < 0.5:
                    numeric[i] = ranks(np.where(np.isnan(values), np.nanmedian(values), values))
    grouped: list[list[int]] = []
    for i in range(len(reader.owners)):
        home = next((one for one in grouped if all(_association(i, j, codes, numeric) >= TOGETHER for j in one)), None)
        if home is None:
            grouped.append([i])
        else:
            home.append(i)
    return tuple(tuple(one) for one in grouped)


def _association(i: int, j: int, codes: dict[int, Ints], numeric: dict[int, Floats]) -> float:
    """Rank correlation, Cramér's V, or how much of a number's rank a level tells; 0 where it cannot be said."""
    if i in numeric and j in numeric:
        a, b = numeric[i] - numeric[i].mean(), numeric[j] - numeric[j].mean()
        return float(abs(a @ b) / (np.sqrt((a @ a) * (b @ b)) or 1.0))
    if i in codes and j in codes:
        n, m = int(codes[i].max()) + 1, int(codes[j].max()) + 1
        seen = np.bincount(codes[i] * m + codes[j], minlength=n * m).reshape(n, m) / len(codes[i])
        expected = seen.sum(1, keepdims=True) * seen.sum(0, keepdims=True)
        return float(np.sqrt(np.sum((seen - expected) ** 2 / expected) / (min(n, m) - 1 or 1)))
    if (i in codes and j in numeric) or (j in codes and i in numeric):
        level, number = (codes[i], numeric[j]) if i in codes else (codes[j], numeric[i])
        spread = number.var() or 1.0
        return float(np.sqrt(max(0.0, _means(level, number, int(level.max()) + 1)[level].var() / spread)))
    return 0.0


def bin_of(values: Floats, edges: Floats) -> Ints:
    """The bin of every value: 0 unknown."""
    return np.where(np.isnan(values), 0, np.searchsorted(edges, values, side="right") + 1).astype(np.int64)


def _cuts(values: Floats) -> Floats:
    known = values[~np.isnan(values)]
    cuts = np.unique(known)
    if len(cuts) > STEPS:
        cuts = np.unique(np.quantile(known, np.linspace(0, 1, STEPS)))
    return cuts if len(cuts) else np.zeros(1)


def _means(group: Ints, values: Floats, size: int) -> Floats:
    counts = np.bincount(group, minlength=size)
    return np.asarray(np.bincount(group, weights=values, minlength=size) / np.maximum(counts, 1))
