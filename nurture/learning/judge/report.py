"""The report of a training: one page with its pictures inside, a short text for Prefect, and the figures as data."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import polars as pl

from nurture.learning.fit.train import TrainedScorer
from nurture.learning.judge import metrics, plots
from nurture.learning.judge.metrics import Floats, Ints
from nurture.learning.judge.plots import Point
from nurture.learning.reasons.contributions import in_words, reasons
from nurture.learning.training_data.schema import EPOCH
from nurture.rules.handoff.sales_threshold import mql_threshold

Say = Callable[[Ints], list[tuple[str, list[tuple[str, float]]]]]  # rows → name, and (reason, points) each

HANDED = 10  # leads shown
SHARE = 0.1  # of the leads, handed over where nobody said how many the reps can call
WANTED = (0.25, 0.5, 0.75)
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#333;max-width:66rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem} h2{font-size:1.1rem;margin-top:2rem} table{border-collapse:collapse}
td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top;border-bottom:1px solid #eee}
img{max-width:100%;width:31rem} .pictures{display:flex;flex-wrap:wrap;gap:.5rem} .leak{color:#a33}
"""


@dataclass(frozen=True)
class Report:
    """`page` is a whole HTML page that needs nothing else; `markdown` suits a Prefect artifact; `data` is plain."""

    page: str
    markdown: str
    data: dict[str, Any]


def write_report(
    trained: TrainedScorer,
    frame: pl.DataFrame,
    *,
    calls: int | None = None,
    now_scores: Floats | None = None,
    say: Say | None = None,
) -> Report:
    """Tell what was learned and what it is worth.

    `frame` is the one given to train(); `calls` is how many of the judged leads the reps could have called;
    `now_scores` are today's scores, compared with those of the training (by default the judged leads'); `say` names
    rows of the frame and tells their reasons, where we know better words than the columns'.
    """
    trial, card = trained.trial, trained.scorer.card
    scores = {"model": trial.p, **({"rules": trial.rules} if trial.rules is not None else {})}
    ranked = mql_threshold(trial.p.tolist(), round(SHARE * len(trial.p)) if calls is None else calls)
    data = {
        "figures": trained.figures.as_dict(),
        "learner": card["learner"],
        "calibration": card["calibration"],
        "rows": card["rows"],
        "positives": card["positives"],
        "data_cut": card["data_cut"],
        "importance": card["importance"],
        "findings": card["findings"],
        "unused": card["unused"],
        "entries": card["entries"],
        "backtest": backtest(trial.y, scores),
        "months": stability(trained),
        "threshold": {**ranked._asdict(), "sentence": ranked.sentence},
        "seconds": trained.seconds,
    }
    images = [
        plots.roc(trial.y, scores),
        plots.precision_recall(trial.y, scores),
        plots.calibration(trial.y, trial.p),
        plots.gains(trial.y, scores),
        plots.lift(trial.y, trial.p),
        plots.calls(trial.y, scores),
        plots.distribution(trial.trained, trial.p if now_scores is None else now_scores),
        plots.weights(card["importance"]),
    ]
    if data["months"]:
        images.append(plots.stability(data["months"]))
    return Report(
        _page(trained, data, images, _handed(trained, frame, ranked.leads, say)), _markdown(trained, data), data
    )


def backtest(y: Floats, scores: dict[str, Floats]) -> list[dict[str, Any]]:
    """Leads a salesperson would have had to call to find a quarter, half and three quarters of the buyers."""
    rows = []
    for wanted in WANTED:
        needed = {name: metrics.calls_for(y, p, wanted) for name, p in scores.items()}
        rows.append(
            {
                "buyers": round(wanted * float(y.sum())),
                "share": wanted,
                **needed,
                "random": round(wanted * (len(y) + 1)),
            }
        )
    return rows


def stability(trained: TrainedScorer) -> list[Point]:
    """Month by month (tenth by tenth where time is only an order): what the scores said and what came."""
    trial = trained.trial
    if trial.moment is None:
        return []
    if trained.scorer.reader.time is None:
        parts = [
            (f"{i}0 %", part) for i, part in enumerate(np.array_split(np.argsort(trial.moment, kind="stable"), 10), 1)
        ]
    else:
        dates = pl.Series(EPOCH.astype("datetime64[D]") + np.floor(trial.moment).astype("timedelta64[D]"))
        long = (trial.moment.max() - trial.moment.min()) > 75
        names = dates.dt.truncate("1mo" if long else "1w").dt.strftime("%Y-%m" if long else "%Y-%m-%d").to_numpy()
        parts = [(str(name), np.flatnonzero(names == name)) for name in np.unique(names)]
    return [
        (name, float(trial.p[part].mean()), float(trial.y[part].mean()), len(part))
        for name, part in parts
        if len(part) >= 20
    ]


def _handed(trained: TrainedScorer, frame: pl.DataFrame, leads: int, say: Say | None) -> list[dict[str, Any]]:
    """The best of the judged leads: row in the file, score, reasons, and whether they bought."""
    trial, scorer = trained.trial, trained.scorer
    best = np.argsort(-trial.p, kind="stable")[: min(leads, HANDED)]
    rows = trial.rows[best]
    if say is None:
        table = scorer.reader.read(frame[rows])
        told = list(zip(map(str, rows.tolist()), in_words(scorer, table, reasons(scorer, table)), strict=True))
    else:
        told = say(rows)
    return [
        {
            "row": name,
            "score": float(trial.p[i]),
            "bought": bool(trial.y[i]),
            "for": [text for text, effect in words if effect > 0],
            "against": [text for text, effect in words if effect < 0],
        }
        for i, (name, words) in zip(best, told, strict=True)
    ]


def headline(trained: TrainedScorer) -> str:
    """What the training is worth, in one sentence."""
    told, trial = trained.figures, trained.trial
    need = metrics.calls_for(trial.y, trial.p, 0.5)
    who = (
        "the newest {:,} leads"
        if trial.moment is not None
        else "{:,} leads kept apart"
        if trial.apart
        else "{:,} leads no fold had seen"
    )
    return (
        f"On {who.format(told.rows)}, half of the {told.positives:,} buyers are among the best {need:,} "
        f"({need / told.rows:.0%} of the leads); the best tenth buys {told.lift10:.1f} times as often as the average "
        f"(AUC {told.auc:.3f} ± {2 * told.auc_error:.3f})."
    )


def _markdown(trained: TrainedScorer, data: dict[str, Any]) -> str:
    told = trained.figures
    lines = [
        f"# Training: {data['learner']}",
        "",
        headline(trained),
        "",
        "| AUC | AP | Brier | ECE | lift 10 % |",
        "|---|---|---|---|---|",
        f"| {told.auc:.3f} | {told.ap:.3f} | {told.brier:.4f} | {told.ece:.3f} | {told.lift10:.2f} |",
        "",
        data["threshold"]["sentence"],
    ]
    if gone := [one for one in trained.findings if one.left_out]:
        lines += ["", "**Left out, too good to be true:**", ""] + [f"* {one.column}: {one.why}" for one in gone]
    lines += ["", "**Looks at:** " + ", ".join(list(data["importance"])[:8])]
    return "\n".join(lines)


def _page(trained: TrainedScorer, data: dict[str, Any], images: Sequence[str], handed: Sequence[dict[str, Any]]) -> str:
    card, told = trained.scorer.card, trained.figures
    gone, kept = (
        [one for one in trained.findings if one.left_out],
        [one for one in trained.findings if not one.left_out],
    )
    title = f"Training on “{card['label']}”"
    parts = [
        f"<h1>{escape(title)}</h1><p>{escape(headline(trained))}</p>",
        _table(
            ["", ""],
            [
                ["learner", card["learner"]],
                ["calibration", card["calibration"]],
                ["leads", f"{card['rows']:,}, {card['positives']:,} say “{card['positive']}”"],
                ["data cut", card["data_cut"] or "no time column"],
                ["AUC", f"{told.auc:.4f} ± {2 * told.auc_error:.4f}"],
                ["average precision", f"{told.ap:.4f}"],
                ["Brier", f"{told.brier:.4f}"],
                ["calibration error (ECE)", f"{told.ece:.4f}"],
                ["lift in the best tenth", f"{told.lift10:.2f}"],
            ],
        ),
        "<h2>Left out: known only after the outcome, or too good to be true</h2>",
        _table(["column", "why", "AUC alone"], [[one.column, one.why, f"{one.alone:.3f}"] for one in gone], "leak")
        if gone
        else "<p>No column looks like a leak.</p>",
        (
            "<h2>Kept, but worth a look</h2>"
            + _table(["column", "why", "AUC alone"], [[one.column, one.why, f"{one.alone:.3f}"] for one in kept])
        )
        if kept
        else "",
        '<h2>Pictures</h2><div class="pictures">' + "".join(f'<img alt="" src="{one}">' for one in images) + "</div>",
        "<h2>Backtest</h2><p>Had this model ranked these leads, a salesperson would have had to call so many "
        "to find the buyers:</p>",
        _table(
            ["to find", *[key for key in data["backtest"][0] if key not in ("buyers", "share")]],
            [
                [
                    f"{one['buyers']:,} buyers ({one['share']:.0%})",
                    *[f"{value:,}" for key, value in one.items() if key not in ("buyers", "share")],
                ]
                for one in data["backtest"]
            ],
        ),
        f"<h2>Who would have been handed over</h2><p>{escape(data['threshold']['sentence'])}</p>",
        _table(
            ["lead" if "plan" in card else "row", "score", "bought", "because", "held back by"],
            [
                [
                    one["row"],
                    f"{one['score']:.0%}",
                    "yes" if one["bought"] else "no",
                    "; ".join(one["for"]),
                    "; ".join(one["against"]),
                ]
                for one in handed
            ],
        ),
        "<h2>The contest</h2>",
        _table(
            ["contestant", "log loss", "AUC"],
            [[one.name, f"{one.log_loss:.5f}", f"{one.auc:.4f}"] for one in trained.entries],
        ),
        (
            "<h2>Columns nothing can be learned from</h2>"
            + _table(["column", "why"], [[one.name, one.why] for one in trained.unused])
        )
        if trained.unused
        else "",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    head = "<tr>" + "".join(f"<th>{escape(one)}</th>" for one in titles) + "</tr>" if any(titles) else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table class="{kind}">{head}{body}</table>'
