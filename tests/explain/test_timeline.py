"""One account's timeline in words a salesperson reads, and the answers to why at any moment of it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, text

from models import Account, Activity, Handoff, Opportunity, Transition
from models import account_pause as pauses
from nurture.explain.timeline import NoSuchAccount, account_named, timeline
from nurture.explain.why import why, why_everywhere
from nurture.rules.reporting.ledger import LedgerLine, count_reasons, reasons_page
from nurture.rules.reporting.timeline import listed, ordinal
from nurture.runtime import database
from tasks import segmentation
from tests.support import plain_campaigns
from tests.support.people import add

DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def lived(engine: Engine, now: datetime) -> Engine:
    """Three weeks of Company 1: two letters, clicks, an absence, a handoff, a pause, a deal."""
    plain_campaigns.settle(engine, now, {"zoe": 1, "ann": 1})
    version = plain_campaigns.publish(engine, now, "pumps", "one", "two")
    plain_campaigns.morning(engine, now, "pumps", version)
    plain_campaigns.post(engine, now + timedelta(hours=1))

    def did(n: int, who: int, kind: str, day: int, detail: str | None = None) -> None:
        row = {"dedupe": n, "contact_id": who, "account_id": 1, "kind": kind, "at": now + day * DAY, "detail": detail}
        add(engine, Activity, row)

    for n in (1, 2):
        did(n, 1, "email_click", 1, "https://foo.example")
    did(3, 1, "email_open", 1)
    did(4, 1, "download", 1, "ROI sheet")
    did(5, 2, "out_of_office", 2, "until 10 March")
    plain_campaigns.morning(engine, now + 3 * DAY, "pumps", version)
    moved = {"contact_id": 1, "stage_from": "lead", "stage_to": "mql", "at": now + 4 * DAY, "why": "score 81"}
    add(engine, Transition, moved, {**moved, "stage_from": "mql", "stage_to": "sal", "why": "sales: accepted",
                                    "at": now + 5 * DAY})  # fmt: skip
    add(engine, Handoff, {
        "contact_id": 1, "account_id": 1, "owner_email": "sam@seller.example", "state": "accepted", "score": 81.0,
        "grade": "A1", "score_version": "v", "reasons": [{"text": "a demo request", "points": 9}], "context": {},
        "offered_at": now + 4 * DAY, "due_at": now + 5 * DAY, "decided_at": now + 5 * DAY,
    })  # fmt: skip
    with database.writing(engine) as session:
        session.execute(text("UPDATE account SET owner_email = 'sam@seller.example', owner_name = 'Sam Seller'"))
        pauses.pause_account(session, 1, now + 20 * DAY, "tender under way", "Sam", now + 6 * DAY)
    add(engine, Opportunity, {"key": "o", "account_id": 1, "name": "12 pumps", "outcome": "open", "currency": "EUR",
                              "amount_cents": 1_200_000, "traits": {}, "opened_at": now + 18 * DAY})  # fmt: skip
    return engine


def test_the_timeline_of_an_account_is_told_day_by_day_in_plain_words(lived: Engine, now: datetime) -> None:
    with database.reading(lived) as session:
        told = timeline(session, "a1", now - 90 * DAY, now + 21 * DAY, BERLIN)
    assert [(f"{day:%-d %b}", [one.sentence for one in entries]) for day, entries in told.days] == [
        ("2 Mar", ["The sequence Pumps begins for Ann and Zoe", "Letter “one” (Pumps) to Ann and Zoe"]),
        ("3 Mar", ["Zoe followed 2 links and downloaded “ROI sheet”"]),
        ("4 Mar", ["Ann is out of office: no letters until 10 March"]),
        ("6 Mar", ["Zoe is ready for sales (MQL): score 81",
                   "Zoe is offered to Sam Seller, score 81 (A1). Why: a demo request"]),
        ("7 Mar", ["Sam Seller takes Zoe"]),
        ("8 Mar", ["Sam pauses the account until 22 March: tender under way"]),
        ("20 Mar", ["An opportunity is opened: 12 pumps, 12,000 EUR"]),
    ]  # fmt: skip
    assert told.ahead == ["“two” (Pumps) to Zoe, from Sun 22 Mar 09:00 on: paused by Sam: tender under way"]
    assert told.account.name == "Company 1"
    assert set(told.names.values()) == {"Zoe", "Ann"}
    [first, *_] = told.as_json()["days"][1]["lines"]
    assert (first["kind"], first["who"]) == ("deed", ["Zoe"])


def test_a_change_of_role_is_told_when_it_came_and_why(engine: Engine, now: datetime) -> None:
    plain_campaigns.settle(engine, now, {"zoe": 1})
    with engine.begin() as connection:
        connection.execute(text("UPDATE contact SET title = 'Head of Maintenance'"))
    segmentation.segment(engine, now)
    with engine.begin() as connection:
        connection.execute(text("UPDATE contact SET title = 'Chief Financial Officer'"))
    for day in (1, 2):
        segmentation.segment(engine, now + day * DAY)
    with database.reading(engine) as session:
        [(day, entries)] = timeline(session, "a1", now, now + 9 * DAY, BERLIN).days
    assert (day.day, [one.sentence for one in entries]) == (
        3, ["Zoe is now seen as finance, no longer as specifier: 'chief financial officer'"]
    )  # fmt: skip


def test_an_account_is_found_by_key_or_name_and_a_stranger_is_said_to_be_one(engine: Engine, now: datetime) -> None:
    plain_campaigns.settle(engine, now, {"zoe": 1, "ann": 12})
    add(
        engine,
        Account,
        {"id": 99, "key": "x", "name": "100 % Pumps", "traits": {}, "created_at": now, "updated_at": now},
    )
    with database.reading(engine) as session:
        assert account_named(session, "a1").name == "Company 1"
        assert account_named(session, "Company 1").key == "a1"
        assert account_named(session, "100 %").key == "x"
        with pytest.raises(NoSuchAccount, match=r"several accounts: a1 .Company 1., a12"):
            account_named(session, "Company")
        with pytest.raises(NoSuchAccount, match="check the spelling"):
            account_named(session, "nobody")


def test_why_answers_for_any_moment_of_the_past(lived: Engine, now: datetime) -> None:
    def said(at: datetime) -> str:
        with database.reading(lived) as session:
            return why(session, at, "zoe@a1.example", "pumps").sentence

    assert said(now - DAY) == "Zoe qualifies and enters pumps at its next run."
    assert said(now + timedelta(minutes=1)) == "'one' to Zoe waits for 2 March 2026."
    assert said(now + DAY) == (
        "Zoe was sent 'one' on 2 March 2026; the next letter to Zoe waits: the letter two is due on 4 March."
    )
    assert "'two' to Zoe waits for" in said(now + 5 * DAY)
    with database.reading(lived) as session:
        [(slug, _)] = why_everywhere(session, now, "Zoe@a1.example")
    assert slug == "pumps"


def test_a_page_counts_letters_not_sent_by_reason() -> None:
    lines = [
        LedgerLine("pumps", 1, 0, "one", 9, 4, 5, reasons={"unsubscribed": 3, "no_consent": 2}),
        LedgerLine("sale", 1, 0, "offer", 4, 0, 4, reasons={"holdout": 1, "unsubscribed": 3}),
    ]
    assert count_reasons(lines) == {
        "unsubscribed": {"pumps": 3, "sale": 3},
        "no_consent": {"pumps": 2},
        "holdout": {"sale": 1},
    }
    page = reasons_page(lines)
    assert "| `unsubscribed` | unsubscribed | 6 | pumps 3, sale 3 |" in page
    assert "| **all** | | **9** | |" in page


def test_lists_read_as_one_says_them() -> None:
    assert [listed(list("abcde"[:n])) for n in range(6)] == ["", "a", "a and b", "a, b and c", "a, b, c and d",
                                                              "a, b, c and 2 others"]  # fmt: skip
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 22)] == ["1st", "2nd", "3rd", "4th", "11th", "22nd"]
