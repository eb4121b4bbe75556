"""Log odds: what estimators add up, and what becomes a probability at the end."""

from collections.abc import Sequence

import numpy as np

from nurture.learning.metrics import Floats


def sigmoid(log_odds: Floats) -> Floats:
    """Probabilities, the shape of `log_odds`, which are cut off at ±30."""
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -30, 30))))


def blend(weight: float, scorecard: Floats | None, trees: Floats | None) -> Floats:
    """The weighted sum of log odds, shape (n,): `weight` of the scorecard, the rest of the trees."""
    parts: Sequence[tuple[float, Floats | None]] = ((weight, scorecard), (1 - weight, trees))
    return np.asarray(sum(share * one for share, one in parts if one is not None))


def level_shift(log_odds: Floats, rate: float) -> float:
    """What to add to log odds so that their mean probability is `rate` (kept off 0 and 1 by half a lead)."""
    rate, shift = (rate * len(log_odds) + 0.5) / (len(log_odds) + 1), 0.0
    for _ in range(20):
        p = sigmoid(log_odds + shift)
        shift -= float(np.clip((p.mean() - rate) / max(float(np.mean(p * (1 - p))), 1e-6), -2, 2))
    return shift
