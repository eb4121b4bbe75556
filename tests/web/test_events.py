"""The event door: only SendGrid comes in, nothing it says is lost, and hearing it again changes nothing."""

import base64
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from models import Event, event
from nurture.channels.sendgrid.events import SIGNATURE, TIMESTAMP, genuine, public_keys, read_events
from nurture.runtime import database
from nurture.runtime.settings import Settings
from nurture.web import create_app
from tests.doubles.sendgrid.webhook import Signer, wire_form

VECTORS = Path(__file__).parents[3] / "shared" / "data" / "sendgrid_webhook_vectors.json"
OURS, NEXT, THEIRS = Signer("ours"), Signer("next"), Signer("theirs")


def installation(tmp_path: Path, keys: str) -> Settings:
    return Settings(var=tmp_path, sendgrid_webhook_key=keys, _env_file=None)


def client_of(engine: Engine, tmp_path: Path, keys: str) -> TestClient:
    return TestClient(create_app(installation(tmp_path, keys), engine), raise_server_exceptions=False)


@pytest.fixture
def door(engine: Engine, tmp_path: Path) -> Iterator[TestClient]:
    with client_of(engine, tmp_path, f"{OURS.public_key}, {NEXT.public_key}") as client:
        yield client


def post(
    door: TestClient, body: bytes, signer: Signer = OURS, timestamp: str = "1772438400", **headers: str | None
) -> int:
    named = {SIGNATURE: signer.sign(timestamp, body), TIMESTAMP: timestamp, "Content-Type": "application/json"}
    named |= {SIGNATURE: headers["signature"]} if "signature" in headers else {}
    named |= {TIMESTAMP: headers["at"]} if "at" in headers else {}
    return door.post(
        "/events/sendgrid", content=body, headers={k: v for k, v in named.items() if v is not None}
    ).status_code


def kept(engine: Engine) -> list[Any]:
    with database.reading(engine) as session:
        return list(session.execute(select(Event.__table__).order_by(Event.__table__.c.id)).mappings())


def an_event(**more: Any) -> dict[str, Any]:
    said = {"event": "click", "email": "Zoe@Foo.example", "timestamp": 1772438400, "url": "https://foo.example/roi"}
    ids = {"sg_event_id": "abc", "sg_message_id": "m.1", "nt_message": "7", "nt_attempt": "018f"}
    return said | ids | {"useragent": "Mozilla/5.0"} | more


# --- who may speak ---------------------------------------------------------------------------------------------------


@pytest.fixture
def vectors() -> list[dict[str, str]]:
    if not VECTORS.exists():
        pytest.skip(f"needs the signed posts of {VECTORS.name} in {VECTORS.parent}")
    return json.loads(VECTORS.read_text())


def test_posts_that_sendgrid_really_signed_come_in(
    vectors: list[dict[str, str]], engine: Engine, tmp_path: Path
) -> None:
    with client_of(engine, tmp_path, ",".join(v["public_key"] for v in vectors)) as door:
        for v in vectors:
            headers = {SIGNATURE: v["signature"], TIMESTAMP: v["timestamp"]}
            assert door.post("/events/sendgrid", content=v["payload"].encode(), headers=headers).status_code == 204
            assert (
                door.post("/events/sendgrid", content=v["payload"].strip().encode(), headers=headers).status_code == 403
            )
    assert [row["kind"] for row in kept(engine)] == ["dropped", "processed", "blocked"]


def test_both_keys_are_good_while_keys_change(door: TestClient, engine: Engine) -> None:
    assert post(door, wire_form([an_event(nt_message="1")]), OURS) == 204
    assert post(door, wire_form([an_event(nt_message="2")]), NEXT) == 204
    assert len(kept(engine)) == 2


FAULTS: list[dict[str, Any]] = [
    {"signature": None},
    {"at": None},
    {"signature": ""},
    {"at": ""},
    {"at": "1772438401"},
    {"signature": "not base64!"},
    {"signature": base64.b64encode(b"not DER").decode()},
    {"signature": THEIRS.sign("1772438400", wire_form([an_event()]))},
    {"signature": OURS.sign("1772438400", wire_form([an_event()]).strip())},
    {"signature": OURS.sign("", wire_form([an_event()]))},
    {"signature": OURS.sign("", wire_form([an_event()])), "at": None},
    {"signature": OURS.sign("", wire_form([an_event()])), "at": ""},
    {"signature": OURS.sign("1772438400", wire_form([an_event()])) + "AAAA"},
]


def test_every_fault_gets_the_same_answer_and_leaves_nothing(door: TestClient, engine: Engine) -> None:
    for fault in FAULTS:
        assert post(door, wire_form([an_event()]), **fault) == 403, fault
    assert kept(engine) == []


def test_a_changed_body_is_not_theirs(door: TestClient, engine: Engine) -> None:
    body = wire_form([an_event()])
    good = OURS.sign("1772438400", body)
    for changed in (body.replace(b"click", b"clack"), body[:-2], body + b" ", json.dumps([an_event()]).encode()):
        assert post(door, changed, signature=good) == 403
    assert kept(engine) == []


def test_without_a_key_nobody_comes_in_and_the_log_says_so_once(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), client_of(engine, tmp_path, "") as door:
        assert [post(door, wire_form([an_event()])) for _ in range(3)] == [403] * 3
    assert [r.message for r in caplog.records if "SENDGRID_WEBHOOK_KEY" in r.message] == [
        "SENDGRID_WEBHOOK_KEY is empty: events from SendGrid are refused until it is set"
    ]


@pytest.mark.parametrize("key", ["nonsense", "AAAA", base64.b64encode(b"not a key").decode()])
def test_a_key_that_is_none_is_refused_with_the_way_to_the_right_one(key: str) -> None:
    with pytest.raises(ValueError, match=r"SENDGRID_WEBHOOK_KEY, key 2: .* Event Webhook"):
        public_keys(f"{OURS.public_key},{key}")


def test_an_answer_a_day_late_is_still_theirs() -> None:
    old = str(1772438400 - 26 * 3600)
    assert genuine(public_keys(OURS.public_key), OURS.sign(old, b"[]"), old, b"[]")


# --- what is said ----------------------------------------------------------------------------------------------------


def test_an_event_is_kept_in_our_words_and_in_theirs(door: TestClient, engine: Engine) -> None:
    assert post(door, wire_form([an_event()])) == 204
    (row,) = kept(engine)
    assert (row["kind"], row["address"], row["message_id"], row["attempt_id"], row["url"], row["machine"]) == (
        "clicked", "zoe@foo.example", 7, "018f", "https://foo.example/roi", False)  # fmt: skip
    assert row["at"] == datetime.fromtimestamp(1772438400, UTC)
    assert json.loads(row["raw"]) == an_event()
    assert row["applied_at"] is None


def test_a_thousand_replays_are_one_row(door: TestClient, engine: Engine) -> None:
    body = wire_form([an_event()])
    headers = {SIGNATURE: OURS.sign("1772438400", body), TIMESTAMP: "1772438400"}
    replays = 1000 if engine.dialect.name == "sqlite" else 100
    assert {door.post("/events/sendgrid", content=body, headers=headers).status_code for _ in range(replays)} == {204}
    assert len(kept(engine)) == 1


def test_a_repeat_under_a_new_id_is_the_same_and_another_happening_under_an_old_id_is_not(
    door: TestClient, engine: Engine
) -> None:
    for more in ({}, {"sg_event_id": "new"}, {"nt_attempt": "018e"}, {"timestamp": 1772438401}, {"url": "https://x.example"},
                 {"event": "open"}, {"email": "ruth@foo.example"}, {"nt_message": "8"}):  # fmt: skip
        assert post(door, wire_form([an_event(**more), an_event(**more)])) == 204
    assert len(kept(engine)) == 7  # the eighth was a repeat


def test_kinds_without_a_word_of_ours_are_kept(door: TestClient, engine: Engine) -> None:
    assert (
        post(door, orjson.dumps([an_event(event="levitated"), an_event(event="levitated", sg_event_id="b"), {}])) == 204
    )
    assert [row["kind"] for row in kept(engine)] == ["unknown"] * 3


def test_strange_values_are_kept_and_harm_nobody(door: TestClient, engine: Engine) -> None:
    strange = [
        an_event(email="zo\0e@foo.example\0", url="https://x/\0\x1b[31m", useragent=None),
        an_event(nt_message=7, nt_attempt=["018f"], timestamp="1772438400"),
        an_event(nt_message=str(2**63), timestamp=10**18),
        an_event(nt_message="٣", timestamp=-1, email=None),
        an_event(timestamp=True, event=["click"], type={}),
        an_event(timestamp=1772438400.25, url="x" * 50_000),
    ]
    assert post(door, orjson.dumps(strange)) == 204
    assert (
        post(door, b'[{"event":"open","email":"\\ud800@x.example","n":123456789012345678901234567890,"x":1e999}]')
        == 204
    )
    rows = kept(engine)
    assert len(rows) == 7
    assert sorted(str(row["message_id"]) for row in rows) == ["7", "7", "7", "None", "None", "None", "None"]


def test_what_is_no_list_of_events_is_told_so(door: TestClient, engine: Engine) -> None:
    for body in [b"", b"{}", b"null", b"[1]", b"[[]]", b"[{]", b'"x"', b"\xff", b"[" * 100_000]:
        assert post(door, body) == 400, body[:20]
    assert kept(engine) == []


def test_no_events_is_fine(door: TestClient) -> None:
    assert post(door, b"[]") == 204


def test_machines_are_marked_when_they_say_so(door: TestClient, engine: Engine) -> None:
    told = [
        an_event(event="open", sg_machine_open=True),
        an_event(useragent="Mozilla/5.0 (compatible; Barracuda)"),
        an_event(nt_message="8"),
    ]
    assert post(door, wire_form(told)) == 204
    assert {(row["kind"], row["message_id"]): row["machine"] for row in kept(engine)} == {
        ("opened", 7): True,
        ("clicked", 7): True,
        ("clicked", 8): False,
    }


# --- how much --------------------------------------------------------------------------------------------------------


def test_ten_megabytes_are_refused_whether_announced_or_not(door: TestClient, engine: Engine) -> None:
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(160):
            taken += 65536
            yield b" " * 65536

    assert door.post("/events/sendgrid", content=b" " * 10_000_000).status_code == 413
    assert door.post("/events/sendgrid", content=pieces()).status_code == 413
    assert door.post("/events/sendgrid", content=b"[]", headers={"Content-Length": "9" * 40}).status_code == 413
    assert kept(engine) == []


def test_a_full_post_of_sendgrids_comes_in(door: TestClient, engine: Engine) -> None:
    body = wire_form([an_event(nt_message=str(i)) for i in range(1600)])
    assert post(door, body) == 204
    assert len(kept(engine)) == 1600


def test_two_posts_that_repeat_each_other_do_not_lock_each_other_out(engine: Engine, now: datetime) -> None:
    rows = read_events(orjson.dumps([an_event(nt_message=str(i)) for i in range(300)]), now)

    def keep(turned: bool) -> int:
        with database.writing(engine) as session:
            return event.keep(session, rows[::-1] if turned else rows)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(keep, [False, True] * 4)) == 300
