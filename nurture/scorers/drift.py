"""Has the world moved? Watches what comes in and whether the scores still come true; says in a sentence what moved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from nurture.scorers.features import MISSING, RARE, Table
from nurture.scorers.measures import Floats
from nurture.scorers.reasons import plain
from nurture.scorers.scorer import Scorer

BINS = 10
MOVED = 0.2  # population stability index from which a column has moved (below 0.1 is common)
FAINT = 1e-3
LEAST = 100  # leads, below which nothing is said
SURE = 3.0  # standard errors a calibration must be off by
FAR = 0.2  # and by this share of what was expected


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


def moved(scorer: Scorer, frame: pl.DataFrame, scores: Floats, y: Floats | None = None) -> list[Moved]:
    """What differs from the training, the most first. `y` (1, 0, NaN for not yet known) also checks the calibration."""
    then: Mapping[str, Any] = scorer.card["baseline"]
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
            Moved("score", size, f"The mean score was {old['mean']:.1%} in training and is {scores.mean():.1%} now.")
        )
    if y is not None and (off := _off(scores, y)):
        found.append(off)
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
    known = values[~np.isnan(values)]
    gap, gap_then = 1 - len(known) / len(values), old["shares"][0]
    if abs(gap - gap_then) >= 0.1:
        return f"{old['name']} was unknown for {gap_then:.0%} of the leads in training and is for {gap:.0%} now."
    return (
        f"{old['name']} was typically {plain(old['median'])} in training and is {plain(float(np.median(known)))} now."
        if len(known)
        else ""
    )


def _level_sentence(old: Mapping[str, Any], shares: Floats) -> str:
    then = np.asarray(old["shares"])
    most = int(np.argmax(np.abs(shares - then)))
    name = {MISSING: "unknown", RARE: "a value not seen in training"}.get(most) or f'"{old["levels"][most - 2]}"'
    return f"{old['name']} was {name} for {then[most]:.0%} of the leads in training and is for {shares[most]:.0%} now."


def _off(scores: Floats, y: Floats) -> Moved | None:
    """Do as many buy as the scores say? All together, and among the best tenth."""
    known = ~np.isnan(y)
    p, was = scores[known], y[known]
    if len(p) < LEAST:
        return None
    best = p >= np.quantile(p, 0.9)
    for who, some in (("of the leads", np.ones(len(p), dtype=bool)), ("of the best tenth of the leads", best)):
        said, came = float(p[some].sum()), float(was[some].sum())
        error = float(np.sqrt(np.sum(p[some] * (1 - p[some]))))
        if abs(came - said) > max(SURE * error, FAR * said):
            n = int(some.sum())
            return Moved(
                "calibration",
                abs(came - said) / max(said, 1.0),
                f"The scores promised that {said / n:.1%} {who} buy, and {came / n:.1%} did.",
            )
    return None
