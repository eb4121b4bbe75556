"""From a cell to a value, or to a sentence about what is wrong with it."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.rules.intake import cell_parsers, consent_words, names
from nurture.rules.intake.cell_parsers import CellFormat, InvalidCell

SILENT = CellFormat()
GERMAN = CellFormat(decimal=",", dates="day-first", time_zone="Europe/Berlin")


def why(found: object) -> str:
    assert isinstance(found, InvalidCell)
    return found.why


@pytest.mark.parametrize(
    ("cell", "form", "moment"),
    [
        ("2026-03-02", SILENT, datetime(2026, 3, 2, tzinfo=UTC)),
        ("2026-03-02T08:30:00Z", GERMAN, datetime(2026, 3, 2, 8, 30, tzinfo=UTC)),
        ("2026-03-02 08:30:00+01:00", SILENT, datetime(2026, 3, 2, 7, 30, tzinfo=UTC)),
        ("2026-03-02 08:30", GERMAN, datetime(2026, 3, 2, 7, 30, tzinfo=UTC)),
        ("2026-07-02 08:30", GERMAN, datetime(2026, 7, 2, 6, 30, tzinfo=UTC)),  # summer time
        ("20260302", SILENT, datetime(2026, 3, 2, tzinfo=UTC)),
        ("2026/03/02", SILENT, datetime(2026, 3, 2, tzinfo=UTC)),
        ("02.03.2026", SILENT, datetime(2026, 3, 2, tzinfo=UTC)),  # dots are day-first everywhere
        ("2.3.26 14:05", SILENT, datetime(2026, 3, 2, 14, 5, tzinfo=UTC)),
        ("25/03/2026", SILENT, datetime(2026, 3, 25, tzinfo=UTC)),
        ("03/25/2026", SILENT, datetime(2026, 3, 25, tzinfo=UTC)),
        ("03/04/2026", CellFormat(dates="month-first"), datetime(2026, 3, 4, tzinfo=UTC)),
        ("03/04/2026", CellFormat(dates="day-first"), datetime(2026, 4, 3, tzinfo=UTC)),
        ("03/04/2026 2:30 pm", CellFormat(dates="month-first"), datetime(2026, 3, 4, 14, 30, tzinfo=UTC)),
        ("12/04/2026 12:15 am", CellFormat(dates="month-first"), datetime(2026, 12, 4, 0, 15, tzinfo=UTC)),
        ("19970101", CellFormat(dates="%Y%m%d", time_zone="America/New_York"), datetime(1997, 1, 1, 5, tzinfo=UTC)),
        ("1772438400", CellFormat(dates="unix"), datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("1772438400000", CellFormat(dates="unix"), datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("1772438400", SILENT, datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("1772438400000", SILENT, datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("46083", SILENT, datetime(2026, 3, 2, tzinfo=UTC)),  # Excel's number for a day
        ("45720.7125", SILENT, datetime(2025, 3, 4, 17, 6, tzinfo=UTC)),
        ("03/04/2025 5:06 PM EST", CellFormat(dates="month-first"), datetime(2025, 3, 4, 22, 6, tzinfo=UTC)),
        ("May 5, 2025", SILENT, datetime(2025, 5, 5, tzinfo=UTC)),
        ("05-May-2025", SILENT, datetime(2025, 5, 5, tzinfo=UTC)),
        ("31-Dec-24", SILENT, datetime(2024, 12, 31, tzinfo=UTC)),
        ("5. März 2025", SILENT, datetime(2025, 3, 5, tzinfo=UTC)),
        ("5 de marzo de 2025", SILENT, datetime(2025, 3, 5, tzinfo=UTC)),
        ("2025年5月5日", SILENT, datetime(2025, 5, 5, tzinfo=UTC)),
        ("2025-05-05T10:00:00.000+0000", SILENT, datetime(2025, 5, 5, 10, tzinfo=UTC)),
        ("Mon, 05 May 2025 10:00:00 +0200", SILENT, datetime(2025, 5, 5, 8, tzinfo=UTC)),
        ("2026/05/28 7:01:33 PM GMT+2", SILENT, datetime(2026, 5, 28, 17, 1, 33, tzinfo=UTC)),
        ("2026-02-01 10:00:00.000 +0000 UTC", SILENT, datetime(2026, 2, 1, 10, tzinfo=UTC)),
        ("05.05.2025 10:00 Uhr", SILENT, datetime(2025, 5, 5, 10, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read(cell: str, form: CellFormat, moment: datetime) -> None:
    assert cell_parsers.moment(cell, form) == moment


@pytest.mark.parametrize(
    ("cell", "form", "says"),
    [
        ("31.02.2026", SILENT, "February 2026 has 28 days"),
        ("2026-02-30", SILENT, "February 2026 has 28 days"),
        ("2026-13-01", SILENT, "there is no month 13"),
        ("25/03/2026", CellFormat(dates="month-first"), "there is no month 25"),
        ("03/04/2026", SILENT, "could be two days"),
        ("0000-00-00 00:00:00", SILENT, "is an empty date"),
        ("5 May 2025 10:00 CST", SILENT, 'the time zone "CST", which could be several'),
        ("0001-01-01", SILENT, "lies in the year 1"),
        ("1899-12-30", SILENT, "lies in the year 1899"),
        ("9999-12-31", SILENT, "lies in the year 9999"),
        ("2026-03-02 25:00", SILENT, "is not a time of that day"),
        ("02.03.2026 14:61", SILENT, "is not a time of that day"),
        ("yesterday", SILENT, "is not a date we can read"),
        ("soon", CellFormat(dates="unix"), "seconds since 1970"),
        ("1997-01-01", CellFormat(dates="%Y%m%d"), "%Y%m%d"),
    ],
)
def test_an_impossible_moment_is_refused_in_plain_words(cell: str, form: CellFormat, says: str) -> None:
    assert says in why(cell_parsers.moment(cell, form))


@pytest.mark.parametrize(
    ("cell", "ambiguous"),
    [("03/04/2026", True), ("3-4-2026", True), ("03/03/2026", False), ("13/04/2026", False), ("03.04.2026", False),
     ("2026-03-04", False), ("2026/03/04", False)],
)  # fmt: skip
def test_what_could_be_two_days(cell: str, ambiguous: bool) -> None:
    assert cell_parsers.ambiguous(cell, SILENT) is ambiguous
    assert not cell_parsers.ambiguous(cell, GERMAN)


@pytest.mark.parametrize(
    ("cell", "form", "value"),
    [
        ("12", SILENT, "12"), ("12.5", SILENT, "12.5"), ("-3", SILENT, "-3"), ("0.125", SILENT, "0.125"),
        ("1.234,56", SILENT, "1234.56"), ("1,234.56", SILENT, "1234.56"), ("12,5", SILENT, "12.5"),
        ("1.234.567", SILENT, "1234567"), ("€ 1.234,56", SILENT, "1234.56"), ("12.00 EUR", SILENT, "12"),
        ("1'234.50", SILENT, "1234.5"), ("1 234,50", SILENT, "1234.5"), ("(12.00)", SILENT, "-12"),
        ("1.234", GERMAN, "1234"), ("1,234", GERMAN, "1.234"), ("1,234", CellFormat(decimal="."), "1234"),
        ("11.770000000000001", SILENT, "11.770000000000001"),
    ],
)  # fmt: skip
def test_a_number_is_read_whatever_its_country(cell: str, form: CellFormat, value: str) -> None:
    assert cell_parsers.number(cell, form) == Decimal(value)


@pytest.mark.parametrize(
    ("cell", "form", "says"),
    [
        ("1.234", SILENT, "could be read two ways"),
        ("1,234", SILENT, "could be read two ways"),
        ("12.5", GERMAN, 'say [file] decimal = "."'),
        ("1,234.56", GERMAN, "is not a number"),
        ("see invoice", SILENT, "is not a number"),
        ("1.2.3", SILENT, "is not a number"),
        ("=1+1", SILENT, "is not a number"),
        ("", SILENT, "is not a number"),
    ],
)
def test_a_number_that_is_none_or_two_is_refused(cell: str, form: CellFormat, says: str) -> None:
    assert says in why(cell_parsers.number(cell, form))


def test_money_is_counted_in_hundredths() -> None:
    assert cell_parsers.cents("1.234,56 €", GERMAN) == 123456
    assert cell_parsers.cents("11.770000000000001", SILENT) == 1177
    assert cell_parsers.cents("-0.10", SILENT) == -10
    assert "more money" in why(cell_parsers.cents("99999999999999", SILENT))


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_money_survives_both_ways_of_writing_it(amount: Decimal) -> None:
    english = f"{amount:,.2f}"
    german = english.replace(",", " ").replace(".", ",").replace(" ", ".")
    assert (
        cell_parsers.cents(english, CellFormat(decimal=".")) == cell_parsers.cents(german, GERMAN) == int(amount * 100)
    )


@pytest.mark.parametrize(
    ("cell", "people"),
    [
        ("250", 250),
        ("1.200", 1200),
        ("1,200", 1200),
        ("51-200", 125),
        ("10,000+", 10_000),
        ("ca. 30", 30),
        ("250.0", 250),
    ],
)
def test_a_head_count_is_read(cell: str, people: int) -> None:
    assert cell_parsers.whole(cell, SILENT) == people


def test_many_is_no_head_count() -> None:
    assert "whole number" in why(cell_parsers.whole("many", SILENT))


def test_traits_are_numbers_only_where_they_plainly_are() -> None:
    texts = ("007", "+49 40 1", "1e5", "nan", "yes", "=1+1", "12345678901234567890")
    read = {c: cell_parsers.trait(c) for c in ("42", "4.5", "-1", *texts)}
    assert read == {c: c for c in texts} | {"42": 42, "4.5": 4.5, "-1": -1}


def test_a_cell_that_is_no_text_is_refused() -> None:
    assert "10,001 characters" in why(cell_parsers.text("x" * 10_001, SILENT))
    assert "NUL" in why(cell_parsers.text("a\0b", SILENT))


@pytest.mark.parametrize(
    ("cell", "code"),
    [("DE", "DE"), ("de", "DE"), ("Germany", "DE"), ("Deutschland", "DE"), ("Alemania", "DE"), ("德国", "DE"),
     ("UK", "GB"),
     ("USA", "US"), ("Österreich", "AT"), ("México", "MX"), ("DEU", "DE"), ("se", "SE"), ("Namibia", "NA"),
     ("United States of America", "US"), ("The Netherlands", "NL")],
)  # fmt: skip
def test_a_country_is_known_in_many_languages(cell: str, code: str) -> None:
    assert names.country(cell, SILENT) == code


@pytest.mark.parametrize(
    ("cell", "locale"),
    [("de", "de"), ("es_MX", "es-MX"), ("zh-CN", "zh-CN"), ("zh-Hans-CN", "zh-CN"), ("Spanish", "es"),
     ("español", "es"), ("Deutsch", "de"), ("en_GB.UTF-8", "en-GB")],
)  # fmt: skip
def test_a_language_is_known_by_code_and_by_name(cell: str, locale: str) -> None:
    assert names.locale(cell, SILENT) == locale


@pytest.mark.parametrize(
    ("cell", "meaning"),
    [("yes", "granted"), ("Ja", "granted"), ("NO", "withdrawn"), ("unsubscribed", "withdrawn"), ("?", "unknown")],
)
def test_consent_is_understood(cell: str, meaning: str) -> None:
    assert consent_words.consent(cell, SILENT) == meaning


def test_what_is_not_understood_says_how_to_translate_it() -> None:
    assert '[values.consent] "maybe"' in why(consent_words.consent("maybe", SILENT))
    assert "[values.country]" in why(names.country("Atlantis", SILENT))
    assert "language" in why(names.locale("Klingon", SILENT))
    assert "currency" in why(names.currency("Taler", SILENT))
    assert "time zone" in why(cell_parsers.time_zone("Mars/Base", SILENT))
    assert "neither yes nor no" in why(consent_words.unsubscribed("perhaps", SILENT))


def test_a_day_of_leaving_is_a_yes() -> None:
    assert consent_words.unsubscribed("2025-06-01", SILENT) is True
    assert consent_words.unsubscribed("no", SILENT) is False


def test_na_is_not_namibia() -> None:
    assert "country" in why(names.country("NA", SILENT))


@pytest.mark.parametrize(
    ("cell", "zone"),
    [("Europe/Berlin", "Europe/Berlin"), ("europe/stockholm", "Europe/Stockholm"), ("Berlin", "Europe/Berlin"),
     ("W. Europe Standard Time", "Europe/Berlin"), ("(GMT+01:00) Berlin", "Europe/Berlin"),
     ("New York", "America/New_York"),
     ("Eastern Time (US & Canada)", "America/New_York"), ("GMT+1", "Etc/GMT-1"), ("UTC", "UTC")],
)  # fmt: skip
def test_a_time_zone_is_known_by_its_usual_names(cell: str, zone: str) -> None:
    assert cell_parsers.time_zone(cell, SILENT) == zone
