"""Scoring with a learned model: the champion of each market, as long as there is one."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine

from models import score as scores
from models.queries import training_history
from models.queries.training_history import Stretch
from nurture.learning.fit.score_scale import Scale, grades, in_points, parts, shares
from nurture.learning.fit.scorer import Scorer
from nurture.learning.reasons.contributions import reasons
from nurture.learning.reasons.reason_text import reasons_in_words
from nurture.learning.registry import versions
from nurture.learning.training_data.point_in_time import Plan, Record, add_up, frame, read
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


def score_stretch(
    engine: Engine, now: datetime, rules: Rules, scorer: Scorer, stretch: Stretch
) -> list[dict[str, Any]]:
    """Score one stretch of leads; what was written."""
    with database.reading(engine) as session:
        record = read(session, stretch, Plan.from_dict(scorer.card["plan"]).kinds, now)
    rows = rows_of(record, now, rules, scorer) if record else []
    if rows:
        with database.writing(engine) as session:
            scores.write(session, rows)
    return rows


def rows_of(record: Record, now: datetime, rules: Rules, scorer: Scorer) -> list[dict[str, Any]]:
    """Rows of the table score for one stretch of leads, as of `now`. No session is open while the model thinks."""
    plan, scale = Plan.from_dict(scorer.card["plan"]), Scale.from_dict(scorer.card["scale"])
    sheet, t = rules.markets[plan.market], int(now.timestamp())
    sums = add_up(record, t, len(plan.kinds))
    looked = frame(record, t, plan, sums, sheet)
    table = scorer.reader.read(looked)
    p = scorer.score_table(table)
    points = scale.points(p)
    found = reasons(in_points(scorer, scale), table, scale.unbounded(p) / 100)
    who, did = parts(scorer, table, plan.market)
    fit, engagement = shares(scale.fit, who), shares(scale.engagement, did)
    words = reasons_in_words(scorer, found, looked, record, sums, t, plan, sheet)
    said = zip(
        record.ids.tolist(), np.round(p, 7).tolist(), np.round(points, 1).tolist(), fit.tolist(), engagement.tolist(),
        grades(fit, engagement, (rules.grades.fit, rules.grades.engagement)), words, sums.ever.tolist(),
        _known(record, t), strict=True,
    )  # fmt: skip
    written = {"version": scorer.card["version"], "scored_at": now}
    return [
        {
            "contact_id": contact_id, "probability": chance, "score": score, "fit": fits, "engagement": engaged,
            "grade": grade, "reasons": why, **written,
            "last_activity_at": None if last < 0 else datetime.fromtimestamp(last, UTC),
        }
        for contact_id, chance, score, fits, engaged, grade, why, last, there in said if there
    ]  # fmt: skip


def _known(record: Record, t: int) -> list[bool]:
    return (record.since <= t).tolist()  # type: ignore[no-any-return]
