"""Three ways to learn who buys: a scorecard of straight lines, many small trees, and both together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import scipy.sparse  # type: ignore[import-untyped]
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from nurture.learning.features.columns import MOST_LEVELS, Codes, Encoding, Key, Reader, Table, learn_encoding
from nurture.learning.judge.metrics import Floats, Ints

QUANTILES = (0.0, 0.03, 0.15, 0.3, 0.5, 0.7, 0.85, 0.97, 1.0)  # where a scorecard's lines may bend
TREES: dict[str, dict[str, Any]] = {
    "quick": {"learning_rate": 0.1, "max_leaf_nodes": 31, "min_samples_leaf": 20},
    "careful": {
        "learning_rate": 0.06,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 40,
        "l2_regularization": 5.0,
        "max_features": 0.5,
    },
}
ROUNDS = {"quick": 100, "careful": 200}  # at most; how many is chosen on leads kept apart


MANY = 100_000  # rows from which threads pay even on a busy machine; below, they mostly wait for each other


@cache
def _pools() -> Any:
    return ThreadpoolController()


def few_threads(rows: int) -> Any:
    """A context in which small trainings, and scoring, keep to one core."""
    return _pools().limit(limits=1 if rows < MANY else None)


@dataclass(frozen=True)
class Recipe:
    """What to learn with. Chosen by the contest, followed by every later training on the same columns."""

    penalty: float | None = 0.2  # C of the scorecard; None leaves it out
    trees: str | None = "careful"  # a name in TREES; None leaves them out
    rounds: int = 150
    weight: float = 0.3  # of the scorecard, in log odds; 1 without trees, 0 without scorecard
    keys: tuple[Key, ...] = ()  # crossed features
    window: int | None = None  # newest leads whose base rate the scores are brought to, where the world moves
    seed: int = 0

    @property
    def name(self) -> str:
        crossed = " with crossed features" if self.keys else ""
        if self.weight >= 1 or self.trees is None:
            return "logistic regression with splines"
        if self.weight <= 0 or self.penalty is None:
            return f"gradient boosting{crossed}"
        return f"blend of logistic regression ({self.weight:.0%}) and gradient boosting{crossed}"


@dataclass(frozen=True)
class Scorecard:
    """Logistic regression as tables: per number a line with bends, per level its points. Points are log odds."""

    start: float
    bends: tuple[Floats, ...]  # per number field: where the line bends
    heights: tuple[Floats, ...]  # its points there; flat outside
    unknown: Floats  # points of a missing number
    points: tuple[Floats, ...]  # per level field: points by code

    def points_of(self, table: Table) -> Floats:
        """Log odds of every lead."""
        total = np.full(len(table), self.start)
        for j, (bends, heights) in enumerate(zip(self.bends, self.heights, strict=True)):
            values = table.numbers[:, j]
            gone = np.isnan(values)
            if len(bends):
                total += np.where(gone, self.unknown[j], np.interp(np.where(gone, bends[0], values), bends, heights))
            elif gone.any():
                total += np.where(gone, self.unknown[j], 0.0)
        for j, points in enumerate(self.points):
            total += points[table.levels[:, j]]
        return total


def fit_scorecard(reader: Reader, table: Table, y: Floats, penalty: float) -> Scorecard:
    """Ridge-regularised logistic regression over hat functions and levels, without class weights."""
    design, bends, starts = _design(reader, table)
    fitted = LogisticRegression(C=penalty, max_iter=300, tol=1e-4).fit(design, y)
    coef = fitted.coef_[0]
    heights, unknown, points = [], np.zeros(len(bends)), []
    for j, places in enumerate(bends):
        heights.append(coef[starts[j] : starts[j] + len(places)])
        unknown[j] = coef[starts[j] + len(places)]
    for j, one in enumerate(reader.levels):
        first = starts[len(bends) + j]
        points.append(coef[first : first + one.size])
    return Scorecard(float(fitted.intercept_[0]), tuple(bends), tuple(heights), unknown, tuple(points))


def _design(reader: Reader, table: Table) -> tuple[Any, list[Floats], list[int]]:
    """A sparse matrix with two entries per number (the bends around it) and one per level."""
    n = len(table)
    columns, weights, starts, width = [], [], [], 0
    bends: list[Floats] = []
    for j in range(table.numbers.shape[1]):
        values = table.numbers[:, j]
        gone = np.isnan(values)
        places = _bends(values[~gone])
        bends.append(places)
        starts.append(width)
        left, share = _between(values, gone, places)
        columns += [
            np.where(gone, width + len(places), width + left),
            np.where(gone, width, width + np.minimum(left + 1, max(len(places) - 1, 0))),
        ]
        weights += [np.where(gone, 1.0, 1 - share), np.where(gone, 0.0, share)]
        width += len(places) + 1
    for j, one in enumerate(reader.levels):
        starts.append(width)
        columns.append(width + table.levels[:, j])
        weights.append(np.ones(n))
        width += one.size
    per_row = len(columns)
    design = scipy.sparse.csr_matrix(
        (np.column_stack(weights).ravel(), np.column_stack(columns).ravel(), np.arange(0, n * per_row + 1, per_row)),
        shape=(n, width),
    )
    return design, bends, starts


def _bends(known: Floats) -> Floats:
    if not len(known):
        return np.empty(0)
    values = np.unique(known)
    among = np.quantile(values, (0.25, 0.5, 0.75))  # so that a crowd at one value does not hide the others
    return np.unique(np.concatenate([np.quantile(known, QUANTILES), among])) if len(values) > 12 else values


def _between(values: Floats, gone: Any, places: Floats) -> tuple[Ints, Floats]:
    if len(places) < 2:
        return np.zeros(len(values), dtype=np.int64), np.zeros(len(values))
    inside = np.clip(np.where(gone, places[0], values), places[0], places[-1])
    left = np.clip(np.searchsorted(places, inside, side="right") - 1, 0, len(places) - 2)
    return left, (inside - places[left]) / (places[left + 1] - places[left])


@dataclass(frozen=True)
class Forest:
    """Boosted trees over levels that are few enough, numbers and encodings, in this order."""

    trees: Any
    seen: tuple[Ints, ...]  # per level field: the codes of training, in order; none where there are too many levels

    def inputs(self, table: Table, encoded: Floats) -> Floats:
        native = [_dense(table.levels[:, j], seen) for j, seen in enumerate(self.seen) if len(seen)]
        return np.column_stack([*native, table.numbers, encoded])

    def log_odds(self, table: Table, encoded: Floats) -> Floats:
        with few_threads(len(table)):
            return np.asarray(self.trees.decision_function(self.inputs(table, encoded)))

    def stages(self, table: Table, encoded: Floats) -> Iterator[Floats]:
        """Log odds after one round, two rounds, …"""
        return (np.ravel(one) for one in self.trees.staged_decision_function(self.inputs(table, encoded)))


def _dense(codes: Codes, seen: Ints) -> Floats:
    place = np.minimum(np.searchsorted(seen, codes), len(seen) - 1)
    return np.where(seen[place] == codes, place, np.nan)


def fit_forest(
    reader: Reader, table: Table, encoded: Floats, y: Floats, kind: str, rounds: int, seed: int = 0
) -> Forest:
    """Gradient boosting on histograms. No class weights and no early stopping: `rounds` is chosen by the contest."""
    seen = tuple(
        np.unique(table.levels[:, j]).astype(np.int64) if one.size <= MOST_LEVELS + 2 else np.empty(0, dtype=np.int64)
        for j, one in enumerate(reader.levels)
    )
    settings = dict(TREES[kind])
    settings["min_samples_leaf"] = int(np.clip(len(y) // 50, 5, settings["min_samples_leaf"]))
    native = list(range(sum(len(one) > 0 for one in seen)))
    forest = Forest(
        HistGradientBoostingClassifier(
            max_iter=rounds,
            early_stopping=False,
            random_state=seed,
            categorical_features=native or None,
            **settings,
        ),
        seen,
    )
    made = forest.inputs(table, encoded)
    made[:, np.isnan(made).all(axis=0)] = 0.0  # scikit-learn cannot bin a column of which nothing is known yet
    with few_threads(len(y)):
        forest.trees.fit(made, y)
    # Levels come first and without gaps, so scikit-learn's own recoding changes nothing. Without it a stored model
    # holds no functions, and nothing has to be trusted when it is opened.
    forest.trees._preprocessor = None
    return forest


@dataclass(frozen=True)
class Learned:
    """A recipe, followed: log odds for any table."""

    reader: Reader
    recipe: Recipe
    scorecard: Scorecard | None
    forest: Forest | None
    encoding: Encoding = field(default_factory=lambda: Encoding((), (), ()))
    shift: float = 0.0  # to the base rate of the newest leads

    def log_odds(self, table: Table) -> Floats:
        total = np.full(len(table), self.shift)
        if self.scorecard is not None:
            total += self.recipe.weight * self.scorecard.points_of(table)
        if self.forest is not None:
            total += (1 - self.recipe.weight) * self.forest.log_odds(table, self.encoding.apply(table))
        return total


def follow(
    recipe: Recipe, reader: Reader, table: Table, y: Floats, parts: Ints, moment: Floats | None = None
) -> Learned:
    """Train what the recipe says on these leads. `parts` (0–4) cuts them for cross-fitting; a group stays together.

    `moment` orders them in time for recipes with a window; without it the scores keep the base rate of all leads.
    """
    learned = _follow(recipe, reader, table, y, parts)
    if recipe.window is None or moment is None:
        return learned
    newest = np.argsort(moment, kind="stable")[-recipe.window :]
    return replace(learned, shift=level_shift(learned.log_odds(table.take(newest)), float(y[newest].mean())))


def level_shift(log_odds: Floats, rate: float) -> float:
    """What to add to log odds so that their mean probability is `rate` (kept off 0 and 1 by half a lead)."""
    rate, shift = (rate * len(log_odds) + 0.5) / (len(log_odds) + 1), 0.0
    for _ in range(20):
        p = sigmoid(log_odds + shift)
        shift -= float(np.clip((p.mean() - rate) / max(float(np.mean(p * (1 - p))), 1e-6), -2, 2))
    return shift


def _follow(recipe: Recipe, reader: Reader, table: Table, y: Floats, parts: Ints) -> Learned:
    scorecard = (
        fit_scorecard(reader, table, y, recipe.penalty) if recipe.penalty is not None and recipe.weight > 0 else None
    )
    if recipe.trees is None or recipe.weight >= 1:
        return Learned(reader, recipe, scorecard, None)
    encoding, encoded = learn_encoding(recipe.keys, table, y, parts)
    return Learned(
        reader,
        recipe,
        scorecard,
        fit_forest(reader, table, encoded, y, recipe.trees, recipe.rounds, recipe.seed),
        encoding,
    )


def sigmoid(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -30, 30))))


def blend(weight: float, scorecard: Floats | None, trees: Floats | None) -> Floats:
    parts: Sequence[tuple[float, Floats | None]] = ((weight, scorecard), (1 - weight, trees))
    return np.asarray(sum(share * one for share, one in parts if one is not None))
