"""Has the world moved? Watches what comes in and whether the scores still come true; says in a sentence what moved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from nurture.learning.features.columns import MISSING, RARE, Table
from nurture.learning.fit.scorer import Scorer
from nurture.learning.judge.metrics import Floats, Ints
from nurture.learning.reasons.contributions import plain

BINS = 10
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
class Moved:
    """One thing that moved: a column, "score" or "calibration". `size` orders them; `sentence` is for people."""

    what: str
    size: float
    sentence: str


def baseline(scorer: Scorer, frame: pl.DataFrame, scores: Floats) -> dict[str, Any]:
    """How the leads of the training looked: shares per bin or level of every field, and of the scores. Plain data."""
    table = scorer.reader.read(frame)
    numbers = []
    for j, one in enumerate(scorer.reader.numbers):
        known = table.numbers[:, j][~np.isnan(table.numbers[:, j])]
        edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.empty(0)
        numbers.append(
            {
                "name": one.name,
                "owner": one.owner,
                "watch": one.how in ("value", "age", "length", "hour"),
                "edges": edges.tolist(),
                "shares": _binned(table.numbers[:, j], edges).tolist(),
                "median": float(np.median(known)) if len(known) else None,
            }
        )
    levels = [
        {
            "name": one.name,
            "owner": one.owner,
            "watch": one.how == "value",
            "levels": list(one.levels),
            "shares": _counted(table, j, one.size).tolist(),
        }
        for j, one in enumerate(scorer.reader.levels)
    ]
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, BINS + 1)[1:-1]))
    return {
        "rows": frame.height,
        "numbers": numbers,
        "levels": levels,
        "score": {
            "edges": edges.tolist(),
            "shares": _binned(scores, edges).tolist(),
            "mean": float(scores.mean()),
        },
    }


def moved(
    scorer: Scorer,
    frame: pl.DataFrame,
    scores: Floats,
    y: Floats | None = None,
    then: Mapping[str, Any] | None = None,
) -> list[Moved]:
    """What differs from the training, the most first. `y` (1, 0, NaN for not yet known) also checks the calibration.

    `then`: another `baseline` than the training's.
    """
    then = then or scorer.card["baseline"]
    if frame.height < LEAST:
        return []
    now, found = scorer.reader.read(frame), []
    for j, old in enumerate(then["numbers"]):
        if (
            old["watch"]
            and (size := _index(old["shares"], _binned(now.numbers[:, j], np.array(old["edges"])), frame.height))
            >= MOVED
        ):
            found.append(Moved(old["owner"], size, _number_sentence(old, now.numbers[:, j])))
    for j, old in enumerate(then["levels"]):
        shares = _counted(now, j, len(old["levels"]) + 2)
        if old["watch"] and (size := _index(old["shares"], shares, frame.height)) >= MOVED:
            found.append(Moved(old["owner"], size, _level_sentence(old, shares)))
    old = then["score"]
    if (size := _index(old["shares"], _binned(scores, np.array(old["edges"])), frame.height)) >= MOVED:
        found.append(
            Moved("score", size, f"The mean chance was {old['mean']:.1%} in training and is {scores.mean():.1%} now.")
        )
    if y is not None and (wrong := off(scores, y)):
        found.append(wrong)
    return sorted(found, key=lambda one: (one.what != "calibration", -one.size))


def _binned(values: Floats, edges: Floats) -> Floats:
    """Shares: unknown first, then bin by bin."""
    group = np.where(np.isnan(values), 0, np.searchsorted(edges, values, side="right") + 1)
    return np.asarray(np.bincount(group, minlength=len(edges) + 2) / max(len(values), 1))


def _counted(table: Table, j: int, size: int) -> Floats:
    return np.asarray(np.bincount(table.levels[:, j], minlength=size) / max(len(table), 1))


def _index(then: Any, now: Floats, rows: int) -> float:
    """Population stability index, less what chance alone gives with so few rows."""
    old, new = np.maximum(np.asarray(then), FAINT), np.maximum(now, FAINT)
    return float(np.sum((new - old) * np.log(new / old)) - 2 * np.count_nonzero(np.asarray(then)) / rows)


def _number_sentence(old: Mapping[str, Any], values: Floats) -> str:
    edges, then = np.array(old["edges"]), np.asarray(old["shares"])
    now = _binned(values, edges)
    if abs(now[0] - then[0]) >= GAP or now[0] == 1 or not len(edges):
        return _said(old["name"], f"unknown for {_share(now[0])} of the leads now", then[0])
    above, above_then = (np.cumsum(shares[::-1])[::-1][2:] / max(1 - shares[0], TINY) for shares in (now, then))
    most = int(np.argmax(np.abs(above - above_then)))
    border, part, was = plain(float(edges[most])), float(above[most]), float(above_then[most])
    if part >= was:
        return _said(old["name"], f"{border} or more for {_share(part)} of the leads now", was)
    return _said(old["name"], f"less than {border} for {_share(1 - part)} of the leads now", 1 - was)


def _level_sentence(old: Mapping[str, Any], shares: Floats) -> str:
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


def off(scores: Floats, y: Floats, groups: Ints | None = None) -> Moved | None:
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
            return Moved(
                "calibration",
                abs(came - said) / max(said, 1.0),
                f"The scores promised that {said / n:.1%} {who} buy, and {came / n:.1%} did.",
            )
    return None
