"""Sales: a lead on a phone. Looking decides nothing, the first answer counts, and everybody sees which one it was."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from models import AccountScore, Activity, Contact, Handoff, Score, Segment, Transition
from models.handoff import decide
from nurture.rendering.links import HANDOFF, SALES, UNSUBSCRIBE, Links
from nurture.runtime import database
from nurture.runtime.settings import Settings
from nurture.web import create_app
from tests.support.people import OWNER, ZOE, a_handoff, add, dump, settle_in

SECRET = "a-secret-for-tests-only"
LINKS = Links([SECRET], "http://x")


@pytest.fixture
def clock(tmp_path: Path, now: datetime) -> Path:
    file = tmp_path / "clock"
    file.write_text(now.isoformat())
    return file


@pytest.fixture
def web(engine: Engine, tmp_path: Path, clock: Path, now: datetime) -> Iterator[TestClient]:
    settle_in(engine, now)
    sure = {"role_confidence": 0.9, "persona_confidence": 0.0, "segmented_at": now}
    add(engine, Segment, {"contact_id": 1, "role": "specifier", **sure}, {"contact_id": 2, "role": "finance", **sure})
    scored = {"version": "v", "reasons": [], "scored_at": now}
    points = {"fit": 80.0, "engagement": 80.0, "score": 82.0, "grade": "A1"}
    add(engine, Score, {"contact_id": 1, "last_activity_at": now - timedelta(hours=3), **points, **scored})
    group = {"score": 77.0, "completeness": 0.55, "missing_role": "authorizer", "members": 2}
    add(engine, AccountScore, {"account_id": 1, **group, **scored})
    deed = {"kind": "download", "at": now - timedelta(hours=3), "detail": "ROI sheet <pumps>"}
    add(engine, Activity, {"dedupe": 1, "contact_id": 1, "account_id": 1, **deed})
    a_handoff(engine, now)
    settings = Settings(var=tmp_path, secret=SECRET, clock_file=clock, _env_file=None)
    with TestClient(create_app(settings, engine)) as client:
        yield client


def page_of(handoff_id: int, now: datetime) -> str:
    return "/h/" + LINKS.handoff(handoff_id, now).rsplit("/", 1)[1]


def state(engine: Engine, id: int = 1) -> tuple[str, str | None, str]:
    with database.reading(engine) as session:
        return tuple(  # type: ignore[return-value]
            session.execute(
                select(Handoff.state, Handoff.decided_why, Contact.stage)
                .join(Contact, Contact.id == Handoff.contact_id)
                .where(Handoff.id == id)
            ).one()
        )


WORDS_ON_THE_PAGE = [
    "Zoë O&#39;Brien", "Foo &amp; Søns &lt;GmbH&gt;", "3 pricing-page visits this week", "due in 1 day",
    "Tue, 3 Mar, 09:00 CET", 'href="tel:+49401234"', f'href="mailto:{ZOE}"', "Downloaded", "ROI sheet &lt;pumps&gt;",
    "3 hours ago", "Ruth Sánchez", "finance", "Nobody we know is the authorizer",
]  # fmt: skip


def test_the_page_says_who_why_now_what_they_read_and_who_is_missing(web: TestClient, now: datetime) -> None:
    page = web.get(page_of(1, now)).text
    for words in WORDS_ON_THE_PAGE:
        assert words in page, words


@pytest.mark.parametrize("choice", ["", "accept", "recycle", "reject", "<script>"])
def test_a_link_in_the_mail_preselects_and_never_decides(
    web: TestClient, engine: Engine, now: datetime, choice: str
) -> None:
    before = dump(engine)
    page = web.get(page_of(1, now), params={"choice": choice})
    assert page.status_code == 200
    assert page.text.count("<details open>") == (choice in ("recycle", "reject"))
    assert "<script" not in page.text
    assert dump(engine) == before


@pytest.mark.parametrize(
    ("form", "stands"),
    [
        ({"decision": "accepted"}, ("accepted", None, "sal")),
        (
            {"decision": "recycled", "reason": "no_budget", "note": " next\0 year "},
            ("recycled", "no_budget: next  year", "recycled"),
        ),
        ({"decision": "rejected", "reason": "competitor", "note": ""}, ("rejected", "competitor", "recycled")),
    ],
    ids=lambda value: value["decision"] if isinstance(value, dict) else "",
)
def test_an_answer_is_written_down_with_its_reason(
    web: TestClient, engine: Engine, now: datetime, form: dict[str, str], stands: tuple[str, str | None, str]
) -> None:
    answer = web.post(page_of(1, now), data=form)
    assert answer.history[0].status_code == 303
    assert "by Sam Seller" in answer.text
    assert "<form" not in answer.text
    assert state(engine) == stands
    with database.reading(engine) as session:
        moved = session.execute(select(Transition.stage_from, Transition.stage_to)).one()
    assert tuple(moved) == ("lead", stands[2])


def test_the_second_answer_sees_the_first(web: TestClient, engine: Engine, now: datetime) -> None:
    web.post(page_of(1, now), data={"decision": "accepted"})
    before = dump(engine)
    page = web.post(page_of(1, now), data={"decision": "rejected", "reason": "too_small"}).text
    assert "Accepted" in page
    assert "Mon, 2 Mar, 09:00 CET" in page
    assert dump(engine) == before


def test_of_many_answers_at_once_exactly_one_counts(web: TestClient, engine: Engine, now: datetime) -> None:
    def answer(decision: str) -> bool:
        with database.writing(engine) as session:
            return decide(session, 1, decision, None, now)

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(answer, ["accepted", "rejected", "recycled"] * 4))
    assert sum(won) == 1
    with database.reading(engine) as session:
        assert len(session.execute(select(Transition)).all()) == 1
    assert state(engine)[0] == (["accepted", "rejected", "recycled"] * 4)[won.index(True)]


def test_a_lead_who_is_further_by_now_stays_there(engine: Engine, now: datetime) -> None:
    settle_in(engine, now)
    a_handoff(engine, now)
    with database.writing(engine) as session:
        session.execute(Contact.__table__.update().values(stage="customer"))
        assert decide(session, 1, "rejected", "too_small", now)
    assert state(engine) == ("rejected", "too_small", "customer")


NOT_UNDERSTOOD = [
    b"",
    b"decision=maybe",
    b"decision=rejected",
    b"decision=rejected&reason=made_up",
    b"decision=recycled&reason=competitor",
    b"decision=accepted&reason=no_budget",
    b"decision=offered",
    b"\xff",
    b"&".join([b"a=1"] * 50),
]


def test_an_answer_we_do_not_understand_is_asked_again(web: TestClient, engine: Engine, now: datetime) -> None:
    before = dump(engine)
    for body in NOT_UNDERSTOOD:
        answer = web.post(page_of(1, now), content=body)
        assert answer.status_code == 422
        assert "Please" in answer.text
    assert dump(engine) == before


def test_a_book_instead_of_a_note_is_refused(web: TestClient, engine: Engine, now: datetime) -> None:
    assert web.post(page_of(1, now), data={"decision": "accepted", "note": "x" * 100_000}).status_code == 413
    web.post(page_of(1, now), data={"decision": "rejected", "reason": "too_small", "note": "x" * 600})
    assert state(engine)[1] == "too_small: " + "x" * 500


def test_links_that_are_over_or_not_ours_all_say_the_same(web: TestClient, clock: Path, now: datetime) -> None:
    good, mine = page_of(1, now), "/sales/" + LINKS.sales(1, now).rsplit("/", 1)[1]
    assert web.get(good).status_code == web.get(mine).status_code == 200
    clock.write_text((now + timedelta(days=30, seconds=1)).isoformat())
    other_doors = [f"/h/{LINKS.token(p, 1)}" for p in (SALES, UNSUBSCRIBE)] + [f"/sales/{LINKS.token(HANDOFF, 1)}"]
    for path in (good, mine, *other_doors, "/h/x", "/sales/x", "/h/" + LINKS.token(HANDOFF, 99)):
        assert web.get(path).status_code == 404
        assert web.get(path).text == web.get("/h/nonsense").text
    assert web.post(good, data={"decision": "accepted"}).status_code == 404


def test_the_list_shows_my_open_leads_the_most_urgent_first(web: TestClient, engine: Engine, now: datetime) -> None:
    a_handoff(engine, now, 2, 2, due_at=now - timedelta(hours=1))
    a_handoff(engine, now, 3, 3, owner_email="other@seller.example", account_id=None)
    page = web.get("/sales/" + LINKS.sales(1, now).rsplit("/", 1)[1]).text
    assert "2 open leads" in page
    assert page.index("Ruth Sánchez") < page.index("Zoë O&#39;Brien")
    assert "overdue" in page
    assert "Ivan" not in page
    link = page.split('href="/h/')[1].split('"')[0]
    assert "Ruth" in web.get(f"/h/{link}").text
    web.post(f"/h/{link}", data={"decision": "accepted"})
    assert "1 open lead<" in web.get("/sales/" + LINKS.sales(1, now).rsplit("/", 1)[1]).text


def test_a_lead_with_nothing_known_but_an_address_still_has_a_page(
    web: TestClient, engine: Engine, now: datetime
) -> None:
    known = {"market": "b2b", "locale": "en", "stage": "lead", "consent": "granted", "traits": {}}
    made = {"created_at": now, "updated_at": now}
    add(engine, Contact, {"id": 9, "key": "o", "address": OWNER, "email": OWNER, **known, **made})
    a_handoff(engine, now, 9, 9, account_id=None, reasons=[])
    page = web.get(page_of(9, now))
    assert page.status_code == 200
    assert OWNER in page.text
