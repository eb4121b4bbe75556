"""Reading a TOML file that a person wrote: every mistake has its line, and a word on how to mend it."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal

from nurture.rules.planning.campaign import Span

Path = tuple[str | int, ...]
DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)BD)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
REQUIRED: Any = object()
SAID = {
    str: "a text in quotation marks", int: "a whole number", float: "a number", bool: "true or false",
    Decimal: "a number", list: "a list [ … ]", dict: "a table", date: "a date like 2026-03-20",
    time: "a time like 18:00:00",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to mend in a file. A warning may be sent as it is; an error may not."""

    file: str
    line: int | None
    what: str
    mend: str
    weight: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.file}:{self.line or 1}: {self.what} ({self.mend})"


def lines(text: str) -> dict[Path, int]:
    """Where each key of a TOML text stands: ("steps", 1, "wait") → 17. tomllib knows lines only of broken syntax."""
    found: dict[Path, int] = {}
    counts: dict[str, int] = {}
    table: Path = ()
    inside = ""  # a string of several lines, whose words are no keys
    for number, line in enumerate(text.splitlines(), 1):
        if not inside:
            if header := re.match(r"\s*(\[\[?)\s*((?:\"[^\"]*\"|[\w.-])+?)\s*\]", line):
                name = header[2].replace('"', "")
                table = tuple(part.strip('"') for part in re.findall(r"\"[^\"]*\"|[\w-]+", header[2]))
                if header[1] == "[[":
                    counts[name] = counts.get(name, -1) + 1
                    table = (*table, counts[name])
                found[table] = number
            elif key := re.match(r"\s*(\"[^\"]*\"|[\w-]+)\s*=", line):
                found[(*table, key[1].strip('"'))] = number
        for fence in ('"""', "'''"):
            if line.count(fence) % 2 and inside in ("", fence):
                inside = "" if inside else fence
    return found


@dataclass
class Reader:
    """Takes values out of a table, one by one, and remembers what was wrong and what nobody asked for."""

    file: str
    where: dict[Path, int]
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, path: Path, what: str, mend: str) -> None:
        while path and path not in self.where:
            path = path[:-1]
        self.problems.append(Problem(self.file, self.where.get(path, 1), what, mend))

    def take(self, table: Mapping[str, Any], path: Path, key: str, kind: type | tuple[type, ...], default: Any) -> Any:
        if key not in table:
            if default is REQUIRED:
                self.wrong(path, f"{dotted(path, key)} is missing", f"add a line {key} = …")
                return None
            return default
        value = table[key]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        narrower = next((k for k in (bool, datetime) if isinstance(value, k)), None)  # a bool is an int to Python
        if not isinstance(value, kinds) or (narrower and narrower not in kinds):
            self.wrong(
                (*path, key), f"{dotted(path, key)} should be {_said(kinds)}, not {_shown(value)}", "correct the value"
            )
            return None if default is REQUIRED else default
        return value

    def known(self, table: Mapping[str, Any], path: Path, keys: tuple[str, ...]) -> None:
        for key in table:
            if key not in keys:
                meant = difflib.get_close_matches(key, keys, n=1)
                mend = f"did you mean {meant[0]}?" if meant else f"known here: {', '.join(keys)}"
                self.wrong((*path, key), f"{dotted(path, key)} is not known", mend)

    def choose(self, value: Any, path: Path, choices: tuple[str, ...], what: str) -> bool:
        if value in choices:
            return True
        meant = difflib.get_close_matches(str(value), choices, n=1)
        self.wrong(
            path,
            f"{what} “{value}” is not known",
            f"did you mean {meant[0]}?" if meant else f"one of {', '.join(choices)}",
        )
        return False

    def span(self, table: Mapping[str, Any], path: Path, key: str) -> Span | None:
        value = self.take(table, path, key, str, None)
        if value is None:
            return None
        span = duration(value)
        if span is None:
            self.wrong(
                (*path, key),
                f"{dotted(path, key)} “{value}” is not a duration",
                "write P4BD (business days), P2D, P1W or PT6H",
            )
        return span


def duration(text: str) -> Span | None:
    """ "P4BD" is four business days, "P1W", "P2D" and "PT6H" are plain time; None where it is nothing."""
    match = DURATION.fullmatch(text)
    if not match or not any(match.groups()) or text.endswith("T"):
        return None
    weeks, business, days, hours, minutes = (int(group or 0) for group in match.groups())
    return Span(business, timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes))


def dotted(path: Path, key: str) -> str:
    if path[:1] == ("steps",):
        return f"{key} of step {int(path[1]) + 1}"
    return ".".join([*(str(part) for part in path), key])


def _said(kinds: tuple[type, ...]) -> str:
    return " or ".join(dict.fromkeys(SAID[kind] for kind in kinds if not (kind is int and len(kinds) > 1)))


def _shown(value: Any) -> str:
    return f"“{value}”" if isinstance(value, str) else str(value)
