"""What people write for countries, languages, currencies, yes and no in our languages, and how a name is written."""

import re
from functools import lru_cache

from babel import Locale
from babel.core import UnknownLocaleError
from babel.numbers import list_currencies

from nurture.rules.intake.cell_parsers import CURRENCY_MARKS, CellFormat, InvalidCell
from nurture.rules.languages import LANGUAGES

NEIGHBOURS = ("fr", "it", "nl", "pt", "pl")  # files name countries in them, we write no letters
READ = tuple(dict.fromkeys((*LANGUAGES, *NEIGHBOURS)))
ALSO = {"uk": "GB", "england": "GB", "scotland": "GB", "great britain": "GB", "usa": "US", "u.s.": "US", "u.s.a.": "US",
        "united states of america": "US", "brd": "DE", "holland": "NL", "czech republic": "CZ", "prc": "CN",
        "p.r. china": "CN", "mainland china": "CN"}  # fmt: skip
ROWS = tuple(LANGUAGES.values())
SAID_YES = frozenset({"1", "x", "oui"}.union(*(row.yes for row in ROWS)))
SAID_NO = frozenset({"0", "non"}.union(*(row.no for row in ROWS)))
CHINESE = re.compile("[\u3400-\u9fff]")


def full_name(first: str | None, last: str | None) -> str:
    """Zoë O'Brien, but 王秀英: Chinese names begin with the family and have no gap. Empty where we know neither."""
    first, last = first or "", last or ""
    return f"{last}{first}" if CHINESE.search(first + last) else f"{first} {last}".strip()


@lru_cache(1)
def _countries() -> dict[str, str]:
    """Every name of every country in the languages we read → its code."""
    names: dict[str, str] = {}
    for language in READ:
        for code, name in Locale(language).territories.items():
            if len(code) == 2 and code.isalpha() and code not in ("EU", "EZ", "UN", "ZZ", "QO", "XA", "XB"):
                names.setdefault(name.casefold(), code)
                names.setdefault(code.casefold(), code)
    return names | ALSO


@lru_cache(4_000)
def country(cell: str, form: CellFormat) -> str | InvalidCell:
    """ISO 3166 alpha-2: DE, from "DE", "Germany", "Deutschland" or "Alemania"."""
    found = _countries().get(cell.casefold())
    return found or InvalidCell(
        'is not a country we know; write its code, e.g. "DE", or name it under [values.country]'
    )


@lru_cache(4_000)
def locale(cell: str, form: CellFormat) -> str | InvalidCell:
    """A language, or language-REGION: es, es-MX, from "es_MX", "Spanish" or "español"."""
    try:
        found = Locale.parse(cell.replace("-", "_").split(".")[0])
        return f"{found.language}-{found.territory}" if found.territory else found.language
    except (ValueError, UnknownLocaleError, TypeError):
        pass
    for language in READ:
        names: dict[str, str] = dict(Locale(language).languages)
        for code, name in names.items():
            if name.casefold() == cell.casefold() and len(code) == 2:
                return code
    return InvalidCell('is not a language we know; write its code, e.g. "de" or "es-MX"')


@lru_cache(1_000)
def currency(cell: str, form: CellFormat) -> str | InvalidCell:
    """ISO 4217: EUR, from "EUR", "eur" or "€"."""
    code = CURRENCY_MARKS.get(cell, cell.upper())
    return code if code in list_currencies() else InvalidCell('is not a currency; write its code, e.g. "EUR"')
