"""Late is not gone: a letter that could not leave in time is passed over or sent late, and the sequence goes on."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import Engine

from models.send_pause import EVERYTHING, PauseScope, pause_sending
from nurture.explain.why import why
from nurture.rules.delivery.send_pauses import longer_by
from nurture.runtime import database
from tasks.delivery import outbox, send_pauses
from tasks.delivery.send_pauses import DueLetterCount, PassedOver
from tests.support import plain_campaigns
from tests.support.installation import Installation

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DOMAIN = "news.example"
SENDER = f'[sender]\nname = "We"\nemail = "we@{DOMAIN}"'


def pause(engine: Engine, scope: PauseScope, now: datetime) -> None:
    with database.writing(engine) as session:
        pause_sending(session, scope, "a wrong price", "Mia", now)


def deliver(at: Installation, moment: datetime) -> outbox.Delivered:
    at.set_time(moment)
    return at.deliver()


@pytest.fixture
def campaign(installation: Installation, now: datetime) -> int:
    """Zoë in a campaign of two letters, the first planned and due."""
    plain_campaigns.settle(installation.engine, now, {"zoe": None})
    version = plain_campaigns.publish(
        installation.engine, now, "pumps", "one", "two", top='expires_after = "P7D"', account=SENDER
    )
    assert plain_campaigns.morning(installation.engine, now, "pumps", version).planned == 1
    return version


@pytest.mark.parametrize("scope", [EVERYTHING, PauseScope.campaign("pumps"), PauseScope.domain(DOMAIN)], ids=str)
def test_nine_days_pause_costs_no_letter_of_a_week_and_the_sequence_goes_on(
    installation: Installation, now: datetime, campaign: int, scope: PauseScope
) -> None:
    engine, after = installation.engine, now + 9 * DAY
    pause(engine, scope, now)
    for days in (1, 8):
        assert deliver(installation, now + days * DAY) == outbox.Delivered()
    assert send_pauses.forecast(engine, scope, installation.composer, after).leave == {
        DueLetterCount("pumps", "one"): 1
    }
    assert send_pauses.resume(engine, scope, installation.composer, after)
    assert plain_campaigns.letters(engine, "not_after") == [(now + 16 * DAY,)]
    assert deliver(installation, after).accepted == 1
    assert plain_campaigns.morning(engine, after + 3 * DAY, "pumps", campaign).planned == 1
    assert plain_campaigns.letters(engine, "letter", "state") == [("one", "accepted"), ("two", "waiting")]


def test_two_pauses_at_once_count_each_hour_once(installation: Installation, now: datetime, campaign: int) -> None:
    engine, composer = installation.engine, installation.composer
    pumps = PauseScope.campaign("pumps")
    pause(engine, EVERYTHING, now)
    pause(engine, pumps, now + 4 * DAY)
    found = send_pauses.forecast(engine, EVERYTHING, composer, now + 6 * DAY)
    assert (found.still_paused, found.leave) == (1, {})
    assert send_pauses.resume(engine, EVERYTHING, composer, now + 6 * DAY)
    assert send_pauses.resume(engine, pumps, composer, now + 9 * DAY)
    assert not send_pauses.resume(engine, pumps, composer, now + 9 * DAY)
    assert plain_campaigns.letters(engine, "not_after") == [(now + (7 + 9) * DAY,)]


@pytest.mark.parametrize(
    ("since", "others", "days"),
    [(0, [], 9), (5, [], 4), (0, [4], 4), (4, [0], 0), (12, [], 0)],
    ids=["whole", "due later", "another begun later", "another begun before", "not due yet"],
)
def test_a_letter_lives_longer_by_the_time_a_pause_alone_kept_it(
    now: datetime, since: int, others: list[int], days: int
) -> None:
    begun = [now + other * DAY for other in others]
    assert longer_by(now, now + since * DAY, begun, now + 9 * DAY) == days * DAY
    assert longer_by(now + since * DAY, now, begun, now + 9 * DAY) == days * DAY


def test_an_outage_of_ours_passes_a_letter_over_and_the_sequence_goes_on(
    installation: Installation, now: datetime, campaign: int
) -> None:
    engine = installation.engine
    assert deliver(installation, now + 8 * DAY).skipped == 1
    assert plain_campaigns.letters(engine, "state", "reason") == [("skipped", "expired")]
    assert plain_campaigns.morning(engine, now + 8 * DAY, "pumps", campaign).planned == 1
    assert plain_campaigns.enrolments(engine, "state") == [("active",)]
    with database.reading(engine) as session:
        said = why(session, now + 8 * DAY, "zoe@a0.example", "pumps").sentence
    assert "could not leave in time" in said
    assert "offer" not in said


def test_a_step_that_says_so_is_sent_late(installation: Installation, now: datetime) -> None:
    plain_campaigns.settle(installation.engine, now, {"zoe": None})
    version = plain_campaigns.publish(installation.engine, now, "pumps", 'letter = "one"\nif_late = "send"')
    plain_campaigns.morning(installation.engine, now, "pumps", version)
    assert deliver(installation, now + 30 * DAY).accepted == 1


def test_resume_says_beforehand_what_an_offers_end_passes_over(installation: Installation, now: datetime) -> None:
    engine = installation.engine
    plain_campaigns.settle(engine, now, {"zoe": None, "ann": None})
    version = plain_campaigns.publish(
        engine, now, "sale", "one", "two", account='[offer]\ncode = "X"\nends_on = 2026-03-05'
    )
    plain_campaigns.morning(engine, now, "sale", version)
    pause(engine, EVERYTHING, now)
    found = send_pauses.forecast(engine, EVERYTHING, installation.composer, now + 9 * DAY)
    assert (found.leave, found.pass_over) == ({}, {PassedOver("sale", "one", "offer_over"): 2})
    assert send_pauses.resume(engine, EVERYTHING, installation.composer, now + 9 * DAY)
    assert deliver(installation, now + 9 * DAY).skipped == 2
    assert set(plain_campaigns.letters(engine, "reason", "detail")) == {("offer_over", "the offer ended on 5 March")}
    assert plain_campaigns.morning(engine, now + 9 * DAY, "sale", version).ended == 2


def test_a_cap_of_one_letter_a_week_makes_nobody_leave_either_campaign(
    installation: Installation, now: datetime
) -> None:
    """Two campaigns, each with two letters that live three days: some are passed over, and both are walked to the
    end."""
    engine = installation.engine
    plain_campaigns.settle(engine, now, {"zoe": None, "ann": None})
    top = 'max_per_person = 1\nper_days = 7\nexpires_after = "P3D"'
    versions = {slug: plain_campaigns.publish(engine, now, slug, "one", "two", top=top, account="exclusive = false")
                for slug in ("pumps", "valves")}  # fmt: skip
    for day in range(22):
        for slug, version in versions.items():
            plain_campaigns.morning(engine, now + day * DAY, slug, version)
        deliver(installation, now + day * DAY + HOUR)
    assert set(plain_campaigns.enrolments(engine, "state", "why")) == {("completed", "has had every letter")}
    letters = plain_campaigns.letters(engine, "address", "state", "reason", "accepted_at")
    assert len(letters) == 2 * 2 * 2
    assert {(state, reason) for _, state, reason, _ in letters} == {("accepted", None), ("skipped", "expired")}
    for person in {address for address, *_ in letters}:
        mailed = sorted(at for address, *_, at in letters if address == person and at)
        assert mailed
        assert all(later - earlier >= 7 * DAY for earlier, later in pairwise(mailed))
