"""The template set: a campaign's letters, ready to be written to anybody in their role and language."""

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError, UndefinedError

from nurture.channels.parts import EMAIL_PARTS, NO_PART, PartFile, PartKind, RenderedPart
from nurture.config import prices
from nurture.rendering import content_assets, filters, placeholders, translations
from nurture.rendering.batch_renderer import BatchRenderer, NeedsJinja
from nurture.rendering.content_assets import PreviewReader
from nurture.rendering.part_template import PartTemplate, UnsafeValue
from nurture.rendering.sandbox import Sandbox
from nurture.rendering.values import Value, Values, dict_in, text_in
from nurture.rules.languages import language_of
from nurture.rules.planning.content_assets import ContentAsset, ContentRequest
from nurture.rules.planning.prices import PriceList

MISTAKES = (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, RecursionError, AttributeError)
LACKING = "this part of the letter is missing"
MOST_REMEMBERED = 10_000
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
class RenderedLetter:
    """A letter as one person reads it."""

    subject: str
    text: str
    html: str
    variant: str  # "authorizer.es", "es", "authorizer" or "plain": whose body it is
    language: str


@dataclass(frozen=True, slots=True)
class ComposedLetter:
    """A letter as forms and values. Two letters whose forms are the same can share one request."""

    parts: Mapping[PartKind, RenderedPart]  # those the channel needs
    variant: str
    language: str

    def part(self, kind: PartKind) -> RenderedPart:
        """A part; empty where the channel does not need it."""
        return self.parts.get(kind, NO_PART)

    def rendered(self) -> RenderedLetter:
        """The letter as plain texts."""
        subject = str(self.part("subject")).strip()
        return RenderedLetter(subject, str(self.part("text")), str(self.part("html")), self.variant, self.language)


class PartPath(NamedTuple):
    """The file of one part: "pump-efficiency/why-now/body.es.html" for the html."""

    kind: PartKind
    path: str


@dataclass(frozen=True, slots=True)
class LetterFiles:
    """The files of one letter for one role and locale."""

    parts: tuple[PartPath, ...]
    variant: str
    language: str

    def path(self, kind: PartKind) -> str:
        """The file of a part; "" where the channel does not need it."""
        return next((part.path for part in self.parts if part.kind == kind), "")


class TemplateSet:
    """Compiled once, used for thousands. `files` is what `campaigns.files` gives or what a version has stored;
    `parts` are those that the channel needs."""

    def __init__(self, files: Mapping[str, str], parts: Sequence[PartFile] = EMAIL_PARTS) -> None:
        self.files = dict(files)
        self.parts = tuple(parts)
        self.markup = Sandbox(self.files, html=True)
        self.plain = Sandbox(self.files, html=False)
        self.words = translations.read_words(self.files)
        self.letters: dict[str, set[str]] = {}  # "pump-efficiency/why-now" → its files
        for path in self.files:
            if path.count("/") == 2:
                folder, _, name = path.rpartition("/")
                self.letters.setdefault(folder, set()).add(name)
        self._files_of: dict[tuple[str, str, str | None, str], LetterFiles] = {}
        self._part_templates: dict[str, PartTemplate] = {}
        self._renderers: dict[tuple[PartPath, ...], BatchRenderer] = {}
        self._by_language: dict[str, dict[str, Value]] = {}
        self._asks: dict[tuple[PartPath, ...], ContentRequest] = {}

    def render(self, campaign: str, letter: str, role: str | None, locale: str, context: Values) -> RenderedLetter:
        """The letter as this person reads it. Raises LetterError naming file, line and mend."""
        return self.compose(campaign, letter, role, locale, context).rendered()

    def compose(self, campaign: str, letter: str, role: str | None, locale: str, context: Values) -> ComposedLetter:
        """The same, kept apart: the words that stay and the values that change."""
        files = self.files_for(campaign, letter, role, locale)
        values = self._values(files.language, locale, context, self.asks(files))
        try:
            parts = self._renderer(files).render(values)
        except (*MISTAKES, NeedsJinja):  # Jinja does it, or says what is wrong
            parts = [self._fill(path, kind, values) for kind, path in files.parts]
        named = {part.kind: rendered for part, rendered in zip(files.parts, parts, strict=True)}
        return ComposedLetter(named, files.variant, files.language)

    def files_for(self, campaign: str, letter: str, role: str | None, locale: str) -> LetterFiles:
        """Which files they read; looked for once. Raises LetterError where there are none."""
        key = (campaign, letter, role, locale)
        files = self._files_of.get(key)
        if files is None:
            if len(self._files_of) >= MOST_REMEMBERED:
                self._files_of.clear()  # a file of leads may bring any number of invented locales
            files = self._files_of[key] = self.find_files(*key)
        return files

    @cached_property
    def library(self) -> tuple[ContentAsset, ...]:
        """The content assets a letter may carry."""
        return content_assets.read_pieces(self.files)

    def asset_of(self, detail: str) -> str | None:
        """The slug of the content asset that an activity speaks of, by its name or one of its addresses."""
        return self._known_as.get(detail) or self._known_as.get(content_assets.path_of_url(detail))

    @cached_property
    def _known_as(self) -> dict[str, str]:
        return content_assets.known_as(self.files)

    @cached_property
    def prices(self) -> PriceList | None:
        """The price list; None where there is none."""
        return prices.read(self.files)

    def asks(self, files: LetterFiles) -> ContentRequest:
        """What these files want from the content library and the price list."""
        found = self._asks.get(files.parts)
        if found is None:
            try:
                found = content_assets.asked_of([(self._environment(kind), path) for kind, path in files.parts])
            except MISTAKES:
                found = ContentRequest()  # said when the letter is rendered
            self._asks[files.parts] = found
        return found

    def _environment(self, kind: PartKind) -> Sandbox:
        return self.markup if kind == "html" else self.plain

    def _renderer(self, files: LetterFiles) -> BatchRenderer:
        renderer = self._renderers.get(files.parts)
        if renderer is None:
            renderer = self._renderers[files.parts] = BatchRenderer(
                [(self._environment(kind), path, self._part_template(path, kind)) for kind, path in files.parts]
            )
        return renderer

    def _part_template(self, path: str, kind: PartKind) -> PartTemplate:
        found = self._part_templates.get(path)
        if found is None:
            found = self._part_templates[path] = PartTemplate(self._environment(kind).get_template(path), kind)
        return found

    def find_files(self, campaign: str, letter: str, role: str | None, locale: str) -> LetterFiles:
        """First the language, once for the whole letter: the reader's if every part is there, else the default one.
        Then, part by part, the file for the role before the file for everybody."""
        folder = f"{campaign}/{letter}"
        names = self.letters.get(folder)
        if not names:
            mend = f"make the folder {folder}/ or correct the step"
            raise LetterError(folder, None, f"the letter “{letter}” does not exist", mend)
        default = self.words.default
        theirs = [f".{name}" for name in translations.languages(locale)]
        rounds = [(language_of(locale), theirs), (default, [f".{default}", ""])]
        if language_of(locale) == default:
            rounds = [(default, [*theirs, ""])]
        for tongue, endings in rounds:
            found = [(part.kind, _first(names, part, role, endings)) for part in self.parts]
            paths = tuple([PartPath(kind, f"{folder}/{name}") for kind, name in found if name])
            if len(paths) == len(found):
                variant = ".".join(paths[-1].path.rpartition("/")[2].split(".")[1:-1]) or "plain"
                return LetterFiles(paths, variant, tongue)
        lacking = next(part.name for part, (_, name) in zip(self.parts, found, strict=True) if not name)
        raise LetterError(f"{folder}/{lacking}", None, LACKING, f"write {folder}/{lacking}")

    def _values(
        self, tongue: str, locale: str, context: Values, asks: ContentRequest | None = None
    ) -> dict[str, Value]:
        shared = self._by_language.get(tongue)
        if shared is None:
            content = translations.read_content(self.files, tongue, self.words.default)
            shared = self._by_language[tongue] = {
                "words": self.words.of(tongue),
                "content": content,
                "language": tongue,
            }
        values: dict[str, Value] = {**shared, **context}
        carried = values.pop("content_assets", None)
        if asks is None or asks.kinds:
            values["best"] = self._best(values, tongue, asks, carried if isinstance(carried, dict) else None)
        if (asks is None or asks.price) and self.prices:
            values["price"] = content_assets.terms(dict_in(values, "account"), self.prices)
        theirs = language_of(locale) == tongue and locale != tongue  # their country is known: write as it does
        words = dict_in(shared, "words")
        values[filters.LOCALE] = filters.known(locale if theirs else text_in(words, "locale", tongue))
        person = values.get("person")
        if isinstance(person, dict) and "greeting" not in person:
            values["person"] = {**person, "greeting": translations.greeting(person, words, _market(values))}
        return values

    def _best(
        self, values: Values, tongue: str, asks: ContentRequest | None, carried: Mapping[str, Value] | None
    ) -> dict[str, Value]:
        if asks is not None and carried is not None:
            return content_assets.shelf(dict_in(values, "content"), asks, carried)
        person = dict_in(values, "person")
        reader = PreviewReader(
            _market(values), tongue, text_in(person, "role") or None, text_in(person, "persona") or None
        )
        return content_assets.samples(self.library, dict_in(values, "content"), asks, reader, self.words.default)

    def _fill(self, path: str, kind: PartKind, values: dict[str, Value]) -> RenderedPart:
        try:
            return self._part_template(path, kind).fill(values)
        except MISTAKES as error:
            raise self._explained(error, path, values) from error

    def _explained(self, error: Exception, path: str, values: Values) -> LetterError:
        """Jinja's error with the file and line of the template, not of the compiled code."""
        if isinstance(error, TemplateNotFound):
            line = self.line_of(path, str(error.name))
            return LetterError(path, line, f"{error.name} does not exist", "correct the name")
        if isinstance(error, TemplateSyntaxError):
            file = error.filename or error.name or path
            return LetterError(file, error.lineno, str(error.message), "correct the template")
        if isinstance(error, UnsafeValue):
            return LetterError(path, None, str(error), "correct the template or the link")
        frames = reversed(traceback.extract_tb(error.__traceback__))
        file, line = next(((f.filename, f.lineno) for f in frames if f.filename in self.files), (path, None))
        if isinstance(error, UndefinedError):  # Jinja is vague about lines within {% with %}
            line = next((at for at, what in self.misspelt(file, values) if what == str(error)), line)
        mend = next((mend for sign, mend in MENDS.items() if sign in str(error)), "correct the template")
        return LetterError(file, line, str(error) or type(error).__name__, mend)

    def misspelt(self, path: str, context: Values) -> list[tuple[int, str]]:
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


def _market(values: Values) -> str:
    return text_in(dict_in(values, "campaign"), "market", "b2b")


def _first(names: Iterable[str], part: PartFile, role: str | None, endings: Iterable[str]) -> str | None:
    """The most specific file of a part that is there: the role's in the reader's language first."""
    stems = [f"{part.stem}.{role}", part.stem] if role else [part.stem]
    return next((name for s in stems for e in endings if (name := f"{s}{e}.{part.suffix}") in names), None)
