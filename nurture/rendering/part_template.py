"""The template of one part of a letter (subject, text, html). Its words are made ready once, its values change."""

import re
from collections.abc import Callable, Sequence
from html import unescape
from html.parser import HTMLParser

import css_inline
from jinja2 import Template, TemplateError

from nurture.channels.parts import PartForm, PartKind, RenderedPart
from nurture.rendering.sandbox import CLOSE, OPEN
from nurture.rendering.values import Value

LONGEST = {"subject": 2_000, "text": 200_000, "html": 1_000_000}  # characters; a letter longer than this is a mistake
LONGEST_VALUE = {"subject": 80, "text": 10_000, "html": 60_000}
REMEMBERED = 256  # forms per part; letters with lists have one per length
TOKEN = re.compile("qz([0-9]{5})zq")
SAFE_URL = re.compile(r"(https?://|mailto:|tel:)[^\s]+", re.IGNORECASE)
INLINER = css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)


class UnsafeValue(TemplateError):
    """A value stands where its words could act: fix the template, or the address it links to."""


class PartTemplate:
    def __init__(self, template: Template, kind: PartKind) -> None:
        self.template = template
        self.kind: PartKind = kind
        self.forms: dict[tuple[str, ...], PartForm] = {}

    def fill(self, values: dict[str, Value]) -> RenderedPart:
        """The part with these values, as Jinja writes it. Raises what Jinja raises, and UnsafeValue."""
        return fitted_part(self.kind, *self.written(values))

    def written(self, values: dict[str, Value]) -> tuple[PartForm, list[str], int]:
        """Print the values; the form around them is made once and found again by its words. With the length of all."""
        context = self.template.new_context(values)
        try:
            raw = "".join(self.template.root_render_func(context))
        except Exception:
            self.template.environment.handle_exception()
        if len(raw) > LONGEST[self.kind]:
            raise UnsafeValue(f"the {self.kind} is longer than {LONGEST[self.kind]:,} characters")
        words, printed = _split(raw)
        form = self.forms.get(words)
        if form is None:
            if len(self.forms) >= REMEMBERED:
                self.forms.clear()
            form = self.forms[words] = MAKE_FORM[self.kind](words)
        return form, printed, len(raw)


def fitted_part(kind: PartKind, form: PartForm, printed: list[str], length: int) -> RenderedPart:
    """The printed values as they may stand in the form."""
    if length > LONGEST[kind]:
        raise UnsafeValue(f"the {kind} is longer than {LONGEST[kind]:,} characters")
    links = set(form.links)
    return RenderedPart(form, tuple([fitted_value(kind, value, place in links) for place, value in enumerate(printed)]))


def fitted_value(kind: PartKind, value: str, link: bool) -> str:
    """Not too long, on one line in a subject, and a link where a link stands."""
    if kind == "subject":
        value = " ".join(value.split())  # a header is one line
    if link and not SAFE_URL.fullmatch(unescape(value)):
        raise UnsafeValue(f"“{value[:60]}” is not a link (https://… or mailto:…)")
    return value if len(value) <= LONGEST_VALUE[kind] else value[: LONGEST_VALUE[kind] - 1] + "…"


def _split(raw: str) -> tuple[tuple[str, ...], list[str]]:
    first, *rest = raw.split(OPEN)
    words, values = [first], []
    for piece in rest:
        value, _, word = piece.partition(CLOSE)
        values.append(value)
        words.append(word)
    return tuple(words), values


def _marked(words: Sequence[str]) -> str:
    out = [words[0]]
    for number, word in enumerate(words[1:]):
        out.append(f"qz{number:05d}zq{word}")
    return "".join(out)


def _form(marked: str, links: Sequence[int] = ()) -> PartForm:
    pieces = TOKEN.split(marked)
    return PartForm(tuple(pieces[::2]), tuple(int(n) for n in pieces[1::2]), tuple(links))


def subject_form(words: Sequence[str]) -> PartForm:
    """One line, with single blanks."""
    return _form(" ".join(_marked(words).split()))


def text_form(words: Sequence[str]) -> PartForm:
    """No blanks at line ends, never more than one empty line, one newline at the end."""
    marked = re.sub(r"[ \t]+(?=\n|$)", "", _marked(words).replace("\r\n", "\n"))
    return _form(re.sub(r"\n{3,}", "\n\n", marked).strip() + "\n")


def html_form(words: Sequence[str]) -> PartForm:
    """The CSS moved into style attributes, the indentation removed; refused where a value could become markup."""
    marked = _marked(words)
    places = ValuePlaces()
    places.feed(marked)
    places.close()
    inlined = re.sub(r"\n\s+", "\n", INLINER.inline(marked))
    return _form(inlined, places.links)


MAKE_FORM: dict[str, Callable[[Sequence[str]], PartForm]] = {
    "subject": subject_form,
    "text": text_form,
    "html": html_form,
}


class ValuePlaces(HTMLParser):
    """Where in the html values stand: in text and quoted attributes they are only words, elsewhere they could act."""

    LINKS = frozenset({"href", "src", "action", "background"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """No value in the names of elements and attributes, nor in those that a mail program obeys; links are noted."""
        source = self.get_starttag_text() or ""
        if TOKEN.search(tag):
            raise UnsafeValue("a value may not name an element")
        if re.search(r"=\s*qz[0-9]{5}zq", source):
            raise UnsafeValue(f"put the value in <{tag}> between quotation marks")
        for name, value in attrs:
            if TOKEN.search(name):
                raise UnsafeValue(f"a value may not name an attribute of <{tag}>")
            if value and TOKEN.search(value):
                if name.startswith("on") or name in ("style", "class", "id", "srcset", "srcdoc"):
                    raise UnsafeValue(
                        f"a value may not stand in {name}=“…”: write out the alternatives with {{% if %}}"
                    )
                if name in self.LINKS and (start := TOKEN.match(value)):
                    self.links.append(int(start[1]))

    def handle_endtag(self, tag: str) -> None:
        """No value in the name of an element."""
        if TOKEN.search(tag):
            raise UnsafeValue("a value may not name an element")

    def handle_data(self, data: str) -> None:
        """No value in a style or a script."""
        if self.cdata_elem and TOKEN.search(data):
            raise UnsafeValue(f"a value may not stand in <{self.cdata_elem}>")

    def handle_comment(self, data: str) -> None:
        """No value in a comment."""
        if TOKEN.search(data):
            raise UnsafeValue("a value may not stand in a comment")

    def handle_decl(self, decl: str) -> None:
        """No value in a declaration."""
        self.handle_comment(decl)

    def handle_pi(self, data: str) -> None:
        """No value in an instruction."""
        self.handle_comment(data)

    def unknown_decl(self, data: str) -> None:
        """No value in a declaration nobody knows."""
        self.handle_comment(data)
