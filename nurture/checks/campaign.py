"""`nurture check`: every letter of every campaign written to a sample lead, before a real one gets it."""

import difflib
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from models.segment import ROLES
from nurture.channels.parts import EMAIL_PARTS, PartFile
from nurture.checks import content_coverage
from nurture.checks.languages import language_problems, untranslated
from nurture.checks.roles import role_problems
from nurture.checks.template import letter_problems
from nurture.config import prices
from nurture.config.campaign_file import CampaignError, find_campaign
from nurture.config.campaign_folder import SHARED, files, slugs
from nurture.config.toml_file import Problem, lines
from nurture.rendering import TemplateSet, samples
from nurture.rendering.translations import CONTENT_FILE, WORDS_FILE
from nurture.rules.planning.campaign import Campaign

ReadersOf = Callable[[Campaign], Mapping[str, int]]  # campaign → language → people of its audience
SALES = "_sales"


def check(
    templates: Path,
    slug: str | None = None,
    today: date | None = None,
    parts: Sequence[PartFile] = EMAIL_PARTS,
    readers: ReadersOf | None = None,
) -> list[Problem]:
    """Every problem of one campaign, or of all and the mails to sales. Needs no database and sends nothing.

    With `today`, an offer that has ended is a warning; publishing it is refused. `parts`: what the channel needs.
    `readers` asks a database how many people of a campaign's audience speak which language: then a letter that lacks
    one says how many it concerns.
    """
    names = [slug] if slug else [*slugs(templates), *([SALES] if (templates / SALES).is_dir() else [])]
    found = [problem for name in names for problem in _campaign(templates, name, today, parts, readers)]
    found += role_problems(content_coverage.title_tables())
    unique = {(p.file, p.line, p.what): p for p in found}  # a mistake in a frame shows in every letter
    return sorted(unique.values(), key=lambda p: (p.weight, p.file, p.line or 0))


def _campaign(
    templates: Path, slug: str, today: date | None, parts: Sequence[PartFile], readers: ReadersOf | None
) -> Iterator[Problem]:
    """Every problem of one campaign's files and letters."""
    try:
        texts = files(templates, slug)
    except CampaignError as error:
        yield from error.problems
        return
    broken = [*_shared(texts), *content_coverage.library_problems(texts), *prices.check(texts)]
    yield from broken
    yield from language_problems(templates, texts)
    if slug == SALES:
        campaign: Campaign | None = samples.CAMPAIGN
    else:
        campaign, problems = find_campaign(texts, slug)
        yield from problems
    if broken or campaign is None:
        return
    letters = TemplateSet(texts, parts)
    yield from _letters(letters, campaign, slug, parts[0].name)
    if slug != SALES:
        yield from content_coverage.holes(letters, campaign, slug, content_coverage.title_tables())
        yield from untranslated(letters, campaign, slug, readers(campaign) if readers else None)
    if campaign.offer and today and campaign.offer.ends_on < today:
        at = lines(texts[f"{slug}/campaign.toml"]).get(("offer", "ends_on"))
        what = f"the offer ended on {campaign.offer.ends_on:%Y-%m-%d}; nobody gets a letter"
        yield Problem(f"{slug}/campaign.toml", at, what, "set a later day, or retire the campaign", "warning")


def _letters(letters: TemplateSet, campaign: Campaign, slug: str, first_part: str) -> Iterator[Problem]:
    """What is wrong with the frames and each letter, and the letters that no step uses."""
    for path in sorted(letters.files):
        if path.startswith(SHARED) and not path.endswith(".toml"):
            for line, what in letters.misspelt(path, samples.values(campaign)):
                yield Problem(path, line, what, "correct the placeholder")
    folders = sorted(name for name in letters.letters if name.startswith(f"{slug}/"))
    for folder in folders:
        letter = folder.partition("/")[2]
        step = next((step for step in campaign.steps if step.letter == letter), None)
        yield from _files(folder, letters)
        yield from letter_problems(letters, campaign, slug, letter, step.roles if step else ())
        if step is None and slug != SALES:
            yield Problem(
                f"{folder}/{first_part}",
                None,
                "no step uses this letter",
                "add it to the steps, or remove it",
                "warning",
            )


def _shared(texts: Mapping[str, str]) -> Iterator[Problem]:
    """The files all campaigns share: the words and the content library."""
    tables: dict[str, Any] = {}
    for file in (WORDS_FILE, CONTENT_FILE):
        try:
            tables[file] = tomllib.loads(texts.get(file, ""))
        except tomllib.TOMLDecodeError as error:
            yield Problem(file, getattr(error, "lineno", None), str(error), "correct the TOML")
    default = tables.get(WORDS_FILE, {}).get("language", "en")
    where = lines(texts.get(CONTENT_FILE, ""))
    for slug, asset in tables.get(CONTENT_FILE, {}).items():
        for key in ("kind", "url", "title"):
            if not asset.get(key):
                yield Problem(CONTENT_FILE, where.get((slug,)), f"{slug} has no {key}", f"add {key}")
        if asset.get("title") and default not in asset["title"]:
            yield Problem(
                CONTENT_FILE, where.get((slug, "title")), f"{slug} has no title in {default}", f"add {default} = …"
            )
        if not str(asset.get("url", "https://")).startswith("https://"):
            yield Problem(
                CONTENT_FILE,
                where.get((slug, "url")),
                f"{slug}: {asset['url']} is not a safe link",
                "begin it with https://",
            )
        for role in asset.get("roles", ()):
            if role not in ROLES:
                mend = f"one of {', '.join(ROLES)}"
                yield Problem(CONTENT_FILE, where.get((slug, "roles")), f"{slug}: the role “{role}” is not known", mend)


def _files(folder: str, letters: TemplateSet) -> Iterator[Problem]:
    """The files of a letter: all parts there, every name understood, every variant whole."""
    names, default, languages = letters.letters[folder], letters.words.default, set(letters.words.by_language)
    parts = [part.name for part in letters.parts]
    bodies = {part.suffix for part in letters.parts if part.stem == "body"}
    for stem, suffix, part in ((part.stem, part.suffix, part.name) for part in letters.parts):
        if part not in names and f"{stem}.{default}.{suffix}" not in names:
            yield Problem(f"{folder}/{part}", None, "this part of the letter is missing", f"write {folder}/{part}")
    whole: dict[tuple[str, str], set[str]] = {}
    for name in sorted(names):
        stem, *middle, suffix = name.split(".")
        role = next((word for word in middle if word in ROLES), "")
        tongue = next((word for word in middle if word not in ROLES), default)
        if f"{stem}.{suffix}" not in parts or len(middle) > 2:
            yield Problem(
                f"{folder}/{name}", None, "the name of this file means nothing", f"use {', '.join(parts)}", "warning"
            )
            continue
        if languages and tongue.partition("-")[0] not in languages | {default}:
            meant = difflib.get_close_matches(tongue, [*ROLES, *languages], n=1)
            mend = f"did you mean {meant[0]}?" if meant else f"add [{tongue}] to {WORDS_FILE}"
            yield Problem(f"{folder}/{name}", None, f"“{tongue}” is neither a role nor a language we know", mend)
            continue
        if stem == "body":
            whole.setdefault((role, tongue), set()).add(suffix)
        if not role and tongue != default:
            lacking = [part for part in parts if part.replace(".", f".{tongue}.") not in names]
            if lacking and "-" not in tongue:
                what = f"the letter is not complete in “{tongue}”, so nobody gets this file"
                yield Problem(
                    f"{folder}/{name}", None, what, f"write {', '.join(p.replace('.', f'.{tongue}.') for p in lacking)}"
                )
    for (role, tongue), kinds in whole.items():
        if role and len(kinds) < len(bodies):
            middle_name = f"{role}." if tongue == default else f"{role}.{tongue}."
            have, lack = ("html", "txt") if "html" in kinds else ("txt", "html")
            what = f"the {have} part is there without its {lack} part: the two would say different things"
            yield Problem(f"{folder}/body.{middle_name}{have}", None, what, f"write body.{middle_name}{lack}")
