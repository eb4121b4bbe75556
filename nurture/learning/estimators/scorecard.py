"""A scorecard: logistic regression of straight lines with bends and of levels, readable as tables."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression

from nurture.learning.features.columns import FeatureReader, FeatureTable
from nurture.learning.metrics import Bools, Floats, Ints

QUANTILES = (0.0, 0.03, 0.15, 0.3, 0.5, 0.7, 0.85, 0.97, 1.0)  # where a scorecard's lines may bend


@dataclass(frozen=True)
class Scorecard:
    """Logistic regression as tables: per number a line with bends, per level its points. Points are log odds."""

    start: float
    bends: tuple[Floats, ...]  # per number field: where the line bends
    heights: tuple[Floats, ...]  # its points there; flat outside
    unknown: Floats  # points of a missing number
    points: tuple[Floats, ...]  # per level field: points by code

    def points_of(self, table: FeatureTable) -> Floats:
        """Log odds of every lead."""
        total = np.full(len(table), self.start)
        for j, (bends, heights) in enumerate(zip(self.bends, self.heights, strict=True)):
            values = table.numbers[:, j]
            gone = np.isnan(values)
            if len(bends):
                total += np.where(gone, self.unknown[j], np.interp(np.where(gone, bends[0], values), bends, heights))
            elif gone.any():
                total += np.where(gone, self.unknown[j], 0.0)
        for j, points in enumerate(self.points):
            total += points[table.levels[:, j]]
        return total


def fit_scorecard(reader: FeatureReader, table: FeatureTable, y: Floats, penalty: float) -> Scorecard:
    """Ridge-regularised logistic regression over hat functions and levels, without class weights."""
    design, bends, starts = _design(reader, table)
    fitted = LogisticRegression(C=penalty, max_iter=300, tol=1e-4).fit(design, y)
    coef = fitted.coef_[0]
    heights, unknown, points = [], np.zeros(len(bends)), []
    for j, places in enumerate(bends):
        heights.append(coef[starts[j] : starts[j] + len(places)])
        unknown[j] = coef[starts[j] + len(places)]
    for j, one in enumerate(reader.levels):
        first = starts[len(bends) + j]
        points.append(coef[first : first + one.size])
    return Scorecard(float(fitted.intercept_[0]), tuple(bends), tuple(heights), unknown, tuple(points))


def _design(reader: FeatureReader, table: FeatureTable) -> tuple[scipy.sparse.csr_matrix, list[Floats], list[int]]:
    """A sparse matrix with two entries per number (the bends around it) and one per level."""
    n = len(table)
    columns, weights, starts, width = [], [], [], 0
    bends: list[Floats] = []
    for j in range(table.numbers.shape[1]):
        values = table.numbers[:, j]
        gone = np.isnan(values)
        places = _bends(values[~gone])
        bends.append(places)
        starts.append(width)
        left, share = _between(values, gone, places)
        columns += [
            np.where(gone, width + len(places), width + left),
            np.where(gone, width, width + np.minimum(left + 1, max(len(places) - 1, 0))),
        ]
        weights += [np.where(gone, 1.0, 1 - share), np.where(gone, 0.0, share)]
        width += len(places) + 1
    for j, one in enumerate(reader.levels):
        starts.append(width)
        columns.append(width + table.levels[:, j])
        weights.append(np.ones(n))
        width += one.size
    per_row = len(columns)
    design = scipy.sparse.csr_matrix(
        (np.column_stack(weights).ravel(), np.column_stack(columns).ravel(), np.arange(0, n * per_row + 1, per_row)),
        shape=(n, width),
    )
    return design, bends, starts


def _bends(known: Floats) -> Floats:
    if not len(known):
        return np.empty(0)
    values = np.unique(known)
    among = np.quantile(values, (0.25, 0.5, 0.75))  # so that a crowd at one value does not hide the others
    return np.unique(np.concatenate([np.quantile(known, QUANTILES), among])) if len(values) > 12 else values


def _between(values: Floats, gone: Bools, places: Floats) -> tuple[Ints, Floats]:
    if len(places) < 2:
        return np.zeros(len(values), dtype=np.int64), np.zeros(len(values))
    inside = np.clip(np.where(gone, places[0], values), places[0], places[-1])
    left = np.clip(np.searchsorted(places, inside, side="right") - 1, 0, len(places) - 2)
    return left, (inside - places[left]) / (places[left + 1] - places[left])
