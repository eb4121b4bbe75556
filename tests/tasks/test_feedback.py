"""Feedback: what recipients did reaches the ledger, the score and the promise, in any order, any number of times."""

import random
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select, update

from models import Account, Activity, Address, Attempt, Enrolment, Event, Message, Suppression, event
from models.address import SuppressedBy
from models.event import EventKind, MessageEvent, NewEvent
from models.queries import letter_stops
from models.queries.suppression import resubscribe, suppress
from nurture.channels.sendgrid.events import read_events
from nurture.rules.feedback.reactions import OUTCOMES, machine_agent, machines, outcome
from nurture.rules.reasons import SUPPRESSED, Reason
from nurture.runtime import database
from tasks.feedback import Applied, apply
from tests.support.people import ATTEMPT, IVAN, NOBODY, RUTH, ZOE, dump, settle_in


def told(kind: str, message: int | None, at: datetime, **more: Any) -> dict[str, Any]:
    """An event as SendGrid posts it."""
    address = {1: ZOE, 2: RUTH, 3: IVAN, 21: "sam@seller.example"}.get(message or 0)
    ids = {"nt_message": str(message), "nt_attempt": ATTEMPT, "sg_message_id": "sg.1"} if message else {}
    return {"event": kind, "email": address, "timestamp": int(at.timestamp()), "sg_event_id": "e", **ids, **more}


def hear(engine: Engine, now: datetime, *events: dict[str, Any]) -> Applied:
    with database.writing(engine) as session:
        event.keep(session, read_events(orjson.dumps(events), now))
    return apply(engine, now)


def row(engine: Engine, table: Any, **where: Any) -> Any:
    with database.reading(engine) as session:
        return session.execute(select(table.__table__).filter_by(**where)).mappings().one()


def count(engine: Engine, table: Any) -> int:
    with database.reading(engine) as session:
        return len(session.execute(select(table.__table__)).all())


@pytest.fixture
def settled(engine: Engine, now: datetime) -> Engine:
    settle_in(engine, now)
    return engine


# --- one event at a time ---------------------------------------------------------------------------------------------


def test_one_recipients_event_proves_the_whole_request(settled: Engine, now: datetime) -> None:
    done = hear(settled, now, told("processed", 2, now))
    assert done.proven == 1
    assert row(settled, Attempt, id=ATTEMPT)["state"] == "accepted"
    assert [row(settled, Message, id=i)["state"] for i in (1, 2, 3)] == ["accepted"] * 3
    assert row(settled, Message, id=2)["outcome"] is None  # taken, but nothing has come of it yet


def test_a_read_letter_becomes_an_activity_of_its_reader(settled: Engine, now: datetime) -> None:
    hear(settled, now, told("delivered", 1, now), told("open", 1, now + timedelta(hours=2)))
    seen = row(settled, Activity)
    assert (seen["kind"], seen["contact_id"], seen["account_id"], seen["campaign"], seen["detail"]) == (
        "email_open", 1, 1, "pumps", "why-now")  # fmt: skip
    assert row(settled, Message, id=1)["outcome"] == "opened"
    assert row(settled, Message, id=1)["outcome_at"] == now + timedelta(hours=2)


def test_a_privacy_proxy_reads_nothing(settled: Engine, now: datetime) -> None:
    hear(settled, now, told("delivered", 1, now), told("open", 1, now, sg_machine_open=True))
    assert count(settled, Activity) == 0
    assert row(settled, Message, id=1)["outcome"] == "delivered"
    assert row(settled, Event, kind="opened")["machine"]  # kept all the same


def test_a_click_becomes_a_scanners_when_the_delivery_is_heard_of_late(settled: Engine, now: datetime) -> None:
    hear(settled, now, told("click", 1, now + timedelta(seconds=3), url="https://foo.example/roi"))
    assert count(settled, Activity) == 1  # as far as we know then, somebody clicked
    hear(settled, now, told("delivered", 1, now))
    assert count(settled, Activity) == 0
    assert row(settled, Message, id=1)["outcome"] == "delivered"
    assert row(settled, Event, kind="clicked")["machine"]


def test_an_unsubscribe_suppresses_the_address_and_skips_what_waits(settled: Engine, now: datetime) -> None:
    done = hear(settled, now, told("unsubscribe", 1, now))
    assert done.suppressed == 1
    assert row(settled, Address, address=ZOE)["suppressed_why"] == "unsubscribe"
    assert row(settled, Suppression)["campaign"] == "pumps"
    waiting = row(settled, Message, id=11)
    assert (waiting["state"], waiting["reason"]) == ("skipped", Reason.UNSUBSCRIBED)
    assert row(settled, Message, id=12)["state"] == "waiting"  # her colleague has said nothing
    assert row(settled, Message, id=1)["state"] == "accepted"  # never taken back


def test_a_bounce_long_after_delivery_has_no_ids_and_counts_by_its_address(settled: Engine, now: datetime) -> None:
    hear(
        settled,
        now,
        told("bounce", None, now, email="ZOE@Foo.Example", type="bounce"),
        told("bounce", None, now, email=NOBODY),
    )
    assert row(settled, Address, address=ZOE)["suppressed_why"] == "bounce"
    assert row(settled, Address, address=NOBODY)["suppressed_why"] == "bounce"  # whom we never wrote to
    assert row(settled, Message, id=11)["reason"] == Reason.BOUNCED


def test_a_full_mailbox_is_no_reason_to_give_up_the_address(settled: Engine, now: datetime) -> None:
    hear(settled, now, told("bounce", 1, now, type="blocked"))
    assert row(settled, Address, address=ZOE)["suppressed_at"] is None
    assert row(settled, Message, id=1)["outcome"] == "blocked"


def test_a_reply_stops_the_whole_account_but_not_the_mail_to_sales(settled: Engine, now: datetime) -> None:
    with database.writing(settled) as session:
        event.keep(session, [reply(1, now)])
    assert apply(settled, now).stopped == 1
    assert row(settled, Account, id=1)["stopped_why"] == "reply"
    assert row(settled, Account, id=1)["stopped_at"] == now
    for waiting in (11, 12):
        assert row(settled, Message, id=waiting)["reason"] == Reason.ACCOUNT_STOPPED
    for contact in (1, 2):
        left = row(settled, Enrolment, contact_id=contact)
        assert (left["state"], left["why"], left["ended_at"]) == ("exited", Reason.ACCOUNT_STOPPED, now)
    assert row(settled, Message, id=13)["state"] == "waiting"  # Ivan works elsewhere
    assert row(settled, Message, id=21)["state"] == "waiting"
    assert row(settled, Activity)["kind"] == "reply"


def test_a_reply_of_somebody_without_an_account_stops_only_them(settled: Engine, now: datetime) -> None:
    with database.writing(settled) as session:
        event.keep(session, [reply(3, now)])
    apply(settled, now)
    assert row(settled, Message, id=13)["reason"] == Reason.ACCOUNT_STOPPED
    assert row(settled, Enrolment, contact_id=3)["state"] == "exited"
    assert [row(settled, Message, id=i)["state"] for i in (11, 12)] == ["waiting", "waiting"]


def test_a_booked_meeting_stops_the_account_too(settled: Engine, now: datetime) -> None:
    with database.writing(settled) as session:
        met = {"contact_id": 1, "account_id": 1, "kind": "meeting"}
        session.execute(insert(Activity), [{**met, "dedupe": i, "at": now - timedelta(days=i)} for i in (1, 3)])
    assert apply(settled, now).stopped == 1
    assert row(settled, Account, id=1)["stopped_why"] == "meeting_booked"
    assert row(settled, Account, id=1)["stopped_at"] == now - timedelta(days=3)
    assert apply(settled, now) == Applied()


def test_what_a_salesperson_does_with_our_mail_is_no_leads_activity(settled: Engine, now: datetime) -> None:
    with database.writing(settled) as session:
        event.keep(session, [reply(21, now)])
    hear(
        settled,
        now,
        told("delivered", 21, now),
        told("click", 21, now + timedelta(hours=1), url="https://seller.example/h"),
    )
    assert count(settled, Activity) == 0
    assert row(settled, Account, id=1)["stopped_at"] is None
    assert row(settled, Message, id=21)["outcome"] == "replied"


def test_events_about_messages_we_do_not_know_are_kept_and_do_nothing(settled: Engine, now: datetime) -> None:
    done = hear(settled, now, told("open", 999, now), told("group_dance", 1, now), {"event": None}, {})
    assert (done.events, done.activities, done.outcomes) == (4, 0, 0)
    assert count(settled, Event) == 4


# --- any order, any number of times ----------------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_order_any_repetition_any_split_one_result(seed: int, settled: Engine, now: datetime) -> None:
    draw = random.Random(seed)
    heard = read_events(orjson.dumps(some_events(draw, now)), now)
    heard += [reply(m, now + timedelta(seconds=draw.randrange(90))) for m in (1, 2, 3, 21) if draw.random() < 0.4]
    results = []
    for way in range(3):
        clean(settled, now)
        if way == 0:
            tell(settled, now, heard)
        else:
            again = heard * (1 + way) if way == 2 else list(heard)
            draw.shuffle(again)
            while again:
                n = draw.randint(1, 9)
                tell(settled, now, again[:n])
                again = again[n:]
            with database.writing(settled) as session:  # and all of it once more, as after a restore
                session.execute(update(Event).values(applied_at=None))
            apply(settled, now)
        results.append(dump(settled, but=("id", "applied_at")))
    assert results[0] == results[1] == results[2]


KINDS = [
    "processed", "deferred", "delivered", "bounce", "dropped", "open", "click", "spamreport", "unsubscribe",
    "group_resubscribe", "odd",
]  # fmt: skip


def some_events(draw: random.Random, now: datetime) -> list[dict[str, Any]]:
    kinds = KINDS
    events = []
    for _ in range(draw.randint(1, 25)):
        kind, at = draw.choice(kinds), now + timedelta(seconds=draw.randrange(90))
        more: dict[str, Any] = {"url": f"https://foo.example/{draw.randrange(3)}"} if kind == "click" else {}
        if kind == "bounce":
            more = {"type": draw.choice(["bounce", "blocked"])}
        if kind == "dropped":
            more = {"reason": draw.choice(["Bounced Address", "Unsubscribed Address", "Spam Content"])}
        if kind == "bounce" and draw.random() < 0.3:
            events.append(told(kind, None, at, email=draw.choice([ZOE, RUTH, NOBODY])))
        else:
            events.append(told(kind, draw.choice([1, 2, 3, 21]), at, **more))
    return events


def reply(message: int, at: datetime) -> NewEvent:
    return NewEvent(
        key=f"reply-{message}-{at}", kind=EventKind.REPLIED.value, at=at, received_at=at, address=None,
        message_id=message,
        attempt_id=None, provider_id=None, stop=None, database_name=None, url=None, machine=False, raw="{}",
    )  # fmt: skip


def tell(engine: Engine, now: datetime, events: list[NewEvent]) -> None:
    with database.writing(engine) as session:
        event.keep(session, events)
    apply(engine, now)


def clean(engine: Engine, now: datetime) -> None:
    from models import metadata

    with database.writing(engine) as session:
        for table in reversed(metadata.sorted_tables):
            session.execute(table.delete())
    settle_in(engine, now)


def test_the_earliest_word_counts_whenever_it_is_heard(settled: Engine, now: datetime) -> None:
    hear(settled, now, told("bounce", 1, now + timedelta(hours=3)))
    hear(settled, now, told("spamreport", 1, now + timedelta(hours=1)))
    assert row(settled, Address, address=ZOE)["suppressed_why"] == "complaint"
    assert row(settled, Message, id=11)["reason"] == Reason.COMPLAINED


def test_of_two_replies_the_earlier_one_stopped_the_account(settled: Engine, now: datetime) -> None:
    for hours in (3, 1, 2):
        tell(settled, now, [reply(1, now + timedelta(hours=hours))])
    assert row(settled, Account, id=1)["stopped_at"] == now + timedelta(hours=1)
    assert row(settled, Enrolment, contact_id=2)["ended_at"] == now + timedelta(hours=1)


@pytest.mark.parametrize(("unsubscribed", "reason"), [(1, Reason.UNSUBSCRIBED), (3, Reason.ACCOUNT_STOPPED)])
def test_of_an_unsubscribe_and_a_reply_the_earlier_one_is_the_reason(
    settled: Engine, now: datetime, unsubscribed: int, reason: Reason
) -> None:
    tell(settled, now, [reply(2, now + timedelta(hours=2))])
    hear(settled, now, told("unsubscribe", 1, now + timedelta(hours=unsubscribed)))
    assert row(settled, Message, id=11)["reason"] == reason


# --- stops, and one that is taken back -------------------------------------------------------------------------------


def test_only_an_unsubscribe_can_be_taken_back(settled: Engine, now: datetime) -> None:
    for address, whys in ((ZOE, ["unsubscribe"]), (RUTH, ["unsubscribe", "complaint"]), (IVAN, ["bounce"])):
        with database.writing(settled) as session:
            for why in whys:
                assert suppress(session, [address], why, "test", now) == (why == whys[0])
    later = now + timedelta(minutes=1)
    with database.writing(settled) as session:
        assert [resubscribe(session, a, "test", later) for a in (ZOE, RUTH, IVAN, NOBODY)] == [
            True,
            False,
            False,
            False,
        ]
    assert row(settled, Address, address=ZOE)["suppressed_at"] is None
    assert row(settled, Address, address=RUTH)["suppressed_why"] == "complaint"
    assert row(settled, Address, address=IVAN)["suppressed_why"] == "bounce"
    hear(settled, later, told("unsubscribe", 1, now - timedelta(hours=1)))  # an old one, told late
    assert row(settled, Address, address=ZOE)["suppressed_at"] is None
    hear(settled, later, told("unsubscribe", 1, later + timedelta(hours=1)))
    assert row(settled, Address, address=ZOE)["suppressed_why"] == "unsubscribe"


def test_taking_it_back_in_the_same_moment_counts_as_after(settled: Engine, now: datetime) -> None:
    with database.writing(settled) as session:
        suppress(session, [ZOE], SuppressedBy.UNSUBSCRIBE, "test", now)
        assert resubscribe(session, ZOE, "test", now)


def test_a_letter_whose_time_was_over_keeps_its_old_reason(settled: Engine, now: datetime) -> None:
    with database.writing(settled) as session:
        suppress(session, [ZOE], SuppressedBy.UNSUBSCRIBE, "test", now)
    with database.writing(settled) as session:
        resubscribe(session, ZOE, "test", now + timedelta(days=1))
    with database.writing(settled) as session:
        suppress(session, [ZOE], SuppressedBy.BOUNCE, "test", now + timedelta(days=90))
    assert row(settled, Message, id=11)["reason"] == Reason.UNSUBSCRIBED


def test_the_reasons_of_the_tables_are_the_reasons_of_the_rules() -> None:
    assert {str(why): reason for why, reason in letter_stops.REASON_OF.items()} == {
        why: str(reason) for why, reason in SUPPRESSED.items()
    }
    assert letter_stops.ACCOUNT_STOPPED == Reason.ACCOUNT_STOPPED
    assert set(SuppressedBy) == set(letter_stops.REASON_OF)


# --- the rules alone -------------------------------------------------------------------------------------------------


def heard(kind: EventKind, at: datetime, url: str | None = None, machine: bool = False) -> MessageEvent:
    return MessageEvent(f"{kind}-{at}-{url}", kind, at, url, machine)


def test_all_links_at_once_is_a_scanner_and_one_after_the_other_is_a_reader(now: datetime) -> None:
    later = now + timedelta(hours=1)
    burst = [heard(EventKind.CLICKED, later, "a"), heard(EventKind.CLICKED, later + timedelta(seconds=1), "b")]
    reader = [heard(EventKind.CLICKED, later, "a"), heard(EventKind.CLICKED, later + timedelta(seconds=20), "b")]
    twice = [
        heard(EventKind.CLICKED, later, "a"),
        heard(EventKind.CLICKED, later + timedelta(seconds=1), "a"),
    ]  # a double click
    assert machines(burst) == {h.key for h in burst}
    assert machines(reader) == machines(twice) == set()


def test_nobody_reads_a_letter_within_five_seconds_of_its_delivery(now: datetime) -> None:
    delivered = heard(EventKind.DELIVERED, now)
    quick, slow = (heard(EventKind.CLICKED, now + timedelta(seconds=s), "a") for s in (4, 5))
    assert machines([delivered, quick, slow]) == {quick.key}
    assert machines([quick]) == set()


@pytest.mark.parametrize(
    ("agent", "machine"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36", False),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148", False),
        ("Mozilla/5.0 (compatible; Barracuda Sentinel)", True),
        ("Mozilla/5.0 (compatible; bingbot/2.0)", True),
        ("Mozilla/5.0 (X11) HeadlessChrome/120", True),
        ("python-requests/2.31", True),
        ("Abbott Diagnostics Browser", False),
        ("", False),
        (None, False),
    ],
)
def test_scanners_name_themselves(agent: str | None, machine: bool) -> None:
    assert machine_agent(agent) is machine


def test_the_furthest_a_letter_came_is_its_outcome(now: datetime) -> None:
    history = [heard(kind, now + timedelta(minutes=i)) for i, kind in enumerate((EventKind.PROCESSED, *OUTCOMES))]
    for length in range(2, len(history) + 1):
        assert outcome(history[:length], ()) == (history[length - 1].kind, history[length - 1].at)
    assert outcome(history[:1], ()) is None
    assert outcome([heard(EventKind.OPENED, now + timedelta(hours=1)), heard(EventKind.OPENED, now)], ()) == (
        EventKind.OPENED,
        now,
    )


# --- what the provider says without our ids, and what its own lists say ----------------------------------------------


def test_an_event_that_only_names_the_providers_own_id_finds_its_letter(settled: Engine, now: datetime) -> None:
    """Custom args may be missing; the request's X-Message-Id begins the letter's name, with dots in it or not."""
    with database.writing(settled) as session:
        session.execute(update(Attempt).values(provider_id="14c5.dfd"))
    done = hear(
        settled, now, told("delivered", None, now, email=RUTH.upper(), sg_message_id="14c5.dfd.filter0001.16648.0")
    )
    assert (done.proven, done.outcomes) == (1, 1)
    assert [row(settled, Message, id=i)["outcome"] for i in (1, 2, 3)] == [None, "delivered", None]
    assert [row(settled, Message, id=i)["state"] for i in (1, 2, 3)] == ["accepted"] * 3


def test_an_event_that_is_faster_than_the_answer_waits_for_it(settled: Engine, now: datetime) -> None:
    early = told("delivered", None, now, email=ZOE, sg_message_id="mid.1.0")
    assert hear(settled, now, early).proven == 0
    with database.writing(settled) as session:
        session.execute(update(Attempt).values(provider_id="mid"))
    assert apply(settled, now + timedelta(minutes=5)).proven == 1
    assert apply(settled, now + timedelta(minutes=6)).events == 0


def test_a_letter_of_another_programs_is_looked_at_for_ten_minutes(settled: Engine, now: datetime) -> None:
    """All programs of one SendGrid account are told together."""
    hear(settled, now, told("delivered", None, now, email="x@y.example", sg_message_id="strange.1.0"))
    assert [apply(settled, now + timedelta(minutes=m)).events for m in (5, 10, 15)] == [1, 1, 0]


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("Bounced Address", "bounce"), ("Invalid", "bounce"), ("Unsubscribed Address", "unsubscribe"),
        ("Spam Reporting Address", "complaint"), ("Spam Content (if Spam Checker app is enabled)", None),
        ("Recipient List over Package Quota", None), (None, None),
    ],
)  # fmt: skip
def test_whom_the_provider_would_not_write_to_we_do_not_either(settled: Engine, now: datetime, reason, why) -> None:
    done = hear(settled, now, told("dropped", 1, now, reason=reason))
    assert (done.suppressed, row(settled, Address, address=ZOE)["suppressed_why"]) == (int(why is not None), why)
    assert row(settled, Message, id=1)["outcome"] == "dropped"
    if why:
        assert "own list" in row(settled, Suppression, address=ZOE)["heard_from"]
