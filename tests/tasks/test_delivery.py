"""The outbox leaves, once: what the channel answers, what workers that die leave behind, what forbids a letter."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update
from sqlmodel import col

from models import Account, Address, Attempt, AttemptItem, Contact, Message, State
from models.queries import request_evidence, request_steps
from models.queries.request_steps import NewAttempt
from models.send_pause import EVERYTHING, PauseScope, pause_sending, resume_sending
from nurture.channels.base import OutboundEmail
from nurture.channels.mailbox import MailboxChannel, path
from nurture.rules.delivery.states import ARMED_LEASE, CLAIM_LEASE, Answer, Verdict
from nurture.runtime import database
from tasks.delivery import claims, dispatch
from tasks.delivery import outbox as delivery
from tasks.delivery.worker import DeliveryWorker
from tests.support.outbox import Told, composer, fill, message, states

TAKEN = Answer(Verdict.TAKEN, 202, "id")


@pytest.fixture
def send(engine: Engine, now: datetime, tmp_path: Path):
    """send(channel, later) runs the outbox at now + later."""
    office = composer(tmp_path)
    return lambda channel, later=timedelta(0): delivery.deliver(engine, lambda: now + later, channel, office)


def test_every_message_leaves_once_however_often_the_outbox_runs(engine: Engine, now: datetime, send) -> None:
    fill(engine, now, 250)
    channel = Told()
    assert (send(channel).accepted, send(channel).accepted) == (250, 0)
    assert len(channel.people) == len(set(channel.people)) == 250
    assert [len(request) for request in channel.offered] == [100, 100, 50]
    assert states(engine) == {"accepted": 250}


def test_a_letter_has_its_reader_its_ids_and_the_one_click_headers(engine: Engine, now: datetime, send) -> None:
    fill(engine, now, 1)
    channel = Told()
    send(channel)
    [[email]] = channel.offered
    assert (email.subject, email.to_name) == ("For Zoë O'Brien", "Zoë O'Brien")
    assert email.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert email.headers["List-Unsubscribe"].startswith("<http://127.0.0.1:1/u/")
    assert email.custom_args == {"nt_message": str(message(engine, 0)["id"]), "nt_attempt": email.attempt_id}


def test_what_nobody_knows_is_held_and_never_sent_again_by_a_timer(engine: Engine, now: datetime, send) -> None:
    fill(engine, now, 3)
    channel = Told([Answer(Verdict.UNKNOWN, 500, detail="500 from the provider")])
    assert send(channel).unknown == 3
    for days in (1, 2, 6, 30):
        assert send(channel, timedelta(days=days)).accepted == 0
    assert states(engine) == {"unknown": 3}
    assert len(channel.offered) == 1


def test_an_event_proves_the_whole_request_accepted(engine: Engine, now: datetime, send) -> None:
    fill(engine, now, 3)
    channel = Told([Answer(Verdict.UNKNOWN, 504)])
    send(channel)
    with database.writing(engine) as session:
        assert request_evidence.prove_accepted(session, [channel.offered[0][0].attempt_id], now) == (1, 0)
    assert states(engine) == {"accepted": 3}


def test_busy_means_later_and_counts_as_no_try(engine: Engine, now: datetime, send) -> None:
    fill(engine, now, 5)
    channel = Told([Answer(Verdict.BUSY, 429, retry_at=now + timedelta(minutes=5), detail="429")])
    assert send(channel).put_off == 5
    assert send(channel, timedelta(minutes=4)).accepted == 0
    assert send(channel, timedelta(minutes=6)).accepted == 5
    assert message(engine, 0)["tries"] == 0


def test_whoever_the_provider_names_is_refused_alone(engine: Engine, now: datetime, send) -> None:
    fill(engine, now, 4)
    channel = Told([Answer(Verdict.REFUSED, 400, refused={2: "not an address"})])
    done = send(channel)
    assert (done.refused, done.accepted) == (1, 3)
    assert message(engine, 2)["detail"] == "not an address"
    assert states(engine) == {"refused": 1, "accepted": 3}


def test_a_poison_message_that_nobody_names_isolates_itself(engine: Engine, now: datetime, send) -> None:
    fill(engine, now, 64)

    def refuses_p7(emails: Sequence[OutboundEmail]) -> Answer:
        if any(email.to_email == "p7@home.example" for email in emails):
            return Answer(Verdict.REFUSED, 400, detail="something in this request is wrong")
        return TAKEN

    channel = Told([refuses_p7] * 100)
    done = send(channel)
    assert (done.accepted, done.refused) == (63, 1)
    assert message(engine, 7)["state"] == "refused"
    assert len(channel.people) - channel.people.count("p7@home.example") < 64 * 7  # halves, not one by one


def test_a_bad_key_stops_everything_and_says_what_to_do(engine: Engine, now: datetime, send) -> None:
    fill(engine, now, 250)
    channel = Told([Answer(Verdict.STOP, 401, detail="401: check SENDGRID_API_KEY")])
    done = send(channel)
    assert done.stopped == "401: check SENDGRID_API_KEY"
    assert send(channel, timedelta(hours=1)).requests == 0
    assert states(engine) == {"waiting": 250}
    with database.writing(engine) as session:
        assert resume_sending(session, EVERYTHING)
    assert send(channel, timedelta(hours=2)).accepted == 250


@pytest.mark.parametrize("scope", [EVERYTHING, PauseScope.campaign("test")], ids=str)
def test_a_pause_takes_effect_within_one_claim(engine: Engine, now: datetime, send, scope: str) -> None:
    fill(engine, now, 250)

    def pulled(_: Sequence[OutboundEmail]) -> Answer:
        with database.writing(engine) as session:
            pause_sending(session, scope, "the price is wrong", "Mia", now)
        return TAKEN

    assert send(Told([pulled])).accepted == 100
    assert states(engine) == {"accepted": 100, "waiting": 150}


def test_an_unsubscribe_between_claim_and_arm_is_heard(engine: Engine, now: datetime, tmp_path: Path) -> None:
    fill(engine, now, 2)
    office, channel = composer(tmp_path), Told()
    claimed = claims.claim(DeliveryWorker(engine, lambda: now, channel, office, "worker"))
    assert claimed is not None
    with database.writing(engine) as session:
        session.execute(
            update(Address)
            .where(col(Address.address) == "p0@home.example")
            .values(suppressed_at=now, suppressed_why="unsubscribe")
        )
    done = dispatch.send(DeliveryWorker(engine, lambda: now, channel, office, "worker"), claimed)
    assert (done.accepted, done.skipped, channel.people) == (1, 1, ["p1@home.example"])
    assert message(engine, 0)["reason"] == "unsubscribed"


def test_a_worker_that_died_before_arming_gives_its_messages_back(
    engine: Engine, now: datetime, tmp_path: Path, send
) -> None:
    fill(engine, now, 2)
    office, channel = composer(tmp_path), Told()
    claimed = claims.claim(DeliveryWorker(engine, lambda: now, channel, office, "dead"))
    assert claimed is not None
    assert send(channel).accepted == 0  # its lease holds
    later = CLAIM_LEASE + timedelta(seconds=1)
    assert send(channel, later).accepted == 2
    zombie = dispatch.send(
        DeliveryWorker(engine, lambda: now + later, channel, office, "dead"), claimed
    )  # it wakes: the fence is shut
    assert (zombie.accepted, len(channel.people)) == (0, 2)


def test_a_worker_that_died_after_arming_leaves_unknowns_never_waiting(
    engine: Engine, now: datetime, tmp_path: Path, send
) -> None:
    fill(engine, now, 2)

    def dies(_: Sequence[OutboundEmail]) -> Answer:
        raise SystemExit

    with pytest.raises(SystemExit):
        send(Told([dies]))
    channel = Told()
    assert send(channel, ARMED_LEASE + timedelta(seconds=1)).unknown_requests == 1
    assert (states(engine), channel.offered) == ({"unknown": 2}, [])


def test_a_late_answer_never_takes_back_what_an_event_proved(engine: Engine, now: datetime, send) -> None:
    fill(engine, now, 1)

    def proved_meanwhile(emails: Sequence[OutboundEmail]) -> Answer:
        with database.writing(engine) as session:
            request_evidence.prove_accepted(session, [emails[0].attempt_id], now)
        return Answer(Verdict.REFUSED, 400, detail="late")

    send(Told([proved_meanwhile]))
    assert states(engine) == {"accepted": 1}


def test_an_event_for_a_request_ruled_out_stops_the_second_copy(engine: Engine, now: datetime, send) -> None:
    fill(engine, now, 2)
    channel = Told([Answer(Verdict.BUSY, 429, retry_at=now + timedelta(minutes=5))])
    send(channel)
    with database.writing(engine) as session:
        assert request_evidence.prove_accepted(session, [channel.offered[0][0].attempt_id], now) == (0, 1)
    assert send(channel, timedelta(hours=1)).accepted == 0
    assert states(engine) == {"accepted": 2}


def test_an_expired_letter_never_leaves(engine: Engine, now: datetime, send) -> None:
    fill(engine, now, 2)
    channel = Told()
    assert send(channel, timedelta(days=8)).skipped == 2
    assert (channel.offered, message(engine, 0)["reason"]) == ([], "expired")


@pytest.mark.parametrize(
    ("table", "change", "reason"),
    [
        (Contact, {"consent": "withdrawn"}, "no_consent"),
        (Address, {"suppressed_why": "complaint"}, "complained"),
        (Address, {"suppressed_why": "bounce"}, "bounced"),
    ],
)
def test_what_changed_since_planning_is_seen_in_the_claim(
    engine: Engine, now: datetime, send, table, change, reason
) -> None:
    fill(engine, now, 2)
    with database.writing(engine) as session:
        session.execute(update(table).where(table.address == "p0@home.example").values(**change))
    done = send(Told())
    assert (done.accepted, done.skipped, message(engine, 0)["reason"]) == (1, 1, reason)


def test_a_person_who_has_had_enough_lately_waits_for_tomorrow(engine: Engine, now: datetime, send) -> None:
    version = fill(engine, now, 1)
    with database.writing(engine) as session:
        had = {
            "campaign": "other",
            "version_id": version,
            "step": 0,
            "address": "p0@home.example",
            "state": "accepted",
            "planned_at": now,
            "not_before": now,
            "not_after": now,
            "accepted_at": now - timedelta(days=2),
        }
        for letter in "abc":
            session.add(Message(letter=letter, **had))
    assert send(Told()).put_off == 1
    assert message(engine, 0)["reason"] == "frequency_cap"
    assert send(Told(), timedelta(days=1, minutes=1)).put_off == 1
    assert send(Told(), timedelta(days=5, hours=1)).accepted == 1


def test_a_letter_that_cannot_be_written_is_put_aside_with_file_and_line(
    engine: Engine, now: datetime, tmp_path: Path
) -> None:
    fill(engine, now, 1)
    from tests.support import outbox

    broken = dict(outbox.FILES) | {"test/offer/body.txt": "Hello {{ person.nickname }}"}
    with database.writing(engine) as session:
        from models import CampaignVersion

        session.execute(update(CampaignVersion).values(files=broken))
    done = delivery.deliver(engine, lambda: now, Told(), composer(tmp_path))
    assert (done.skipped, message(engine, 0)["reason"]) == (1, "not_rendered")
    assert "test/offer/body.txt:1" in message(engine, 0)["detail"]


def test_two_workers_never_offer_one_person_twice(engine: Engine, now: datetime, tmp_path: Path) -> None:
    fill(engine, now, 400)
    channels = [Told(most=20), Told(most=20), Told(most=20)]
    threads = [
        threading.Thread(target=delivery.deliver.function, args=(engine, lambda: now, channel, composer(tmp_path)))
        for channel in channels
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    people = [person for channel in channels for person in channel.people]
    assert len(people) == len(set(people)) == 400
    assert states(engine) == {"accepted": 400}


def test_the_database_itself_forbids_a_second_copy_and_a_second_live_attempt(engine: Engine, now: datetime) -> None:
    from sqlalchemy.exc import IntegrityError

    version = fill(engine, now, 1)
    assert fill(engine, now, 1) == version  # planning again writes nothing
    assert states(engine) == {"waiting": 1}
    row = NewAttempt("w", "told", "test", version, "offer", None, now, now)
    with database.writing(engine) as session:
        request_steps.open_attempts(session, row, {"a": [message(engine, 0)["id"]]})
    with pytest.raises(IntegrityError), database.writing(engine) as session:
        request_steps.open_attempts(session, row, {"b": [1]})


def test_the_mailbox_writes_real_mails_and_can_tell_what_it_took(engine: Engine, now: datetime, tmp_path: Path) -> None:
    import email
    from email import policy

    fill(engine, now, 3)
    office, box = composer(tmp_path), MailboxChannel(tmp_path / "mailbox")
    assert delivery.deliver(engine, lambda: now, box, office).accepted == 3
    mail = email.message_from_bytes(path(box.folder, message(engine, 1)["id"]).read_bytes(), policy=policy.default)
    assert mail["To"] == "Zoë O'Brien <p1@home.example>"
    assert mail.get_body(("plain",)).get_content().startswith("Hello Zoë")
    assert "<p>Hello Zoë" in mail.get_body(("html",)).get_content()


def test_unknowns_of_the_mailbox_settle_by_looking(engine: Engine, now: datetime, tmp_path: Path) -> None:
    fill(engine, now, 3)
    office, box = composer(tmp_path), MailboxChannel(tmp_path / "mailbox")

    class Dying(MailboxChannel):
        def send(self, emails, still_armed, now, scheduled=None):
            super().send(emails[:2], still_armed, now)
            raise SystemExit  # the power goes after two of three files

    with pytest.raises(SystemExit):
        delivery.deliver(engine, lambda: now, Dying(box.folder), office)
    later = now + ARMED_LEASE + timedelta(seconds=1)
    assert delivery.deliver(engine, lambda: later, box, office).accepted == 1
    assert states(engine) == {"accepted": 3}


def test_every_item_of_an_ended_attempt_is_at_rest(engine: Engine, now: datetime, send) -> None:
    fill(engine, now, 4)
    send(Told([Answer(Verdict.BUSY, 429, retry_at=now)]))
    send(Told(), timedelta(minutes=2))
    with database.reading(engine) as session:
        live = session.execute(
            select(col(Attempt.state), col(AttemptItem.live)).join(Attempt, col(Attempt.id) == AttemptItem.attempt_id)
        )
        assert sorted(live.all()) == [("accepted", 1)] * 4 + [("rejected", 0)] * 4


def test_colleagues_beyond_the_cap_wait_for_tomorrow(engine: Engine, now: datetime, tmp_path: Path) -> None:
    from models import CampaignVersion
    from tests.support import outbox

    fill(engine, now, 5)
    terms = outbox.TERMS.replace("b2c", "b2b").replace("[hours]", "[account]\nmax_contacts_per_day = 2\n[hours]")
    with database.writing(engine) as session:
        session.execute(update(CampaignVersion).values(files=outbox.FILES | {"test/campaign.toml": terms}))
        account = session.execute(select(col(Account.id))).scalar()
        session.execute(update(Message).values(account_id=account))
    office, channel = composer(tmp_path), Told(most=1)
    assert delivery.deliver(engine, lambda: now, channel, office).accepted == 2
    assert delivery.deliver(engine, lambda: now + timedelta(hours=2), channel, office).accepted == 0
    assert delivery.deliver(engine, lambda: now + timedelta(days=1, hours=1), channel, office).accepted == 2
    assert states(engine) == {State.ACCEPTED: 4, State.WAITING: 1}
