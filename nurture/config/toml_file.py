"""Reading a TOML file that a person wrote: every mistake has its line, and a word on how to mend it.

Ours, not pydantic's: a model knows neither the line of a key nor the key that was meant, and marketers need both. For
the key that was meant difflib is enough: a table has a dozen keys, and rapidfuzz is for thousands.
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeVar

from nurture.rules.planning.campaign import Span

KeyPath = tuple[str | int, ...]  # ("steps", 1, "wait")
T = TypeVar("T")
D = TypeVar("D")
DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)BD)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
KINDS = {
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


class ConfigFileError(Exception):
    """A file cannot be used. Show `problems` to whoever wrote it; each names its line and the mend."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = list(problems)


def lines(text: str) -> dict[KeyPath, int]:
    """Where each key of a TOML text stands: ("steps", 1, "wait") → 17. tomllib knows lines only of broken syntax."""
    found: dict[KeyPath, int] = {}
    counts: dict[str, int] = {}
    table: KeyPath = ()
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
class TomlFile:
    """One file: its name, where its keys stand, and what was wrong so far."""

    name: str
    lines: Mapping[KeyPath, int]
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, path: KeyPath, what: str, mend: str) -> None:
        """Remember a problem, at the line of the key or of the table nearest above it."""
        while path and path not in self.lines:
            path = path[:-1]
        self.problems.append(Problem(self.name, self.lines.get(path, 1), what, mend))

    def in_order(self) -> list[Problem]:
        """The problems by their lines."""
        return sorted(self.problems, key=lambda problem: problem.line or 0)

    def raise_problems(self, error: type[ConfigFileError]) -> None:
        """Raise this error with all problems, if there are any."""
        if self.problems:
            raise error(self.in_order())


@dataclass(frozen=True, slots=True)
class TomlTable:
    """A table of a file, with its place. Gives values by key and type; what is wrong is remembered with its line."""

    file: TomlFile
    path: KeyPath
    values: dict[str, Any]

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def __bool__(self) -> bool:
        return bool(self.values)

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def wrong(self, key: str | None, what: str, mend: str) -> None:
        """Remember what is wrong with a key, or with the whole table."""
        self.file.wrong(self.path if key is None else (*self.path, key), what, mend)

    def name_of(self, key: str) -> str:
        """A key as its author would say it: "wait of step 2", "offer.code"."""
        if self.path[:1] == ("steps",):
            return ".".join([*(str(part) for part in self.path[2:]), key]) + f" of step {int(self.path[1]) + 1}"
        return ".".join([*(str(part) for part in self.path), key])

    def expect_only(self, keys: Sequence[str], renamed: Mapping[str, str] | None = None) -> None:
        """Every other key is a problem; an old one is told its new name."""
        for key in self:
            if key in keys:
                continue
            if new := (renamed or {}).get(key):
                self.wrong(key, f"{self.name_of(key)} is called {new} now", f"write {new} instead of {key}")
                continue
            meant = difflib.get_close_matches(key, keys, n=1)
            mend = f"did you mean {meant[0]}?" if meant else f"known here: {', '.join(keys)}"
            self.wrong(key, f"{self.name_of(key)} is not known", mend)

    def has(self, key: str, *kinds: type) -> bool:
        """Is there a value of one of these kinds? None is no problem, a value of another kind is."""
        if key not in self.values:
            return False
        value = self.values[key]
        narrower = next(
            (kind for kind in (bool, datetime) if isinstance(value, kind)), None
        )  # True is an int to Python
        if isinstance(value, kinds) and (narrower is None or narrower in kinds):
            return True
        wanted = " or ".join(dict.fromkeys(KINDS[kind] for kind in kinds if kind is not int or len(kinds) == 1))
        shown = f"“{value}”" if isinstance(value, str) else str(value)
        self.wrong(key, f"{self.name_of(key)} should be {wanted}, not {shown}", "correct the value")
        return False

    def missing(self, key: str) -> bool:
        """Remember that a key is not there."""
        if key in self.values:
            return False
        self.wrong(None, f"{self.name_of(key)} is missing", f"add a line {key} = …")
        return True

    def get(self, key: str, kind: type[T], default: D) -> T | D:
        """The value, or the default where there is none of this kind."""
        if not self.has(key, kind):
            return default
        value: T = self.values[key]
        return value

    def require(self, key: str, kind: type[T]) -> T | None:
        """The value; None and a problem where there is none of this kind."""
        return None if self.missing(key) else self.get(key, kind, None)

    def number(self, key: str, default: D) -> float | D:
        """A number, whole or not."""
        if not self.has(key, int, float):
            return default
        value: float = self.values[key]
        return value

    def decimal(self, key: str, default: D) -> Decimal | D:
        """A number of a file read with Decimal, whole or not."""
        return Decimal(self.values[key]) if self.has(key, int, Decimal) else default

    def count(self, key: str, default: int, mend: str) -> int:
        """A whole number of at least one."""
        number = self.get(key, int, default)
        if number < 1:
            self.wrong(key, f"{self.name_of(key)} should be at least 1", mend)
            return default
        return number

    def texts(self, key: str, mend: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of texts."""
        names = self.get(key, list, list(default))
        if not all(isinstance(name, str) for name in names):
            self.wrong(key, f"{key} should be texts", mend)
            return tuple(default)
        return tuple(names)

    def choice(self, value: str, key: str | None, choices: Sequence[str], what: str) -> bool:
        """Is a value one of these? If not, the one that was meant is told."""
        if value in choices:
            return True
        meant = difflib.get_close_matches(str(value), choices, n=1)
        mend = f"did you mean {meant[0]}?" if meant else f"one of {', '.join(choices)}"
        self.wrong(key, f"{what} “{value}” is not known", mend)
        return False

    def choices(self, key: str, known: Sequence[str], what: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of which every element is one of these; others are problems and left out."""
        return tuple(one for one in self.get(key, list, list(default)) if self.choice(one, key, known, what))

    def table(self, key: str) -> "TomlTable":
        """The table of this name; an empty one where there is none."""
        return TomlTable(self.file, (*self.path, key), self.get(key, dict, {}))

    def tables(self, key: str, mend: str) -> list["TomlTable"]:
        """The tables of a [[list]]; what else stands in it is a problem and left out."""
        found = []
        for number, one in enumerate(self.get(key, list, [])):
            if isinstance(one, dict):
                found.append(TomlTable(self.file, (*self.path, key, number), one))
            else:
                self.wrong(key, f"{key} should be tables", mend)
        return found

    def span(self, key: str) -> Span | None:
        """A duration such as "P4BD"; None where there is none."""
        value = self.get(key, str, None)
        if value is None:
            return None
        span = duration(value)
        if span is None:
            mend = "write P4BD (business days), P2D, P1W or PT6H"
            self.wrong(key, f"{self.name_of(key)} “{value}” is not a duration", mend)
        return span

    def parsed(self, key: str, kind: type[T], parse: Callable[[str], T], what: str, mend: str) -> T | None:
        """A value of a kind that may also be written as a text, such as a date; None where there is none."""
        if not self.has(key, kind, str):
            return None
        value: T | str = self.values[key]
        if not isinstance(value, str):
            return value
        try:
            return parse(value)
        except ValueError:
            self.wrong(key, f"{self.name_of(key)} “{value}” is not {what}", mend)
            return None


def parse_toml(
    text: str, name: str, error: type[ConfigFileError], parse_float: type[float] | type[Decimal] = float
) -> TomlTable:
    """The whole of a text as a table. Raises the error with the line where it is no TOML."""
    try:
        values = tomllib.loads(text, parse_float=parse_float)
    except tomllib.TOMLDecodeError as broken:
        at = re.search(r"at line (\d+)", str(broken))
        line = int(at[1]) if at else len(text.splitlines()) or 1
        mend = "correct the TOML; texts and odd keys stand in quotation marks"
        raise error([Problem(name, line, str(broken).partition(" (at ")[0], mend)]) from None
    return TomlTable(TomlFile(name, lines(text)), (), values)


def duration(text: str) -> Span | None:
    """ "P4BD" is four business days, "P1W", "P2D" and "PT6H" are plain time; None where it is nothing."""
    match = DURATION.fullmatch(text)
    if not match or not any(match.groups()) or text.endswith("T"):
        return None
    weeks, business, days, hours, minutes = (int(group or 0) for group in match.groups())
    return Span(business, timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes))
