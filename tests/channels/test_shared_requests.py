"""One request for many: in whatever order the provider replaces tags, every reader gets what Jinja wrote."""

import random
from collections.abc import Iterable, Mapping, Sequence

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nurture.channels.base import OutboundEmail
from nurture.channels.parts import PartForm, RenderedPart
from nurture.channels.sendgrid.mail import request_batches, request_body
from nurture.channels.sendgrid.shared import MOST_BYTES, Unfit, share
from nurture.rendering import TemplateSet

NASTY = (
    *("", "-", "-n", "-nt", "nt", "nt0001", "nt00", "01-", "0001-", "-nt0001-", "-nt0002", "nt0002-", "t0001-", "0"),
    *("7", "&", "<b>", "Zoë O'Brien", "王秀英", "\U0001f600", "Foo & Søns <GmbH>", "\\", '"', "nt000", "x"),
)
words = st.one_of(st.sampled_from(NASTY), st.text(alphabet="-nt01<&é ", max_size=6))


def orders(tags: Sequence[str], seed: int) -> Iterable[list[str]]:
    yield list(tags)
    yield sorted(tags)
    yield sorted(tags, reverse=True)
    yield sorted(tags, key=len, reverse=True)
    for n in range(3):
        yield random.Random(f"{seed} {n}").sample(list(tags), len(tags))


def put_together(
    text: str, substitutions: Mapping[str, str], order: Iterable[str], *, until_stable: bool = False
) -> str:
    order = list(order)
    for _ in range(5 if until_stable else 1):
        for tag in order:
            text = text.replace(tag, substitutions[tag])
    return text


def whatever_happens(mail: dict, person: dict) -> set[tuple[str, str, str]]:
    """Each (subject, text, html) that some order of replacing makes."""
    subject = person.get("subject", mail.get("subject"))
    text, html = (block["value"] for block in mail["content"])
    found, substitutions = set(), person.get("substitutions", {})
    for n, order in enumerate(orders(list(substitutions), 1)):
        for stable in (False, True):
            found.add(tuple(put_together(p, substitutions, order, until_stable=stable) for p in (subject, text, html)))
        half = order[: len(order) // 2]  # a provider that works in two passes, or starts again in the middle
        found.add(
            tuple(
                put_together(put_together(p, substitutions, half), substitutions, order) for p in (subject, text, html)
            )
        )
        assert n < 10
    return found


def email(i: int, subject: str, text: RenderedPart, html: RenderedPart) -> OutboundEmail:
    to, by, headers = f"p{i}@home.example", "nora@mail.example", {"List-Unsubscribe": f"<https://x.example/{i}>"}
    return OutboundEmail(i, "a", to, "Zoë", by, "Nora", "nora@example.com", subject, text, html, "test", headers)


@st.composite
def batches(draw: st.DrawFn) -> list[OutboundEmail]:
    """A few readers of one letter whose words and values are as unlucky as can be."""
    forms = []
    for _ in range(2):
        gaps = draw(st.lists(st.integers(0, 3), max_size=5))
        forms.append(PartForm(tuple(draw(words) for _ in range(len(gaps) + 1)), tuple(gaps), ()))
    n = draw(st.integers(2, 5))
    pick = st.tuples(*[words] * 4)
    shared = draw(pick)
    readers = []
    for i in range(n):
        own = [draw(st.one_of(st.just(shared), pick)) for _ in forms]
        text, html = (RenderedPart(form, values) for form, values in zip(forms, own, strict=True))
        readers.append(email(i, draw(words.filter(str.strip)) + "!", text, html))
    return [e for e in readers if e.text and e.html]


@settings(max_examples=150, deadline=None)
@given(batches())
def test_what_the_provider_puts_together_is_what_we_wrote_whatever_its_order(emails: list[OutboundEmail]) -> None:
    sent = []
    for batch in request_batches(emails):
        mail = orjson.loads(request_body(batch.emails))
        tags = {frozenset(person.get("substitutions", {})) for person in mail["personalizations"]}
        assert len(tags) == 1  # every tag in every personalization
        for e, person in zip(batch.emails, mail["personalizations"], strict=True):
            assert whatever_happens(mail, person) == {(e.subject, e.text, e.html)}
            sent.append(e.message_id)
    assert sorted(sent) == sorted(e.message_id for e in emails)


FILES = {
    "c/l/subject.txt": "{{ a }} for {{ b }}",
    "c/l/body.txt": "{% if a > 'm' %}Late {% endif %}{{ a }}{{ b }}&{{ b|upper }}{% for x in xs %}{{ x }}{% endfor %}",
    "c/l/body.html": """<style>p {color: red}</style><p title="{{ b }}">{{ a }}-{{ b }}</p>
{% for x in xs %}<i>{{ x }}</i>{% endfor %}""",
}
TEMPLATES = TemplateSet(FILES)
values = st.fixed_dictionaries({"a": words, "b": words, "xs": st.lists(words, max_size=2)})


@settings(max_examples=60, deadline=None)
@given(st.lists(values, min_size=1, max_size=8))
@example([{"a": "x", "b": "y", "xs": []}, {"a": "-nt0001", "b": "-", "xs": []}])
def test_letters_that_jinja_wrote_arrive_as_jinja_wrote_them(contexts: list[dict]) -> None:
    emails = []
    for i, context in enumerate(contexts):
        letter = TEMPLATES.compose("c", "l", None, "en", context)
        if (whole := TEMPLATES.render("c", "l", None, "en", context)).subject:
            emails.append(email(i, whole.subject, letter.part("text"), letter.part("html")))
    for batch in request_batches(emails):
        mail = orjson.loads(request_body(batch.emails))
        for e, person in zip(batch.emails, mail["personalizations"], strict=True):
            whole = TEMPLATES.render("c", "l", None, "en", contexts[e.message_id])
            assert whatever_happens(mail, person) == {(whole.subject, whole.text, whole.html)}


FORM = PartForm(("Hello ", ", bye ", "\n"), (0, 1), ())


def hello(i: int, *values: str, **more: str) -> OutboundEmail:
    e = email(i, "Hi", RenderedPart(FORM, values), RenderedPart(FORM, values))
    for name, value in more.items():
        object.__setattr__(e, name, value)
    return e


def test_what_is_the_same_for_everybody_is_said_once() -> None:
    shared = share([hello(0, "Ann", "Nora"), hello(1, "Bob", "Nora")])
    assert shared.text == "Hello -nt0001-, bye Nora\n"
    assert shared.html == "Hello -nt0002-, bye Nora\n"  # escaped values and plain ones never share a tag
    assert shared.substitutions == [{"-nt0001-": "Ann", "-nt0002-": "Ann"}, {"-nt0001-": "Bob", "-nt0002-": "Bob"}]


def test_one_value_in_two_places_travels_once() -> None:
    assert share([hello(0, "Ann", "Ann"), hello(1, "Bob", "Bob")]).text == "Hello -nt0001-, bye -nt0001-\n"


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (hello(2, "-nt0001-", "x"), "a value in it looks like one of our tags"),
        (hello(2, "x" * MOST_BYTES, "x"), f"what is written for this reader alone exceeds {MOST_BYTES:,} bytes"),
        (hello(2, "x", "y", reply_to="r+1@example.com"), "its Reply-To is its own"),
    ],
)
def test_what_cannot_share_goes_alone_and_says_why(odd: OutboundEmail, why: str) -> None:
    found = request_batches([hello(0, "Ann", "a"), odd, hello(1, "Bob", "b")])
    assert [([e.message_id for e in batch.emails], batch.alone) for batch in found] == [([0, 1], ""), ([2], why)]


def test_a_tag_made_of_a_value_and_the_word_beside_it_is_seen() -> None:
    form = PartForm(("Dear -nt", "0001- friend of ", "!"), (0, 1), ())
    letters = [
        email(i, "Hi", RenderedPart(form, (a, b)), RenderedPart(form, (a, b)))
        for i, (a, b) in enumerate([("x", "y"), ("", "z")])
    ]
    with pytest.raises(Unfit) as caught:
        share(letters)
    assert set(caught.value.whose) == {1}


def test_an_address_is_in_a_request_once() -> None:
    found = request_batches([hello(0, "a", "b"), hello(1, "a", "c", to_email="P0@home.example"), hello(2, "a", "d")])
    assert [[e.message_id for e in batch.emails] for batch in found] == [[0, 2], [1]]


def test_a_request_has_at_most_a_thousand_readers() -> None:
    assert [len(p.emails) for p in request_batches([hello(i, f"{i}", "x") for i in range(2_345)])] == [
        1_000,
        1_000,
        345,
    ]
