"""Stages: logged moves become a funnel with conversion and time in stage, as of any moment."""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from models import Activity, Transition
from models.activity import Deeds
from models.contact import Market, Stage
from nurture.rules.segmentation.lifecycle import BESIDE, PATH, PHASE, markdown, median_days, stage_by_behaviour
from tasks import reporting, segmentation
from tests.support import plain_campaigns
from tests.support.people import add

DAY = timedelta(days=1)


def test_every_stage_stands_on_a_path_or_beside_it_and_has_a_phase() -> None:
    placed = [stage for path in PATH.values() for stage in path] + list(BESIDE.values())
    assert sorted(placed) == sorted(Stage)
    assert set(PHASE) == set(Stage)
    for path in PATH.values():
        phases = [PHASE[stage] for stage in path]
        assert phases == sorted(phases, key=["reach", "act", "convert", "engage"].index)


def test_the_median_is_of_counted_hours() -> None:
    assert median_days({}) is None
    assert median_days({24: 1}) == 1.0
    assert median_days({24: 1, 48: 1, 480: 1}) == 2.0
    assert median_days({0: 5, 480: 4}) == 0.0


def test_a_stranger_who_reads_us_is_a_lead_and_an_accepted_lead_who_met_us_is_qualified(now: datetime) -> None:
    def did(kind: str) -> Deeds:
        return Deeds(1, kind, 1.0, 1, 1, 1, now)

    assert stage_by_behaviour(Stage.DISCOVERY, []) is None
    assert stage_by_behaviour(Stage.DISCOVERY, [did("email_open")]) is None  # machines open, too
    assert stage_by_behaviour(Stage.DISCOVERY, [did("download")]) == (Stage.LEAD, "has shown interest (downloads)")
    assert stage_by_behaviour(Stage.SAL, [did("meeting")]) == (Stage.SQL, "has met sales")
    assert stage_by_behaviour(Stage.MQL, [did("meeting")]) is None


def test_the_funnel_counts_who_reached_each_stage_who_went_on_and_how_long_they_stayed(
    engine: Engine, now: datetime
) -> None:
    plain_campaigns.settle(engine, now, {"zoe": 1, "ann": 1, "bo": 2, "sue": 2})  # known for nine days
    steps = [
        (1, "lead", "mql", 0), (1, "mql", "sal", 2), (1, "sal", "opportunity", 4),
        (2, "lead", "mql", 1), (2, "mql", "recycled", 5), (2, "recycled", "lead", 9),
        (3, "lead", "mql", 20),
    ]  # fmt: skip
    for who, was, to, day in steps:
        row = {"contact_id": who, "stage_from": was, "stage_to": to, "at": now + day * DAY, "why": "test"}
        add(engine, Transition, row)

    def at(day: int) -> dict[str, tuple[int, int, float | None, float | None]]:
        rungs = reporting.funnel(engine, now + day * DAY)
        return {rung.stage: (rung.here, rung.reached, rung.conversion, rung.median_days) for rung in rungs}

    assert at(10) == {
        "discovery": (0, 4, 1.0, None),
        "lead": (3, 4, 0.5, 9.0),  # Zoë and Ann went on, after nine and ten days
        "mql": (0, 2, 0.5, 2.0),
        "sal": (0, 1, 1.0, 2.0),
        "sql": (0, 1, 1.0, None),
        "opportunity": (1, 1, 0.0, None),
        "customer": (0, 0, None, None),
        "recycled": (0, 1, 1.0, 4.0),
    }
    assert at(3)["sal"] == (1, 1, 0.0, None)  # as it stood then
    assert at(3)["lead"] == (2, 4, 0.5, 9.0)
    assert at(25)["mql"] == (1, 3, 0.3333, 2.0)
    assert "| b2b | act | mql | 0 | 2 | 50.0% | 2.0 |" in markdown(reporting.funnel(engine, now + 10 * DAY))


def test_moves_of_strangers_are_logged_by_the_segmentation(engine: Engine, now: datetime) -> None:
    plain_campaigns.settle(engine, now, {"zoe": 1, "ann": 1})
    from sqlalchemy import text

    with engine.begin() as connection:
        connection.execute(text("UPDATE contact SET stage = 'discovery'"))
    add(engine, Activity, {"dedupe": 1, "contact_id": 1, "account_id": 1, "kind": "webinar", "at": now - DAY})
    assert segmentation.segment(engine, now).moved == 1
    found = {rung.stage: rung.here for rung in reporting.funnel(engine, now) if rung.market == Market.B2B}
    assert (found["discovery"], found["lead"]) == (1, 1)
