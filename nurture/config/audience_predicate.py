"""Who is meant: predicates of campaign.toml, checked against the audience view, spoken in the database's dialect."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import sqlglot
from sqlalchemy import JSON, ColumnElement, Integer, Numeric, Select, func, literal_column, select
from sqlalchemy.orm import Session
from sqlglot import exp

from models.queries.audience import EPOCH, audience
from models.types import Moment
from nurture.config import predicate as predicates
from nurture.config.predicate import ValueKind
from nurture.config.predicate_sql import Target, written_for


def _kind_of(column: ColumnElement[Any]) -> ValueKind:
    if isinstance(column.type, Moment):
        return ValueKind.MOMENT
    if isinstance(column.type, JSON):
        return ValueKind.TRAITS
    return ValueKind.NUMBER if isinstance(column.type, Integer | Numeric) else ValueKind.TEXT


KINDS = {name: _kind_of(column) for name, column in audience(EPOCH).selected_columns.items()}
TEXTS = frozenset(name for name, kind in KINDS.items() if kind is ValueKind.TEXT)
CASE_MAPPED = 17  # from this version on PostgreSQL has a collation that maps case in every alphabet by itself


Contacts = Select[tuple[int]] | Sequence[int]  # their ids, or a query for them


class UnmetCondition(NamedTuple):
    """A part of a predicate that does not hold for somebody, and the values of the columns it speaks of."""

    condition: str
    values: Mapping[str, str | float | bool | datetime | None]


class PredicateError(ValueError):
    """A predicate that cannot be asked. Its text says what to write instead."""


def problems(predicate: str) -> list[str]:
    """What is wrong with a predicate, in the words of its author; empty when it can be asked."""
    return predicates.problems(predicate, KINDS)


def spoken(predicate: str, target: Target) -> str:
    """The predicate in a database's own dialect. Raises PredicateError when it has problems."""
    if wrong := problems(predicate):
        raise PredicateError("; ".join(wrong))
    return written_for(predicate, target)


@lru_cache(1024)
def columns_of(predicate: str) -> frozenset[str]:
    """The columns of the audience view that a predicate speaks of, and the contact's id."""
    tree = sqlglot.parse_one(f"SELECT 1 WHERE {predicate}")
    return frozenset(column.name.lower() for column in tree.find_all(exp.Column)) | {"contact_id"}


def target_of(session: Session) -> Target:
    """The database of a session, as a predicate needs to know it."""
    dialect = session.get_bind().dialect
    version = getattr(dialect, "server_version_info", None) or (0,)
    collation = "pg_c_utf8" if dialect.name == "postgresql" and version[0] >= CASE_MAPPED else ""
    return Target(dialect.name, collation, TEXTS)


def condition(predicate: str, session: Session) -> ColumnElement[bool]:
    """The predicate as an expression over the audience view's own column names."""
    return literal_column(f"({spoken(predicate, target_of(session))})")


def matching(session: Session, now: datetime, predicate: str, *columns: str) -> Select[Any]:
    """A question: these columns (all, when none is named) of everybody for whom the predicate holds at `now`."""
    view = audience(now).subquery("audience")
    wanted = [view.c[name] for name in columns] if columns else list(view.c)
    return select(*wanted).where(condition(predicate, session))


def locales(session: Session, now: datetime, predicate: str) -> dict[str, int]:
    """How many people of an audience have which locale, {"en": 900, "es-MX": 40}; "" for those of whom we know none."""
    view = audience(now).subquery("audience")
    locale = func.coalesce(view.c.locale, "")
    question = select(locale, func.count()).where(condition(predicate, session)).group_by(locale)
    return dict(session.execute(question).tuples().all())


def answers(session: Session, now: datetime, predicates: Mapping[str, str], whom: Contacts) -> dict[str, set[int]]:
    """For each named predicate, which contacts it holds for at `now`. One question a predicate, however many leads.

    `whom`: a subquery of contact ids, or a list of them.
    """
    return {
        name: set(
            session.execute(
                select(view.c.contact_id).where(condition(predicate, session), view.c.contact_id.in_(whom))
            ).scalars()
        )
        for name, predicate in predicates.items()
        for view in [audience(now, columns_of(predicate)).subquery("audience")]
    }


def marks(session: Session, now: datetime, predicate: str, whom: Contacts, most: int) -> bytearray:
    """For whom a predicate holds at `now`, as a byte a contact: `marks[contact_id]` is 1 or 0.

    `whom`: a subquery of contact ids up to `most`. One question however many leads, read in passing: a million leads
    take a megabyte, where a set of their ids would take eighty.
    """
    view = audience(now, columns_of(predicate)).subquery("audience")
    found = bytearray(most + 1)
    question = select(view.c.contact_id).where(condition(predicate, session), view.c.contact_id.in_(whom))
    for part in session.execute(question.execution_options(yield_per=10_000)).partitions():
        for row in part:
            found[row[0]] = 1
    return found


def failing(session: Session, now: datetime, predicate: str, contact_id: int) -> list[UnmetCondition]:
    """Which parts of a predicate do not hold for one contact, each with the values of the columns it speaks of."""
    if wrong := problems(predicate):
        raise PredicateError("; ".join(wrong))
    view = audience(now).subquery("audience")
    person = session.execute(select(*view.c).where(view.c.contact_id == contact_id)).mappings().one()
    found = []
    whole = sqlglot.parse_one(f"SELECT 1 WHERE {predicate}").args["where"].this
    for part in whole.flatten() if isinstance(whole, exp.And) else [whole]:
        text = part.sql()
        holds = session.execute(
            select(view.c.contact_id).where(condition(text, session), view.c.contact_id == contact_id)
        ).first()
        if holds is None:
            spoken_of = dict.fromkeys(column.name.lower() for column in part.find_all(exp.Column))
            found.append(UnmetCondition(text, {name: person[name] for name in spoken_of}))
    return found
