"""Who decides about a solution at an account: roles and their holders, deals with their dates, and the page of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from models import Activity, Confirmation, Message, Opportunity, Segment
from models.queries.buying_group import GroupActivity, GroupMember
from nurture.config import audience_predicate, solutions
from nurture.files import mapping
from nurture.rendering.links import Links
from nurture.rules.segmentation.solution_group import Solution, solution_group
from nurture.runtime import database
from nurture.runtime.settings import PROJECT, Settings
from nurture.web import create_app
from tasks.intake import import_file
from tests.support.people import OWNER, a_handoff, add, settle_in

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAY = timedelta(days=1)
PUMPS = Solution("pumps", "Pumps", ("specifier", "authorizer", "finance"), ("pumps",), ("series-e",))


def member(id: int, role: str | None, confidence: float = 0.9, title_role: str | None = None) -> GroupMember:
    return GroupMember(
        id=id, first_name=None, last_name=None, title=None, email="", stage="lead", role=role,
        title_role=title_role or role, role_confidence=confidence, persona=None, evidence=None, score=None, grade=None,
        last_activity_at=None,
    )  # fmt: skip


def did(who: int, detail: str | None = "/series-e", campaign: str | None = None, days: float = 1) -> GroupActivity:
    return GroupActivity(who, "page_view", NOW - days * DAY, detail, campaign)


def test_every_role_has_its_holders_and_what_is_missing_is_named() -> None:
    people = [member(1, "specifier"), member(2, "finance", 0.3), member(3, "gatekeeper")]
    group = solution_group(people, [did(1), did(1, days=40), did(1, "/garden"), did(1, days=-1)], PUMPS, NOW)
    by_role = {one.role: one for one in group.roles}
    assert list(by_role) == ["specifier", "authorizer", "finance", "gatekeeper"]
    assert (by_role["specifier"].activities, by_role["specifier"].last_at) == (1, NOW - DAY)
    assert by_role["finance"].holders == (2,)
    assert not by_role["finance"].filled  # guessed, not known
    assert (group.completeness, group.reached) == (round((0.9 + 0.3) / 3, 3), round(1 / 3, 3))
    assert (group.missing_role, group.silent_role) == ("authorizer", None)


def test_a_champion_keeps_the_role_of_their_title_and_the_silent_one_is_named() -> None:
    people = [member(1, "champion", 0.8, "specifier"), member(2, "authorizer"), member(3, "finance", 0.6)]
    group = solution_group(people, [did(1), did(3, None, "pumps")], PUMPS, NOW)
    assert (group.missing_role, group.silent_role) == (None, "authorizer")
    assert [one.holders for one in group.roles] == [(1,), (2,), (3,), (1,)]
    assert solution_group([], [], PUMPS, NOW).missing_role == "specifier"


def test_the_surest_holder_comes_first() -> None:
    people = [member(1, "specifier", 0.4), member(2, "specifier", 1.0)]
    assert solution_group(people, [], PUMPS, NOW).roles[0].holders == (2, 1)


def test_our_solutions_can_be_read_and_mistakes_have_a_line() -> None:
    assert [one.slug for one in solutions.read(PROJECT / "templates")] == ["pump-efficiency", "service-contract"]
    with pytest.raises(solutions.SolutionsError) as wrong:
        solutions.read_text('[a]\nroles = ["specifer"]\n[b]\nword = []\n')
    assert "solutions.toml:2: the role “specifer” is not known (did you mean specifier?)" in str(wrong.value)
    assert "solutions.toml:4: b.word is not known" in str(wrong.value)


# deals in the database

DEALS = """
kind = "opportunities"
[columns]
key = "Deal"
account = "Account"
opened_at = "Opened"
outcome = "Status"
stage = "Stage"
solution = "Solution"
tender_due_at = "Tender due"
decision_at = "Decision"
criteria = "Criteria"
"""
HEAD = "Deal,Account,Opened,Status,Stage,Solution,Tender due,Decision,Criteria\n"


def test_stages_and_dates_arrive_and_campaigns_can_ask_for_them(engine: Engine, tmp_path: Path) -> None:
    settle_in(engine, NOW)
    file = tmp_path / "deals.csv"
    file.write_text(
        HEAD
        + "D1,foo,2026-01-01,open,Ausschreibung,pumps,2026-03-12,2026-04-01,price 40\n"
        + "D2,foo,2026-01-01,open,evaluation,pumps,,2026-03-30,\n"
        + "D3,foo,2026-01-01,won,contract,pumps,,2026-03-03,\n"
        + "D4,foo,2026-01-01,open,nonsense,pumps,,,\n"
    )
    done = import_file(engine, NOW, file, mapping.parse(DEALS), tmp_path)
    assert (done.created, done.incomplete) == (4, 1)  # D4 came without a stage
    with database.reading(engine) as session:
        wanted = ("opportunity_stage", "days_to_decision", "tender_due_days", "scoring_criteria")
        asked = "opportunity_stage = 'evaluation' AND days_to_decision BETWEEN 0 AND 30 AND contact_id = 1"
        [row] = session.execute(audience_predicate.matching(session, NOW, asked, *wanted)).all()
        assert (row[0], row[2]) == ("evaluation", None)
        assert row[1] == pytest.approx(27.67, abs=0.01)
        early = NOW - 90 * DAY
        assert (
            session.execute(audience_predicate.matching(session, early, "opportunity_stage = 'evaluation'")).all() == []
        )
    file.write_text(HEAD + "D2,foo,2026-01-01,lost,,,,,\n")
    assert import_file(engine, NOW, file, mapping.parse(DEALS), tmp_path).changed == 1
    with database.reading(engine) as session:
        asked = "opportunity_stage = 'tender' AND tender_due_days < 10 AND scoring_criteria LIKE 'price%'"
        assert session.execute(audience_predicate.matching(session, NOW, asked, "contact_id")).scalars().all() == [1, 2]


# the page


@pytest.fixture
def web(engine: Engine, tmp_path: Path) -> Iterator[TestClient]:
    settle_in(engine, NOW)
    sure = {"role_confidence": 0.9, "persona_confidence": 0.0, "segmented_at": NOW, "evidence": "'maintenance' → x"}
    add(engine, Segment, {"contact_id": 1, "role": "specifier", "title_role": "specifier", **sure})
    add(engine, Activity, {"dedupe": 1, "contact_id": 1, "account_id": 1, "kind": "download", "at": NOW - DAY,
                           "detail": "selection-data"})  # fmt: skip
    add(engine, Activity, {"dedupe": 2, "contact_id": 3, "kind": "page_view", "at": NOW - DAY, "detail": "/garden"})
    deal = {"key": "d", "account_id": 1, "name": "Cooling <water>", "traits": {}, "opened_at": NOW - 9 * DAY}
    dates = {"tender_due_at": NOW + 12 * DAY, "decision_at": NOW + 40 * DAY, "criteria": "price 60"}
    add(engine, Opportunity, {**deal, **dates, "stage": "tender", "solution": "Pump efficiency"})
    a_handoff(engine, NOW)
    (tmp_path / "clock").write_text(NOW.isoformat())
    settings = Settings(var=tmp_path, secret=SECRET, clock_file=tmp_path / "clock", _env_file=None)
    with TestClient(create_app(settings, engine), base_url="http://127.0.0.1") as client:
        yield client


SECRET = "a-secret-for-tests-only"
LINKS = Links([SECRET], "http://x")


def sales_page() -> str:
    return "/h/" + LINKS.handoff(1, NOW).rsplit("/", 1)[1] + "/group"


def group_page() -> str:
    return "/g/" + LINKS.group(1, NOW).rsplit("/", 1)[1]


def test_the_page_says_who_decides_who_is_missing_and_until_when(web: TestClient) -> None:
    for page in (web.get(sales_page()).text, web.get(group_page()).text):
        for words in ("Foo &amp; Søns &lt;GmbH&gt;", "Cooling &lt;water&gt;", ">tender<", "Sat, 14 Mar", "in 12 days",
                      "price 60", "90 % sure", "1 in 30 days, last 1 day ago", "Missing: the authorizer",
                      "roi case, Mon, 2 Mar, 09:00 CET", "Zoë O&#39;Brien", "Yes, specifier",
                      "download, 1 day ago"):  # fmt: skip
            assert words in page, words
        assert "Ivan" not in page  # no colleague of theirs
        assert "<script" not in page
    other = web.get(group_page(), params={"solution": "service-contract"}).text
    assert "not reached yet" in other
    assert "Missing: the user" in other


def test_one_click_confirms_in_the_name_of_whose_link_it_is(web: TestClient, engine: Engine) -> None:
    assert web.post(sales_page(), data={"contact": "1", "role": "specifier"}).status_code == 200
    page = web.post(group_page(), data={"contact": "2", "role": "finance", "solution": "pump-efficiency"}).text
    assert f"confirmed by {OWNER} on Mon, 2 Mar" in page
    assert "Yes, specifier" not in page
    with database.reading(engine) as session:
        told = session.execute(select(Confirmation.contact_id, Confirmation.by, Confirmation.was, Confirmation.said))
        assert [tuple(row) for row in told] == [
            (1, OWNER, "specifier", "specifier"), (2, "somebody at this machine", None, "finance"),
        ]  # fmt: skip
        zoe = session.execute(select(Segment.role, Segment.role_confidence).where(Segment.contact_id == 1)).one()
    assert tuple(zoe) == ("specifier", 1.0)


@pytest.mark.parametrize(
    ("form", "says"),
    [({"contact": "1", "role": "boss"}, "is no role"), ({"contact": "3", "role": "user"}, "not at this account"),
     ({}, "is no role")],
)  # fmt: skip
def test_what_makes_no_sense_changes_nothing(web: TestClient, engine: Engine, form: dict[str, str], says: str) -> None:
    answer = web.post(group_page(), data=form)
    assert (answer.status_code, says in answer.text) == (422, True)
    with database.reading(engine) as session:
        assert session.execute(select(Confirmation.id)).all() == []


def test_its_owner_pauses_an_account_from_the_page(web: TestClient, engine: Engine) -> None:
    for form, says in (
        ({"until": "soon"}, "until which day"),
        ({"until": "2026-03-01", "why": "x"}, "lie ahead"),
        ({"until": "2027-09-01", "why": "x"}, "within a year"),
        ({"until": "2026-04-01"}, "say why"),
    ):
        answer = web.post(sales_page(), data={"do": "pause", **form})
        assert (answer.status_code, says in answer.text) == (422, True)
    page = web.post(sales_page(), data={"do": "pause", "until": "2026-04-01", "why": "tender <now>"}).text
    assert "Letters are paused until Wed, 1 Apr: tender &lt;now&gt;" in page
    assert OWNER in page
    with database.reading(engine) as session:
        waiting = select(Message.reason).where(Message.account_id == 1, Message.letter == "roi-case")
        assert set(session.execute(waiting).scalars()) == {"account_paused"}
    assert "Pause letters to this account" in web.post(group_page(), data={"do": "resume"}).text


def test_only_our_own_links_open_a_group_and_looking_changes_nothing(web: TestClient, engine: Engine) -> None:
    token = LINKS.handoff(1, NOW).rsplit("/", 1)[1]
    assert web.get(f"/g/{token}").status_code == 404  # a link for another purpose
    assert web.get(f"/h/{LINKS.group(1, NOW).rsplit('/', 1)[1]}/group").status_code == 404
    assert web.post("/g/1.aaaaaaaaaaaaaaaaaaaaaaaa", data={"contact": "1", "role": "user"}).status_code == 404
    listed = web.get("/groups", params={"name": "søns"}).text
    assert "1 open deal, in 40 days" in listed
    assert web.get("/groups", headers={"host": "go.brunnhold.example"}).status_code == 403
    with database.reading(engine) as session:
        assert session.execute(select(Message.id).where(Message.state != "waiting", Message.id > 10)).all() == []
