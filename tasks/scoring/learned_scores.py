"""Scoring with a learned model: the champion of each market, as long as there is one."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from models import score as scores
from models.queries import training_history
from models.queries.training_history import Stretch
from models.score import NewScore
from nurture.learning.fit.score_scale import Scale, grades, in_points, parts, shares
from nurture.learning.fit.scorer import Scorer
from nurture.learning.reasons.contributions import find_reasons
from nurture.learning.reasons.reason_text import reasons_in_words
from nurture.learning.registry import versions
from nurture.learning.training_data.lead_record import LeadRecord, read_record
from nurture.learning.training_data.point_in_time import FeaturePlan, leads_at
from nurture.rules.scoring.lead_score import Rules
from nurture.runtime import database


class NotOfThisRecord(Exception):
    """The champion was trained on a file, so it cannot score the database's leads. Roll it back: nurture models
    rollback; then train one on the record: nurture train."""


def champions(folder: Path, markets: Iterator[str]) -> dict[str, Scorer]:
    """The models in charge, by market. Raises what `versions.load` raises, and NotOfThisRecord."""
    found = {}
    for market in markets:
        if name := versions.champion(folder / market):
            scorer = versions.load(folder / market, name)
            if "plan" not in scorer.card:
                raise NotOfThisRecord(f"{name} was trained on a file and cannot score our own leads. Go back with "
                                      f"`nurture models rollback --market {market}`.")  # fmt: skip
            found[market] = scorer
    return found


def stretches(engine: Engine, scorer: Scorer, shard: int, shards: int) -> list[Stretch]:
    """One shard's leads of the model's market, a stretch at a time."""
    with database.reading(engine) as session:
        return training_history.stretches(session, scorer.card["plan"]["market"], shard, shards)


def score_stretch(engine: Engine, now: datetime, rules: Rules, scorer: Scorer, stretch: Stretch) -> list[NewScore]:
    """Score one stretch of leads; the answer is what was written."""
    with database.reading(engine) as session:
        record = read_record(session, stretch, FeaturePlan.from_dict(scorer.card["plan"]).kinds, now)
    found = scores_of(record, now, rules, scorer) if record else []
    if found:
        with database.writing(engine) as session:
            scores.write(session, found)
    return found


def scores_of(record: LeadRecord, now: datetime, rules: Rules, scorer: Scorer) -> list[NewScore]:
    """The scores of one stretch of leads, as of `now`. No session is open while the model thinks."""
    plan, scale = FeaturePlan.from_dict(scorer.card["plan"]), Scale.from_dict(scorer.card["scale"])
    t, version = int(now.timestamp()), scorer.card["version"]
    then = leads_at(record, t, plan, rules.markets[plan.market])
    table = scorer.reader.read(then.frame)
    p = scorer.score_table(table)
    found = find_reasons(in_points(scorer, scale), table, scale.unbounded(p) / 100)
    who, did = parts(scorer, table, plan.market)
    fit, engagement = shares(scale.fit, who), shares(scale.engagement, did)
    columns = zip(
        record.ids.tolist(), np.round(p, 7).tolist(), np.round(scale.points(p), 1).tolist(), fit.tolist(),
        engagement.tolist(), grades(fit, engagement, (rules.grades.fit, rules.grades.engagement)),
        reasons_in_words(scorer, found, then), then.sums.ever.tolist(), (record.since <= t).tolist(), strict=True,
    )  # fmt: skip
    return [
        NewScore(
            contact_id, version, now, chance, fits, engaged, score, grade, reasons,
            None if last < 0 else datetime.fromtimestamp(last, UTC),
        )
        for contact_id, chance, score, fits, engaged, grade, reasons, last, there in columns if there
    ]  # fmt: skip
