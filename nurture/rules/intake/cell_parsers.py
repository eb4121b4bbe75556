"""From what stands in a cell to a value we can count with, or to a sentence that says what is wrong with it."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

LONGEST = 10_000  # characters in one cell; a novel in a cell is a mistake of the export
SHOWN = 60
CellValue = str | int | float | bool | Decimal | datetime


@dataclass(frozen=True, slots=True)
class InvalidCell:
    """Why a cell has no value: said to the person who made the file."""

    why: str


@dataclass(frozen=True, slots=True)
class CellFormat:
    """How this file writes numbers and dates, as far as its mapping says so."""

    decimal: str = ""  # "." or ","; empty: whatever cannot be misread
    dates: str = (
        ""  # "day-first", "month-first", "unix" or a pattern such as "%d %b %Y"; ISO dates are always understood
    )
    time_zone: str = "UTC"  # of moments that name none


def shortened(value: str) -> str:
    """As much of a cell as fits in a report."""
    flat = " ".join(value[: 4 * SHOWN].split())
    return flat if len(value) <= SHOWN else f"{flat[:SHOWN]}… ({len(value):,} characters)"


def text(cell: str, form: CellFormat) -> str | InvalidCell:
    """The cell as it is; neither longer than LONGEST nor with a NUL, which no database takes."""
    if len(cell) > LONGEST:
        return InvalidCell(f"is {len(cell):,} characters long; the longest we take is {LONGEST:,}")
    if "\0" in cell:
        return InvalidCell("contains a NUL character: the file was damaged or is not a text file")
    return cell


# dates and times

SLASHED = re.compile(r"(\d{1,4})([/.\-])(\d{1,2})\2(\d{1,4})(?:[T ,]+(.+))?")
CLOCK = re.compile(
    r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(am|pm|a\.m\.|p\.m\.)?\s*(z|utc|[+-]\d{2}:?\d{2})?", re.IGNORECASE
)
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}")
EARLIEST = 1900


def moment(cell: str, form: CellFormat) -> datetime | InvalidCell:
    """An aware UTC moment. A day alone is its midnight in the file's time zone."""
    return _day(cell, form) if len(cell) <= 10 else _moment(cell, form)


@lru_cache(10_000)
def _day(cell: str, form: CellFormat) -> datetime | InvalidCell:
    """Days repeat, moments seldom do."""
    return _moment(cell, form)


def _moment(cell: str, form: CellFormat) -> datetime | InvalidCell:
    if form.dates == "unix":
        return _unix(cell)
    if "%" in form.dates:
        try:
            found = datetime.strptime(cell, form.dates)  # noqa: DTZ007  the zone is added by _placed
        except ValueError:
            return InvalidCell(f'does not read as a date written like "{form.dates}"')
        return _placed(found, form)
    try:
        return _placed(datetime.fromisoformat(cell), form)
    except ValueError:
        pass
    if parts := SLASHED.fullmatch(cell):
        return _slashed(parts, form)
    if cell.isdigit() and len(cell) == 5:
        return InvalidCell("looks like Excel's number for a day: format the column as a date before saving")
    if ISO_DAY.match(cell):
        return _impossible(int(cell[:4]), cell[4:].replace("-", "")[:2], cell[4:].replace("-", "")[2:4]) or InvalidCell(
            "is not a time of that day; write it as 2026-03-02 14:30"
        )
    return InvalidCell(
        'is not a date we can read; write it as 2026-03-02 or say how under [file] dates, e.g. "%d %b %Y"'
    )


def ambiguous(cell: str, form: CellFormat) -> bool:
    """Could be two different days, and the mapping does not say which: 03/02/2026."""
    parts = None if form.dates else SLASHED.fullmatch(cell)
    if not parts or parts[2] == "." or len(parts[1]) > 2:  # dots are day-first everywhere
        return False
    return parts[1] != parts[3] and 1 <= int(parts[1]) <= 12 and 1 <= int(parts[3]) <= 12


def _slashed(parts: re.Match[str], form: CellFormat) -> datetime | InvalidCell:
    first, second, third = int(parts[1]), int(parts[3]), int(parts[4])
    if len(parts[1]) == 4:
        year, month, day = first, second, third
    else:
        month_first = form.dates == "month-first" or (not form.dates and parts[2] != "." and second > 12)
        month, day = (first, second) if month_first else (second, first)
        year = third if len(parts[4]) == 4 else 2000 + third if third < 70 else 1900 + third
        if ambiguous(parts[0], form):
            return InvalidCell('could be two days; say [file] dates = "day-first" or "month-first" in the mapping')
    if impossible := _impossible(year, month, day):
        return impossible
    hour = minute = second_ = 0
    zone = None
    if parts[5]:
        clock = CLOCK.fullmatch(parts[5].strip())
        if not clock or int(clock[1]) > 23 or int(clock[2]) > 59 or int(clock[3] or 0) > 59:
            return InvalidCell("is not a time of that day; write it as 14:30")
        hour, minute, second_ = int(clock[1]), int(clock[2]), int(clock[3] or 0)
        if clock[4]:
            hour = hour % 12 + (12 if clock[4][0] in "pP" else 0)
        zone = clock[5]
    found = datetime(year, month, day, hour, minute, second_)  # noqa: DTZ001  the zone is added by _placed
    if zone:
        found = datetime.fromisoformat(f"{found.isoformat()}{'Z' if zone.lower() in ('z', 'utc') else zone}")
    return _placed(found, form)


def _placed(found: datetime, form: CellFormat) -> datetime | InvalidCell:
    if found.year < EARLIEST or found.year > 9000:
        return InvalidCell(f"lies in the year {found.year}: an empty date of the program that wrote the file?")
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone_of(form.time_zone))
    return found.astimezone(UTC)


def _unix(cell: str) -> datetime | InvalidCell:
    try:
        seconds = float(cell)
        return _placed(datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC), CellFormat())
    except (ValueError, OverflowError, OSError):
        return InvalidCell("is not a number of seconds since 1970, as the mapping says")


MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip


def _impossible(year: int, month: int | str, day: int | str) -> InvalidCell | None:
    month, day = int(month or 0), int(day or 0)
    if not 1 <= month <= 12:
        return InvalidCell(
            f"is no date: there is no month {month}. Day and month swapped? "
            'Say [file] dates = "month-first" or "day-first"'
        )
    if not 1 <= day <= (days := monthrange(max(year, 1), month)[1]):
        return InvalidCell(f"is no date: {MONTHS[month - 1]} {year} has {days} days")
    return None


@lru_cache(600)
def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises KeyError or ValueError for any other."""
    return ZoneInfo(name)


@lru_cache(2_000)
def time_zone(cell: str, form: CellFormat) -> str | InvalidCell:
    """The IANA name of a time zone: Europe/Berlin."""
    try:
        return ZoneInfo(cell).key
    except (KeyError, ValueError, OSError):
        return InvalidCell('is not a time zone we know; write it like "Europe/Berlin"')


# numbers

PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,12})?")
CURRENCY_MARKS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "CNY", "元": "CNY", "lei": "RON", "Fr.": "CHF", "₹": "INR"}
UNSIGNED = re.compile(r"[\d.,' \u00a0\u202f\u2009]+")
FOLLOWING_CODE = re.compile(r"[A-Za-z]{3}")


def number(cell: str, form: CellFormat) -> Decimal | InvalidCell:
    """A Decimal. Where point and comma could be read two ways and the mapping is silent, a complaint."""
    if not form.decimal and PLAIN_NUMBER.fullmatch(cell) and not re.fullmatch(r"-?\d{1,3}\.\d{3}", cell):
        return Decimal(cell)
    bare = cell
    for mark in CURRENCY_MARKS:
        bare = bare.replace(mark, "")
    bare = FOLLOWING_CODE.sub("", bare).strip()
    negative = bare.startswith(("-", "−", "(")) or bare.endswith("-")
    bare = bare.strip("-−()+ ")
    if not bare or not UNSIGNED.fullmatch(bare) or not any(c.isdigit() for c in bare):
        return InvalidCell("is not a number")
    bare = re.sub(r"[' \u00a0\u202f\u2009]", "", bare)
    decimal = form.decimal or _decimal_of(bare)
    if not decimal:
        return InvalidCell(
            'could be read two ways: is that a thousand or a fraction? Say [file] decimal = "," or "." in the mapping'
        )
    thousands = "." if decimal == "," else ","
    whole, _, fraction = bare.partition(decimal)
    if thousands in whole and not re.fullmatch(rf"\d{{1,3}}(?:\{thousands}\d{{3}})+", whole):
        return InvalidCell(
            f'is not a number when "{decimal}" separates the decimals; '
            f'say [file] decimal = "{thousands}" if it does not'
        )
    if not (whole or fraction) or thousands in fraction or decimal in fraction:
        return InvalidCell("is not a number")
    value = Decimal(f"{whole.replace(thousands, '') or '0'}.{fraction or '0'}")
    return -value if negative else value


def _decimal_of(bare: str) -> str:
    """Point or comma, as far as this one number tells: 1.234,56 and 12,5 do, 1.234 does not."""
    point, comma = bare.rfind("."), bare.rfind(",")
    if point >= 0 and comma >= 0:
        return "." if point > comma else ","
    mark = "." if point >= 0 else ","
    groups = bare.split(mark)
    if len(groups) == 1:
        return "."
    if len(groups) > 2:
        return "," if mark == "." else "."
    return "" if len(groups[1]) == 3 and len(groups[0]) <= 3 and groups[0] != "0" else mark


def cents(cell: str, form: CellFormat) -> int | InvalidCell:
    """Money in hundredths of its unit."""
    value = number(cell, form)
    if isinstance(value, InvalidCell):
        return value
    hundredths = int((value * 100).to_integral_value(ROUND_HALF_EVEN))
    return hundredths if abs(hundredths) < 10**15 else InvalidCell("is more money than there is")


def whole(cell: str, form: CellFormat) -> int | InvalidCell:
    """A count of people: 250, 1.200, "51-200" (the middle), "10,000+"."""
    if cell.isascii() and cell.isdigit() and len(cell) < 10:
        return int(cell)
    if span := re.fullmatch(r"([\d.,']+)\s*(?:-|–|to|bis|a|la)\s*([\d.,']+)", cell):
        low, high = (int(re.sub(r"\D", "", end) or 0) for end in span.groups())
        return (low + high) // 2 if max(low, high) < 10**9 else InvalidCell("is not a number of people")
    digits = re.sub(r"[.,'\s](?=\d{3}(?:\D|$))", "", cell.rstrip("+ ").lstrip("><~≈ca. "))
    if digits.isdigit() and len(digits) < 10:
        return int(digits)
    value = number(cell, form)
    if isinstance(value, Decimal) and value == value.to_integral_value() and 0 <= value < 10**9:
        return int(value)
    return InvalidCell("is not a whole number; write it as 250")


def trait(cell: str) -> str | int | float:
    """A column nobody named: a number where it is plainly one, else the text. 007 and +49 40 stay text."""
    if cell[0] in "-0123456789" and PLAIN_NUMBER.fullmatch(cell):
        return float(cell) if "." in cell else int(cell)
    return cell
