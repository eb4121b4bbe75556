"""Sequences side by side and one after the other: who gives way, who waits for whom, who comes back, what stays."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from models import Activity, Opportunity
from nurture.explain.why import why
from nurture.rules.planning.arbitration import Claim, why_not, winner
from nurture.runtime import database
from tests.support import plain_campaigns
from tests.support.people import add
from tests.support.plain_campaigns import enrolments, letters, morning, post, publish, settle

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def said(engine: Engine, now: datetime, address: str, slug: str) -> str:
    with database.reading(engine) as session:
        return why(session, now, address, slug).sentence


# ── two sequences want one account ──


def test_the_higher_priority_then_who_has_begun_then_who_waits_longest_has_the_account() -> None:
    a = Claim("a", 50, None, NOW)
    urgent, begun = Claim("b", 80, None, NOW + DAY), Claim("c", 50, NOW + DAY, NOW + DAY)
    waiting = Claim("d", 50, None, NOW - DAY)
    assert winner([a, urgent, begun]) == urgent
    assert winner([a, begun, waiting]) == begun
    assert winner([a, waiting]) == waiting
    assert winner([a, Claim("aa", 50, None, NOW)]) == a  # two runs agree
    assert why_not(a, urgent) == "b has the account: its priority is 80, ours 50"
    assert why_not(a, begun) == "c has the account: it has begun there and finishes first"
    assert why_not(a, waiting) == "d has the account: it has waited there longer"


def test_an_account_is_in_one_sequence_at_a_time_and_the_other_waits_its_turn(engine: Engine, now: datetime) -> None:
    settle(engine, now, {"zoe": 1, "ann": 1, "bo": 2, "sue": None})
    low = publish(engine, now, "low", "one")
    high = publish(engine, now, "high", "one", top="priority = 70", audience="account_id = 1 OR account_id IS NULL")
    plain_campaigns.sequences.enrol(engine, now, "high", high)  # both wish before either has written
    assert (morning(engine, now, "low", low).planned, morning(engine, now, "high", high).planned) == (1, 3)
    assert said(engine, now, "zoe@a1.example", "low") == (
        "the next letter to Zoe waits: high has the account: its priority is 70, ours 50."
    )
    assert "high has the account" in said(engine, now, "sue@a0.example", "low")  # a person without an account, too
    post(engine, now + DAY)
    assert morning(engine, now + DAY, "high", high).ended == 3
    assert morning(engine, now + DAY, "low", low).planned == 3  # its turn


def test_who_is_outranked_may_leave_instead_and_who_shares_neither_holds_nor_waits(
    engine: Engine, now: datetime
) -> None:
    settle(engine, now, {"zoe": 1})
    sharing = publish(engine, now, "sharing", "one", account="exclusive = false")
    high = publish(engine, now, "high", "one", top="priority = 70")
    low = publish(engine, now, "low", "one", account='outranked = "leave"')
    plain_campaigns.sequences.enrol(engine, now, "high", high)
    assert morning(engine, now, "low", low).ended == 1
    assert morning(engine, now, "sharing", sharing).planned == 1
    assert said(engine, now, "zoe@a1.example", "low") == (
        "Zoe left the campaign: high has the account: its priority is 70, ours 50."
    )


# ── threads by role ──


def test_the_authorizer_waits_until_a_specifier_has_clicked_in_this_campaign(engine: Engine, now: datetime) -> None:
    settle(engine, now, {"zoe": 1})
    settle_authorizer = {"contact_id": 2, "role": "authorizer", "role_confidence": 0.9, "segmented_at": now}
    from models import Address, Contact, Segment

    ruth = {"key": "ruth", "address": "ruth@a1.example", "email": "ruth@a1.example", "first_name": "Ruth"}
    add(engine, Address, {"address": "ruth@a1.example"})
    add(engine, Contact, {"id": 2, "market": "b2b", **ruth, "account_id": 1, "country": "DE", "consent": "granted",
                          "traits": {}, "created_at": now, "updated_at": now})  # fmt: skip
    add(engine, Segment, settle_authorizer)
    threads = (
        'letter = "why"\nroles = ["specifier"]',
        'letter = "roi"\nroles = ["authorizer"]\nafter = { roles = ["specifier"], did = "clicked" }',
    )
    version = publish(engine, now, "pumps", *threads)
    clicks = {"contact_id": 1, "account_id": 1, "kind": "email_click", "at": now}
    add(engine, Activity, {"dedupe": 1, **clicks})  # in some other campaign's letter
    assert morning(engine, now, "pumps", version).planned == 1
    post(engine, now, outcome="opened")
    assert "waits until: a specifier there has clicked" in said(engine, now, "ruth@a1.example", "pumps")
    assert morning(engine, now + DAY, "pumps", version).planned == 0
    with database.writing(engine) as session:
        from sqlalchemy import text

        session.execute(text("UPDATE message SET outcome = 'clicked'"))
    assert morning(engine, now + DAY, "pumps", version).planned == 1
    assert letters(engine, "letter") == [("why",), ("roi",)]


# ── goal, exit, re-entry ──


def test_the_goal_and_the_exit_end_a_run_and_take_back_what_waits(engine: Engine, now: datetime) -> None:
    settle(engine, now, {"zoe": 1, "ann": 2, "bo": 3})
    terms = 'goal = "opportunity"\nexit_when = "days_since_activity IS NULL AND account_meetings_30d >= 1"'
    version = publish(engine, now, "pumps", "one", "two", top=terms, account="stop_all_on = []")
    assert morning(engine, now, "pumps", version).planned == 3
    deal = {"key": "o", "account_id": 1, "name": "Pumps", "outcome": "open", "currency": "EUR", "traits": {}}
    add(engine, Opportunity, {**deal, "opened_at": now + timedelta(hours=2)})
    add(engine, Opportunity, {**deal, "key": "p", "account_id": 3, "opened_at": now - DAY})  # before they entered
    met = {"dedupe": 1, "contact_id": 2, "account_id": 2, "kind": "meeting", "at": now}
    add(engine, Activity, met)
    assert morning(engine, now + DAY, "pumps", version).ended == 2
    assert enrolments(engine, "state") == [("reached",), ("exited",), ("active",)]
    assert letters(engine, "state", "reason") == [
        ("skipped", "goal_reached"), ("skipped", "exit_condition"), ("waiting", None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "returns_on"),
    [("never", []), ("new version", [30]), ("P20D", [22, 42, 66])],
)
def test_who_may_come_back_and_when_gets_only_what_they_have_not_had(
    engine: Engine, now: datetime, policy: str, returns_on: list[int]
) -> None:
    settle(engine, now, {"zoe": 1})
    version = publish(engine, now, "pumps", "one", top=f'reentry = "{policy}"')
    came = []
    for day in (0, 2, 21, 22, 30, 32, 41, 42, 44, 46, 65, 66):
        at = now + day * DAY
        if day == 30:
            version = publish(engine, at, "pumps", "one", "two", top=f'reentry = "{policy}"')
        if morning(engine, at, "pumps", version).entered and day:
            came.append(day)
        post(engine, at + DAY)
    assert came == returns_on
    had = [letter for (letter,) in letters(engine, "letter")]
    assert had == (["one"] if policy == "never" else ["one", "two"])
    assert enrolments(engine, "run") == [(1 + len(returns_on),)]


# ── a campaign changed while it runs ──


@pytest.mark.parametrize(
    ("changed", "newcomers"),
    [
        (("two", "one", "three"), ["two", "one", "three"]),  # reordered
        (("one", "three"), ["one", "three"]),  # a step gone
        (("one", 'letter = "added"', "two", "three"), ["one", "added", "two", "three"]),  # a step more
        (("one", 'letter = "renamed"\nwait = "P2D"', "three"), ["one", "renamed", "three"]),  # a letter renamed
    ],
)
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # nothing here is a database's own
def test_those_inside_keep_their_version_and_nothing_is_sent_twice_or_forgotten(
    engine: Engine, now: datetime, changed: tuple[str, ...], newcomers: list[str]
) -> None:
    settle(engine, now, {"zoe": 1, "late": 2})
    old = publish(engine, now, "pumps", audience="contact_id = 1")
    assert morning(engine, now, "pumps", old).planned == 1
    post(engine, now)
    new = publish(engine, now, "pumps", *changed)
    assert new != old
    for day in range(1, 13):
        morning(engine, now + day * DAY, "pumps", new)
        post(engine, now + day * DAY + timedelta(hours=8))
    got: dict[str, list[str]] = {}
    for address, letter in letters(engine, "address", "letter"):
        got.setdefault(address.partition("@")[0], []).append(letter)
    assert got == {"zoe": ["one", "two", "three"], "late": newcomers}
