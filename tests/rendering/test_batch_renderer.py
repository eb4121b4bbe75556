"""The batch renderer writes what Jinja writes: the same words and values for every reader, and the same errors."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nurture.rendering import ComposedLetter, LetterError, TemplateSet
from tests.channels.test_sendgrid import NOW, READERS, all_letters

PRELUDE = {
    "_partials/b.txt": "[{{ label }}: {{ url }} {{ person.name }}]",
    "_layout/f.txt": "{{ company.name }}|{% block b %}{% endblock %}",
}
PIECES = (
    "{{ person.name }}", "{{ person.first_name }}", "{{ person.title }}", "{{ unsubscribe_url }}",
    "{{ account.employees }}", "{{ account.name | upper }}", "{{ person.name | default('you') }}",
    "{{ today | date }}", "{{ account.employees | number }}", "{% if person.title %}As {{ person.title }}{% endif %}",
    "{% if not person.title %}Hm{% endif %}",
    "{% if person.title and account.name %}{{ account.name }}{% else %}-{% endif %}",
    "{% if person.first_name == 'Ann' %}A{% endif %}", "{{ 'yes' if account.name else 'no' }}",
    "{{ account.name if account.name else 'no' }}", "{% if account.employees > 3 %}many{% endif %}",
    "{% for x in list %}{{ loop.index }}{{ x }}{% endfor %}",
    "{% for person in people %}{{ person.name }}{% endfor %}",
    "{% with url = person.name, label = 'x' %}{% include '_partials/b.txt' %}{% endwith %}",
    "{% set z = person.name %}{{ z }}", "{% if list %}{{ list | length }}{% endif %}",
    "{% if offer %}{{ offer.code }}{% endif %}", "{{ offer.code }}", "{{ person.nickname }}", "{{ nobody.name }}",
    "{{ nobody }}", "{{ nobody.name | default('?') }}", "{% if nobody %}x{% endif %}", "{{ person }}",
    "{{ company.name }}", "{{ language }}", "{{ person.name }}{{ person.name }}", "{{ person['name'] }}",
    "{{ account.employees * 2 }}", "{{ person.name + account.name }}", "{% if 'a' in person.name %}a{% endif %}",
)  # fmt: skip
texts = st.sampled_from(["", "Ann", "Bob", "<b>&", "Zoë O'Brien", "0", "\x00\u202e", "  ", "x" * 90])
anything = st.one_of(texts, st.sampled_from([0, 1, 1.0, True, None, -0.0, 0.0, 5000]))
contexts = st.fixed_dictionaries(
    {
        "person": st.fixed_dictionaries({"name": anything, "first_name": texts, "title": anything}),
        "account": st.one_of(st.none(), st.fixed_dictionaries({"name": anything, "employees": anything})),
        "list": st.lists(anything, max_size=2),
        "people": st.lists(st.fixed_dictionaries({"name": texts}), max_size=2),
        "company": st.just({"name": "Foo"}),
        "unsubscribe_url": st.sampled_from(["https://x.example/1", "https://x.example/2"]),
        "today": st.just(date(2026, 3, 2)),
    },
    optional={"offer": st.one_of(st.none(), st.fixed_dictionaries({"code": texts}))},
)


def both(templates: TemplateSet, name: str, role: str | None, locale: str, context: dict[str, Any]) -> Iterator[Any]:
    """The letter as the batch renderer writes it and as Jinja writes it; or what is wrong with it."""
    slow = TemplateSet(templates.files)
    slow._renderer = lambda files: (_ for _ in ()).throw(ValueError())  # type: ignore[method-assign]
    for one in (templates, slow):
        try:
            letter: ComposedLetter = one.compose(*name.split("/"), role, locale, context)
            yield [(str(part), part.values, part.form.words) for part in letter.parts.values()]
        except LetterError as error:
            yield str(error)


NO_OFFER: dict[str, Any] = {
    "person": {"name": "", "first_name": "", "title": ""}, "account": None, "list": [], "people": [],
    "company": {"name": "Foo"}, "unsubscribe_url": "https://x.example/1", "today": date(2026, 3, 2),
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@example(
    ["{% if offer %}{{ offer.code }}{% endif %}"], [NO_OFFER | {"offer": None}, NO_OFFER]
)  # nothing, and not even that
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4), st.lists(contexts, min_size=2, max_size=6))
def test_whatever_a_template_does_with_its_values_every_reader_gets_what_jinja_writes(pieces, people) -> None:
    body = "{% extends '_layout/f.txt' %}{% block b %}" + " ".join(pieces) + "{% endblock %}"
    files = PRELUDE | {
        "c/l/subject.txt": "Hi " + pieces[0],
        "c/l/body.txt": body,
        "c/l/body.html": "<p>" + "</p><p>".join(pieces),
    }
    templates = TemplateSet(files)
    for context in people:
        printed, written = both(templates, "c/l", None, "en", context)
        assert printed == written


def test_our_own_letters_are_printed_as_they_are_written(tmp_path) -> None:
    from tests.support.outbox import composer

    office = composer(tmp_path)
    for published, letter in all_letters(tmp_path):
        slow = TemplateSet(published.templates.files)
        slow._renderer = lambda files: (_ for _ in ()).throw(ValueError())  # type: ignore[method-assign]
        for i, reader in enumerate(READERS):
            row = reader._replace(message_id=i + 1, letter=letter, address="z@x.example", email="z@x.example")
            [fast], [exact] = (
                office.write_emails(replace(published, version_id=1, templates=templates), [row], {}, "a", NOW)[0]
                for templates in (published.templates, slow)
            )
            assert (fast.subject, fast.text, fast.html) == (exact.subject, exact.text, exact.html)


def test_readers_of_one_kind_are_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from nurture.rendering.part_template import PartTemplate

    runs: list[str] = []
    real = PartTemplate.written
    monkeypatch.setattr(PartTemplate, "written", lambda self, values: (runs.append(self.kind), real(self, values))[1])
    words = "{% if person.title %}{{ person.title }} {% endif %}{{ person.name }}"
    templates = TemplateSet({"c/l/subject.txt": words, "c/l/body.txt": words, "c/l/body.html": words})
    for i in range(50):
        said = templates.render("c", "l", None, "en", {"person": {"name": f"N{i}", "title": f"T{i}", "first_name": ""}})
        assert said.text == f"T{i} N{i}\n"
    assert len(runs) == 3
