"""Learn from a table of leads and their outcomes; or say in one sentence why the rules stay in charge."""

import time as clock
from dataclasses import asdict, replace
from typing import NamedTuple

import numpy as np
import polars as pl

from nurture.learning.features.columns import FeatureReader, plan_features
from nurture.learning.fit.baseline import make_baseline
from nurture.learning.fit.card import ModelCard, SavedCandidate
from nurture.learning.fit.evaluate import LEAST, Judged, importance, judge_apart, split
from nurture.learning.fit.model_selection import Selection, select_model
from nurture.learning.fit.prepare import TrainingTable, newest_day, older_score, prepare
from nurture.learning.fit.refit import refit
from nurture.learning.fit.trained import ColumnHints, Evaluation, NothingLearned, TrainedScorer
from nurture.learning.leaks.find import find_leaks
from nurture.learning.leaks.finding import LeakFinding
from nurture.learning.metrics import Figures, Floats, Ints, auc_within, figures
from nurture.learning.training_data.options import NO_OPTIONS, TrainingOptions
from nurture.learning.training_data.schema import Column, ColumnKind

AGAIN = 10_000  # leads up to which the model is selected once more with those kept apart
SEASONS = 12  # within which the newest leads are ranked when it is asked whether the model is better than chance


class _Chosen(NamedTuple):
    """The chosen way of learning, and how it did on leads it had not seen."""

    selection: Selection
    reader: FeatureReader
    judged: Judged
    figures: Figures
    within: tuple[float, float]  # AUC among leads of one time, and its standard error
    apart: bool  # judged by leads kept apart


def train(
    frame: pl.DataFrame,
    label: str,
    options: TrainingOptions = NO_OPTIONS,
    *,
    hints: ColumnHints | None = None,
    seed: int = 0,
) -> TrainedScorer | NothingLearned:
    """Learn to tell the buyers from the others.

    `frame` has a row per lead as it was when it came in, in any types; `label` says what became of it (rows without
    one are left out, not counted as lost). With `options.time` the newest leads judge, and nothing is chosen by
    looking at them. `hints` say which columns are one reason, where that is known beforehand.

    Raises UnreadableLabels for a label that does not say two things, NotATime for a time that cannot be put in order,
    KeyError for a column that is not there.
    """
    started = clock.perf_counter()
    table = prepare(frame, label, options)
    if why := _too_few(table.examples.y):
        return NothingLearned(why, row_counts=table.counts)
    parts = split(table.examples, seed)
    learn = table.examples.take(parts[0])
    findings = tuple(find_leaks(table.sample[parts[0]], table.columns, learn, options, seed, table.still_open))
    used = table.usable({one.column for one in findings if one.left_out})
    if not [one for one in used if one.name != options.time]:
        return NothingLearned(
            "The rules stay in charge: no column is left that was known before the outcome and says anything.",
            findings,
            table.counts,
        )
    names = {one.name for one in used} - set(options.keep)
    doubtful = tuple(one.column for one in findings if not one.left_out and one.column in names)
    chosen = _choose(table, used, doubtful, parts, seed)
    selected = clock.perf_counter()
    ranks, error = chosen.within
    if ranks - 2 * error <= 0.5:
        return NothingLearned(
            f"The rules stay in charge: on leads it had not seen, the best model told buyers from others no better "
            f"than chance (AUC {ranks:.2f} ± {2 * error:.2f}).",
            findings,
            table.counts,
        )
    if chosen.apart and len(table.examples) <= AGAIN:  # few leads: the newest may choose, too, now that they judged
        reader = plan_features(table.sample, used, chosen.reader.time)
        selection = select_model(reader, reader.read(table.sample), table.examples, seed)
        chosen = chosen._replace(reader=reader, selection=selection)
    trained = _finish(table, options, chosen, findings, hints)
    card: ModelCard = {**trained.scorer.card, "label": label, "row_counts": table.counts, "seed": seed}
    ended = clock.perf_counter()
    seconds = {"selection": round(selected - started, 2), "all": round(ended - started, 2)}
    return replace(trained, scorer=replace(trained.scorer, card=card), seconds=seconds, doubtful=doubtful)


def _too_few(y: Floats) -> str:
    """Why nothing can be learned from so few, in a sentence; empty where there are enough."""
    bought, lost = int(y.sum()), int(len(y) - y.sum())
    if min(bought, lost) >= LEAST:
        return ""
    what, n = ("bought", bought) if bought < lost or not lost else ("did not buy", lost)
    count = {0: "no lead", 1: "only 1 lead"}.get(n, f"only {n} leads")
    return f"The rules stay in charge: {count} of {len(y):,} {what}, and {LEAST} are the least to learn anything from."


def _choose(
    table: TrainingTable, used: list[Column], doubtful: tuple[str, ...], parts: tuple[Ints, Ints], seed: int
) -> _Chosen:
    """Select the model on the rows to learn from, and judge it by those kept apart, or out of fold without such."""
    learn, apart = parts
    dated = next((one.name for one in used if one.name == table.time and one.kind == ColumnKind.DATE), None)
    reader = plan_features(table.sample[learn], used, dated)
    selection = select_model(reader, reader.read(table.sample[learn]), table.examples.take(learn), seed)
    if len(apart):
        judged = judge_apart(selection, reader, table.sample, table.examples, parts, doubtful)
    else:
        seen = ~np.isnan(selection.log_odds)
        judged = Judged(learn[seen], selection.calibrator(selection.log_odds[seen]), None)
    among = table.examples.take(judged.rows)
    told = figures(among.y, judged.p)
    within = told.auc, told.auc_error
    if among.moment is not None:
        within = auc_within(among.y, judged.p, np.array_split(among.by_time(), SEASONS))
    return _Chosen(selection, reader, judged, told, within, bool(len(apart)))


def _finish(
    table: TrainingTable,
    options: TrainingOptions,
    chosen: _Chosen,
    findings: tuple[LeakFinding, ...],
    hints: ColumnHints | None,
) -> TrainedScorer:
    """The scorer, learned from all leads, with its card and the evaluation."""
    selection, judged, examples = chosen.selection, chosen.judged, table.examples
    scorer = refit(selection, chosen.reader, table.sample, examples, hints)
    among = examples.take(judged.rows)
    evaluation = Evaluation(
        among.y,
        judged.p,
        among.moment,
        older_score(table, options.rules, judged.rows),
        table.rows[judged.rows],
        chosen.apart,
        selection.calibrator(selection.log_odds[~np.isnan(selection.log_odds)]),
        judged.p_blank,
    )
    candidates: list[SavedCandidate] = [
        {"name": one.name, "log_loss": one.log_loss, "auc": one.auc} for one in selection.candidates
    ]
    card: ModelCard = {
        "positive": table.labels.positive,
        "negative": table.labels.negative,
        "time": options.time,
        "group": options.group,
        "rows": len(examples),
        "positives": int(examples.y.sum()),
        "data_cut": newest_day(table, options.time),
        "estimator": selection.recipe.name,
        "calibration": selection.calibrator.kind,
        "columns": chosen.reader.owners,
        "figures": chosen.figures.as_dict(),
        "within": {"auc": round(chosen.within[0], 5), "auc_error": round(chosen.within[1], 5)},
        "kept_apart": chosen.apart,
        "findings": [one.as_dict() for one in findings],
        "unused": [asdict(one) for one in table.unused],
        "candidates": candidates,
        "importance": judged.importance or importance(scorer, table.sample, examples.y, selection.recipe.seed),
    }
    scorer = replace(scorer, card=card)
    scorer = replace(scorer, card={**card, "baseline": make_baseline(scorer, table.sample, evaluation.trained)})
    return TrainedScorer(scorer, evaluation, chosen.figures, findings, table.unused, selection.candidates)
