"""What each language of our letters needs and lacks; and the letters that some readers get in another."""

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

import sqlglot
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlglot import exp

from nurture.config import audience_predicate
from nurture.config.toml_file import Problem, lines
from nurture.rendering import LetterError, TemplateSet
from nurture.rendering.translations import WORDS_FILE
from nurture.rules.languages import DEFAULT, LANGUAGES, language_of
from nurture.rules.planning.campaign import Campaign, Step
from nurture.rules.segmentation.title_tables import TABLES
from nurture.runtime import database
from nurture.runtime.settings import PROJECT

PAGES_FILE = "_pages/words.toml"
LIST = "nurture/rules/languages.py"


def language_problems(templates: Path, texts: Mapping[str, str]) -> Iterator[Problem]:
    """For each language with words of its own, and each of our list that has none: what is missing, as warnings."""
    words, default = _sections(texts.get(WORDS_FILE, ""))
    if not words:
        return  # no frame, or one that cannot be read: said elsewhere
    where = lines(texts[WORDS_FILE])
    pages_text = _pages_text(templates)
    pages, _ = _sections(pages_text)
    for code, has in words.items():
        here = Problem(WORDS_FILE, where.get((code,)), "", "", "warning")
        if code not in LANGUAGES:
            yield _told(
                here,
                f"“{code}” is not on our list: dates, out-of-office replies and consents in it are read as for others",
                f"add its row to {LIST} (docs/extending.md)",
            )
        if lacking := sorted(words.get(default, frozenset()) - has - {"locale"}):
            yield _told(
                here, f"“{code}” has no {_list(lacking)}; its letters take the words of “{default}”", "add them"
            )
        if code not in pages:
            mend = f"add [{code}] to {PAGES_FILE}"
            yield _told(here, f"the unsubscribe page has no words in “{code}”: its readers see it in English", mend)
        if not (TABLES / f"{code}.toml").is_file():
            what = f"no table reads job titles in “{code}”"
            yield _told(here, what, f"write nurture/rules/segmentation/{TABLES.name}/{code}.toml")
    page_lines = lines(pages_text)
    for code, has in pages.items():
        if lacking := sorted(pages.get(DEFAULT, frozenset()) - has):
            what = f"“{code}” has no {_list(lacking)}: its readers see English there"
            yield Problem(PAGES_FILE, page_lines.get((code,)), what, "add them", "warning")


def untranslated(
    letters: TemplateSet, campaign: Campaign, slug: str, readers: Mapping[str, int] | None
) -> Iterator[Problem]:
    """Letters that somebody of the audience gets in another language than their own.

    `readers`: how many people of the audience speak each language, {"fr": 214}; empty where no database can say:
    then every language with words of its own counts, as far as the audience does not speak of locales.
    """
    file = f"{slug}/campaign.toml"
    where = lines(letters.files.get(file, ""))
    languages = readers if readers else dict.fromkeys(spoken_by(campaign.audience, letters.words.by_language), 0)
    for number, step in enumerate(campaign.steps):
        for language, people in sorted(languages.items()):
            instead = _instead(letters, slug, step, language)
            if instead is None:
                continue
            whom = f"{people:,} of its audience read" if people > 1 else "one of its audience reads" if people else ""
            what = f"{step.letter} is not written in “{language}”" + (f", which {whom}" if whom else "")
            mend = f"write subject.{language}.txt, body.{language}.txt and body.{language}.html"
            if language not in letters.words.by_language:
                mend += f", and [{language}] in {WORDS_FILE}"
            at = where.get(("steps", number, "letter"))
            yield Problem(file, at, f"{what}: they get “{instead}”", mend, "warning")


def readers_of(engine: Engine, now: datetime) -> Callable[[Campaign], dict[str, int]]:
    """Who asks a database which languages an audience speaks; with no tables, older ones or no server: nobody does."""

    def readers(campaign: Campaign) -> dict[str, int]:
        """Language → people of the campaign's audience, now."""
        found: Counter[str] = Counter()
        try:
            with database.reading(engine) as session:
                for locale, people in audience_predicate.locales(session, now, campaign.audience).items():
                    found[language_of(locale)] += people
        except DBAPIError:  # `nurture doctor` says which
            return {}
        found.pop("", None)  # of whom we know no language gets the letters as they are
        return dict(found)

    return readers


def spoken_by(audience: str, languages: Iterable[str]) -> list[str]:
    """Of these languages, the ones a predicate lets in: those of the locales it names, or all where it names none."""
    try:
        tree = sqlglot.parse_one(f"SELECT 1 WHERE {audience}")
    except sqlglot.errors.SqlglotError:
        return list(languages)
    named = {
        language_of(literal.name)
        for node in tree.find_all(exp.EQ, exp.In)
        if isinstance(node.this, exp.Column) and node.this.name.lower() == "locale" and not node.find_ancestor(exp.Not)
        for literal in node.find_all(exp.Literal)
    }
    return [language for language in languages if not named or language in named]


def _instead(letters: TemplateSet, slug: str, step: Step, language: str) -> str | None:
    """The language in which somebody of this language gets the letter, where it is not their own."""
    for role in step.roles or (None,):
        try:
            files = letters.files_for(slug, step.letter, role, language)
        except LetterError:
            return None  # said by the check of its files
        if files.language != language:
            return files.language
    return None


def _sections(text: str) -> tuple[dict[str, frozenset[str]], str]:
    """The keys a file of words has in each language, and the language of what names none; nothing if it is broken."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}, DEFAULT
    default = table.get("language", DEFAULT)
    return {code: frozenset(words) for code, words in table.items() if isinstance(words, dict)}, str(default)


def _pages_text(templates: Path) -> str:
    """The words of the pages: the installation's own, else ours."""
    files = (folder / PAGES_FILE for folder in (templates, PROJECT / "templates"))
    return next(file for file in files if file.is_file()).read_text("utf-8")


def _told(here: Problem, what: str, mend: str) -> Problem:
    return Problem(here.file, here.line, what, mend, here.weight)


def _list(names: list[str]) -> str:
    return ", ".join(names)
