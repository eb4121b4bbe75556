"""Drift: has the world moved since the champion was trained, and do its scores still come true?"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from models import learned_parameter
from models.learned_parameter import About
from models.queries import training_history
from nurture.rules.scoring.lead_score import Rules, Sheet
from nurture.runtime import database
from tasks.task import task

if TYPE_CHECKING:
    import polars as pl

    from nurture.learning.fit.scorer import Scorer
    from nurture.learning.judge.drift import Moved
    from nurture.learning.judge.metrics import Floats
    from nurture.learning.training_data.point_in_time import Plan

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
            learned_parameter.write(session, About.DRIFT, f"drift-{now:%Y-%m-%d}", words, body, now)
    return found


def _market(engine: Engine, now: datetime, rules: Rules, folder: Path, market: str) -> Watched:
    if not (folder / "promotions.jsonl").is_file():
        return Watched(market, None, 0, 0)
    from nurture.learning.judge.drift import moved, off
    from nurture.learning.registry import versions

    version = versions.champion(folder)
    scorer = versions.load(folder, version) if version else None
    if scorer is None or "plan" not in scorer.card:
        return Watched(market, None, 0, 0)
    today, _ = _looked(engine, now, int(now.timestamp()), rules, scorer)
    told = moved(scorer, today, scorer.score(today), then=_then(engine, now, rules, scorer)) if today.height else []
    then, y = _outcomes(engine, now, rules, scorer)
    wrong = off(scorer.score(then), y, then[COMPANY].to_numpy()) if then.height else None
    sentences = ([wrong.sentence] if wrong else []) + _weighty(told, scorer, rules.markets[market])
    return Watched(market, version, today.height, then.height, tuple(sentences))


def _then(engine: Engine, now: datetime, rules: Rules, scorer: "Scorer") -> Mapping[str, Any]:
    """How leads looked at the newest moment of the training.

    Not over all its moments: a record grows, and at the earlier ones it knew less of what people did. Of who they are
    there is no history, so that stays as the training saw it.
    """
    from nurture.learning.fit.score_scale import is_fit
    from nurture.learning.judge.drift import LEAST, baseline

    card: Mapping[str, Any] = scorer.card["baseline"]
    newest = datetime.fromisoformat(max(scorer.card["moments"])).replace(tzinfo=UTC)
    looked, _ = _looked(engine, now, int(newest.timestamp()), rules, scorer)
    if looked.height < LEAST:
        return card
    fresh, market = baseline(scorer, looked, scorer.score(looked)), scorer.card["plan"]["market"]
    fields = {
        kind: [old if is_fit(old["owner"], market) else new for old, new in zip(card[kind], fresh[kind], strict=True)]
        for kind in ("numbers", "levels")
    }
    return {**fresh, **fields}


def _outcomes(engine: Engine, now: datetime, rules: Rules, scorer: "Scorer") -> tuple["pl.DataFrame", "Floats"]:
    """The leads of one horizon ago with what came of them, once that goes beyond what the model learned from."""
    import numpy as np

    from nurture.learning.training_data.point_in_time import DAY

    learned_until = datetime.fromisoformat(scorer.card["data_cut"]).replace(tzinfo=UTC)
    then = int(now.timestamp()) - scorer.card["days"] * DAY
    if now <= learned_until:
        empty, _ = _looked(engine, now, 0, rules, scorer)
        return empty, np.empty(0)
    return _looked(engine, now, then, rules, scorer)


def _looked(engine: Engine, now: datetime, t: int, rules: Rules, scorer: "Scorer") -> tuple["pl.DataFrame", "Floats"]:
    """A sample of the leads open at `t`, as they were known then, and what became of them (NaN: nobody knows)."""
    import numpy as np
    import polars as pl

    from nurture.learning.training_data import point_in_time_labels
    from nurture.learning.training_data.point_in_time import Plan, add_up, frame, known, read

    plan = Plan.from_dict(scorer.card["plan"])
    sheet, cut = rules.markets[plan.market], int(now.timestamp())
    frames: list[Any] = []
    outcomes: list[Any] = []
    for stretch in _sample(engine, plan) if t else ():
        with database.reading(engine) as session:
            record = read(session, stretch, plan.kinds, now)
        if record is None:
            continue
        there = known(record, t) & ~point_in_time_labels.open_at(record, t)
        looked = frame(record, t, plan, add_up(record, t, len(plan.kinds)), sheet)
        company = np.where(record.accounts == training_history.NOBODY, -record.ids, record.accounts)
        frames.append(looked.with_columns(pl.Series(COMPANY, company)).filter(pl.Series(there)))
        outcomes.append(point_in_time_labels.outcomes(record, t, scorer.card["days"], cut)[there])
    if not frames:
        return pl.DataFrame(), np.empty(0)
    return pl.concat(frames), np.concatenate(outcomes)


def _sample(engine: Engine, plan: "Plan") -> list[training_history.Stretch]:
    with database.reading(engine) as session:
        every = max(1, -(-training_history.counted(session, plan.market) // LEADS))
        return training_history.stretches(session, plan.market, 0, 1, every)


def _weighty(told: "list[Moved]", scorer: "Scorer", sheet: Sheet) -> list[str]:
    """What the scores depend on, a sentence for each family: a kind of activity fades in three ways and moves once."""
    from nurture.learning.training_data.point_in_time import Plan, families

    weight, plan = scorer.card.get("importance", {}), Plan.from_dict(scorer.card["plan"])
    named = families(plan, [one.what for one in told])
    found: dict[str, str] = {}
    for one in told:
        if one.what in UNCHANGED:
            found.setdefault(one.what, one.sentence)
        elif weight.get(one.what, 0.0) > 0:
            name, _, rest = one.sentence.partition(": ")
            found.setdefault(named[one.what], f"{_spoken(name, sheet)}: {rest}")
    return list(found.values())


def _spoken(name: str, sheet: Sheet) -> str:
    """A column's name for people: "Page_view 30d" is "Page views, each counting half after 30 days"."""
    fading = FADING.fullmatch(name)
    if not fading:
        return name
    kind = sheet.kinds.get(fading[1].lower())
    words = kind.many if kind else fading[1].replace("_", " ")
    return f"{words[:1].upper()}{words[1:]}, each counting half after {fading[2]} days"
