"""A score is points for who somebody is and what they did; its reasons add up to it, and only the past counts."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select, update

from models import Account, AccountScore, Activity, Address, Contact, Order, Score, Segment
from models.score import LeadToScore, ScoredMember, StoredReason
from nurture.config import scoring as scoring_rules
from nurture.rules.scoring import lead_score, score_reasons
from nurture.rules.scoring.account_score import account_score
from nurture.rules.scoring.lead_score import Grades, LeadScore, Rules
from nurture.runtime import database
from tasks.scoring.scores import score, score_accounts
from tests.support.people import add

SHIPPED = Path(__file__).parents[2] / "templates" / "scoring.toml"
RULES = scoring_rules.read(SHIPPED)
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
ZOE = LeadToScore(
    id=1, market="b2b", address="zoe@foo.example", title="Head of Maintenance", locale="en", role="authorizer",
    role_confidence=0.9, seniority="Director", industry="Manufacturing", employees=500, country="DE", tier=None,
    channel=None, traits={}, account_traits={}, persona=None, department=None,
)  # fmt: skip
KINDS = sorted(RULES.markets["b2b"].kinds)
GOOD_KINDS = [kind for kind in KINDS if RULES.markets["b2b"].kinds[kind].points > 0]
Done = Sequence[tuple[str, float]]  # (kind, days ago)
histories = st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 800)), max_size=25)


def scored(lead: LeadToScore, done: Done = (), now: datetime = NOW, rules: Rules = RULES) -> LeadScore:
    activities = [(kind, NOW - timedelta(days=days)) for kind, days in done]
    sheet = rules.markets[lead.market]
    return lead_score.score(lead, lead_score.deeds_of(activities, sheet, now), rules, now)


def texts(found: LeadScore) -> list[str]:
    return [reason.text for reason in found.reasons]


# what a salesperson reads


def test_reasons_are_read_aloud_the_strongest_first() -> None:
    zoe = scored(ZOE, [("pricing_view", 1), ("pricing_view", 2), ("pricing_view", 3), ("webinar", 40)])
    assert texts(zoe) == [
        "authorizer in a 500-person manufacturer",
        "3 pricing-page visits this week",
        "a director",
        "where we deliver (DE)",
        "a webinar 5 weeks ago",
    ]
    assert zoe.grade == "A2"


def test_what_holds_a_lead_back_is_said_too() -> None:
    assert "no activity for 60 days" in texts(scored(ZOE, [("meeting", 60.5)]))
    assert "no activity yet" in texts(scored(ZOE))
    student = scored(ZOE._replace(title="Werkstudentin Einkauf", address="kim@gmail.com"))
    assert (student.grade[0], texts(student)[1]) == ("D", "a student")
    assert "writes from a private mailbox" in texts(student)
    assert scored(ZOE._replace(address="spy@rival-pumps.example")).fit == 0


def test_a_role_we_are_half_sure_of_gives_half_the_points() -> None:
    sure, unsure = scored(ZOE._replace(role_confidence=1.0)), scored(ZOE._replace(role_confidence=0.5))
    assert round(sure.score - unsure.score, 1) == 8.0
    assert "probably authorizer in a 500-person manufacturer" in texts(unsure)


def test_values_are_recognised_however_they_are_written() -> None:
    ways = ("Food & Beverage", "food and beverage", " FOOD  &  BEVERAGE ")
    assert {texts(scored(ZOE._replace(industry=way)))[0] for way in ways} == {"authorizer in a 500-person food maker"}
    assert texts(scored(ZOE._replace(industry="Beekeeping")))[0] == "authorizer in a 500-person company"


def test_a_trait_of_the_file_can_earn_points() -> None:
    text = SHIPPED.read_text() + '\n[b2b.fit.traits.budget]\nsay = "budget {value}"\n"10000+" = 3\n'
    rules = scoring_rules.read_text(text)
    leads = (ZOE._replace(account_traits={"budget": value}) for value in ("9,999", "10000.50"))
    poor, rich = (scored(lead, rules=rules) for lead in leads)
    assert round(rich.score - poor.score, 1) == 3.0
    assert "budget 10000+" in texts(rich)
    assert scored(ZOE._replace(traits={"budget": ["a", "list"]}), rules=rules).score == poor.score


@pytest.mark.parametrize(
    ("word", "said"),
    [("11-person", "an"), ("18-person", "an"), ("800-person", "an"), ("1,800-person", "a"), ("11,000-person", "an"),
     ("110-person", "a"), ("authorizer", "an"), ("user", "a"), ("webinar", "a")],
)  # fmt: skip
def test_articles(word: str, said: str) -> None:
    assert score_reasons.a(word) == said


# what a sum is


@given(histories, st.sampled_from([0.0, 0.3, 0.9]), st.sampled_from([None, 7, 500, 90_000]))
def test_reasons_add_up_to_the_score_and_its_parts(done: Done, sure: float, employees: int | None) -> None:
    found = scored(ZOE._replace(role_confidence=sure, employees=employees), done)
    assert score_reasons.total(found.reasons) == found.score
    assert score_reasons.total(found.reasons, "fit") * 2 == pytest.approx(found.fit)
    assert score_reasons.total(found.reasons, "engagement") * 2 == pytest.approx(found.engagement)
    assert 0 <= found.fit <= 100
    assert 0 <= found.engagement <= 100


@given(histories, st.sampled_from(GOOD_KINDS), st.floats(0, 800))
def test_more_engagement_never_lowers_the_engagement_score(done: Done, kind: str, days: float) -> None:
    assert scored(ZOE, [*done, (kind, days)]).engagement >= scored(ZOE, done).engagement


@pytest.mark.parametrize("halvings", [0, 1, 2, 3])
def test_an_activity_counts_half_after_every_half_life(halvings: int) -> None:
    sheet = replace(RULES.markets["b2b"], silence=())
    demo = sheet.kinds["demo_request"]
    done = [("demo_request", NOW - timedelta(days=demo.half_life * halvings))]
    points, _, _ = lead_score.engage(lead_score.deeds_of(done, sheet, NOW), sheet, NOW)
    assert points / 10 == pytest.approx(demo.points / 2**halvings, abs=0.05)


def test_forgetting_what_a_reason_names_takes_its_points_away() -> None:
    done = [("pricing_view", 1), ("pricing_view", 2), ("webinar", 10), ("email_click", 3)]
    whole = scored(ZOE, done)
    for kind, text in (
        ("pricing_view", "2 pricing-page visits this week"),
        ("webinar", "a webinar in the last 30 days"),
    ):
        points = next(reason.tenths / 10 for reason in whole.reasons if reason.text == text)
        assert points > 0
        assert scored(ZOE, [one for one in done if one[0] != kind]).score == pytest.approx(whole.score - points)


def test_one_kind_alone_never_earns_more_than_its_most() -> None:
    click = RULES.markets["b2b"].kinds["email_click"]
    assert score_reasons.total(scored(ZOE, [("email_click", 0)] * 500).reasons, "engagement") == click.most


@given(st.floats(0, 100), st.floats(0, 100))
def test_every_lead_has_a_grade_and_more_is_never_a_worse_one(fit: float, engagement: float) -> None:
    grade = Grades().grade(fit, engagement)
    assert grade[0] in "ABCD"
    assert grade[1] in "1234"
    assert Grades().grade(100, engagement)[0] <= grade[0]
    assert Grades().grade(fit, 100)[1] <= grade[1]


# accounts


NOBODY = ScoredMember(7, 1, None, None, 0.0, None, None, None)


def test_an_account_needs_people_a_group_and_several_who_are_active() -> None:
    seen = NOW - timedelta(days=3)
    alone = [NOBODY._replace(role="authorizer", role_confidence=0.9, score=80.0, last_activity_at=seen)]
    champion = NOBODY._replace(role="champion", title_role="specifier", role_confidence=0.8, score=60.0)
    group = [*alone, champion._replace(last_activity_at=seen)]
    few, more = account_score(alone, RULES.account, NOW), account_score(group, RULES.account, NOW)
    assert more.score > few.score
    assert (few.missing_role, more.missing_role) == ("specifier", "purchaser")
    assert few.completeness == 0.18  # one of five, nine tenths sure
    assert [one.text for one in more.reasons] == [
        "the best lead, an authorizer, scores 80",
        "2 people active in the last 30 days",
        "2 of 5 needed roles known: authorizer, specifier",
        "the second lead, a champion, scores 60",
        "no purchaser known yet",
    ]
    for found in (few, more):
        assert score_reasons.total(found.reasons) == found.score


def test_an_account_where_nobody_is_known_has_a_score_too() -> None:
    nobody = account_score([], RULES.account, NOW)
    assert (nobody.score, nobody.members, nobody.missing_role) == (0, 0, "authorizer")


# in the database


def stored_total(reasons: list[StoredReason]) -> float:
    return round(sum(one["points"] for one in reasons), 1)


def three_leads(engine: Engine, leads: int = 3) -> None:
    made = {"traits": {}, "created_at": NOW - timedelta(days=400), "updated_at": NOW - timedelta(days=400)}
    add(engine, Account, {"id": 7, "key": "foo", "name": "Foo & Søns <GmbH>", "industry": "Manufacturing",
                          "employees": 500, "country": "DE", **made})  # fmt: skip
    for one in range(1, leads + 1):
        address = f"lead{one}@foo.example"
        add(engine, Address, {"address": address})
        b2c = one % 3 == 0
        add(engine, Contact, {"id": one * 10, "market": "b2c" if b2c else "b2b", "key": address, "address": address,
                              "email": address, "account_id": None if b2c else 7, "title": "CFO", **made})  # fmt: skip
    add(engine, Segment, {"contact_id": 10, "role": "finance", "title_role": "finance", "role_confidence": 0.9,
                          "persona_confidence": 0, "seniority": "Director", "segmented_at": NOW})  # fmt: skip


def act(engine: Engine, *done: tuple[int, str, datetime]) -> None:
    rows = [
        {"dedupe": hash((lead, kind, at, place)), "contact_id": lead, "account_id": 7, "kind": kind, "at": at}
        for place, (lead, kind, at) in enumerate(done)
    ]
    add(engine, Activity, *rows)


def rows(engine: Engine, table: Any) -> dict[int, dict[str, Any]]:
    key = next(iter(table.__table__.primary_key)).name
    with database.reading(engine) as session:
        return {row[key]: dict(row) for row in session.execute(select(table.__table__)).mappings()}


def test_the_database_adds_up_as_the_rule_does(engine: Engine) -> None:
    three_leads(engine)
    random.seed(4)
    done = [(10, random.choice(KINDS), NOW - timedelta(days=random.uniform(0, 2_000))) for _ in range(60)]
    act(engine, *done)
    result = score(engine, NOW, RULES)
    assert (result.leads, result.active) == (3, 1)
    found = rows(engine, Score)[10]
    lead = ZOE._replace(title="CFO", role="finance")
    sheet = RULES.markets["b2b"]
    by_hand = lead_score.score(lead, lead_score.deeds_of([one[1:] for one in done], sheet, NOW), RULES, NOW)
    assert found["reasons"] == [one.stored for one in by_hand.reasons]
    assert (found["score"], found["grade"]) == (by_hand.score, by_hand.grade)
    assert by_hand.last_activity_at is not None
    assert found["last_activity_at"] == by_hand.last_activity_at.replace(microsecond=0)
    assert found["version"] == RULES.version


def test_what_happens_later_is_not_known_yet(engine: Engine) -> None:
    three_leads(engine)
    act(engine, (10, "webinar", NOW - timedelta(days=5)))
    score(engine, NOW, RULES)
    before = rows(engine, Score)
    act(engine, (10, "meeting", NOW + timedelta(seconds=1)), (20, "reply", NOW + timedelta(days=300)))
    add(engine, Order, {"key": "1", "contact_id": 30, "at": NOW + timedelta(days=1), "amount_cents": 90_000})
    score(engine, NOW, RULES)
    assert rows(engine, Score) == before
    score(engine, NOW + timedelta(days=2), RULES)
    after = rows(engine, Score)
    assert after[10]["score"] > before[10]["score"]
    assert after[30]["fit"] > before[30]["fit"] == 0


def test_what_is_long_ago_counts_for_nothing(engine: Engine) -> None:
    three_leads(engine)
    act(engine, (10, "email_open", datetime(1970, 1, 1, tzinfo=UTC)))
    score(engine, NOW, RULES)
    assert rows(engine, Score)[10]["engagement"] == 0


def test_a_contact_not_known_yet_has_no_score(engine: Engine) -> None:
    three_leads(engine)
    with database.writing(engine) as session:
        session.execute(update(Contact).where(Contact.id == 20).values(created_at=NOW + timedelta(days=1)))
    score(engine, NOW, RULES)
    assert sorted(rows(engine, Score)) == [10, 30]


def test_scoring_twice_says_the_same_and_the_last_word_counts(engine: Engine) -> None:
    three_leads(engine)
    act(engine, (10, "webinar", NOW - timedelta(days=5)))
    assert score(engine, NOW, RULES) == score(engine, NOW, RULES)
    warm = rows(engine, Score)[10]["score"]
    with database.writing(engine) as session:
        session.execute(delete(Activity))
    score(engine, NOW, RULES)
    assert rows(engine, Score)[10]["score"] < warm


def test_shards_together_are_the_whole(engine: Engine) -> None:
    three_leads(engine, leads=7)
    whole = score(engine, NOW, RULES)
    scores = rows(engine, Score)
    with database.writing(engine) as session:
        session.execute(delete(Score))
    parts = [score(engine, NOW, RULES, shard=shard, shards=3) for shard in range(3)]
    assert sum(part.leads for part in parts) == whole.leads == 7
    assert rows(engine, Score) == scores


def test_shoppers_are_scored_by_what_they_bought(engine: Engine) -> None:
    three_leads(engine)
    for number, days in enumerate((10, 40, 500)):
        at = NOW - timedelta(days=days)
        add(engine, Order, {"key": str(number), "contact_id": 30, "at": at, "amount_cents": 9_900})
    act(engine, (30, "cart", NOW - timedelta(days=1)))
    score(engine, NOW, RULES)
    found = rows(engine, Score)[30]
    assert [reason["text"] for reason in found["reasons"]] == [
        "bought in the last 30 days", "two or three orders in a year", "a filled basket this week",
        "spent 50 or more in a year",
    ]  # fmt: skip
    assert stored_total(found["reasons"]) == found["score"]


def test_an_account_is_scored_from_its_members(engine: Engine) -> None:
    three_leads(engine)
    act(engine, (10, "meeting", NOW - timedelta(days=2)))
    score(engine, NOW, RULES)
    assert score_accounts(engine, NOW, RULES).accounts == 1
    found = rows(engine, AccountScore)[7]
    assert (found["members"], found["missing_role"], found["completeness"]) == (2, "authorizer", 0.18)
    assert stored_total(found["reasons"]) == found["score"] > 0


def test_nobody_is_no_error(engine: Engine) -> None:
    assert score(engine, NOW, RULES).leads == score_accounts(engine, NOW, RULES).accounts == 0


# the file


def test_the_shipped_file_has_no_mistakes() -> None:
    assert scoring_rules.check(SHIPPED) == []
    assert scoring_rules.check(SHIPPED.with_name("absent.toml"))[0].what == "there is no such file"


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("authorizer = 16", "authoriser = 16", "did you mean authorizer?"),
        ("authorizer = 16", 'authorizer = "16"', "b2b.fit.role.authorizer should be a number"),
        ("authorizer = 16", "authorizer = nan", "write a plain number"),
        ('"20-99"    = 4', '"15-99" = 4', "“15-99” overlaps 1-19"),
        ("[b2b.fit.country]", "[b2b.fit.land]", "b2b.fit.land is not known"),
        ('"qq.com"', '"someone@qq.com"', "“someone@qq.com” is no domain"),
        ("half_life = 45", "half_live = 45", "did you mean half_life?"),
        ("half_life = 45", "half_life = 0", "the days after which an activity counts half"),
        ("half_life = 45", "half_life = 1e9", "the days after which an activity counts half"),
        ('"60"  = -5', '"60"  = 5', "write a minus: -5"),
        ('"60"  = -5', '"two months"  = -5', "“two months” is no number of days"),
        ("people        = 55", "people        = 50", "people, group and recency make 95 points"),
        ("fit        = [75, 50, 25]", "fit = [75, 80, 25]", "not three falling numbers"),
        ("most = 60", "most = 70", "b2c make 110 points together"),
        ('say  = "where we deliver ({value})"', 'say = "in {country}"', "braces that mean nothing"),
        ("[grades]", "[grades", "Expected ']'"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_line_and_its_mend(right: str, wrong: str, says: str) -> None:
    shipped = SHIPPED.read_text()
    assert right in shipped
    text = shipped.replace(right, wrong, 1)
    with pytest.raises(scoring_rules.ScoringRulesError) as caught:
        scoring_rules.read_text(text)
    problem = next(one for one in caught.value.problems if says in str(one))
    assert problem.line is not None
    nearby = text.splitlines()[max(0, problem.line - 8) : problem.line + 8]  # a list may go on for lines
    assert any(wrong.split("=")[0].strip() in line for line in nearby), str(problem)
