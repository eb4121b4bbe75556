"""The library as a matrix, persona × stage × language, and the holes that a campaign's readers would meet."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import sqlglot
from sqlglot import exp

from models.contact import Market
from nurture.config.toml_file import Problem, lines
from nurture.rendering import LetterError, TemplateSet
from nurture.rendering.content_assets import read_pieces, stages_of
from nurture.rendering.translations import CONTENT_FILE, WORDS_FILE
from nurture.rules.planning.campaign import Campaign, Step
from nurture.rules.planning.content_assets import (
    KINDS,
    READ_AT,
    READ_IN,
    STAGES,
    AssetReader,
    CoverageCell,
    best,
    coverage,
    usual_roles,
)
from nurture.rules.segmentation.titles import TitleTables, load_tables

ALL_STAGES = tuple(stage for order in STAGES.values() for stage in order)
PERSONAS_FILE = "personas.toml"
MOST_NAMED = 4


def shared(templates: Path) -> dict[str, str]:
    """The files that the library is made of, as far as they are there."""
    names = (CONTENT_FILE, WORDS_FILE, PERSONAS_FILE)
    return {name: (templates / name).read_text("utf-8") for name in names if (templates / name).is_file()}


def library_problems(texts: Mapping[str, str]) -> Iterator[Problem]:
    """What is wrong with the kinds, stages and personas of content.toml."""
    text = texts.get(CONTENT_FILE, "")
    try:
        assets = tomllib.loads(text)
        personas = [row["name"] for row in tomllib.loads(texts.get(PERSONAS_FILE, "")).get("persona", ())]
    except tomllib.TOMLDecodeError:
        return  # said elsewhere
    where = lines(text)
    for slug, asset in assets.items():
        said: list[tuple[str, Any, Sequence[str]]] = [("kind", asset.get("kind", KINDS[0]), KINDS)]
        said += [("stage", stage, ALL_STAGES) for stage in stages_of(asset) or ("",)]
        said += [("personas", persona, personas) for persona in asset.get("personas", ()) if personas]
        for key, value, known in said:
            if value not in known:
                near = difflib.get_close_matches(str(value), known, 1)
                mend = f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}"
                what = f"{slug}: the {key.rstrip('s')} “{value}” is not known" if value else f"{slug} has no {key}"
                yield Problem(CONTENT_FILE, where.get((slug, key), where.get((slug,))), what, mend)
        if slug in KINDS:
            yield Problem(CONTENT_FILE, where.get((slug,)), f"{slug} is the name of a kind", "call the piece otherwise")


def matrix(texts: Mapping[str, str], market: str, languages: Sequence[str], tables: TitleTables) -> list[CoverageCell]:
    """The coverage of one market: B2B by persona; shoppers have none, so one row for all of them."""
    personas: Mapping[str, Sequence[str]] = usual_roles(tables) if market == Market.B2B else {"shopper": ()}
    return coverage(read_pieces(texts), personas, STAGES[market], languages)


@lru_cache(1)
def title_tables() -> TitleTables:
    """Ours, read once."""
    return load_tables()


def holes(templates: TemplateSet, campaign: Campaign, slug: str, tables: TitleTables) -> Iterator[Problem]:
    """For each letter, kind and language: for whom there is no such piece, not even at first.

    Only kinds that a letter cannot do without: who finds none is skipped.
    """
    file = f"{slug}/campaign.toml"
    where = lines(templates.files.get(file, ""))
    for number, step in enumerate(campaign.steps):
        folder = f"{slug}/{step.letter}"
        if not any("best[" in text for path, text in templates.files.items() if path.startswith(("_", folder + "/"))):
            continue
        lacking: dict[tuple[str, str], list[str]] = {}
        for readers in _readers(campaign, step, tables):
            for language in [templates.words.default, *templates.words.by_language]:
                for kind, stage in _lacking(templates, campaign, step, readers, language):
                    lacking.setdefault((kind, language), []).append(f"{readers.persona or 'shoppers'} at {stage}")
        for (kind, language), whom in sorted(lacking.items()):
            some = ", ".join(whom[:MOST_NAMED]) + (
                f" and {len(whom) - MOST_NAMED} more" if len(whom) > MOST_NAMED else ""
            )
            what = f"{step.letter} asks for the best {kind}, and there is none in “{language}” for {some}"
            mend = f'add one to {CONTENT_FILE}, or ask {{% if best["{kind}"] %}} first'
            yield Problem(file, where.get(("steps", number, "letter")), what, mend, "warning")


class Readership(NamedTuple):
    """People a step is for."""

    persona: str | None  # None: shoppers
    roles: tuple[str | None, ...]  # that such people have


def _readers(campaign: Campaign, step: Step, tables: TitleTables) -> Iterator[Readership]:
    """The personas a step is for, each with the roles such people have there."""
    if campaign.market != Market.B2B:
        yield Readership(None, (None,))
        return
    for persona, roles in usual_roles(tables).items():
        mine = tuple(role for role in roles if not step.roles or role in step.roles)
        if mine:
            yield Readership(persona, mine)


def _lacking(
    templates: TemplateSet, campaign: Campaign, step: Step, readers: Readership, language: str
) -> list[tuple[str, str]]:
    """(kind, stage) of content that a letter cannot do without and that these readers would not find."""
    found = set()
    for role in readers.roles:
        try:
            choice = templates.files_for(campaign.slug, step.letter, role, language)
        except LetterError:
            continue  # said by the check of its files
        if choice.language != language:
            continue  # nobody gets the letter in this language
        asks = templates.asks(choice)
        for stage in stages_met(campaign):
            reader = AssetReader(stage, language, (role,), readers.persona)
            for kind in asks.needed:
                piece = best(templates.library, reader, asks.named, kind, templates.words.default)
                if piece is None or language not in piece.languages:
                    found.add((kind, stage))
    return sorted(found)


def stages_met(campaign: Campaign) -> list[str]:
    """At which stages of the library the campaign's readers are, as far as its audience says; else at all of them."""
    market = STAGES[campaign.market]
    try:
        tree = sqlglot.parse_one(f"SELECT 1 WHERE {campaign.audience}")
    except sqlglot.errors.SqlglotError:
        return list(market)
    said: dict[str, set[str]] = {"stage": set(), "opportunity_stage": set()}
    for node in tree.find_all(exp.EQ, exp.In):
        if isinstance(node.this, exp.Column) and node.this.name.lower() in said:
            said[node.this.name.lower()] |= {literal.name for literal in node.find_all(exp.Literal)}
    read = {READ_IN.get(word) for word in said["opportunity_stage"]}  # type: ignore[call-overload]
    read = read or {READ_AT.get(word) for word in said["stage"]}  # type: ignore[call-overload]
    return [stage for stage in market if stage in read] or list(market)
