"""Many small boosted trees over levels, numbers and encodings."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from nurture.learning.features.columns import MOST_LEVELS, FeatureReader, FeatureTable
from nurture.learning.metrics import Codes, Floats, Ints

TREES: dict[str, dict[str, float]] = {
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
def _pools() -> ThreadpoolController:
    return ThreadpoolController()


def few_threads(rows: int) -> AbstractContextManager[object]:
    """A context in which small trainings, and scoring, keep to one core."""
    limited: AbstractContextManager[object] = _pools().limit(limits=1 if rows < MANY else None)
    return limited


@dataclass(frozen=True)
class Forest:
    """Boosted trees over levels that are few enough, numbers and encodings, in this order."""

    trees: HistGradientBoostingClassifier
    seen: tuple[Ints, ...]  # per level field: the codes of training, in order; none where there are too many levels

    def inputs(self, table: FeatureTable, encoded: Floats) -> Floats:
        """What the trees look at, shape (n, fields). `encoded`, shape (n, keys): see features/columns.py."""
        native = [_dense(table.levels[:, j], seen) for j, seen in enumerate(self.seen) if len(seen)]
        return np.column_stack([*native, table.numbers, encoded])

    def log_odds(self, table: FeatureTable, encoded: Floats) -> Floats:
        """Log odds of every lead, shape (n,)."""
        with few_threads(len(table)):
            return np.asarray(self.trees.decision_function(self.inputs(table, encoded)))

    def stages(self, table: FeatureTable, encoded: Floats) -> Iterator[Floats]:
        """Log odds after one round, two rounds, …"""
        return (np.ravel(one) for one in self.trees.staged_decision_function(self.inputs(table, encoded)))


def _dense(codes: Codes, seen: Ints) -> Floats:
    place = np.minimum(np.searchsorted(seen, codes), len(seen) - 1)
    return np.where(seen[place] == codes, place, np.nan)


@dataclass(frozen=True)
class TreeSettings:
    """How trees are grown. No class weights and no early stopping: `rounds` is chosen by the model selection."""

    kind: str  # a name in TREES
    rounds: int
    seed: int = 0


def fit_forest(
    reader: FeatureReader, table: FeatureTable, encoded: Floats, y: Floats, settings: TreeSettings
) -> Forest:
    """Gradient boosting on histograms, over the n leads of a table; `y`, shape (n,), is 1.0 or 0.0."""
    seen = tuple(
        np.unique(table.levels[:, j]).astype(np.int64) if one.size <= MOST_LEVELS + 2 else np.empty(0, dtype=np.int64)
        for j, one in enumerate(reader.levels)
    )
    leaf = int(np.clip(len(y) // 50, 5, TREES[settings.kind]["min_samples_leaf"]))
    native = list(range(sum(len(one) > 0 for one in seen)))
    forest = Forest(
        HistGradientBoostingClassifier(
            max_iter=settings.rounds,
            early_stopping=False,
            random_state=settings.seed,
            categorical_features=native or None,
            **{**TREES[settings.kind], "min_samples_leaf": leaf},
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
