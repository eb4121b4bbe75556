"""Holdouts by the unit of outreach: whole accounts in B2B, people with all their addresses in B2C, and everywhere."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from models import Address, Contact, Message, Opportunity, Order, Segment
from models import campaign as kept
from models.queries.holdout_lift import HoldoutArms, global_holdout_arms, holdout_arms
from models.queries.person import are_one
from nurture.config import campaigns
from nurture.explain.why import why
from nurture.rules.planning.holdouts import held_out
from nurture.runtime import database
from nurture.runtime.settings import settings
from tasks.planning import promotions
from tasks.reporting import report
from tests.support.people import add
from tests.support.plain_campaigns import enrolments, letters, morning, post, publish, settle

ACCOUNTS = 14
DAY = timedelta(days=1)
SALE = """
name = "Sale"
market = "b2c"
goal = "order"
audience = "market = 'b2c'"
holdout = 0.5
[[steps]]
letter = "one"
[[steps]]
letter = "two"
wait = "P2D"
"""


def three_at_each_account(engine: Engine, now: datetime) -> None:
    """42 people, three at each of 14 accounts with the keys a1 to a14."""
    settle(engine, now, {f"{name}{n}": n for n in range(1, ACCOUNTS + 1) for name in ("ann", "bo", "cy")})


def sale(engine: Engine, now: datetime, toml: str = SALE) -> int:
    files = {"sale/campaign.toml": toml, "sale/one/body.txt": "one", "sale/two/body.txt": "two"}
    with database.writing(engine) as session:
        entry = kept.CampaignTerms("sale", "Sale", "b2c")
        return kept.publish(session, entry, campaigns.digest(files), files, "test", now)[0]


def shopper(engine: Engine, now: datetime, number: int, address: str, key: str | None = None) -> None:
    add(engine, Address, {"address": address})
    add(engine, Contact, {"id": number, "market": "b2c", "key": key or address, "address": address, "email": address,
                          "country": "DE", "consent": "granted", "stage": "aware", "traits": {}, "created_at": now,
                          "updated_at": now})  # fmt: skip
    add(engine, Segment, {"contact_id": number, "segmented_at": now})


def run_sale(engine: Engine, now: datetime, version: int) -> None:
    promotions.enrol(engine, now, "sale", version)
    promotions.plan(engine, now, "sale")


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of all accounts and people are kept unmailed by every campaign."""
    monkeypatch.setattr(settings(), "global_holdout", 0.5)


def test_a_holdout_of_half_the_accounts_mails_nobody_at_them(engine: Engine, now: datetime) -> None:
    three_at_each_account(engine, now)
    version = publish(engine, now, "pumps", "one", top="holdout = 0.5", account="max_contacts_per_day = 9")
    morning(engine, now, "pumps", version)
    drawn = {n for n in range(1, ACCOUNTS + 1) if held_out(f"a{n}", "pumps", 0.5)}
    assert 3 < len(drawn) < 11
    states = {account: set[tuple[str, str | None]]() for account in range(1, ACCOUNTS + 1)}
    for account, state, reason in letters(engine, "account_id", "state", "reason"):
        states[account].add((state, reason))
    assert {n for n, found in states.items() if found == {("skipped", "holdout")}} == drawn
    assert {n for n, found in states.items() if found == {("waiting", None)}} == states.keys() - drawn
    post(engine, now + DAY)
    sent = letters(engine, "state").count(("accepted",))
    assert sent == 3 * (ACCOUNTS - len(drawn))  # not 42 of 42


def test_why_and_the_ledger_say_that_the_account_is_held_out(engine: Engine, now: datetime) -> None:
    three_at_each_account(engine, now)
    version = publish(engine, now, "pumps", "one", top="holdout = 0.5", account="max_contacts_per_day = 9")
    drawn = [n for n in range(1, ACCOUNTS + 1) if held_out(f"a{n}", "pumps", 0.5)]
    address = f"bo{drawn[0]}@a{drawn[0]}.example"
    morning(engine, now, "pumps", version)
    with database.reading(engine) as session:
        said = why(session, now, address, "pumps")
    assert ": their account is in the holdout, kept unmailed on purpose;" in said.sentence
    [line] = report(engine, now).lines
    assert line.reasons == {"holdout": 3 * len(drawn)}


def test_a_colleague_who_comes_later_is_held_out_with_the_account(engine: Engine, now: datetime) -> None:
    three_at_each_account(engine, now)
    version = publish(engine, now, "pumps", "one", top="holdout = 0.5", account="max_contacts_per_day = 9")
    morning(engine, now, "pumps", version)
    drawn = [n for n in range(1, ACCOUNTS + 1) if held_out(f"a{n}", "pumps", 0.5)]
    new = f"dee@a{drawn[0]}.example"
    shopper(engine, now, 99, new)
    with database.writing(engine) as session:
        contact = session.get(Contact, 99)
        assert contact
        contact.market, contact.account_id = "b2b", drawn[0]
    morning(engine, now + DAY, "pumps", version)
    assert (new, "skipped", "holdout") in letters(engine, "address", "state", "reason")


def test_a_person_with_two_addresses_is_drawn_once(engine: Engine, now: datetime) -> None:
    """Whichever of their addresses comes first in the alphabet, the record known first says which arm."""
    pairs = [(f"z{n}@home.example", f"a{n}@work.example") for n in range(20)]
    for n, (first, second) in enumerate(pairs):
        shopper(engine, now, 2 * n + 1, first)
        shopper(engine, now, 2 * n + 2, second)
    with database.writing(engine) as session:
        are_one(session, pairs)
    run_sale(engine, now, sale(engine, now))
    states = {address: (state, reason) for address, state, reason in letters(engine, "address", "state", "reason")}
    for first, second in pairs:
        kept_unmailed = held_out(first, "sale", 0.5)
        expected = ("skipped", "holdout") if kept_unmailed else ("waiting", None)
        assert states[first] == states[second] == expected
    assert 4 < sum(held_out(first, "sale", 0.5) for first, _ in pairs) < 16


def test_a_shopper_is_drawn_by_their_key_also_at_a_new_address(engine: Engine, now: datetime) -> None:
    for n in range(20):
        shopper(engine, now, n + 1, f"p{n}@home.example", f"customer {n}")
    run_sale(engine, now, sale(engine, now))
    held = {address for address, reason in letters(engine, "address", "reason") if reason == "holdout"}
    assert held == {f"p{n}@home.example" for n in range(20) if held_out(f"customer {n}", "sale", 0.5)}


@pytest.mark.usefixtures("everywhere")
def test_the_global_holdout_keeps_accounts_out_of_every_campaign(engine: Engine, now: datetime) -> None:
    three_at_each_account(engine, now)
    drawn = {n for n in range(1, ACCOUNTS + 1) if held_out(f"a{n}", "global", 0.5)}
    for slug in ("pumps", "valves"):
        version = publish(engine, now, slug, "one", account="max_contacts_per_day = 9\nexclusive = false")
        morning(engine, now, slug, version)
    skipped = {(c, account) for c, account, reason in letters(engine, "campaign", "account_id", "reason") if reason}
    assert skipped == {(slug, n) for slug in ("pumps", "valves") for n in drawn}
    with database.reading(engine) as session:
        said = why(session, now, f"ann{min(drawn)}@a{min(drawn)}.example", "valves")
    assert ": their account is in the global holdout, kept unmailed on purpose;" in said.sentence
    assert report(engine, now).lines[0].reasons == {"global_holdout": 3 * len(drawn)}


def test_the_global_holdout_takes_out_who_is_under_way(
    engine: Engine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_at_each_account(engine, now)
    version = publish(engine, now, "pumps", "one", "two", account="max_contacts_per_day = 9")
    morning(engine, now, "pumps", version)
    post(engine, now + timedelta(hours=1))
    monkeypatch.setattr(settings(), "global_holdout", 0.5)
    monkeypatch.setattr(settings(), "global_holdout_key", "2026")
    morning(engine, now + 3 * DAY, "pumps", version)
    morning(engine, now + 3 * DAY, "pumps", version)  # now the runs that ended with it end
    drawn = {n for n in range(1, ACCOUNTS + 1) if held_out(f"a{n}", "2026", 0.5)}
    second = [(account, state) for account, state, letter in letters(engine, "account_id", "state", "letter")
              if letter == "two"]  # fmt: skip
    assert {account for account, state in second if state == "skipped"} == drawn
    assert {account for account, state in enrolments(engine, "account_id", "state") if state == "exited"} == drawn


def test_the_lift_counts_accounts_in_b2b(engine: Engine, now: datetime) -> None:
    three_at_each_account(engine, now)
    version = publish(engine, now, "pumps", "one", top="holdout = 0.5", account="max_contacts_per_day = 9")
    morning(engine, now, "pumps", version)
    post(engine, now + timedelta(hours=1))
    drawn = sorted(n for n in range(1, ACCOUNTS + 1) if held_out(f"a{n}", "pumps", 0.5))
    mailed = sorted(set(range(1, ACCOUNTS + 1)) - set(drawn))
    deals = [(mailed[0], DAY), (mailed[0], 2 * DAY), (mailed[1], DAY), (mailed[2], -DAY), (drawn[0], DAY)]
    add(engine, Opportunity, *({"key": f"o{n}", "account_id": account, "name": "Deal", "outcome": "open",
                                "currency": "EUR", "traits": {}, "opened_at": now + later}
                               for n, (account, later) in enumerate(deals)))  # fmt: skip
    with database.reading(engine) as session:
        arms = holdout_arms(session, "pumps", "b2b")
    assert arms == HoldoutArms(
        len(mailed), 2, len(drawn), 1
    )  # one deal is older than the campaign, two are one account's
    told = report(engine, now + 3 * DAY).lifts["pumps"].sentence()
    assert f"of {len(mailed)} accounts that got letters opened a deal" in told


def test_the_lift_counts_people_over_their_addresses_in_b2c(engine: Engine, now: datetime) -> None:
    pairs = [(f"z{n}@home.example", f"a{n}@work.example") for n in range(10)]
    for n, (first, second) in enumerate(pairs):
        shopper(engine, now, 2 * n + 1, first)
        shopper(engine, now, 2 * n + 2, second)
    with database.writing(engine) as session:
        are_one(session, pairs)
    run_sale(engine, now, sale(engine, now))
    post(engine, now + DAY)
    held = [n for n, (first, _) in enumerate(pairs) if held_out(first, "sale", 0.5)]
    mailed = [n for n in range(10) if n not in held]
    bought = [(2 * mailed[0] + 1, DAY), (2 * mailed[0] + 2, DAY), (2 * mailed[1] + 2, DAY), (2 * held[0] + 1, -DAY)]
    add(engine, Order, *({"key": f"b{n}", "contact_id": contact, "at": now + later, "amount_cents": 100,
                          "currency": "EUR"} for n, (contact, later) in enumerate(bought)))  # fmt: skip
    with database.reading(engine) as session:
        assert holdout_arms(session, "sale", "b2c") == HoldoutArms(len(mailed), 2, len(held), 0)


@pytest.mark.usefixtures("everywhere")
def test_the_global_lift_counts_from_when_somebody_was_first_kept_out(engine: Engine, now: datetime) -> None:
    three_at_each_account(engine, now)
    for slug in ("pumps", "valves"):
        version = publish(engine, now, slug, "one", account="max_contacts_per_day = 9\nexclusive = false")
        morning(engine, now, slug, version)
    post(engine, now + timedelta(hours=1))
    drawn = sorted(n for n in range(1, ACCOUNTS + 1) if held_out(f"a{n}", "global", 0.5))
    ann = f"ann{drawn[0]}@a{drawn[0]}.example"
    early = {"campaign": "pumps", "version_id": 1, "step": 0, "letter": "zero", "address": ann,
             "account_id": drawn[0], "state": "accepted", "accepted_at": now - 9 * DAY, "planned_at": now - 9 * DAY,
             "not_before": now, "not_after": now, "tries": 0}  # fmt: skip
    add(engine, Message, early)  # they were written to before there was a holdout
    add(engine, Opportunity, {"key": "o", "account_id": drawn[0], "name": "Deal", "outcome": "won", "currency": "EUR",
                              "traits": {}, "opened_at": now + DAY})  # fmt: skip
    with database.reading(engine) as session:
        assert global_holdout_arms(session, "b2b") == HoldoutArms(ACCOUNTS - len(drawn), 0, len(drawn), 1)
        assert global_holdout_arms(session, "b2c") == HoldoutArms()
    assert set(report(engine, now).lifts) == {"all b2b campaigns"}
