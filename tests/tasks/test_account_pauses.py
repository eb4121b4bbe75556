"""An account that rests, a person who is away: nothing leaves, nothing is lost, and it goes on by itself."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from models import AccountPause, Activity
from models import account_pause as pauses
from nurture.explain.why import why
from nurture.runtime import database
from tests.support import plain_campaigns
from tests.support.installation import Installation
from tests.support.people import add
from tests.test_walk import ACCOUNTS

DAY = timedelta(days=1)


def rest(engine: Engine, account: int, until: datetime, now: datetime) -> int:
    with database.writing(engine) as session:
        return pauses.pause_account(session, account, until, "tender under way", "Sam", now)


def test_a_paused_account_is_not_written_to_and_goes_on_by_itself(installation: Installation, now: datetime) -> None:
    installation.import_csv("accounts", ACCOUNTS)
    installation.import_csv(
        "contacts", "email,account,first,last,title\nzoe@foo.example,foo,Zoë,O'Brien,Head of Maintenance\n"
    )
    installation.score()
    installation.publish("pump-efficiency")
    assert installation.plan("pump-efficiency").planned == 1
    assert (
        rest(installation.engine, 1, now + 20 * DAY, now) == 1
    )  # the letter that waited waits for the end of the pause
    assert installation.deliver().accepted == 0
    for days in (1, 10, 19):
        installation.set_time(now + days * DAY)
        assert (installation.deliver().accepted, installation.deliver().skipped) == (0, 0)
    installation.set_time(now + 21 * DAY)  # a Monday; three times as long as letters live: a pause loses nothing
    assert installation.deliver().accepted == 1
    assert installation.ledger().adds_up


def test_a_pause_of_this_very_moment_holds_a_letter_already_planned(installation: Installation, now: datetime) -> None:
    installation.import_csv("accounts", ACCOUNTS)
    installation.import_csv(
        "contacts", "email,account,first,last,title\nzoe@foo.example,foo,Zoë,O'Brien,Head of Maintenance\n"
    )
    installation.score()
    installation.publish("pump-efficiency")
    installation.plan("pump-efficiency")
    row = {"account_id": 1, "at": now, "until": now + 20 * DAY, "why": "tender", "by": "Sam"}
    add(installation.engine, AccountPause, row)  # committed between planning and claiming: nobody has told the outbox
    assert (installation.deliver().put_off, installation.deliver().accepted) == (1, 0)
    assert plain_campaigns.letters(installation.engine, "reason", "not_before", "not_after") == [
        ("account_paused", now + 20 * DAY, now + 27 * DAY)
    ]


def test_while_it_rests_nothing_is_planned_and_why_says_who_paused_it(engine: Engine, now: datetime) -> None:
    plain_campaigns.settle(engine, now, {"zoe": 1, "ann": 2})
    version = plain_campaigns.publish(engine, now, "pumps", "one")
    rest(engine, 1, now + 9 * DAY, now)
    done = plain_campaigns.morning(engine, now, "pumps", version)
    assert (done.planned, done.waiting) == (1, 1)
    with database.reading(engine) as session:
        assert why(session, now, "zoe@a1.example", "pumps").sentence == (
            "the next letter to Zoe waits: tender under way (Sam), until 11 March."
        )
    assert plain_campaigns.morning(engine, now + 9 * DAY, "pumps", version).planned == 1


def test_its_owner_may_end_a_pause_early(engine: Engine, now: datetime) -> None:
    plain_campaigns.settle(engine, now, {"zoe": 1})
    version = plain_campaigns.publish(engine, now, "pumps", "one")
    plain_campaigns.morning(engine, now, "pumps", version)
    rest(engine, 1, now + 9 * DAY, now)
    assert plain_campaigns.letters(engine, "reason") == [("account_paused",)]
    with database.writing(engine) as session:
        assert pauses.resume_account(session, 1, "Sam", now + DAY)
        assert not pauses.resume_account(session, 1, "Sam", now + DAY)
    assert plain_campaigns.letters(engine, "reason", "not_before") == [(None, now + DAY)]
    with database.reading(engine) as session:
        assert [(one.by, one.until) for one in pauses.pause_history(session, 1, [])] == [
            ("Sam", now + 9 * DAY), ("Sam", now + DAY)
        ]  # fmt: skip


@pytest.mark.parametrize(("said", "days"), [("Back on 16 March, in urgent cases call Ruth", 14), ("I am away.", 7)])
def test_who_is_out_of_office_gets_nothing_until_they_are_back(
    engine: Engine, now: datetime, said: str, days: int
) -> None:
    plain_campaigns.settle(engine, now, {"zoe": 1, "ann": 1})
    version = plain_campaigns.publish(engine, now, "pumps", "one", "two")
    plain_campaigns.morning(engine, now, "pumps", version)
    plain_campaigns.post(engine, now + timedelta(hours=1))
    heard = {"contact_id": 1, "account_id": 1, "kind": "out_of_office", "at": now + timedelta(hours=1)}
    add(engine, Activity, {"dedupe": 1, **heard, "detail": said})
    before, back = now + timedelta(days=days - 1), now + timedelta(days=days, hours=1)
    assert plain_campaigns.morning(engine, before, "pumps", version).planned == 1  # Ann's second
    assert plain_campaigns.morning(engine, back, "pumps", version).planned == 1  # and now Zoë's
    with database.reading(engine) as session:
        [noted] = pauses.pause_history(session, 1, ["zoe@a1.example"])
    assert (noted.by, noted.why) == ("automatic reply", "is out of office")


def test_a_letter_on_its_way_to_somebody_away_is_held_back(engine: Engine, now: datetime) -> None:
    plain_campaigns.settle(engine, now, {"zoe": 1})
    version = plain_campaigns.publish(engine, now, "pumps", "one")
    plain_campaigns.morning(engine, now, "pumps", version)
    add(engine, Activity, {"dedupe": 1, "contact_id": 1, "kind": "out_of_office", "at": now, "detail": "until 9 March"})
    plain_campaigns.morning(engine, now, "pumps", version)
    [(reason, not_before)] = plain_campaigns.letters(engine, "reason", "not_before")
    assert (reason, f"{not_before:%d %H:%M}") == ("away", "08 23:00")  # the morning of the 9th in Germany
