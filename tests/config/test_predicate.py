"""Predicates: what is refused with its mend, and that both databases answer with the same people, in any alphabet."""

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from models import Account, Address, Contact, Score
from nurture.config.audience_predicate import matching, problems
from nurture.runtime import database
from nurture.runtime.sqlite_functions import like, lower, number, trait, upper

NAMES = ("Zoë", "ÉTIENNE", "Ștefan", "İpek", "straße", "何军", "O'Brien", "50%", "a_b", "C:\\x", "", None)


@pytest.mark.parametrize(
    ("predicate", "said"),
    [
        ("score IN fit", "score IN (…, …)"),
        ("grade IN ()", "grade IN (…, …)"),
        ("first_name > 1", "write '1' in quotation marks"),
        ("employees > '100'", "write 100 without quotation marks"),
        ("score", "score is a number, not a condition"),
        ("score AND clicks_30d > 1", "score is a number where a condition is wanted"),
        ("suppressed_at > '2026-01-01'", "suppressed_at IS NULL"),
        ("(score > 1) = TRUE", "cannot be compared"),
        ("score IS TRUE", "only IS NULL and IS NOT NULL"),
        ("title LIKE industry", "a pattern is a text in quotation marks"),
        ("title LIKE 'x\\'", "cannot end with a backslash"),
        ("traits = 'x'", "traits ->> 'colour'"),
        ("traits ->> 'age' > 30", "is text and 30 is a number"),
        ("CAST(score AS TEXT) = '1'", "CAST(traits ->> 'age' AS NUMBER)"),
        ("score > 1e400", "is too large a number"),
        ("(" * 250 + "score > 1" + ")" * 250, "nested too deeply"),
        ("(score, fit) = (1, 2)", "not allowed in a condition"),
    ],
)
def test_what_a_database_would_refuse_is_refused_before_it_is_asked(predicate: str, said: str) -> None:
    assert said in "; ".join(problems(predicate))


@pytest.fixture
def people(engine: Engine, now: datetime) -> Engine:
    """A few people whose names and traits are hard to compare."""
    fill(engine, now)
    return engine


def fill(engine: Engine, now: datetime) -> None:
    with database.writing(engine) as session:
        for n, name in enumerate(NAMES, 1):
            session.add(Address(address=f"p{n}@x.example"))
            session.add(Account(id=n, key=f"a{n}", name=name or "-", industry=name, employees=n * 7 or None,
                                created_at=now, updated_at=now))  # fmt: skip
        session.flush()
        for n, name in enumerate(NAMES, 1):
            session.add(Contact(id=n, key=f"c{n}", address=f"p{n}@x.example", email=f"p{n}@x.example", account_id=n,
                                first_name=name, title=name and name * 2, locale="en", created_at=now, updated_at=now,
                                traits={"age": n * 5, "colour": name, "vip": n % 2 == 0, "a b": f" {n}"}))  # fmt: skip
        session.flush()
        for n in range(1, len(NAMES), 2):
            session.add(Score(contact_id=n, score=n * 9.5, fit=n, engagement=2.0, grade="A1", reasons=[], version="v",
                              scored_at=now))  # fmt: skip


def asked(engine: Engine, now: datetime, predicate: str) -> list[int]:
    assert problems(predicate) == []
    with database.reading(engine) as session:
        return sorted(session.execute(matching(session, now, predicate, "contact_id")).scalars())


@pytest.mark.parametrize(
    ("predicate", "who"),
    [
        ("lower(first_name) = 'étienne'", [2]),
        ("first_name ILIKE 'É%'", [2]),
        ("first_name LIKE 'é%'", []),
        ("title ILIKE '%ȘTEFAN%'", [3]),
        ("upper(first_name) = 'STRAßE'", [5]),
        ("first_name LIKE '%\\%'", [8]),
        ("first_name LIKE 'a\\_b'", [9]),
        ("traits ->> 'colour' = 'Zoë'", [1]),
        ("traits ->> 'vip' = 'true' AND CAST(traits ->> 'age' AS NUMBER) < 25", [2, 4]),
        ("CAST(traits ->> 'a b' AS NUMBER) > 0", []),
        ("employees / 2 = 3.5", [1]),
        ("employees / (employees - 7) > 0", list(range(2, len(NAMES) + 1))),
        ("NOT first_name = 'Zoë' AND employees < 15", [2]),
        ("first_name IS NULL", [len(NAMES)]),
        ("coalesce(first_name, 'nobody') = 'nobody'", [len(NAMES)]),
    ],
)
def test_what_is_asked_is_answered_alike(people: Engine, now: datetime, predicate: str, who: list[int]) -> None:
    assert asked(people, now, predicate) == who


TEXTS = st.sampled_from(["first_name", "title", "industry", "traits ->> 'colour'", "lower(title)", "upper(first_name)",
                         "coalesce(first_name, 'x')", "'Zoë'", "'É'", "'o''b'", "'何'"])  # fmt: skip
NUMBERS = st.recursive(
    st.sampled_from(["employees", "score", "fit", "0", "7", "-3", "9.5", "CAST(traits ->> 'age' AS NUMBER)"]),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner),
    max_leaves=4,
)
SIGNS = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
CONDITIONS = st.recursive(
    st.one_of(
        st.builds("{} {} {}".format, TEXTS, SIGNS, TEXTS),
        st.builds("{} {} {}".format, NUMBERS, SIGNS, NUMBERS),
        st.builds("{} {} '{}'".format, TEXTS, st.sampled_from(["LIKE", "ILIKE", "NOT LIKE"]),
                  st.sampled_from(["%é%", "Z_ë", "%", "%\\%%", "ștef%", "_"])),
        st.builds("{} IN ({}, {})".format, TEXTS, TEXTS, TEXTS),
        st.builds("{} BETWEEN {} AND {}".format, NUMBERS, NUMBERS, NUMBERS),
        st.builds("{} IS NOT NULL".format, TEXTS),
        st.sampled_from(["TRUE", "score IN fit", "first_name > 1", "score"]),
    ),
    lambda inner: st.one_of(
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["AND", "OR"]), inner),
        st.builds("NOT ({})".format, inner),
    ),
    max_leaves=5,
)  # fmt: skip


@pytest.fixture
def both(sqlite_with_tables: Path, postgres_with_tables: str, tmp_path: Path, now: datetime) -> Iterator[list[Engine]]:
    """The same people in SQLite and in PostgreSQL."""
    file = tmp_path / "nurture.db"
    shutil.copyfile(sqlite_with_tables, file)
    engines = [database.engine_for(url) for url in (f"sqlite:///{file}", postgres_with_tables)]
    for engine in engines:
        fill(engine, now)
    yield engines
    for engine in engines:
        engine.dispose()


@pytest.mark.postgres
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(predicate=CONDITIONS)
def test_what_is_let_through_both_databases_answer_alike(both: list[Engine], now: datetime, predicate: str) -> None:
    if not problems(predicate):
        of_sqlite, of_postgresql = (asked(engine, now, predicate) for engine in both)
        assert of_sqlite == of_postgresql


def test_the_functions_of_sqlite_are_those_of_postgresql() -> None:
    assert (lower("ÉİΣ"), upper("straße"), lower(None)) == ("éiσ", "STRAßE", None)
    assert (like("a%b", "a\\%b"), like("axb", "a\\%b"), like(None, "%")) == (True, False, None)
    assert (trait('{"a": 1.5, "b": true, "c": [1]}', "a"), trait(None, "a")) == ("1.5", None)
    assert [number(text) for text in ("12", "-1.5", " 1", "1e3", None)] == [12.0, -1.5, None, None, None]
