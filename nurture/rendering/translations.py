"""The words every letter shares, in each language: greetings, the lines at its foot, the titles of our content."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

from nurture.rendering.values import Value, Values, dict_in
from nurture.rules.languages import language_of

WORDS_FILE = "_layout/words.toml"
CONTENT_FILE = "content.toml"
HELLO: dict[str, Value] = {"named": "Hello {first_name}", "unnamed": "Hello"}


@dataclass(frozen=True, slots=True)
class Words:
    """`default` is the language of the files that name none: body.html."""

    default: str = "en"
    by_language: dict[str, dict[str, Value]] = field(default_factory=dict)

    def of(self, tongue: str) -> dict[str, Value]:
        """A language's words; what it lacks it takes from the default language."""
        return {**self.by_language.get(self.default, {}), "locale": tongue, **self.by_language.get(tongue, {})}


def read_words(files: Mapping[str, str]) -> Words:
    """The words of _layout/words.toml; none, and English, where there is no such file."""
    if WORDS_FILE not in files:
        return Words()
    tables = tomllib.loads(files[WORDS_FILE])
    return Words(
        tables.get("language", "en"), {name: table for name, table in tables.items() if isinstance(table, dict)}
    )


def read_content(files: Mapping[str, str], tongue: str, default: str = "en") -> dict[str, Value]:
    """The content library as a letter in this language sees it: slug → title, url, kind, minutes."""
    assets = tomllib.loads(files.get(CONTENT_FILE, ""))
    return {
        slug: {
            "title": asset["title"].get(tongue) or asset["title"][default],
            "url": asset.get("urls", {}).get(tongue) or asset["url"],
            "kind": asset["kind"],
            "minutes": asset.get("minutes", 0),
        }
        for slug, asset in assets.items()
    }


def greeting(person: Values, words: Values, market: str) -> str:
    """How a letter in this language says hello: "Hello Zoë", "Guten Tag Zoë O'Brien", and without a name "Hello"."""
    forms = dict_in(words, f"greeting_{market}") or dict_in(words, "greeting_b2b") or HELLO
    named = str(forms["named"])
    for name in ("first_name", "last_name", "name"):
        if f"{{{name}}}" in named and not person.get(name):
            return str(forms["unnamed"])
    for name in ("first_name", "last_name", "name"):
        named = named.replace(f"{{{name}}}", str(person.get(name, "")).strip())
    return named


def languages(locale: str) -> tuple[str, ...]:
    """The names a locale's files may have, most specific first: "zh-Hant-TW" → zh-Hant-TW, zh-Hant, zh."""
    parts = locale.replace("_", "-").split("-")
    names = ["-".join(parts[:end]) for end in range(len(parts), 1, -1)]
    return (*names, language_of(locale))
