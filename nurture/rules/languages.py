"""The languages we speak: one row each. `nurture check` names what else a language needs (words, pages, titles)."""

from typing import NamedTuple

from babel import Locale
from babel.core import UnknownLocaleError


class Language(NamedTuple):
    """What the program itself must know of a language. Months, countries and languages have their names from babel."""

    code: str  # ISO 639: "es"
    name: str  # as its speakers call it
    day: str  # babel's pattern of a day without its year, in full; babel shortens it in some of their countries
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    granted: tuple[str, ...] = ()  # a consent, besides "yes"
    withdrawn: tuple[str, ...] = ()  # one that was taken back, besides "no"
    unknown: tuple[str, ...] = ()  # one that nobody knows of
    of: tuple[str, ...] = ()  # what may stand between a day and its month, and before the year: "16 de marzo"


LANGUAGES = {
    row.code: row
    for row in (
        Language(
            "en", "English", "EEEE, MMMM d", ("yes", "y", "true"), ("no", "n", "false"),
            ("granted", "opt-in", "opted in", "optin", "subscribed"),
            ("withdrawn", "opt-out", "opted out", "optout", "unsubscribed", "revoked"), ("unknown", "none"), ("of",),
        ),
        Language(
            "es", "Español", "EEEE d 'de' MMMM", ("sí", "si"), (), (), ("baja",), ("desconocido",), ("de",),
        ),
        Language("ro", "Română", "EEEE, d MMMM", ("da",), ("nu",), (), ("dezabonat",), ("necunoscut",)),
        Language("zh", "中文", "M月d日EEEE", ("是",), ("否",), ("同意",), ("退订",), ("未知",)),
        Language("de", "Deutsch", "EEEE, d. MMMM", ("ja",), ("nein",), (), ("abgemeldet",), ("unbekannt",)),
    )
}  # fmt: skip
DEFAULT = "en"  # what a page or a letter speaks whose file does not say otherwise


def language_of(locale: str) -> str:
    """The language of a locale: "es-MX" → "es"."""
    return locale.replace("_", "-").partition("-")[0].lower()


def own_name(code: str) -> str:
    """What its speakers call a language, of the list or not: "fr" → "Français"; the code where nobody knows."""
    if code in LANGUAGES:
        return LANGUAGES[code].name
    try:
        return (Locale(code).get_display_name(code) or code).capitalize()
    except (UnknownLocaleError, ValueError):
        return code
