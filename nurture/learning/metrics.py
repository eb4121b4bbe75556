"""How good are these scores? The figures marketing defends: ranking, probability, and the calls a salesperson saves.

Everywhere: `y`, shape (n,), is 1.0 (bought) or 0.0; `p`, shape (n,), are scores of the same leads, higher is better.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int32]

BINS = 15  # of equal mass, for the calibration error
TINY = 1e-6


@dataclass(frozen=True)
class Figures:
    """What one set of scores is worth. Shares and probabilities run 0–1, `lift10` is times the base rate."""

    rows: int
    positives: int
    auc: float
    auc_error: float  # one standard error
    ap: float
    brier: float
    ece: float
    log_loss: float
    lift10: float
    top_half: float  # share of the positives among the better half

    def as_dict(self) -> dict[str, float]:
        """Ready for JSON, to five decimals."""
        return {key: round(float(value), 5) for key, value in asdict(self).items()}


class Gain(NamedTuple):
    """The step from one set of scores to another on the same leads: positive is better."""

    gain: float
    error: float  # one standard error of `gain`, paired

    @property
    def beyond_noise(self) -> bool:
        """Is the gain more than two standard errors?"""
        return self.gain > 2 * self.error


def figures(y: Floats, p: Floats) -> Figures:
    """All figures of scores `p` (probabilities) on outcomes `y` (0 or 1, both present; ValueError otherwise)."""
    positives = int(y.sum())
    if not 0 < positives < len(y):
        raise ValueError(f"{positives} of {len(y)} outcomes are positive: there is nothing to rank")
    order = np.argsort(-p, kind="stable")
    return Figures(
        rows=len(y),
        positives=positives,
        auc=auc(y, p),
        auc_error=auc_error(y, p),
        ap=average_precision(y, p),
        brier=float(np.mean((p - y) ** 2)),
        ece=ece(y, p),
        log_loss=float(losses(y, p).mean()),
        lift10=lift(y, p, 0.1),
        top_half=float(y[order[: len(y) // 2]].sum() / positives),
    )


def ranks(values: Floats) -> Floats:
    """Ranks from 1, ties share theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def auc(y: Floats, p: Floats) -> float:
    """How often a positive outranks a negative; ties count half."""
    n1 = y.sum()
    n0 = len(y) - n1
    if not n0 or not n1:
        return 0.5
    return float((ranks(p)[y == 1].sum() - n1 * (n1 + 1) / 2) / (n0 * n1))


def auc_error(y: Floats, p: Floats) -> float:
    """One standard error of the AUC (DeLong)."""
    placed1, placed0 = _placements(y, p)
    return float(np.sqrt(_variance(placed1) + _variance(placed0)))


def auc_within(y: Floats, p: Floats, blocks: Sequence[Ints]) -> tuple[float, float]:
    """AUC among leads of one block only, weighted by their pairs, and its standard error.

    Blocks are leads of one time. Over all of them a model is also praised, or blamed, for good and bad seasons; sales
    choose among the leads of this week.
    """
    mixed = [one for one in blocks if 0 < y[one].sum() < len(one)]
    if not mixed:
        return 0.5, 0.5
    pairs = np.array([y[one].sum() * (1 - y[one]).sum() for one in mixed])
    share = pairs / pairs.sum()
    errors = np.array([auc_error(y[one], p[one]) for one in mixed])
    return float(share @ [auc(y[one], p[one]) for one in mixed]), float(np.sqrt(np.sum((share * errors) ** 2)))


def auc_gain(y: Floats, old: Floats, new: Floats) -> Gain:
    """How much better `new` ranks the same leads than `old`; the error is DeLong's for paired scores."""
    old1, old0 = _placements(y, old)
    new1, new0 = _placements(y, new)
    error = np.sqrt(_variance(new1 - old1) + _variance(new0 - old0))
    return Gain(float(new1.mean() - old1.mean()), float(error))


def loss_gain(y: Floats, old: Floats, new: Floats) -> Gain:
    """How much lower the log loss of `new` is, per lead."""
    step = losses(y, old) - losses(y, new)
    return Gain(float(step.mean()), float(np.sqrt(_variance(step))))


def _placements(y: Floats, p: Floats) -> tuple[Floats, Floats]:
    """Of each positive, the share of negatives below it; of each negative, the share of positives above it."""
    one = y == 1
    n1, n0 = max(int(one.sum()), 1), max(int((~one).sum()), 1)
    among_all = ranks(p)
    return (among_all[one] - ranks(p[one])) / n0, 1 - (among_all[~one] - ranks(p[~one])) / n1


def _variance(values: Floats) -> float:
    """Of the mean."""
    return float(values.var(ddof=1) / len(values)) if len(values) > 1 else 0.25


def losses(y: Floats, p: Floats) -> Floats:
    """Log loss of every lead."""
    q = np.clip(p, TINY, 1 - TINY)
    return -(y * np.log(q) + (1 - y) * np.log(1 - q))


def average_precision(y: Floats, p: Floats) -> float:
    """The area under the precision-recall curve, as a sum of steps."""
    precision, recall, _ = precision_recall(y, p)
    return float(np.sum(np.diff(np.concatenate([[0.0], recall])) * precision))


def precision_recall(y: Floats, p: Floats) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and threshold, best leads first; a point per distinct score."""
    order = np.argsort(-p, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    hits = np.cumsum(y[order])[ends]
    return hits / (ends + 1), hits / max(y.sum(), 1), p[order][ends]


def roc(y: Floats, p: Floats) -> tuple[Floats, Floats]:
    """False and true positive rate, best leads first."""
    order = np.argsort(-p, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    hits = np.cumsum(y[order])[ends]
    misses = ends + 1 - hits
    start = np.zeros(1)
    return (
        np.concatenate([start, misses / max(len(y) - y.sum(), 1)]),
        np.concatenate([start, hits / max(y.sum(), 1)]),
    )


def ece(y: Floats, p: Floats, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal mass."""
    return float(sum(abs(said - was) * n for said, was, n in calibration(y, p, bins)) / len(y))


def calibration(y: Floats, p: Floats, bins: int = BINS) -> list[tuple[float, float, int]]:
    """Per bin of equal mass: what the score said, what happened, how many leads."""
    parts = np.array_split(np.argsort(p, kind="stable"), min(bins, len(p)))
    return [(float(p[part].mean()), float(y[part].mean()), len(part)) for part in parts]


def lift(y: Floats, p: Floats, share: float) -> float:
    """Base rates in the best `share` of the leads. Ties at the border count in proportion."""
    most = max(1, round(len(y) * share))
    return captured(y, p, most) / most / max(float(y.mean()), TINY)


def captured(y: Floats, p: Floats, calls: int) -> float:
    """Positives among the best `calls` leads; of leads with the same score, whichever come first by chance."""
    border = np.partition(p, len(p) - calls)[len(p) - calls]
    above, tied = p > border, p == border
    share = (calls - above.sum()) / tied.sum()
    return float(y[above].sum() + y[tied].sum() * share)


def calls_for(y: Floats, p: Floats, wanted: float) -> int:
    """How many leads a salesperson calls, best first, until `wanted` of the positives (0–1) are found."""
    order = np.argsort(-p, kind="stable")
    found = np.cumsum(y[order])
    return int(np.searchsorted(found, wanted * y.sum() - 1e-9) + 1)
