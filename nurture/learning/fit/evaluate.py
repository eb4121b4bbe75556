"""How good is the chosen recipe on leads kept apart? And what does the score look at there?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from nurture.learning.estimators.folds import shuffled_folds, snapshots
from nurture.learning.features.columns import FeatureReader, FeatureTable
from nurture.learning.fit.model_selection import Selection
from nurture.learning.fit.refit import refit
from nurture.learning.fit.scorer import Scorer
from nurture.learning.metrics import Floats, Ints, auc
from nurture.learning.training_data.examples import Examples

LEAST = 20  # leads of each outcome, below which nothing is learned
LEAST_APART = 60  # of each, below which none are kept apart and out-of-fold scores are reported
LEAST_JUDGES = 10  # of each among the newest leads, below which they do not judge
APART = 0.2  # share of the leads kept apart: the newest, where there is time
REFITS = 4  # while the newest leads are judged
SHOWN = 4_000  # leads the importance of columns is measured on


class Judged(NamedTuple):
    """Scores of m leads that no scorer had learned from, and what the score looks at."""

    rows: Ints  # shape (m,): of the training frame
    p: Floats  # shape (m,): probabilities
    importance: dict[str, float] | None  # None: not measured yet
    p_blank: Floats | None = None  # shape (m,): the same with the doubtful columns blank; None without such


def split(examples: Examples, seed: int) -> tuple[Ints, Ints]:
    """Rows to learn from, and rows kept apart until the end: the newest fifth, or a random one; none of too few."""
    everyone = np.arange(len(examples))
    if examples.rarer < LEAST_APART:
        return everyone, everyone[:0]
    moment = examples.moment
    if moment is not None:
        border = np.quantile(moment, 1 - APART)
        apart = moment > border if np.mean(moment > border) >= APART / 2 else moment >= border
        if examples.take(apart).rarer >= LEAST_JUDGES and examples.take(~apart).rarer >= LEAST:
            return np.flatnonzero(~apart), np.flatnonzero(apart)
    fold = shuffled_folds(examples.y, examples.groups, round(1 / APART), seed + 5)
    return np.flatnonzero(fold != 0), np.flatnonzero(fold == 0)


def judge_apart(
    chosen: Selection,
    reader: FeatureReader,
    sample: pl.DataFrame,
    examples: Examples,
    parts: tuple[Ints, Ints],
    doubtful: Sequence[str] = (),
) -> Judged:
    """The leads kept apart, scored; `parts` are the rows to learn from and those kept apart.

    `doubtful` columns may not be known when a lead comes in, so the leads are scored once more with them blank.

    In order of time the model is refitted on the way, as it will be in service: the recipe stays, its leads move on.
    """
    known, apart = parts
    moment = examples.moment
    order = apart[examples.take(apart).by_time()]
    at = None if moment is None else snapshots(moment[apart])
    if at is not None and moment is not None:
        blocks = [order[moment[order] == t] for t in at]
    else:
        blocks = np.array_split(order, 1 if moment is None else REFITS)
    scores: list[Floats] = []
    blank: list[Floats] = []
    weight: dict[str, float] = {}
    for block in blocks:
        scorer = refit(chosen, reader, sample[known], examples.take(known))
        scores.append(scorer.score(sample[block]))
        if doubtful:
            hidden = sample[block].with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in doubtful)
            blank.append(np.concatenate([scorer.score_table(table) for table in scorer.tables(hidden)]))
        weight = weight or importance(scorer, sample[apart], examples.y[apart], chosen.recipe.seed)
        known = np.concatenate([known, block])
    return Judged(order, np.concatenate(scores), weight, np.concatenate(blank) if blank else None)


def importance(scorer: Scorer, frame: pl.DataFrame, y: Floats, seed: int = 0) -> dict[str, float]:
    """On leads the scorer has not seen, if possible: per raw column the AUC lost when its values are dealt at random.

    The weightiest comes first.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(frame.height)[:SHOWN]
    table, few = scorer.reader.read(frame[rows]), y[rows]
    base, lost = auc(few, scorer.learned.log_odds(table)), {}
    for owner in scorer.reader.owners:
        dealt = table.take(rng.permutation(len(table)))
        numbers, levels = scorer.reader.fields_of(owner)
        mixed = FeatureTable(table.numbers.copy(), table.levels.copy())
        mixed.numbers[:, numbers], mixed.levels[:, levels] = dealt.numbers[:, numbers], dealt.levels[:, levels]
        lost[owner] = round(max(base - auc(few, scorer.learned.log_odds(mixed)), 0.0), 5)
    return dict(sorted(lost.items(), key=lambda one: -one[1]))
