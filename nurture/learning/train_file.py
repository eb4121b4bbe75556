"""`nurture train` without the command line: an unprepared file goes in; a model, a report and predictions come out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nurture.learning.fit.card import ModelCard
from nurture.learning.fit.prepare import NotATime, RowCounts
from nurture.learning.fit.scorer import ColumnsMissing, Scorer
from nurture.learning.fit.train import train
from nurture.learning.fit.trained import NothingLearned, TrainedScorer
from nurture.learning.judge.drift import find_drift
from nurture.learning.judge.protected import protected_columns
from nurture.learning.judge.report import headline, write_report
from nurture.learning.leaks.finding import LeakFinding, SavedFinding
from nurture.learning.metrics import Floats, figures
from nurture.learning.reasons.contributions import describe_reasons, find_reasons
from nurture.learning.registry import versions
from nurture.learning.training_data.files import read_frame
from nurture.learning.training_data.labels import UnreadableLabels, read_labels
from nurture.learning.training_data.options import NO_OPTIONS, TrainingOptions, read_options

PREDICTIONS, REPORT, RESULT = "predictions.csv", "report.html", "result.json"
MOST_WARNINGS = 5  # about what moved between the training and the holdout


class CannotTrain(Exception):
    """The file, the label or the mapping is not what was said. The message says what to write instead."""


@dataclass(frozen=True)
class TrainingFile:
    """What is asked of `nurture train`: the file, its label, and where the results go."""

    data: Path
    label: str
    options: TrainingOptions = NO_OPTIONS  # they go before those of the mapping
    mapping: Path | None = None  # a TOML file with a [train] table
    holdout: Path | None = None  # rows to be predicted, never learned from
    out: Path = Path("training")
    calls: int | None = None  # that sales can make, for the backtest
    seed: int = 0
    code: str = ""  # the version of nurture, for the card


@dataclass(frozen=True)
class TrainingResult:
    """What `nurture train` made. `stays` is the one sentence why the rules stay in charge; then there is no model."""

    stays: str | None = None
    version: str | None = None
    model: Path | None = None
    report: Path | None = None
    predictions: Path | None = None
    headline: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    holdout: dict[str, float] | None = None  # the same figures on the holdout, where it has the label
    rows: list[str] = field(default_factory=list)  # what became of the rows given, in sentences
    left_out: list[SavedFinding] = field(default_factory=list)
    suspicious: list[SavedFinding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    directions: dict[str, str] = field(default_factory=dict)  # column → which way it moves the chance, in a sentence
    card: ModelCard = field(default_factory=lambda: ModelCard())

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; the card without its baseline."""
        plain = {key: str(value) if isinstance(value, Path) else value for key, value in vars(self).items()}
        return {**plain, "card": {key: value for key, value in self.card.items() if key != "baseline"}}


@dataclass(frozen=True)
class _Holdout:
    """The holdout's rows, their scores, shape (n,), and what was odd about the file."""

    frame: pl.DataFrame
    scores: Floats
    warnings: list[str]


def train_file(asked: TrainingFile, now: datetime) -> TrainingResult:
    """Learn who buys from a CSV (any separator, encoding, .gz) or Parquet file, a row per lead.

    Into `asked.out` go the page report.html, the model under models/, result.json, and with a holdout predictions.csv:
    a row per row of that file, in its order, with `row` (from 0), `score` (probability, 0–1), `because`,
    `held_back_by` and the model's version. Raises CannotTrain and FileError; both messages are for people.
    """
    try:
        options = asked.options.before(read_options(asked.mapping))
    except ValueError as error:
        raise CannotTrain(str(error)) from None
    frame = read_frame(asked.data)
    label, options = _column(frame, asked.label, asked.data), _spelled(frame, options, asked.data)
    apart = None if asked.holdout is None else read_frame(asked.holdout)
    try:
        trained = train(frame, label, options, seed=asked.seed)
    except (UnreadableLabels, NotATime) as error:
        raise CannotTrain(f"{asked.data.name}: {error}") from None
    result = _with_findings(trained.findings)
    counts = trained.row_counts if isinstance(trained, NothingLearned) else trained.scorer.card["row_counts"]
    result = replace(result, rows=[] if counts is None else rows_in_words(counts, label))
    if isinstance(trained, NothingLearned):
        result = replace(result, stays=trained.reason)
    else:
        holdout = None if apart is None else _scored(trained.scorer, apart, asked.holdout)
        result = _written(result, asked, trained, frame, holdout, now)
    _write(asked.out / RESULT, json.dumps(result.as_dict(), indent=1, ensure_ascii=False))
    return result


def rows_in_words(counts: RowCounts, label: str) -> list[str]:
    """What became of the rows of a file: a sentence for those learned from, and one for each sort left out."""
    said = [f"{counts['learned_from']:,} of {counts['given']:,} rows are learned from."]
    if counts["copies"]:
        said.append(f"  {counts['copies']:,} say the same as an earlier row and count once.")
    if counts["no_label"]:
        said.append(f'  {counts["no_label"]:,} say nothing in "{label}": unknown, not lost.')
    for value, n in counts["other_labels"].items():
        said.append(f'  {n:,} say "{value}" in "{label}": neither yes nor no, so unknown.')
    return said


def _with_findings(findings: Sequence[LeakFinding]) -> TrainingResult:
    return TrainingResult(
        left_out=[one.as_dict() for one in findings if one.left_out],
        suspicious=[one.as_dict() for one in findings if not one.left_out],
    )


def _written(
    result: TrainingResult,
    asked: TrainingFile,
    trained: TrainedScorer,
    frame: pl.DataFrame,
    holdout: _Holdout | None,
    now: datetime,
) -> TrainingResult:
    """Keep the model, and write report and predictions."""
    scorer, out = trained.scorer, asked.out
    version = versions.save(scorer, out / "models", now, asked.code)
    now_scores = holdout.scores if holdout and len(holdout.scores) else None
    report = write_report(trained, frame, calls=asked.calls, now_scores=now_scores)
    _write(out / REPORT, report.page)
    warnings = protected_columns(scorer.card)
    if holdout:
        _write(out / PREDICTIONS, predictions(scorer, holdout.frame, holdout.scores, version).write_csv())
        moved = [one.sentence for one in find_drift(scorer, holdout.frame, holdout.scores)]
        warnings += holdout.warnings + moved[:MOST_WARNINGS]
    return replace(
        result,
        version=version,
        model=out / "models" / version,
        report=out / REPORT,
        predictions=out / PREDICTIONS if holdout else None,
        headline=headline(trained),
        directions={one.column: one.sentence for one in report.figures.directions},
        figures=trained.figures.as_dict(),
        warnings=warnings,
        card=scorer.card,
        holdout=_judged(scorer, holdout) if holdout else None,
    )


def predictions(scorer: Scorer, frame: pl.DataFrame, scores: Floats, version: str) -> pl.DataFrame:
    """A row per row of `frame`, in its order: row (from 0), score, because, held_back_by, version."""
    speaks_for: list[str] = []
    against: list[str] = []
    start = 0
    for table in scorer.tables(frame):
        found = find_reasons(scorer, table, scores[start : start + len(table)])
        start += len(table)
        for words in describe_reasons(scorer, table, found):
            speaks_for.append("; ".join(text for text, effect in words if effect > 0))
            against.append("; ".join(text for text, effect in words if effect < 0))
    return pl.DataFrame(
        [
            pl.Series("row", np.arange(frame.height), dtype=pl.Int64),
            pl.Series("score", np.round(scores, 6), dtype=pl.Float64),
            pl.Series("because", speaks_for, dtype=pl.String),
            pl.Series("held_back_by", against, dtype=pl.String),
            pl.Series("version", [version] * frame.height, dtype=pl.String),
        ]
    )


def _spelled(frame: pl.DataFrame, options: TrainingOptions, path: Path) -> TrainingOptions:
    """The options with their columns as the file spells them. Raises CannotTrain."""
    time, group, rules = (
        _column(frame, name, path) if name else None for name in (options.time, options.group, options.rules)
    )
    ignore, keep = (tuple(_column(frame, name, path) for name in names) for names in (options.ignore, options.keep))
    return replace(options, ignore=ignore, keep=keep, time=time, group=group, rules=rules)


def _column(frame: pl.DataFrame, name: str, path: Path) -> str:
    """The column as the file spells it; upper and lower case do not matter. Raises CannotTrain."""
    if name in frame.columns:
        return name
    alike = [one for one in frame.columns if one.casefold().strip() == name.casefold().strip()]
    if len(alike) == 1:
        return alike[0]
    raise CannotTrain(
        f'{path.name} has no column "{name}". It has ' + ", ".join(f'"{one}"' for one in frame.columns[:40]) + "."
    )


def _scored(scorer: Scorer, frame: pl.DataFrame, path: Path | None) -> _Holdout:
    """The scores of leads never seen, and what was odd about their file. Raises CannotTrain."""
    try:
        gone, scores = scorer.missing(frame), scorer.score(frame)
    except ColumnsMissing as error:
        raise CannotTrain(f"{path.name if path else 'the holdout'}: {error}") from None
    warnings = []
    if gone:
        warnings.append(
            "The holdout lacks " + ", ".join(f'"{one}"' for one in gone) + ": counted as unknown for every lead."
        )
    for column, n in scorer.strange(frame).items():
        warnings.append(
            f'"{column}" has a value that the training hardly knew, or not at all, in {n:,} of {frame.height:,} leads.'
        )
    return _Holdout(frame, scores, warnings)


def _judged(scorer: Scorer, holdout: _Holdout) -> dict[str, float] | None:
    """The figures on the holdout, if it says what became of its leads."""
    card = scorer.card
    if card["label"] not in holdout.frame.columns:
        return None
    try:
        labels = read_labels(holdout.frame[card["label"]], card["positive"], card["negative"].split(" or "))
        return figures(labels.y[labels.known], holdout.scores[labels.known]).as_dict()
    except (UnreadableLabels, ValueError):
        return None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
