"""scoring.toml read and checked: what everything is worth, or which line is wrong and what to write instead."""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from models.segment import ROLES
from nurture.config.toml_file import REQUIRED, Problem, Reader, lines
from nurture.config.toml_file import Path as Keys
from nurture.rules.scoring.lead_score import (
    AccountRules,
    ActivityKind,
    Band,
    Grades,
    MarketRules,
    PointsTable,
    Rules,
    TitleWords,
    Worth,
    plain,
)

MARKETS = ("b2b", "b2c")
COLUMNS = {  # what a fit table may look at, besides title_words, domains and traits
    "b2b": (
        "role", "persona", "department", "seniority", "industry", "employees", "country", "tier", "channel", "locale",
    ),
    "b2c": ("recency_days", "frequency", "spent", "country", "locale"),
}  # fmt: skip
BAND = re.compile(r"(-?\d+)(?:-(\d+)|\+)")
SAY = {"role": "{value}", "persona": "{value}", "industry": "{value} company"}  # else "column value"
NUMBER = (int, float)
TEN_YEARS = 3650


class ScoringRulesError(Exception):
    """The file cannot be used. Show `problems` to whoever wrote it; each names its line and the mend."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def read(path: Path) -> Rules:
    """The rules of a file, or ScoringRulesError."""
    return read_text(path.read_text(encoding="utf-8"), path.name)


def check(path: Path) -> list[Problem]:
    """Everything that is wrong with a file; nothing, if it can be used."""
    try:
        read(path)
    except ScoringRulesError as error:
        return error.problems
    except FileNotFoundError:
        return [Problem(path.name, None, "there is no such file", "copy the one that comes with nurture")]
    return []


def read_text(text: str, name: str = "scoring.toml") -> Rules:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        where = int(line[1]) if line else text.count("\n") + 1
        raise ScoringRulesError(
            [Problem(name, where, str(error), "texts and odd keys stand in quotation marks")]
        ) from None
    file = Reader(name, lines(text))
    file.known(table, (), (*MARKETS, "grades", "account"))
    rules = Rules(
        version="rules-" + hashlib.sha256(text.encode()).hexdigest()[:12],
        markets={market: _sheet(file, table, market) for market in MARKETS},
        grades=_grades(file, table),
        account=_account(file, table),
    )
    if file.problems:
        raise ScoringRulesError(sorted(file.problems, key=lambda problem: problem.line or 0))
    return rules


def _sheet(file: Reader, table: dict[str, Any], market: str) -> MarketRules:
    whole = file.take(table, (), market, dict, {})
    file.known(whole, (market,), ("fit", "engagement"))
    fit, its = file.take(whole, (market,), "fit", dict, {}), (market, "fit")
    did, doing = file.take(whole, (market,), "engagement", dict, {}), (market, "engagement")
    file.known(fit, its, ("most", "title_words", "domains", "traits", *COLUMNS[market]))
    file.known(did, doing, ("most", "kinds", "silence"))
    fit_most, engagement_most = _number(file, fit, its, "most", 50), _number(file, did, doing, "most", 50)
    if fit_most + engagement_most != 100 or min(fit_most, engagement_most) < 0:
        together = f"the two most of {market} make {fit_most + engagement_most:g} points together"
        file.wrong((*doing, "most"), together, "a score runs from 0 to 100: make them 100")
    title_words = file.take(fit, its, "title_words", dict, {})
    kinds = file.take(did, doing, "kinds", dict, {})
    return MarketRules(
        fit_most=fit_most,
        tables=tuple(_tables(file, fit, market)),
        title_words=TitleWords(
            tuple(
                (word, _worth(file, title_words, (*its, "title_words"), word, f"“{word.strip('*')}” in the title"))
                for word in title_words
            )
        ),
        domains=dict(_domains(file, file.take(fit, its, "domains", dict, {}), (*its, "domains"))),
        engagement_most=engagement_most,
        kinds={name: _kind(file, kinds, (*doing, "kinds"), name) for name in kinds},
        silence=_silence(file, file.take(did, doing, "silence", dict, {}), (*doing, "silence")),
    )


def _tables(file: Reader, fit: dict[str, Any], market: str) -> Iterator[PointsTable]:
    for column in COLUMNS[market]:
        if column in fit:
            yield _table(file, fit, (market, "fit"), column, column)
    traits = file.take(fit, (market, "fit"), "traits", dict, {})
    for trait in traits:
        yield _table(file, traits, (market, "fit", "traits"), trait, f"traits.{trait}")


def _table(file: Reader, parent: Mapping[str, Any], path: Keys, key: str, column: str) -> PointsTable:
    values, path = file.take(parent, path, key, dict, {}), (*path, key)
    say = file.take(values, path, "say", str, SAY.get(column, f"{key.replace('_', ' ')} {{value}}"))
    if re.search(r"[{}]", say.replace("{value}", "")):
        file.wrong(
            (*path, "say"), f"“{say}” has braces that mean nothing", "{value} is the one thing that can stand in them"
        )
    exact: dict[str, Worth] = {}
    bands: list[Band] = []
    for value in values:
        if value == "say":
            continue
        if column == "role":
            file.choose(value, (*path, value), ROLES, "the role")
        worth = _worth(file, values, path, value, say.replace("{value}", "other" if value == "*" else value))
        if band := BAND.fullmatch(value):
            low, high = int(band[1]), float(band[2] or "inf")
            clash = next((other for other in bands if low <= other.high and other.low <= high), None)
            if clash or high < low:
                what = (
                    f"“{value}” overlaps {clash.low:g}-{clash.high:g}" if clash else f"“{value}” ends before it begins"
                )
                file.wrong((*path, value), what, "a number belongs to one band: from-to, both included, or from+")
            bands.append(Band(low, high, worth))
        else:
            exact[plain(value)] = worth
    otherwise = exact.pop("*", None)
    return PointsTable(column, exact, tuple(bands), otherwise)


def _domains(file: Reader, table: dict[str, Any], path: Keys) -> Iterator[tuple[str, Worth]]:
    for say in table:
        entry = file.take(table, path, say, dict, {})
        file.known(entry, (*path, say), ("points", "domains"))
        points = _number(file, entry, (*path, say), "points", REQUIRED)
        for domain in file.take(entry, (*path, say), "domains", list, REQUIRED) or ():
            if not isinstance(domain, str) or "@" in domain or "." not in domain:
                file.wrong(
                    (*path, say, "domains"), f"“{domain}” is no domain", "write what stands after the @: gmail.com"
                )
            else:
                yield domain.strip().lower(), Worth(points or 0, say)


def _kind(file: Reader, kinds: dict[str, Any], path: Keys, name: str) -> ActivityKind:
    entry, path = file.take(kinds, path, name, dict, {}), (*path, name)
    file.known(entry, path, ("points", "half_life", "most", "one", "many"))
    points = _number(file, entry, path, "points", REQUIRED) or 0
    half_life = _number(file, entry, path, "half_life", REQUIRED)
    most = _number(file, entry, path, "most", abs(points))
    if half_life is not None and not 0 < half_life <= TEN_YEARS:
        file.wrong(path, f"half_life of {name} is {half_life:g}", "write the days after which an activity counts half")
    if most < 0:
        file.wrong(path, f"most of {name} is {most:g}", "write it without the minus; it limits the points either way")
    one = file.take(entry, path, "one", str, name.replace("_", " "))
    return ActivityKind(name, points, half_life or 1, most, one, file.take(entry, path, "many", str, f"{one}s"))


def _silence(file: Reader, table: dict[str, Any], path: Keys) -> tuple[tuple[int, float], ...]:
    found = []
    for days in table:
        points = _number(file, table, path, days, 0)
        if not days.isdecimal():
            file.wrong((*path, days), f"“{days}” is no number of days", 'write for example "60" = -5')
        elif points > 0:
            file.wrong((*path, days), f"{days} days of silence earn points", f"write a minus: -{points:g}")
        else:
            found.append((int(days), points))
    return tuple(sorted(found, reverse=True))


def _grades(file: Reader, table: dict[str, Any]) -> Grades:
    grades = file.take(table, (), "grades", dict, {})
    file.known(grades, ("grades",), ("fit", "engagement"))

    def falling(key: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
        value = file.take(grades, ("grades",), key, list, list(default))
        numbers = [number for number in value if isinstance(number, NUMBER) and 0 <= number <= 100]
        if len(value) != 3 or sorted(numbers, reverse=True) != value:
            file.wrong(
                ("grades", key), f"{key} is not three falling numbers of 0 to 100", f"for example {list(default)}"
            )
            return default
        return (value[0], value[1], value[2])

    return Grades(falling("fit", Grades().fit), falling("engagement", Grades().engagement))


def _account(file: Reader, table: dict[str, Any]) -> AccountRules:
    entry, path, usual = file.take(table, (), "account", dict, {}), ("account",), AccountRules()
    file.known(
        entry, path, ("needed_roles", "people", "group", "recency", "active_days", "active_people", "horizon_days")
    )
    roles = file.take(entry, path, "needed_roles", list, list(usual.needed_roles))
    for role in roles:
        file.choose(role, (*path, "needed_roles"), ROLES, "the role")
    if not roles:
        file.wrong((*path, "needed_roles"), "needed_roles names nobody", "name whom a deal needs, or delete the line")
    shares = [_number(file, entry, path, part, getattr(usual, part)) for part in ("people", "group", "recency")]
    if sum(shares) != 100 or min(shares) < 0:
        file.wrong(
            (*path, "people"), f"people, group and recency make {sum(shares):g} points", "make them 100 together"
        )
    days = file.take(entry, path, "active_days", int, usual.active_days)
    people = file.take(entry, path, "active_people", int, usual.active_people)
    if min(days, people) < 1:
        file.wrong((*path, "active_days"), "active_days or active_people is less than one", "write 1 or more")
    horizon = file.take(entry, path, "horizon_days", int, usual.horizon_days)
    if not 7 <= horizon <= 365:
        file.wrong(
            (*path, "horizon_days"), f"horizon_days is {horizon}", "write 7 to 365: days ahead that a chance is for"
        )
    return AccountRules(
        tuple(dict.fromkeys(roles)), shares[0], shares[1], shares[2], days, people, horizon_days=horizon
    )


def _worth(file: Reader, table: Mapping[str, Any], path: Keys, key: str, say: str) -> Worth:
    """`value = 5`, or `value = { points = 5, say = "…" }`."""
    value = table[key]
    if not isinstance(value, dict):
        return Worth(_number(file, table, path, key, 0), say)
    file.known(value, (*path, key), ("points", "say"))
    points = _number(file, value, (*path, key), "points", REQUIRED) or 0
    return Worth(points, file.take(value, (*path, key), "say", str, say))


def _number(file: Reader, table: Mapping[str, Any], path: Keys, key: str, default: Any) -> Any:
    value = file.take(table, path, key, NUMBER, default)
    if value is None or isfinite(value):
        return value
    file.wrong((*path, key), f"{key} is {value}", "write a plain number")  # TOML knows inf and nan, a score does not
    return 0
