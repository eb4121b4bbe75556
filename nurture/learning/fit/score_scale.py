"""From a learned probability to the numbers everybody knows: a score and two parts of 0 to 100, and a grade.

A score is a straight line over the log odds: so many points double the odds, wherever one stands. Two leads fix it, of
those at the newest moment the model was trained on: as many leads reach the score that hands them to sales as reached
it under the rules, and the lead in the middle keeps the middle's score. Fit and engagement are dealt likewise: as many
leads are an A, or a 1, as under the rules. So thresholds, audiences and grades keep their sizes; who is in them
changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nurture.learning.features.columns import FeatureTable
from nurture.learning.fit.card import SavedScale
from nurture.learning.fit.partial_effects import replaced
from nurture.learning.fit.scorer import Scorer
from nurture.learning.metrics import Floats
from nurture.learning.training_data.point_in_time import MAILBOX, PLAIN, TITLE_SAYS, TRAIT

DOUBLE = (1.0, 15.0)  # points that double the odds: no fewer, no more
KNOTS = 200
LEAST_SHARE = 0.01  # of the leads reach the threshold where the rules let nobody
TINY = 1e-9
SETTLED = (*PLAIN, "employees", "language", MAILBOX, TITLE_SAYS)  # who they are; everything else is what they did


def is_fit(owner: str, market: str) -> bool:
    """Is this column about who they are? For consumers that includes what they have bought, as in the rules."""
    return owner in SETTLED or owner.startswith(TRAIT) or (market == "b2c" and owner.startswith("orders "))


@dataclass(frozen=True)
class Scale:
    """`anchor` are the log odds that score `mql`, `double` the points that double the odds; `fit` and `engagement` are
    lines from log odds to 0–100."""

    mql: float
    anchor: float
    double: float
    fit: tuple[Floats, Floats]
    engagement: tuple[Floats, Floats]

    def points(self, p: Floats) -> Floats:
        """Scores of 0–100 for probabilities, the shape of `p`."""
        return np.asarray(np.clip(self.unbounded(p), 0.0, 100.0))

    def unbounded(self, p: Floats) -> Floats:
        """Points as if there were no 0 and no 100: what reasons are told in."""
        return np.asarray(self.mql + self.double / np.log(2) * (_log_odds(p) - self.anchor))

    def as_dict(self) -> SavedScale:
        """The scale as JSON."""
        fit, engagement = ([line.round(6).tolist() for line in one] for one in (self.fit, self.engagement))
        return {"mql": self.mql, "anchor": self.anchor, "double": self.double, "fit": fit, "engagement": engagement}

    @classmethod
    def from_dict(cls, saved: SavedScale) -> "Scale":
        """The scale that `as_dict` wrote down."""
        fit, engagement = ((np.asarray(x), np.asarray(y)) for x, y in (saved["fit"], saved["engagement"]))
        return cls(saved["mql"], saved["anchor"], saved["double"], fit, engagement)


class InPoints(Scorer):
    """The same scorer, its scores in hundredths of points, so that reasons are found and told in points."""

    scale: Scale

    def score_table(self, table: FeatureTable) -> Floats:
        """Hundredths of points, shape (n,), unbounded."""
        return self.scale.unbounded(super().score_table(table)) / 100


def in_points(scorer: Scorer, scale: Scale) -> InPoints:
    """The scorer with its scores in hundredths of points."""
    made = InPoints(scorer.learned, scorer.calibrator, scorer.typical, scorer.partial_effects, scorer.card)
    object.__setattr__(made, "scale", scale)
    return made


def parts(scorer: Scorer, table: FeatureTable, market: str) -> tuple[Floats, Floats]:
    """Log odds of who they are, had they done what is usual; and of what they did, had anybody done it."""
    owners = scorer.reader.owners
    who = [i for i, owner in enumerate(owners) if is_fit(owner, market)]
    did = [i for i in range(len(owners)) if i not in set(who)]
    return tuple(  # type: ignore[return-value]
        scorer.learned.log_odds(replaced(table, scorer.typical, scorer.reader, rest)) if rest else np.zeros(len(table))
        for rest in (did, who)
    )


def make_scale(scorer: Scorer, table: FeatureTable, market: str, mql: float, rules: Mapping[str, Floats]) -> Scale:
    """The scale on which these leads keep the numbers that the rules gave them: `rules` has score, fit, engagement."""
    odds, theirs = np.sort(_log_odds(scorer.score_table(table))), np.sort(rules["score"])
    many = int((theirs >= mql).sum()) or max(round(LEAST_SHARE * len(odds)), 1)
    anchor, middle = float(odds[-many]), float(odds[len(odds) // 2])
    slope = (mql - float(theirs[len(theirs) // 2])) / max(anchor - middle, TINY)
    double = float(np.clip(slope * np.log(2), *DOUBLE))
    fit, engagement = parts(scorer, table, market)
    return Scale(mql, anchor, double, _dealt(fit, rules["fit"]), _dealt(engagement, rules["engagement"]))


def _log_odds(p: Floats) -> Floats:
    p = np.clip(p, TINY, 1 - TINY)
    return np.asarray(np.log(p / (1 - p)))


def _dealt(ours: Floats, theirs: Floats) -> tuple[Floats, Floats]:
    """The line on which our values are spread as theirs are; equal ones of ours share the mean of their places."""
    values, counts = np.unique(np.round(ours, 6), return_counts=True)
    ends = np.cumsum(counts)
    sums = np.concatenate([[0.0], np.cumsum(np.sort(theirs))])
    heights = (sums[ends] - sums[ends - counts]) / counts
    keep = np.unique(np.linspace(0, len(values) - 1, KNOTS).astype(int))
    return values[keep], heights[keep]


def shares(line: tuple[Floats, Floats], values: Floats) -> Floats:
    """Log odds on one of a scale's lines, as 0–100 with two decimals, shape (n,)."""
    return np.asarray(np.round(np.clip(np.interp(values, *line), 0.0, 100.0), 2))


def grades(fit: Floats, engagement: Floats, falling: tuple[Sequence[float], Sequence[float]]) -> list[str]:
    """A–D and 1–4, by the same limits as under the rules."""
    letters = np.array(list("ABCD"))[sum((fit < least).astype(int) for least in falling[0])]
    numbers = np.array(list("1234"))[sum((engagement < least).astype(int) for least in falling[1])]
    return [a + b for a, b in zip(letters.tolist(), numbers.tolist(), strict=True)]
