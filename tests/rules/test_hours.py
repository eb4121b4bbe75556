"""Business days, zones and send windows, on the days that go wrong."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.rules.planning.campaign import Hours, Span
from nurture.rules.planning.hours import add_business_days, allows_day, at, end_of, next_in_hours, wait_over, zone_of

EVENING = Hours(time(18), time(21), (1, 2, 3, 4, 5, 6, 7))


@pytest.mark.parametrize(
    ("day", "n", "country", "then"),
    [
        (date(2026, 3, 6), 1, "DE", date(2026, 3, 9)),  # Friday to Monday
        (date(2026, 4, 2), 1, "DE", date(2026, 4, 7)),  # over Good Friday and Easter Monday
        (date(2026, 4, 2), 1, "US", date(2026, 4, 3)),  # which the United States do not keep
        (date(2026, 3, 5), 1, "IL", date(2026, 3, 8)),  # a weekend of Friday and Saturday
        (date(2026, 2, 13), 1, "CN", date(2026, 2, 14)),  # a Saturday China works, for the long new year after it
        (date(2026, 12, 31), 1, "RO", date(2027, 1, 4)),  # New Year is two days and a weekend
        (date(2024, 2, 28), 1, "GB", date(2024, 2, 29)),  # a leap day is a day
        (date(2026, 3, 6), 1, "XX", date(2026, 3, 9)),  # a country we have no list for: Monday to Friday
        (date(2026, 3, 6), 0, "DE", date(2026, 3, 6)),
    ],
)
def test_business_days_are_those_of_the_country(day: date, n: int, country: str, then: date) -> None:
    assert add_business_days(day, n, country) == then


@pytest.mark.parametrize(
    ("moment", "zone", "opens"),
    [
        ("2026-03-02T07:59:00+00:00", "Europe/Berlin", "2026-03-02T08:00:00+00:00"),  # 08:59 there: one minute early
        ("2026-03-02T16:00:00+00:00", "Europe/Berlin", "2026-03-03T08:00:00+00:00"),  # five o'clock is closed
        ("2026-03-27T16:30:00+00:00", "Europe/Berlin", "2026-03-30T07:00:00+00:00"),  # over the change to summer time
        ("2026-10-23T15:30:00+00:00", "Europe/Berlin", "2026-10-26T08:00:00+00:00"),  # and back
        ("2026-03-02T12:00:00+00:00", "Asia/Shanghai", "2026-03-03T01:00:00+00:00"),
        ("2026-03-02T12:00:00+00:00", "America/Chicago", "2026-03-02T15:00:00+00:00"),
    ],
)
def test_the_send_window_is_the_recipients(moment: str, zone: str, opens: str) -> None:
    assert next_in_hours(datetime.fromisoformat(moment), Hours(), ZoneInfo(zone), "") == datetime.fromisoformat(opens)


def test_a_wait_of_business_days_ends_with_the_night_before_the_day() -> None:
    sent = datetime(2026, 4, 2, 12, tzinfo=UTC)
    assert wait_over(sent, Span(business_days=4), ZoneInfo("Europe/Berlin"), "DE") == datetime(
        2026, 4, 9, 22, tzinfo=UTC
    )
    assert wait_over(sent, Span(time=timedelta(days=2)), ZoneInfo("Europe/Berlin"), "DE") == sent + timedelta(days=2)


def test_a_zone_nobody_has_heard_of_is_the_countrys() -> None:
    assert zone_of("MX", "Amerika/Mexico").key == "America/Mexico_City"
    assert zone_of("US").key == "America/Chicago"
    assert zone_of("RO").key == "Europe/Bucharest"
    assert zone_of(None).key == "UTC"


ZONES = sorted(
    name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix", "right"))
)


@given(
    moment=st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC)),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    hours=st.sampled_from([Hours(), EVENING, Hours(time(1), time(4), (1, 2, 3, 4, 5, 6, 7))]),
    country=st.sampled_from([None, "", "DE", "US", "CN", "IL", "MX", "RO"]),
)
def test_whatever_the_moment_it_opens_inside_the_hours_and_never_before(
    moment: datetime, zone: ZoneInfo, hours: Hours, country: str | None
) -> None:
    opens = next_in_hours(moment, hours, zone, country)
    there = opens.astimezone(zone)
    assert opens >= moment
    assert allows_day(there.date(), hours, country)
    assert at(there.date(), hours.start, zone) <= opens < at(there.date(), hours.end, zone)


@given(st.dates(date(2024, 1, 1), date(2032, 1, 1)), st.sampled_from(ZONES).map(ZoneInfo))
def test_a_day_ends_on_that_day(day: date, zone: ZoneInfo) -> None:
    last = end_of(day, zone)
    assert last.astimezone(zone).date() == day or zone.utcoffset(datetime.combine(day, time(12))) is None
    assert (last + timedelta(seconds=1)).astimezone(zone).date() > day
