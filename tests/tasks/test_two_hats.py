"""One person, two hats: pressure counts once for both, no letter reaches them twice, and neither hat sees the other."""

import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, text, update
from sqlalchemy.exc import OperationalError

from models import Activity, Address, Contact, Message, Order, Segment
from models.queries import outbox as outbox_queries
from models.queries import person
from models.queries.recipients import recipients
from models.queries.suppression import suppress
from nurture.config import audience_predicate
from nurture.files import mapping
from nurture.rendering import letter_values
from nurture.runtime import database
from tasks.delivery import outbox
from tasks.intake import import_file
from tasks.segmentation import segment
from tests.support.outbox import Told, composer, fill, message, states
from tests.support.people import add


def at(i: int) -> str:
    return f"p{i}@home.example"


def are_one(engine: Engine, *pairs: tuple[int, int]) -> int:
    with database.writing(engine) as session:
        return person.are_one(session, [(at(one), at(other)) for one, other in pairs])


def whose(engine: Engine) -> dict[str, str | None]:
    with database.reading(engine) as session:
        return dict(session.execute(select(Address.address, Address.person)).tuples().all())


def had_letters(engine: Engine, now: datetime, i: int, n: int, days: float = 1) -> None:
    """Letters of other campaigns that reached an address."""
    for number in range(n):
        add(engine, Message, {
            "id": 1_000 + 10 * i + number, "campaign": "other", "version_id": 1, "step": 0, "letter": f"l{number}",
            "address": at(i), "state": "accepted", "planned_at": now, "not_before": now,
            "not_after": now, "accepted_at": now - timedelta(days=days),
        })  # fmt: skip


def run(engine: Engine, now: datetime, tmp_path: Path) -> list[str]:
    channel = Told()
    outbox.deliver(engine, lambda: now, channel, composer(tmp_path))
    return channel.people


def test_what_is_confirmed_adds_up_and_can_be_taken_back(engine: Engine, now: datetime) -> None:
    fill(engine, now, 5)
    assert are_one(engine, (3, 4)) == 2
    assert are_one(engine, (1, 2), (2, 3)) == 4
    assert are_one(engine, (4, 1)) == 0
    assert whose(engine) == {at(0): None, **dict.fromkeys((at(1), at(2), at(3), at(4)), at(1))}
    with database.writing(engine) as session:
        assert person.is_apart(session, at(1))
        assert person.addresses(session, at(4)) == [at(2), at(3), at(4)]
        assert person.is_apart(session, at(2))
        assert person.is_apart(session, at(3))
        assert not person.is_apart(session, at(3))
    assert set(whose(engine).values()) == {None}


def test_the_cap_counts_a_persons_addresses_together(engine: Engine, now: datetime, tmp_path: Path) -> None:
    fill(engine, now, 4)
    are_one(engine, (0, 9), (1, 8), (2, 7))
    had_letters(engine, now, 9, 3)
    had_letters(engine, now, 8, 2)
    had_letters(engine, now, 7, 3, days=8)  # longer ago than the cap looks
    assert sorted(run(engine, now, tmp_path)) == [at(1), at(2), at(3)]
    assert (message(engine, 0)["state"], message(engine, 0)["reason"]) == ("waiting", "frequency_cap")
    assert "3 letters in 7 days" in message(engine, 0)["detail"]


def test_no_letter_reaches_a_person_twice(engine: Engine, now: datetime, tmp_path: Path) -> None:
    fill(engine, now, 3)
    are_one(engine, (0, 1))
    assert sorted(run(engine, now, tmp_path)) == [at(0), at(2)]  # both were in one batch
    assert (message(engine, 1)["state"], message(engine, 1)["reason"]) == ("skipped", "had_elsewhere")
    with database.writing(engine) as session:
        session.execute(update(Message).where(Message.address == at(2)).values(state="waiting", accepted_at=None))
    are_one(engine, (0, 2))
    assert run(engine, now + timedelta(days=300), tmp_path) == []  # nor months later
    with database.writing(engine) as session:
        session.execute(update(Message).where(Message.address == at(2)).values(state="waiting", not_after=now))
    assert run(engine, now, tmp_path) == []
    assert message(engine, 2)["reason"] == "had_elsewhere"


def test_two_workers_cannot_both_take_a_persons_last_place(engine: Engine, now: datetime, tmp_path: Path) -> None:
    fill(engine, now, 2)
    with database.writing(engine) as session:  # two letters, so that two workers have them in two claims
        session.execute(update(Message).where(Message.address == at(1)).values(letter="offer", tries=1))
    are_one(engine, (0, 1))
    had_letters(engine, now, 1, 2)
    office, channels = composer(tmp_path), [Told(), Told()]
    workers = [
        threading.Thread(target=outbox.deliver, args=(engine, lambda: now, channel, office)) for channel in channels
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(channels[0].people + channels[1].people) == 1
    assert states(engine)["accepted"] == 3


def test_an_unsubscribe_stays_with_its_address(engine: Engine, now: datetime, tmp_path: Path) -> None:
    fill(engine, now, 2)
    are_one(engine, (0, 1))
    with database.writing(engine) as session:
        suppress(session, [at(0)], "unsubscribe", "unsubscribe page", now)
    assert run(engine, now, tmp_path) == [at(1)]


@pytest.fixture
def zoe(engine: Engine, now: datetime) -> None:
    """Contact 1 is Zoë at work, contact 2 the same address at home, who buys a lot."""
    fill(engine, now, 2)
    with database.writing(engine) as session:
        session.execute(update(Contact).where(Contact.id == 1).values(market="b2b", account_id=1, title="CFO"))
        session.execute(update(Message).where(Message.contact_id == 1).values(account_id=1))
        session.execute(update(Message).where(Message.contact_id == 2).values(address=at(0), letter="home"))
        session.execute(update(Contact).where(Contact.id == 2).values(address=at(0)))
    for n in range(5):
        add(engine, Order, {"key": f"o{n}", "contact_id": 2, "at": now - timedelta(days=n + 1), "amount_cents": 9_900})
    add(engine, Activity, {"dedupe": 1, "contact_id": 2, "kind": "email_click", "at": now - timedelta(days=1)})
    segment(engine, now)


def test_neither_hat_sees_what_the_other_bought_or_read(engine: Engine, now: datetime, zoe: None) -> None:
    with database.reading(engine) as session:
        rows = {
            row["contact_id"]: row
            for row in session.execute(audience_predicate.matching(session, now, "1 = 1")).mappings()
        }
        ids = list(session.execute(select(Message.id).order_by(Message.id)).scalars())
        readers = recipients(session, ids, now, days=7, caps=True)
    work, home = rows[1], rows[2]
    assert (home["shopper"], home["frequency"], home["clicks_30d"]) == ("champion", 5, 1)
    unseen = ("shopper", "recency_days", "frequency", "monetary", "clicks_30d", "days_since_activity")
    assert {name: work[name] for name in unseen} == {
        "shopper": None, "recency_days": None, "frequency": 0, "monetary": 0, "clicks_30d": 0,
        "days_since_activity": None,
    }  # fmt: skip
    assert all(home[name] is None for name in ("account_id", "account_name", "role", "opportunity_stage", "volume"))
    at_work, at_home = (
        letter_values(row.recipient, {}, "", now.date())
        for row in readers
    )  # fmt: skip
    assert (at_work["person"]["shopper"], at_home["person"]["shopper"]) == ("", "champion")
    assert (at_home["person"]["role"], at_home["account"]["name"]) == ("", "")
    assert at_work["account"]["name"]
    with database.reading(engine) as session:
        assert session.execute(select(Segment.frequency).where(Segment.contact_id == 1)).scalar() is None


def test_both_hats_share_one_cap(engine: Engine, now: datetime, zoe: None, tmp_path: Path) -> None:
    had_letters(engine, now, 0, 3)
    assert run(engine, now, tmp_path) == []
    assert states(engine) == {"waiting": 2, "accepted": 3}


PEOPLE = """
kind = "contacts"
market = "b2b"
consent = "granted"
columns = {email = "mail", first_name = "name", alias = "private"}
"""


def test_a_file_may_name_another_address(engine: Engine, now: datetime, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    rows: list[Any] = ["mail,name,private", "zoe@foo.example,Zoë,Zoe <ZOE@home.example>", "b@foo.example,Bo,",
                       "c@foo.example,Cy,nonsense"]  # fmt: skip
    file.write_text("\n".join(rows))
    done = import_file(engine, now, file, mapping.parse(PEOPLE), tmp_path)
    assert (done.created, done.incomplete) == (3, 1)
    assert whose(engine) == {"zoe@foo.example": "zoe@foo.example", "zoe@home.example": "zoe@foo.example",
                             "b@foo.example": None, "c@foo.example": None}  # fmt: skip
    assert import_file(engine, now, file, mapping.parse(PEOPLE), tmp_path).unchanged == 3


def test_workers_with_two_addresses_of_one_person_meet(engine: Engine, now: datetime) -> None:
    if engine.dialect.name == "sqlite":
        return  # one writer at a time, whoever they write to
    fill(engine, now, 4)
    are_one(engine, (1, 2))
    ids = [message(engine, i)["id"] for i in range(4)]
    with database.writing(engine) as first, database.writing(engine) as second:
        outbox_queries.lock_addresses_to_claim(first, [ids[1], ids[3]], caps=True, persons=True)
        second.execute(text("SET LOCAL lock_timeout = '100ms'"))
        outbox_queries.lock_addresses_to_claim(
            second, [ids[0]], caps=True, persons=True
        )  # somebody else's: no need to wait
        with pytest.raises(OperationalError, match="lock timeout"):
            outbox_queries.lock_addresses_to_claim(second, [ids[2]], caps=True, persons=True)
        second.rollback()
