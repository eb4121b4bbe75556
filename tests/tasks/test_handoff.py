"""Sales get few, good, explained leads, once, with a due time in their working hours; a no is kept for a while."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from models import (
    Account,
    AccountScore,
    Activity,
    Address,
    Contact,
    Handoff,
    Message,
    Opportunity,
    Score,
    Segment,
    Transition,
)
from models.handoff import decide
from models.queries.call_list import LastHandoff, WarmLead
from nurture.rules.handoff.briefing import strongest_reasons
from nurture.rules.handoff.qualification import (
    NO_ACCOUNT,
    AccountSituation,
    HandoffTerms,
    NoCall,
    NoCallReason,
    SalesCall,
    due,
    reason_to_call,
    share_out_calls,
)
from nurture.runtime import database
from tasks.handoff import Overdue, Recycled, offer, overdue, recycle
from tests.support.people import add

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)  # Monday, 9:00 in Berlin
DAY = timedelta(days=1)
TERMS = HandoffTerms(threshold=70, per_owner=2, default_owner="desk@seller.example")
LEAD = WarmLead(
    contact_id=1, account_id=7, stage="lead", score=82.0, grade="A1", score_version="v1", probability=None,
    suppressed_why=None, owner_email="sam@seller.example",
)  # fmt: skip


def last(state: str, days: int, why: str | None = None) -> LastHandoff:
    return LastHandoff(LEAD.contact_id, state, NOW - days * DAY, why)


def test_a_warm_lead_is_a_reason_to_call() -> None:
    call = reason_to_call(LEAD, None, AccountSituation(), TERMS, NOW)
    assert isinstance(call, SalesCall)
    assert call.owner_email == "sam@seller.example"
    assert call.due_at == datetime(2026, 3, 2, 16, tzinfo=UTC)  # eight working hours: 17:00 in Berlin
    assert call.why == "score 82 reached 70"


@pytest.mark.parametrize(
    ("lead", "account", "reason", "sentence"),
    [
        (LEAD._replace(score=69.9), NO_ACCOUNT, NoCallReason.BELOW_THRESHOLD,
         "scores 69.9; sales get leads from 70 on"),
        (LEAD._replace(score=None), NO_ACCOUNT, NoCallReason.BELOW_THRESHOLD, "scores 0; sales get leads from 70 on"),
        (LEAD._replace(suppressed_why="unsubscribe"), NO_ACCOUNT, NoCallReason.SUPPRESSED,
         "must not be contacted: unsubscribe"),
        (LEAD._replace(stage="customer"), NO_ACCOUNT, NoCallReason.CUSTOMER, "is a customer already"),
        (LEAD._replace(stage="sal"), NO_ACCOUNT, NoCallReason.WITH_SALES, "is with sales: accepted"),
        (LEAD, AccountSituation(won=1), NoCallReason.CUSTOMER, "the account is a customer already"),
        (LEAD, AccountSituation(open=2), NoCallReason.OPPORTUNITY, "the account has an open opportunity"),
        (LEAD, AccountSituation(with_sales=True), NoCallReason.COLLEAGUE_WITH_SALES,
         "sales are at work on a colleague"),
    ],
)  # fmt: skip
def test_what_stands_against_a_call(
    lead: WarmLead, account: AccountSituation, reason: NoCallReason, sentence: str
) -> None:
    assert reason_to_call(lead, None, account, TERMS, NOW) == NoCall(reason, sentence)


@pytest.mark.parametrize(
    ("said", "reason", "sentence"),
    [
        (last("offered", 0), NoCallReason.WITH_SALES, "is offered to sales already"),
        (last("rejected", 89, "no_need"), NoCallReason.REJECTED,
         "was rejected by sales (no need) 2 months ago, not before 90 days are over"),
        (last("recycled", 29), NoCallReason.RECYCLED,
         "sales said not now 4 weeks ago, not before 30 days are over"),
        (last("accepted", 3), NoCallReason.WITH_SALES, "was accepted by sales 3 days ago"),
    ],
)  # fmt: skip
def test_what_sales_said_lately_stands_against_a_call(said: LastHandoff, reason: NoCallReason, sentence: str) -> None:
    assert reason_to_call(LEAD, said, NO_ACCOUNT, TERMS, NOW) == NoCall(reason, sentence)


@pytest.mark.parametrize("said", [last("rejected", 90), last("recycled", 30), last("accepted", 90)])
def test_a_no_does_not_hold_for_ever(said: LastHandoff) -> None:
    assert isinstance(reason_to_call(LEAD, said, NO_ACCOUNT, TERMS, NOW), SalesCall)


def test_a_lead_without_an_owner_goes_to_the_default_owner() -> None:
    call = reason_to_call(LEAD._replace(owner_email=None, account_id=None), None, NO_ACCOUNT, TERMS, NOW)
    assert isinstance(call, SalesCall)
    assert call.owner_email == "desk@seller.example"


def test_the_warmest_of_an_account_goes_first_and_nobody_gets_too_many() -> None:
    def call(contact: int, account: int | None, score: float) -> SalesCall:
        return SalesCall(contact, account, "sam@seller.example", score, NOW, "")

    calls = [call(1, 7, 80), call(2, 7, 90), call(3, 8, 71), call(4, None, 95), call(5, None, 72)]
    chosen, left = share_out_calls(calls, {}, HandoffTerms(per_owner=3))
    assert [one.contact_id for one in chosen] == [4, 2, 5]
    assert {contact: no.reason for contact, no in left.items()} == {
        1: NoCallReason.COLLEAGUE_FIRST, 3: NoCallReason.OWNER_BUSY,
    }  # fmt: skip
    assert share_out_calls(calls, {"sam@seller.example": 3}, HandoffTerms(per_owner=3))[0] == []


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-03-02 09:00", "2026-03-02 17:00"),
        ("2026-03-02 10:30", "2026-03-03 10:30"),
        ("2026-03-06 15:00", "2026-03-09 15:00"),  # Friday: the weekend does not count
        ("2026-03-07 12:00", "2026-03-09 17:00"),  # Saturday
        ("2026-04-02 16:00", "2026-04-07 16:00"),  # Good Friday and Easter Monday do not count
        ("2026-03-27 16:00", "2026-03-30 16:00"),  # clocks go forward in between
    ],
)
def test_due_times_fall_into_working_hours(since: str, until: str) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    begin, end = (datetime.fromisoformat(text).replace(tzinfo=berlin) for text in (since, until))
    assert due(begin.astimezone(UTC), timedelta(hours=8), TERMS) == end.astimezone(UTC)


@given(st.timedeltas(timedelta(0), timedelta(days=330)), st.integers(1, 40))
def test_a_due_time_is_always_a_working_moment(later: timedelta, hours: int) -> None:
    since = NOW + later
    moment = due(since, timedelta(hours=hours), TERMS).astimezone(ZoneInfo("Europe/Berlin"))
    assert moment.weekday() < 5
    assert 9 <= moment.hour + moment.minute / 60 <= 17
    assert moment - since >= timedelta(hours=hours)


# in the database


def settle_leads(engine: Engine, leads: int = 3, accounts: int = 1) -> None:
    """Leads 1, 2, 3 … of accounts 1 … in turn, all warm, the first the warmest; Zoë is the first."""
    made = {"traits": {}, "created_at": NOW - 99 * DAY, "updated_at": NOW - 99 * DAY}
    for one in range(1, accounts + 1):
        name = "Foo & Søns <GmbH>" if one == 1 else f"Company {one}"
        add(engine, Account, {"id": one, "key": f"a{one}", "name": name, "industry": "Manufacturing", "employees": 500,
                              "country": "DE", "owner_email": " Sam@Seller.example ", **made})  # fmt: skip
        add(engine, AccountScore, {"account_id": one, "version": "v1", "score": 74, "completeness": 0.4, "members": 3,
                                   "missing_role": "finance", "reasons": [{"text": "2 people active", "points": 13}],
                                   "scored_at": NOW})  # fmt: skip
    for one in range(1, leads + 1):
        address = "zoe@foo.example" if one == 1 else f"lead{one}@foo.example"
        first, family = ("Zoë", "O'Brien") if one == 1 else ("Lead", str(one))
        add(engine, Address, {"address": address})
        add(engine, Contact, {"id": one, "market": "b2b", "key": address, "address": address, "email": address,
                              "account_id": (one - 1) % accounts + 1, "title": "Head of Maintenance", "stage": "lead",
                              "first_name": first, "last_name": family, **made})  # fmt: skip
        add(engine, Score, {"contact_id": one, "version": "v1", "fit": 80, "engagement": 80, "score": 90 - one,
                            "grade": "A1", "last_activity_at": NOW - one * DAY, "scored_at": NOW,
                            "reasons": [{"text": "3 pricing-page visits this week", "points": 12.0},
                                        {"text": "no activity yet", "points": 0.0}]})  # fmt: skip
    add(engine, Segment, {"contact_id": 1, "role": "specifier", "role_confidence": 0.9, "persona_confidence": 0,
                          "segmented_at": NOW})  # fmt: skip
    add(engine, Activity, {"dedupe": 1, "contact_id": 1, "kind": "download", "at": NOW - DAY, "detail": "curves.pdf"},
        {"dedupe": 2, "contact_id": 1, "kind": "reply", "at": NOW + DAY})  # fmt: skip


def rows(engine: Engine, table: Any) -> list[dict[str, Any]]:
    with database.reading(engine) as session:
        return [dict(row) for row in session.execute(select(table.__table__).order_by(table.id)).mappings()]


def say(engine: Engine, handoff_id: int, decision: str, now: datetime, why: str | None = None) -> None:
    with database.writing(engine) as session:
        assert decide(session, handoff_id, decision, why, now)


def test_an_offer_tells_the_owner_everything_once(engine: Engine) -> None:
    settle_leads(engine)
    result = offer(engine, NOW, TERMS)
    assert (result.warm, result.offered, result.with_sales) == (3, 1, 2)
    (told,) = rows(engine, Handoff)
    assert (told["contact_id"], told["account_id"], told["state"]) == (1, 1, "offered")
    assert (told["owner_email"], told["grade"], told["score_version"]) == ("sam@seller.example", "A1", "v1")
    assert [reason["text"] for reason in told["reasons"]] == ["3 pricing-page visits this week"]
    context = told["context"]
    assert context["contact"]["name"] == "Zoë O'Brien"
    assert (context["account"]["name"], context["account"]["missing_role"]) == ("Foo & Søns <GmbH>", "finance")
    assert context["account"]["mqa"] is True
    assert [member["name"] for member in context["account"]["members"]] == ["Zoë O'Brien", "Lead 2", "Lead 3"]
    assert context["account"]["members"][0]["last_seen"] == "yesterday"
    assert context["lately"] == [{"kind": "download", "detail": "curves.pdf", "when": "yesterday"}]
    (mail,) = rows(engine, Message)
    assert (mail["campaign"], mail["letter"], mail["address"]) == (
        "_sales",
        f"handoff-{told['id']}",
        "sam@seller.example",
    )
    assert (mail["handoff_id"], mail["state"], mail["version_id"], mail["step"]) == (told["id"], "waiting", 0, 0)
    (move,) = rows(engine, Transition)
    assert (move["contact_id"], move["stage_from"], move["stage_to"]) == (1, "lead", "mql")
    assert move["why"] == "score 89 reached 70"


def test_offering_twice_offers_nobody_twice(engine: Engine) -> None:
    settle_leads(engine, leads=4, accounts=2)
    assert offer(engine, NOW, TERMS).offered == 2
    before = rows(engine, Handoff), rows(engine, Message), rows(engine, Transition)
    assert offer(engine, NOW, TERMS).offered == 0
    assert offer(engine, NOW + timedelta(hours=1), TERMS).offered == 0
    assert (rows(engine, Handoff), rows(engine, Message), rows(engine, Transition)) == before


def test_a_salesperson_gets_no_more_than_they_can_answer(engine: Engine) -> None:
    settle_leads(engine, leads=5, accounts=5)
    result = offer(engine, NOW, TERMS)
    assert (result.offered, result.owner_busy) == (2, 3)
    assert [row["contact_id"] for row in rows(engine, Handoff)] == [1, 2]
    say(engine, rows(engine, Handoff)[0]["id"], "accepted", NOW)
    assert offer(engine, NOW, TERMS).offered == 1


def test_a_mail_that_an_earlier_run_left_unwritten_is_written(engine: Engine) -> None:
    settle_leads(engine)
    add(engine, Address, {"address": "sam@seller.example"})
    add(engine, Handoff, {"contact_id": 1, "account_id": 1, "owner_email": "sam@seller.example", "state": "offered",
                          "score": 80, "grade": "A1", "score_version": "v", "reasons": [], "context": {},
                          "offered_at": NOW, "due_at": NOW + DAY})  # fmt: skip
    assert offer(engine, NOW, TERMS).offered == 0
    assert len(rows(engine, Message)) == 1


@pytest.mark.parametrize("against", ["suppressed", "deal", "consumer", "cold", "scored later"])
def test_who_is_not_for_sales_is_left_alone(engine: Engine, against: str) -> None:
    settle_leads(engine, leads=1)
    with database.writing(engine) as session:
        if against == "suppressed":
            session.execute(update(Address).values(suppressed_at=NOW, suppressed_why="unsubscribe"))
        if against == "consumer":
            session.execute(update(Contact).values(market="b2c"))
        if against == "cold":
            session.execute(update(Score).values(score=69.9))
        if against == "scored later":
            session.execute(update(Score).values(scored_at=NOW + DAY))
    if against == "deal":
        add(engine, Opportunity, {"key": "d", "account_id": 1, "name": "Pumps", "outcome": "open", "traits": {},
                                  "opened_at": NOW - DAY})  # fmt: skip
    assert offer(engine, NOW, TERMS).offered == 0
    assert rows(engine, Handoff) == rows(engine, Message) == rows(engine, Transition) == []


def test_a_rejected_lead_is_left_alone_and_comes_back(engine: Engine) -> None:
    settle_leads(engine, leads=1)
    offer(engine, NOW, TERMS)
    say(engine, rows(engine, Handoff)[0]["id"], "rejected", NOW + DAY, "no_budget")
    assert offer(engine, NOW + 2 * DAY, TERMS).cooling_down == 1
    assert recycle(engine, NOW + 90 * DAY, TERMS) == Recycled(recycled=1, returned=0)
    assert recycle(engine, NOW + 91 * DAY, TERMS) == Recycled(recycled=1, returned=1)
    assert recycle(engine, NOW + 91 * DAY, TERMS) == Recycled(recycled=0, returned=0)
    assert offer(engine, NOW + 91 * DAY, TERMS).offered == 1
    assert [(move["stage_to"], move["why"]) for move in rows(engine, Transition)] == [
        ("mql", "score 89 reached 70"),
        ("recycled", "sales: rejected, no_budget"),
        ("lead", "time after a rejection is over"),
        ("mql", "score 89 reached 70"),
    ]
    labels = [(row["state"], row["decided_why"]) for row in rows(engine, Handoff)]
    assert labels == [("rejected", "no_budget"), ("offered", None)]  # kept: a rejection teaches the score


def test_not_now_holds_for_a_month_only(engine: Engine) -> None:
    settle_leads(engine, leads=1)
    offer(engine, NOW, TERMS)
    say(engine, rows(engine, Handoff)[0]["id"], "recycled", NOW)
    assert recycle(engine, NOW + 29 * DAY, TERMS).returned == 0
    assert recycle(engine, NOW + 30 * DAY, TERMS).returned == 1


def test_colleagues_are_left_to_whoever_works_on_one_of_them(engine: Engine) -> None:
    settle_leads(engine, leads=2)
    offer(engine, NOW, TERMS)
    say(engine, rows(engine, Handoff)[0]["id"], "accepted", NOW + DAY)
    assert offer(engine, NOW + 60 * DAY, TERMS).with_sales == 1  # the accepted one is no candidate any more
    assert offer(engine, NOW + 91 * DAY, TERMS).offered == 1


def test_what_nobody_answers_in_time_is_counted(engine: Engine) -> None:
    settle_leads(engine, leads=2, accounts=2)
    offer(engine, NOW, TERMS)
    due_at = rows(engine, Handoff)[0]["due_at"]
    assert overdue(engine, due_at, TERMS) == Overdue(late=0, very_late=0)
    assert overdue(engine, due_at + timedelta(minutes=1), TERMS) == Overdue(late=2, very_late=0)
    assert overdue(engine, due_at + DAY, TERMS) == Overdue(late=2, very_late=2)
    say(engine, rows(engine, Handoff)[0]["id"], "accepted", due_at + DAY)
    assert overdue(engine, due_at + DAY, TERMS) == Overdue(late=1, very_late=1)


def test_nobody_warm_is_no_error(engine: Engine) -> None:
    assert offer(engine, NOW, TERMS).warm == 0
    assert recycle(engine, NOW, TERMS).recycled == 0


def test_the_terms_come_from_the_settings() -> None:
    from tasks.handoff import terms

    assert (terms().threshold, terms().sla, terms().per_owner) == (70, timedelta(hours=8), 20)
    assert strongest_reasons([{"text": "x", "points": 0, "part": "fit"}]) == []


@pytest.mark.parametrize(
    ("code", "next_day"), [("too_small", 0), ("competitor", 0), ("wrong_person", 1), ("bad_data", 1)]
)
def test_a_no_to_the_company_is_a_no_to_every_colleague(engine: Engine, code: str, next_day: int) -> None:
    settle_leads(engine, leads=2)
    assert offer(engine, NOW, TERMS).offered == 1
    say(engine, rows(engine, Handoff)[0]["id"], "rejected", NOW, f"{code}: they told me so")
    assert offer(engine, NOW + DAY, TERMS).offered == next_day
    if not next_day:
        assert offer(engine, NOW + 2 * DAY, TERMS).cooling_down == 2
        assert offer(engine, NOW + 91 * DAY, TERMS).offered == 1
