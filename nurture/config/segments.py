"""segments.toml read and checked: when behaviour makes a champion, and where one kind of shopper ends."""

from datetime import timedelta
from pathlib import Path

from nurture.config.toml_file import ConfigFileError, Problem, TomlTable, parse_toml
from nurture.rules.segmentation.segments import (
    CHAMPIONS,
    ENGAGED_KINDS,
    SHOPPERS,
    ChampionRules,
    SegmentRules,
    ShopperRules,
)
from nurture.runtime.settings import settings

FILE = "segments.toml"


class SegmentRulesError(ConfigFileError):
    """segments.toml cannot be used."""


def here() -> SegmentRules:
    """This installation's rules; the usual ones where it has no such file."""
    path = settings().rules / FILE
    return read_text(path.read_text("utf-8")) if path.is_file() else SegmentRules()


def check(path: Path) -> list[Problem]:
    """Everything that is wrong with a file; nothing, if it can be used or is not there."""
    try:
        read_text(path.read_text("utf-8") if path.is_file() else "", path.name)
    except SegmentRulesError as error:
        return error.problems
    return []


def read_text(text: str, name: str = FILE) -> SegmentRules:
    """The rules of a text. Raises SegmentRulesError with every mistake."""
    table = parse_toml(text, name, SegmentRulesError)
    table.expect_only(("champion", "shopper"))
    rules = SegmentRules(_champion(table.table("champion")), _shopper(table.table("shopper")))
    table.file.raise_problems(SegmentRulesError)
    return rules


def _champion(table: TomlTable) -> ChampionRules:
    usual = CHAMPIONS
    table.expect_only(("activities", "kinds", "pieces", "speaks", "keeps", "confidence"))
    confidence = table.number("confidence", usual.confidence)
    if not 0.5 <= confidence <= 1:
        table.wrong("confidence", f"confidence {confidence} is not between 0.5 and 1", "0.8 is usual")
    return ChampionRules(
        _count(table, "activities", usual.times),
        _count(table, "kinds", usual.kinds),
        _count(table, "pieces", usual.pieces),
        table.choices("speaks", tuple(ENGAGED_KINDS), "the kind of activity", usual.speaks),
        _days(table, "keeps", usual.keeps),
        confidence,
    )


def _shopper(table: TomlTable) -> ShopperRules:
    usual = SHOPPERS
    table.expect_only(("lapsed", "lapsing", "champion_orders", "loyal_orders"))
    rules = ShopperRules(
        _days(table, "lapsed", usual.lapsed),
        _days(table, "lapsing", usual.lapsing),
        _count(table, "champion_orders", usual.champion_orders),
        _count(table, "loyal_orders", usual.loyal_orders),
    )
    if rules.lapsing >= rules.lapsed:
        table.wrong("lapsing", "lapsing is not before lapsed", "who lapses comes first: lapsing < lapsed")
    if rules.loyal_orders > rules.champion_orders:
        table.wrong("loyal_orders", "a champion needs fewer orders than a loyal shopper", "swap the two")
    return rules


def _count(table: TomlTable, key: str, usual: int) -> int:
    number = table.get(key, int, usual)
    if number < 1:
        table.wrong(key, f"{key} is {number}", "write at least 1")
    return number


def _days(table: TomlTable, key: str, usual: timedelta) -> timedelta:
    span = table.span(key)
    if span is None:
        return usual
    if span.business_days or not span.time:
        table.wrong(key, f"{key} counts plain days", "write P60D")
        return usual
    return span.time
