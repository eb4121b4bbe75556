"""sales.toml read and checked: who sells, when they work, and how many leads a week they can call well."""

import hashlib
import re
import tomllib
from datetime import date, datetime
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

import holidays

from nurture.config.toml_file import REQUIRED, Problem, Reader, lines
from nurture.config.toml_file import Path as Keys
from nurture.rules.handoff.capacity import Absence, SalesRep, SalesTeam
from nurture.rules.intake.addresses import normalise
from nurture.rules.planning.hours import WEEKDAYS

FILE = "sales.toml"
MOST = 500  # leads a week; nobody calls more
NUMBER = (int, float)


class SalesFileError(Exception):
    """The file cannot be used. Show `problems` to whoever wrote it; each names its line and the mend."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def read(folder: Path) -> SalesTeam | None:
    """What `sales.toml` in a folder says, or None where there is none. Raises SalesFileError."""
    path = folder / FILE
    return read_text(path.read_text(encoding="utf-8")) if path.is_file() else None


def check(folder: Path) -> list[Problem]:
    """Everything that is wrong with the file; nothing, if it can be used or is not there."""
    try:
        read(folder)
    except SalesFileError as error:
        return error.problems
    return []


def read_text(text: str) -> SalesTeam:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        where = int(line[1]) if line else text.count("\n") + 1
        raise SalesFileError([Problem(FILE, where, str(error), "texts stand in quotation marks")]) from None
    file = Reader(FILE, lines(text))
    file.known(table, (), ("leads_per_rep_per_week", "country", "least_chance", "least_score", "reps"))
    usual = _leads(file, table, (), "leads_per_rep_per_week", REQUIRED)
    country = _country(file, table, (), None)
    least = file.take(table, (), "least_chance", NUMBER, 0.0)
    if not 0 <= least < 1:
        file.wrong(("least_chance",), f"least_chance is {least:g}", "write a probability, 0.02 for two in a hundred")
    least_score = file.take(table, (), "least_score", NUMBER, 0.0)
    if not 0 <= least_score <= 100:
        file.wrong(("least_score",), f"least_score is {least_score:g}", "scores run from 0 to 100")
    entries = file.take(table, (), "reps", list, REQUIRED) or []
    reps = [_rep(file, entry, ("reps", place), usual or 0.0, country) for place, entry in enumerate(entries)]
    if not entries and "reps" in table:
        file.wrong(("reps",), "nobody sells", "add a [[reps]] with the email of a salesperson")
    seen: set[str] = set()
    for place, rep in enumerate(reps):
        if rep.email and rep.email in seen:
            file.wrong(("reps", place, "email"), f"{rep.email} stands here twice", "keep one of the two")
        seen.add(rep.email)
    if file.problems:
        raise SalesFileError(sorted(file.problems, key=lambda problem: problem.line or 0))
    version = "sales-" + hashlib.sha256(text.encode()).hexdigest()[:12]
    return SalesTeam(version, tuple(reps), least_chance=float(least), least_score=float(least_score))


def _rep(file: Reader, entry: Any, path: Keys, usual: float, country: str | None) -> SalesRep:
    if not isinstance(entry, dict):
        file.wrong(path, "a rep should be a table", "write [[reps]] above their lines")
        return SalesRep("", "", 0.0)
    file.known(entry, path, ("email", "country", "leads_per_week", "days", "away"))
    email = file.take(entry, path, "email", str, REQUIRED) or ""
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
        file.wrong((*path, "email"), f"“{email}” is no mail address", "write the one that owns accounts")
    where = _country(file, entry, path, country)
    if where is None and "country" not in entry:
        file.wrong(path, f"whose holidays does {email or 'this rep'} keep?", 'add a line country = "DE"')
    leads = _leads(file, entry, path, "leads_per_week", usual)
    days = file.take(entry, path, "days", list, list(WEEKDAYS))
    if not days or not all(isinstance(day, int) and not isinstance(day, bool) and 1 <= day <= 7 for day in days):
        file.wrong((*path, "days"), f"days are {days}", "write the weekdays they work, 1 for Monday: [1, 2, 3]")
        days = list(WEEKDAYS)
    away = file.take(entry, path, "away", list, [])
    return SalesRep(
        normalise(email) or "" if email else "",
        where or "",
        float(leads or 0.0),
        tuple(sorted(set(days))),
        tuple(found for one in away if (found := _away(file, one, (*path, "away")))),
    )


def _away(file: Reader, entry: Any, path: Keys) -> Absence | None:
    mend = "write { from = 2026-08-03, to = 2026-08-14 }, both days included"
    if not isinstance(entry, dict) or set(entry) != {"from", "to"}:
        file.wrong(path, "an absence should say from and to", mend)
        return None
    first, last = entry["from"], entry["to"]
    if any(not isinstance(day, date) or isinstance(day, datetime) for day in (first, last)):
        file.wrong(path, "an absence should be between two days", mend)
        return None
    if last < first:
        file.wrong(path, f"an absence ends on {last} before it begins on {first}", "turn the two round")
        return None
    return Absence(first, last)


def _leads(file: Reader, table: Any, path: Keys, key: str, default: Any) -> Any:
    leads = file.take(table, path, key, NUMBER, default)
    if leads is not None and not (isfinite(leads) and 0 <= leads <= MOST):
        file.wrong((*path, key), f"{key} is {leads:g}", f"write a number from 0 to {MOST}")
        return 0.0
    return leads


def there(folder: Path) -> bool:
    return (folder / FILE).is_file()


def _country(file: Reader, table: Any, path: Keys, default: str | None) -> str | None:
    country = file.take(table, path, "country", str, None)
    if country is None:
        return default
    if country not in _countries():
        file.wrong((*path, "country"), f"“{country}” is no country we know the holidays of", 'write two letters: "DE"')
    return str(country)


@lru_cache(1)
def _countries() -> frozenset[str]:
    return frozenset(holidays.list_supported_countries(include_aliases=False))
