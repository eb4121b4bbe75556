"""What the double of SendGrid remembers: suppressions, logs, letters for later and the batches that stop them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.doubles.sendgrid import SendGridDouble, delivers, read_journal
from tests.doubles.sendgrid.asking import Ear, crowd, fields, get, listening, mail, post

HOUR = timedelta(hours=1)


def test_a_suppressed_address_is_accepted_and_then_dropped() -> None:
    ear = Ear()
    with listening(ear, react=delivers) as sg:
        path = "/v3/asm/suppressions/global"
        pushed = post(sg, {"recipient_emails": ["lead@example.com"]}, path=path)
        assert (pushed.status_code, pushed.json()) == (201, {"recipient_emails": ["lead@example.com"]})
        assert post(sg, {"recipient_emails": "lead"}, path=path).status_code == 400
        assert get(sg, f"{path}/lead%40example.com").json() == {"recipient_email": "lead@example.com"}
        assert post(sg, mail()).status_code == 202
        sg.post_events()
        assert [(e["event"], e["reason"]) for e in ear.events] == [("dropped", "Unsubscribed Address")]
        assert get(sg, f"{path}/lead@example.com", "DELETE").status_code == 204
        assert get(sg, f"{path}/lead@example.com").json() == {}


def test_a_hard_bounce_suppresses_and_a_soft_one_does_not() -> None:
    with listening(Ear()) as sg:
        post(sg, mail(*crowd(2)))
        sg.happens("bounce", sg.accepted[0])
        sg.happens("bounce", sg.accepted[1], type="blocked")
        assert sg.suppressed == {"lead0@example.com": "Bounced Address"}


def test_the_logs_know_a_letter_whose_answer_was_lost() -> None:
    with listening(Ear(), react=delivers, faults=["accept_then_500"]) as sg:
        since = sg.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
        assert post(sg, mail(*crowd(3))).status_code == 500
        sg.advance(HOUR)
        query = f'to_email = "lead1@example.com" AND sg_message_id_created_at >= TIMESTAMP "{since}"'
        (found,) = post(sg, {"query": query, "limit": 10}, path="/v3/logs").json()["messages"]
        assert (found["to_email"], found["status"]) == ("lead1@example.com", "delivered")
        whole = get(sg, f"/v3/logs/{found['sg_message_id']}").json()
        assert whole["custom_args"] == {"nt_message": "1"}
        assert [e["event"] for e in whole["events"]] == ["processed", "delivered"]
        assert all(e["custom_args"] == {"nt_message": "1"} and "nt_message" not in e for e in whole["events"])
        assert len(post(sg, {"query": "status IN ('delivered')"}, path="/v3/logs").json()["messages"]) == 3
        assert post(sg, {"query": "to_email = 'x@example.com'"}, path="/v3/logs").json() == {"messages": []}
        for bad in ({"query": "to_email LIKE 'x'"}, {"query": "", "limit": 1001}):
            assert post(sg, bad, path="/v3/logs").status_code == 400
        sg.faults.script(["503"], path="/v3/logs")
        assert post(sg, {"query": ""}, path="/v3/logs").status_code == 503
        sg.advance(31 * 24 * HOUR)
        assert post(sg, {"query": ""}, path="/v3/logs").json() == {"messages": []}  # thirty days, then forgotten


def scheduled(sg: SendGridDouble, after: timedelta) -> str:
    batch_id = post(sg, None, path="/v3/mail/batch").json()["batch_id"]
    at = int((sg.clock() + after).timestamp())
    assert post(sg, mail(batch_id=batch_id, send_at=at)).status_code == 202
    return str(batch_id)


def stop(sg: SendGridDouble, batch_id: str, status: str = "cancel") -> int:
    return post(sg, {"batch_id": batch_id, "status": status}, path="/v3/user/scheduled_sends").status_code


def test_a_scheduled_letter_leaves_at_its_time(tmp_path: Path) -> None:
    with listening(Ear(), react=delivers, journal=tmp_path / "journal") as sg:
        scheduled(sg, HOUR)
        sg.advance(HOUR - timedelta(seconds=1))
        assert (sg.accepted, read_journal(tmp_path / "journal")) == ([], [])
        sg.advance(timedelta(minutes=5))
        assert (len(sg.accepted), sg.webhook.posted) == (1, 2)
        assert [line["kind"] for line in read_journal(tmp_path / "journal", kind=None)] == ["scheduled", "accepted"]


def test_a_cancelled_batch_never_leaves_and_a_late_cancel_is_worth_nothing() -> None:
    with listening(Ear()) as sg:
        early, late = scheduled(sg, HOUR), scheduled(sg, HOUR)
        assert stop(sg, early) == 201
        sg.advance(timedelta(minutes=51))
        assert stop(sg, late) == 201  # it says yes, nine minutes before; it promises nothing
        sg.advance(HOUR)
        assert [letter.batch_id for letter in sg.accepted] == [late]
        assert [letter.batch_id for letter in sg.batches.discarded] == [early]


def test_a_paused_batch_leaves_when_it_is_resumed_or_expires_after_three_days() -> None:
    with listening(Ear()) as sg:
        first, second = scheduled(sg, HOUR), scheduled(sg, HOUR)
        assert [stop(sg, batch, "pause") for batch in (first, second)] == [201, 201]
        sg.advance(2 * HOUR)
        assert sg.accepted == []
        assert get(sg, f"/v3/user/scheduled_sends/{first}").json() == [{"batch_id": first, "status": "pause"}]
        assert get(sg, f"/v3/user/scheduled_sends/{first}", "DELETE").status_code == 204
        assert [letter.batch_id for letter in sg.accepted] == [first]
        sg.advance(80 * HOUR)
        assert [letter.batch_id for letter in sg.batches.discarded] == [second]


def test_a_batch_is_stopped_once_and_only_ten_at_a_time() -> None:
    with listening(Ear()) as sg:
        batches = [scheduled(sg, HOUR) for _ in range(11)]
        assert stop(sg, "invented") == 400
        assert stop(sg, batches[0], "later") == 400
        assert [stop(sg, batch) for batch in batches] == [201] * 10 + [400]
        assert stop(sg, batches[0]) == 400  # not idempotent: it has a status already
        assert len(get(sg, "/v3/user/scheduled_sends").json()) == 10
        assert get(sg, f"/v3/mail/batch/{batches[0]}").json() == {"batch_id": batches[0]}
        assert fields(get(sg, "/v3/mail/batch/invented")) == ["batch_id"]
        assert get(sg, f"/v3/user/scheduled_sends/{batches[0]}", "DELETE").status_code == 204
        assert stop(sg, batches[10]) == 201
