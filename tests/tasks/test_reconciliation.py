"""What nobody knows: held, shown, and settled by proof or by a person; silence alone proves nothing."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from nurture.channels.base import LogUnavailable
from nurture.channels.sendgrid.channel import SendGrid
from nurture.rules.delivery.reconciliation import AGAIN, KEPT, SETTLED, Finding, finding
from nurture.rules.delivery.states import Answer, Verdict
from nurture.runtime import database
from nurture.runtime.settings import Settings
from tasks.delivery import outbox, reconciliation
from tasks.delivery.reconciliation import NotUnknown, reconcile, settle
from tests.doubles.sendgrid import SendGridDouble
from tests.support.outbox import Told, composer, fill, message, states


@pytest.mark.parametrize(
    ("seen", "before", "after", "age", "proves"),
    [
        ([False, True], False, False, timedelta(minutes=1), Finding.SENT),
        ([False] * 5, True, True, SETTLED, Finding.NOT_SENT),
        ([False] * 5, True, False, SETTLED, Finding.UNKNOWN),
        ([False] * 5, False, True, SETTLED, Finding.UNKNOWN),
        ([False] * 5, True, True, SETTLED - timedelta(seconds=1), Finding.UNKNOWN),
        ([False] * 5, True, True, KEPT + timedelta(seconds=1), Finding.UNKNOWN),
        ([], True, True, SETTLED, Finding.UNKNOWN),
    ],
)
def test_silence_proves_nothing_without_controls_on_both_sides(now, seen, before, after, age, proves) -> None:
    assert finding(seen, before, after, now - age, now) is proves


class Time:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(now: datetime) -> Time:
    return Time(now)


@pytest.fixture
def sg(clock: Time) -> Iterator[SendGridDouble]:
    with SendGridDouble(clock=clock) as double:
        yield double


@pytest.fixture
def channel(sg: SendGridDouble) -> SendGrid:
    ours = Settings(SENDGRID_API_KEY=sg.api_key, SENDGRID_HOST=sg.url, sendgrid_batch=10, sendgrid_requests=1)
    return SendGrid(ours, deadline=1)


@pytest.fixture
def send(engine: Engine, clock: Time, channel: SendGrid, tmp_path: Path) -> Callable[..., outbox.Delivered]:
    office = composer(tmp_path)
    return lambda most=10: outbox.deliver(engine, clock, channel, office, most)


def in_a_row(sg: SendGridDouble, clock: Time, send, fault: str, *, before: bool = True, after: bool = True) -> None:
    """Ten letters that were taken, ten whose answer was lost, and more that were taken, ten minutes apart."""
    for wanted, name in ((before, "ok"), (True, fault), (after, "ok")):
        if wanted:
            sg.faults.script([name])
            send()
        clock.now += timedelta(minutes=10)
    clock.now += timedelta(hours=1)


@pytest.mark.parametrize(("fault", "finds"), [("accept_then_cut", "accepted"), ("read_then_cut", "waiting")])
def test_the_providers_log_settles_a_lost_answer(engine, now, sg, clock, channel, send, fault, finds) -> None:
    fill(engine, now, 40)
    in_a_row(sg, clock, send, fault)
    before = states(engine)
    assert before["unknown"] == 10
    done = reconcile(engine, clock, "sendgrid", channel.provider_log)
    assert (done.asked, done.sent, done.not_sent, done.held) == (
        1,
        int(finds == "accepted"),
        int(finds == "waiting"),
        0,
    )
    after = states(engine)
    assert "unknown" not in after
    assert after[finds] == before.get(finds, 0) + 10
    send(1_000)
    assert states(engine) == {"accepted": 40}
    assert sorted(letter.to for letter in sg.accepted) == sorted(f"p{i}@home.example" for i in range(40))


@pytest.mark.parametrize("lacking", ["before", "after"])
def test_without_a_control_the_letters_stay_held(engine, now, sg, clock, channel, send, lacking) -> None:
    fill(engine, now, 40)
    in_a_row(sg, clock, send, "read_then_cut", **{lacking: False})
    assert reconcile(engine, clock, "sendgrid", channel.provider_log).held == 1
    assert states(engine)["unknown"] == 10
    assert f"no letter taken shortly {lacking} it" in reconciliation.unknown_requests(engine)[0].evidence


def test_a_log_that_has_forgotten_everything_proves_nothing(engine, now, sg, clock, channel, send) -> None:
    fill(engine, now, 40)
    in_a_row(sg, clock, send, "accept_then_cut")
    sg.accepted.clear()  # an outage of the log: also the letters that were surely taken are not in it
    assert reconcile(engine, clock, "sendgrid", channel.provider_log).held == 1
    assert states(engine)["unknown"] == 10


def test_a_log_that_cannot_be_asked_says_why(engine, now, sg, clock, channel, send) -> None:
    fill(engine, now, 40)
    in_a_row(sg, clock, send, "accept_then_cut")
    sg.faults.script(["401"], "/v3/logs")
    done = reconcile(engine, clock, "sendgrid", channel.provider_log)
    assert (done.sent, "Email Activity" in done.trouble, states(engine)["unknown"]) == (0, True, 10)
    assert (done.said_before, reconciliation.unknown_requests(engine)[0].evidence) == (False, done.trouble)
    assert reconcile(engine, clock, "sendgrid", channel.provider_log).asked == 0  # not every five minutes
    clock.now += AGAIN
    sg.faults.script(["401"], "/v3/logs")
    assert reconcile(engine, clock, "sendgrid", channel.provider_log).said_before
    sg.stop_listening()
    with pytest.raises(LogUnavailable, match="no connection"):
        channel.provider_log.has("p1@home.example", "a", now)


def test_a_young_doubt_is_not_asked_about(engine, now, sg, clock, channel, send) -> None:
    fill(engine, now, 10)
    sg.faults.script(["accept_then_cut"])
    send()
    assert reconcile(engine, clock, "sendgrid", channel.provider_log).asked == 0


@pytest.mark.parametrize(("sent", "then"), [(True, "accepted"), (False, "waiting")])
def test_a_person_settles_it(engine: Engine, now: datetime, tmp_path: Path, sent: bool, then: str) -> None:
    fill(engine, now, 3)
    channel = Told(["lost"])  # type: ignore[list-item]
    channel.answers = [Answer(Verdict.UNKNOWN, 504, detail="504")]
    outbox.deliver(engine, lambda: now, channel, composer(tmp_path))
    [doubt] = reconciliation.unknown_requests(engine)
    assert (doubt.n, doubt.status, doubt.detail, doubt.armed_at) == (3, 504, "504", now)
    assert settle(engine, now, doubt.id, sent, "Mia") == 3
    assert (states(engine), reconciliation.unknown_requests(engine)) == ({then: 3}, [])
    with pytest.raises(NotUnknown, match="unknown list"):
        settle(engine, now, doubt.id, sent, "Mia")
    with database.reading(engine) as session:
        from models import Attempt

        assert session.get(Attempt, doubt.id).detail == f"504; Mia: it was {'sent' if sent else 'not sent'}"
    if not sent:
        assert message(engine, 0)["detail"] == "Mia: it was not sent"
        assert outbox.deliver(engine, lambda: now, channel, composer(tmp_path)).accepted == 3
