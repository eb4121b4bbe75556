"""Out of office: until when does an automatic reply say that somebody is out of office?"""

import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import get_month_names

from nurture.rules.languages import LANGUAGES
from nurture.rules.planning.hours import at

WITHOUT_A_DATE = timedelta(days=7)  # "I am out of office." and nothing more
LONGEST = timedelta(days=366)  # a date beyond that is a phone number, or a leave that ends the relation

_ISO = re.compile(r"\b(20\d\d)-(\d\d?)-(\d\d?)\b")
_DOTTED = re.compile(r"\b(\d{1,2})[./](\d{1,2})[./](20\d\d|\d\d)?(?!\d)")
_HAN = re.compile(r"(?:(20\d\d)\s*年)?\s*(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]")


@lru_cache(1)
def _months() -> dict[str, int]:
    names: dict[str, int] = {}
    for language in LANGUAGES:
        for width in ("wide", "abbreviated"):
            for number, name in get_month_names(width, locale=language).items():
                if (word := name.lower().rstrip(".")).isalpha():
                    names[word] = number
    return names


@lru_cache(1)
def _named() -> re.Pattern[str]:
    month = "|".join(sorted(_months(), key=len, reverse=True))
    of = "|".join(rf"{word}\s+" for row in LANGUAGES.values() for word in row.of)
    return re.compile(
        rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?\s+(?:{of})?(?P<month>{month})\b\.?(?:,?\s*(?:{of})?(?P<year>20\d\d))?"
        rf"|\b(?P<month2>{month})\b\.?\s+(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s*(?P<year2>20\d\d))?",
        re.IGNORECASE,
    )


def dates_in(text: str, today: date) -> list[date]:
    """The days a text names, in its order. A day without a year is the next one; 3.4. is 3 April, as in Europe."""
    found: list[tuple[int, date]] = []

    def add(place: int, year: str | None, month: int, day: str) -> None:
        try:
            named = date(int(year) + (2000 if len(year) == 2 else 0) if year else today.year, month, int(day))
            if not year and named < today:
                named = named.replace(year=named.year + 1)
        except ValueError:  # the 31st of April; 29 February of another year
            return
        found.append((place, named))

    for match in _ISO.finditer(text):
        add(match.start(), match[1], int(match[2]), match[3])
    for match in _DOTTED.finditer(text):
        if 1 <= int(match[2]) <= 12:
            add(match.start(), match[3], int(match[2]), match[1])
    for match in _HAN.finditer(text):
        if 1 <= int(match[2]) <= 12:
            add(match.start(), match[1], int(match[2]), match[3])
    for match in _named().finditer(text):
        month = _months()[(match["month"] or match["month2"]).lower()]
        add(match.start(), match["year"] or match["year2"], month, match["day"] or match["day2"])
    return [day for _, day in sorted(found)]


def letters_go_on_at(text: str | None, said_at: datetime, zone: ZoneInfo) -> datetime:
    """When letters may go on: the morning of the last day that the reply names, or a week later if it names none.

    "From 3 to 16 March" and "until 16 March" both mean 16 March. Days that are over, or more than a year away, are not
    meant.
    """
    today = said_at.astimezone(zone).date()
    later = [day for day in dates_in(text or "", today) if today < day <= today + LONGEST]
    return at(max(later), time(0), zone) if later else said_at + WITHOUT_A_DATE
