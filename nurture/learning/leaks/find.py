"""Too good to be true? Finds columns that were written once the outcome was known; they are named and left out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypedDict

import numpy as np
import polars as pl

from nurture.learning.estimators.folds import shuffled_folds
from nurture.learning.estimators.forest import TreeSettings, fit_forest
from nurture.learning.estimators.log_odds import sigmoid
from nurture.learning.estimators.scorecard import fit_scorecard
from nurture.learning.features.columns import plan_features
from nurture.learning.metrics import Bools, Floats, Ints, auc, auc_error
from nurture.learning.training_data.examples import Examples
from nurture.learning.training_data.options import NO_OPTIONS, TrainingOptions
from nurture.learning.training_data.schema import (
    BLANK,
    Column,
    ColumnKind,
    read_categories,
    read_days,
    read_numbers,
    spoken,
)

MOST_ROWS = 20_000
FOLDS = 5
TOO_GOOD = 0.95  # AUC of one column alone, two errors below: nobody knows that much beforehand
STRONG = 0.90  # alone, and better than everything else together by BEYOND
BEYOND = 0.03
CLOSE = 0.08
STRIKING = 0.80  # alone and as good as everything else together: reported, kept
CERTAIN = 0.95  # share of buyers in a level from which on the level all but says "bought" (or 1 - that)
DECIDED = 0.25  # share of the positives (or negatives) that sit in such levels
TELLING = 0.75  # AUC alone that such a column must have as well
ONE_SIDED = 0.02  # a column is filled in for one outcome only when the other has less than this of its share
HINTED = 0.60  # AUC alone that is enough where the name, too, says "afterwards"


class Hint(NamedTuple):
    """What a column's name says about when it is written."""

    words: re.Pattern[str]
    least: float  # AUC alone from which the column is left out
    why: str
    dominant: bool = False  # and only if it knows about as much as all other columns together


# Names prove nothing: each is believed only as far as the column also tells the outcome.
HINTS = (
    Hint(
        re.compile(
            r"\b(won|lost|loss|closed?|closing|churned|converted|conversion|outcome|signed|invoiced?)\b|\bdeal\b|"
            r"\b(lead|opportunity|sales|deal) (stage|status)\b|\babschluss|\bcerrad[oa]\b|\bcierre\b"
        ),
        HINTED,
        "its name speaks of the outcome itself",
    ),
    Hint(
        re.compile(
            r"\belapsed\b|\bstage changes?\b|\bdays (in|to|through|until|identified|validated|qualified|open)\b|"
            r"\btime (to|in) (stage|close|convert)|\bcycle (time|length|days)\b|"
            r"\b(call|talk) duration\b|\bcalls? (length|minutes)\b"
        ),
        0.55,
        "it is measured while the deal runs its course",
    ),
    Hint(
        re.compile(
            r"\btags?\b|\bquality\b|\bdisposition\b|\bnotable\b|\bverdict\b|\b(dis)?qualifi(ed|cation)\b|\b(remarks?|notes)\b|"
            r"\b(call|meeting|visit) (result|outcome)\b|\blead (rating|grade)\b|\breject(ed|ion)\b|"
            r"\breason (lost|closed|for)\b|\b(closure|churn) reason\b"
        ),
        HINTED,
        "it is somebody's judgement, written while or after the lead was worked",
    ),
    Hint(
        re.compile(r"\bduration\b|\bdauer\b|\bduraci[oó]n\b|\bdurata\b"),
        0.70,
        "it is known only when the conversation is over",
        dominant=True,
    ),
    Hint(
        re.compile(r"\b(predicted|prediction|propensity|forecast|probability|likelihood)\b"),
        0.80,
        "it is somebody else's forecast",
    ),
    Hint(
        re.compile(
            r"\blast (\w+ )?(activity|modified|updated?|contacted|contact|status|touch|change)\b|\b(modified|updated)\b"
        ),
        0.85,
        "it moves on after the lead was created, perhaps with the outcome",
    ),
)
BEFORE = re.compile(r"\b(prev|previous|prior|past|earlier|former)\b")


class SavedFinding(TypedDict):
    """A leak finding as JSON."""

    column: str
    left_out: bool
    why: str
    alone: float


@dataclass(frozen=True)
class LeakFinding:
    """What the guard says about a column: `left_out`, or only worth a look. `alone` is its AUC by itself."""

    column: str
    left_out: bool
    why: str
    alone: float

    def as_dict(self) -> SavedFinding:
        """The finding as JSON."""
        return {"column": self.column, "left_out": self.left_out, "why": self.why, "alone": round(self.alone, 4)}


def find_leaks(
    frame: pl.DataFrame,
    columns: Sequence[Column],
    examples: Examples,
    options: TrainingOptions = NO_OPTIONS,
    seed: int = 0,
) -> list[LeakFinding]:
    """Look at every column alone and all others together, on the training rows. The strongest finding comes first.

    `frame` has a row per example. `options.keep` names columns that stay whatever is found; they are still reported.
    The column `options.time` is not judged. Columns are judged by cross-fitted AUC, so a column of names is not accused
    of being unique.
    """
    rows = _some(examples.y, seed)
    few = examples.take(rows)
    guard = _LeakDetector(frame[rows], few, shuffled_folds(few.y, few.groups, FOLDS, seed + 17))
    time, keep = options.time, options.keep
    looked = [guard.look(one) for one in columns if one.kind != ColumnKind.NOTHING and one.name != time]
    found = {seen.column.name: finding for seen in looked if (finding := guard.accuse(seen))}
    doubted = [
        seen for seen in looked if seen.column.name not in found and (seen.auc >= STRIKING or _hint(seen.column.name))
    ]
    innocent = [seen.column for seen in looked if seen.column.name not in found and not _hint(seen.column.name)]
    for seen in doubted:
        if accused := guard.compare(seen, [one for one in innocent if one != seen.column]):
            found[seen.column.name] = accused
    kept = set(keep)
    answer = [
        replace(one, left_out=False, why=f"{one.why} It is kept because you said so.")
        if one.left_out and one.column in kept
        else one
        for one in found.values()
    ]
    return sorted(answer, key=lambda one: (not one.left_out, -one.alone))


class _ColumnAlone(NamedTuple):
    """One column, alone."""

    column: Column
    auc: float
    error: float
    rates: dict[str, tuple[int, float]]  # of a category: leads and share of buyers per level
    filled: Bools  # which leads have a value
    late: float  # share of its dates that lie after the lead's own moment


class _LeakDetector:
    """Looks at columns of one frame; every judgement is of leads in folds that it was not learned from."""

    def __init__(self, frame: pl.DataFrame, examples: Examples, fold: Ints) -> None:
        self.frame, self.y, self.fold, self.moment = frame, examples.y, fold, examples.moment
        self.base = float(self.y.mean())

    def look(self, column: Column) -> _ColumnAlone:
        series = self.frame[column.name]
        rates: dict[str, tuple[int, float]] = {}
        late = 0.0
        if column.kind == ColumnKind.TEXT:
            p, rates = self._text(column)
            filled = (~series.is_null()).to_numpy()
        elif column.kind == ColumnKind.CATEGORY:
            values = read_categories(series)
            filled = (~(values.is_null() | values.str.to_lowercase().is_in(BLANK).fill_null(True))).to_numpy()
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
                filled = present & (numbers != 0)  # nothing is often written as 0
            edges = (
                np.unique(np.quantile(numbers[present], np.linspace(0.05, 0.95, 19))) if present.any() else np.empty(0)
            )
            p = self._rates(np.where(present, np.searchsorted(edges, numbers, side="right") + 1, 0))
        return _ColumnAlone(column, auc(self.y, p), auc_error(self.y, p), rates, filled, late)

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

    def together(self, columns: Sequence[Column]) -> float:
        """AUC of quick trees on these columns."""
        if not columns:
            return 0.5
        reader = plan_features(self.frame, columns)
        table, p = reader.read(self.frame), np.zeros(len(self.y))
        nothing = np.empty((len(self.y), 0))
        for i in range(2):
            apart = self.fold % 2 == i
            forest = fit_forest(reader, table.take(~apart), nothing[~apart], self.y[~apart], TreeSettings("quick", 40))
            p[apart] = forest.log_odds(table.take(apart), nothing[apart])
        return auc(self.y, p)

    def accuse(self, seen: _ColumnAlone) -> LeakFinding | None:
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

    def _one_sided(self, seen: _ColumnAlone) -> str:
        """Filled in for one outcome only?"""
        share = seen.filled.mean()
        if not 0.005 <= share <= 0.995:
            return ""
        bought, n = float(self.y[seen.filled].sum()), float(seen.filled.sum())
        if n * (1 - self.base) >= 20 and n - bought <= ONE_SIDED * n * (1 - self.base):
            return f"It is filled in for {n:,.0f} leads, and {bought / n:.0%} of them bought: it comes afterwards."
        if n * self.base >= 20 and bought <= ONE_SIDED * n * self.base:
            return f"It is filled in for {n:,.0f} leads, and next to none of them bought: it comes afterwards."
        return ""

    def _decided(self, seen: _ColumnAlone) -> str:
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

    def compare(self, seen: _ColumnAlone, innocent: Sequence[Column]) -> LeakFinding | None:
        """Its name, and how much it knows beside all innocent columns together."""
        hint, sure = _hint(seen.column.name), seen.auc - 2 * seen.error
        if hint and not hint.dominant and sure > 0.5 and seen.auc >= hint.least:
            return LeakFinding(
                seen.column.name,
                True,
                f"{_sentence(hint.why)} Alone it ranks {seen.auc:.0%} of all pairs of leads right.",
                seen.auc,
            )
        if seen.auc < STRIKING and not (hint and hint.dominant and seen.auc >= hint.least):
            return (
                LeakFinding(
                    seen.column.name,
                    False,
                    f"{_sentence(hint.why)} It is kept: was it known when the lead came in?",
                    seen.auc,
                )
                if hint
                else None
            )
        others = self.together(innocent)
        alone = f"Alone it ranks {seen.auc:.0%} of all pairs of leads right, all other columns together {others:.0%}"
        if hint and hint.dominant and seen.auc >= hint.least and seen.auc >= others - CLOSE:
            return LeakFinding(seen.column.name, True, f"{_sentence(hint.why)} {alone}.", seen.auc)
        if sure >= STRONG - 0.02 and seen.auc >= max(STRONG, others + BEYOND):
            return LeakFinding(seen.column.name, True, f"{alone}: too good to be true.", seen.auc)
        if seen.column.kind == ColumnKind.TEXT and seen.auc >= others + BEYOND:
            return LeakFinding(seen.column.name, True, f"{alone}: somebody wrote down how it ended.", seen.auc)
        if hint or seen.auc >= others:
            return LeakFinding(seen.column.name, False, f"{alone}. Was it known when the lead came in?", seen.auc)
        return None


def _hint(name: str) -> Hint | None:
    words = spoken(name)
    return None if BEFORE.search(words) else next((hint for hint in HINTS if hint.words.search(words)), None)


def _sentence(why: str) -> str:
    return why[0].upper() + why[1:] + "."


def _some(y: Floats, seed: int) -> Ints:
    if len(y) <= MOST_ROWS:
        return np.arange(len(y))
    return np.sort(np.random.default_rng(seed).permutation(len(y))[:MOST_ROWS])
