"""How the leads of a training looked: shares per bin or level of every field and of the scores, kept on the card."""

import numpy as np
import polars as pl

from nurture.learning.features.columns import FeatureTable
from nurture.learning.fit.card import Baseline, LevelBaseline, NumberBaseline, ScoreBaseline
from nurture.learning.fit.scorer import Scorer
from nurture.learning.metrics import Floats

BINS = 10
WATCHED = ("value", "age", "length", "hour")  # ways to read a column whose shift is worth a word


def make_baseline(scorer: Scorer, frame: pl.DataFrame, scores: Floats) -> Baseline:
    """How the leads of `frame` look to the scorer; `scores` are probabilities, theirs or others like them."""
    table = scorer.reader.read(frame)
    numbers: list[NumberBaseline] = []
    for j, one in enumerate(scorer.reader.numbers):
        known = table.numbers[:, j][~np.isnan(table.numbers[:, j])]
        edges = _deciles(known)
        numbers.append(
            {
                "name": one.name,
                "owner": one.owner,
                "watch": one.how in WATCHED,
                "edges": edges.tolist(),
                "shares": bin_shares(table.numbers[:, j], edges).tolist(),
                "median": float(np.median(known)) if len(known) else None,
            }
        )
    levels: list[LevelBaseline] = [
        {
            "name": one.name,
            "owner": one.owner,
            "watch": one.how == "value",
            "levels": list(one.levels),
            "shares": level_shares(table, j, one.size).tolist(),
        }
        for j, one in enumerate(scorer.reader.levels)
    ]
    edges = _deciles(scores)
    score: ScoreBaseline = {
        "edges": edges.tolist(),
        "shares": bin_shares(scores, edges).tolist(),
        "mean": float(scores.mean()),
    }
    return {"rows": frame.height, "numbers": numbers, "levels": levels, "score": score}


def _deciles(values: Floats) -> Floats:
    return np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1])) if len(values) else np.empty(0)


def bin_shares(values: Floats, edges: Floats) -> Floats:
    """Shares of the values, shape (edges + 2,): unknown first, then bin by bin."""
    group = np.where(np.isnan(values), 0, np.searchsorted(edges, values, side="right") + 1)
    return np.asarray(np.bincount(group, minlength=len(edges) + 2) / max(len(values), 1))


def level_shares(table: FeatureTable, j: int, size: int) -> Floats:
    """Shares of the codes of level field `j`, shape (size,)."""
    return np.asarray(np.bincount(table.levels[:, j], minlength=size) / max(len(table), 1))
