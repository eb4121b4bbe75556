"""Drift: what comes in and what comes true are watched against the champion's training; quiet when nothing moved."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sqlalchemy import Engine, insert, update

from models import Account, Opportunity
from models.learned_parameter import LearnedSubject, newest
from models.queries import training_history
from nurture.checks.installation import LOOKS
from nurture.config import scoring
from nurture.learning.estimators.calibration import Calibrator
from nurture.learning.estimators.recipe import Recipe
from nurture.learning.features.columns import plan_features as reader_for
from nurture.learning.fit.baseline import make_baseline
from nurture.learning.fit.model_selection import Selection
from nurture.learning.fit.refit import refit
from nurture.learning.fit.scorer import Scorer
from nurture.learning.judge import drift
from nurture.learning.registry import versions
from nurture.learning.training_data import record_labels
from nurture.learning.training_data.examples import Examples
from nurture.learning.training_data.lead_record import DAY, known, read_record
from nurture.learning.training_data.point_in_time import FeaturePlan, leads_at
from nurture.learning.training_data.schema import ColumnKind, describe
from nurture.runtime import database
from nurture.runtime.settings import Settings
from tasks.scoring.drift import Watched, watch
from tests.support.account_history import a_past

TOGETHER = True  # one worker: what the file makes once is costly

RULES = scoring.read(Path(__file__).parents[2] / "templates" / "scoring.toml")
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
TRAINED = int(NOW.timestamp()) // DAY * DAY - 95 * DAY  # the record the model learned from ends here
CHOSEN = Selection(Recipe(penalty=0.1, trees=None, weight=1.0), Calibrator(), np.empty(0), ())
KINDS = ("page_view", "webinar", "pricing_view", "download")


def a_champion(engine: Engine, folder: Path) -> Scorer:
    """A small model of the record's leads as they were at four moments, chosen by nobody; it reigns."""
    plan = FeaturePlan("b2b", KINDS)
    with database.reading(engine) as session:
        (stretch,) = training_history.stretches(session, "b2b", 0, 1)
        record = read_record(session, stretch, KINDS, NOW)
    assert record is not None
    frames, outcomes = [], []
    for back in range(1, 6):
        t = TRAINED - back * 90 * DAY
        y = record_labels.labels_at(record, t, 90, TRAINED)
        there = known(record, t) & ~np.isnan(y)
        looked = leads_at(record, t, plan, RULES.markets["b2b"]).frame
        frames.append(looked.filter(pl.Series(there)))
        outcomes.append(y[there])
    whole, y = pl.concat(frames), np.concatenate(outcomes)
    columns = [one for one in describe(whole) if one.kind != ColumnKind.NOTHING]
    reader = reader_for(whole, columns, None)
    scorer = refit(CHOSEN, reader, whole, Examples(y))
    card = {
        "plan": plan.as_dict(), "days": 90, "moments": [f"{datetime.fromtimestamp(TRAINED - 90 * DAY, UTC):%Y-%m-%d}"],
        "data_cut": f"{datetime.fromtimestamp(TRAINED, UTC):%Y-%m-%d}",
        "importance": {one.name: 0.1 for one in columns},
        "baseline": make_baseline(scorer, whole, scorer.score(whole)),
    }  # fmt: skip
    scorer = Scorer(scorer.learned, scorer.calibrator, scorer.typical, scorer.partial_effects, card)
    versions.promote(folder / "b2b", versions.save(scorer, folder / "b2b", NOW), NOW, "test")
    return scorer


@pytest.fixture
def models(engine: Engine, tmp_path: Path) -> Path:
    a_past(engine, NOW, accounts=500)
    a_champion(engine, tmp_path / "models")
    return tmp_path / "models"


def b2b(found: list[Watched]) -> Watched:
    return next(one for one in found if one.market == "b2b")


def said(engine: Engine, folder: Path) -> tuple[str, str]:
    """What the doctor says of drift."""
    ours = Settings(var=folder, _env_file=None)  # type: ignore[call-arg]
    line = LOOKS["drift"]("drift", ours, engine)
    return line.state, line.said


def test_what_moved_is_told_in_words_and_silence_when_nothing_did(engine: Engine, models: Path, tmp_path: Path) -> None:
    assert said(engine, tmp_path) == ("ok", "nobody has looked yet")
    quiet = b2b(watch(engine, NOW, RULES, models))
    assert quiet.moved == ()
    assert min(quiet.leads, quiet.outcomes) > 300
    assert said(engine, tmp_path)[0] == "ok"
    with database.writing(engine) as session:
        session.execute(update(Account).where(Account.id % 2 == 0).values(employees=2_000))
    loud = b2b(watch(engine, NOW, RULES, models))
    assert len(loud.moved) == 1
    assert loud.moved[0].startswith("Employees: 2,000 or more for ")
    assert loud.moved[0].endswith(" in training.")
    assert said(engine, tmp_path) == ("note", loud.words)
    later = b2b(watch(engine, datetime(2026, 6, 2, 8, tzinfo=UTC), RULES, models))  # nobody has come since
    assert any(", each counting half after " in one and one[:1].isupper() for one in later.moved)
    with database.reading(engine) as session:
        kept = newest(session, LearnedSubject.DRIFT, NOW)
    assert kept
    assert kept.body["markets"]["b2b"]["moved"] == list(loud.moved)


def test_scores_that_no_longer_come_true_are_told_first(engine: Engine, models: Path) -> None:
    """Everybody suddenly buys: the leads look as ever, what came of those of a horizon ago does not."""
    with database.writing(engine) as session:
        free = [
            {"key": f"late{account}", "account_id": account, "name": "Pumps", "outcome": "open", "currency": "EUR",
             "opened_at": datetime.fromtimestamp(TRAINED + 30 * DAY, UTC), "traits": {}}
            for account in range(1, 501, 3)
        ]  # fmt: skip
        session.execute(insert(Opportunity), free)
    told = b2b(watch(engine, NOW, RULES, models)).moved
    assert told
    assert told[0].startswith("The scores promised that ")
    assert "of the leads buy, and " in told[0]


def test_outcomes_the_model_learned_from_are_no_test_of_it(engine: Engine, models: Path) -> None:
    assert b2b(watch(engine, datetime.fromtimestamp(TRAINED, UTC), RULES, models)).outcomes == 0


def test_without_a_model_there_is_nothing_to_watch(engine: Engine, tmp_path: Path) -> None:
    found = b2b(watch(engine, NOW, RULES, tmp_path))
    assert (found.version, found.moved) == (None, ())
    assert found.words == "b2b: the rules score these leads; there is no model to watch."


# without a database


def frames(n: int = 2_000) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    return pl.DataFrame({
        "employees": rng.choice([10.0, 200.0, 1_500.0], n, p=[0.5, 0.4, 0.1]),
        "industry": rng.choice(["Food", "Chemicals", "Water"], n, p=[0.6, 0.3, 0.1]),
        "visits": rng.poisson(2.0, n).astype(float),
    })  # fmt: skip


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    whole = frames()
    y = (np.random.default_rng(2).random(whole.height) < 0.1 + 0.02 * whole["visits"].to_numpy()).astype(float)
    made = refit(CHOSEN, reader_for(whole, describe(whole), None), whole, Examples(y))
    card = {"baseline": make_baseline(made, whole, made.score(whole))}
    return Scorer(made.learned, made.calibrator, made.typical, made.partial_effects, card)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"employees": pl.when(pl.int_range(pl.len()) % 2 == 0).then(1_500.0).otherwise(10.0)},
         "Employees: 1,500 or more for half of the leads now; a tenth in training."),
        ({"employees": pl.lit(10.0)}, "Employees: less than 200 for all of the leads now; half in training."),
        ({"visits": pl.when(pl.int_range(pl.len()) % 4 == 0).then(None).otherwise(pl.col("visits"))},
         "Visits: unknown for a quarter of the leads now; none in training."),
        ({"industry": pl.when(pl.int_range(pl.len()) % 5 == 0).then(pl.lit("Hydrogen")).otherwise("industry")},
         "Industry: a value not seen in training for a fifth of the leads now; none in training."),
        ({"industry": pl.lit("Water")}, 'Industry: "Water" for all of the leads now; a tenth in training.'),
    ],
)  # fmt: skip
def test_a_shift_reads_as_one_would_say_it(scorer: Scorer, change: dict[str, pl.Expr], sentence: str) -> None:
    now = frames().with_columns(**change)
    told = [one.sentence for one in drift.find_drift(scorer, now, scorer.score(now)) if one.what != "score"]
    assert told == [sentence]


def test_colleagues_who_buy_together_are_one_surprise() -> None:
    """Ten companies of forty: two bought, where one was promised. That is luck, whatever the number of leads."""
    company = np.repeat(np.arange(10), 40)
    bought = (company < 2).astype(float)
    assert drift.calibration_drift(np.full(400, 0.1), bought, company) is None
    assert drift.calibration_drift(np.full(400, 0.1), bought) is not None


def test_another_sample_of_the_same_leads_is_no_drift(scorer: Scorer) -> None:
    some = frames().sample(400, seed=3, with_replacement=True)
    assert drift.find_drift(scorer, some, scorer.score(some)) == []
