"""Checking one letter: written to the sample lead in every role and language, and read as its recipient would."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from nurture.config.toml_file import Problem
from nurture.rendering import Letterbook, LetterError, Rendered, samples
from nurture.rendering.template_set import LACKING
from nurture.rules.planning.campaign import Campaign

LONGEST_SUBJECT = 60  # characters a phone shows
HEAVIEST = 100_000  # bytes; Gmail cuts a letter at 102 kB, and with it the unsubscribe line
BADLY = re.compile(r"\S {2,}\S| [,.;:!?](?= |\n|$)|\(\s*\)|^\s*,", re.MULTILINE)  # what a missing name leaves behind
TOUCH = re.compile(r"\w\w[.!?][A-ZÀ-Þ]\w{0,20}")
ADDRESS = re.compile(r"(?<!\S)\S{0,80}?(?:://|@)\S*")
LINK = re.compile(r"(https?://[^\s/]+\S*|mailto:\S+@\S+|tel:[+\d].*)", re.IGNORECASE)


def letter_problems(
    book: Letterbook, campaign: Campaign, slug: str, letter: str, roles: tuple[str, ...]
) -> Iterator[Problem]:
    """Everything wrong with a letter, in each of its variants and languages."""
    folder = f"{slug}/{letter}"
    names = book.letters[folder]
    middles = {word for name in names for word in name.split(".")[1:-1]}
    roles_here = sorted({*roles, *(word for word in middles if word in samples.ROLES)})
    locales = [book.words.default, *sorted(word for word in middles if word not in samples.ROLES)]
    misspelt = list(_placeholders(book, campaign, folder, names))
    yield from misspelt
    if misspelt:
        return  # rendering would say the same again
    seen = set()
    for role in (None, *roles_here):
        for locale in locales:
            try:
                choice = book.choose(slug, letter, role, locale)
                if choice in seen:
                    continue
                seen.add(choice)
                values = samples.values(campaign, {**samples.ZOE, "role": role, "locale": locale})
                rendered = book.render(slug, letter, role, locale, values)
                bare = samples.values(campaign, {**samples.NOBODY, "role": role, "locale": locale})
                unnamed = book.render(slug, letter, role, locale, bare)
            except LetterError as error:
                if error.what != LACKING:  # said once per letter, by the check of its files
                    yield Problem(error.file, error.line, error.what, error.mend)
                continue
            yield from _priced(book, campaign, slug, letter, role, locale)
            yield from _subject(choice.subject, rendered)
            yield from _html(book, choice.html, rendered)
            yield from _touching(choice.text, rendered.text)
            yield from _touching(choice.html, Page.of(rendered.html).words)
            if slug != samples.CAMPAIGN.slug:
                yield from _law(choice.text, rendered.text, choice.html, rendered.html)
                yield from _unnamed(choice.subject, rendered.subject, unnamed.subject)
                yield from _unnamed(choice.text, rendered.text, unnamed.text)


def _priced(
    book: Letterbook, campaign: Campaign, slug: str, letter: str, role: str | None, locale: str
) -> Iterator[Problem]:
    """A letter that speaks of prices must also have words for those who get a person instead of a price."""
    if not book.asks(book.choice(slug, letter, role, locale)).price:
        return
    try:
        book.render(
            slug, letter, role, locale, samples.values(campaign, {**samples.BIG, "role": role, "locale": locale})
        )
    except LetterError as error:
        what = "speaks of a price to those who get a person instead of one"
        yield Problem(error.file, error.line, what, "ask {% if price.rep %} first, and say who will call")


def _placeholders(book: Letterbook, campaign: Campaign, folder: str, names: set[str]) -> Iterator[Problem]:
    for name in sorted(names):
        for line, what in book.misspelt(f"{folder}/{name}", samples.values(campaign)):
            yield Problem(f"{folder}/{name}", line, what, "correct the placeholder")


def _subject(file: str, rendered: Rendered) -> Iterator[Problem]:
    if not rendered.subject:
        yield Problem(file, 1, "the subject is empty", "write one line")
    elif len(rendered.subject) > LONGEST_SUBJECT:
        what = f"the subject has {len(rendered.subject)} characters with the sample lead, phones show {LONGEST_SUBJECT}"
        yield Problem(file, 1, what, "say it shorter", "warning")


def _law(text_file: str, text: str, html_file: str, html: str) -> Iterator[Problem]:
    """A marketing letter says who sends it, from where, and how to make it stop: in both parts."""
    seen = Page.of(html)
    for file, body, links in ((text_file, text, text), (html_file, seen.words, seen.links)):
        if samples.COMPANY["postal_address"] not in body:
            yield Problem(
                file,
                None,
                "the postal address is missing",
                "print {{ company.postal_address }}, or extend _layout/base",
            )
        if samples.UNSUBSCRIBE not in links:
            yield Problem(
                file, None, "the unsubscribe link is missing", "link to {{ unsubscribe_url }}, or extend _layout/base"
            )


def _html(book: Letterbook, file: str, rendered: Rendered) -> Iterator[Problem]:
    page = Page.of(rendered.html)
    if not page.preheader.strip("\u034f\u200c\xa0 \n"):
        yield Problem(file, None, "there is no preheader", "write {% block preheader %}…{% endblock %}", "warning")
    if (weight := len(rendered.html.encode())) > HEAVIEST:
        what = f"the html weighs {weight:,} bytes; Gmail cuts it at {HEAVIEST:,}"
        yield Problem(file, None, what, "shorten it, link to a page for the rest")
    for link in page.links:
        if not LINK.fullmatch(link):
            yield Problem(
                file, book.line_of(file, link), f"“{link}” is not a link for a letter", "write https://… in full"
            )
    for image, alt in page.images:
        if alt is None:
            mend = 'add alt="…", or alt="" if it only decorates'
            yield Problem(file, book.line_of(file, image), f"the picture {image} has no alt text", mend)


def _unnamed(file: str, named: str, unnamed: str) -> Iterator[Problem]:
    """A line that only somebody without a name or company gets should still be a sentence."""
    usual = set(named.splitlines())
    for line in unnamed.splitlines():
        if line not in usual and (bad := BADLY.search(line.strip())):
            what = f"without a name it reads badly: “{line.strip()[max(bad.start() - 20, 0) :][:60]}”"
            yield Problem(file, None, what, "guard the placeholder with {% if … %}", "warning")


def _touching(file: str, words: str) -> Iterator[Problem]:
    """A tag at a line's end takes the line's end with it, and two sentences touch."""
    if bad := TOUCH.search(ADDRESS.sub("", words)):
        mend = "write {% endif %} and the next words in one line, with a blank between"
        yield Problem(file, None, f"two sentences touch: “{bad[0]}”", mend, "warning")


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
        page = cls()
        page.feed(html)
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.inside = "preheader" if found.get("class") == "preheader" else tag
        if "href" in found:
            self.links.append(found["href"] or "")
        if tag not in self.INLINE:
            self.words += "\n"
        if tag == "img":
            self.images.append((found.get("src") or "", found.get("alt")))

    def handle_data(self, data: str) -> None:
        if self.inside == "preheader":
            self.preheader += data
        elif self.inside != "style":
            self.words += data
