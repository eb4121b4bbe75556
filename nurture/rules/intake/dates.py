"""Days and times as people and programs write them: ISO, slashes, dots, month names, zone words, Excel and Unix."""

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale

from nurture.rules.intake.cell_format import CellFormat, InvalidCell

MONTH_LANGUAGES = ("en", "es", "ro", "de", "fr", "it", "nl", "pt", "pl", "sv", "da")
SLASHED = re.compile(r"(\d{1,4})([/.\-])(\d{1,2})\2(\d{1,4})(?:[T ,]+(.+))?")
CLOCK = re.compile(
    r"(\d{1,2})(?::(\d{2}))?(?::(\d{2})(?:[.,]\d+)?)?\s*(am|pm|a\.m\.|p\.m\.|uhr|h)?\s*"
    r"(z|[a-z]{3,4}|(?:gmt|utc)?\s*[+-]\d{1,2}(?::?\d{2})?)?(?:\s+(?:utc|gmt)|\s*\([^)]*\))?",
    re.IGNORECASE,
)
ORDINAL = r"(?:st|nd|rd|th|º|\.)?"
WRITTEN = re.compile(  # "Mon, 5 May 2025", "May 5, 2025", "5. März 2025", "5 de marzo de 2025", with or without a time
    rf"(?:[^\W\d]+\.?,?\s+)?(?:(\d{{1,2}}){ORDINAL}[\s\-]*(?:de\s+)?([^\W\d]+)\.?|([^\W\d]+)\.?\s+(\d{{1,2}}){ORDINAL})"
    r"[\s,\-]*(?:del?\s+)?(\d{4}|\d{2})(?:[T ,]+(?:at\s+|um\s+|à\s+)?(.+))?"
)
CHINESE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日?\s*(.+)?")
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}")
EXCEL = re.compile(r"[2-6]\d{4}(?:[.,]\d{1,12})?")  # days since 1899-12-30: 1954 to 2064
UNIX = re.compile(r"1\d{9}(?:\d{3})?")  # seconds or milliseconds since 1970: 2001 to 2033
ZONES = {  # words that mean one thing everywhere; CST, IST and BST mean several and are not guessed at
    "z": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 60, "cet": 60, "mez": 60, "cest": 120, "mesz": 120, "eet": 120,
    "eest": 180, "msk": 180, "est": -300, "edt": -240, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420,
    "akst": -540, "akdt": -480, "hst": -600, "jst": 540, "kst": 540, "aest": 600, "aedt": 660, "nzst": 720, "nzdt": 780,
}  # fmt: skip
EARLIEST = 1900
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip
HOW = 'is not a date we can read; write it as 2026-03-02 or say how under [file] dates, e.g. "%d %b %Y"'
NO_TIME = "is not a time of that day; write it as 14:30"


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
    if cell.replace(".", "").replace(",", "").isdigit():
        if UNIX.fullmatch(cell):
            return _unix(cell)
        if EXCEL.fullmatch(cell):
            days = float(cell.replace(",", "."))
            return _placed(datetime(1899, 12, 30) + timedelta(seconds=round(days * 86_400)), form)  # noqa: DTZ001
    return _in_words(cell, form) or _not_a_date(cell)


def _not_a_date(cell: str) -> InvalidCell:
    if ISO_DAY.match(cell):
        day = cell[4:].replace("-", "")
        return _impossible(int(cell[:4]), day[:2], day[2:4]) or InvalidCell(
            "is not a time of that day; write it as 2026-03-02 14:30"
        )
    return InvalidCell(HOW)


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
        month_first = month_first and parts[2] != "."
        month, day = (first, second) if month_first else (second, first)
        year = third if len(parts[4]) == 4 else 2000 + third if third < 70 else 1900 + third
        if ambiguous(parts[0], form):
            return InvalidCell('could be two days; say [file] dates = "day-first" or "month-first" in the mapping')
    return _at_time(year, month, day, parts[5], form)


def _in_words(cell: str, form: CellFormat) -> datetime | InvalidCell | None:
    """A day with its month's name, in one of our languages, or as mails and Chinese write it; None where it is none."""
    if parts := CHINESE.fullmatch(cell):
        return _at_time(int(parts[1]), int(parts[2]), int(parts[3]), parts[4], form)
    if parts := WRITTEN.fullmatch(cell):
        month = _months().get((parts[2] or parts[3]).casefold())
        if month:
            year = int(parts[5]) + (0 if len(parts[5]) == 4 else 2000 if int(parts[5]) < 70 else 1900)
            return _at_time(year, month, int(parts[1] or parts[4]), parts[6], form)
    match = re.match(r"(\d{4}-\d{2}-\d{2})[T ]+(.+)", cell)
    if match:
        year, month, day = map(int, match[1].split("-"))
        return _at_time(year, month, day, match[2], form)
    try:
        return _placed(parsedate_to_datetime(cell), form)
    except (ValueError, TypeError, IndexError):
        return None


def _at_time(year: int, month: int, day: int, clock: str | None, form: CellFormat) -> datetime | InvalidCell:
    if impossible := _impossible(year, month, day):
        return impossible
    if not clock:
        return _placed(datetime(year, month, day), form)  # noqa: DTZ001  the zone is added by _placed
    read = CLOCK.fullmatch(clock.strip())
    if not read or (not read[2] and not read[4]):
        return InvalidCell(NO_TIME)
    hour, minute, second = int(read[1]), int(read[2] or 0), int(read[3] or 0)
    if hour > 23 or minute > 59 or second > 59:
        return InvalidCell(NO_TIME)
    if read[4] and read[4][0] in "aApP":
        hour = hour % 12 + (12 if read[4][0] in "pP" else 0)
    found = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
    zone = re.sub(r"\s", "", read[5] or "").lower()
    if not zone:
        return _placed(found, form)
    minutes = ZONES.get(zone)
    if minutes is None:
        offset = re.fullmatch(r"(?:gmt|utc)?([+-])(\d{1,2}):?(\d{2})?", zone)
        if not offset:
            return InvalidCell(f'names the time zone "{zone.upper()}", which could be several; write it as +01:00')
        minutes = (int(offset[2]) * 60 + int(offset[3] or 0)) * (-1 if offset[1] == "-" else 1)
    return _placed((found - timedelta(minutes=minutes)).replace(tzinfo=UTC), form)


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


def _impossible(year: int, month: int | str, day: int | str) -> InvalidCell | None:
    month, day = int(month or 0), int(day or 0)
    if year == month == day == 0:
        return InvalidCell("is an empty date of the program that wrote the file")
    if not 1 <= month <= 12:
        return InvalidCell(
            f"is no date: there is no month {month}. Day and month swapped? "
            'Say [file] dates = "month-first" or "day-first"'
        )
    if not 1 <= day <= (days := monthrange(max(year, 1), month)[1]):
        return InvalidCell(f"is no date: {MONTHS[month - 1]} {year} has {days} days")
    return None


@lru_cache(1)
def _months() -> dict[str, int]:
    """The names of the months in our languages, long and short."""
    found: dict[str, int] = {"sept": 9, "mrz": 3, "märz": 3, "maerz": 3}
    for language in MONTH_LANGUAGES:
        for shape in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, name in Locale(language).months[shape][width].items():
                    found.setdefault(name.casefold().rstrip("."), number)
    return found


@lru_cache(600)
def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises KeyError or ValueError for any other."""
    return ZoneInfo(name)
