"""The report of a training: one page with its plots inside, and a short text for Prefect."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from nurture.learning import metrics
from nurture.learning.fit.trained import TrainedScorer
from nurture.learning.judge import plots
from nurture.learning.judge.directions import directions
from nurture.learning.judge.plots import Period
from nurture.learning.judge.report_page import BacktestLine, HandedLead, ReportFigures, page_of
from nurture.learning.metrics import Floats, Ints
from nurture.learning.reasons.contributions import describe_reasons, find_reasons
from nurture.learning.training_data.schema import EPOCH
from nurture.rules.handoff.sales_threshold import mql_threshold

HANDED = 10  # leads shown
SHARE = 0.1  # of the leads, handed over where nobody said how many the reps can call
WANTED = (0.25, 0.5, 0.75)  # shares of the buyers
LEAST = 20  # leads in a period that is shown


class DescribedLead(NamedTuple):
    """A lead's name for the reader, and its reasons: what is said, and the points of the score it gives or takes."""

    name: str
    reasons: list[tuple[str, float]]


DescribeRows = Callable[[Ints], list[DescribedLead]]  # of rows of the frame given to train()


@dataclass(frozen=True)
class TrainingReport:
    """`page` is a whole HTML page that needs nothing else; `markdown` suits a Prefect artifact."""

    page: str
    markdown: str
    figures: ReportFigures


def write_report(
    trained: TrainedScorer,
    frame: pl.DataFrame,
    *,
    calls: int | None = None,
    now_scores: Floats | None = None,
    describe: DescribeRows | None = None,
) -> TrainingReport:
    """Tell what was learned and what it is worth.

    `frame` is the one given to train(); `calls` is how many of the judged leads the reps could have called;
    `now_scores` are today's scores, compared with those of the training (by default the judged leads'); `describe`
    names rows of the frame and tells their reasons, where we know better words than the columns'.
    """
    judged = trained.evaluation
    scores = _scores(trained)
    threshold = mql_threshold(judged.p.tolist(), round(SHARE * len(judged.p)) if calls is None else calls)
    told = ReportFigures(
        headline(trained), backtest(judged.y, scores), periods(trained), threshold.sentence,
        _handed_over(trained, frame, threshold.leads, describe),
        directions(trained.scorer, frame[judged.rows], judged.y),
    )  # fmt: skip
    return TrainingReport(page_of(trained, told, _plots(trained, told, now_scores)), _markdown(trained, told), told)


def _scores(trained: TrainedScorer) -> dict[str, Floats]:
    """The model's scores of the judged leads, and those of the rules where there are such."""
    judged = trained.evaluation
    return {"model": judged.p, **({"rules": judged.rules} if judged.rules is not None else {})}


def _plots(trained: TrainedScorer, told: ReportFigures, now_scores: Floats | None) -> list[str]:
    judged, scores = trained.evaluation, _scores(trained)
    drawn = [
        plots.roc(judged.y, scores),
        plots.precision_recall(judged.y, scores),
        plots.calibration(judged.y, judged.p),
        plots.gains(judged.y, scores),
        plots.lift(judged.y, judged.p),
        plots.calls(judged.y, scores),
        plots.distribution(judged.trained, judged.p if now_scores is None else now_scores),
        plots.weights(trained.scorer.card["importance"]),
    ]
    return [*drawn, plots.stability(told.periods)] if told.periods else drawn


def backtest(y: Floats, scores: dict[str, Floats]) -> list[BacktestLine]:
    """Leads a salesperson would have had to call to find a quarter, half and three quarters of the buyers.

    `y`, shape (m,), is 1.0 or 0.0; `scores` are of shape (m,), by the name of what ranks.
    """
    return [
        BacktestLine(
            round(wanted * float(y.sum())),
            wanted,
            {name: metrics.calls_for(y, p, wanted) for name, p in scores.items()},
            round(wanted * (len(y) + 1)),
        )
        for wanted in WANTED
    ]


def periods(trained: TrainedScorer) -> list[Period]:
    """Month by month (tenth by tenth where time is only an order): what the scores said and what came."""
    judged = trained.evaluation
    if judged.moment is None:
        return []
    if trained.scorer.reader.time is None:
        tenths = np.array_split(np.argsort(judged.moment, kind="stable"), 10)
        parts = [(f"{i}0 %", part) for i, part in enumerate(tenths, 1)]
    else:
        dates = pl.Series(EPOCH.astype("datetime64[D]") + np.floor(judged.moment).astype("timedelta64[D]"))
        long = (judged.moment.max() - judged.moment.min()) > 75
        names = dates.dt.truncate("1mo" if long else "1w").dt.strftime("%Y-%m" if long else "%Y-%m-%d").to_numpy()
        parts = [(str(name), np.flatnonzero(names == name)) for name in np.unique(names)]
    return [
        Period(name, float(judged.p[part].mean()), float(judged.y[part].mean()), len(part))
        for name, part in parts
        if len(part) >= LEAST
    ]


def _handed_over(
    trained: TrainedScorer, frame: pl.DataFrame, leads: int, describe: DescribeRows | None
) -> list[HandedLead]:
    """The best of the judged leads: row in the file, score, reasons, and whether they bought."""
    judged, scorer = trained.evaluation, trained.scorer
    best = np.argsort(-judged.p, kind="stable")[: min(leads, HANDED)]
    rows = judged.rows[best]
    if describe is None:
        table = scorer.reader.read(frame[rows])
        words = describe_reasons(scorer, table, find_reasons(scorer, table))
        told = [DescribedLead(str(row), reasons) for row, reasons in zip(rows.tolist(), words, strict=True)]
    else:
        told = describe(rows)
    return [
        HandedLead(
            lead.name,
            float(judged.p[i]),
            "yes" if judged.y[i] else "no",
            [text for text, points in lead.reasons if points > 0],
            [text for text, points in lead.reasons if points < 0],
        )
        for i, lead in zip(best, told, strict=True)
    ]


def headline(trained: TrainedScorer) -> str:
    """What the training is worth, in one sentence: a promise for leads whose doubtful columns are still blank."""
    judged = trained.evaluation
    p = judged.p if judged.p_blank is None else judged.p_blank
    told = trained.figures if judged.p_blank is None else metrics.figures(judged.y, p)
    need = metrics.calls_for(judged.y, p, 0.5)
    who = (
        "the newest {:,} leads"
        if judged.moment is not None
        else "{:,} leads kept apart"
        if judged.apart
        else "{:,} leads no fold had seen"
    )
    return (
        f"On {who.format(told.rows)}, half of the {told.positives:,} buyers are among the best {need:,} "
        f"({need / told.rows:.0%} of the leads); the best tenth buys {told.lift10:.1f} times as often as the average "
        f"(AUC {told.auc:.3f} ± {2 * told.auc_error:.3f}){_if_known(trained)}."
    )


def _if_known(trained: TrainedScorer) -> str:
    """What the doubtful columns would add, if they were known when a lead comes in."""
    if trained.evaluation.p_blank is None:
        return ""
    names = ", ".join(f'"{one}"' for one in trained.doubtful)
    return f", while {names} {'is' if len(trained.doubtful) == 1 else 'are'} blank; else AUC {trained.figures.auc:.3f}"


def _markdown(trained: TrainedScorer, told: ReportFigures) -> str:
    figures, card = trained.figures, trained.scorer.card
    lines = [
        f"# Training: {card['estimator']}",
        "",
        told.headline,
        "",
        "| AUC | AP | Brier | ECE | lift 10 % |",
        "|---|---|---|---|---|",
        f"| {figures.auc:.3f} | {figures.ap:.3f} | {figures.brier:.4f} | {figures.ece:.3f} | {figures.lift10:.2f} |",
        "",
        told.threshold,
    ]
    if gone := [one for one in trained.findings if one.left_out]:
        lines += ["", "**Left out, too good to be true:**", ""] + [f"* {one.column}: {one.why}" for one in gone]
    lines += ["", "**Looks at:** " + ", ".join(list(card["importance"])[:8])]
    return "\n".join(lines)
