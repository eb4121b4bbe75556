"""The page of a training report: figures, leaks, plots and the leads that would have been handed over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from nurture.learning.fit.trained import TrainedScorer
from nurture.learning.judge.directions import Direction, ValueEffect
from nurture.learning.judge.plots import Period
from nurture.learning.leaks.finding import LeakFinding

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#333;max-width:66rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem} h2{font-size:1.1rem;margin-top:2rem} table{border-collapse:collapse}
td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top;border-bottom:1px solid #eee}
img{max-width:100%;width:31rem} .plots{display:flex;flex-wrap:wrap;gap:.5rem} .leak{color:#a33}
"""


class BacktestLine(NamedTuple):
    """How many leads must be called until a share of the buyers is found, by what ranks them, and at random."""

    buyers: int
    share: float
    calls: dict[str, int]
    random: int


class HandedLead(NamedTuple):
    """A lead that would have been handed to sales."""

    name: str  # its row in the file, or who it was and when
    score: float  # probability
    bought: str  # "yes" or "no"
    reasons: list[str]
    against: list[str]


@dataclass(frozen=True)
class ReportFigures:
    """What a report tells besides the figures of the training."""

    headline: str
    backtest: list[BacktestLine]
    periods: list[Period]
    threshold: str  # from which score on leads would have been handed over, in a sentence
    handed: list[HandedLead]
    directions: list[Direction]


def page_of(trained: TrainedScorer, told: ReportFigures, plots: Sequence[str]) -> str:
    """A whole HTML page that needs nothing else; `plots` are data URIs."""
    title = f"Training on “{trained.scorer.card['label']}”"
    parts = [
        f"<h1>{escape(title)}</h1><p>{escape(told.headline)}</p>",
        _figures(trained),
        *_leaks(trained.findings),
        '<h2>Plots</h2><div class="plots">' + "".join(f'<img alt="" src="{one}">' for one in plots) + "</div>",
        _directions(told.directions),
        _backtest(told.backtest),
        _handed(trained, told),
        *_candidates(trained),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def _figures(trained: TrainedScorer) -> str:
    card, figures = trained.scorer.card, trained.figures
    return _table(
        ["", ""],
        [
            ["estimator", card["estimator"]],
            ["calibration", card["calibration"]],
            ["leads", f"{card['rows']:,}, {card['positives']:,} say “{card['positive']}”"],
            ["data cut", card["data_cut"] or "no time column"],
            ["AUC", f"{figures.auc:.4f} ± {2 * figures.auc_error:.4f}"],
            ["average precision", f"{figures.ap:.4f}"],
            ["Brier", f"{figures.brier:.4f}"],
            ["calibration error (ECE)", f"{figures.ece:.4f}"],
            ["lift in the best tenth", f"{figures.lift10:.2f}"],
        ],
    )


def _leaks(findings: Sequence[LeakFinding]) -> list[str]:
    gone, kept = ([one for one in findings if one.left_out is out] for out in (True, False))
    titles = ["column", "why", "AUC alone", "what it costs"]
    parts = ["<h2>Left out: known only after the outcome, or too good to be true</h2>"]
    if gone:
        parts.append(_table(titles, [_leak(one) for one in gone], "leak"))
    else:
        parts.append("<p>No column looks like a leak.</p>")
    if kept:
        parts.append("<h2>Kept, but worth a look</h2>")
        parts.append(_table(titles, [_leak(one) for one in kept]))
    return parts


def _leak(one: LeakFinding) -> list[str]:
    return [one.column, one.why, f"{one.alone:.3f}", one.cost.sentence if one.cost else ""]


def _directions(found: Sequence[Direction]) -> str:
    """A row per column: the sentence, and per value the chance with it, and how many of its leads bought."""
    rows = [
        [
            one.column,
            one.sentence,
            " · ".join(
                f"{value.value}: {value.chance:.1%} ({value.bought:.0%} of {value.leads:,})" for value in one.values
            ),
        ]
        for one in found
    ]
    return "<h2>Which way each column moves the chance</h2>" + _table(
        ["column", "which way", "value: chance with it (share of its leads that bought)"], rows
    )


def _value(one: ValueEffect) -> str:
    return f"{one.value}: {one.chance:.1%} ({one.bought:.0%} of {one.leads:,})"


def _backtest(lines: Sequence[BacktestLine]) -> str:
    return (
        "<h2>Backtest</h2><p>Had this model ranked these leads, a salesperson would have had to call so many "
        "to find the buyers:</p>"
    ) + _table(
        ["to find", *lines[0].calls, "random"],
        [
            [f"{one.buyers:,} buyers ({one.share:.0%})", *(f"{n:,}" for n in (*one.calls.values(), one.random))]
            for one in lines
        ],
    )


def _handed(trained: TrainedScorer, told: ReportFigures) -> str:
    return f"<h2>Who would have been handed over</h2><p>{escape(told.threshold)}</p>" + _table(
        ["lead" if "plan" in trained.scorer.card else "row", "score", "bought", "because", "held back by"],
        [
            [one.name, f"{one.score:.0%}", one.bought, "; ".join(one.reasons), "; ".join(one.against)]
            for one in told.handed
        ],
    )


def _candidates(trained: TrainedScorer) -> list[str]:
    parts = [
        "<h2>Model selection</h2>",
        _table(
            ["candidate", "log loss", "AUC"],
            [[one.name, f"{one.log_loss:.5f}", f"{one.auc:.4f}"] for one in trained.candidates],
        ),
    ]
    if trained.unused:
        parts.append("<h2>Columns nothing can be learned from</h2>")
        parts.append(_table(["column", "why"], [[one.name, one.why] for one in trained.unused]))
    return parts


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    head = "<tr>" + "".join(f"<th>{escape(one)}</th>" for one in titles) + "</tr>" if any(titles) else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table class="{kind}">{head}{body}</table>'
