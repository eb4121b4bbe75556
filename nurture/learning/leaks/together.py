"""Columns together: how much some of them know beside all others, and what the model does when they are still blank."""

from collections.abc import Collection, Sequence
from itertools import combinations

import numpy as np
import polars as pl

from nurture.learning.estimators.forest import TreeSettings, fit_forest
from nurture.learning.features.columns import MISSING, FeatureReader, FeatureTable, plan_features
from nurture.learning.leaks.finding import LeakCost
from nurture.learning.metrics import Floats, Ints, auc
from nurture.learning.training_data.schema import Column

RELATED = 0.08  # normalised mutual information (0–1) from which two columns are measured together
BINS, LEVELS = 10, 12
TREES = TreeSettings("quick", 40)


class Together:
    """Quick trees on any set of columns, judged on leads of the other half; what was asked once is remembered."""

    def __init__(self, frame: pl.DataFrame, columns: Sequence[Column], y: Floats, fold: Ints) -> None:
        """A row of `frame` per label in `y`, shape (n,); `fold`, shape (n,), cuts them in two by its parity."""
        self.reader = plan_features(frame, columns)
        self.table, self.y, self.half = self.reader.read(frame), y, fold % 2
        self.asked: dict[frozenset[str], float] = {}

    def auc(self, names: Collection[str]) -> float:
        """AUC of trees on these columns."""
        key = frozenset(names)
        if key not in self.asked:
            self.asked[key] = auc(self.y, self._log_odds(key)[0]) if key else 0.5
        return self.asked[key]

    def cost(self, name: str, others: Collection[str]) -> LeakCost:
        """What one column is worth beside others, and what becomes of a model that knew it when it is blank."""
        key = frozenset((*others, name))
        there, blank = self._log_odds(key, name)
        self.asked[key] = auc(self.y, there)
        return LeakCost(self.asked[key], auc(self.y, blank), self.auc(others))

    def _log_odds(self, names: frozenset[str], blank: str | None = None) -> tuple[Floats, Floats]:
        """Log odds of every lead, shape (n,), and the same with one column blank."""
        reader, table = _part(self.reader, self.table, names)
        hidden = table if blank is None else _blanked(reader, table, blank)
        nothing, there, without = np.empty((len(table), 0)), np.zeros(len(table)), np.zeros(len(table))
        for i in range(2):
            apart = self.half == i
            forest = fit_forest(reader, table.take(~apart), nothing[~apart], self.y[~apart], TREES)
            there[apart] = forest.log_odds(table.take(apart), nothing[apart])
            if blank is not None:
                without[apart] = forest.log_odds(hidden.take(apart), nothing[apart])
        return there, without

    def blocks(self) -> list[list[str]]:
        """Columns that are measured together, by their names; every column is in one block."""
        codes = {name: _codes(self.reader, self.table, name) for name in self.reader.owners}
        block = {name: {name} for name in codes}
        for one, other in combinations(codes, 2):
            if block[one] is not block[other] and relation(codes[one], codes[other]) >= RELATED:
                merged = block[one] | block[other]
                block |= dict.fromkeys(merged, merged)
        return [sorted(one) for one in {id(one): one for one in block.values()}.values()]


def relation(a: Ints, b: Ints) -> float:
    """Normalised mutual information (0–1) of two columns of whole numbers from 0, less what chance alone gives."""
    n, m, rows = int(a.max()) + 1, int(b.max()) + 1, len(a)
    share = np.bincount(a * m + b, minlength=n * m).reshape(n, m) / rows
    of_a, of_b = share.sum(1), share.sum(0)
    expected = of_a[:, None] * of_b[None, :]
    some = share > 0
    mutual = float(np.sum(share[some] * np.log(share[some] / expected[some])))
    mutual -= (np.count_nonzero(of_a) - 1) * (np.count_nonzero(of_b) - 1) / (2 * rows)
    least = min(-float(np.sum(p[p > 0] * np.log(p[p > 0]))) for p in (of_a, of_b))
    return max(mutual, 0.0) / max(least, 1e-9)


def _codes(reader: FeatureReader, table: FeatureTable, name: str) -> Ints:
    """A column as few whole numbers from 0: tenths of a number, or the most frequent levels."""
    numbers, levels = reader.fields_of(name)
    if levels:
        found, codes, counts = np.unique(table.levels[:, levels[0]], return_inverse=True, return_counts=True)
        places = np.full(len(found), LEVELS - 1)
        top = np.argsort(-counts, kind="stable")[: LEVELS - 1]
        places[top] = np.arange(len(top))
        return np.asarray(places[codes], dtype=np.int64)
    values = table.numbers[:, numbers[0]]
    gone = np.isnan(values)
    known = values[~gone]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.empty(0)
    return np.where(gone, 0, np.searchsorted(edges, values, side="right") + 1).astype(np.int64)


def _part(reader: FeatureReader, table: FeatureTable, names: frozenset[str]) -> tuple[FeatureReader, FeatureTable]:
    """The reader and the table of some raw columns only."""
    numbers = [i for i, one in enumerate(reader.numbers) if one.owner in names]
    levels = [i for i, one in enumerate(reader.levels) if one.owner in names]
    some = FeatureReader(
        tuple(one for one in reader.columns if one.name in names),
        tuple(reader.numbers[i] for i in numbers),
        tuple(reader.levels[i] for i in levels),
        reader.time,
        reader.newest,
    )
    return some, FeatureTable(table.numbers[:, numbers], table.levels[:, levels])


def _blanked(reader: FeatureReader, table: FeatureTable, name: str) -> FeatureTable:
    """The same leads with one raw column unknown."""
    numbers, levels = reader.fields_of(name)
    made = FeatureTable(table.numbers.copy(), table.levels.copy())
    made.numbers[:, numbers], made.levels[:, levels] = np.nan, MISSING
    return made
