"""What a language lacks is named by `nurture check`, and whom it concerns; so is a role nobody can have."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from models.address import Address
from models.contact import Contact
from models.segment import ROLES
from nurture.checks.campaign import check
from nurture.checks.languages import language_problems, readers_of, spoken_by
from nurture.checks.roles import role_problems
from nurture.config.campaign_folder import files
from nurture.config.campaigns import read
from nurture.config.toml_file import Problem
from nurture.rules.languages import LANGUAGES, own_name
from nurture.rules.segmentation.titles import load_tables
from nurture.runtime import database
from tests.support.people import add

TEMPLATES = Path(__file__).parents[2] / "templates"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """Our own templates, to add a language to or take one from."""
    return Path(shutil.copytree(TEMPLATES, tmp_path / "templates"))


def add_french(templates: Path, words: str) -> None:
    """French as docs/campaigns.md describes it: words for the frame, files beside the letters."""
    with (templates / "_layout" / "words.toml").open("a", encoding="utf-8") as file:
        file.write(words)
    for part in (templates / "spring-sale").glob("*/*.es.*"):
        shutil.copy(part, part.with_name(part.name.replace(".es.", ".fr.")))


def said(problems: list[Problem]) -> str:
    """All of them, one a line; each has to be a warning with a mend."""
    assert all(problem.weight == "warning" and problem.mend for problem in problems), problems
    return "\n".join(f"{problem.file}: {problem.what}" for problem in problems)


def test_our_own_languages_lack_nothing() -> None:
    assert list(language_problems(TEMPLATES, files(TEMPLATES, "spring-sale"))) == []
    assert {path.name for path in (TEMPLATES / "pump-efficiency").glob("*/subject.[a-z][a-z].txt")} == {
        f"subject.{code}.txt" for code in LANGUAGES if code != "en"
    }


def test_what_a_new_language_lacks_is_named_until_it_is_there(templates: Path) -> None:
    add_french(templates, '\n[fr]\nunsubscribe = "Se désabonner en un clic"\n')
    told = said(check(templates, "spring-sale", NOW.date()))
    assert "_layout/words.toml: “fr” is not on our list: dates, out-of-office replies and consents in it" in told
    assert "“fr” has no code, greeting_b2b, greeting_b2c, valid_end, valid_until, why_b2b, why_b2c; its letters" in told
    assert "the unsubscribe page has no words in “fr”: its readers see it in English" in told
    assert "no table reads job titles in “fr”" in told
    words, pages = templates / "_layout" / "words.toml", templates / "_pages" / "words.toml"
    for file in (words, pages):
        text = file.read_text("utf-8").partition("\n[fr]")[0]
        spanish = text[text.index("[es]") : text.index("[ro]")]
        file.write_text(f"{text}\n{spanish.replace('[es', '[fr')}", "utf-8")
    told = said(check(templates, "spring-sale", NOW.date()))
    assert "unsubscribe page" not in told
    assert "“fr” has no" not in told
    assert "job titles in “fr”" in told


def test_a_page_that_lacks_a_word_is_named(templates: Path) -> None:
    file = templates / "_pages" / "words.toml"
    file.write_text(
        file.read_text("utf-8").replace('gone = "Erledigt. Wir schreiben Ihnen nicht mehr."\n', ""), "utf-8"
    )
    told = said(check(templates, "spring-sale", NOW.date()))
    assert told == "_pages/words.toml: “de” has no gone: its readers see English there"


def test_a_letter_that_lacks_a_language_is_named_with_how_many_people_it_concerns(
    templates: Path, engine: Engine
) -> None:
    for file in (templates / "spring-sale" / "offer").glob("*.ro.*"):
        file.unlink()
    assert said(check(templates, "spring-sale", NOW.date())) == (
        "spring-sale/campaign.toml: offer is not written in “ro”: they get “en”"
    )
    locales = ["ro-RO", "ro", "fr-FR", "en-GB", "zh", None]
    add(
        engine,
        Address,
        *({"address": f"c{n}@a.example"} for n in range(len(locales))),
    )
    add(
        engine,
        Contact,
        *(
            {"key": f"c{n}", "address": f"c{n}@a.example", "email": f"c{n}@a.example", "market": "b2c",
             "stage": "buyer", "locale": locale, "created_at": NOW, "updated_at": NOW}
            for n, locale in enumerate(locales)
        ),
    )  # fmt: skip
    readers = readers_of(engine, NOW)
    everybody = templates / "spring-sale" / "campaign.toml"
    text = everybody.read_text("utf-8")
    everybody.write_text(re.sub(r"(?m)^audience = .*$", "audience = \"market = 'b2c'\"", text), "utf-8")
    told = said(check(templates, "spring-sale", NOW.date(), readers=readers))
    assert "offer is not written in “ro”, which 2 of its audience read: they get “en”" in told
    assert "offer is not written in “fr”, which one of its audience reads: they get “en”" in told
    assert "last-days is not written in “fr”" in told
    assert "“zh”" not in told


def test_a_database_without_tables_or_without_a_server_counts_nobody(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path / 'empty.db'}", "postgresql+psycopg://nobody@127.0.0.1:1/nothing"):
        engine = database.engine_for(url)
        assert readers_of(engine, NOW)(read(TEMPLATES, "spring-sale")) == {}
        engine.dispose()


def test_asking_whether_a_database_is_there_makes_none(tmp_path: Path) -> None:
    assert not database.is_there(f"sqlite:///{tmp_path / 'var' / 'nurture.db'}")
    assert not list(tmp_path.iterdir())
    assert database.is_there("postgresql+psycopg://…")


@pytest.mark.parametrize(
    ("audience", "languages"),
    [
        ("grade = 'A'", ["en", "de", "es"]),
        ("locale = 'es-MX'", ["es"]),
        ("locale IN ('de', 'de-AT') AND clicks_30d >= 1", ["de"]),
        ("NOT locale = 'de'", ["en", "de", "es"]),
    ],
)
def test_an_audience_that_names_locales_asks_for_their_languages_only(audience: str, languages: list[str]) -> None:
    assert spoken_by(audience, ["en", "de", "es"]) == languages


def test_every_role_on_the_list_can_be_had_and_one_without_a_rule_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(role_problems(load_tables())) == []
    monkeypatch.setattr("nurture.checks.roles.ROLES", (*ROLES, "legal"))
    told = said(list(role_problems(load_tables())))
    assert told == "roles.toml: no rule gives anybody the role “legal”"


def test_a_language_is_called_as_its_speakers_call_it() -> None:
    assert [own_name(code) for code in ("ro", "fr", "xq")] == ["Română", "Français", "xq"]
