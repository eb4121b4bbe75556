"""What people write for countries, languages, currencies, yes and no in our languages, and how a name is written."""

import re
from functools import lru_cache

from babel import Locale
from babel.core import UnknownLocaleError, get_global
from babel.numbers import list_currencies

from nurture.rules.intake.cell_parsers import CURRENCY_MARKS, CellFormat, InvalidCell
from nurture.rules.languages import LANGUAGES

NEIGHBOURS = ("fr", "it", "nl", "pt", "pl")  # files name countries in them, we write no letters
FARTHER = ("sv", "da", "nb", "fi", "cs", "sk", "hu", "hr", "bg", "el", "tr", "uk", "ru", "ja")  # asked when those fail
READ = tuple(dict.fromkeys((*LANGUAGES, *NEIGHBOURS)))
ALSO = {"uk": "GB", "england": "GB", "scotland": "GB", "great britain": "GB", "usa": "US", "u.s.": "US", "u.s.a.": "US",
        "united states of america": "US", "brd": "DE", "holland": "NL", "czech republic": "CZ", "prc": "CN",
        "p.r. china": "CN", "mainland china": "CN", "u.k": "GB", "wales": "GB", "northern ireland": "GB", "u.s": "US",
        "u.s.a": "US", "us of a": "US", "america": "US", "the netherlands": "NL", "deutschland (brd)": "DE",
        "russian federation": "RU", "korea, republic of": "KR", "republic of korea": "KR", "viet nam": "VN",
        "iran, islamic republic of": "IR", "republic of ireland": "IE", "eire": "IE", "uae": "AE", "turkey": "TR",
        "türkiye": "TR", "swiss": "CH", "brasil": "BR", "méxico": "MX", "cote d'ivoire": "CI", "macedonia": "MK",
        "taiwan, province of china": "TW", "hong kong": "HK", "macau": "MO", "czechia": "CZ"}  # fmt: skip
ROWS = tuple(LANGUAGES.values())
SAID_YES = frozenset({"1", "x", "oui"}.union(*(row.yes for row in ROWS)))
SAID_NO = frozenset({"0", "non"}.union(*(row.no for row in ROWS)))
CHINESE = re.compile("[\u3400-\u9fff]")


def full_name(first: str | None, last: str | None) -> str:
    """Zoë O'Brien, but 王秀英: Chinese names begin with the family and have no gap. Empty where we know neither."""
    first, last = first or "", last or ""
    return f"{last}{first}" if CHINESE.search(first + last) else f"{first} {last}".strip()


@lru_cache(2)
def _countries(languages: tuple[str, ...]) -> dict[str, str]:
    """Every name of every country in these languages → its code."""
    names: dict[str, str] = {}
    for language in languages:
        for code, name in Locale(language).territories.items():
            if len(code) == 2 and code.isalpha() and code not in ("EU", "EZ", "UN", "ZZ", "QO", "XA", "XB"):
                names.setdefault(name.casefold(), code)
                names.setdefault(name.casefold().replace(" & ", " and "), code)
                names.setdefault(code.casefold(), code)
    aliases: dict[str, list[str]] = dict(get_global("territory_aliases"))  # alpha-3 and numbers among them
    return {k.casefold(): codes[0] for k, codes in aliases.items() if len(codes) == 1} | names | ALSO


@lru_cache(4_000)
def country(cell: str, form: CellFormat) -> str | InvalidCell:
    """ISO 3166 alpha-2: DE, from "DE", "Germany", "Deutschland" or "Alemania"."""
    name = re.sub(r"\s+", " ", cell.casefold()).strip(" .")
    found = _countries(READ).get(name) or _countries(FARTHER).get(name)
    if found and name != "na":  # not available is not Namibia
        return found
    return InvalidCell('is not a country we know; write its code, e.g. "DE", or name it under [values.country]')


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
