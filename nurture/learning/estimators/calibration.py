"""When the score says 30 %, three in ten should buy: corrected as far as the data ask for it."""

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from nurture.learning.estimators.log_odds import sigmoid
from nurture.learning.metrics import Floats, Ints, loss_gain

# scikit-learn's CalibratedClassifierCV would fit the model anew for each kind of correction, and keep it whether it
# pays or not; we have log odds of leads the model had not seen already, in order of time, and ask them if it pays.

LEAST_STEPS = 1_000  # positives before isotonic regression is trusted


@dataclass(frozen=True)
class Calibrator:
    """From log odds to probability: `kind` is "none", "sigmoid" or "isotonic"; `xs`, `ys` are its line."""

    kind: str = "none"
    xs: Floats = None  # type: ignore[assignment]  # "none" has no line
    ys: Floats = None  # type: ignore[assignment]

    def __call__(self, log_odds: Floats) -> Floats:
        """Probabilities, the shape of `log_odds`."""
        if self.kind == "none":
            return sigmoid(log_odds)
        if self.kind == "sigmoid":
            return sigmoid(self.xs[0] * log_odds + self.xs[1])
        return sigmoid(
            np.interp(log_odds, self.xs, self.ys) + 0.01 * (log_odds - np.clip(log_odds, self.xs[0], self.xs[-1]))
        )


def fit_calibrator(kind: str, log_odds: Floats, y: Floats) -> Calibrator:
    """The correction of this kind for log odds and outcomes of shape (n,); none where too few steps are left."""
    if kind == "sigmoid":
        fitted = LogisticRegression(C=1e4).fit(log_odds[:, None], y)
        slope = max(float(fitted.coef_[0, 0]), 0.05)  # a correction never turns the ranking round
        return Calibrator("sigmoid", np.array([slope, float(fitted.intercept_[0])]))
    if kind == "isotonic":
        steps = IsotonicRegression(out_of_bounds="clip").fit_transform(log_odds, y)
        heights, inverse, counts = np.unique(steps, return_inverse=True, return_counts=True)
        centres = np.bincount(inverse, weights=log_odds) / counts
        rates = (heights * counts + 0.5) / (counts + 1.0)  # no group is ever certain
        keep = np.concatenate([[True], np.diff(centres) > 1e-9])
        return (
            Calibrator("isotonic", centres[keep], np.log(rates / (1 - rates))[keep]) if keep.sum() > 2 else Calibrator()
        )
    return Calibrator()


def choose_calibrator(log_odds: Floats, y: Floats, folds: Ints) -> Calibrator:
    """The correction that pays beyond noise on leads it was not fitted to, out of none, sigmoid and isotonic.

    `log_odds` are out-of-fold; `folds`, shape (n,), cut the leads into parts (shuffled, or in time order).
    """
    best, kind = np.asarray(sigmoid(log_odds)), "none"
    for candidate in ("sigmoid", "isotonic"):
        if candidate == "isotonic" and y.sum() < LEAST_STEPS:
            continue
        made = np.empty_like(log_odds)
        for fold in np.unique(folds):
            apart = folds == fold
            if len(np.unique(y[~apart])) < 2:
                return Calibrator()
            made[apart] = fit_calibrator(candidate, log_odds[~apart], y[~apart])(log_odds[apart])
        gain = loss_gain(y, best, made)
        if gain.beyond_noise:
            best, kind = made, candidate
    return fit_calibrator(kind, log_odds, y)
