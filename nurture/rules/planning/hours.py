"""When may a letter leave? Business days, holidays, the recipient's zone and hours, right across clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
from babel.core import get_global

from nurture.rules.planning.campaign import Hours, Span

UTC_ZONE = ZoneInfo("UTC")
WEEKDAYS = (1, 2, 3, 4, 5)

MAIN_ZONE = {  # countries with several zones: where most people live, until the contact says otherwise
    "AR": "America/Argentina/Buenos_Aires", "AU": "Australia/Sydney", "BR": "America/Sao_Paulo",
    "CA": "America/Toronto", "CL": "America/Santiago", "CN": "Asia/Shanghai", "CY": "Asia/Nicosia",
    "DE": "Europe/Berlin", "EC": "America/Guayaquil", "ES": "Europe/Madrid", "ID": "Asia/Jakarta",
    "KZ": "Asia/Almaty", "MN": "Asia/Ulaanbaatar", "MX": "America/Mexico_City", "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland", "PT": "Europe/Lisbon", "RU": "Europe/Moscow", "UA": "Europe/Kyiv",
    "US": "America/Chicago", "UZ": "Asia/Tashkent",
}  # fmt: skip


@lru_cache(4096)
def zone_of(country: str | None, time_zone: str | None = None) -> ZoneInfo:
    """The recipient's zone: their own where known (and real), else their country's, else UTC."""
    for name in (time_zone, MAIN_ZONE.get(country or "")):
        if name:
            try:
                return ZoneInfo(name)
            except (KeyError, ValueError, OSError):  # a misspelt zone is no reason to lose a lead
                continue
    zones: list[str] = get_global("territory_zones").get(country or "", [])
    return ZoneInfo(zones[0]) if zones else UTC_ZONE


@lru_cache(512)
def _calendar(country: str | None) -> holidays.HolidayBase:
    try:
        return holidays.country_holidays(country or "")
    except (NotImplementedError, KeyError):
        return holidays.HolidayBase()  # no list for this country: Monday to Friday


@lru_cache(65536)
def is_business_day(day: date, country: str | None) -> bool:
    """Neither the country's weekend (Friday and Saturday in some) nor one of its public holidays."""
    return bool(_calendar(country).is_working_day(day))


@lru_cache(65536)
def add_business_days(day: date, n: int, country: str | None) -> date:
    """The n-th business day after `day`."""
    while n > 0:
        day += timedelta(days=1)
        n -= is_business_day(day, country)
    return day


def wait_over(since: datetime, wait: Span, zone: ZoneInfo, country: str | None) -> datetime:
    """The moment a wait that began at `since` ends: business days are counted in the recipient's zone and country, and
    end at the start of the day, for the send window says the hour."""
    if wait.business_days:
        day = add_business_days(since.astimezone(zone).date(), wait.business_days, country)
        return at(day, time(0), zone) + wait.time
    return since + wait.time


@lru_cache(65536)
def at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A wall-clock time as a UTC moment. One that a clock change skips becomes the moment just after the gap; one that
    comes twice, the first."""
    said = datetime.combine(day, clock, tzinfo=zone)
    moment = said.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == said.replace(tzinfo=None):
        return moment
    before, after = said.replace(fold=1).astimezone(UTC), moment  # the gap's end lies between the two readings
    then = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == then:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def allows_day(day: date, hours: Hours, country: str | None) -> bool:
    """May letters leave on this day? With a country, its business days count (`days` narrows them when it is not the
    plain Monday-to-Friday); without one, `days` alone."""
    if country is None:
        return day.isoweekday() in hours.days
    return is_business_day(day, country) and (hours.days == WEEKDAYS or day.isoweekday() in hours.days)


def next_in_hours(moment: datetime, hours: Hours, zone: ZoneInfo, country: str | None = None) -> datetime:
    """The first moment at or after `moment` inside the hours, in the recipient's zone (UTC out).

    `country`: count its business days only (B2B); None: `hours.days` as they are (B2C).
    """
    day = moment.astimezone(zone).date()
    for _ in range(400):
        if allows_day(day, hours, country):
            opens, closes = at(day, hours.start, zone), at(day, hours.end, zone)
            if moment < closes and opens < closes:
                return max(moment, opens)
        day += timedelta(days=1)
    raise ValueError(f"no day within a year is allowed by days={hours.days} in {country}")


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The last moment of a day in a zone."""
    return at(day + timedelta(days=1), time(0), zone) - timedelta(seconds=1)
