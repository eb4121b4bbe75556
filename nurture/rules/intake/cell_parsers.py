"""From what stands in a cell to a value we can count with, or to a sentence that says what is wrong with it."""

import re
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from zoneinfo import available_timezones

from babel.core import get_global

from nurture.rules.intake.cell_format import CellFormat, InvalidCell
from nurture.rules.intake.dates import SLASHED, ambiguous, moment, zone_of

LONGEST = 10_000  # characters in one cell; a novel in a cell is a mistake of the export
SHOWN = 60
__all__ = [
    "SLASHED",
    "CellFormat",
    "InvalidCell",
    "ambiguous",
    "moment",
    "zone_of",
]  # what stands beside, for those who parse cells
CellValue = str | int | float | bool | Decimal | datetime


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


# time zones


@lru_cache(2_000)
def time_zone(cell: str, form: CellFormat) -> str | InvalidCell:
    """The IANA name of a time zone, from Europe/Berlin in any case, Windows' or Rails' name, or an offset in hours."""
    name = re.sub(r"^\((?:gmt|utc)[^)]*\)\s*", "", cell.strip(), flags=re.IGNORECASE).replace(" ", "_")
    if found := _zones().get(name.casefold()):
        return found
    if offset := re.fullmatch(r"(?:utc|gmt)?_?([+-])(\d{1,2})(?::?00)?", name, re.IGNORECASE):
        hours = int(offset[2])
        if hours <= 14:
            return f"Etc/GMT{'-' if offset[1] == '+' else '+'}{hours}" if hours else "UTC"
    return InvalidCell('is not a time zone we know; write it like "Europe/Berlin"')


@lru_cache(1)
def _zones() -> dict[str, str]:
    """Every usual name of a time zone → its IANA name: its own, that of its city, Windows' and Rails'."""
    names = available_timezones()
    found: dict[str, str] = {}
    for name in sorted(names):
        if "/" in name and not name.startswith(("Etc/", "SystemV/", "US/", "posix", "right")):
            found.setdefault(name.rpartition("/")[2].casefold(), name)
    windows: dict[str, str] = dict(get_global("windows_zone_mapping"))
    found |= {windows_name.replace(" ", "_").casefold(): name for windows_name, name in windows.items()}
    rails = {"eastern_time": "America/New_York", "central_time": "America/Chicago", "mountain_time": "America/Denver",
             "pacific_time": "America/Los_Angeles", "mez": "Europe/Berlin", "hnec": "Europe/Paris",
             "beijing": "Asia/Shanghai", "mumbai": "Asia/Kolkata", "new_delhi": "Asia/Kolkata"}  # fmt: skip
    for name, zone in rails.items():
        found[name] = found[f"{name}_(us_&_canada)"] = zone
    return found | {name.casefold(): name for name in names}


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
