"""Dates, money and numbers as the reader's country writes them."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.numbers import format_currency, format_decimal, format_percent
from jinja2 import Undefined, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context

from nurture.rendering.values import Given, Number
from nurture.rules.languages import LANGUAGES, language_of

STYLES = ("short", "medium", "long", "full")
LOCALE = "locale"  # the name in a letter's values that says how its reader writes numbers


@lru_cache(256)
def known(locale: str) -> str:
    """The locale babel knows: "es-MX" → "es_MX", "zh-Hans-CN" → "zh_Hans_CN", "es-XX" → "es", nonsense → "en"."""
    name = locale.replace("-", "_")
    while name:
        try:
            return str(Locale.parse(name))
        except (UnknownLocaleError, ValueError):
            name = name.rpartition("_")[0]
    return "en"


@lru_cache(4096)
def _date(value: date, style: str, locale: str) -> str:
    if style == "day":  # "Friday, March 20": what a reader puts in a calendar
        row = LANGUAGES.get(language_of(locale))  # babel knows some countries' own way and shortens the rest
        if row and (locale == row.code or "MMMMEEEEd" not in Locale.parse(locale).datetime_skeletons):
            return format_date(value, row.day, locale=locale)
        return format_skeleton("MMMMEEEEd", datetime(value.year, value.month, value.day), locale=locale)  # noqa: DTZ001
    return format_date(value, style, locale=locale)


def _number(value: Given) -> Number:
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        raise SecurityError(f"{value!r} is not a number")
    return value


@pass_context
def _dates(context: Context, value: Given, style: str = "long") -> str:
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()
    if not isinstance(value, date):
        raise SecurityError(f"{value!r} is not a date")
    if style != "day" and style not in STYLES:
        raise SecurityError(f"date('{style}') is not known: day, short, medium, long or full")
    return _date(value, style, context[LOCALE])


@pass_context
def _money(context: Context, value: Given, currency: str = "EUR", cents: bool = False) -> str:
    amount = _number(value)
    return _format_money(amount, currency, bool(cents) or amount != int(amount), context[LOCALE])


@lru_cache(4096)
def _format_money(amount: Number, currency: str, cents: bool, locale: str) -> str:
    text: str = format_currency(
        amount, currency, locale=locale, currency_digits=cents, format=None if cents else _whole(locale)
    )
    return text


@lru_cache(256)
def _whole(locale: str) -> str:
    pattern: str = Locale.parse(locale).currency_formats["standard"].pattern
    return pattern.replace(".00", "")


@pass_context
def _numbers(context: Context, value: Given, digits: int = 0) -> str:
    return _format_number(round(_number(value), min(int(digits), 6)), min(int(digits), 6), context[LOCALE])


@lru_cache(4096)
def _format_number(value: Number, digits: int, locale: str) -> str:
    whole = Locale.parse(locale).decimal_formats[None].pattern.partition(".")[0]  # India groups 12,34,567
    return format_decimal(value, format=whole + ("." + "0" * digits if digits > 0 else ""), locale=locale)


@pass_context
def _percents(context: Context, value: Given) -> str:
    """15 → "15%" or "15 %": our files write percent as a marketer says it."""
    return _format_percent(_number(value), context[LOCALE])


@lru_cache(1024)
def _format_percent(value: Number, locale: str) -> str:
    return format_percent(Decimal(str(value)) / 100, locale=locale)


FILTERS: dict[str, Callable[..., Any]] = {"date": _dates, "money": _money, "number": _numbers, "percent": _percents}
