"""A scorer as numbers, lists, dictionaries and one scikit-learn estimator, and back: what a model file holds."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from nurture.learning.estimators.calibration import Calibrator
from nurture.learning.estimators.forest import Forest
from nurture.learning.estimators.recipe import FittedModel, Recipe
from nurture.learning.estimators.scorecard import Scorecard
from nurture.learning.features.columns import FeatureReader, SavedReader
from nurture.learning.features.encoding import Encoding, Key
from nurture.learning.fit.card import ModelCard
from nurture.learning.fit.partial_effects import PartialEffects, TypicalLead
from nurture.learning.fit.scorer import Scorer
from nurture.learning.metrics import Codes, Floats, Ints


class PackedRecipe(TypedDict):
    """A recipe without its interactions, which are packed as `keys`."""

    penalty: float | None
    trees: str | None
    rounds: int
    weight: float
    window: int | None
    seed: int


class PackedScorecard(TypedDict):
    """See `Scorecard`."""

    start: float
    bends: list[Floats]
    heights: list[Floats]
    unknown: Floats
    points: list[Floats]


class PackedForest(TypedDict):
    """See `Forest`."""

    trees: HistGradientBoostingClassifier
    seen: list[Ints]


class PackedKey(TypedDict):
    """See `Key`."""

    parts: list[list[str | int]]
    values: list[Floats]
    sizes: list[int]


class PackedCalibrator(TypedDict):
    """See `Calibrator`."""

    kind: str
    xs: Floats
    ys: Floats


class PackedTypical(TypedDict):
    """See `TypicalLead`."""

    numbers: Floats
    levels: Codes


class PackedEffects(TypedDict):
    """See `PartialEffects`."""

    families: list[list[int]]
    edges: list[Floats]
    effects: list[Floats]


class PackedScorer(TypedDict):
    """Everything of a scorer but its card."""

    reader: SavedReader
    recipe: PackedRecipe
    scorecard: PackedScorecard | None
    forest: PackedForest | None
    keys: list[PackedKey]
    shift: float
    codes: list[Ints]
    odds: list[Floats]
    calibrator: PackedCalibrator
    typical: PackedTypical
    partial_effects: NotRequired[PackedEffects]
    outlines: NotRequired[PackedEffects]  # what models of version 0.1 call the partial effects


def pack(scorer: Scorer) -> PackedScorer:
    """The scorer as plain values; `unpack` makes the same scorer of them."""
    learned, effects = scorer.learned, scorer.partial_effects
    recipe = learned.recipe
    return {
        "reader": learned.reader.as_dict(),
        "recipe": {
            "penalty": recipe.penalty,
            "trees": recipe.trees,
            "rounds": recipe.rounds,
            "weight": recipe.weight,
            "window": recipe.window,
            "seed": recipe.seed,
        },
        "scorecard": _packed_card(learned.scorecard),
        "forest": None
        if learned.forest is None
        else {"trees": learned.forest.trees, "seen": list(learned.forest.seen)},
        "keys": [
            {"parts": [list(part) for part in key.parts], "values": list(key.values), "sizes": list(key.sizes)}
            for key in learned.encoding.keys
        ],
        "shift": learned.shift,
        "codes": list(learned.encoding.codes),
        "odds": list(learned.encoding.odds),
        "calibrator": {"kind": scorer.calibrator.kind, "xs": scorer.calibrator.xs, "ys": scorer.calibrator.ys},
        "typical": {"numbers": scorer.typical.numbers, "levels": scorer.typical.levels},
        "partial_effects": {
            "families": [list(one) for one in effects.families],
            "edges": list(effects.edges),
            "effects": list(effects.effects),
        },
    }


def _packed_card(card: Scorecard | None) -> PackedScorecard | None:
    if card is None:
        return None
    return {
        "start": card.start,
        "bends": list(card.bends),
        "heights": list(card.heights),
        "unknown": card.unknown,
        "points": list(card.points),
    }


def unpack(saved: PackedScorer, card: ModelCard) -> Scorer:
    """The scorer that was packed, with its card."""
    keys = tuple(
        Key(
            tuple((str(kind), int(i)) for kind, i in one["parts"]),
            _arrays(one["values"]),
            tuple(int(size) for size in one["sizes"]),
        )
        for one in saved["keys"]
    )
    points, forest = saved["scorecard"], saved["forest"]
    learned = FittedModel(
        FeatureReader.from_dict(saved["reader"]),
        Recipe(**saved["recipe"], keys=keys),
        None if points is None else _card(points),
        None if forest is None else Forest(forest["trees"], tuple(np.asarray(one) for one in forest["seen"])),
        Encoding(keys, tuple(np.asarray(one) for one in saved["codes"]), _arrays(saved["odds"])),
        saved["shift"],
    )
    typical, effects = saved["typical"], saved["partial_effects"] if "partial_effects" in saved else saved["outlines"]
    return Scorer(
        learned,
        Calibrator(**saved["calibrator"]),
        TypicalLead(typical["numbers"], typical["levels"]),
        PartialEffects(
            tuple(tuple(int(i) for i in one) for one in effects["families"]),
            _arrays(effects["edges"]),
            _arrays(effects["effects"]),
        ),
        card,
    )


def _card(points: PackedScorecard) -> Scorecard:
    bends, heights, levels = (_arrays(points[name]) for name in ("bends", "heights", "points"))
    return Scorecard(points["start"], bends, heights, points["unknown"], levels)


def _arrays(saved: Sequence[Floats]) -> tuple[Floats, ...]:
    return tuple(np.asarray(one, dtype=np.float64) for one in saved)
