"""The best piece a reader has not had yet: who gets which, never twice; and what is missing for whom."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from models import Account, Activity, Address, Contact, Message, Segment
from models import campaign as kept
from nurture.checks import campaign as campaign_check
from nurture.checks import content_coverage
from nurture.config import campaigns
from nurture.rendering import LetterError, TemplateSet, samples
from nurture.rules.planning.campaign import Campaign, Step
from nurture.rules.planning.content_assets import (
    ANYTHING,
    AssetReader,
    ContentAsset,
    ContentRequest,
    best,
    choose,
    coverage,
    stage_of,
    usual_roles,
)
from nurture.rules.segmentation.titles import load_tables
from nurture.runtime import database
from nurture.runtime.settings import PROJECT, Settings
from nurture.web import create_app
from tasks.delivery import outbox
from tasks.planning import sequences
from tests.support.outbox import LINES, Told, composer
from tests.support.people import IVAN, RUTH, ZOE, add

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAY = timedelta(days=1)


def piece(slug: str, kind: str = "case study", stage: str = "evaluation", **more: Any) -> ContentAsset:
    return ContentAsset(slug, kind, (stage,), **more)


SHELF = (
    piece("early", stage="discovery"),
    piece("money", roles=("finance",)),
    piece("german", languages=frozenset({"en", "de"})),
    piece("late", stage="purchase"),
    piece("owners", personas=("finance-director",)),
    piece("sheet", "ROI sheet"),
    piece("garden", stage="consideration"),
)


@pytest.mark.parametrize(
    ("reader", "had", "kind", "expected"),
    [
        (AssetReader("evaluation", "en"), (), "case study", "german"),
        (AssetReader("evaluation", "en", ("finance",)), (), "case study", "money"),  # made for their role
        (
            AssetReader("evaluation", "en", ("finance",), "finance-director"),
            (),
            "case study",
            "owners",
        ),  # for their persona
        (AssetReader("evaluation", "de", ("finance",)), (), "case study", "german"),  # in their language comes before
        (AssetReader("evaluation", "en"), ("german",), "case study", "early"),  # the stage beside will do
        (AssetReader("evaluation", "en"), ("german", "early"), "case study", "late"),
        (AssetReader("discovery", "en"), ("german", "early"), "case study", None),  # two stages on will not
        (AssetReader("evaluation", "en"), (), "ROI sheet", "sheet"),
        (AssetReader("evaluation", "en"), (), "webinar", None),
        (AssetReader("evaluation", "en"), ("german",), ANYTHING, "sheet"),
        (AssetReader("awareness", "en"), (), ANYTHING, "garden"),  # the other market has its own shelf
    ],
)
def test_the_best_piece(reader: AssetReader, had: tuple[str, ...], kind: str, expected: str | None) -> None:
    found = best(SHELF, reader, had, kind)
    assert (found.slug if found else None) == expected


def test_a_letter_gets_no_piece_twice_and_says_what_it_lacks() -> None:
    reader = AssetReader("evaluation", "en")
    asks = ContentRequest(needed=("case study",), wished=(ANYTHING, "webinar"), named=("german",))
    assert choose(SHELF, asks, reader, ()).assets == {"case study": "early", ANYTHING: "sheet"}
    assert choose(SHELF, asks, reader, ("early", "late")).lacking == "case study"


@pytest.mark.parametrize(
    ("market", "stage", "phase", "read"),
    [("b2b", "lead", None, "discovery"), ("b2b", "lead", "tender", "purchase"), ("b2b", "customer", None, "loyalty"),
     ("b2c", "lapsed", None, "consideration"), ("b2c", None, None, "awareness"), ("b2b", "buyer", None, "discovery")],
)  # fmt: skip
def test_how_far_a_reader_is(market: str, stage: str | None, phase: str | None, read: str) -> None:
    assert stage_of(market, stage, phase) == read


def test_the_matrix_has_a_cell_for_everybody_and_shows_the_holes() -> None:
    cells = coverage(SHELF, {"finance-director": ("finance",), "user": ("user",)}, ("evaluation",), ("en", "de"))
    found = {(cell.persona, cell.language): cell for cell in cells}
    assert found["finance-director", "en"].assets == ("money", "german", "owners", "sheet")
    assert found["user", "de"].assets == ("german",)
    assert found["user", "de"].borrowed == ("sheet",)
    assert usual_roles(load_tables())["finance-director"] == ("finance",)


# in letters and campaigns

CONTENT = """
[first]
kind = "case study"
stage = "evaluation"
url = "https://x.example/first"
title = {en = "The first", de = "Der Erste"}
[second]
kind = "case study"
stage = "evaluation"
url = "https://x.example/second"
title = {en = "The second"}
[named]
kind = "case study"
stage = "evaluation"
url = "https://x.example/named"
title = {en = "The named"}
"""
TERMS = """
name = "Cases"
market = "b2b"
goal = "reply"
audience = "stage IN ('lead', 'mql')"
max_per_person = 9
[account]
max_contacts_per_day = 9
[hours]
start = "00:00"
end = "23:59"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
[[steps]]
letter = "one"
[[steps]]
letter = "two"
[[steps]]
letter = "three"
"""
NEEDS = '{{ best["case study"].title }} {{ best["case study"].url }}\n' + LINES
WISHES = '{% if best["case study"] %}' + NEEDS + "{% else %}nothing new\n" + LINES + "{% endif %}"


def files(**bodies: str) -> dict[str, str]:
    found = {"cases/campaign.toml": TERMS, "content.toml": CONTENT}
    for letter, body in bodies.items():
        found |= {f"cases/{letter}/subject.txt": "s", f"cases/{letter}/body.txt": body,
                  f"cases/{letter}/body.html": f"<p>{body}</p>"}  # fmt: skip
    return found


def a_company(engine: Engine) -> None:
    """Zoë (contact 1) and Ruth (2) of one account, Ivan (3) for himself."""
    made = {"traits": {}, "created_at": NOW - DAY, "updated_at": NOW - DAY}
    add(engine, Account, {"id": 1, "key": "foo", "name": "Foo & Søns <GmbH>", "country": "DE", **made})
    for id, address, account, locale in ((1, ZOE, 1, "de-DE"), (2, RUTH, 1, "es-MX"), (3, IVAN, None, "ro")):
        add(engine, Address, {"address": address})
        who = {"market": "b2b", "key": address, "address": address, "email": address, "account_id": account}
        rest = {"locale": locale, "consent": "granted", "stage": "lead", **made}
        add(engine, Contact, {"id": id, "first_name": "Zoë", **who, **rest})


def goes_out(engine: Engine, texts: dict[str, str], tmp_path: Path, mornings: int) -> list[dict[str, str]]:
    """Publish, then plan and deliver morning after morning. What each reader was sent, a dict a morning."""
    with database.writing(engine) as session:
        entry = kept.CampaignTerms("cases", "Cases", "b2b")
        version, _ = kept.publish(session, entry, campaigns.digest(texts), texts, "me", NOW)
    office, sent = composer(tmp_path), []
    for morning in range(mornings):
        now, channel = NOW + morning * DAY, Told()
        sequences.enrol(engine, now, "cases", version)
        sequences.plan(engine, now, "cases")
        outbox.deliver(engine, lambda now=now: now, channel, office)
        sent.append({e.to_email: e.text.partition("\n")[0] for request in channel.offered for e in request})
    return sent


def test_nobody_gets_a_piece_twice_and_who_has_had_all_is_told_why(engine: Engine, tmp_path: Path) -> None:
    a_company(engine)
    with database.writing(engine) as session:
        session.execute(update(Contact).where(Contact.id == 3).values(market="b2c"))
    add(engine, Activity, {"dedupe": 1, "contact_id": 2, "kind": "email_click", "at": NOW - 3 * DAY,
                           "detail": "https://X.example/first?utm=1"})  # fmt: skip
    named = '{{ content["named"].title }} {{ content["named"].url }}\n' + LINES
    sent = goes_out(engine, files(one=named, two=NEEDS, three=NEEDS), tmp_path, 3)
    assert sent[0] == dict.fromkeys((ZOE, RUTH), "The named https://x.example/named")
    assert sent[1] == {ZOE: "The first https://x.example/first", RUTH: "The second https://x.example/second"}
    assert sent[2] == {ZOE: "The second https://x.example/second"}
    with database.reading(engine) as session:
        rows = session.execute(
            select(Message.address, Message.letter, Message.state, Message.reason, Message.content_assets)
            .where(Message.campaign == "cases", Message.letter != "one")
            .order_by(Message.address, Message.id)
        ).all()
    assert [tuple(row)[1:] for row in rows if row.address == RUTH] == [
        ("two", "accepted", None, {"case study": "second"}), ("three", "skipped", "no_content_left", None),
    ]  # fmt: skip


def test_a_letter_with_words_for_it_leaves_without_a_piece_and_in_the_readers_language(
    engine: Engine, tmp_path: Path
) -> None:
    a_company(engine)
    with database.writing(engine) as session:
        session.execute(update(Contact).where(Contact.id > 1).values(market="b2c"))
    german = {f"cases/{letter}/{part}": text for letter in ("one", "two", "three") for part, text in (
        ("subject.de.txt", "s"), ("body.de.txt", WISHES), ("body.de.html", f"<p>{WISHES}</p>"))}  # fmt: skip
    texts = files(one=WISHES, two=WISHES, three=WISHES) | german
    texts["_layout/words.toml"] = 'language = "en"\n[en]\n[de]\n'
    sent = goes_out(engine, texts, tmp_path, 3)
    assert [morning[ZOE].partition(" https")[0] for morning in sent] == ["Der Erste", "The second", "The named"]
    texts["content.toml"] = CONTENT.partition("[second]")[0]
    templates = TemplateSet(texts)
    values = samples.values(Campaign("cases", "Cases", "b2b", "reply", "", (Step("one"),)))
    assert "nothing new" in templates.render("cases", "one", None, "en", values | {"content_assets": {}}).text
    again = [
        templates.render("cases", "one", None, "en", values | {"content_assets": {"case study": "first"}}).text
        for _ in "ab"
    ]
    assert again[0] == again[1]
    assert "The first" in again[0]


def test_a_batch_is_printed_though_everybody_carries_another_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    from nurture.rendering.part_template import PartTemplate

    runs: list[str] = []
    real = PartTemplate.written
    monkeypatch.setattr(PartTemplate, "written", lambda self, values: (runs.append(self.kind), real(self, values))[1])
    templates = TemplateSet(files(one=NEEDS))
    values = samples.values(Campaign("cases", "Cases", "b2b", "reply", "", (Step("one"),)))
    for slug in ("first", "second", "named") * 10:
        carried = {"content_assets": {"case study": slug}}
        letter = templates.compose("cases", "one", None, "en", values | carried)
        assert str(letter.part("text")).startswith(f"The {slug} https://x.example/{slug}")
    assert len(runs) == 3
    assert (
        len({id(templates.compose("cases", "one", None, "en", values | c).part("html").form) for c in (carried, {})})
        == 1
    )


def test_holes_that_a_campaign_would_meet_are_warned_of() -> None:
    templates = TemplateSet(files(one=NEEDS, two=WISHES) | {"_layout/words.toml": 'language = "en"\n[en]\n[de]\n'} | {
        "cases/one/subject.de.txt": "s", "cases/one/body.de.txt": NEEDS, "cases/one/body.de.html": NEEDS,
        "content.toml": CONTENT.replace('stage = "evaluation"', 'stage = "evaluation"\nroles = ["finance"]'),
    })  # fmt: skip
    campaign = Campaign(
        "cases", "Cases", "b2b", "reply", "stage = 'lead'", (Step("one", ("finance", "user")), Step("two"))
    )
    told = [(p.weight, p.line, p.what) for p in content_coverage.holes(templates, campaign, "cases", load_tables())]
    assert {line for _, line, _ in told} == {14}
    assert [what.partition(" for ")[0] for _, _, what in told] == [
        "one asks", "one asks",
    ]  # fmt: skip
    assert "none in “de”" in told[0][2]  # finance finds a German one, users find none
    assert "production-manager at discovery" in told[1][2]
    assert content_coverage.stages_met(campaign) == ["discovery"]


def test_mistakes_in_the_library_have_a_line_and_a_mend() -> None:
    wrong = 'title = {en = "x"}\nurl = "https://x.example"\n'
    text = f'[webinar]\nkind = "case studdy"\nstage = "evalution"\npersonas = ["plant-enginer"]\n{wrong}'
    told = [str(p) for p in content_coverage.library_problems(
        {"content.toml": text, "personas.toml": '[[persona]]\nname = "plant-engineer"\n'})]  # fmt: skip
    assert told == [
        "content.toml:2: webinar: the kind “case studdy” is not known (did you mean case study?)",
        "content.toml:3: webinar: the stage “evalution” is not known (did you mean evaluation?)",
        "content.toml:4: webinar: the persona “plant-enginer” is not known (did you mean plant-engineer?)",
        "content.toml:1: webinar is the name of a kind (call the piece otherwise)",
    ]


def test_our_own_library_is_whole() -> None:
    assert [str(p) for p in campaign_check.check(PROJECT / "templates", "pump-efficiency") if "best" in p.what] == []


def test_a_misspelt_kind_is_found_in_every_branch() -> None:
    templates = TemplateSet(files(one='{% if best["case studdy"] %}x{% endif %}{{ best["webinr"].title }}'))
    values = samples.values(Campaign("cases", "Cases", "b2b", "reply", "", (Step("one"),)))
    said = [what for _, what in templates.misspelt("cases/one/body.txt", values)]
    assert said == ["'case studdy' is not known here: did you mean 'case study'?",
                    "'webinr' is not known here: did you mean 'webinar'?"]  # fmt: skip
    with pytest.raises(LetterError):
        templates.render("cases", "one", None, "en", values | {"content_assets": {}})


def test_pieces_do_not_cross_from_one_hat_to_the_other(engine: Engine, tmp_path: Path) -> None:
    a_company(engine)
    with database.writing(engine) as session:
        session.execute(update(Contact).where(Contact.id > 1).values(market="b2c"))
    add(engine, Segment, {"contact_id": 1, "role": "finance", "segmented_at": NOW})
    twin = {"market": "b2c", "key": "h", "address": ZOE, "email": ZOE, "consent": "granted", "stage": "buyer"}
    add(engine, Contact, {"id": 9, **twin, "traits": {}, "created_at": NOW, "updated_at": NOW})
    add(engine, Activity, {"dedupe": 1, "contact_id": 9, "kind": "download", "at": NOW - DAY, "detail": "first"})
    [sent] = goes_out(engine, files(one=NEEDS, two=NEEDS, three=NEEDS), tmp_path, 1)
    assert sent == {ZOE: "The first https://x.example/first"}


def test_the_matrix_is_a_page_with_its_holes(engine: Engine, tmp_path: Path) -> None:
    third = '[third]\nkind = "guide"\nstage = "discovery"\nurl = "https://x.example"\nroles = ["user"]\n'
    (tmp_path / "content.toml").write_text(CONTENT + third + 'title = {en = "<b>", de = "x"}\n')
    (tmp_path / "_layout").mkdir()
    (tmp_path / "_layout" / "words.toml").write_text('language = "en"\n[en]\n[de]\n')
    settings = Settings(var=tmp_path, templates=tmp_path, secret="a-secret-for-tests-only", _env_file=None)
    with TestClient(create_app(settings, engine), base_url="http://127.0.0.1") as web:
        page = web.get("/content", params={"stage": "evaluation"}).text
        assert page.count(">en 3<") == page.count(">de 1<") == 28
        first = web.get("/content").text
        assert ">discovery <" in first  # the first stage, with how many holes it has
        users = sum("user" in roles for roles in usual_roles(load_tables()).values())
        assert (first.count(">de 1<"), first.count(">de 0<")) == (users, 28 - users)
        assert "awareness" in web.get("/content", params={"stage": "<script>"}).text
        assert web.get("/content", headers={"host": "go.brunnhold.example"}).status_code == 403
