"""The letterbook: a campaign's letters, ready to be written to anybody in their role and language."""

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError, UndefinedError

from nurture.config import prices
from nurture.rendering import content_assets, filters, placeholders, translations
from nurture.rendering.batch_renderer import Press, Unprintable
from nurture.rendering.part_template import Filled, Kind, Sheet, Unsafe
from nurture.rendering.sandbox import Sandbox
from nurture.rules.planning.content_assets import Asks, Piece
from nurture.rules.planning.prices import PriceList

PARTS: dict[Kind, tuple[str, str]] = {"subject": ("subject", "txt"), "text": ("body", "txt"), "html": ("body", "html")}
MISTAKES = (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, RecursionError, AttributeError)
LACKING = "this part of the letter is missing"
MOST_CHOICES = 10_000
MENDS = {
    "is not known here": "correct the placeholder",
    "None": "guard the placeholder",
}


class LetterError(Exception):
    """A letter cannot be written. Nothing was sent: mend the file at the line, then write it again."""

    def __init__(self, file: str, line: int | None, what: str, mend: str) -> None:
        self.file, self.line, self.what, self.mend = file, line, what, mend
        super().__init__(f"{file}:{line or 1}: {what} ({mend})")


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    text: str
    html: str
    variant: str  # "authorizer.es", "es", "authorizer" or "plain": whose body it is
    language: str


@dataclass(frozen=True, slots=True)
class Composed:
    """A letter as forms and values. Two letters whose three forms are the same can share one request."""

    subject: Filled
    text: Filled
    html: Filled
    variant: str
    language: str

    def rendered(self) -> Rendered:
        subject = str(self.subject).strip()
        return Rendered(subject, str(self.text), str(self.html), self.variant, self.language)


@dataclass(frozen=True, slots=True)
class Choice:
    """The files of one letter for one role and locale."""

    subject: str
    text: str
    html: str
    variant: str
    language: str


class Letterbook:
    """Compiled once, used for thousands. `files` is what `campaigns.files` gives or what a version has stored."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = dict(files)
        self.markup = Sandbox(self.files, html=True)
        self.plain = Sandbox(self.files, html=False)
        self.words = translations.read_words(self.files)
        self.letters: dict[str, set[str]] = {}  # "pump-efficiency/why-now" → its files
        for path in self.files:
            if path.count("/") == 2:
                folder, _, name = path.rpartition("/")
                self.letters.setdefault(folder, set()).add(name)
        self.choices: dict[tuple[str, str, str | None, str], Choice] = {}
        self.sheets: dict[str, Sheet] = {}
        self.presses: dict[tuple[str, str, str], Press] = {}
        self.tongues: dict[str, dict[str, Any]] = {}
        self.asked: dict[tuple[str, str, str], Asks] = {}

    def render(self, campaign: str, letter: str, role: str | None, locale: str, context: Mapping[str, Any]) -> Rendered:
        """The letter as this person reads it. Raises LetterError naming file, line and mend."""
        return self.compose(campaign, letter, role, locale, context).rendered()

    def compose(
        self, campaign: str, letter: str, role: str | None, locale: str, context: Mapping[str, Any]
    ) -> Composed:
        """The same, kept apart: the words that stay and the values that change."""
        choice = self.choice(campaign, letter, role, locale)
        values = self._values(choice.language, locale, context, self.asks(choice))
        try:
            subject, text, html = self._press(choice).print(values)
        except (*MISTAKES, Unprintable):  # Jinja does it, or says what is wrong
            subject, text, html = [self._fill(path, kind, values) for path, kind in _parts(choice)]
        return Composed(subject, text, html, choice.variant, choice.language)

    def choice(self, campaign: str, letter: str, role: str | None, locale: str) -> Choice:
        """Which files they read; looked for once. Raises LetterError where there are none."""
        key = (campaign, letter, role, locale)
        choice = self.choices.get(key)
        if choice is None:
            if len(self.choices) >= MOST_CHOICES:
                self.choices.clear()  # a file of leads may bring any number of invented locales
            choice = self.choices[key] = self.choose(*key)
        return choice

    @cached_property
    def library(self) -> tuple[Piece, ...]:
        return content_assets.read_pieces(self.files)

    def found(self, detail: str) -> str | None:
        """The piece that an activity speaks of, by its name or one of its addresses."""
        return self._known_as.get(detail) or self._known_as.get(content_assets.path_of_url(detail))

    @cached_property
    def _known_as(self) -> dict[str, str]:
        return content_assets.known_as(self.files)

    @cached_property
    def prices(self) -> PriceList | None:
        return prices.read(self.files)

    def asks(self, choice: Choice) -> Asks:
        """What these files want from the library and the price list."""
        files = (choice.subject, choice.text, choice.html)
        found = self.asked.get(files)
        if found is None:
            parts = [(self.markup if kind == "html" else self.plain, path) for path, kind in _parts(choice)]
            try:
                found = content_assets.asked_of(parts)
            except MISTAKES:
                found = Asks()  # said when the letter is rendered
            self.asked[files] = found
        return found

    def _press(self, choice: Choice) -> Press:
        press = self.presses.get(files := (choice.subject, choice.text, choice.html))
        if press is None:
            parts = _parts(choice)
            environments = [self.markup if kind == "html" else self.plain for _, kind in parts]
            press = self.presses[files] = Press(
                [(env, path, self._sheet(path, kind)) for env, (path, kind) in zip(environments, parts, strict=True)]
            )
        return press

    def _sheet(self, path: str, kind: Kind) -> Sheet:
        sheet = self.sheets.get(path)
        if sheet is None:
            environment = self.markup if kind == "html" else self.plain
            sheet = self.sheets[path] = Sheet(environment.get_template(path), kind)
        return sheet

    def choose(self, campaign: str, letter: str, role: str | None, locale: str) -> Choice:
        """First the language, once for the whole letter: the reader's if every part is there, else the house's.
        Then, part by part, the file for the role before the file for everybody."""
        folder = f"{campaign}/{letter}"
        names = self.letters.get(folder)
        if not names:
            mend = f"make the folder {folder}/ or correct the step"
            raise LetterError(folder, None, f"the letter “{letter}” does not exist", mend)
        default = self.words.default
        theirs = [f".{name}" for name in translations.languages(locale)]
        rounds = [(filters.language(locale), theirs), (default, [f".{default}", ""])]
        if filters.language(locale) == default:
            rounds = [(default, [*theirs, ""])]
        for tongue, endings in rounds:
            found = {kind: _first(names, stem, suffix, role, endings) for kind, (stem, suffix) in PARTS.items()}
            if all(found.values()):
                subject, text, html = (f"{folder}/{found[kind]}" for kind in PARTS)
                variant = ".".join(html.rpartition("/")[2].split(".")[1:-1]) or "plain"
                return Choice(subject, text, html, variant, tongue)
        lacking = next(f"{stem}.{suffix}" for kind, (stem, suffix) in PARTS.items() if not found[kind])
        raise LetterError(f"{folder}/{lacking}", None, LACKING, f"write {folder}/{lacking}")

    def _values(self, tongue: str, locale: str, context: Mapping[str, Any], asks: Asks | None = None) -> dict[str, Any]:
        shared = self.tongues.get(tongue)
        if shared is None:
            content = translations.read_content(self.files, tongue, self.words.default)
            shared = self.tongues[tongue] = {"words": self.words.of(tongue), "content": content, "language": tongue}
        values = {**shared, **context}
        carried = values.pop("pieces", None)
        if asks is None or asks.kinds:
            values["best"] = self._best(values, tongue, asks, carried)
        if (asks is None or asks.price) and self.prices:
            values["price"] = content_assets.terms(values.get("account"), self.prices)
        theirs = filters.language(locale) == tongue and locale != tongue  # their country is known: write as it does
        values[filters.LOCALE] = filters.known(locale if theirs else shared["words"].get("locale", tongue))
        person = values.get("person")
        if type(person) is dict and "greeting" not in person:
            market = (values.get("campaign") or {}).get("market", "b2b")
            values["person"] = {**person, "greeting": translations.greeting(person, shared["words"], market)}
        return values

    def _best(
        self, values: Mapping[str, Any], tongue: str, asks: Asks | None, carried: Mapping[str, str] | None
    ) -> dict[str, Any]:
        if asks is not None and carried is not None:
            return content_assets.shelf(values["content"], asks, carried)
        market = (values.get("campaign") or {}).get("market", "b2b")
        reader = values.get("person") or {}
        return content_assets.samples(self.library, values["content"], asks, reader, market, tongue, self.words.default)

    def _fill(self, path: str, kind: Kind, values: dict[str, Any]) -> Filled:
        try:
            return self._sheet(path, kind).fill(values)
        except MISTAKES as error:
            raise self._explained(error, path, values) from error

    def _explained(self, error: Exception, path: str, values: Mapping[str, Any]) -> LetterError:
        """Jinja's error with the file and line of the template, not of the compiled code."""
        if isinstance(error, TemplateNotFound):
            line = self.line_of(path, str(error.name))
            return LetterError(path, line, f"{error.name} does not exist", "correct the name")
        if isinstance(error, TemplateSyntaxError):
            file = error.filename or error.name or path
            return LetterError(file, error.lineno, str(error.message), "correct the template")
        if isinstance(error, Unsafe):
            return LetterError(path, None, str(error), "correct the template or the link")
        frames = reversed(traceback.extract_tb(error.__traceback__))
        file, line = next(((f.filename, f.lineno) for f in frames if f.filename in self.files), (path, None))
        if isinstance(error, UndefinedError):  # Jinja is vague about lines within {% with %}
            line = next((at for at, what in self.misspelt(file, values) if what == str(error)), line)
        mend = next((mend for sign, mend in MENDS.items() if sign in str(error)), "correct the template")
        return LetterError(file, line, str(error) or type(error).__name__, mend)

    def misspelt(self, path: str, context: Mapping[str, Any]) -> list[tuple[int, str]]:
        """(line, what) for each placeholder in a file that these values do not know, in whatever branch it stands."""
        sandbox = self.markup if path.endswith(".html") else self.plain
        values = self._values(self.words.default, self.words.default, context)
        try:
            return list(placeholders.misspelt(sandbox, self.files[path], path, values))
        except TemplateSyntaxError:
            return []  # said when the letter is rendered

    def line_of(self, path: str, words: str) -> int | None:
        """The first line of a file that says these words."""
        lines = self.files.get(path, "").splitlines()
        return next((number for number, line in enumerate(lines, 1) if words in line), None)


def _parts(choice: Choice) -> list[tuple[str, Kind]]:
    return [(choice.subject, "subject"), (choice.text, "text"), (choice.html, "html")]


def _first(names: Iterable[str], stem: str, suffix: str, role: str | None, endings: Iterable[str]) -> str | None:
    stems = [f"{stem}.{role}", stem] if role else [stem]
    return next((name for s in stems for e in endings if (name := f"{s}{e}.{suffix}") in names), None)
