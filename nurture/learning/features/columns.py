"""From columns to what estimators can weigh: numbers and levels per lead, and how often leads like this one bought."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from typing import Any, NamedTuple, TypedDict, cast

import numpy as np
import polars as pl

from nurture.learning.metrics import Bools, Codes, Floats, Ints
from nurture.learning.training_data.schema import (
    Column,
    ColumnKind,
    read_categories,
    read_days,
    read_numbers,
    read_text,
)

MISSING, RARE = 0, 1  # the first two codes of every level field; an unseen value is RARE
LEAST_ROWS = 8  # of a level with a code of its own
MOST_LEVELS = 250  # that trees split natively; beyond, they see only how often the level bought
WORDS = 40  # of a text column
READ = 20_000  # texts, to find them
WAYS_TO_READ = ("value", "age", "moment", "hour", "day of month", "length", "word")


@dataclass(frozen=True)
class NumberField:
    """A number per lead, and how it is made of a raw column."""

    name: str
    owner: str  # the raw column it is made of
    how: str  # one of WAYS_TO_READ
    word: str = ""


@dataclass(frozen=True)
class LevelField:
    """A level code per lead, and how it is made of a raw column."""

    name: str
    owner: str
    how: str  # "value", "weekday" or "month"
    levels: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many codes there are, MISSING and RARE among them."""
        return len(self.levels) + 2


class FeatureTable(NamedTuple):
    """n leads as numbers (NaN = unknown), shape (n, number fields), and level codes, shape (n, level fields)."""

    numbers: Floats
    levels: Codes

    def take(self, rows: Ints | Bools) -> "FeatureTable":
        """Some of the leads, in the order of `rows`."""
        return FeatureTable(self.numbers[rows], self.levels[rows])

    def __len__(self) -> int:
        return len(self.numbers)


class SavedLevels(TypedDict):
    """A level field as JSON."""

    name: str
    owner: str
    how: str
    levels: list[str]


class SavedReader(TypedDict):
    """A feature reader as JSON; columns and numbers are their fields by name."""

    columns: list[dict[str, Any]]
    numbers: list[dict[str, str]]
    levels: list[SavedLevels]
    time: str | None
    newest: float


@dataclass(frozen=True)
class FeatureReader:
    """How a frame becomes a Table: fixed in training, applied to every later frame."""

    columns: tuple[Column, ...]
    numbers: tuple[NumberField, ...]
    levels: tuple[LevelField, ...]
    time: str | None = None
    newest: float = 0.0  # day of the newest date in training, where there is no time column

    @property
    def owners(self) -> list[str]:
        """The raw columns that are read."""
        return [column.name for column in self.columns]

    def fields_of(self, owner: str) -> tuple[list[int], list[int]]:
        """Which number and which level fields come from a raw column."""
        return (
            [i for i, one in enumerate(self.numbers) if one.owner == owner],
            [i for i, one in enumerate(self.levels) if one.owner == owner],
        )

    def read(self, frame: pl.DataFrame) -> FeatureTable:
        """The leads of a frame; a column it lacks is unknown for every lead, an unseen level is RARE."""
        made = _Raw(frame, {one.name: one for one in self.columns}, self.time, self.newest)
        numbers = (
            np.column_stack([made.number(one) for one in self.numbers]) if self.numbers else np.empty((frame.height, 0))
        )
        levels = np.empty((frame.height, len(self.levels)), dtype=np.int32)
        for i, one in enumerate(self.levels):
            levels[:, i] = encode(made.level(one), one.levels)
        return FeatureTable(np.ascontiguousarray(numbers), levels)

    def as_dict(self) -> SavedReader:
        """The reader as JSON."""
        return cast(SavedReader, asdict(self))

    @classmethod
    def from_dict(cls, saved: SavedReader) -> "FeatureReader":
        """The reader that `as_dict` wrote down."""
        return cls(
            tuple(replace(Column(**one), kind=ColumnKind(one["kind"])) for one in saved["columns"]),
            tuple(NumberField(**one) for one in saved["numbers"]),
            tuple(LevelField(one["name"], one["owner"], one["how"], tuple(one["levels"])) for one in saved["levels"]),
            saved["time"],
            saved["newest"],
        )


def encode(values: pl.Series, levels: Sequence[str]) -> Codes:
    """The code of every value, shape (n,): MISSING for null, RARE for what is not among the levels."""
    codes = values.replace_strict(list(levels), range(2, len(levels) + 2), default=RARE, return_dtype=pl.Int32)
    return np.asarray(codes.set(values.is_null(), MISSING).to_numpy(), dtype=np.int32)


@dataclass
class _Raw:
    """One frame's columns, each read once."""

    frame: pl.DataFrame
    columns: dict[str, Column]
    time: str | None
    newest: float
    _days: dict[str, Floats] = field(default_factory=dict)
    _texts: dict[str, pl.Series] = field(default_factory=dict)

    def days(self, owner: str) -> Floats:
        if owner not in self._days:
            self._days[owner] = read_days(self._series(owner), self.columns[owner])
        return self._days[owner]

    def text(self, owner: str) -> pl.Series:
        if owner not in self._texts:
            self._texts[owner] = read_text(self._series(owner)).fill_null("")
        return self._texts[owner]

    def number(self, one: NumberField) -> Floats:
        if one.how == "value":
            return read_numbers(self._series(one.owner), self.columns[one.owner])
        if one.how in ("length", "word"):
            text = self.text(one.owner)
            found = (
                text.str.count_matches(r"\w+")
                if one.how == "length"
                else text.str.contains(rf"\b{re.escape(one.word)}\b")
            )
            return np.asarray(found.cast(pl.Float64).to_numpy())
        days = self.days(one.owner)
        if one.how == "age":
            return (self.days(self.time) if self.time else self.newest) - days
        if one.how == "hour":
            return np.floor((days % 1) * 24)
        if one.how == "day of month":
            return _calendar(days, "day")
        return days

    def level(self, one: LevelField) -> pl.Series:
        if one.how == "value":
            return read_categories(self._series(one.owner))
        part = pl.Series(_calendar(self.days(one.owner), one.how)).fill_nan(None)
        return part.cast(pl.Int64).cast(pl.String)

    def _series(self, owner: str) -> pl.Series:
        return (
            self.frame[owner]
            if owner in self.frame.columns
            else pl.Series(owner, [None] * self.frame.height, dtype=pl.String)
        )


def _calendar(days: Floats, part: str) -> Floats:
    """Weekday (1 is Monday), month or day of the month; NaN stays NaN."""
    known = ~np.isnan(days)
    dates = pl.Series((np.where(known, days, 0) + 10_957).astype(np.int32)).cast(pl.Date)  # polars counts from 1970
    value = (
        {"weekday": dates.dt.weekday, "month": dates.dt.month, "day": dates.dt.day}[part]().cast(pl.Float64).to_numpy()
    )
    return np.where(known, value, np.nan)


def plan_features(frame: pl.DataFrame, columns: Sequence[Column], time: str | None = None) -> FeatureReader:
    """Decide how each column is read, from the training rows alone (outcomes are not looked at)."""
    used = [one for one in columns if one.kind != ColumnKind.NOTHING]
    raw = _Raw(frame, {one.name: one for one in used}, time, 0.0)
    dates = [raw.days(one.name) for one in used if one.kind == ColumnKind.DATE]
    newest = float(max((np.nanmax(one) for one in dates if not np.isnan(one).all()), default=0.0))
    numbers: list[NumberField] = []
    levels: list[LevelField] = []
    for one in used:
        if one.kind == ColumnKind.NUMBER:
            numbers.append(NumberField(one.name, one.name, "value"))
        elif one.kind == ColumnKind.CATEGORY:
            found = _frequent(read_categories(frame[one.name]))
            levels.append(LevelField(one.name, one.name, "value", found))
        elif one.kind == ColumnKind.TEXT:
            numbers.append(NumberField(f"words in {one.name}", one.name, "length"))
            numbers += [
                NumberField(f'"{word}" in {one.name}', one.name, "word", word) for word in _words(raw.text(one.name))
            ]
        elif one.name == time:
            days = raw.days(one.name)
            numbers += [
                NumberField(one.name, one.name, "moment"),
                NumberField(f"day of month of {one.name}", one.name, "day of month"),
            ]
            if np.any(days % 1 > 0):
                numbers.append(NumberField(f"hour of {one.name}", one.name, "hour"))
            span = np.nanmax(days) - np.nanmin(days)
            for part in ("weekday", *(["month"] if span > 730 else [])):  # a season must be seen twice
                named = LevelField(f"{part} of {one.name}", one.name, part)
                levels.append(LevelField(named.name, named.owner, part, _frequent(raw.level(named))))
        else:
            numbers.append(NumberField(one.name, one.name, "age"))
    return FeatureReader(tuple(used), tuple(numbers), tuple(levels), time, newest)


def _frequent(values: pl.Series) -> tuple[str, ...]:
    counts = values.drop_nulls().rename("value").value_counts(sort=True)
    return tuple(sorted(counts.filter(pl.col("count") >= LEAST_ROWS)["value"].to_list()))


def _words(text: pl.Series) -> list[str]:
    """The words that occur in 1–50 % of the texts, most frequent first."""
    some = text.gather_every(max(1, text.len() // READ))
    words = Counter(chain.from_iterable(some.str.extract_all(r"\w{3,}").list.unique().to_list()))
    least, most = max(LEAST_ROWS, 0.01 * some.len()), 0.5 * some.len()
    found = sorted((-n, word) for word, n in words.items() if least <= n <= most)
    return [word for _, word in found[:WORDS]]
