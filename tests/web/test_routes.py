"""All doors together: a scanner that tries each changes nothing, every answer is guarded, the log knows no token."""

import base64
import contextlib
import hashlib
import logging
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from nurture.rendering.links import HANDOFF, SALES, UNSUBSCRIBE, Links
from nurture.rules.languages import LANGUAGES
from nurture.runtime import database
from nurture.runtime.settings import Settings
from nurture.web import create_app
from nurture.web.middleware import masked
from nurture.web.pages import Pages, language_to_speak
from tests.support.people import a_handoff, dump, settle_in

SECRET = "a-secret-for-tests-only"
TOKENS = {purpose: Links([SECRET], "http://x").token(purpose, 1) for purpose in (UNSUBSCRIBE, HANDOFF, SALES)}


@pytest.fixture
def web(engine: Engine, tmp_path: Path, now: datetime) -> Iterator[TestClient]:
    settle_in(engine, now)
    a_handoff(engine, now)
    app = create_app(Settings(var=tmp_path, secret=SECRET, _env_file=None), engine)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def doors(routes: Iterable[Any]) -> Iterator[str]:
    """The paths of all routes, also of routers within routers."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        yield from doors(inner.routes) if inner else [route.path]


def paths(web: TestClient) -> list[str]:
    """Every address the app has, with good tokens where it wants one."""
    found = []
    for path in doors(web.app.routes):
        for prefix, purpose in (("/u/", UNSUBSCRIBE), ("/h/", HANDOFF), ("/sales/", SALES)):
            if path.startswith(prefix):
                path = path.replace("{token}", TOKENS[purpose])
        found.append(path.replace("{message_id}", "1"))
    return found


def test_these_are_all_our_doors(web: TestClient) -> None:
    assert sorted(doors(web.app.routes)) == [
        "/", "/content", "/events/sendgrid", "/g/{token}", "/g/{token}", "/groups", "/h/{token}", "/h/{token}",
            "/h/{token}/group", "/h/{token}/group", "/health", "/mailbox", "/mailbox/{message_id}",
        "/mailbox/{message_id}/html", "/mailbox/{message_id}/raw", "/sales/{token}", "/u/{token}", "/u/{token}",
        "/u/{token}/back",
    ]  # fmt: skip


def test_a_scanner_that_tries_every_door_changes_nothing(web: TestClient, engine: Engine) -> None:
    before, tried = dump(engine), set()
    for path in paths(web):
        for method in ("GET", "HEAD", "OPTIONS"):
            for query in ("", "?choice=accept&decision=accepted", "?List-Unsubscribe=One-Click"):
                answer = web.request(method, path + query)
                assert answer.status_code != 500, (method, path, answer.text)
                tried.add((method, path))
        for method in ("PUT", "DELETE", "PATCH", "TRACE"):
            assert web.request(method, path).status_code == 405
    assert {path for _, path in tried} == set(paths(web))
    assert dump(engine) == before


def test_every_answer_is_guarded(web: TestClient) -> None:
    for path in [*paths(web), "/nothing/here", "/u/forged", "/h/forged"]:
        headers = web.get(path).headers
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors" in headers["content-security-policy"]
        assert "script-src" not in headers["content-security-policy"]
        assert "set-cookie" not in headers


def test_the_style_of_a_page_is_the_one_its_policy_names(web: TestClient) -> None:
    page = web.get("/")
    style = page.text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page.headers["content-security-policy"]
    assert "style=" not in page.text


def test_the_log_knows_no_token(web: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for path in paths(web):
            web.get(path)
            web.post(path)
    ours = [record.getMessage() for record in caplog.records if record.name == "nurture.web"]
    assert any(line.startswith("POST /u/…/back 200") for line in ours)
    assert any(line.startswith("GET /h/… 200") for line in ours)
    for token in TOKENS.values():
        assert not any(token in line for line in ours)


def test_nobody_writes_lines_into_the_log() -> None:
    assert masked("/u/abc/back") == "/u/…/back"
    assert masked("/x\n2026-03-02 INFO all is well") == "/x\\n2026-03-02 INFO all is well"


def test_health_tells_whether_the_tables_are_current(web: TestClient, engine: Engine) -> None:
    assert web.get("/health").status_code == 503  # this database was made without migrations
    head = database.revision(engine)[1]
    with database.writing(engine) as session:
        session.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        session.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": head})
    answer = web.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "migration": "current"})


def test_a_fault_of_ours_says_nothing_about_us(
    web: TestClient, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nurture.web.unsubscribe.letter_stops.recipient_of", lambda *_: 1 / 0)
    answer = web.get(f"/u/{TOKENS[UNSUBSCRIBE]}")
    assert answer.status_code == 500
    assert answer.text == "Something went wrong here, and nothing was changed. Please try again in a minute."
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("locale", "accepted", "language"),
    [
        ("es-MX", None, "es"),
        ("zh_Hans", None, "zh"),
        (None, "fr, de;q=0.8, en;q=0.5", "de"),
        ("fr", "de", "en"),
        (None, None, "en"),
        ("", "", "en"),
        (None, "," * 999, "en"),
        ("zhx", None, "en"),
    ],
)
def test_a_page_speaks_a_language_we_know(locale: str | None, accepted: str | None, language: str) -> None:
    assert language_to_speak(LANGUAGES, locale, accepted) == language


def test_no_language_lacks_a_word() -> None:
    pages = Pages(Settings(_env_file=None))
    told = tomllib.loads((pages.folders[1] / "words.toml").read_text(encoding="utf-8"))
    assert set(told) == set(LANGUAGES)
    assert all(told[language].keys() == told["en"].keys() for language in LANGUAGES)


def test_the_doors_open_and_close_as_a_program(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "NURTURE_VAR": str(tmp_path),
        "NURTURE_WEB_PORT": str(port),
        "PATH": "",
        "PYTHONPATH": str(Path.cwd()),
    }
    log = tmp_path / "log"
    with log.open("w") as out:
        program = subprocess.Popen(
            [sys.executable, "-m", "nurture.web"], cwd=tmp_path, env=environment, stderr=out, stdout=out
        )
    try:
        for _ in range(200):
            try:
                connection = HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/u/forged-token")
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        with contextlib.closing(connection):
            answer = connection.getresponse()
            assert answer.status == 404
            assert b"cut short" in answer.read()
            assert answer.getheader("server") is None
    finally:
        program.terminate()
        program.wait(10)
    assert "GET /u/… 404" in log.read_text()
    assert "forged-token" not in log.read_text()
