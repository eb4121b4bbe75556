"""Checking one letter: written to the sample lead in every role and language, and read as its recipient would."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from models.segment import ROLES
from nurture.channels.parts import PartKind
from nurture.config.toml_file import Problem
from nurture.rendering import LetterError, RenderedLetter, TemplateSet, samples
from nurture.rendering.template_set import LACKING
from nurture.rules.planning.campaign import Campaign

LONGEST_SUBJECT = 60  # characters a phone shows
HEAVIEST = 100_000  # bytes; Gmail cuts a letter at 102 kB, and with it the unsubscribe line
BADLY = re.compile(r"\S {2,}\S| [,.;:!?](?= |\n|$)|\(\s*\)|^\s*,", re.MULTILINE)  # what a missing name leaves behind
TOUCH = re.compile(r"\w\w[.!?][A-ZÀ-Þ]\w{0,20}")
ADDRESS = re.compile(r"(?<!\S)\S{0,80}?(?:://|@)\S*")
LINK = re.compile(r"(https?://[^\s/]+\S*|mailto:\S+@\S+|tel:[+\d].*)", re.IGNORECASE)


def letter_problems(
    templates: TemplateSet, campaign: Campaign, slug: str, letter: str, roles: tuple[str, ...]
) -> Iterator[Problem]:
    """Everything wrong with a letter, in each of its variants and languages."""
    folder = f"{slug}/{letter}"
    names = templates.letters[folder]
    middles = {word for name in names for word in name.split(".")[1:-1]}
    roles_here = sorted({*roles, *(word for word in middles if word in ROLES)})
    locales = [templates.words.default, *sorted(word for word in middles if word not in ROLES)]
    misspelt = list(_placeholders(templates, campaign, folder, names))
    yield from misspelt
    if misspelt:
        return  # rendering would say the same again
    seen = set()
    for role in (None, *roles_here):
        for locale in locales:
            try:
                files = templates.find_files(slug, letter, role, locale)
                if files in seen:
                    continue
                seen.add(files)
                values = samples.values(campaign, samples.ZOE._replace(role=role, locale=locale))
                rendered = templates.render(slug, letter, role, locale, values)
                bare = samples.values(campaign, samples.NOBODY._replace(role=role, locale=locale))
                unnamed = templates.render(slug, letter, role, locale, bare)
            except LetterError as error:
                if error.what != LACKING:  # said once per letter, by the check of its files
                    yield Problem(error.file, error.line, error.what, error.mend)
                continue
            yield from _priced(templates, campaign, slug, letter, role, locale)
            for_sales = slug == samples.CAMPAIGN.slug
            for kind, path in files.parts:
                yield from READ_AS[kind](templates, path, rendered)
                if not for_sales:
                    yield from _law(kind, path, rendered)
                    yield from _unnamed(kind, path, rendered, unnamed)


def _priced(
    templates: TemplateSet, campaign: Campaign, slug: str, letter: str, role: str | None, locale: str
) -> Iterator[Problem]:
    """A letter that speaks of prices must also have words for those who get a person instead of a price."""
    if not templates.asks(templates.files_for(slug, letter, role, locale)).price:
        return
    try:
        templates.render(
            slug, letter, role, locale, samples.values(campaign, samples.BIG._replace(role=role, locale=locale))
        )
    except LetterError as error:
        what = "speaks of a price to those who get a person instead of one"
        yield Problem(error.file, error.line, what, "ask {% if price.rep %} first, and say who will call")


def _placeholders(templates: TemplateSet, campaign: Campaign, folder: str, names: set[str]) -> Iterator[Problem]:
    for name in sorted(names):
        for line, what in templates.misspelt(f"{folder}/{name}", samples.values(campaign)):
            yield Problem(f"{folder}/{name}", line, what, "correct the placeholder")


def _subject(_: TemplateSet, file: str, rendered: RenderedLetter) -> Iterator[Problem]:
    if not rendered.subject:
        yield Problem(file, 1, "the subject is empty", "write one line")
    elif len(rendered.subject) > LONGEST_SUBJECT:
        what = f"the subject has {len(rendered.subject)} characters with the sample lead, phones show {LONGEST_SUBJECT}"
        yield Problem(file, 1, what, "say it shorter", "warning")


def _text(_: TemplateSet, file: str, rendered: RenderedLetter) -> Iterator[Problem]:
    yield from _touching(file, rendered.text)


def _law(kind: PartKind, file: str, rendered: RenderedLetter) -> Iterator[Problem]:
    """A marketing letter says who sends it, from where, and how to make it stop: in each part but the subject."""
    if kind == "subject":
        return
    page = Page.of(rendered.html) if kind == "html" else None
    words, links = (page.words, page.links) if page else (rendered.text, rendered.text)
    if samples.SENDER.postal_address not in words:
        mend = "print {{ company.postal_address }}, or extend _layout/base"
        yield Problem(file, None, "the postal address is missing", mend)
    if samples.UNSUBSCRIBE not in links:
        mend = "link to {{ unsubscribe_url }}, or extend _layout/base"
        yield Problem(file, None, "the unsubscribe link is missing", mend)


def _html(templates: TemplateSet, file: str, rendered: RenderedLetter) -> Iterator[Problem]:
    page = Page.of(rendered.html)
    yield from _touching(file, page.words)
    if not page.preheader.strip("\u034f\u200c\xa0 \n"):
        yield Problem(file, None, "there is no preheader", "write {% block preheader %}…{% endblock %}", "warning")
    if (weight := len(rendered.html.encode())) > HEAVIEST:
        what = f"the html weighs {weight:,} bytes; Gmail cuts it at {HEAVIEST:,}"
        yield Problem(file, None, what, "shorten it, link to a page for the rest")
    for link in page.links:
        if not LINK.fullmatch(link):
            yield Problem(
                file, templates.line_of(file, link), f"“{link}” is not a link for a letter", "write https://… in full"
            )
    for image, alt in page.images:
        if alt is None:
            mend = 'add alt="…", or alt="" if it only decorates'
            yield Problem(file, templates.line_of(file, image), f"the picture {image} has no alt text", mend)


def _unnamed(kind: PartKind, file: str, named: RenderedLetter, unnamed: RenderedLetter) -> Iterator[Problem]:
    """A line that only somebody without a name or company gets should still be a sentence."""
    if kind == "html":  # its words are those of the text
        return
    usual, theirs = (letter.subject if kind == "subject" else letter.text for letter in (named, unnamed))
    for line in theirs.splitlines():
        if line not in usual.splitlines() and (bad := BADLY.search(line.strip())):
            what = f"without a name it reads badly: “{line.strip()[max(bad.start() - 20, 0) :][:60]}”"
            yield Problem(file, None, what, "guard the placeholder with {% if … %}", "warning")


def _touching(file: str, words: str) -> Iterator[Problem]:
    """A tag at a line's end takes the line's end with it, and two sentences touch."""
    if bad := TOUCH.search(ADDRESS.sub("", words)):
        mend = "write {% endif %} and the next words in one line, with a blank between"
        yield Problem(file, None, f"two sentences touch: “{bad[0]}”", mend, "warning")


READ_AS = {"subject": _subject, "text": _text, "html": _html}  # part → what its reader would stumble over


class Page(HTMLParser):
    """What a reader sees and can press."""

    INLINE = frozenset({"a", "strong", "b", "em", "i", "span"})

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[tuple[str, str | None]] = []
        self.words = ""
        self.preheader = ""
        self.inside = ""

    @classmethod
    def of(cls, html: str) -> "Page":
        """A page from its html."""
        page = cls()
        page.feed(html)
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A link, a picture or the end of a line."""
        found = dict(attrs)
        self.inside = "preheader" if found.get("class") == "preheader" else tag
        if "href" in found:
            self.links.append(found["href"] or "")
        if tag not in self.INLINE:
            self.words += "\n"
        if tag == "img":
            self.images.append((found.get("src") or "", found.get("alt")))

    def handle_data(self, data: str) -> None:
        """Words: the preheader's, or those of the letter."""
        if self.inside == "preheader":
            self.preheader += data
        elif self.inside != "style":
            self.words += data
