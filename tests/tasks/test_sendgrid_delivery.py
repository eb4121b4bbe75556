"""The outbox leaves through SendGrid: shared requests, several at once, and nobody is written to twice."""

import gc
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from sqlmodel import col

from models import Address, Attempt, CampaignVersion, Contact, Message
from models.queries import request_evidence, request_steps
from nurture.channels.sendgrid.channel import SendGrid
from nurture.rules.delivery.states import CLAIM_LEASE
from nurture.runtime import database
from nurture.runtime.settings import Settings
from tasks.delivery import claims, dispatch, outbox
from tasks.delivery.concurrency import Senders, seldom_collected
from tasks.delivery.worker import DeliveryWorker
from tests.doubles.sendgrid import SendGridDouble
from tests.support.outbox import FILES, composer, fill, message, states

SPANISH = {
    "test/offer/subject.es.txt": "Para {{ person.name }}",
    "test/offer/body.es.txt": "Hola {{ person.first_name }}\n{{ company.postal_address }}\n{{ unsubscribe_url }}",
    "test/offer/body.es.html": "<p>Hola {{ person.first_name }}</p>{{ company.postal_address }} {{ unsubscribe_url }}",
}


@pytest.fixture
def sg() -> Iterator[SendGridDouble]:
    with SendGridDouble() as double:
        yield double


def channel(sg: SendGridDouble, **more: Any) -> SendGrid:
    return SendGrid(Settings(SENDGRID_API_KEY=sg.api_key, SENDGRID_HOST=sg.url, **more), deadline=2)


def two_languages(engine: Engine, now: datetime, n: int) -> None:
    fill(engine, now, n)
    with database.writing(engine) as session:
        session.execute(update(CampaignVersion).values(files=FILES | SPANISH))
        session.execute(update(Contact).where(col(Contact.id) % 3 == 0).values(locale="es"))


def every_attempt(engine: Engine) -> list[Any]:
    with database.reading(engine) as session:
        return list(session.execute(select(*Attempt.__table__.c)).mappings())  # type: ignore[attr-defined]


def test_letters_of_two_kinds_leave_in_two_requests_each_with_its_attempt(
    engine: Engine, now: datetime, tmp_path: Path, sg: SendGridDouble
) -> None:
    two_languages(engine, now, 90)
    done = outbox.deliver(engine, lambda: now, channel(sg), composer(tmp_path))
    assert (done.accepted, done.requests, states(engine)) == (90, 2, {"accepted": 90})
    assert Counter(letter.text.split()[0] for letter in sg.accepted) == {"Hello": 60, "Hola": 30}
    taken = {attempt["id"]: attempt for attempt in every_attempt(engine)}
    assert sorted(attempt["n"] for attempt in taken.values()) == [30, 60]
    for letter in sg.accepted:
        attempt = taken[letter.custom_args["nt_attempt"]]
        assert (attempt["state"], attempt["provider_id"]) == ("accepted", letter.message_id)
    with database.reading(engine) as session:
        carried = dict(session.execute(select(col(Message.id), col(Message.attempt_id))).tuples().all())
    assert {letter.custom_args["nt_message"]: letter.custom_args["nt_attempt"] for letter in sg.accepted} == {
        str(message_id): attempt_id for message_id, attempt_id in carried.items()
    }


def test_whoever_cannot_share_a_request_gets_one_of_their_own_and_the_attempt_says_why(
    engine: Engine, now: datetime, tmp_path: Path, sg: SendGridDouble
) -> None:
    fill(engine, now, 20)
    with database.writing(engine) as session:
        session.execute(update(Contact).where(col(Contact.address) == "p7@home.example").values(first_name="nt0001"))
    assert outbox.deliver(engine, lambda: now, channel(sg), composer(tmp_path)).requests == 2
    assert sg.to("p7@home.example")[0].text.startswith("Hello nt0001\n")
    with database.reading(engine) as session:
        assert (
            request_evidence.why_alone(session, message(engine, 7)["id"]) == "a value in it looks like one of our tags"
        )
        assert request_evidence.why_alone(session, message(engine, 8)["id"]) is None


FAULTS = {
    "accept_then_cut": 0.1,
    "500": 0.1,
    "429": 0.1,
    "refuse_recipient": 0.1,
    "truncated": 0.1,
    "read_then_cut": 0.05,
}


@pytest.mark.parametrize("seed", range(3))
def test_with_every_fault_at_once_nobody_gets_two_and_the_ledger_adds_up(
    engine: Engine, now: datetime, tmp_path: Path, seed: int
) -> None:
    two_languages(engine, now, 300)
    office = composer(tmp_path)
    with SendGridDouble(seed=seed, mix=FAULTS) as sg:
        sender = channel(sg, sendgrid_batch=20)
        for run in range(60):
            outbox.deliver(engine, lambda run=run: now + run * timedelta(minutes=30), sender, office)
        found = states(engine)
        assert set(found) <= {"accepted", "refused", "unknown"}
        assert sum(found.values()) == 300
        taken = Counter(letter.to for letter in sg.accepted)
        assert max(taken.values()) == 1
        assert found["accepted"] <= len(taken) <= found["accepted"] + found.get("unknown", 0)
        with database.reading(engine) as session:
            accepted = session.execute(select(col(Message.address)).where(col(Message.state) == "accepted")).scalars()
            assert set(accepted) <= set(taken)


def test_a_bad_key_gives_everything_claimed_back_at_once(
    engine: Engine, now: datetime, tmp_path: Path, sg: SendGridDouble
) -> None:
    two_languages(engine, now, 300)
    sg.faults.script(["401"] * 4)
    done = outbox.deliver(engine, lambda: now, channel(sg, sendgrid_batch=20, sendgrid_requests=4), composer(tmp_path))
    assert "SENDGRID_API_KEY" in done.stopped
    assert states(engine) == {"waiting": 300}
    assert done.requests <= 4
    assert {attempt["state"] for attempt in every_attempt(engine)} <= {"rejected", "released", "void"}


def test_the_sandbox_sends_nothing_and_asks_nobody_twice(
    engine: Engine, now: datetime, tmp_path: Path, sg: SendGridDouble
) -> None:
    fill(engine, now, 30)
    sender = channel(sg, SENDGRID_SANDBOX=True)
    for _ in range(2):
        assert outbox.deliver(engine, lambda: now, sender, composer(tmp_path)).accepted == 0
    assert (states(engine), sg.accepted, sg.sandboxed) == ({"skipped": 30}, [], 30)
    assert message(engine, 3)["reason"] == "sandbox"


def test_a_lease_that_is_over_cannot_be_split_or_renewed(
    engine: Engine, now: datetime, tmp_path: Path, sg: SendGridDouble
) -> None:
    fill(engine, now, 30)
    with database.writing(engine) as session:  # whose letter needs a request of its own
        session.execute(update(Contact).where(col(Contact.address) == "p7@home.example").values(first_name="nt0001"))
    office, sender = composer(tmp_path), channel(sg)
    claimed = claims.claim(DeliveryWorker(engine, lambda: now, sender, office, "slow"))
    assert claimed is not None
    late = now + CLAIM_LEASE + timedelta(seconds=1)
    with database.writing(engine) as session:
        request_steps.renew_leases(session, [claimed.attempt_id], "slow", late, late + CLAIM_LEASE)
    loads, done = claims.write(DeliveryWorker(engine, lambda: late, sender, office, "slow"), claimed)
    assert (loads, done.accepted, len(every_attempt(engine))) == ([], 0, 1)
    assert outbox.deliver(engine, lambda: late, sender, office).accepted == 30


def test_a_worker_that_is_alive_keeps_what_it_holds(
    engine: Engine, now: datetime, tmp_path: Path, sg: SendGridDouble
) -> None:
    two_languages(engine, now, 30)
    office, sender = composer(tmp_path), channel(sg)
    claimed = claims.claim(DeliveryWorker(engine, lambda: now, sender, office, "alive"))
    assert claimed is not None
    loads, _ = claims.write(DeliveryWorker(engine, lambda: now, sender, office, "alive"), claimed)
    half = now + CLAIM_LEASE / 2
    claims.keep(DeliveryWorker(engine, lambda: half, sender, office, "alive"), loads[1:], half + CLAIM_LEASE)
    late = now + CLAIM_LEASE + timedelta(seconds=1)
    with database.writing(engine) as session:
        assert request_steps.reap(session, late) == (1, 0)  # the one that was not renewed
    assert [
        dispatch.offer(DeliveryWorker(engine, lambda: late, sender, office, "alive"), load).accepted for load in loads
    ] == [0, 10]


def test_each_part_of_a_split_batch_ends_on_its_own(
    engine: Engine, now: datetime, tmp_path: Path, sg: SendGridDouble
) -> None:
    two_languages(engine, now, 30)
    sg.faults.script(["accept_then_cut", "ok"])
    outbox.deliver(engine, lambda: now, channel(sg, sendgrid_requests=1), composer(tmp_path))
    assert states(engine) == {"unknown": 20, "accepted": 10}
    with database.reading(engine) as session:
        [(attempt_id, held)] = request_evidence.unknown_attempts(session, "sendgrid").items()
    assert len(held) == 20
    with database.writing(engine) as session:
        assert request_evidence.prove_accepted(session, [attempt_id], now) == (1, 0)
    assert states(engine) == {"accepted": 30}
    assert {attempt["state"] for attempt in every_attempt(engine)} == {"accepted", "released"}  # one was given back


def test_letters_that_go_one_by_one_leave_together_each_with_its_attempt(
    engine: Engine, now: datetime, tmp_path: Path, sg: SendGridDouble
) -> None:
    fill(engine, now, 40)
    sg.faults.script(["ok", "accept_then_cut", "429"])
    done = outbox.deliver(engine, lambda: now, channel(sg, sendgrid_batch=1, sendgrid_requests=8), composer(tmp_path))
    assert (done.unknown, done.put_off) == (1, 1)
    tried = [attempt for attempt in every_attempt(engine) if attempt["armed_at"]]
    assert {attempt["n"] for attempt in tried} == {1}
    assert len(sg.accepted) == len({letter.to for letter in sg.accepted}) == done.accepted + 1
    assert states(engine) == {"accepted": done.accepted, "unknown": 1, "waiting": 39 - done.accepted}


def test_whoever_leaves_between_claim_and_arming_drops_out_of_those_that_go_together(
    engine: Engine, now: datetime, tmp_path: Path, sg: SendGridDouble
) -> None:
    fill(engine, now, 6)
    office, sender = composer(tmp_path), channel(sg, sendgrid_batch=1, sendgrid_requests=8)
    claimed = claims.claim(DeliveryWorker(engine, lambda: now, sender, office, "worker"))
    assert claimed is not None
    loads, _ = claims.write(DeliveryWorker(engine, lambda: now, sender, office, "worker"), claimed)
    with database.writing(engine) as session:
        who = col(Address.address) == "p3@home.example"
        session.execute(update(Address).where(who).values(suppressed_at=now, suppressed_why="unsubscribe"))
        request_steps.give_back(session, [loads[0].attempt_id], "worker", now)  # and one is no longer ours
    with Senders[outbox.Delivered](8) as senders:
        done = dispatch.offer_together(DeliveryWorker(engine, lambda: now, sender, office, "worker"), loads, senders)
    assert (done.accepted, done.skipped, len(sg.accepted)) == (4, 1, 4)
    assert states(engine) == {"accepted": 4, "skipped": 1, "waiting": 1}


def test_what_fails_among_others_is_told_when_they_are_done() -> None:
    def fails() -> int:
        raise SystemExit("the power went")

    found: dict[int, int] = {}

    def collect(senders: Senders[int]) -> None:
        for some in senders.together([lambda: 1, fails, lambda: 3]):
            found.update(some)

    with Senders[int](4) as senders, pytest.raises(SystemExit):
        collect(senders)
    assert found == {0: 1, 2: 3}


def test_the_collector_is_as_before_when_a_run_is_over() -> None:
    found, usual = gc.get_threshold(), (700, 10, 10)
    gc.set_threshold(*usual)  # workers that died in other tests left it as it was in the middle of a run
    try:
        with seldom_collected():
            assert gc.get_threshold()[0] > usual[0]
        assert gc.get_threshold() == usual
    finally:
        gc.set_threshold(*found)
