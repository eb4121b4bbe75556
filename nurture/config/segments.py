"""segments.toml read and checked: when behaviour makes a champion, and where one kind of shopper ends."""

import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

from nurture.config.toml_file import Problem, Reader, lines
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


class SegmentRulesError(Exception):
    """The file cannot be used. Its text names each line and the mend."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


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
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise SegmentRulesError(
            [Problem(name, int(line[1]) if line else None, str(error), "correct the TOML")]
        ) from None
    reader = Reader(name, lines(text))
    reader.known(table, (), ("champion", "shopper"))
    rules = SegmentRules(_champion(reader, table), _shopper(reader, table))
    if reader.problems:
        raise SegmentRulesError(reader.problems)
    return rules


def _champion(reader: Reader, table: dict[str, Any]) -> ChampionRules:
    one, path, usual = reader.take(table, (), "champion", dict, {}), ("champion",), CHAMPIONS
    reader.known(one, path, ("activities", "kinds", "pieces", "speaks", "keeps", "confidence"))
    speaks = reader.take(one, path, "speaks", list, list(usual.speaks))
    confidence = reader.take(one, path, "confidence", (float, int), usual.confidence)
    if not 0.5 <= confidence <= 1:
        reader.wrong((*path, "confidence"), f"confidence {confidence} is not between 0.5 and 1", "0.8 is usual")
    return ChampionRules(
        _count(reader, one, path, "activities", usual.times),
        _count(reader, one, path, "kinds", usual.kinds),
        _count(reader, one, path, "pieces", usual.pieces),
        tuple(
            kind
            for kind in speaks
            if reader.choose(kind, (*path, "speaks"), tuple(ENGAGED_KINDS), "the kind of activity")
        ),
        _days(reader, one, path, "keeps", usual.keeps),
        confidence,
    )


def _shopper(reader: Reader, table: dict[str, Any]) -> ShopperRules:
    one, path, usual = reader.take(table, (), "shopper", dict, {}), ("shopper",), SHOPPERS
    reader.known(one, path, ("lapsed", "lapsing", "champion_orders", "loyal_orders"))
    rules = ShopperRules(
        _days(reader, one, path, "lapsed", usual.lapsed),
        _days(reader, one, path, "lapsing", usual.lapsing),
        _count(reader, one, path, "champion_orders", usual.champion_orders),
        _count(reader, one, path, "loyal_orders", usual.loyal_orders),
    )
    if rules.lapsing >= rules.lapsed:
        reader.wrong((*path, "lapsing"), "lapsing is not before lapsed", "who lapses comes first: lapsing < lapsed")
    if rules.loyal_orders > rules.champion_orders:
        reader.wrong((*path, "loyal_orders"), "a champion needs fewer orders than a loyal shopper", "swap the two")
    return rules


def _count(reader: Reader, table: dict[str, Any], path: tuple[str], key: str, usual: int) -> int:
    number: int = reader.take(table, path, key, int, usual)
    if number < 1:
        reader.wrong((*path, key), f"{key} is {number}", "write at least 1")
    return number


def _days(reader: Reader, table: dict[str, Any], path: tuple[str], key: str, usual: timedelta) -> timedelta:
    span = reader.span(table, path, key)
    if span is None:
        return usual
    if span.business_days or not span.time:
        reader.wrong((*path, key), f"{key} counts plain days", "write P60D")
        return usual
    return span.time
