"""Letters the provider keeps until their time: cancelled when stopped or in doubt, and sent once all the same."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine

from models import event
from models.queries.scheduled_send import open_batches
from models.queries.suppression import suppress
from models.send_pause import EVERYTHING, PauseScope, pause_sending, resume_sending, send_pauses
from nurture.channels.base import Cancellation
from nurture.channels.sendgrid.channel import SendGrid
from nurture.channels.sendgrid.events import read_events
from nurture.config.campaign_file import parse
from nurture.rules.eligibility.facts import MessageFacts
from nurture.rules.eligibility.messages import objection
from nurture.rules.planning.campaign import Campaign, Hours
from nurture.rules.reasons import Asked, Reason, Skip, Wait
from nurture.runtime import database
from nurture.runtime.settings import Settings
from tasks.delivery import outbox as delivery
from tasks.delivery.reconciliation import MayStillLeave, reconcile, settle, unknown_requests
from tasks.delivery.scheduled_send import CancelledSends, cancel_sends
from tests.doubles.sendgrid import SendGridDouble
from tests.doubles.sendgrid.reactions import delivers
from tests.support import outbox
from tests.support.outbox import composer, fill, message, states
from tests.tasks.test_feedback import hear
from tests.tasks.test_reconciliation import Time

LEAD = timedelta(minutes=30)
OVER = LEAD + timedelta(minutes=6)


@pytest.fixture(autouse=True)
def terms(monkeypatch: pytest.MonkeyPatch) -> None:
    """The campaign of tests/support/outbox.py, its letters held for half an hour."""
    held = outbox.TERMS.replace("[hours]", '[send]\nhold_for = "PT30M"\n[hours]')
    monkeypatch.setitem(outbox.FILES, "test/campaign.toml", held)


@pytest.fixture
def clock(now: datetime) -> Time:
    return Time(now)


@pytest.fixture
def sg(clock: Time) -> Iterator[SendGridDouble]:
    with SendGridDouble(clock=clock, react=delivers) as double:
        yield double


@pytest.fixture
def channel(sg: SendGridDouble) -> SendGrid:
    ours = Settings(SENDGRID_API_KEY=sg.api_key, SENDGRID_HOST=sg.url, sendgrid_batch=10, sendgrid_requests=1)
    return SendGrid(ours, deadline=1)


@pytest.fixture
def send(engine: Engine, clock: Time, channel: SendGrid, tmp_path: Path) -> Callable[..., delivery.Delivered]:
    office = composer(tmp_path)
    return lambda most=100: delivery.deliver(engine, clock, channel, office, most)


@pytest.fixture
def call(engine: Engine, clock: Time, channel: SendGrid, tmp_path: Path) -> Callable[[], CancelledSends]:
    office = composer(tmp_path)
    return lambda: cancel_sends(engine, clock, channel, office)


def pass_time(clock: Time, sg: SendGridDouble, span: timedelta) -> None:
    until = clock.now + span
    while clock.now < until:
        clock.now = min(clock.now + timedelta(minutes=5), until)
        sg.run_due()


def mailed_once(sg: SendGridDouble, n: int) -> bool:
    return sorted(letter.to for letter in sg.accepted) == sorted(f"p{i}@home.example" for i in range(n))


def test_held_letters_leave_at_their_time_and_only_then_count_as_sent(engine, now, sg, clock, send, call) -> None:
    fill(engine, now, 10)
    assert send().scheduled == 10
    assert (states(engine), sg.accepted_count) == ({"scheduled": 10}, 0)
    assert call() == CancelledSends()
    pass_time(clock, sg, LEAD)
    assert call().left == 10
    assert (states(engine), mailed_once(sg, 10)) == ({"accepted": 10}, True)
    pass_time(clock, sg, OVER)
    call()
    assert call() == CancelledSends()  # nothing to remember any more
    with database.reading(engine) as session:
        assert open_batches(session) == []


@pytest.mark.parametrize("fault", ["accept_then_cut", "read_then_cut", "accept_then_504"])
def test_a_request_in_doubt_is_cancelled_and_mailed_once(engine, now, sg, clock, send, call, fault) -> None:
    fill(engine, now, 10)
    sg.faults.script([fault])
    assert send().unknown == 10
    assert call().cancelled == 1
    pass_time(clock, sg, timedelta(minutes=20))
    assert (call().waiting, states(engine)) == (0, {"unknown": 10})  # its time is not over
    pass_time(clock, sg, OVER)
    assert (call().waiting, states(engine)) == (10, {"waiting": 10})
    assert "nobody knows" in message(engine, 0)["detail"]
    assert send().scheduled == 10
    pass_time(clock, sg, OVER)
    call()
    assert (states(engine), mailed_once(sg, 10)) == ({"accepted": 10}, True)
    assert sg.batches.status == {}  # its place is free for another one


def test_nobody_can_say_that_held_letters_were_not_sent_before_their_time_is_over(engine, now, sg, clock, send) -> None:
    fill(engine, now, 10)
    sg.faults.script(["accept_then_cut"])
    send()
    [doubt] = unknown_requests(engine)
    with pytest.raises(MayStillLeave, match="after 2026-03-0"):
        settle(engine, clock.now, doubt.id, False, "Mia")
    assert states(engine) == {"unknown": 10}
    pass_time(clock, sg, OVER)
    assert settle(engine, clock.now, doubt.id, False, "Mia") == 10


def test_a_call_whose_answer_was_lost_is_not_made_twice_in_vain(engine, now, sg, clock, send, call) -> None:
    fill(engine, now, 10)
    sg.faults.script(["accept_then_cut"])
    send()
    sg.faults.script(["accept_then_500"], "/v3/user/scheduled_sends")
    assert (call().missed, states(engine)) == (1, {"unknown": 10})
    assert call().cancelled == 1  # a 400: it has a status already, and that says cancel


def test_a_call_that_fails_or_comes_too_late_leaves_it_unknown(engine, now, sg, clock, send, call) -> None:
    fill(engine, now, 10)
    sg.faults.script(["accept_then_cut"])
    send()
    sg.faults.script(["500"] * 3, "/v3/user/scheduled_sends")
    done = call()
    assert (done.missed, "500" in done.trouble) == (1, True)
    pass_time(clock, sg, LEAD - timedelta(minutes=10))
    assert call() == CancelledSends()  # no call counts any more
    pass_time(clock, sg, timedelta(hours=5))
    assert (call(), states(engine)) == (CancelledSends(), {"unknown": 10})
    assert mailed_once(sg, 10)  # so it was right to wait


def test_a_call_that_is_answered_too_late_proves_nothing(
    engine, now, sg, clock, channel, send, call, monkeypatch
) -> None:
    fill(engine, now, 10)
    sg.faults.script(["accept_then_cut"])
    send()
    clock.now += timedelta(minutes=17)
    real = channel.scheduled_sends.cancel

    def slow(batch_id: str) -> tuple[Cancellation, str]:
        clock.now += timedelta(minutes=4)
        return real(batch_id)

    monkeypatch.setattr(channel.scheduled_sends, "cancel", slow)
    done = call()
    assert (done.cancelled, done.missed, "too late" in done.trouble) == (0, 1, True)
    pass_time(clock, sg, OVER)
    assert (call().waiting, states(engine)) == (0, {"unknown": 10})
    assert mailed_once(sg, 10)


@pytest.mark.parametrize("again", [True, False])
def test_letters_whose_call_back_has_no_known_end_never_count_as_sent(
    engine, now, sg, clock, channel, send, call, monkeypatch, again
) -> None:
    """SendGrid throws them away, but its answer was lost, or the run died before it could write it down."""
    fill(engine, now, 10)
    send()
    with database.writing(engine) as session:
        pause_sending(session, EVERYTHING, "stop", "Mia", now)
    sg.faults.script(["accept_then_cut"], "/v3/user/scheduled_sends")
    assert call().missed == 1
    with database.writing(engine) as session:
        resume_sending(session, EVERYTHING)
    if again:  # nothing forbids them any more, but what was begun is ended
        assert call().cancelled == 1
    pass_time(clock, sg, OVER)
    assert (call().left, sg.accepted) == (0, [])
    assert states(engine) == ({"waiting": 10} if again else {"unknown": 10})


def test_a_call_back_that_failed_is_asked_about_before_its_letters_count_as_sent(
    engine, now, sg, clock, send, call
) -> None:
    fill(engine, now, 10)
    send()
    with database.writing(engine) as session:
        pause_sending(session, EVERYTHING, "stop", "Mia", now)
    sg.faults.script(["500"], "/v3/user/scheduled_sends")
    assert call().missed == 1
    pass_time(clock, sg, OVER)
    assert (call().left, states(engine), mailed_once(sg, 10)) == (10, {"accepted": 10}, True)


def test_what_somebody_took_back_at_sendgrid_did_leave(engine, now, sg, clock, send, call) -> None:
    """The positive control: the cancellation must still stand when the time is over."""
    fill(engine, now, 10)
    sg.faults.script(["accept_then_cut"])
    send()
    call()
    sg.batches.status.clear()
    pass_time(clock, sg, OVER)
    assert (call().waiting, states(engine)) == (0, {"unknown": 10})
    assert mailed_once(sg, 10)
    assert call() == CancelledSends()


def test_held_letters_whose_cancellation_is_gone_are_in_doubt_not_believed_sent(
    engine, now, sg, clock, send, call
) -> None:
    fill(engine, now, 10)
    send()
    with database.writing(engine) as session:
        pause_sending(session, EVERYTHING, "stop", "Mia", now)
    call()
    sg.batches.status.clear()
    pass_time(clock, sg, OVER)
    assert (call().waiting, states(engine)) == (0, {"unknown": 10})


def test_an_event_is_believed_more_than_a_cancellation(engine, now, sg, clock, send, call) -> None:
    fill(engine, now, 10)
    sg.faults.script(["accept_then_cut"])
    send()
    call()
    attempt = message(engine, 0)["attempt_id"]
    pass_time(clock, sg, OVER)
    told = a_word(attempt, now + LEAD)
    assert hear(engine, clock.now, told).proven == 1
    assert (call().waiting, states(engine)) == (0, {"accepted": 10})


def test_an_event_nobody_has_acted_on_yet_is_looked_at_too(engine, now, sg, clock, send, call) -> None:
    fill(engine, now, 10)
    sg.faults.script(["accept_then_cut"])
    send()
    call()
    attempt = message(engine, 0)["attempt_id"]
    pass_time(clock, sg, OVER)
    with database.writing(engine) as session:
        event.keep(session, read_events(orjson.dumps([a_word(attempt, now + LEAD)]), clock.now))
    assert (call().waiting, states(engine)) == (0, {"unknown": 10})


def a_word(attempt: str, at: datetime) -> dict[str, Any]:
    ids = {"nt_attempt": attempt, "nt_message": "1", "sg_event_id": str(at)}
    return {"event": "processed", "email": "p0@home.example", "timestamp": int(at.timestamp()), **ids}


def test_a_word_before_its_time_proves_only_that_it_is_held(engine, now, sg, clock, send, call) -> None:
    """Nobody has written down whether SendGrid says "processed" when it takes a held letter or when it lets it go."""
    fill(engine, now, 10)
    sg.faults.script(["accept_then_cut"])
    send()
    attempt = message(engine, 0)["attempt_id"]
    assert hear(engine, clock.now, a_word(attempt, now)).proven == 1
    assert states(engine) == {"scheduled": 10}
    with database.writing(engine) as session:
        pause_sending(session, EVERYTHING, "stop", "Mia", now)
    assert call().cancelled == 1
    pass_time(clock, sg, OVER)
    late = hear(engine, clock.now, a_word(attempt, now + timedelta(seconds=1)))
    assert (late.surprises, call().waiting, states(engine)) == (0, 10, {"waiting": 10})
    assert hear(engine, clock.now, a_word(attempt, now + timedelta(seconds=2))).surprises == 0


def test_the_log_is_asked_about_held_letters_at_the_time_they_left(engine, now, sg, clock, channel, send, call) -> None:
    """It is not in the log of the minute at which it was handed over, and the controls around that minute are."""
    fill(engine, now, 30)
    for fault in ("ok", "accept_then_cut", "ok"):
        sg.faults.script([fault])
        send(10)
        pass_time(clock, sg, timedelta(minutes=25))
    call()
    assert states(engine)["unknown"] == 10
    pass_time(clock, sg, timedelta(hours=2))
    call()
    assert reconcile(engine, clock, "sendgrid", channel.provider_log).sent == 1
    assert (states(engine), mailed_once(sg, 30)) == ({"accepted": 30}, True)


STOPS: dict[str, Callable[[Any, datetime], Any]] = {
    "the campaign is paused": lambda s, now: pause_sending(s, PauseScope.campaign("test"), "a wrong price", "Mia", now),
    "all is paused": lambda s, now: pause_sending(s, EVERYTHING, "a wrong price", "Mia", now),
    "its domain is paused": lambda s, now: pause_sending(
        s, PauseScope.domain("mail.brunnhold.example"), "angry", "the breaker", now
    ),
}


@pytest.mark.parametrize("stop", STOPS)
def test_a_pause_calls_held_letters_back_and_they_leave_after_it(engine, now, sg, clock, send, call, stop) -> None:
    fill(engine, now, 20)
    send()
    with database.writing(engine) as session:
        STOPS[stop](session, now)
    assert call().cancelled == 2
    pass_time(clock, sg, OVER)
    assert (call().waiting, send().requests, states(engine)) == (20, 0, {"waiting": 20})
    with database.writing(engine) as session:
        for scope in (EVERYTHING, PauseScope.campaign("test"), PauseScope.domain("mail.brunnhold.example")):
            resume_sending(session, scope)
    send()
    pass_time(clock, sg, OVER)
    call()
    assert (states(engine), mailed_once(sg, 20)) == ({"accepted": 20}, True)


def test_who_leaves_meanwhile_gets_nothing_and_the_others_get_it_later(engine, now, sg, clock, send, call) -> None:
    fill(engine, now, 15)
    send()
    with database.writing(engine) as session:
        suppress(session, ["p3@home.example"], "unsubscribe", "the page", now)
    assert call().cancelled == 1  # the other request has nobody who left
    pass_time(clock, sg, OVER)
    call()
    assert send().skipped + states(engine)["skipped"] >= 1
    pass_time(clock, sg, OVER)
    call()
    assert states(engine) == {"accepted": 14, "skipped": 1}
    assert (len(sg.accepted), sg.to("p3@home.example")) == (14, [])


def test_sendgrid_calls_ten_back_at_a_time_and_the_soonest_first(engine, now, sg, clock, send, call) -> None:
    fill(engine, now, 120)
    send(1_000)
    with database.writing(engine) as session:
        pause_sending(session, EVERYTHING, "stop", "Mia", now)
    done = call()
    assert (done.cancelled, done.missed, "ten" in done.trouble) == (10, 2, True)
    pass_time(clock, sg, OVER)
    assert (call().waiting, len(sg.accepted)) == (100, 20)
    assert call().left == 0
    assert states(engine) == {"waiting": 100, "accepted": 20}


def test_without_a_batch_nothing_is_offered(engine, now, sg, clock, send) -> None:
    fill(engine, now, 10)
    sg.faults.script(["500"], "/v3/mail/batch")
    done = send()
    assert (done.put_off, "no batch" in done.stopped, states(engine)) == (10, True, {"waiting": 10})
    clock.now += timedelta(minutes=2)
    sg.faults.script(["401"], "/v3/mail/batch")
    send()
    assert (states(engine), sg.scheduled) == ({"waiting": 10}, [])
    with database.reading(engine) as session:
        assert "scopes" in send_pauses(session).why_of[PauseScope.campaign("test")]


def test_a_channel_that_keeps_nothing_sends_at_once(engine: Engine, now: datetime, tmp_path: Path) -> None:
    fill(engine, now, 3)
    assert delivery.deliver(engine, lambda: now, outbox.Told(), composer(tmp_path)).accepted == 3


def test_hours_and_expiry_are_those_of_the_moment_it_leaves(now: datetime) -> None:
    held = Campaign("a", "A", "b2c", "", "", (), hours=Hours(), hold_for=timedelta(hours=1))
    row = MessageFacts(1, "zoe@foo.example", None, None, "granted", None, "GB", None, now + timedelta(days=1))
    at = now.replace(hour=8)
    assert objection(row, held, at, Asked.ARMING) is None
    assert objection(row, held, at - timedelta(minutes=30), Asked.ARMING) == Wait(Reason.OUTSIDE_HOURS, until=at)
    assert isinstance(objection(row, held, now.replace(hour=16, minute=30), Asked.ARMING), Wait)
    assert objection(row._replace(not_after=at + timedelta(minutes=59)), held, at, Asked.ARMING) == Skip(Reason.EXPIRED)


@pytest.mark.parametrize(
    ("lead", "what"), [("PT10M", "between"), ("P3D", "between"), ("P1BD", "plain"), ("30", "dura")]
)
def test_a_lead_that_cannot_be_is_named_with_its_line(lead: str, what: str) -> None:
    text = outbox.TERMS.replace("[hours]", f'[send]\nhold_for = "{lead}"\n[hours]')
    campaign, problems = parse(text.replace("PT30M", lead), "test/campaign.toml", "test", frozenset(["offer"]))
    assert campaign is None
    assert any(
        what in p.what and p.mend and text.splitlines()[(p.line or 0) - 1].startswith("hold_for") for p in problems
    )


def test_no_answer_about_batches_is_an_error(channel: SendGrid, sg: SendGridDouble) -> None:
    assert channel.scheduled_sends is not None
    assert channel.scheduled_sends.cancel("never made")[0] is Cancellation.FAILED
    sg.stop_listening()
    assert channel.scheduled_sends.cancelled("x") is None
    assert channel.scheduled_sends.cancel("x")[0] is Cancellation.FAILED
    assert channel.scheduled_sends.forget("x") is False
