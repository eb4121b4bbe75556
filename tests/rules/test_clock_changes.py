"""Time where it goes wrong: every zone that changes its clocks, holy weeks, leap days, the 31st, New Year."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import pytest

from nurture.rules.planning.campaign import Hours, Span
from nurture.rules.planning.hours import add_business_days, at, next_in_hours, wait_over, zone_of

EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
WINDOWS = (
    Hours(),
    Hours(time(17, 30), time(21), EVERY_DAY),
    Hours(time(1), time(4), EVERY_DAY),  # around the hour that is skipped, or comes twice
    Hours(time(2, 10), time(2, 50), EVERY_DAY),  # inside it
    Hours(time(0), time(23, 59), EVERY_DAY),
)


@lru_cache(1)
def changes() -> list[tuple[ZoneInfo, datetime]]:
    """Every zone that changes its clocks in 2026 or 2027, and the days on which it does."""
    found = []
    for name in sorted(available_timezones() - {"localtime"}):
        if name.startswith(("posix", "right")):
            continue
        zone, day = ZoneInfo(name), datetime(2026, 1, 1, tzinfo=UTC)
        offset = day.astimezone(zone).utcoffset()
        while day.year < 2028:
            day += timedelta(days=1)
            now = day.astimezone(zone).utcoffset()
            if now != offset:
                found.append((zone, day - timedelta(days=1)))
                offset = now
    return found


def test_there_are_many_such_zones() -> None:
    assert len({zone.key for zone, _ in changes()}) > 150
    assert {"Europe/Berlin", "America/New_York", "Africa/Casablanca"} <= {zone.key for zone, _ in changes()}


@pytest.mark.parametrize("hours", WINDOWS, ids=lambda hours: f"{hours.start:%H%M}-{hours.end:%H%M}")
def test_over_both_changes_of_every_zone_a_window_opens_inside_itself_and_in_order(hours: Hours) -> None:
    for zone, change in changes():
        before = None
        for step in range(14):  # two days, every three and a half hours
            moment = change - timedelta(hours=12) + step * timedelta(hours=3, minutes=30)
            opens = next_in_hours(moment, hours, zone)
            there = opens.astimezone(zone)
            said = f"{zone.key} {moment} → {there}"
            assert opens >= moment, said
            assert hours.start <= there.time() < hours.end, said
            assert there.isoweekday() in hours.days, said
            assert there.replace(fold=0).astimezone(UTC) <= opens, said  # a time that exists, not one in the gap
            assert next_in_hours(opens, hours, zone) == opens, said
            assert before is None or opens >= before, said
            before = opens


@pytest.mark.parametrize(
    ("zone", "day", "clock", "there"),
    [
        ("Europe/Berlin", date(2026, 3, 29), time(2, 30), "2026-03-29T03:00:00+02:00"),  # skipped: just after the gap
        ("Europe/Berlin", date(2026, 10, 25), time(2, 30), "2026-10-25T02:30:00+02:00"),  # comes twice: the first
        ("America/New_York", date(2026, 3, 8), time(2, 0), "2026-03-08T03:00:00-04:00"),
        ("Australia/Lord_Howe", date(2026, 10, 4), time(2, 15), "2026-10-04T02:30:00+11:00"),  # half an hour
        ("Pacific/Apia", date(2011, 12, 30), time(9), "2011-12-31T00:00:00+14:00"),  # a whole day that never was
        ("Asia/Kathmandu", date(2026, 3, 2), time(9), "2026-03-02T09:00:00+05:45"),
    ],
)
def test_a_wall_clock_time_is_a_moment_also_where_the_clock_jumps(
    zone: str, day: date, clock: time, there: str
) -> None:
    assert at(day, clock, ZoneInfo(zone)).astimezone(ZoneInfo(zone)).isoformat() == there


@pytest.mark.parametrize(
    ("evening", "country", "opens"),
    [
        ("2026-02-13", "CN", "2026-02-14"),  # Chinese New Year: the Saturday before is worked …
        ("2026-02-14", "CN", "2026-02-24"),  # … for the nine days after it
        ("2026-02-16", "SG", "2026-02-19"),
        ("2026-02-13", "TW", "2026-02-23"),
        ("2026-02-16", "VN", "2026-02-23"),
        ("2026-03-18", "SA", "2026-03-25"),  # the end of Ramadan, and a weekend of Friday and Saturday
        ("2026-03-19", "AE", "2026-03-23"),
        ("2025-12-31", "RO", "2026-01-05"),  # New Year is two days and a weekend
        ("2026-12-31", "GB", "2027-01-04"),
        ("2025-12-31", "JP", "2026-01-02"),
        ("2028-02-28", "DE", "2028-02-29"),  # the leap day is a Tuesday
        ("2024-02-29", "DE", "2024-03-01"),
        ("2026-01-30", "US", "2026-02-02"),  # over the 31st, a Saturday
        ("2026-07-31", "FR", "2026-08-03"),
    ],
)
def test_a_letter_of_the_evening_leaves_on_the_next_day_that_people_work(
    evening: str, country: str, opens: str
) -> None:
    zone = zone_of(country)
    moment = datetime.combine(date.fromisoformat(evening), time(18), tzinfo=zone)
    there = next_in_hours(moment, Hours(), zone, country).astimezone(zone)
    assert (there.date().isoformat(), there.time()) == (opens, time(9))


@pytest.mark.parametrize(
    ("since", "days", "country", "ends"),
    [
        ("2026-01-30", 1, "DE", "2026-02-02"),
        ("2026-02-13", 2, "CN", "2026-02-24"),  # Saturday the 14th is the first
        ("2028-02-28", 2, "DE", "2028-03-01"),
        ("2025-12-30", 2, "ES", "2026-01-02"),
        ("2026-03-27", 1, "DE", "2026-03-30"),  # over the change to summer time
        ("2026-10-23", 1, "DE", "2026-10-26"),
    ],
)
def test_waits_of_business_days_end_with_the_morning_of_a_working_day(
    since: str, days: int, country: str, ends: str
) -> None:
    zone = zone_of(country)
    began = datetime.combine(date.fromisoformat(since), time(15), tzinfo=zone)
    ready = wait_over(began, Span(business_days=days), zone, country).astimezone(zone)
    assert (ready.date().isoformat(), ready.time()) == (ends, time(0))
    assert add_business_days(began.date(), days, country) == ready.date()
