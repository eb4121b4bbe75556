"""Leaving and coming back: who no longer fits, whom sales said no to, and for how long an account's stop counts."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, insert, select, update

from models import Contact
from models.handoff import Decision, Handoff
from models.queries.sales_answers import answer
from nurture.explain.why import why
from nurture.rules.handoff.qualification import ABOUT_THE_COMPANY
from nurture.runtime import database
from tasks.planning.forecast import PlanForecast, foresee
from tests.support.plain_campaigns import enrolments, letters, morning, post, publish, settle

DAY = timedelta(days=1)
IN_DE = "country = 'DE' AND stage = 'lead'"


def change(engine: Engine, *ids: int, **values: str) -> None:
    with database.writing(engine) as session:
        session.execute(update(Contact).where(Contact.id.in_(ids)).values(**values))  # type: ignore[union-attr]


def said(engine: Engine, now: datetime, address: str, slug: str = "pumps") -> str:
    with database.reading(engine) as session:
        return why(session, now, address, slug).sentence


def sales_say(engine: Engine, now: datetime, contact: int, decision: str, code: str, account: int | None = 1) -> None:
    with database.writing(engine) as session:
        offer = {"contact_id": contact, "account_id": account, "owner_email": "sam@seller.example", "score": 80,
                 "grade": "A1", "score_version": "v", "offered_at": now, "due_at": now + DAY}  # fmt: skip
        session.execute(insert(Handoff).values(offer))
        [id] = session.execute(select(Handoff.id).order_by(Handoff.id.desc()).limit(1)).scalars()  # type: ignore[union-attr]
        assert answer(session, id or 0, decision, code, now, ABOUT_THE_COMPANY)
        assert not answer(session, id or 0, Decision.ACCEPTED, None, now, ABOUT_THE_COMPANY)


def would_do(engine: Engine, at: datetime) -> PlanForecast:
    """What the run of that moment would do."""
    with database.reading(engine) as session:
        return foresee(session, at, "pumps", 5)


@pytest.mark.parametrize(
    ("terms", "get_letter_two"),
    [("", 6), ('stays_if = "always"', 100), ("""stays_if = "country IN ('DE', 'FR')" """, 50)],
    ids=["the audience", "always", "a condition"],
)
def test_94_leads_leave_the_audience_after_letter_one(
    engine: Engine, now: datetime, terms: str, get_letter_two: int
) -> None:
    settle(engine, now, {f"p{n}": None for n in range(1, 101)})
    change(engine, *range(1, 101), stage="lead")
    version = publish(engine, now, "pumps", "one", "two", top=terms, audience=IN_DE)
    assert morning(engine, now, "pumps", version).planned == 100
    post(engine, now + timedelta(hours=1))
    change(engine, *range(1, 51), country="US")
    change(engine, *range(51, 95), country="FR")
    waits = would_do(engine, now + DAY)
    assert (waits.waits, waits.ends) == ({"wait_not_over": 100}, {})  # asked when a letter would be planned, not before
    later = now + 3 * DAY
    gone = {"not_in_audience": 100 - get_letter_two} if get_letter_two < 100 else {}
    assert would_do(engine, later).ends == gone  # what `nurture plan` says
    foretold = said(engine, later, "p1@a0.example")
    assert morning(engine, later, "pumps", version).planned == get_letter_two
    states = [state for (state,) in enrolments(engine, "state")]
    assert (states.count("active"), states.count("exited")) == (get_letter_two, 100 - get_letter_two)
    if gone:
        reason = (
            "is no longer in the campaign's audience" if not terms else "what keeps them in the campaign is not true"
        )
        assert f"leaves the campaign: {reason}" in foretold
        assert f"left the campaign: {reason}" in said(engine, later, "p1@a0.example")


def test_a_stage_that_moved_on_throws_nobody_out(engine: Engine, now: datetime) -> None:
    settle(engine, now, {"zoe": 1, "ann": 2})
    change(engine, 1, 2, stage="lead")
    version = publish(engine, now, "pumps", "one", "two", audience=IN_DE)
    morning(engine, now, "pumps", version)
    post(engine, now)
    change(engine, 1, stage="recycled")
    change(engine, 2, stage="mql")
    done = morning(engine, now + 3 * DAY, "pumps", version)
    assert (done.planned, done.waiting, done.ended) == (1, 1, 0)  # whoever is with sales waits, as ever
    change(engine, 2, stage="recycled")
    assert morning(engine, now + 4 * DAY, "pumps", version).planned == 1


def test_a_rejected_lead_gets_no_further_letter_and_what_waited_is_skipped(engine: Engine, now: datetime) -> None:
    settle(engine, now, {"zoe": 1, "ann": 1})
    version = publish(engine, now, "pumps", "one", "two")
    assert morning(engine, now, "pumps", version).planned == 2
    sales_say(engine, now, 1, Decision.REJECTED, "no_need: they have two")
    assert sorted(letters(engine, "address", "state", "reason")) == [
        ("ann@a1.example", "waiting", None), ("zoe@a1.example", "skipped", "rejected_by_sales"),
    ]  # fmt: skip
    assert [state for (state,) in enrolments(engine, "state")] == ["exited", "active"]
    assert "was rejected by sales" in said(engine, now, "zoe@a1.example")
    post(engine, now)
    assert morning(engine, now + 3 * DAY, "pumps", version).planned == 1  # Ann's second
    other = publish(engine, now, "valves", "one", account="exclusive = false")
    assert morning(engine, now + 4 * DAY, "valves", other).planned == 1  # Ann's
    assert "sales said no on 2 March (no need for it)" in said(engine, now + 4 * DAY, "zoe@a1.example", "valves")
    assert morning(engine, now + 91 * DAY, "valves", other).planned == 1  # the no is over: a new campaign may ask again


def test_a_competitor_and_their_colleagues_never_get_a_letter(engine: Engine, now: datetime) -> None:
    settle(engine, now, {"zoe": 1, "ann": 1, "bob": 2})
    version = publish(engine, now, "pumps", "one", "two")
    assert morning(engine, now, "pumps", version).planned == 3
    sales_say(engine, now, 1, Decision.REJECTED, "competitor")
    assert sorted(letters(engine, "state")) == [("skipped",), ("skipped",), ("waiting",)]
    other = publish(engine, now, "valves", "one", account="exclusive = false")
    done = morning(engine, now + 400 * DAY, "valves", other)
    assert (done.planned, done.ended) == (1, 2)


def test_not_now_stops_nothing(engine: Engine, now: datetime) -> None:
    settle(engine, now, {"zoe": 1})
    version = publish(engine, now, "pumps", "one")
    morning(engine, now, "pumps", version)
    sales_say(engine, now, 1, Decision.RECYCLED, "no_budget")
    assert letters(engine, "state") == [("waiting",)]
