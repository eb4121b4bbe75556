"""sales.toml read and checked: who sells, when they work, and how many leads a week they can call well."""

import hashlib
import re
from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache
from math import isfinite
from pathlib import Path

import holidays

from nurture.config.toml_file import ConfigFileError, Problem, TomlTable, parse_toml
from nurture.rules.handoff.capacity import Absence, SalesRep, SalesTeam
from nurture.rules.intake.addresses import normalise
from nurture.rules.planning.hours import WEEKDAYS

FILE = "sales.toml"
MOST = 500  # leads a week; nobody calls more


class SalesFileError(ConfigFileError):
    """sales.toml cannot be used."""


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
    """The team of a text. Raises SalesFileError with every mistake."""
    table = parse_toml(text, FILE, SalesFileError)
    table.expect_only(("leads_per_rep_per_week", "country", "least_chance", "least_score", "reps"))
    table.missing("leads_per_rep_per_week")
    usual = _leads(table, "leads_per_rep_per_week", 0.0)
    country = _country(table, None)
    least = table.number("least_chance", 0.0)
    if not 0 <= least < 1:
        table.wrong("least_chance", f"least_chance is {least:g}", "write a probability, 0.02 for two in a hundred")
    least_score = table.number("least_score", 0.0)
    if not 0 <= least_score <= 100:
        table.wrong("least_score", f"least_score is {least_score:g}", "scores run from 0 to 100")
    if not table.missing("reps") and table.values["reps"] == []:
        table.wrong("reps", "nobody sells", "add a [[reps]] with the email of a salesperson")
    entries = table.tables("reps", "write [[reps]] above the lines of each")
    reps = [_rep(entry, usual, country) for entry in entries]
    emails: set[str] = set()
    for entry, rep in zip(entries, reps, strict=True):
        if rep.email and rep.email in emails:
            entry.wrong("email", f"{rep.email} stands here twice", "keep one of the two")
        emails.add(rep.email)
    table.file.raise_problems(SalesFileError)
    version = "sales-" + hashlib.sha256(text.encode()).hexdigest()[:12]
    return SalesTeam(version, tuple(reps), least_chance=float(least), least_score=float(least_score))


def is_there(folder: Path) -> bool:
    """Has this folder a sales.toml?"""
    return (folder / FILE).is_file()


def _rep(table: TomlTable, usual: float, country: str | None) -> SalesRep:
    table.expect_only(("email", "country", "leads_per_week", "days", "away"))
    email = table.require("email", str) or ""
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
        table.wrong("email", f"“{email}” is no mail address", "write the one that owns accounts")
    where = _country(table, country)
    if where is None and "country" not in table:
        table.wrong(None, f"whose holidays does {email or 'this rep'} keep?", 'add a line country = "DE"')
    leads = _leads(table, "leads_per_week", usual)
    days = table.get("days", list, list(WEEKDAYS))
    if not days or not all(isinstance(day, int) and not isinstance(day, bool) and 1 <= day <= 7 for day in days):
        table.wrong("days", f"days are {days}", "write the weekdays they work, 1 for Monday: [1, 2, 3]")
        days = list(WEEKDAYS)
    return SalesRep(
        normalise(email) or "" if email else "",
        where or "",
        float(leads),
        tuple(sorted(set(days))),
        tuple(_absences(table)),
    )


def _absences(table: TomlTable) -> Iterator[Absence]:
    mend = "write { from = 2026-08-03, to = 2026-08-14 }, both days included"
    for one in table.tables("away", mend):
        if set(one) != {"from", "to"}:
            table.wrong("away", "an absence should say from and to", mend)
            continue
        first, last = one.values["from"], one.values["to"]
        if any(not isinstance(day, date) or isinstance(day, datetime) for day in (first, last)):
            table.wrong("away", "an absence should be between two days", mend)
        elif last < first:
            table.wrong("away", f"an absence ends on {last} before it begins on {first}", "turn the two round")
        else:
            yield Absence(first, last)


def _leads(table: TomlTable, key: str, default: float) -> float:
    leads = table.number(key, default)
    if not (isfinite(leads) and 0 <= leads <= MOST):
        table.wrong(key, f"{key} is {leads:g}", f"write a number from 0 to {MOST}")
        return 0.0
    return leads


def _country(table: TomlTable, default: str | None) -> str | None:
    country = table.get("country", str, None)
    if country is None:
        return default
    if country not in _countries():
        table.wrong("country", f"“{country}” is no country we know the holidays of", 'write two letters: "DE"')
    return country


@lru_cache(1)
def _countries() -> frozenset[str]:
    return frozenset(holidays.list_supported_countries(include_aliases=False))
