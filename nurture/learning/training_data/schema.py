"""What is in each column? Numbers, categories, dates, text; and what nothing can be learned from, with the reason."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl

from nurture.learning.metrics import Floats

SAMPLE = 2_000  # distinct values looked at to tell how numbers and dates are written
ENOUGH = 0.98  # share of the values that must read as numbers or dates
UNIQUE = 0.95  # share of distinct values from which on a column names the lead instead of describing it
FEW = 30  # with fewer rows, "all different" means nothing
MANY = 200  # rows from which numbers that are spread evenly are told from others
EVEN = 0.12  # how far their distribution may be from a straight line
PLACEHOLDERS = [  # what stands in a cell that says nothing, in any column
    "", "na", "n/a", "n.a.", "#n/a", "nan", "null", "-", "--", "---", "?", "(blank)", "nil", "not available",
    "not specified", "select", "select…", "select...", "-- select --", "--select--", "please select", "choose one",
    "choose",    "k.a.", "k. a.", "keine angabe", "nicht angegeben", "bitte wählen", "bitte auswählen", "auswählen",
    "seleccionar", "seleccione", "sin datos", "s/d", "no disponible", "selectați", "alegeți", "nespecificat", "fără",
    "请选择", "未填写", "暂无",
]  # fmt: skip
BLANK = [*PLACEHOLDERS, "none", "unknown"]  # of numbers and dates; a category may mean something by these
CODES = re.compile(r"\b(zip|postal|postcode|plz|code|sic|naics|id|uuid|guid)\b")
NUMBERED = re.compile(r"\b(ids?|uuid|guid|number|no|nr|num|key|code|index|row|record|ref|reference|ticket|unnamed)\b")
DAYS = (
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y.%m.%d",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%d.%m.%y",
    "%d-%m-%y",
    "%m-%d-%y",
    "%Y%m%d",
    "%Y年%m月%d日",
)
CLOCKS = ("", " %H:%M:%S", "T%H:%M:%S", " %H:%M:%S%.f", "T%H:%M:%S%.f", " %H:%M", "T%H:%M", " %I:%M %p", " %I:%M:%S %p")
ZONE = r"(\d:\d{2}(?::\d{2})?(?:\.\d+)?)\s*(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})$"  # after a time of day: "-2012" is a year
LIKE_A_DATE = r"^\D{0,9}\d{1,4}[-/. 年,].*\d{2,4}|^\d{8}$"
EPOCH = np.datetime64("2000-01-01")


class ColumnKind(StrEnum):
    """What a column holds."""

    NUMBER = "number"
    CATEGORY = "category"
    DATE = "date"
    TEXT = "text"
    NOTHING = "nothing"  # nothing can be learned from it


@dataclass(frozen=True)
class Column:
    """One column as it was understood in training; later files are read the same way."""

    name: str
    kind: ColumnKind
    form: str = ""  # how numbers are written ("plain", "1,234.5", "1.234,5") or dates ("%d.%m.%Y")
    why: str = ""  # in a sentence, when nothing is learned from it

    def as_dict(self) -> dict[str, str]:
        """The column as JSON."""
        return asdict(self)


def describe(frame: pl.DataFrame, skip: Iterable[str] = ()) -> list[Column]:
    """Understand every column of `frame` except those in `skip`; the answer keeps the frame's order."""
    skipped = set(skip)
    seen: dict[int, list[str]] = {}
    answer = []
    for name in frame.columns:
        if name in skipped:
            continue
        column = _one(frame[name])
        if column.kind != ColumnKind.NOTHING:
            print_of = _fingerprint(frame[name])
            twins = [other for other in seen.get(print_of, []) if _same(frame[name], frame[other])]
            if twins:
                column = Column(name, ColumnKind.NOTHING, why=f'It says the same as "{twins[0]}".')
            seen.setdefault(print_of, []).append(name)
        answer.append(column)
    return answer


def _one(series: pl.Series) -> Column:
    name, type_ = series.name, series.dtype
    if type_.is_nested() or type_ in (pl.Binary, pl.Object):
        return Column(name, ColumnKind.NOTHING, why="It holds lists or binary data.")
    if type_ == pl.Boolean or type_ in (pl.Categorical, pl.Enum):
        series, type_ = series.cast(pl.String), pl.String()
    if type_.is_temporal():
        column = (
            Column(name, ColumnKind.DATE, "typed")
            if type_ in (pl.Date, pl.Datetime)
            else Column(name, ColumnKind.NOTHING, why="It holds times of day or spans.")
        )
    elif type_.is_numeric():
        column = Column(name, ColumnKind.NUMBER, "typed")
    elif type_ == pl.String:
        column = _text(name, series.str.strip_chars())
    else:
        return Column(name, ColumnKind.NOTHING, why="It is empty.")
    return column if column.kind == ColumnKind.NOTHING else _useful(column, series)


def _text(name: str, series: pl.Series) -> Column:
    given = series.filter(~series.str.to_lowercase().is_in(BLANK))
    values = given.unique(maintain_order=True).head(SAMPLE)
    if not values.len():
        return Column(name, ColumnKind.CATEGORY)  # constant or empty: _useful says so
    if form := _date_form(name, values):
        return Column(name, ColumnKind.DATE, form)
    form = _number_form(values)
    if form and not values.str.contains(r"^0\d").any():  # "00123" is a code
        return Column(name, ColumnKind.NUMBER, form)
    words = values.str.split(" ").list.len().mean()
    if isinstance(words, float) and words >= 4 and values.len() > 50 and given.n_unique() > 0.3 * given.len():
        return Column(name, ColumnKind.TEXT)
    return Column(name, ColumnKind.CATEGORY)


def _number_form(values: pl.Series) -> str:
    for form in ("plain", "1,234.5", "1.234,5"):
        if 1 - _written_as(values, form).null_count() / values.len() >= ENOUGH:
            return form
    return ""


def _written_as(values: pl.Series, form: str) -> pl.Series:
    if form != "plain":
        values = values.str.replace_all(r"[\s$€£¥%'’]|USD|EUR|RON|CNY|lei", "")
        thousand, decimal = ((",", "."), (".", ","))[form == "1.234,5"]
        shape = rf"^[+-]?(\d{{1,3}}([{thousand}]\d{{3}})+|\d+)?([{decimal}]\d+)?$"
        values = values.set(~values.str.contains(shape), None).str.replace_all(thousand, "", literal=True)
        values = values.str.replace(decimal, ".", literal=True)
    return values.cast(pl.Float64, strict=False)


def _date_form(name: str, values: pl.Series) -> str:
    sample = values.str.replace(ZONE, "${1}")
    if sample.str.contains(LIKE_A_DATE).mean() != 1.0:
        return ""
    for clock in CLOCKS:
        for day in DAYS:
            if day == "%Y%m%d" and not re.search("date|day|time|_at$|datum|fecha", name.lower()):
                continue
            if sample.head(50).str.to_datetime(day + clock, strict=False).null_count():
                continue
            read = sample.str.to_datetime(day + clock, strict=False)
            years = read.dt.year()
            if not read.null_count() and bool(years.is_between(1900, 2100).all()):
                return day + clock
    return ""


def _useful(column: Column, series: pl.Series) -> Column:
    """The column, or the reason why nothing can be learned from it."""
    given = read_categories(series).drop_nulls() if column.kind == ColumnKind.CATEGORY else series.drop_nulls()
    n, different = given.len(), given.n_unique()
    if n == 0:
        return replace(column, kind=ColumnKind.NOTHING, why="It is empty.")
    if different == 1 and n == series.len():
        return replace(column, kind=ColumnKind.NOTHING, why=f'It says "{given[0]}" in every row.')
    if n < FEW:
        return column
    alike = different >= UNIQUE * n
    words = spoken(column.name)
    if column.kind == ColumnKind.CATEGORY and alike:
        return replace(
            column, kind=ColumnKind.NOTHING, why="It names the lead: nearly every row has a value of its own."
        )
    if column.kind == ColumnKind.NUMBER:
        numbers = read_numbers(series, column)
        known = numbers[~np.isnan(numbers)]
        whole = bool(len(known)) and bool(np.all(known == np.round(known)))
        if whole and alike and (NUMBERED.search(words) or _counts_up(known) or _evenly_spread(known)):
            return replace(column, kind=ColumnKind.NOTHING, why="It numbers the leads.")
        if whole and CODES.search(words):
            return replace(column, kind=ColumnKind.CATEGORY, form="")
    return column


def _counts_up(known: Floats) -> bool:
    steps = np.diff(known)
    return bool(np.all(steps > 0) or np.all(steps < 0)) or len(known) == known.max() - known.min() + 1


def _evenly_spread(known: Floats) -> bool:
    """Is every number there once, and are they spread evenly? So are numbers that a system gave, whatever their order;
    amounts and counts crowd at their lower end."""
    if len(known) < MANY or len(np.unique(known)) < len(known):
        return False
    ranks = np.linspace(0, 1, len(known))
    place = (np.sort(known) - known.min()) / max(float(known.max() - known.min()), 1.0)
    return bool(np.max(np.abs(place - ranks)) < EVEN)


def spoken(name: str) -> str:
    """A column's name as words: "lastNotable_activity" → "last notable activity"."""
    return " ".join(
        re.sub(r"([a-z])([A-Z])", r"\1 \2", name).replace("_", " ").replace("-", " ").replace(".", " ").lower().split()
    )


def _fingerprint(series: pl.Series) -> int:
    return hash((series.null_count(), str(series.head(50).cast(pl.String, strict=False).to_list())))


def _same(one: pl.Series, other: pl.Series) -> bool:
    return one.cast(pl.String, strict=False).equals(other.cast(pl.String, strict=False), null_equal=True)


# Reading a column as it was understood, in this file or a later one that is typed differently.


def read_numbers(series: pl.Series, column: Column) -> Floats:
    """Numbers, NaN where there is none."""
    if series.dtype == pl.Boolean or series.dtype.is_numeric():
        numbers = series.cast(pl.Float64)
    else:
        form = "plain" if column.form == "typed" else column.form
        numbers = _written_as(series.cast(pl.String, strict=False).str.strip_chars(), form)
    values = np.asarray(numbers.fill_null(np.nan).to_numpy(), dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def read_categories(series: pl.Series) -> pl.Series:
    """Trimmed text, null where there is none or a placeholder stands; whole numbers without a point."""
    if series.dtype.is_float():
        whole = series.fill_nan(None).drop_nulls()
        if bool((whole == whole.round()).all()):
            series = series.fill_nan(None).cast(pl.Int64, strict=False)
    text = series.cast(pl.String, strict=False).str.strip_chars()
    return text.set(text.str.to_lowercase().is_in(PLACEHOLDERS).fill_null(False), None)


def read_days(series: pl.Series, column: Column) -> Floats:
    """Days since 2000-01-01 with the time of day as a fraction, NaN where there is none."""
    if series.dtype == pl.String:
        if column.form == "typed":
            moments = series.str.replace(ZONE, "${1}").str.slice(0, 10).str.to_datetime("%Y-%m-%d", strict=False)
        else:
            moments = series.str.strip_chars().str.replace(ZONE, "${1}").str.to_datetime(column.form, strict=False)
    elif series.dtype in (pl.Date, pl.Datetime):
        if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone:
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        moments = series.cast(pl.Datetime("us"))
    else:
        return np.full(series.len(), np.nan)
    stamps: Any = moments.dt.cast_time_unit("us").to_numpy()
    days = (stamps - EPOCH) / np.timedelta64(1, "D")
    return np.asarray(days, dtype=np.float64)


def read_text(series: pl.Series) -> pl.Series:
    """Text in lower case, null where there is none."""
    return series.cast(pl.String, strict=False).str.to_lowercase()
