"""Send to those who are missing: once, only where the reason is gone, never to somebody who may have the letter."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from sqlmodel import col

from models import Address, CampaignVersion, Contact, Message
from nurture.rules.delivery.states import Answer, Verdict
from nurture.runtime import database
from tasks.delivery import outbox
from tasks.delivery.resend import Replanned, missing
from tests.support.outbox import FILES, TERMS, Told, composer, fill, message, states

OUT = ["unsubscribed", "no_consent", "not_rendered", "sandbox", "holdout", "refused_by_provider"]


def leave_out(engine: Engine, reasons: list[str], state: str = "skipped") -> None:
    with database.writing(engine) as session:
        for i, reason in enumerate(reasons):
            change = {"state": state, "reason": reason, "tries": 3}
            session.execute(update(Message).where(col(Message.address) == f"p{i}@home.example").values(**change))


def test_whoever_was_left_out_for_a_reason_that_is_gone_gets_it_once(
    engine: Engine, now: datetime, tmp_path: Path
) -> None:
    version = fill(engine, now, 10)
    leave_out(engine, OUT)
    office, channel = composer(tmp_path), Told()
    with database.writing(engine) as session:
        session.execute(update(Contact).where(col(Contact.address) == "p1@home.example").values(consent="unknown"))
    assert outbox.deliver(engine, lambda: now, channel, office).accepted == 4
    assert missing(engine, now, office, version, 0) == Replanned(waiting=4, still_out=1)
    assert missing(engine, now, office, version, 0) == Replanned(waiting=0, still_out=1)
    assert outbox.deliver(engine, lambda: now, channel, office).accepted == 4
    assert sorted(channel.people) == sorted(f"p{i}@home.example" for i in range(10) if i not in (1, 4))
    assert (message(engine, 1)["reason"], message(engine, 4)["reason"]) == ("no_consent", "holdout")


def test_whoever_may_have_it_is_left_alone(engine: Engine, now: datetime, tmp_path: Path) -> None:
    version = fill(engine, now, 5)
    office = composer(tmp_path)
    outbox.deliver(engine, lambda: now, Told([Answer(Verdict.UNKNOWN, 504)]), office)
    assert missing(engine, now, office, version, 0) == Replanned()
    assert states(engine) == {"unknown": 5}


def test_a_suppression_that_stands_still_counts(engine: Engine, now: datetime, tmp_path: Path) -> None:
    version = fill(engine, now, 2)
    leave_out(engine, ["unsubscribed", "unsubscribed"])
    with database.writing(engine) as session:
        left = {"suppressed_at": now, "suppressed_why": "unsubscribe"}
        session.execute(update(Address).where(col(Address.address) == "p0@home.example").values(**left))
    assert missing(engine, now, composer(tmp_path), version, 0) == Replanned(waiting=1, still_out=1)
    assert states(engine) == {"skipped": 1, "waiting": 1}


@pytest.mark.parametrize(("ends_on", "again"), [(date(2026, 3, 1), 0), (date(2026, 3, 3), 3)])
def test_an_expired_letter_counts_anew_but_not_an_offer_that_is_over(
    engine: Engine, now: datetime, tmp_path: Path, ends_on: date, again: int
) -> None:
    version = fill(engine, now - timedelta(days=20), 3)
    leave_out(engine, ["expired"] * 3)
    offer = TERMS.replace("[hours]", f'[offer]\ncode = "SPRING"\npercent = 15\nends_on = {ends_on}\n[hours]')
    with database.writing(engine) as session:
        session.execute(update(CampaignVersion).values(files=FILES | {"test/campaign.toml": offer}))
    assert missing(engine, now, composer(tmp_path), version, 0).waiting == again
    if again:
        assert message(engine, 0)["not_after"] == datetime.fromisoformat("2026-03-03T22:59:59+00:00")


def test_another_step_or_version_is_not_touched(engine: Engine, now: datetime, tmp_path: Path) -> None:
    version = fill(engine, now, 2)
    leave_out(engine, ["sandbox"] * 2)
    office = composer(tmp_path)
    assert missing(engine, now, office, version, 1) == missing(engine, now, office, version + 1, 0) == Replanned()
