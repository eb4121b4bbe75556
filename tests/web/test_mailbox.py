"""The mailbox: every letter as its reader sees it, on this machine only, and whatever it carries does nothing."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from models import Message
from nurture.channels.base import OutboundEmail
from nurture.channels.mailbox import MailboxChannel
from nurture.channels.parts import RenderedPart
from nurture.runtime.settings import Settings
from nurture.web import create_app
from tests.support.people import IVAN, RUTH, ZOE, a_message, add, settle_in

HERE = "http://127.0.0.1:8400"
EVIL = "<!doctype html><html><head></head><body><script>steal()</script><p onclick=x>Grüße, Zoë</p></body></html>"


def email(message_id: int, to: str, subject: str) -> OutboundEmail:
    return OutboundEmail(
        message_id=message_id,
        attempt_id="a",
        to_email=to,
        to_name="Zoë O'Brien",
        from_email="nora@seller.example",
        from_name="Nora",
        reply_to=None,
        subject=subject,
        text_part=RenderedPart.of("Grüße <b>plain</b>"),
        html_part=RenderedPart.of(EVIL),
        category="pumps",
        headers={"List-Unsubscribe": "<https://seller.example/u/1.x>"},
    )


@pytest.fixture
def web(engine: Engine, tmp_path: Path, now: datetime) -> Iterator[TestClient]:
    settle_in(engine, now)
    for number, to in ((101, ZOE), (102, RUTH), (103, IVAN)):
        taken = {"state": "accepted", "accepted_at": now + timedelta(minutes=number), "contact_id": number - 100}
        campaign = "spring" if to == IVAN else "pumps"
        add(engine, Message, a_message(number, now, letter=f"letter-{number}", address=to, campaign=campaign, **taken))
        MailboxChannel(tmp_path / "mailbox").send([email(number, to, f"Für Nº {number} <ü>")], lambda: True, now)
    settings = Settings(var=tmp_path, _env_file=None)
    with TestClient(create_app(settings, engine), base_url=HERE) as client:
        yield client


def test_letters_are_listed_newest_first(web: TestClient) -> None:
    page = web.get("/mailbox").text
    places = [page.index(f"Für Nº {n} &lt;ü&gt;") for n in (103, 102, 101)]
    assert places == sorted(places)
    assert "3 letters" in page
    assert "Zoë O&#39;Brien &lt;" in page  # whom the letter itself names


WANTED: list[tuple[dict[str, str], set[int]]] = [
    ({"campaign": "spring"}, {103}),
    ({"language": "es"}, {102}),
    ({"language": "e"}, set()),
    ({"address": f" {ZOE.upper()} "}, {101}),
    ({"text": "sánchez pumps"}, {102}),
    ({"text": "letter-10"}, {101, 102, 103}),
    ({"text": "100%_"}, set()),
    ({"text": "O'Brien"}, {101}),
    ({"page": "2"}, set()),
    ({"page": "-1", "campaign": "", "text": "\0"}, {101, 102, 103}),
    ({"page": "9" * 9999}, {101, 102, 103}),
]


def test_letters_can_be_found(web: TestClient) -> None:
    for wanted, found in WANTED:
        page = web.get("/mailbox", params=wanted)
        assert page.status_code == 200
        assert {n for n in (101, 102, 103) if f"/mailbox/{n}" in page.text} == found


def test_fifty_to_a_page(web: TestClient, engine: Engine, now: datetime) -> None:
    taken = {"state": "accepted", "accepted_at": now, "address": ZOE}
    add(engine, Message, *(a_message(200 + i, now, letter=f"l{i}", **taken) for i in range(60)))
    first, second = web.get("/mailbox?text=zoe").text, web.get("/mailbox?text=zoe&page=2").text
    assert (first.count('href="/mailbox/'), second.count('href="/mailbox/')) == (50, 11)
    assert "/mailbox?text=zoe&amp;page=2" in first
    assert "/mailbox?text=zoe&amp;page=1" in second
    assert "(its file is gone)" in second


def test_a_letter_shows_its_headers_its_text_and_its_html_in_a_cage(web: TestClient) -> None:
    page = web.get("/mailbox/101")
    assert "Zoë O&#39;Brien &lt;zoe@foo.example&gt;" in page.text
    assert "&lt;https://seller.example/u/1.x&gt;" in page.text
    assert "Grüße &lt;b&gt;plain&lt;/b&gt;" in page.text
    assert "steal()" not in page.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text
    html = web.get("/mailbox/101/html")
    assert "Grüße, Zoë" in html.text
    assert html.text.startswith('<!doctype html><html><head><base target="_blank">')  # links open beside the cage
    policy = html.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data: https:;")
    assert "sandbox" in policy
    assert "allow-scripts" not in policy + page.text
    assert "script-src" not in policy


def test_a_letter_can_be_saved_as_it_is(web: TestClient) -> None:
    saved = web.get("/mailbox/101/raw")
    assert saved.headers["content-type"] == "message/rfc822"
    assert saved.headers["content-disposition"] == 'attachment; filename="letter-101.eml"'
    assert message_from_bytes(saved.content)["From"] == "Nora <nora@seller.example>"


def test_there_are_only_letters_in_it(web: TestClient) -> None:
    for number in ["999", "0", "-1", "1.5", "٣", "9" * 30, "9" * 5000, "..%2f..%2fsecret", "x\0"]:
        for what in ("", "/html", "/raw"):
            assert web.get(f"/mailbox/{number}{what}".replace("\0", "%00")).status_code == 404


def test_nobody_else_reads_other_peoples_mail(web: TestClient) -> None:
    for host in ["nurture.example", "127.0.0.1.nip.io", "localhost.evil.example", "", "[::1].x", "10.0.0.1"]:
        for path in ("/mailbox", "/mailbox/101", "/mailbox/101/html", "/mailbox/101/raw"):
            answer = web.get(path, headers={"Host": host})
            assert answer.status_code == 403
            assert "Zo" not in answer.text
        assert "/mailbox" not in web.get("/", headers={"Host": host}).text


def test_a_proxy_does_not_open_it_either(web: TestClient) -> None:
    for name in ["X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Via"]:
        assert web.get("/mailbox", headers={name: "whoever"}).status_code == 403


def test_this_machine_has_many_names(web: TestClient) -> None:
    for host in ["127.0.0.1:8400", "localhost", "LOCALHOST:8400", "[::1]:8400"]:
        assert web.get("/mailbox", headers={"Host": host}).status_code == 200


def test_where_mail_really_leaves_there_is_no_mailbox(engine: Engine, tmp_path: Path) -> None:
    settings = Settings(var=tmp_path, channel="sendgrid", _env_file=None)
    with TestClient(create_app(settings, engine), base_url=HERE) as client:
        assert client.get("/mailbox").status_code == 404
        assert "/mailbox" not in client.get("/").text
