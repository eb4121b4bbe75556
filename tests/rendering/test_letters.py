"""Letters as their recipients read them: golden copies, names that try to break out, and templates that try more."""

import email.policy
import re
from datetime import date
from email.message import EmailMessage
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import Any

import css_inline
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.segment import ROLES
from nurture.config import campaigns
from nurture.rendering import LetterError, TemplateSet, samples
from nurture.rendering.part_template import INLINER, PartTemplate
from nurture.rules.languages import LANGUAGES
from nurture.rules.planning.campaign import Campaign

TEMPLATES = Path(__file__).parents[2] / "templates"
GOLDEN = Path(__file__).parents[1] / "golden"
SLUGS = [*campaigns.slugs(TEMPLATES), "_sales"]
TEMPLATE_SETS = {slug: TemplateSet(campaigns.files(TEMPLATES, slug)) for slug in SLUGS}
CAMPAIGNS: dict[str, Campaign] = {
    slug: samples.CAMPAIGN if slug == "_sales" else campaigns.read(TEMPLATES, slug) for slug in SLUGS
}


def variants() -> list[Any]:
    """Every letter once per different set of files: (slug, letter, role, locale)."""
    found = []
    for slug, templates in TEMPLATE_SETS.items():
        for folder in sorted(name for name in templates.letters if name.startswith(f"{slug}/")):
            letter, seen = folder.partition("/")[2], set()
            for locale, role in product(LANGUAGES, (None, *ROLES)):
                choice = templates.find_files(slug, letter, role, locale)
                if choice not in seen:
                    seen.add(choice)
                    name = ".".join(filter(None, (role, locale)))
                    found.append(pytest.param(slug, letter, role, locale, id=f"{slug}/{letter}/{name}"))
    return found


def written(slug: str, letter: str, role: str | None, locale: str, **lead: Any) -> Any:
    row = samples.ZOE._replace(role=role, locale=locale, **lead)
    return TEMPLATE_SETS[slug].render(slug, letter, role, locale, samples.values(CAMPAIGNS[slug], row))


@pytest.mark.parametrize(("slug", "letter", "role", "locale"), variants())
def test_every_letter_reads_as_its_golden_copy(
    slug: str, letter: str, role: str | None, locale: str, request: pytest.FixtureRequest
) -> None:
    rendered = written(slug, letter, role, locale)
    path = GOLDEN / slug / letter / ".".join(filter(None, (role, locale)))
    copies = {".txt": f"Subject: {rendered.subject}\n\n{rendered.text}", ".html": rendered.html}
    for suffix, text in copies.items():
        copy = path.with_name(path.name + suffix)
        if request.config.getoption("--record"):
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(text, encoding="utf-8", newline="\n")
        assert copy.is_file(), f"no golden copy yet: pytest {Path(__file__).name} --record, then read {copy}"
        assert text == copy.read_text(encoding="utf-8")


def test_no_golden_copy_is_left_of_a_letter_that_is_gone() -> None:
    alive = {GOLDEN / p.values[0] / p.values[1] / ".".join(filter(None, p.values[2:])) for p in variants()}
    kept = {copy.with_name(copy.name.removesuffix(copy.suffix)) for copy in GOLDEN.rglob("*.*")}
    assert kept <= alive, "remove these files"


# ── the right letter for the reader ──


def shelf(**files: str) -> dict[str, str]:
    """The templates of one letter, c/l: shelf(body_es_html="…") is the file c/l/body.es.html."""
    whole = {"subject_txt": "s", "body_txt": "t", "body_html": "<p>h</p>", **files}
    return {f"c/l/{name.replace('__', '-').replace('_', '.')}": text for name, text in whole.items()}


def test_the_role_comes_before_everybody_and_the_language_is_chosen_once() -> None:
    templates = TemplateSet(
        shelf(
            body_authorizer_html="<p>h authorizer</p>",
            subject_es_txt="s es", body_es_txt="t es", body_es_html="<p>h es</p>",
            body_authorizer_es_html="<p>h authorizer es</p>", subject_de_txt="s de",
        )
    )  # fmt: skip

    def read(role: str | None, locale: str) -> tuple[str, str, str, str, str]:
        r = templates.render("c", "l", role, locale, {})
        body = re.search("<p>(.*)</p>", r.html)
        assert body
        return r.subject, r.text.strip(), body[1], r.variant, r.language

    assert read(None, "en") == ("s", "t", "h", "plain", "en")
    assert read("authorizer", "en-GB") == ("s", "t", "h authorizer", "authorizer", "en")
    assert read("authorizer", "es-MX") == ("s es", "t es", "h authorizer es", "authorizer.es", "es")
    assert read("user", "es") == ("s es", "t es", "h es", "es", "es")
    assert read(None, "de") == ("s", "t", "h", "plain", "en")  # a German subject over an English body? Never.
    assert read(None, "fr-CA") == ("s", "t", "h", "plain", "en")


def test_the_greeting_is_in_the_language_of_the_letter_not_of_the_reader() -> None:
    row = samples.ZOE._replace(locale="fr")
    context = samples.values(CAMPAIGNS["pump-efficiency"], row)
    assert "Hello Zoë," in TEMPLATE_SETS["pump-efficiency"].render("pump-efficiency", "proof", None, "fr", context).text


@pytest.mark.parametrize(
    ("locale", "lead", "hello"),
    [
        ("en", {}, "Hello Zoë,"),
        ("en", {"first_name": None}, "Hello,"),
        ("de", {}, "Guten Tag Zoë O'Brien,"),
        ("es-MX", {"first_name": "María"}, "Buenos días, María:"),
        ("ro", {"first_name": "", "last_name": ""}, "Bună ziua,"),
        ("zh-CN", {"first_name": "秀英", "last_name": "王"}, "王秀英，您好："),
    ],
)
def test_a_greeting_fits_its_language_and_what_we_know(locale: str, lead: dict[str, Any], hello: str) -> None:
    assert written("pump-efficiency", "why-now", None, locale, **lead).text.startswith(f"{hello}\n")


def test_dates_and_money_are_written_as_the_readers_country_does() -> None:
    templates = TemplateSet(
        shelf(body_txt="{{ d | date('day') }} | {{ d | date }} | {{ m | money }} | {{ n | number }}")
    )
    values = {"d": date(2026, 3, 20), "m": 27000, "n": 1234567}

    def text(locale: str) -> str:
        return templates.render("c", "l", None, locale, values).text.strip().replace("\xa0", " ").replace("\u202f", " ")

    assert text("en-US") == "Friday, March 20 | March 20, 2026 | €27,000 | 1,234,567"
    assert text("en-GB") == "Friday 20 March | 20 March 2026 | €27,000 | 1,234,567"
    assert text("en-IN").endswith("12,34,567")


# ── mistakes name their file and line ──


@pytest.mark.parametrize(
    ("file", "text", "line", "words"),
    [
        ("body_html", "<p>a</p>\n\n<p>{{ person.frist_name }}</p>", 3, "did you mean 'first_name'?"),
        ("body_txt", "a\n{{ acount.name }}", 2, "did you mean 'account'?"),
        ("subject_txt", "{{ offer.code }}", 1, "no [offer] in campaign.toml"),
        ("body_txt", "{% if %}", 1, "Expected an expression"),
        ("body_txt", "a\n{{ handoff }}", 2, "None"),
        ("body_txt", "\n\n\n{{ today }}", 4, "use a filter"),
        ("body_html", '<p>\n{% include "_partials/buton.html" %}', 2, "does not exist"),
        ("body_html", '<a href="{{ person.name }}">x</a>', None, "is not a link"),
        ("body_html", "<a href={{ web_url }}>x</a>", None, "quotation marks"),
        ("body_html", '<p style="color: {{ person.name }}">x</p>', None, "may not stand in style"),
        ("body_html", "<script>{{ person.name }}</script>", None, "may not stand in <script>"),
        ("body_html", "<{{ person.name }}>x", None, "may not"),
        ("body_html", "<!-- {{ person.name }} -->", None, "comment"),
    ],
)
def test_a_mistake_names_its_file_and_line_and_what_was_meant(
    file: str, text: str, line: int | None, words: str
) -> None:
    templates = TemplateSet(shelf(**{file: text}))
    context = samples.values(CAMPAIGNS["pump-efficiency"])
    with pytest.raises(LetterError) as caught:
        templates.render("c", "l", None, "en", context)
    assert caught.value.file == f"c/l/{file.replace('_', '.')}"
    assert (caught.value.line, words in caught.value.what) == (line, True), caught.value


def test_a_letter_that_does_not_exist_says_where_to_make_it() -> None:
    with pytest.raises(LetterError, match="make the folder c/nothing"):
        TemplateSet(shelf()).render("c", "nothing", None, "en", {})


# ── names are only words ──

WILD = st.text(st.characters(), max_size=60)
DANGEROUS = st.sampled_from(
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)", "{{ 7*7 }}", "{% raw %}",
     "a\r\nBcc: all@example.com", "\x00\x01", "qz00000zq", "\u202egnp.exe", "</style><b>", "&lt;b&gt;", "<!--", "]]>"]
)  # fmt: skip
NAME = WILD | DANGEROUS


class Shape(HTMLParser):
    """The elements of a page without its words: what a name may never change."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[Any] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, sorted(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@settings(max_examples=150, deadline=None)
@given(first=NAME, last=NAME, account=NAME, owner=NAME)
def test_no_name_breaks_out_of_a_letter(first: str, last: str, account: str, owner: str) -> None:
    lead = {"first_name": f"x{first}", "last_name": last, "account_name": f"x{account}", "owner_name": f"x{owner}"}
    for slug, letter in (("pump-efficiency", "why-now"), ("pump-efficiency", "next-step"), ("spring-sale", "offer")):
        usual, strange = (written(slug, letter, None, "de", **some) for some in ({}, lead))
        assert Shape(strange.html).tags == Shape(usual.html).tags
        for part in (strange.subject, strange.text, strange.html):
            assert part.encode()  # no half of a character, which no mail server takes
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069]", part)
        assert not re.search(r"[\r\n]", strange.subject)
        message = EmailMessage(policy=email.policy.SMTP)
        message["Subject"] = strange.subject  # raises on a line break
        assert [name for name, _ in message.items()] == ["Subject"]


@settings(max_examples=100, deadline=None)
@given(name=NAME, account=NAME)
def test_inlining_once_per_form_gives_what_inlining_each_letter_gives(name: str, account: str) -> None:
    """The shortcut that makes letters fast is exact: the same page as css-inline makes of the whole letter."""
    templates = TEMPLATE_SETS["pump-efficiency"]
    choice = templates.find_files("pump-efficiency", "next-step", None, "en")
    row = samples.ZOE._replace(first_name=f"x{name}", account_name=f"x{account}")
    values = templates._values("en", "en", samples.values(CAMPAIGNS["pump-efficiency"], row))
    part = PartTemplate(templates.markup.get_template(choice.path("html")), "html")
    raw = "".join(part.template.root_render_func(part.template.new_context(values)))
    slow, fast = Shape(INLINER.inline(re.sub("[\x00\x01]", "", raw))), Shape(str(part.fill(values)))
    assert fast.tags == slow.tags
    assert "".join("".join(fast.words).split()) == "".join("".join(slow.words).split())


def test_letters_that_differ_in_names_only_share_their_form() -> None:
    """What later goes to the provider in one request of 1,000 people: equal words, different values."""
    templates, campaign = TEMPLATE_SETS["pump-efficiency"], CAMPAIGNS["pump-efficiency"]
    two = [
        templates.compose(
            "pump-efficiency", "why-now", None, "en", samples.values(campaign, samples.ZOE._replace(first_name=name))
        )
        for name in ("Zoë", "Bo <b>")
    ]
    for part in ("subject", "text", "html"):
        one, other = (letter.part(part) for letter in two)
        assert one.form is other.form
    assert {"Hello Zoë,", "Hello Bo &lt;b&gt;,"} <= {value for letter in two for value in letter.part("html").values}
    assert two[1].rendered() == templates.render(
        "pump-efficiency", "why-now", None, "en", samples.values(campaign, samples.ZOE._replace(first_name="Bo <b>"))
    )


# ── templates that try more than letters need ──


class Secret:
    """An object that slipped into a letter's values: none of it may show."""

    key = "SG.secret"

    def delete(self) -> str:
        raise AssertionError("a template called a method")

    def __str__(self) -> str:
        return self.key


PAYLOADS = [
    "{{ ''.__class__.__mro__ }}",
    "{{ ''.__class__.__base__.__subclasses__() }}",
    "{{ person.__class__ }}",
    "{{ person['__class__'] }}",
    "{{ person.keys }}",
    "{{ person.items() }}",
    "{{ person.clear() }}",
    "{{ secret }}",
    "{{ secret.key }}",
    "{{ secret.delete() }}",
    "{{ [secret] | join }}",
    "{{ self._TemplateReference__context }}",
    "{{ config }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum(n=2000000) }}",
    "{{ range(100000000) | length }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in 'aaaa' %}x{% endfor %}",
    "{{ 9**9**9 }}",
    "{{ 'a' * 2000000000 }}",
    "{{ 2000000000 * 'a' }}",
    "{{ [0] * 2000000000 }}",
    "{{ '%2000000000d' % 1 }}",
    "{{ 'a'.ljust(2000000000) }}",
    "{{ 'a' | center(2000000000) }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{0.__class__}' | format(1) }}",
    "{{ person.name | safe }}",
    "{{ person | attr('__class__') }}",
    "{{ [1] | map('upper') | list }}",
    "{{ person | tojson }}",
    "{{ person | pprint }}",
    "{% set x = 'a' * 9 %}{% set x = x ~ x %}{{ x }}",
    "{% include '../../etc/passwd' %}",
    "{% include person.name %}",
    "{% import '_layout/base.html' as x %}{{ x }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% autoescape false %}{{ person.name }}{% endautoescape %}",
    "{{ caller() }}",
    "{{ joiner() }}{{ namespace() }}",
    "{{ [[1]] | join }}",
    "{% for x in [[1]] recursive %}{{ loop(x) }}{% endfor %}",
    "{{ (1).__add__ }}{{ 1e308 * 1e308 }}",
]


@pytest.mark.parametrize("part", ["body_txt", "body_html", "subject_txt"])
@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.timeout(10)
def test_a_template_can_write_a_letter_and_nothing_else(payload: str, part: str) -> None:
    context = {**samples.values(CAMPAIGNS["pump-efficiency"]), "secret": Secret()}
    with pytest.raises(LetterError) as caught:
        TemplateSet(shelf(**{part: payload})).render("c", "l", None, "en", context)
    assert "SG.secret" not in str(caught.value)


def test_words_cannot_be_doubled_until_memory_ends() -> None:
    doubling = "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x + x %}" * 20 + "{{ x }}"
    with pytest.raises(LetterError, match="two short texts"):
        TemplateSet(shelf(body_txt=doubling)).render("c", "l", None, "en", {})


def test_what_is_said_in_a_value_is_never_a_template() -> None:
    text = written("pump-efficiency", "why-now", None, "en", first_name="{{ company.name }}").text
    assert text.startswith("Hello {{ company.name }},")


def test_css_inline_loads_nothing_from_the_network() -> None:
    page = '<html><head><link rel="stylesheet" href="http://127.0.0.1:9/x.css"></head><body><p>a</p></body></html>'
    with pytest.raises(Exception, match=r"(?i)http|connect|error"):
        css_inline.CSSInliner().inline(page)  # so this really would
    assert "<p>a</p>" in INLINER.inline(page)
