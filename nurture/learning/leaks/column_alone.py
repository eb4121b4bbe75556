"""One column, alone: how well it tells the outcome, and whether that gives it away."""

from typing import NamedTuple

import numpy as np
import polars as pl

from nurture.learning.estimators.log_odds import sigmoid
from nurture.learning.estimators.scorecard import fit_scorecard
from nurture.learning.features.columns import plan_features
from nurture.learning.leaks.finding import LeakFinding
from nurture.learning.metrics import Bools, Floats, Ints, auc, auc_error
from nurture.learning.training_data.examples import Examples
from nurture.learning.training_data.schema import BLANK, Column, ColumnKind, read_categories, read_days, read_numbers

FOLDS = 5
TOO_GOOD = 0.95  # AUC of one column alone, two errors below: nobody knows that much beforehand
CERTAIN = 0.95  # share of buyers in a level from which on the level all but says "bought" (or 1 - that)
DECIDED = 0.25  # share of the positives (or negatives) that sit in such levels
TELLING = 0.75  # AUC alone that such a column must have as well
ONE_SIDED = 0.02  # a column is filled in for one outcome only when the other has less than this of its share
FILLED_LATER = 0.70  # AUC of "is it filled in?" alone from which a column is written with the outcome …
FILLED_TIMES = 4.0  # … where one outcome has it so many times as often


class ColumnAlone(NamedTuple):
    """One column, alone."""

    column: Column
    auc: float
    error: float
    rates: dict[str, tuple[int, float]]  # of a category: leads and share of buyers per level
    filled: Bools  # which leads have a value; a number that is often 0 has none there
    written: bool  # empty cells are empty, not 0
    late: float  # share of its dates that lie after the lead's own moment


def filled_in(series: pl.Series) -> Bools:
    """Which cells say anything, shape (n,)."""
    values = read_categories(series)
    return np.asarray((~(values.is_null() | values.str.to_lowercase().is_in(BLANK).fill_null(True))).to_numpy())


class AloneLooker:
    """Looks at columns of one frame; every judgement is of leads in folds that it was not learned from."""

    def __init__(self, frame: pl.DataFrame, examples: Examples, fold: Ints) -> None:
        """`fold`, shape (n,), 0–4: a row of `frame` and an example each."""
        self.frame, self.y, self.fold, self.moment = frame, examples.y, fold, examples.moment
        self.base = float(self.y.mean())

    def judge(self, column: Column) -> ColumnAlone:
        """How well the column tells the outcome by itself, on leads in other folds."""
        series = self.frame[column.name]
        rates: dict[str, tuple[int, float]] = {}
        late, written = 0.0, True
        if column.kind == ColumnKind.TEXT:
            p, rates = self._text(column)
            filled = (~series.is_null()).to_numpy()
        elif column.kind == ColumnKind.CATEGORY:
            values = read_categories(series)
            filled = filled_in(series)
            levels, group = np.unique(values.fill_null("").to_numpy().astype(str), return_inverse=True)
            counts, hits = np.bincount(group), np.bincount(group, weights=self.y)
            rates = {
                str(level): (int(n), hit / n)
                for level, n, hit in zip(levels, counts, hits, strict=True)
                if level and n >= 10
            }
            p = self._rates(group)
        else:
            numbers = read_numbers(series, column) if column.kind == ColumnKind.NUMBER else read_days(series, column)
            filled = present = ~np.isnan(numbers)
            if column.kind == ColumnKind.DATE and self.moment is not None and filled.any():
                numbers = numbers - self.moment
                late = float(np.mean(numbers[filled] > 1))
            if column.kind == ColumnKind.NUMBER and np.mean(numbers == 0) >= 0.3:
                filled, written = present & (numbers != 0), False  # nothing is often written as 0
            edges = (
                np.unique(np.quantile(numbers[present], np.linspace(0.05, 0.95, 19))) if present.any() else np.empty(0)
            )
            p = self._rates(np.where(present, np.searchsorted(edges, numbers, side="right") + 1, 0))
        return ColumnAlone(column, auc(self.y, p), auc_error(self.y, p), rates, filled, written, late)

    def _rates(self, group: Ints) -> Floats:
        """Of every lead: how often its group bought, in the other folds."""
        n, k = int(group.max()) + 1, FOLDS
        rows = np.bincount(self.fold * n + group, minlength=k * n).reshape(k, n)
        hits = np.bincount(self.fold * n + group, weights=self.y, minlength=k * n).reshape(k, n)
        return np.asarray(((hits.sum(0) - hits + self.base) / (rows.sum(0) - rows + 1.0))[self.fold, group])

    def _text(self, column: Column) -> tuple[Floats, dict[str, tuple[int, float]]]:
        """Cross-fitted scores of a text column, and how often the leads with a word bought."""
        reader = plan_features(self.frame, [column])
        table, p = reader.read(self.frame), np.zeros(len(self.y))
        for i in range(FOLDS):
            apart = self.fold == i
            p[apart] = fit_scorecard(reader, table.take(~apart), self.y[~apart], 0.1).points_of(table.take(apart))
        says = {one.word: table.numbers[:, j] > 0 for j, one in enumerate(reader.numbers) if one.word}
        rates = {word: (int(leads.sum()), float(self.y[leads].mean())) for word, leads in says.items() if leads.any()}
        return sigmoid(p), rates

    def accuse(self, seen: ColumnAlone) -> LeakFinding | None:
        """What the column alone gives away."""
        name, sure = seen.column.name, seen.auc - 2 * seen.error
        if why := self._one_sided(seen):
            return LeakFinding(name, True, why, seen.auc)
        if sure >= TOO_GOOD:
            return LeakFinding(
                name, True, f"Alone it ranks {seen.auc:.1%} of all pairs of leads right: too good to be true.", seen.auc
            )
        if seen.auc >= TELLING and (why := self._decided(seen)):
            return LeakFinding(name, True, why, seen.auc)
        if seen.late >= 0.2 and sure > 0.55:
            return LeakFinding(
                name, True, f"{seen.late:.0%} of its dates lie after the moment the lead is judged at.", seen.auc
            )
        return None

    def _one_sided(self, seen: ColumnAlone) -> str:
        """Filled in for one outcome only?"""
        share = seen.filled.mean()
        if not 0.005 <= share <= 0.995:
            return ""
        bought, n = float(self.y[seen.filled].sum()), float(seen.filled.sum())
        if n * (1 - self.base) >= 20 and n - bought <= ONE_SIDED * n * (1 - self.base):
            return f"It is filled in for {n:,.0f} leads, and {bought / n:.0%} of them bought: it comes afterwards."
        if n * self.base >= 20 and bought <= ONE_SIDED * n * self.base:
            return f"It is filled in for {n:,.0f} leads, and next to none of them bought: it comes afterwards."
        of_won, of_lost = bought / (len(self.y) * self.base), (n - bought) / (len(self.y) * (1 - self.base))
        times = max(of_won, of_lost) / max(min(of_won, of_lost), 1e-9)
        if seen.written and 0.5 + abs(of_won - of_lost) / 2 >= FILLED_LATER and times >= FILLED_TIMES:
            return (
                f"It is filled in for {of_won:.0%} of those who bought and {of_lost:.0%} of the others: it is written "
                "with the outcome."
            )
        return ""

    def _decided(self, seen: ColumnAlone) -> str:
        """Do a few levels all but say the outcome?"""
        high, low = max(CERTAIN, 1 - (1 - self.base) / 8), min(1 - CERTAIN, self.base / 8)
        if seen.column.kind == ColumnKind.TEXT:
            for word, (n, rate) in seen.rates.items():
                if rate >= high and n * rate >= DECIDED * self.y.sum():
                    return f'Of the leads where it says "{word}", {rate:.0%} bought: it was written afterwards.'
            return ""
        won = {level: (n, rate) for level, (n, rate) in seen.rates.items() if rate >= high}
        gone = {level: (n, rate) for level, (n, rate) in seen.rates.items() if rate <= low}
        of_won = sum(n * rate for n, rate in won.values()) / self.y.sum()
        of_gone = sum(n * (1 - rate) for n, rate in gone.values()) / (1 - self.y).sum()
        if of_won >= DECIDED:
            best = max(won, key=lambda level: won[level][0])
            rate = won[best][1]
            return (
                f'Of the leads where it says "{best}", {rate:.0%} bought; such values decide {of_won:.0%} of all sales.'
            )
        if of_won + of_gone >= 2 * DECIDED and of_won >= DECIDED / 3:
            best = max(gone, key=lambda level: gone[level][0])
            return (
                f'Of the leads where it says "{best}", {gone[best][1]:.0%} bought; its values all but say the outcome.'
            )
        return ""
