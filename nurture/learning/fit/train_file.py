"""`nurture train` without the command line: an unprepared file goes in; a model, a report and predictions come out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nurture.learning.fit.scorer import ColumnsMissing, Scorer
from nurture.learning.fit.train import NotATime, RulesStay, train
from nurture.learning.judge.drift import moved
from nurture.learning.judge.metrics import Figures, figures
from nurture.learning.judge.report import headline, write_report
from nurture.learning.reasons.contributions import in_words, reasons
from nurture.learning.registry import versions
from nurture.learning.training_data.files import Wishes, read_frame, read_wishes
from nurture.learning.training_data.labels import NotAnOutcome, read_outcome

PREDICTIONS, REPORT, RESULT = "predictions.csv", "report.html", "result.json"


class CannotTrain(Exception):
    """The file, the label or the mapping is not what was said. The message says what to write instead."""


@dataclass(frozen=True)
class Result:
    """What `nurture train` made. `stays` is the one sentence why the rules stay in charge; then there is no model."""

    stays: str | None = None
    version: str | None = None
    model: Path | None = None
    report: Path | None = None
    predictions: Path | None = None
    headline: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    holdout: dict[str, float] | None = None  # the same figures on the holdout, where it has the label
    left_out: list[dict[str, Any]] = field(default_factory=list)
    suspicious: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    card: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        plain = {key: str(value) if isinstance(value, Path) else value for key, value in vars(self).items()}
        return {**plain, "card": {key: value for key, value in self.card.items() if key != "baseline"}}


def train_file(
    data: Path,
    label: str,
    *,
    now: datetime,
    map: Path | None = None,
    time: str | None = None,
    holdout: Path | None = None,
    out: Path = Path("training"),
    positive: str | None = None,
    ignore: Sequence[str] = (),
    keep: Sequence[str] = (),
    calls: int | None = None,
    seed: int = 0,
    code: str = "",
) -> Result:
    """Learn who buys from a CSV (any separator, encoding, .gz) or Parquet file, a row per lead.

    What the command line says goes before the mapping's [train] table. Into `out` go the page report.html, the model
    under models/, result.json, and with `holdout` predictions.csv: a row per row of that file, in its order, with `row`
    (from 0), `score` (probability, 0–1), `because`, `held_back_by` and the model's version. Raises CannotTrain and
    nurture.reading.FileError; both messages are for people.
    """
    wishes = _wishes(map, time, positive, ignore, keep)
    frame = read_frame(data)
    label, away, stay = (
        _column(frame, label, data),
        _columns(frame, wishes.ignore, data),
        _columns(frame, wishes.keep, data),
    )
    time, group, rules = (
        _columns(frame, [name], data)[0] if name else None for name in (wishes.time, wishes.group, wishes.rules)
    )
    apart = None if holdout is None else read_frame(holdout)
    try:
        trained = train(
            frame,
            label,
            time=time,
            group=group,
            ignore=away,
            keep=stay,
            positive=wishes.positive,
            negative=wishes.negative,
            rules=rules,
            seed=seed,
        )
    except (NotAnOutcome, NotATime) as error:
        raise CannotTrain(f"{data.name}: {error}") from None
    if isinstance(trained, RulesStay):
        result = Result(
            stays=trained.reason,
            left_out=[one.as_dict() for one in trained.findings if one.left_out],
            suspicious=[one.as_dict() for one in trained.findings if not one.left_out],
        )
        _write(out / RESULT, json.dumps(result.as_dict(), indent=1, ensure_ascii=False))
        return result
    scorer = trained.scorer
    scored, warnings = (None, []) if apart is None else _holdout(scorer, apart, holdout)
    version = versions.save(scorer, out / "models", now, code)
    report = write_report(trained, frame, calls=calls, now_scores=None if scored is None or not len(scored) else scored)
    _write(out / REPORT, report.page)
    if apart is not None and scored is not None:
        _write(out / PREDICTIONS, predictions(scorer, apart, scored, version).write_csv())
        warnings += [one.sentence for one in moved(scorer, apart, scored)][:5]
    result = Result(
        version=version,
        model=out / "models" / version,
        report=out / REPORT,
        predictions=None if scored is None else out / PREDICTIONS,
        headline=headline(trained),
        figures=trained.figures.as_dict(),
        warnings=warnings,
        card=scorer.card,
        holdout=None if apart is None or scored is None else _judged(scorer, apart, scored),
        left_out=[one.as_dict() for one in trained.findings if one.left_out],
        suspicious=[one.as_dict() for one in trained.findings if not one.left_out],
    )
    _write(out / RESULT, json.dumps(result.as_dict(), indent=1, ensure_ascii=False))
    return result


def predictions(scorer: Scorer, frame: pl.DataFrame, scores: Any, version: str) -> pl.DataFrame:
    """A row per row of `frame`, in its order: row (from 0), score, because, held_back_by, version."""
    because: list[str] = []
    held: list[str] = []
    start = 0
    for table in scorer.tables(frame):
        found = reasons(scorer, table, scores[start : start + len(table)])
        start += len(table)
        for words in in_words(scorer, table, found):
            because.append("; ".join(text for text, effect in words if effect > 0))
            held.append("; ".join(text for text, effect in words if effect < 0))
    return pl.DataFrame(
        {
            "row": np.arange(frame.height),
            "score": np.round(scores, 6),
            "because": because,
            "held_back_by": held,
            "version": [version] * frame.height,
        },
        schema={
            "row": pl.Int64,
            "score": pl.Float64,
            "because": pl.String,
            "held_back_by": pl.String,
            "version": pl.String,
        },
    )


def _wishes(
    map: Path | None, time: str | None, positive: str | None, ignore: Sequence[str], keep: Sequence[str]
) -> Wishes:
    try:
        wishes = read_wishes(map)
    except ValueError as error:
        raise CannotTrain(str(error)) from None
    return Wishes(
        (*wishes.ignore, *ignore),
        (*wishes.keep, *keep),
        time or wishes.time,
        wishes.group,
        positive or wishes.positive,
        wishes.negative,
        wishes.rules,
    )


def _columns(frame: pl.DataFrame, names: Sequence[str], path: Path) -> list[str]:
    return [_column(frame, name, path) for name in names]


def _column(frame: pl.DataFrame, name: str, path: Path) -> str:
    """The column as the file spells it; upper and lower case do not matter."""
    if name in frame.columns:
        return name
    alike = [one for one in frame.columns if one.casefold().strip() == name.casefold().strip()]
    if len(alike) == 1:
        return alike[0]
    raise CannotTrain(
        f'{path.name} has no column "{name}". It has ' + ", ".join(f'"{one}"' for one in frame.columns[:40]) + "."
    )


def _holdout(scorer: Scorer, frame: pl.DataFrame, path: Path | None) -> tuple[Any, list[str]]:
    """The scores of leads never seen, and what was odd about their file."""
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
    return scores, warnings


def _judged(scorer: Scorer, frame: pl.DataFrame, scores: Any) -> dict[str, float] | None:
    """The figures on the holdout, if it says what became of its leads."""
    card = scorer.card
    if card["label"] not in frame.columns:
        return None
    try:
        outcome = read_outcome(frame[card["label"]], card["positive"], card["negative"].split(" or "))
        told: Figures = figures(outcome.y[outcome.known], np.asarray(scores)[outcome.known])
    except (NotAnOutcome, ValueError):
        return None
    return told.as_dict()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
