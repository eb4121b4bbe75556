"""Unsubscribe: a button, a click from the mail program, and no way for a scanner to press either."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from models import Address, Message, Suppression
from models.queries import suppression
from nurture.rendering.links import HANDOFF, UNSUBSCRIBE, Links
from nurture.runtime import database
from nurture.runtime.settings import Settings
from nurture.web import create_app
from tests.support.people import RUTH, ZOE, dump, settle_in

SECRET = "a-secret-for-tests-only"


@pytest.fixture
def web(engine: Engine, tmp_path: Path, now: datetime) -> Iterator[TestClient]:
    settle_in(engine, now)
    with TestClient(create_app(Settings(var=tmp_path, secret=SECRET, _env_file=None), engine)) as client:
        yield client


def link(message_id: int, purpose: str = UNSUBSCRIBE) -> str:
    return "/u/" + Links([SECRET], "http://x").token(purpose, message_id)


def address(engine: Engine, name: str = ZOE) -> str | None:
    with database.reading(engine) as session:
        return session.execute(select(Address.suppressed_why).where(Address.address == name)).scalar_one()


def test_looking_shows_one_button_and_changes_nothing(web: TestClient, engine: Engine) -> None:
    before = dump(engine)
    page = web.get(link(1))
    assert page.status_code == 200
    assert page.text.count("<button") == 1
    assert ZOE not in page.text  # a forwarded letter must not show whose it was
    assert web.head(link(1)).status_code == 200
    web.options(link(1))
    assert dump(engine) == before


@pytest.mark.parametrize(
    ("message", "language", "words"), [(1, "de", "Abmelden"), (2, "es", "Cancelar"), (3, "ro", "Dezabonare")]
)
def test_the_page_speaks_the_readers_language(web: TestClient, message: int, language: str, words: str) -> None:
    page = web.get(link(message))
    assert f'<html lang="{language}">' in page.text
    assert page.headers["content-language"] == language
    assert words in page.text


def test_the_button_stops_the_letters_at_once(web: TestClient, engine: Engine) -> None:
    page = web.post(link(1))
    assert page.status_code == 200
    assert "Wir schreiben Ihnen nicht mehr" in page.text
    assert address(engine) == "unsubscribe"
    assert address(engine, RUTH) is None
    with database.reading(engine) as session:
        waiting = session.execute(select(Message.state, Message.reason).where(Message.id == 11)).one()
        record = session.execute(select(Suppression.address, Suppression.heard_from, Suppression.campaign)).one()
    assert tuple(waiting) == ("skipped", "unsubscribed")
    assert tuple(record) == (ZOE, "unsubscribe page", "pumps")


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {"content": b""},
        {"content": b"\xff\x00 not a form", "headers": {"Content-Type": "multipart/form-data"}},
    ],
)
def test_a_mail_program_needs_one_post_in_either_form(web: TestClient, engine: Engine, body: dict) -> None:
    answer = web.post(link(1), **body, follow_redirects=False)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert address(engine) == "unsubscribe"


def test_pressing_again_changes_nothing_more(web: TestClient, engine: Engine) -> None:
    assert web.post(link(1)).status_code == 200
    before = dump(engine)
    assert [web.post(link(m)).status_code for m in (1, 11, 1)] == [200] * 3
    assert dump(engine) == before


def test_a_mistake_can_be_taken_back_and_is_recorded(web: TestClient, engine: Engine) -> None:
    web.post(link(1))
    page = web.post(link(1) + "/back")
    assert "wieder dabei" in page.text
    assert address(engine) is None
    with database.reading(engine) as session:
        assert sorted(session.execute(select(Suppression.why)).scalars()) == ["lifted", "unsubscribe"]
    web.post(link(1))
    assert address(engine) == "unsubscribe"


@pytest.mark.parametrize("later", [timedelta(0), timedelta(seconds=-20), timedelta(seconds=1)])
def test_who_leaves_after_coming_back_has_left_whatever_the_clock_says(engine: Engine, now: datetime, later) -> None:
    settle_in(engine, now)
    with database.writing(engine) as session:
        assert suppression.record_once(
            session, suppression.SuppressionEntry(ZOE, now - timedelta(days=1), "unsubscribe", "page")
        )
        assert suppression.resubscribe(session, ZOE, "page", now)
        assert suppression.record_once(session, suppression.SuppressionEntry(ZOE, now + later, "unsubscribe", "page"))
    with database.reading(engine) as session:
        assert session.get(Address, ZOE).suppressed_why == "unsubscribe"


def test_coming_back_is_not_possible_by_looking(web: TestClient, engine: Engine) -> None:
    web.post(link(1))
    assert web.get(link(1) + "/back").status_code == 405
    assert address(engine) == "unsubscribe"


@pytest.mark.parametrize(
    "path", ["/u/nonsense", "/u/1.AAAAAAAAAAAAAAAAAAAAAAAA", link(999), link(1, HANDOFF), link(1) + "x"]
)
def test_every_link_we_cannot_follow_gets_the_same_friendly_page(web: TestClient, engine: Engine, path: str) -> None:
    before = dump(engine)
    assert (web.get(path).status_code, web.post(path).status_code) == (404, 200)
    assert web.get(path).text == web.post(path).text == web.get("/u/x").text
    assert "cut short" in web.get(path).text
    assert "Puede que" in web.get(path, headers={"Accept-Language": "fr;q=1, es-MX;q=0.5"}).text
    assert dump(engine) == before
