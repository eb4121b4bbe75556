"""Predicates over the audience view: what may be asked, what the answer is, at which moment."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, insert

from models import Account, Activity, Contact, Score, Segment
from models.queries.audience import COLUMNS, audience
from nurture.config.audience_predicate import PredicateError, answers, condition, failing, matching, problems
from nurture.runtime import database
from tests.support.outbox import fill


@pytest.mark.parametrize(
    "predicate",
    [
        "industry IN ('Manufacturing', 'Chemicals') AND grade IN ('A', 'B') AND stage = 'lead'",
        "account_clicks_30d >= 1 OR (visits_30d > 3 AND NOT role = 'gatekeeper')",
        "title ILIKE '%einkauf%' AND title NOT LIKE '%:50%'",
        "days_since_activity < 30 AND recency_days IS NULL",
        "lower(country) = 'de' AND score BETWEEN 40 AND 70",
        "COALESCE(employees, 0) * 2 >= 100",
    ],
)
def test_what_a_marketer_may_ask(predicate: str, engine: Engine, now: datetime) -> None:
    assert problems(predicate) == []
    with database.reading(engine) as session:
        assert session.execute(matching(session, now, predicate, "contact_id")).all() == []


@pytest.mark.parametrize(
    ("predicate", "said"),
    [
        ("industri = 'x'", "there is no column 'industri', did you mean 'industry'?"),
        ("a.score > 1", "column 'a.score': write 'score' alone"),
        ("1 = 1; DROP TABLE contact", "only a condition is allowed here"),
        ("1 = 1 ORDER BY 1", "only a condition is allowed here"),
        ("1 = 1 UNION SELECT 1", "only a condition is allowed here"),
        ("score > (SELECT 1)", "is not allowed in a condition"),
        ("pg_sleep(10) = 1", "is not allowed in a condition"),
        ("score >", "cannot be read near"),
        ("'unclosed = 1", "cannot be read"),
        ("", "cannot be read"),
        (" OR ".join(["score > 1"] * 200), "is too long"),
    ],
)
def test_what_nobody_may_ask_is_explained(predicate: str, said: str, engine: Engine) -> None:
    assert said in "; ".join(problems(predicate))
    with database.reading(engine) as session, pytest.raises(PredicateError):
        condition(predicate, session)


def test_the_view_knows_only_what_was_known_at_its_moment(engine: Engine, now: datetime) -> None:
    fill(engine, now, 2)
    with database.writing(engine) as session:
        for n, (contact, kind, at) in enumerate(
            [
                (1, "email_click", now - timedelta(days=31)),
                (1, "email_click", now - timedelta(days=29)),
                (1, "pricing_view", now - timedelta(hours=1)),
                (2, "email_click", now + timedelta(hours=1)),
            ]
        ):
            row = {"dedupe": n, "contact_id": contact, "account_id": 1, "kind": kind, "at": at}
            session.execute(insert(Activity), [row])
    with database.reading(engine) as session:
        view = audience(now).subquery("audience")
        rows = {row["contact_id"]: row for row in session.execute(view.select()).mappings()}
    assert (rows[1]["clicks_30d"], rows[1]["visits_30d"], rows[1]["pricing_visits_30d"]) == (1, 1, 1)
    assert rows[2]["clicks_30d"] == 0
    with database.reading(engine) as session:
        later = now + timedelta(hours=2)
        held = answers(session, later, {"keen": "clicks_30d >= 1", "nobody": "score > 99"}, [1, 2])
    assert held == {"keen": {1, 2}, "nobody": set()}


def test_each_contact_is_one_row_with_its_account_score_and_segment(engine: Engine, now: datetime) -> None:
    fill(engine, now, 2)
    with database.writing(engine) as session:
        from sqlalchemy import update

        session.execute(update(Contact).values(account_id=1))
        session.execute(update(Account).values(industry="Manufacturing", employees=500))
        session.execute(
            insert(Score),
            [{"contact_id": 1, "version": "v", "fit": 80.0, "engagement": 60.0, "score": 72.0, "grade": "A2",
              "reasons": [], "last_activity_at": now - timedelta(days=3), "scored_at": now}],
        )  # fmt: skip
        segment = {"contact_id": 1, "role": "specifier", "role_confidence": 0.9, "segmented_at": now}
        session.execute(insert(Segment), [segment | {"persona_confidence": 0.5}])
    with database.reading(engine) as session:
        wanted = ("contact_id", "grade", "engagement_grade", "role", "industry", "days_since_activity")
        row = session.execute(matching(session, now, "full_grade = 'A2' AND employees >= 500", *wanted)).one()
        assert tuple(row[:5]) == (1, "A", "2", "specifier", "Manufacturing")
        assert row[5] == pytest.approx(3)
        assert set(audience(now).subquery().c.keys()) == set(COLUMNS)


def test_it_says_which_part_does_not_hold_and_what_is_there_instead(engine: Engine, now: datetime) -> None:
    fill(engine, now, 1)
    with database.reading(engine) as session:
        parts = failing(session, now, "country = 'DE' AND (score > 50 OR clicks_30d > 0) AND market = 'b2b'", 1)
    assert [values for _, values in parts] == [{"score": 0.0, "clicks_30d": 0}, {"market": "b2c"}]
