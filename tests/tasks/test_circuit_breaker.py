"""Brakes: small steps after a doubt, a daily limit that grows, and complaints that end a campaign."""

from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update
from sqlmodel import col

from models import Message
from models import campaign as kept
from models.send_pause import EVERYTHING, PauseScope, pause_sending, resume_sending, send_pauses
from nurture.rules.delivery import circuit_breaker
from nurture.rules.delivery.circuit_breaker import Level, allowed_on, health, size_after_unknown
from nurture.rules.delivery.states import Answer, Verdict
from nurture.runtime import database
from nurture.runtime.settings import Settings
from tasks.delivery import claims, dispatch, outbox
from tasks.delivery.worker import DeliveryWorker
from tests.support.outbox import FILES, TERMS, Told, composer, fill, message, states

DOUBT = Answer(Verdict.UNKNOWN, 504, detail="504")


def test_after_a_doubt_one_then_ten_then_a_hundred_then_as_usual() -> None:
    assert [size_after_unknown(n, 1_000) for n in (None, 0, 1, 2, 3, 99)] == [1_000, 1, 10, 100, 1_000, 1_000]
    assert size_after_unknown(2, 50) == 50


@pytest.mark.parametrize(
    ("accepted", "complained", "bounced", "level"),
    [
        (10_000, 0, 0, Level.FINE), (10_000, 7, 0, Level.FINE), (10_000, 8, 0, Level.WARN), (499, 499, 0, Level.FINE),
        (10_000, 10, 0, Level.PAUSE), (10_000, 30, 0, Level.STOP), (10_000, 8, 500, Level.PAUSE),
        (10_000, 30, 200, Level.STOP), (600, 1, 0, Level.WARN), (600, 2, 0, Level.WARN), (600, 3, 0, Level.STOP),
    ],
)  # fmt: skip
def test_complaints_and_bounces_weigh_by_what_was_accepted(accepted, complained, bounced, level) -> None:
    assert health(accepted, complained, bounced).level is level


def test_the_sentence_has_the_figures() -> None:
    assert health(10_000, 12, 0).sentence == "12 of 10,000 readers marked the letter as spam"


@pytest.mark.parametrize(
    ("day", "most"), [(1, 0), (2, 50), (3, 100), (4, 400), (5, 400), (30, 400)]
)  # the plan's third day would be 500: the daily limit is less
def test_a_young_domain_warms_up_day_by_day(day: int, most: int) -> None:
    assert allowed_on(date(2026, 3, day), date(2026, 3, 2), (50, 100, 500), 400) == most


def test_without_plan_and_limit_there_is_none() -> None:
    assert allowed_on(date(2026, 3, 2), None, (), None) is None


def run(engine: Engine, now: datetime, channel: Told, folder: Path, **ours) -> outbox.Delivered:
    office = composer(folder)
    office.settings = Settings(var=folder, **ours)
    return outbox.deliver(engine, lambda: now, channel, office)


def test_the_requests_after_a_doubt_are_small(engine: Engine, now: datetime, tmp_path: Path) -> None:
    fill(engine, now, 250)
    channel = Told([DOUBT], most=60)
    run(engine, now, channel, tmp_path)
    assert [len(request) for request in channel.offered] == [60, 1, 10, 60, 60, 59]
    assert states(engine) == {"unknown": 60, "accepted": 190}


def test_a_storm_costs_a_handful_not_the_outbox(engine: Engine, now: datetime, tmp_path: Path) -> None:
    fill(engine, now, 250)
    channel = Told([DOUBT] * 8, most=60)
    run(engine, now, channel, tmp_path)
    assert states(engine)["unknown"] == 67


def test_too_much_in_doubt_calls_a_person(engine: Engine, now: datetime, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(circuit_breaker, "MOST_UNKNOWN", 50)
    fill(engine, now, 250)
    channel = Told([DOUBT], most=50)
    done = run(engine, now, channel, tmp_path)
    assert "nobody knows" in done.stopped
    assert states(engine) == {"unknown": 50, "waiting": 200}
    with database.writing(engine) as session:
        assert resume_sending(session, EVERYTHING)
    assert run(engine, now, channel, tmp_path).requests == 0  # nothing was settled: it stops again


def test_a_daily_limit_leaves_the_rest_for_tomorrow(engine: Engine, now: datetime, tmp_path: Path) -> None:
    fill(engine, now, 250)
    channel = Told(most=60)
    assert run(engine, now, channel, tmp_path, daily_limit=100).accepted == 100
    assert run(engine, now + timedelta(hours=8), channel, tmp_path, daily_limit=100).accepted == 0
    assert run(engine, now + timedelta(days=1), channel, tmp_path, daily_limit=100).accepted == 100


def test_the_warm_up_plan_counts_what_may_have_been_sent(engine: Engine, now: datetime, tmp_path: Path) -> None:
    fill(engine, now, 250)
    plan = {"warm_up_began": now.date(), "warm_up": [20, 100]}
    assert run(engine, now, Told([DOUBT]), tmp_path, **plan).unknown == 20
    assert run(engine, now, Told(), tmp_path, **plan).requests == 0
    assert run(engine, now + timedelta(days=1), Told(), tmp_path, **plan).accepted == 100


def test_complaints_pause_the_campaign_and_say_so(engine: Engine, now: datetime, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(circuit_breaker, "ENOUGH", 100)
    fill(engine, now, 250)
    channel = Told(most=60)
    assert outbox.deliver(engine, lambda: now, channel, composer(tmp_path), 120).accepted == 120
    with database.writing(engine) as session:
        heard = {"outcome": "complained", "outcome_at": now}
        angry = [message(engine, i)["id"] for i in (3, 4, 5)]
        session.execute(update(Message).where(col(Message.id).in_(angry)).values(**heard))
    assert run(engine, now, channel, tmp_path).requests == 0
    with database.reading(engine) as session:
        found = send_pauses(session).why_of
    scopes = [PauseScope.campaign("test"), PauseScope.domain("mail.brunnhold.example")]
    assert found == dict.fromkeys(scopes, "stop: 3 of 120 readers marked the letter as spam")


OTHER = FILES | {"test/campaign.toml": TERMS + '[sender]\nname = "Zoë"\nemail = "zoe@News.Example"\n'}


def two_domains(engine: Engine, now: datetime, n: int) -> None:
    """Half of the people are written to from news.example, by a second version; the others from our usual domain."""
    fill(engine, now, 2 * n)
    with database.writing(engine) as session:
        of = kept.CampaignTerms("other", "Other", "b2c")
        files = {path.replace("test/", "other/"): text for path, text in OTHER.items()}
        version, _ = kept.publish(session, of, "d", files, "me", now)
        half = [message(engine, i)["id"] for i in range(n)]
        there = {"campaign": "other", "version_id": version}
        session.execute(update(Message).where(col(Message.id).in_(half)).values(**there))


def accepted_from(channel: Told) -> dict[str, int]:
    return Counter(e.from_email.rpartition("@")[2].lower() for request in channel.offered for e in request)


def test_each_sending_domain_has_its_own_plan(engine: Engine, now: datetime, tmp_path: Path) -> None:
    two_domains(engine, now, 60)
    young = {"domains": {"news.example": {"warm_up": [20, 30], "warm_up_began": now.date(), "daily_limit": 40}}}
    channel = Told(most=50)
    assert run(engine, now, channel, tmp_path, **young).accepted == 80
    assert accepted_from(channel) == {"news.example": 20, "mail.brunnhold.example": 60}
    assert run(engine, now, channel, tmp_path, **young).requests == 0
    assert run(engine, now + timedelta(days=1), channel, tmp_path, **young).accepted == 30
    assert run(engine, now + timedelta(days=2), channel, tmp_path, **young).accepted == 10


def test_a_pause_of_its_domain_stops_what_is_claimed_already(engine: Engine, now: datetime, tmp_path: Path) -> None:
    fill(engine, now, 3)
    office, channel = composer(tmp_path), Told()
    claimed = claims.claim(DeliveryWorker(engine, lambda: now, channel, office, "worker"))
    assert claimed is not None
    with database.writing(engine) as session:
        pause_sending(session, PauseScope.domain("mail.brunnhold.example"), "angry readers", "Mia", now)
    assert dispatch.send(DeliveryWorker(engine, lambda: now, channel, office, "worker"), claimed).put_off == 3
    assert (channel.offered, message(engine, 0)["detail"]) == ([], "sending is paused: angry readers")


def test_a_domain_that_readers_complain_of_is_paused_and_the_other_goes_on(
    engine: Engine, now: datetime, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(circuit_breaker, "ENOUGH", 20)
    two_domains(engine, now, 60)
    few = {"domains": {d: {"daily_limit": 30} for d in ("news.example", "mail.brunnhold.example")}}
    assert run(engine, now, Told(), tmp_path, **few).accepted == 60
    with database.writing(engine) as session:
        theirs = select(col(Message.id)).where(col(Message.campaign) == "other", col(Message.state) == "accepted")
        angry = session.execute(theirs.limit(3)).scalars().all()
        heard = {"outcome": "complained", "outcome_at": now}
        session.execute(update(Message).where(col(Message.id).in_(angry)).values(**heard))
    channel = Told()
    assert run(engine, now, channel, tmp_path).accepted == 30
    assert accepted_from(channel) == {"mail.brunnhold.example": 30}
    later = now + timedelta(hours=2)  # nobody has complained since
    with database.writing(engine) as session:
        assert resume_sending(session, PauseScope.campaign("other"))
    assert run(engine, later, channel, tmp_path).requests == 0  # its domain is still paused
    with database.writing(engine) as session:
        assert resume_sending(session, PauseScope.domain("news.example"))
    assert run(engine, later, channel, tmp_path).accepted == 30
