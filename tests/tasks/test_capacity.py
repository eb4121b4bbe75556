"""The threshold follows sales' calendars: as many leads as there is time for, the best ones, and what that gains."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from models import Account, Address, Contact, Handoff, LearnedParameter, Score
from nurture.config import sales as sales_file
from nurture.rules.handoff.capacity import (
    OUT_OF_REACH,
    Absence,
    CapacityLead,
    SalesRep,
    SalesTeam,
    read_weekly_threshold,
    weekly_threshold,
)
from nurture.runtime import database
from nurture.runtime.settings import settings
from tasks.handoff import offer
from tasks.sales_threshold import compute_threshold, set_threshold, threshold_report
from tests.support.people import a_handoff, add

MONDAY = date(2026, 3, 2)
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAY = timedelta(days=1)
SAM = SalesRep("sam@seller.example", "DE", 10)
FILE = """
leads_per_rep_per_week = 12
country = "DE"
least_chance = 0.02
least_score = 20

[[reps]]
email = "Sam@seller.example"

[[reps]]
email = "ana@seller.example"
country = "ES"
days = [1, 2, 3]
leads_per_week = 4.5
away = [{ from = 2026-03-03, to = 2026-03-09 }, { from = 2026-08-01, to = 2026-08-31 }]
"""


# calendars


@pytest.mark.parametrize(
    ("rep", "begin", "weeks"),
    [
        (SAM, MONDAY, 1.0),
        (SAM, date(2026, 3, 4), 1.0),  # any seven days
        (SAM, date(2026, 4, 3), 0.6),  # Good Friday and Easter Monday
        (replace(SAM, country="US"), date(2026, 4, 3), 1.0),  # not theirs
        (replace(SAM, absences=(Absence(MONDAY, MONDAY + DAY),)), MONDAY, 0.6),
        (replace(SAM, absences=(Absence(MONDAY - DAY, MONDAY + 9 * DAY),)), MONDAY, 0.0),
        (replace(SAM, days=(1, 2)), MONDAY, 1.0),  # part time: their own full week
        (replace(SAM, days=(1, 2), absences=(Absence(MONDAY, MONDAY),)), MONDAY, 0.5),
        (replace(SAM, days=(6, 7)), MONDAY, 1.0),  # weekends, where somebody works then
    ],
)
def test_a_week_is_what_is_left_of_it(rep: SalesRep, begin: date, weeks: float) -> None:
    assert rep.weeks(begin) == pytest.approx(weeks)


def leads(*scores: float, offered: int = 0, learned: bool = True) -> list[CapacityLead]:
    """Leads with these scores, the first `offered` of them with sales already."""
    return [
        CapacityLead(score, score / 200 if learned else None, place < offered, SAM.email)
        for place, score in enumerate(scores)
    ]


SALES = SalesTeam("v", (replace(SAM, leads=3),))


def test_the_threshold_lets_in_as_many_as_there_is_time_for() -> None:
    week = weekly_threshold(SALES, leads(90, 80, 70, 60, 50), MONDAY, {})
    assert (week.threshold, week.leads, week.of_leads, week.free) == (70, 3, 5, 3)
    assert week.sales == pytest.approx(1.2)
    assert week.left == pytest.approx(0.55)
    assert week.at_random == pytest.approx(1.75 * 3 / 5)
    assert week.next_lead == pytest.approx(0.3)
    assert [(line.score, line.leads) for line in week.lines] == [(80, 2), (70, 3), (60, 4)]
    assert week.sentence == (
        "From a score of 70 on leads go to sales (1 rep of 1 at work, time for 3 leads this week): 3 of 5, with 1.2 of "
        "1.8 expected conversions; as many at random would bring 1.1. The best one left out converts with 30%."
    )


def test_leads_of_last_week_without_an_answer_take_their_time() -> None:
    assert weekly_threshold(SALES, leads(90, 80, 70), MONDAY, {SAM.email: 2}).threshold == 90
    week = weekly_threshold(SALES, leads(90, 80, 70), MONDAY, {SAM.email: 9})
    assert (week.threshold, week.leads) == (OUT_OF_REACH, 0)
    assert week.sentence.startswith("No lead goes to sales (1 rep of 1 at work, time for 0 leads this week)")


def test_a_hot_lead_on_friday_passes_and_mondays_rest_stays_out() -> None:
    """Three were offered on Monday and have filled the week; one hotter than they came in since."""
    week = weekly_threshold(SALES, leads(90, 80, 70, 95, 69, offered=3), MONDAY, {})
    assert week.threshold == 80
    assert (week.leads, week.offered) == (3, 2)


def test_when_everybody_is_away_nobody_is_handed_over() -> None:
    gone = SalesTeam("v", (replace(SAM, absences=(Absence(MONDAY, MONDAY + 7 * DAY),)),))
    assert weekly_threshold(gone, leads(99), MONDAY, {}).threshold == OUT_OF_REACH


def test_no_lead_is_called_that_is_not_worth_it_however_free_sales_are() -> None:
    free = SalesTeam("v", (replace(SAM, leads=100),), least_chance=0.3)
    assert weekly_threshold(free, leads(90, 60, 50), MONDAY, {}).threshold == 60
    assert (
        weekly_threshold(
            replace(free, least_chance=0.0, least_score=75), leads(90, 60, learned=False), MONDAY, {}
        ).threshold
        == 90
    )


def test_without_learned_chances_no_gain_is_claimed() -> None:
    week = weekly_threshold(SALES, leads(90, 80, 70, 60, learned=False), MONDAY, {})
    assert (week.threshold, week.sales, week.left, week.next_lead) == (70, None, None, None)
    assert week.sentence.endswith("3 of 4. What that gains is known once scores are learned.")
    assert "| **70** | 3 |  |  |" in week.markdown


def test_a_kept_week_says_the_same() -> None:
    for some in (leads(90, 80, 70, 60), leads(90, learned=False), []):
        week = weekly_threshold(SALES, some, MONDAY, {SAM.email: 1})
        assert read_weekly_threshold(week.as_body()) == week
    strange = weekly_threshold(SalesTeam("v", (replace(SAM, email="kim@seller.example"),)), leads(90), MONDAY, {})
    assert "1 warm lead of an owner who is not in sales.toml" in strange.markdown
    assert SAM.email not in strange.markdown


# the file


def test_the_file_is_read() -> None:
    sales = sales_file.read_text(FILE)
    sam, ana = sales.reps
    assert sam == SalesRep("sam@seller.example", "DE", 12.0)
    assert ana == SalesRep(
        "ana@seller.example", "ES", 4.5, (1, 2, 3),
        (Absence(date(2026, 3, 3), date(2026, 3, 9)), Absence(date(2026, 8, 1), date(2026, 8, 31))),
    )  # fmt: skip
    assert (sales.least_chance, sales.least_score) == (0.02, 20)


@pytest.mark.parametrize(
    ("right", "wrong", "line", "says"),
    [
        ("leads_per_rep_per_week = 12", "", 1, "leads_per_rep_per_week is missing"),
        ("leads_per_rep_per_week = 12", "leads_per_rep_a_week = 12", 2, "did you mean leads_per_rep_per_week?"),
        ("leads_per_rep_per_week = 12", "leads_per_rep_per_week = nan", 2, "write a number from 0 to 500"),
        ("leads_per_rep_per_week = 12", 'leads_per_rep_per_week = "12"', 2, "should be a number"),
        ('country = "DE"', "", 7, "whose holidays does Sam@seller.example keep?"),
        ('country = "DE"', 'country = "Germany"', 3, "write two letters"),
        ("least_chance = 0.02", "least_chance = 2", 4, "write a probability"),
        ("least_score = 20", "least_score = 200", 5, "scores run from 0 to 100"),
        ('email = "ana@seller.example"', 'email = "Ana"', 11, "“Ana” is no mail address"),
        ('email = "ana@seller.example"', 'email = "sam@seller.example"', 11, "stands here twice"),
        ("days = [1, 2, 3]", 'days = ["Mon"]', 13, "1 for Monday"),
        ("days = [1, 2, 3]", "days = []", 13, "1 for Monday"),
        ("leads_per_week = 4.5", "leads_per_week = -1", 14, "write a number from 0 to 500"),
        ("to = 2026-03-09", "to = 2026-03-01", 15, "turn the two round"),
        ("to = 2026-03-09", 'to = "soon"', 15, "between two days"),
        ("to = 2026-03-09", "till = 2026-03-09", 15, "should say from and to"),
        ("[[reps]]", "[[reps", 7, "Expected"),
    ],
)
def test_a_mistake_has_its_line_and_its_mend(right: str, wrong: str, line: int, says: str) -> None:
    assert right in FILE
    with pytest.raises(sales_file.SalesFileError) as caught:
        sales_file.read_text(FILE.replace(right, wrong, 1))
    problem = next(one for one in caught.value.problems if says in str(one))
    assert abs((problem.line or 0) - line) <= 1, str(problem)


def test_the_shipped_example_can_be_used() -> None:
    shipped = Path(__file__).parents[2] / "examples" / "sales.toml"
    assert len(sales_file.read_text(shipped.read_text("utf-8")).reps) >= 2
    assert sales_file.read(shipped.parent / "data") is None


# in the database


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A rules folder of this test's own."""
    monkeypatch.setenv("NURTURE_RULES", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def settle_leads(engine: Engine, *scores: float, learned: bool = False) -> None:
    """A company with one lead for each score, all of Sam's."""
    made = {"created_at": NOW - 9 * DAY, "updated_at": NOW - 9 * DAY}
    for id, score in enumerate(scores, 1):
        address = f"p{id}@a{id}.example"
        add(engine, Address, {"address": address})
        add(
            engine,
            Account,
            {"id": id, "key": str(id), "name": f"A{id}", "owner_email": SAM.email, "traits": {}, **made},
        )
        add(engine, Contact, {"id": id, "market": "b2b", "key": address, "address": address, "email": address,
                              "account_id": id, "locale": "en", "consent": "granted", "stage": "lead", "traits": {},
                              **made})  # fmt: skip
        row: dict[str, Any] = {"contact_id": id, "version": "rules-1", "fit": 50, "engagement": 50, "score": score,
                               "grade": "B2", "reasons": [], "scored_at": NOW - DAY,
                               "probability": score / 200 if learned else None}  # fmt: skip
        add(engine, Score, row)


def test_handoff_uses_the_weeks_threshold_and_then_the_next(engine: Engine, rules: Path) -> None:
    settle_leads(engine, 90, 80, 60, 50, 40)
    (rules / "sales.toml").write_text(
        'leads_per_rep_per_week = 3\ncountry = "DE"\n[[reps]]\nemail = "sam@seller.example"'
    )
    sales = sales_file.read(rules)
    assert offer(engine, NOW).offered == 2  # nothing was computed yet: the 70 of the settings
    assert compute_threshold(engine, NOW, sales).threshold == 60
    found = set_threshold(engine, NOW, sales)
    assert (found.threshold, found.week and found.week.offered) == (60, 2)
    assert "## Threshold\n\nSet 2026-03-02 08:00 UTC. From a score of 60 on" in threshold_report(engine, NOW)
    assert offer(engine, NOW).offered == 1
    assert set_threshold(engine, NOW + DAY, sales).threshold == 60
    assert offer(engine, NOW + DAY).offered == 0  # the week is full
    with database.reading(engine) as session:
        kept = session.execute(select(LearnedParameter.version, LearnedParameter.subject)).all()
    assert sales
    assert set(kept) == {(sales.version, "threshold")}
    later = NOW + 8 * DAY
    waiting = set_threshold(engine, later, sales)  # nobody has answered: their time is spoken for
    assert waiting.threshold == OUT_OF_REACH
    with database.writing(engine) as session:
        session.execute(Handoff.__table__.update().values(state="accepted", decided_at=later))  # type: ignore[attr-defined]
    assert set_threshold(engine, later, sales).threshold == 40


def test_without_the_file_everything_stays_as_it_is(engine: Engine, rules: Path) -> None:
    settle_leads(engine, 90, 60)
    found = set_threshold(engine, NOW, sales_file.read(rules))
    assert (found.threshold, found.week) == (70, None)
    assert found.words == "From a score of 70 on, as the settings say: there is no sales.toml."
    with database.reading(engine) as session:
        assert session.execute(select(LearnedParameter)).all() == []
    assert threshold_report(engine, NOW) == ""
    assert offer(engine, NOW).offered == 1


def test_who_must_not_be_called_takes_nobodys_place(engine: Engine, rules: Path) -> None:
    settle_leads(engine, 90, 80, 60, learned=True)
    a_handoff(engine, NOW - 20 * DAY, contact_id=1, state="rejected", decided_at=NOW - 10 * DAY, decided_why="no_need")
    week = compute_threshold(engine, NOW, SalesTeam("v", (replace(SAM, leads=1),))).week
    assert week
    assert (week.threshold, week.of_leads) == (80, 2)
    assert (week.sales, week.left) == (pytest.approx(0.4), pytest.approx(0.3))
