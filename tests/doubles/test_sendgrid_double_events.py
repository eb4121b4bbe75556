"""What the double of SendGrid says afterwards: events, signed, repeated, late, and given up after a day."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from sendgrid.helpers.eventwebhook import EventWebhook

from tests.doubles.sendgrid import (
    SIGNATURE,
    TIMESTAMP,
    Disorder,
    FrozenClock,
    RandomReaders,
    Reaction,
    SendGridDouble,
    Signer,
    delivers,
)
from tests.doubles.sendgrid.asking import Ear, crowd, listening, mail, person, post
from tests.doubles.sendgrid.limits import Json

ROOT = Path(__file__).parents[2]
VECTORS = ROOT.parent / "shared" / "data" / "sendgrid_webhook_vectors.json"
HOUR = timedelta(hours=1)


def verified(public_key: str, signature: str, timestamp: str, body: bytes) -> bool:
    """The documented check, over the raw bytes."""
    key = load_der_public_key(base64.b64decode(public_key))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    try:
        key.verify(base64.b64decode(signature), timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


@pytest.fixture
def receiver() -> Iterator[tuple[str, Ear]]:
    """The same ear behind a real HTTP server."""
    ear = Ear()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(ear(self.path, dict(self.headers), body))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/events", ear
        server.shutdown()
        thread.join()


# --- the webhook -----------------------------------------------------------------------------------


def test_events_are_posted_in_sendgrids_form_and_both_verifiers_believe_them(receiver: tuple[str, Ear]) -> None:
    url, ear = receiver
    with SendGridDouble(webhook=url, react=delivers) as sg:
        post(sg, mail(person(custom_args={"nt_message": "7"}), categories=["spring-sale"]))
        assert sg.post_events() == 2
        ((headers, body),) = ear.heard
        assert (body[:2], body[-4:], body.count(b"},\r\n{")) == (b"[{", b"}]\r\n", 1)
        assert verified(sg.public_key, headers[SIGNATURE], headers[TIMESTAMP], body)
        assert not verified(sg.public_key, headers[SIGNATURE], headers[TIMESTAMP], body.strip())
        theirs = EventWebhook(sg.public_key)
        assert theirs.verify_signature(body.decode(), headers[SIGNATURE], headers[TIMESTAMP])
        processed, delivered = json.loads(body)
        assert (processed["event"], delivered["event"]) == ("processed", "delivered")
        assert processed["nt_message"] == "7"
        assert processed["category"] == ["spring-sale"]
        assert processed["sg_message_id"].split(".")[0] == sg.accepted[0].message_id
        assert processed["sg_event_id"] != delivered["sg_event_id"]


def test_real_deliveries_pass_the_same_check() -> None:
    if not VECTORS.exists():
        pytest.skip("the two real SendGrid deliveries are not on this machine (../shared/data, see its README)")
    for vector in json.loads(VECTORS.read_text()):
        body = vector["payload"].encode()
        assert verified(vector["public_key"], vector["signature"], vector["timestamp"], body)
        assert not verified(vector["public_key"], vector["signature"], vector["timestamp"], body[:-2])


def test_the_same_seed_keeps_the_key_across_restarts() -> None:
    assert Signer(1).public_key == Signer(1).public_key != Signer(2).public_key


def test_events_happen_on_the_clock_and_are_posted_every_half_minute() -> None:
    ear = Ear()
    with listening(ear, react=lambda letter, draw: [Reaction("delivered"), Reaction("open", HOUR)]) as sg:
        post(sg, mail())
        sg.advance(timedelta(seconds=29))
        assert ear.events == []
        sg.advance(timedelta(seconds=1))
        assert [e["event"] for e in ear.events] == ["delivered"]
        sg.advance(HOUR)
        assert [e["event"] for e in ear.events] == ["delivered", "open"]
        assert ear.events[1]["timestamp"] - ear.events[0]["timestamp"] == 3600


def test_a_deaf_receiver_is_tried_for_a_day_with_growing_gaps() -> None:
    ear = Ear()
    ear.statuses = [500] * 1000
    with listening(ear, react=delivers) as sg:
        post(sg, mail())
        tried: list[float] = []
        for _ in range(26 * 60):
            sg.advance(timedelta(minutes=1))
            tried += [sg.clock().timestamp()] * (len(ear.heard) - len(tried))
        gaps = [b - a for a, b in pairwise(tried)]
        assert gaps[:-1] == sorted(gaps[:-1])  # the last try is the end of the day, whenever that is
        assert tried[-1] - tried[0] <= 24 * 3600
        assert (sg.webhook.posted, sg.webhook.expired) == (0, 2)
        assert len({(headers[SIGNATURE], body) for headers, body in ear.heard}) == 1  # the same bytes each time


def test_a_receiver_that_comes_back_gets_everything() -> None:
    ear = Ear()
    ear.statuses = [503, 0, 301]
    with listening(ear, react=delivers) as sg:
        post(sg, mail())
        sg.advance(24 * HOUR)
        assert (sg.webhook.posted, sg.webhook.expired, sg.webhook.failed_attempts) == (2, 0, 3)


def test_a_receiver_that_is_not_there_counts_as_deaf(receiver: tuple[str, Ear]) -> None:
    url, ear = receiver
    with SendGridDouble(clock=FrozenClock(), webhook="http://127.0.0.1:1/", react=delivers) as sg:
        post(sg, mail())
        assert sg.post_events() == 0
        sg.webhook.url = url
        sg.advance(HOUR)
        assert len(ear.events) == 2


def test_the_double_posts_to_this_machine_only() -> None:
    with SendGridDouble(webhook="http://example.com/", react=delivers) as sg:
        post(sg, mail())
        with pytest.raises(ValueError, match="loopback"):
            sg.post_events()


def test_untidy_events_come_again_late_and_in_any_order() -> None:
    ear = Ear()
    mess = Disorder(repeats=0.5, most_repeats=5, late=0.3, shuffle=True)
    with listening(ear, react=delivers, disorder=mess) as sg:
        post(sg, mail(*crowd(50)))
        sg.advance(24 * HOUR)
        told = Counter(event["sg_event_id"] for event in ear.events)
        assert len(told) == 100  # nothing is lost
        assert 40 < sum(n > 1 for n in told.values()) < 60
        times = [event["timestamp"] for event in ear.events]
        assert times != sorted(times)


def test_a_repeat_may_carry_another_event_id() -> None:
    ear = Ear()
    with listening(ear, react=delivers, disorder=Disorder(repeats=1, most_repeats=1, new_ids=True)) as sg:
        post(sg, mail())
        sg.post_events()
        assert Counter(e["event"] for e in ear.events) == {"processed": 2, "delivered": 2}
        assert len({e["sg_event_id"] for e in ear.events}) == 4


def test_an_asynchronous_bounce_names_nothing_but_the_address() -> None:
    ear = Ear()
    with listening(ear) as sg:
        post(sg, mail(person(custom_args={"nt_message": "7"})))
        sg.happens("bounce", sg.accepted[0], asynchronous=True)
        sg.happens("open", sg.accepted[0], sg_machine_open=True)
        sg.post_events()
        bounce, opened = ear.events
        assert bounce["email"] == "lead@example.com"
        assert not {"sg_message_id", "nt_message", "smtp-id"} & bounce.keys()
        assert opened["sg_machine_open"] is True
        assert [event["event"] for event in sg.accepted[0].events] == ["open"]  # so the logs cannot tell it either


def test_large_crowds_are_told_in_posts_of_bounded_size() -> None:
    ear = Ear()
    with listening(ear, react=delivers, keep="keys") as sg:
        post(sg, mail(*crowd(1000)))
        assert sg.post_events() == 2000
        assert len(ear.heard) > 1
        assert max(len(body) for _, body in ear.heard) <= 768_000


def test_the_same_seed_has_the_same_readers_in_whatever_order_they_are_mailed() -> None:
    def fates(people: list[Json]) -> Counter[tuple[str, str]]:
        ear = Ear()
        with listening(ear, seed=3, react=RandomReaders(bounce=0.2, open=0.5, spamreport=0.1)) as sg:
            post(sg, mail(*people))
            sg.post_events()
        return Counter((event["email"], event["event"]) for event in ear.events)

    people = crowd(60)
    assert fates(people) == fates(people[::-1])
    assert {kind for _, kind in fates(people)} >= {"processed", "delivered", "bounce", "open", "click", "spamreport"}


def test_a_running_double_posts_by_itself(receiver: tuple[str, Ear]) -> None:
    url, ear = receiver
    arrived = threading.Event()
    with SendGridDouble(
        webhook=url, automatic=True, post_every=timedelta(0), react=lambda letter, draw: [Reaction("delivered")]
    ) as sg:
        post(sg, mail())
        for _ in range(200):
            if arrived.wait(0.01) or ear.heard:
                break
        assert [event["event"] for event in ear.events] == ["delivered"]
    assert sg.webhook.posted == 1
