"""The training set: leads, or a sample of whole companies, as they were at earlier moments, and what came of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy import Engine

from models.queries import training_history
from nurture.learning.judge.metrics import Floats
from nurture.learning.training_data import point_in_time_labels
from nurture.learning.training_data.point_in_time import (
    DAY,
    Plan,
    Record,
    add_up,
    deeds_of,
    frame,
    known,
    read,
    traits_of,
)
from nurture.rules.scoring import lead_score
from nurture.rules.scoring.lead_score import Rules, Sheet
from nurture.runtime import database

ROWS = 120_000  # looks at a lead that are learned from; of more leads, a sample
KINDS, TRAITS = 24, 30  # of activities, and of the customer's own columns, at most
APART = 5  # every so manieth company judges champion and challenger, and neither ever learns from it
EPOCH_DAYS = 10_957  # from 1970 to 2000, from where the contest counts
LEAD, COMPANY, MOMENT, CONVERTED = "lead", "company", "moment", "converted"
RULES_SAID = {"score": "rules score", "fit": "rules fit", "engagement": "rules engagement"}
RECORD, ROW = "record", "row"  # where a look comes from
SAID = (LEAD, COMPANY, MOMENT, CONVERTED, RECORD, ROW, *RULES_SAID.values())


@dataclass(frozen=True)
class TrainingSet:
    """`frame` has a row per look at a lead, with what became of it and what the rules said; `records`: its source."""

    frame: pl.DataFrame
    records: list[Record]
    plan: Plan
    cuts: list[int]
    rejections: int


def training_set(
    engine: Engine, now: datetime, sheet: Sheet, rules: Rules, market: str, days: int, cuts: list[int]
) -> TrainingSet | None:
    """All leads, or a sample of the companies, as they were at each cut, with what became of them."""
    records = list(_records(engine, now, sheet, market, len(cuts)))
    if not records:
        return None
    kinds = records[0][0]
    own = Counter(
        name
        for _, record in records
        for pair in zip(record.who["traits"], record.who["account_traits"], strict=True)
        for name in traits_of(*pair)
    )
    plan = Plan(market, kinds, tuple(name for name, _ in own.most_common(TRAITS)))
    frames, rejections, cut = [], 0, int(now.timestamp())
    for t in cuts:
        for number, (_, record) in enumerate(records):
            looked = _looked(record, t, days, cut, plan, rules).with_columns(pl.lit(number).alias(RECORD))
            if looked.height:
                frames.append(looked)
                rejections += int(point_in_time_labels.rejected(record, t, days).sum())
    return TrainingSet(pl.concat(frames), [one for _, one in records], plan, cuts, rejections) if frames else None


def _records(
    engine: Engine, now: datetime, sheet: Sheet, market: str, cuts: int
) -> Iterator[tuple[tuple[str, ...], Record]]:
    with database.reading(engine) as session:
        found = training_history.kinds(session, market, now, KINDS)
        every = max(1, -(-training_history.counted(session, market) * cuts // ROWS))
        stretches = training_history.stretches(session, market, 0, 1, every)
    kinds = (*found, *(kind for kind in sheet.kinds if kind not in found))
    for stretch in stretches:
        with database.reading(engine) as session:
            record = read(session, stretch, kinds, now)
        if record is not None:
            yield kinds, record


def _looked(record: Record, t: int, days: int, cut: int, plan: Plan, rules: Rules) -> pl.DataFrame:
    """Those of a record who were leads at `t` and of whom it is known what became of them."""
    sheet, at = rules.markets[plan.market], datetime.fromtimestamp(t, UTC)
    y = point_in_time_labels.outcomes(record, t, days, cut)
    there = known(record, t) & ~np.isnan(y)
    half_lives = np.array([sheet.kinds[kind].half_life if kind in sheet.kinds else 30.0 for kind in plan.kinds])
    sums = add_up(record, t, len(plan.kinds))
    looked = frame(record, t, plan, sums, sheet)
    weights = add_up(record, t, len(plan.kinds), [half_lives]).fading[0]
    said = rules_said(record, t, deeds_of(sums, plan.kinds, at, sheet, weights), rules, there)
    alone = record.accounts == training_history.NOBODY
    company = np.where(alone, -record.ids, record.accounts)
    return looked.with_columns(
        pl.Series(LEAD, record.ids),
        pl.Series(ROW, np.arange(len(record))),
        pl.Series(COMPANY, company),
        pl.Series(MOMENT, np.full(len(record), t / DAY - EPOCH_DAYS)),  # days since 2000
        pl.Series(CONVERTED, y),
        *(pl.Series(RULES_SAID[name], values) for name, values in said.items()),
    ).filter(pl.Series(there))


def rules_said(record: Record, t: int, done: Sequence[Sequence[Any]], rules: Rules, whom: Any) -> dict[str, Floats]:
    """Score, fit and engagement by the rules, as of `t`, for some of the leads; NaN for the others."""
    found = {name: np.full(len(record), np.nan) for name in RULES_SAID}
    names = [name for name in record.who if name not in ("contact_id", "account_id", "since")]
    columns, at = [record.who[name] for name in names], datetime.fromtimestamp(t, UTC)
    bought = _shopping(record, t)
    for row in np.flatnonzero(whom).tolist():
        lead = dict(zip(names, (column[row] for column in columns), strict=True)) | bought.get(row, {})
        verdict = lead_score.score(lead, done[row], rules, at)
        for name, values in found.items():
            values[row] = getattr(verdict, name)
    return found


def _shopping(record: Record, t: int) -> dict[int, dict[str, int]]:
    """What the rules' tables for consumers look at."""
    found: dict[int, dict[str, int]] = {}
    for row, cents, at in record.buys[np.argsort(record.buys[:, -1])].tolist():
        if at < t:
            one = found.setdefault(row, {"recency_days": 0, "frequency": 0, "spent": 0})
            one["recency_days"] = (t - at) // DAY
            if at > t - 365 * DAY:
                one["frequency"] += 1
                one["spent"] += cents
    return {row: one | {"spent": one["spent"] // 100} for row, one in found.items()}


def apart(looked: pl.DataFrame) -> pl.Series:
    """Whose outcome no model ever learns from: a fixed fifth of the companies, by chance, the same every week."""
    return (looked[COMPANY].cast(pl.Int64).abs() * 2_654_435_761 % 4_294_967_296 // 65_536 % APART) == 0
