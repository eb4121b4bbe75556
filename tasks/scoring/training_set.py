"""The training set: leads, or a sample of whole companies, as they were at earlier moments, and what came of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import polars as pl
from sqlalchemy import Engine

from models.activity import Deeds
from models.queries import training_history
from models.queries.training_history import People
from models.score import LeadToScore
from nurture.learning.metrics import Bools, Floats
from nurture.learning.training_data import record_labels
from nurture.learning.training_data.lead_record import (
    DAY,
    LeadRecord,
    deeds_by_lead,
    known,
    read_record,
    sum_activities,
)
from nurture.learning.training_data.point_in_time import FeaturePlan, leads_at, traits_of
from nurture.rules.scoring import lead_score
from nurture.rules.scoring.lead_score import MarketRules, Rules
from nurture.runtime import database

ROWS = 120_000  # looks at a lead that are learned from; of more leads, a sample
KINDS, TRAITS = 24, 30  # of activities, and of the customer's own columns, at most
APART = 5  # every so manieth company judges champion and challenger, and neither ever learns from it
EPOCH_DAYS = 10_957  # from 1970 to 2000, from where learning counts days
LEAD, COMPANY, MOMENT, CONVERTED = "lead", "company", "moment", "converted"
RULES_SAID = {"score": "rules score", "fit": "rules fit", "engagement": "rules engagement"}
RECORD, ROW = "record", "row"  # where a look comes from
SAID = (LEAD, COMPANY, MOMENT, CONVERTED, RECORD, ROW, *RULES_SAID.values())


@dataclass(frozen=True)
class TrainingSet:
    """`frame` has a row per look at a lead, with what became of it and what the rules said; `records`: its source."""

    frame: pl.DataFrame
    records: list[LeadRecord]
    plan: FeaturePlan
    cuts: list[int]  # the points in time looked at, in seconds since 1970
    rejections: int


class _Purchases(NamedTuple):
    """A shopper's columns that the rules look at."""

    recency_days: int | None = None
    frequency: int | None = None
    spent: int | None = None


def training_set(
    engine: Engine, now: datetime, rules: Rules, market: str, days: int, cuts: list[int]
) -> TrainingSet | None:
    """All leads, or a sample of the companies, as they were at each cut, with what became of them within `days`.

    None where the market had no lead then.
    """
    kinds, records = _records(engine, now, rules.markets[market], market, len(cuts))
    if not records:
        return None
    own = Counter(
        name
        for record in records
        for pair in zip(record.people.traits, record.people.account_traits, strict=True)
        for name in traits_of(*pair)
    )
    plan = FeaturePlan(market, kinds, tuple(name for name, _ in own.most_common(TRAITS)))
    frames, rejections, cut = [], 0, int(now.timestamp())
    for t in cuts:
        for number, record in enumerate(records):
            y = record_labels.labels_at(record, t, days, cut)
            looked = _labelled(record, t, y, plan, rules).with_columns(pl.lit(number).alias(RECORD))
            if looked.height:
                frames.append(looked)
                rejections += int(record_labels.rejected_within(record, t, days).sum())
    return TrainingSet(pl.concat(frames), records, plan, cuts, rejections) if frames else None


def _records(
    engine: Engine, now: datetime, market_rules: MarketRules, market: str, cuts: int
) -> tuple[tuple[str, ...], list[LeadRecord]]:
    """The kinds of activities looked at, and the market's record, or a sample of it, stretch by stretch."""
    with database.reading(engine) as session:
        found = training_history.kinds(session, market, now, KINDS)
        every = max(1, -(-training_history.counted(session, market) * cuts // ROWS))
        stretches = training_history.stretches(session, market, 0, 1, every)
    kinds = (*found, *(kind for kind in market_rules.kinds if kind not in found))
    return kinds, list(_read(engine, now, stretches, kinds))


def _read(
    engine: Engine, now: datetime, stretches: Sequence[training_history.Stretch], kinds: Sequence[str]
) -> Iterator[LeadRecord]:
    for stretch in stretches:
        with database.reading(engine) as session:
            record = read_record(session, stretch, kinds, now)
        if record is not None:
            yield record


def _labelled(record: LeadRecord, t: int, y: Floats, plan: FeaturePlan, rules: Rules) -> pl.DataFrame:
    """Those of a record who were leads at `t` and of whom it is known what became of them (`y` is no NaN)."""
    market, at = rules.markets[plan.market], datetime.fromtimestamp(t, UTC)
    there = known(record, t) & ~np.isnan(y)
    half_lives = np.array([market.kinds[kind].half_life if kind in market.kinds else 30.0 for kind in plan.kinds])
    then = leads_at(record, t, plan, market)
    weights = sum_activities(record, t, len(plan.kinds), [half_lives]).fading[0]
    said = scores_by_rules(record, t, deeds_by_lead(then.sums, plan.kinds, at, market, weights), rules, there)
    return then.frame.with_columns(
        pl.Series(LEAD, record.ids),
        pl.Series(ROW, np.arange(len(record))),
        pl.Series(COMPANY, record.companies),
        pl.Series(MOMENT, np.full(len(record), t / DAY - EPOCH_DAYS)),  # days since 2000
        pl.Series(CONVERTED, y),
        *(pl.Series(RULES_SAID[name], values) for name, values in said.items()),
    ).filter(pl.Series(there))


def scores_by_rules(
    record: LeadRecord, t: int, done: Sequence[Sequence[Deeds]], rules: Rules, whom: Bools
) -> dict[str, Floats]:
    """Score, fit and engagement by the rules, as of `t`, of the n leads of a record, shape (n,) each.

    `done`: what each lead did, summed up; NaN for leads that are not among `whom`.
    """
    found = {name: np.full(len(record), np.nan) for name in RULES_SAID}
    at, bought = datetime.fromtimestamp(t, UTC), _purchases(record, t)
    for row in np.flatnonzero(whom).tolist():
        lead = _lead(record.people, row, bought.get(row, _Purchases()))
        scored = lead_score.score(lead, done[row], rules, at)
        for name, values in found.items():
            values[row] = getattr(scored, name)
    return found


def _lead(people: People, row: int, bought: _Purchases) -> LeadToScore:
    """One lead of a record as the rules want it."""
    return LeadToScore(
        id=people.contact_id[row],
        market=people.market[row],
        address=people.address[row],
        title=people.title[row],
        locale=people.locale[row],
        country=people.country[row],
        traits=people.traits[row],
        industry=people.industry[row],
        employees=people.employees[row],
        tier=people.tier[row],
        channel=people.channel[row],
        account_traits=people.account_traits[row],
        role=people.role[row],
        role_confidence=people.role_confidence[row],
        persona=people.persona[row],
        department=people.department[row],
        seniority=people.seniority[row],
        recency_days=bought.recency_days,
        frequency=bought.frequency,
        spent=bought.spent,
    )


def _purchases(record: LeadRecord, t: int) -> dict[int, _Purchases]:
    """What the rules' tables for consumers look at, as of `t`, by the lead's row; nobody without an order."""
    last: dict[int, int] = {}
    frequency: Counter[int] = Counter()
    cents: Counter[int] = Counter()
    for row, amount, at in record.buys.tolist():
        if at < t:
            last[row] = max(at, last.get(row, 0))
            if at > t - 365 * DAY:
                frequency[row] += 1
                cents[row] += amount
    return {row: _Purchases((t - at) // DAY, frequency[row], cents[row] // 100) for row, at in last.items()}


def apart(looked: pl.DataFrame) -> pl.Series:
    """Whose outcome no model ever learns from: a fixed fifth of the companies, by chance, the same every week."""
    return (looked[COMPANY].cast(pl.Int64).abs() * 2_654_435_761 % 4_294_967_296 // 65_536 % APART) == 0
