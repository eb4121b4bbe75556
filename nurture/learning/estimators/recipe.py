"""A recipe says what to learn with: a scorecard, trees, or both blended; followed, it is a fitted model."""

from dataclasses import dataclass, field, replace

import numpy as np

from nurture.learning.estimators.forest import Forest, TreeSettings, fit_forest
from nurture.learning.estimators.log_odds import level_shift
from nurture.learning.estimators.scorecard import Scorecard, fit_scorecard
from nurture.learning.features.columns import FeatureReader, FeatureTable
from nurture.learning.features.encoding import Encoding, Key, learn_encoding
from nurture.learning.metrics import Floats, Ints
from nurture.learning.training_data.examples import Examples


@dataclass(frozen=True)
class Recipe:
    """What to learn with. Chosen by the model selection, followed by every later training on the same columns."""

    penalty: float | None = 0.2  # C of the scorecard; None leaves it out
    trees: str | None = "careful"  # a name in TREES; None leaves them out
    rounds: int = 150
    weight: float = 0.3  # of the scorecard, in log odds; 1 without trees, 0 without scorecard
    keys: tuple[Key, ...] = ()  # interactions
    window: int | None = None  # newest leads whose base rate the scores are brought to, where the world moves
    seed: int = 0

    @property
    def name(self) -> str:
        """How it is called in a report."""
        with_keys = " with interactions" if self.keys else ""
        if self.weight >= 1 or self.trees is None:
            return "logistic regression with splines"
        if self.weight <= 0 or self.penalty is None:
            return f"gradient boosting{with_keys}"
        return f"blend of logistic regression ({self.weight:.0%}) and gradient boosting{with_keys}"


@dataclass(frozen=True)
class FittedModel:
    """A recipe, followed: log odds for any table."""

    reader: FeatureReader
    recipe: Recipe
    scorecard: Scorecard | None
    forest: Forest | None
    encoding: Encoding = field(default_factory=lambda: Encoding((), (), ()))
    shift: float = 0.0  # to the base rate of the newest leads

    def log_odds(self, table: FeatureTable) -> Floats:
        """Log odds of every lead of a table, shape (n,)."""
        total = np.full(len(table), self.shift)
        if self.scorecard is not None:
            total += self.recipe.weight * self.scorecard.points_of(table)
        if self.forest is not None:
            total += (1 - self.recipe.weight) * self.forest.log_odds(table, self.encoding.apply(table))
        return total


def fit_recipe(
    recipe: Recipe, reader: FeatureReader, table: FeatureTable, examples: Examples, parts: Ints
) -> FittedModel:
    """Train what the recipe says on the n leads of a table.

    `parts`, shape (n,), 0–4, cuts them for cross-fitting; a group stays together. With time, a recipe with a window
    brings the scores to the base rate of the newest leads; else they keep the base rate of all.
    """
    learned = _fit(recipe, reader, table, examples.y, parts)
    if recipe.window is None or examples.moment is None:
        return learned
    newest = examples.by_time()[-recipe.window :]
    shift = level_shift(learned.log_odds(table.take(newest)), float(examples.y[newest].mean()))
    return replace(learned, shift=shift)


def _fit(recipe: Recipe, reader: FeatureReader, table: FeatureTable, y: Floats, parts: Ints) -> FittedModel:
    card = fit_scorecard(reader, table, y, recipe.penalty) if recipe.penalty is not None and recipe.weight > 0 else None
    if recipe.trees is None or recipe.weight >= 1:
        return FittedModel(reader, recipe, card, None)
    encoding, encoded = learn_encoding(recipe.keys, table, y, parts)
    settings = TreeSettings(recipe.trees, recipe.rounds, recipe.seed)
    return FittedModel(reader, recipe, card, fit_forest(reader, table, encoded, y, settings), encoding)
