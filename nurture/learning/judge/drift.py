"""Has the world moved? Watches what comes in and whether the scores still come true; says in a sentence what moved."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from nurture.learning.features.columns import MISSING, RARE
from nurture.learning.fit.baseline import bin_shares, level_shares
from nurture.learning.fit.card import Baseline, LevelBaseline, NumberBaseline
from nurture.learning.fit.scorer import Scorer
from nurture.learning.metrics import Floats, Ints
from nurture.learning.reasons.contributions import plain

MOVED = 0.2  # population stability index from which a column has moved (below 0.1 is common)
FAINT = 1e-3
LEAST = 100  # leads, below which nothing is said
SURE = 3.0  # standard errors a calibration must be off by
FAR = 0.2  # and by this share of what was expected
GAP = 0.05  # more unknown or unseen values than that, and they are what is told
TINY = 1e-9
FRACTIONS = {
    0.1: "a tenth", 0.2: "a fifth", 0.25: "a quarter", 1 / 3: "a third", 0.5: "half", 2 / 3: "two thirds",
    0.75: "three quarters", 0.9: "nine tenths", 1.0: "all",
}  # fmt: skip


@dataclass(frozen=True)
class DriftFinding:
    """One thing that moved: a column, "score" or "calibration". `size` orders them; `sentence` is for people."""

    what: str
    size: float
    sentence: str


def find_drift(
    scorer: Scorer,
    frame: pl.DataFrame,
    scores: Floats,
    y: Floats | None = None,
    then: Baseline | None = None,
) -> list[DriftFinding]:
    """What differs from the training, the most first; nothing of fewer than LEAST leads.

    `scores` are the probabilities of the n leads of `frame`; `y`, shape (n,) (1, 0, NaN for not yet known), also
    checks the calibration. `then`: another baseline than the training's.
    """
    then = then or scorer.card["baseline"]
    rows = frame.height
    if rows < LEAST:
        return []
    now, found = scorer.reader.read(frame), []
    for j, number in enumerate(then["numbers"]):
        shares = bin_shares(now.numbers[:, j], np.array(number["edges"]))
        if number["watch"] and (size := _index(number["shares"], shares, rows)) >= MOVED:
            found.append(DriftFinding(number["owner"], size, _number_sentence(number, shares)))
    for j, level in enumerate(then["levels"]):
        shares = level_shares(now, j, len(level["levels"]) + 2)
        if level["watch"] and (size := _index(level["shares"], shares, rows)) >= MOVED:
            found.append(DriftFinding(level["owner"], size, _level_sentence(level, shares)))
    score = then["score"]
    if (size := _index(score["shares"], bin_shares(scores, np.array(score["edges"])), rows)) >= MOVED:
        said = f"The mean chance was {score['mean']:.1%} in training and is {scores.mean():.1%} now."
        found.append(DriftFinding("score", size, said))
    if y is not None and (wrong := calibration_drift(scores, y)):
        found.append(wrong)
    return sorted(found, key=lambda one: (one.what != "calibration", -one.size))


def _index(then: list[float], now: Floats, rows: int) -> float:
    """Population stability index, less what chance alone gives with so few rows."""
    old, new = np.maximum(np.asarray(then), FAINT), np.maximum(now, FAINT)
    return float(np.sum((new - old) * np.log(new / old)) - 2 * np.count_nonzero(np.asarray(then)) / rows)


def _number_sentence(old: NumberBaseline, now: Floats) -> str:
    edges, then = np.array(old["edges"]), np.asarray(old["shares"])
    if abs(now[0] - then[0]) >= GAP or now[0] == 1 or not len(edges):
        return _said(old["name"], f"unknown for {_share(now[0])} of the leads now", then[0])
    above, above_then = (np.cumsum(shares[::-1])[::-1][2:] / max(1 - shares[0], TINY) for shares in (now, then))
    most = int(np.argmax(np.abs(above - above_then)))
    border, part, was = plain(float(edges[most])), float(above[most]), float(above_then[most])
    if part >= was:
        return _said(old["name"], f"{border} or more for {_share(part)} of the leads now", was)
    return _said(old["name"], f"less than {border} for {_share(1 - part)} of the leads now", 1 - was)


def _level_sentence(old: LevelBaseline, shares: Floats) -> str:
    then = np.asarray(old["shares"])
    step = shares - then
    most = int(np.argmax(np.abs(step)))
    for news in (RARE, MISSING):
        if step[news] >= GAP:
            most = news
    name = {MISSING: "unknown", RARE: "a value not seen in training"}.get(most) or f'"{old["levels"][most - 2]}"'
    return _said(old["name"], f"{name} for {_share(shares[most])} of the leads now", then[most])


def _said(name: str, now: str, then: float) -> str:
    return f"{name[:1].upper()}{name[1:]}: {now}; {_share(then)} in training."


def _share(part: float) -> str:
    """A share as one says it: half, a tenth, 37%."""
    if part < 0.005:
        return "none"
    near = min(FRACTIONS, key=lambda one: abs(one - part))
    return FRACTIONS[near] if abs(near - part) <= 0.012 else f"{part:.0%}"


def calibration_drift(scores: Floats, y: Floats, groups: Ints | None = None) -> DriftFinding | None:
    """Do as many buy as the scores say? All together, and among the best tenth.

    Leads of one of `groups` (colleagues) buy together, so they count as one surprise.
    """
    known = ~np.isnan(y)
    p, was = scores[known], y[known]
    whose = np.arange(len(p)) if groups is None else np.unique(groups[known], return_inverse=True)[1]
    if len(p) < LEAST:
        return None
    best = p >= np.quantile(p, 0.9)
    for who, some in (("of the leads", np.ones(len(p), dtype=bool)), ("of the best tenth of the leads", best)):
        said, came = float(p[some].sum()), float(was[some].sum())
        alone = float(np.sum(p[some] * (1 - p[some])))
        together = float(np.sum(np.bincount(whose[some], weights=(was - p)[some]) ** 2)) if groups is not None else 0.0
        error = float(np.sqrt(max(alone, together)))
        if abs(came - said) > max(SURE * error, FAR * said):
            n = int(some.sum())
            return DriftFinding(
                "calibration",
                abs(came - said) / max(said, 1.0),
                f"The scores promised that {said / n:.1%} {who} buy, and {came / n:.1%} did.",
            )
    return None
