"""The record teaches, the better one takes over, and a night later leads have its scores, with reasons that hold."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, delete, select

from models import Activity, Score, metadata
from models.queries import training_history
from nurture.config import scoring
from nurture.learning.fit.partial_effects import replaced
from nurture.learning.fit.score_scale import Scale
from nurture.learning.registry import versions
from nurture.learning.training_data.lead_record import read_record
from nurture.learning.training_data.point_in_time import FeaturePlan, leads_at
from nurture.runtime import database
from tasks.scoring.learned_scores import NotOfThisRecord, champions
from tasks.scoring.learning import LearningGoal, LearningResult, learn
from tasks.scoring.scores import score
from tests.support.learnable_record import build

TOGETHER = True  # one worker: what the file makes once is costly

RULES = scoring.read(Path(__file__).parents[2] / "templates" / "scoring.toml")
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
MQL = 70.0
LearnedRecord = tuple[Engine, Path, LearningResult]


@pytest.fixture(scope="module")
def learned_record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LearnedRecord]:
    """A record that was learned from, once for all."""
    folder = tmp_path_factory.mktemp("learned_record")
    engine = database.engine_for(f"sqlite:///{folder / 'nurture.db'}")
    metadata.create_all(engine)
    build(engine, NOW, companies=220, days=280, each=5)
    yield engine, folder / "b2b", learn(engine, NOW, RULES, LearningGoal("b2b", 60, folder / "b2b", MQL))
    engine.dispose()


@pytest.fixture
def models(learned_record: LearnedRecord, tmp_path: Path) -> Path:
    shutil.copytree(learned_record[1], tmp_path / "models" / "b2b")
    return tmp_path / "models"


def scores(engine: Engine) -> dict[int, dict[str, Any]]:
    with database.reading(engine) as session:
        return {row["contact_id"]: dict(row) for row in session.execute(select(Score.__table__)).mappings()}  # type: ignore[attr-defined]


def test_a_better_model_takes_over_and_says_what_it_would_have_saved(
    learned_record: LearnedRecord,
) -> None:
    _, folder, taught = learned_record
    assert taught.promoted, taught.words
    assert "better than the rules beyond noise" in taught.words
    assert versions.champion(folder) == taught.version
    assert taught.moments == 4
    assert taught.rejected == {"wrong_person": 23}
    assert taught.backtest[0].startswith(
        "Had we used this model in September 2025: to find half of the 16 who converted"
    )
    card = versions.show(folder, str(taught.version)).card
    assert card["plan"]["market"] == "b2b"
    assert card["moments"][0] == "2026-01-01"
    assert card["data_cut"] == "2026-03-02"
    assert not set(card["columns"]) & {"lead", "company", "moment", "rules score"}
    assert taught.report is not None
    assert "Had we used this model in" in taught.report.read_text("utf-8")


def test_learning_again_the_champion_stays_unless_a_challenger_is_better(
    learned_record: LearnedRecord, models: Path
) -> None:
    engine, _, first = learned_record
    again = learn(engine, NOW + timedelta(days=1), RULES, LearningGoal("b2b", 60, models / "b2b", MQL))
    assert not again.promoted
    assert "champion stays" in again.words
    assert versions.champion(models / "b2b") == first.version
    assert again.version in {one.name for one in versions.versions(models / "b2b")}


def test_where_there_is_little_to_learn_from_the_rules_stay_and_say_why(engine: Engine, tmp_path: Path) -> None:
    assert learn(engine, NOW, RULES, LearningGoal("b2b", 90, tmp_path, MQL)).words == (
        "The rules stay in charge: the record reaches back 0 days, and 120 are the least: 30 to look at and 90 to see "
        "what came of them."
    )
    build(engine, NOW, companies=12, days=200, each=2)
    few = learn(engine, NOW, RULES, LearningGoal("b2b", 60, tmp_path, MQL))
    assert (few.version, few.promoted) == (None, False)
    assert "20 are the least to learn anything from" in few.words
    assert learn(engine, NOW, RULES, LearningGoal("b2c", 30, tmp_path, MQL)).words == (
        "The rules stay in charge: there was no b2c lead 30 days ago."
    )


def test_the_champion_scores_the_night_and_going_back_gives_the_earlier_scores(engine: Engine, models: Path) -> None:
    build(engine, NOW, companies=30, days=200)
    score(engine, NOW, RULES, models=None)
    by_rules = scores(engine)
    done = score(engine, NOW, RULES, models)
    assert (done.leads, done.learned) == (90, 90)
    learned = scores(engine)
    version = versions.champion(models / "b2b")
    assert {row["version"] for row in learned.values()} == {version}
    assert all(0 < row["probability"] < 1 for row in learned.values())
    ranked = sorted(learned.values(), key=lambda row: row["probability"])
    assert [row["score"] for row in ranked] == sorted(row["score"] for row in ranked)
    assert {row["grade"] for row in ranked[-3:]} <= {f"{letter}{number}" for letter in "ABCD" for number in "1234"}
    done = [score(engine, NOW, RULES, models, shard=shard, shards=3) for shard in range(3)]  # type: ignore[assignment]
    assert sum(one.leads for one in done) == 90  # type: ignore[attr-defined]
    assert scores(engine) == learned
    versions.rollback(models / "b2b", NOW)
    assert score(engine, NOW, RULES, models).learned == 0
    assert scores(engine) == by_rules


def test_a_reason_is_in_a_salespersons_words_and_taking_it_away_moves_the_score_as_it_says(
    engine: Engine, models: Path
) -> None:
    build(engine, NOW, companies=12, days=200)
    with database.writing(engine) as session:
        session.execute(delete(Activity).where(Activity.contact_id == 30))  # type: ignore[arg-type]
        for number, days in enumerate((1, 2, 3, 50)):
            kind = "download" if days == 50 else "pricing_view"
            session.add(Activity(dedupe=10_000 + number, contact_id=30, kind=kind, at=NOW - timedelta(days=days)))
    score(engine, NOW, RULES, models)
    before = scores(engine)[30]
    said = {one["text"]: one["points"] for one in before["reasons"]}
    points = said["3 pricing-page visits this week"]
    assert points > 2
    with database.writing(engine) as session:
        session.execute(delete(Activity).where(Activity.contact_id == 30, Activity.kind == "pricing_view"))  # type: ignore[arg-type]
    score(engine, NOW, RULES, models)
    after = scores(engine)[30]
    assert after["score"] < before["score"] - points / 3  # the silence that comes with it counts, too
    assert "3 pricing-page visits this week" not in {one["text"] for one in after["reasons"]}


def test_every_reason_is_worth_exactly_what_the_model_says_without_it(engine: Engine, models: Path) -> None:
    build(engine, NOW, companies=8, days=200)
    score(engine, NOW, RULES, models)
    scorer = champions(models, iter(["b2b"]))["b2b"]
    plan, scale, t = (
        FeaturePlan.from_dict(scorer.card["plan"]),
        Scale.from_dict(scorer.card["scale"]),
        int(NOW.timestamp()),
    )
    with database.reading(engine) as session:
        [stretch] = training_history.stretches(session, "b2b", 0, 1)
        record = read_record(session, stretch, plan.kinds, NOW)
    assert record is not None
    table = scorer.reader.read(leads_at(record, t, plan, RULES.markets["b2b"]).frame)
    whole = scale.unbounded(scorer.score_table(table))
    without = {
        family: whole - scale.unbounded(scorer.score_table(replaced(table, scorer.typical, scorer.reader, family)))
        for family in scorer.partial_effects.families
    }
    found = scores(engine)
    for row, contact in enumerate(record.ids.tolist()):
        for reason in found[contact]["reasons"]:
            gaps = [abs(effect[row] - reason["points"]) for effect in without.values()]
            assert min(gaps) < 0.06, reason


def test_a_model_of_a_file_cannot_score_the_record(models: Path) -> None:
    scorer = versions.load(models / "b2b")
    bare = {key: value for key, value in scorer.card.items() if key not in ("plan", "scale")}
    object.__setattr__(scorer, "card", bare)
    name = versions.save(scorer, models / "b2b", NOW)
    versions.promote(models / "b2b", name, NOW, "a mistake")
    with pytest.raises(NotOfThisRecord, match="nurture models rollback --market b2b"):
        champions(models, iter(["b2b"]))


def test_the_scale_keeps_as_many_leads_at_the_threshold_as_the_rules_had(
    learned_record: LearnedRecord,
) -> None:
    engine, folder, _ = learned_record
    scorer = versions.load(folder)
    scale = Scale.from_dict(scorer.card["scale"])
    p = 1 / (1 + np.exp(-scale.anchor))
    assert scale.points(np.array([p]))[0] == pytest.approx(MQL)
    twice = 2 * p / (1 - p) / (1 + 2 * p / (1 - p))
    assert scale.unbounded(np.array([twice]))[0] == pytest.approx(MQL + scale.double)
    score(engine, NOW, RULES, folder.parent)
    warm = sum(row["score"] >= MQL for row in scores(engine).values())
    assert 0 < warm <= 0.05 * 660
