"""A recipe followed again on other leads with the same columns, without choosing anything anew."""

from dataclasses import replace

import polars as pl

from nurture.learning.estimators.folds import shuffled_folds
from nurture.learning.estimators.recipe import Recipe, fit_recipe
from nurture.learning.features.columns import FeatureReader, FeatureTable, plan_features
from nurture.learning.features.encoding import CROSSFITS, Key, make_key
from nurture.learning.fit.model_selection import Selection
from nurture.learning.fit.partial_effects import partial_effects, typical_of
from nurture.learning.fit.scorer import Scorer
from nurture.learning.fit.trained import ColumnHints
from nurture.learning.training_data.examples import Examples


def refit(
    chosen: Selection, old: FeatureReader, frame: pl.DataFrame, examples: Examples, hints: ColumnHints | None = None
) -> Scorer:
    """Follow the chosen recipe on n leads, a row of `frame` each; `old` is the reader the choice was made with."""
    reader = plan_features(frame, old.columns, old.time)
    table = reader.read(frame)
    recipe = recipe_for(chosen.recipe, old, reader, table)
    parts = shuffled_folds(examples.y, examples.groups, CROSSFITS, recipe.seed)
    learned = fit_recipe(recipe, reader, table, examples, parts)
    zero = [] if hints is None else [j for j, one in enumerate(reader.numbers) if one.owner in hints.zero]
    typical, together = typical_of(table, zero), None if hints is None else hints.together
    effects = partial_effects(learned, typical, table, recipe.seed, together)
    return Scorer(learned, chosen.calibrator, typical, effects)


def recipe_for(recipe: Recipe, old: FeatureReader, new: FeatureReader, table: FeatureTable) -> Recipe:
    """The recipe for another reading of the same columns: its interactions find their fields by name."""
    keys = (_same_key(key, old, new, table) for key in recipe.keys)
    return replace(recipe, keys=tuple(key for key in keys if key is not None))


def _same_key(key: Key, old: FeatureReader, new: FeatureReader, table: FeatureTable) -> Key | None:
    """The key over the same fields of another reader, if it has them."""
    parts = []
    for kind, i in key.parts:
        name = (old.numbers[i] if kind == "number" else old.levels[i]).name
        there = [one.name for one in (new.numbers if kind == "number" else new.levels)]
        place = there.index(name) if name in there else None
        if place is None:
            return None
        parts.append((kind, place))
    return make_key(new, table, parts)
