"""The report's plots: small, quiet, readable without colour, each a PNG that lives inside the page."""

import base64
import io
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nurture.learning import metrics
from nurture.learning.metrics import Floats

INK, MODEL, OTHER, FAINT = "#333333", "#1f5fa8", "#c2571a", "#bbbbbb"
SIZE = (4.6, 3.3)
DPI = 110


class Period(NamedTuple):
    """A month, or another stretch of time: what the scores of its leads said, and what came."""

    name: str
    said: float  # mean probability
    came: float  # share that bought
    leads: int


def plot(draw: Callable[[Axes], None], title: str) -> str:
    """A data URI. No pyplot: a worker draws in any thread and keeps nothing."""
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.tick_params(labelsize=8, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    draw(axes)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def roc(y: Floats, scores: dict[str, Floats]) -> str:
    """Receiver operating characteristic of every score."""

    def draw(axes: Axes) -> None:
        for (name, p), (colour, style) in zip(scores.items(), _STYLES, strict=False):
            wrong, right = _thin(*metrics.roc(y, p))
            axes.plot(wrong, right, style, color=colour, label=f"{name} {metrics.auc(y, p):.3f}")
        axes.plot([0, 1], [0, 1], ":", color=FAINT)
        _named(axes, "others called", "buyers found")

    return plot(draw, "ROC: buyers found against others called")


def precision_recall(y: Floats, scores: dict[str, Floats]) -> str:
    """Precision by recall of every score."""

    def draw(axes: Axes) -> None:
        for (name, p), (colour, style) in zip(scores.items(), _STYLES, strict=False):
            precision, recall, _ = metrics.precision_recall(y, p)
            axes.plot(
                *_thin(recall, precision), style, color=colour, label=f"{name} {metrics.average_precision(y, p):.3f}"
            )
        axes.axhline(float(y.mean()), linestyle=":", color=FAINT)
        _named(axes, "share of buyers found (recall)", "share of calls that buy (precision)")

    return plot(draw, "Precision and recall")


def calibration(y: Floats, p: Floats) -> str:
    """Per fifteenth of the leads, what the score said and how many bought."""

    def draw(axes: Axes) -> None:
        bins = metrics.calibration(y, p)
        said, came = [one[0] for one in bins], [one[1] for one in bins]
        error = [2 * np.sqrt(max(c * (1 - c), 1e-4) / n) for _, c, n in bins]
        most = min(1.0, max(*said, *came) * 1.1)
        axes.plot([0, most], [0, most], ":", color=FAINT)
        axes.errorbar(said, came, yerr=error, fmt="o-", color=MODEL, markersize=3.5, linewidth=1, elinewidth=0.7)
        _named(axes, "what the score said", "share that bought")

    return plot(draw, "Calibration: do as many buy as the score says?")


def gains(y: Floats, scores: dict[str, Floats]) -> str:
    """Share of the buyers found by share of the leads called, of every score."""

    def draw(axes: Axes) -> None:
        shares = np.linspace(0.01, 1, 100)
        for (name, p), (colour, style) in zip(scores.items(), _STYLES, strict=False):
            found = [metrics.captured(y, p, max(1, round(len(y) * share))) / y.sum() for share in shares]
            axes.plot([0, *shares], [0, *found], style, color=colour, label=name)
        axes.plot([0, 1], [0, 1], ":", color=FAINT, label="at random")
        _named(axes, "share of leads called, best first", "share of buyers found")

    return plot(draw, "Cumulative gains")


def lift(y: Floats, p: Floats) -> str:
    """How many times as often each tenth buys as the average."""

    def draw(axes: Axes) -> None:
        tenths = [float(y[part].mean()) for part in np.array_split(np.argsort(-p, kind="stable"), 10)]
        axes.bar(range(1, 11), [rate / float(y.mean()) for rate in tenths], color=MODEL, width=0.8)
        axes.axhline(1, linestyle=":", color=INK)
        axes.set_xticks(range(1, 11))
        _named(axes, "tenth of the leads, best first", "times the average")

    return plot(draw, "Lift by tenth")


def distribution(then: Floats, now: Floats) -> str:
    """Scores in training, shape (m,), beside those of now, shape (n,)."""

    def draw(axes: Axes) -> None:
        edges = np.linspace(0, float(max(then.max(), now.max(), 0.05)), 31)
        for values, colour, name, filled in ((then, FAINT, "training", True), (now, MODEL, "now", False)):
            axes.hist(
                values,
                edges.tolist(),
                weights=np.full(len(values), 1 / len(values)),
                color=colour,
                label=name,
                histtype="stepfilled" if filled else "step",
                linewidth=1.4,
            )
        _named(axes, "score", "share of leads")

    return plot(draw, "Scores now and in training")


def stability(periods: Sequence[Period]) -> str:
    """What scores said and what came, period by period."""

    def draw(axes: Axes) -> None:
        at = range(len(periods))
        axes.plot(at, [one.came for one in periods], "o-", color=MODEL, markersize=3.5, label="bought")
        axes.plot(at, [one.said for one in periods], "--", color=OTHER, label="score said")
        every = max(1, len(periods) // 6)
        axes.set_xticks(list(at)[::every], [one.name for one in periods][::every])
        axes.set_ylim(bottom=0)
        _named(axes, "", "share of leads")

    return plot(draw, "Stability over time")


def weights(importance: dict[str, float]) -> str:
    """What the score looks at: AUC lost without a column, the weightiest first."""

    def draw(axes: Axes) -> None:
        best = list(importance.items())[:12][::-1]
        axes.barh([_short(name) for name, _ in best], [value for _, value in best], color=MODEL)
        axes.tick_params(axis="y", labelsize=7)
        _named(axes, "AUC lost without it", "")

    return plot(draw, "What the score looks at")


def calls(y: Floats, scores: dict[str, Floats]) -> str:
    """Calls until a share of the buyers is found, for each way to rank and at random."""

    def draw(axes: Axes) -> None:
        wanted = np.linspace(0.05, 0.95, 19)
        for (name, p), (colour, style) in zip(scores.items(), _STYLES, strict=False):
            axes.plot(wanted, [metrics.calls_for(y, p, share) for share in wanted], style, color=colour, label=name)
        axes.plot(wanted, wanted * len(y), ":", color=FAINT, label="at random")
        _named(axes, "share of the buyers to be found", "leads to call")

    return plot(draw, "Backtest: leads a salesperson would have had to call")


_STYLES = ((MODEL, "-"), (OTHER, "--"), (INK, "-."))


def _named(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, fontsize=8, color=INK)
    axes.set_ylabel(y, fontsize=8, color=INK)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=7, frameon=False)


def _thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    keep = np.unique(np.linspace(0, len(x) - 1, 400).astype(int))
    return x[keep], y[keep]


def _short(name: str) -> str:
    return (name if len(name) <= 34 else name[:33] + "…").replace("$", r"\$")  # matplotlib would set it as a formula
