"""Drift: has the world moved since the champion was trained, and do its scores still come true?"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from models import learned_parameter
from models.learned_parameter import LearnedSubject
from models.queries import training_history
from nurture.rules.scoring.lead_score import MarketRules, Rules
from nurture.runtime import database
from tasks.task import task

if TYPE_CHECKING:
    import polars as pl

    from nurture.learning.fit.card import Baseline
    from nurture.learning.fit.scorer import Scorer
    from nurture.learning.judge.drift import DriftFinding
    from nurture.learning.metrics import Floats
    from nurture.learning.training_data.point_in_time import FeaturePlan

LEADS = 20_000  # looked at per market; of more, a sample of the companies
FADING = re.compile(r"(.+) (\d+)d")  # a column that counts half after so many days
COMPANY = "whose lead"  # a column beside what the model reads
UNCHANGED = ("score", "calibration")  # what matters whatever the model looks at


@dataclass(frozen=True)
class Watched:
    """What moved in one market, in sentences, the most alarming first. `version` None: the rules score it."""

    market: str
    version: str | None
    leads: int  # looked at as they are now
    outcomes: int  # looked at as they were one horizon ago, to see what came of them
    moved: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What moved, for people, with the market's name."""
        if self.version is None:
            return f"{self.market}: the rules score these leads; there is no model to watch."
        if not self.moved:
            return f"{self.market}: nothing moved since {self.version} was trained ({self.leads:,} leads looked at)."
        return f"{self.market}: {' '.join(self.moved)}"


@task(run_name="watch the scores")
def watch(engine: Engine, now: datetime, rules: Rules, models: Path) -> list[Watched]:
    """Compare the leads of today, and what came of those of one horizon ago, with the champions' training. Kept for
    `nurture doctor`. Changes no score."""
    found = [_market(engine, now, rules, models / market, market) for market in rules.markets]
    if any(one.version for one in found):
        words = " ".join(one.words for one in found if one.moved) or "Nothing moved."
        body = {"markets": {one.market: {"version": one.version, "moved": list(one.moved)} for one in found}}
        with database.writing(engine) as session:
            learned_parameter.write(session, LearnedSubject.DRIFT, f"drift-{now:%Y-%m-%d}", words, body, now)
    return found


def _market(engine: Engine, now: datetime, rules: Rules, folder: Path, market: str) -> Watched:
    if not (folder / "promotions.jsonl").is_file():
        return Watched(market, None, 0, 0)
    from nurture.learning.judge.drift import calibration_drift, find_drift
    from nurture.learning.registry import versions

    version = versions.champion(folder)
    scorer = versions.load(folder, version) if version else None
    if scorer is None or "plan" not in scorer.card:
        return Watched(market, None, 0, 0)
    today, _ = _looked(engine, now, int(now.timestamp()), rules, scorer)
    told = (
        find_drift(scorer, today, scorer.score(today), then=_then(engine, now, rules, scorer)) if today.height else []
    )
    then, y = _outcomes(engine, now, rules, scorer)
    wrong = calibration_drift(scorer.score(then), y, then[COMPANY].to_numpy()) if then.height else None
    sentences = ([wrong.sentence] if wrong else []) + _weighty(told, scorer, rules.markets[market])
    return Watched(market, version, today.height, then.height, tuple(sentences))


def _then(engine: Engine, now: datetime, rules: Rules, scorer: "Scorer") -> "Baseline":
    """How leads looked at the newest point in time of the training.

    Not over all of them: a record grows, and at the earlier ones it knew less of what people did. Of who they are
    there is no history, so that stays as the training saw it.
    """
    from nurture.learning.fit.baseline import make_baseline
    from nurture.learning.fit.score_scale import is_fit
    from nurture.learning.judge.drift import LEAST

    card, market = scorer.card["baseline"], scorer.card["plan"]["market"]
    newest = datetime.fromisoformat(max(scorer.card["moments"])).replace(tzinfo=UTC)
    looked, _ = _looked(engine, now, int(newest.timestamp()), rules, scorer)
    if looked.height < LEAST:
        return card
    fresh = make_baseline(scorer, looked, scorer.score(looked))
    numbers = [
        old if is_fit(old["owner"], market) else new for old, new in zip(card["numbers"], fresh["numbers"], strict=True)
    ]
    levels = [
        old if is_fit(old["owner"], market) else new for old, new in zip(card["levels"], fresh["levels"], strict=True)
    ]
    return {**fresh, "numbers": numbers, "levels": levels}


def _outcomes(engine: Engine, now: datetime, rules: Rules, scorer: "Scorer") -> tuple["pl.DataFrame", "Floats"]:
    """The leads of one horizon ago with what came of them, once that goes beyond what the model learned from."""
    import numpy as np

    from nurture.learning.training_data.lead_record import DAY

    learned_until = datetime.fromisoformat(str(scorer.card["data_cut"])).replace(tzinfo=UTC)
    then = int(now.timestamp()) - scorer.card["days"] * DAY
    if now <= learned_until:
        empty, _ = _looked(engine, now, 0, rules, scorer)
        return empty, np.empty(0)
    return _looked(engine, now, then, rules, scorer)


def _looked(engine: Engine, now: datetime, t: int, rules: Rules, scorer: "Scorer") -> tuple["pl.DataFrame", "Floats"]:
    """A sample of the leads open at `t`, as they were known then, and what became of them (NaN: nobody knows)."""
    import numpy as np
    import polars as pl

    from nurture.learning.training_data import record_labels
    from nurture.learning.training_data.lead_record import known, read_record
    from nurture.learning.training_data.point_in_time import FeaturePlan, leads_at

    plan = FeaturePlan.from_dict(scorer.card["plan"])
    market, cut = rules.markets[plan.market], int(now.timestamp())
    frames: list[pl.DataFrame] = []
    labels: list[Floats] = []
    for stretch in _sample(engine, plan) if t else ():
        with database.reading(engine) as session:
            record = read_record(session, stretch, plan.kinds, now)
        if record is None:
            continue
        there = known(record, t) & ~record_labels.open_at(record, t)
        frame = leads_at(record, t, plan, market).frame
        frames.append(frame.with_columns(pl.Series(COMPANY, record.companies)).filter(pl.Series(there)))
        labels.append(record_labels.labels_at(record, t, scorer.card["days"], cut)[there])
    if not frames:
        return pl.DataFrame(), np.empty(0)
    return pl.concat(frames), np.concatenate(labels)


def _sample(engine: Engine, plan: "FeaturePlan") -> list[training_history.Stretch]:
    with database.reading(engine) as session:
        every = max(1, -(-training_history.counted(session, plan.market) // LEADS))
        return training_history.stretches(session, plan.market, 0, 1, every)


def _weighty(told: "list[DriftFinding]", scorer: "Scorer", market: MarketRules) -> list[str]:
    """What the scores depend on, a sentence for each family: a kind of activity fades in three ways and moves once."""
    from nurture.learning.training_data.point_in_time import FeaturePlan, families

    weight, plan = scorer.card.get("importance", {}), FeaturePlan.from_dict(scorer.card["plan"])
    named = families(plan, [one.what for one in told])
    found: dict[str, str] = {}
    for one in told:
        if one.what in UNCHANGED:
            found.setdefault(one.what, one.sentence)
        elif weight.get(one.what, 0.0) > 0:
            name, _, rest = one.sentence.partition(": ")
            found.setdefault(named[one.what], f"{_spoken(name, market)}: {rest}")
    return list(found.values())


def _spoken(name: str, market: MarketRules) -> str:
    """A column's name for people: "Page_view 30d" is "Page views, each counting half after 30 days"."""
    fading = FADING.fullmatch(name)
    if not fading:
        return name
    kind = market.kinds.get(fading[1].lower())
    words = kind.many if kind else fading[1].replace("_", " ")
    return f"{words[:1].upper()}{words[1:]}, each counting half after {fading[2]} days"
