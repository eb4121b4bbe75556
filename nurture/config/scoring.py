"""scoring.toml read and checked: what everything is worth, or which line is wrong and what to write instead."""

import hashlib
import re
from collections.abc import Iterator
from math import isfinite
from pathlib import Path

from models.segment import ROLES
from nurture.config.toml_file import ConfigFileError, Problem, TomlTable, parse_toml
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
TEN_YEARS = 3650


class ScoringRulesError(ConfigFileError):
    """scoring.toml cannot be used."""


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
    """The rules of a text. Raises ScoringRulesError with every mistake."""
    table = parse_toml(text, name, ScoringRulesError)
    table.expect_only((*MARKETS, "grades", "account"))
    rules = Rules(
        version="rules-" + hashlib.sha256(text.encode()).hexdigest()[:12],
        markets={market: _market(table.table(market), market) for market in MARKETS},
        grades=_grades(table.table("grades")),
        account=_account(table.table("account")),
    )
    table.file.raise_problems(ScoringRulesError)
    return rules


def _market(table: TomlTable, market: str) -> MarketRules:
    table.expect_only(("fit", "engagement"))
    fit, engagement = table.table("fit"), table.table("engagement")
    fit.expect_only(("most", "title_words", "domains", "traits", *COLUMNS[market]))
    engagement.expect_only(("most", "kinds", "silence"))
    fit_most, engagement_most = _number(fit, "most", 50), _number(engagement, "most", 50)
    if fit_most + engagement_most != 100 or min(fit_most, engagement_most) < 0:
        together = f"the two most of {market} make {fit_most + engagement_most:g} points together"
        engagement.wrong("most", together, "a score runs from 0 to 100: make them 100")
    titles, kinds = fit.table("title_words"), engagement.table("kinds")
    return MarketRules(
        fit_most=fit_most,
        tables=tuple(_tables(fit, market)),
        title_words=TitleWords(
            tuple((word, _worth(titles, word, f"“{word.strip('*')}” in the title")) for word in titles)
        ),
        domains=dict(_domains(fit.table("domains"))),
        engagement_most=engagement_most,
        kinds={name: _kind(kinds.table(name), name) for name in kinds},
        silence=_silence(engagement.table("silence")),
    )


def _tables(fit: TomlTable, market: str) -> Iterator[PointsTable]:
    for column in COLUMNS[market]:
        if column in fit:
            yield _points_table(fit.table(column), column, column)
    traits = fit.table("traits")
    for trait in traits:
        yield _points_table(traits.table(trait), trait, f"traits.{trait}")


def _points_table(table: TomlTable, key: str, column: str) -> PointsTable:
    say = table.get("say", str, SAY.get(column, f"{key.replace('_', ' ')} {{value}}"))
    if re.search(r"[{}]", say.replace("{value}", "")):
        mend = "{value} is the one thing that can stand in them"
        table.wrong("say", f"“{say}” has braces that mean nothing", mend)
    exact: dict[str, Worth] = {}
    bands: list[Band] = []
    for value in table:
        if value == "say":
            continue
        if column == "role":
            table.choice(value, value, ROLES, "the role")
        worth = _worth(table, value, say.replace("{value}", "other" if value == "*" else value))
        if band := BAND.fullmatch(value):
            low, high = int(band[1]), float(band[2] or "inf")
            if what := _clash(value, low, high, bands):
                table.wrong(value, what, "a number belongs to one band: from-to, both included, or from+")
            bands.append(Band(low, high, worth))
        else:
            exact[plain(value)] = worth
    otherwise = exact.pop("*", None)
    return PointsTable(column, exact, tuple(bands), otherwise)


def _clash(value: str, low: float, high: float, bands: list[Band]) -> str | None:
    """What is wrong with a band beside the ones before it."""
    if other := next((other for other in bands if low <= other.high and other.low <= high), None):
        return f"“{value}” overlaps {other.low:g}-{other.high:g}"
    return f"“{value}” ends before it begins" if high < low else None


def _domains(table: TomlTable) -> Iterator[tuple[str, Worth]]:
    for say in table:
        entry = table.table(say)
        entry.expect_only(("points", "domains"))
        entry.missing("points")
        points = _number(entry, "points", 0)
        for domain in entry.require("domains", list) or ():
            if not isinstance(domain, str) or "@" in domain or "." not in domain:
                entry.wrong("domains", f"“{domain}” is no domain", "write what stands after the @: gmail.com")
            else:
                yield domain.strip().lower(), Worth(points, say)


def _kind(table: TomlTable, name: str) -> ActivityKind:
    table.expect_only(("points", "half_life", "most", "one", "many"))
    for key in ("points", "half_life"):
        table.missing(key)
    points = _number(table, "points", 0)
    half_life = _number(table, "half_life", 1)
    most = _number(table, "most", abs(points))
    if not 0 < half_life <= TEN_YEARS:
        what = f"half_life of {name} is {half_life:g}"
        table.wrong(None, what, "write the days after which an activity counts half")
    if most < 0:
        table.wrong(None, f"most of {name} is {most:g}", "write it without the minus; it limits the points either way")
    one = table.get("one", str, name.replace("_", " "))
    return ActivityKind(name, points, half_life or 1, most, one, table.get("many", str, f"{one}s"))


def _silence(table: TomlTable) -> tuple[tuple[int, float], ...]:
    found = []
    for days in table:
        points = _number(table, days, 0)
        if not days.isdecimal():
            table.wrong(days, f"“{days}” is no number of days", 'write for example "60" = -5')
        elif points > 0:
            table.wrong(days, f"{days} days of silence earn points", f"write a minus: -{points:g}")
        else:
            found.append((int(days), points))
    return tuple(sorted(found, reverse=True))


def _grades(table: TomlTable) -> Grades:
    table.expect_only(("fit", "engagement"))
    usual = Grades()
    return Grades(_falling(table, "fit", usual.fit), _falling(table, "engagement", usual.engagement))


def _falling(table: TomlTable, key: str, usual: tuple[float, float, float]) -> tuple[float, float, float]:
    value = table.get(key, list, list(usual))
    numbers = [number for number in value if isinstance(number, int | float) and 0 <= number <= 100]
    if len(value) != 3 or sorted(numbers, reverse=True) != value:
        table.wrong(key, f"{key} is not three falling numbers of 0 to 100", f"for example {list(usual)}")
        return usual
    return (value[0], value[1], value[2])


def _account(table: TomlTable) -> AccountRules:
    usual = AccountRules()
    table.expect_only(("needed_roles", "people", "group", "recency", "active_days", "active_people", "horizon_days"))
    roles = table.texts("needed_roles", 'write needed_roles = ["authorizer"]', usual.needed_roles)
    for role in roles:
        table.choice(role, "needed_roles", ROLES, "the role")
    if not roles:
        table.wrong("needed_roles", "needed_roles names nobody", "name whom a deal needs, or delete the line")
    people, group, recency = (_number(table, part, getattr(usual, part)) for part in ("people", "group", "recency"))
    if people + group + recency != 100 or min(people, group, recency) < 0:
        what = f"people, group and recency make {people + group + recency:g} points"
        table.wrong("people", what, "make them 100 together")
    days, active = (table.get(key, int, getattr(usual, key)) for key in ("active_days", "active_people"))
    if min(days, active) < 1:
        table.wrong("active_days", "active_days or active_people is less than one", "write 1 or more")
    horizon = table.get("horizon_days", int, usual.horizon_days)
    if not 7 <= horizon <= 365:
        table.wrong("horizon_days", f"horizon_days is {horizon}", "write 7 to 365: days ahead that a chance is for")
    return AccountRules(tuple(dict.fromkeys(roles)), people, group, recency, days, active, horizon_days=horizon)


def _worth(table: TomlTable, key: str, say: str) -> Worth:
    """`value = 5`, or `value = { points = 5, say = "…" }`."""
    if not isinstance(table.values[key], dict):
        return Worth(_number(table, key, 0), say)
    entry = table.table(key)
    entry.expect_only(("points", "say"))
    entry.missing("points")
    return Worth(_number(entry, "points", 0), entry.get("say", str, say))


def _number(table: TomlTable, key: str, default: float) -> float:
    value = table.number(key, default)
    if isfinite(value):
        return value
    table.wrong(key, f"{key} is {value}", "write a plain number")  # TOML knows inf and nan, a score does not
    return 0
