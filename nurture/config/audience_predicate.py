"""Who is meant: predicates of campaign.toml, checked against the audience view, spoken in the database's dialect."""

from collections.abc import Mapping
from datetime import datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import sqlglot
from sqlalchemy import ColumnElement, Select, func, literal_column, select
from sqlalchemy.orm import Session
from sqlglot import exp

from models.queries.audience import COLUMNS, audience

ALLOWED: tuple[type[exp.Expression], ...] = (
    exp.And, exp.Or, exp.Not, exp.Paren, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between,
    exp.Like, exp.ILike, exp.Is, exp.Null, exp.Boolean, exp.Literal, exp.Neg, exp.Column, exp.Identifier, exp.Tuple,
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Lower, exp.Upper, exp.Coalesce, exp.Var,
)  # fmt: skip
MOST_NODES = 300  # a predicate longer than this is a mistake or an attack


class PredicateError(ValueError):
    """A predicate that cannot be asked. Its text says what to write instead."""


def problems(predicate: str) -> list[str]:
    """What is wrong with a predicate, in the words of its author; empty when it can be asked."""
    try:
        tree = sqlglot.parse_one(f"SELECT 1 WHERE {predicate}")
    except sqlglot.errors.SqlglotError as error:
        first = (getattr(error, "errors", None) or [{}])[0]
        near = str(first.get("highlight") or "").strip()
        return [f"cannot be read near {near!r}: write it like  industry = 'Chemicals' AND clicks_30d >= 1"]
    where = tree.args.get("where")
    extra = [name for name, value in tree.args.items() if value and name not in {"expressions", "where", "kind"}]
    if not isinstance(tree, exp.Select) or where is None or extra:
        return ["only a condition is allowed here, nothing after it"]
    found: list[str] = []
    nodes = list(where.this.walk())
    if len(nodes) > MOST_NODES:
        return [f"is too long ({len(nodes)} parts, {MOST_NODES} at most)"]
    for node in nodes:
        if isinstance(node, exp.Column):
            name = node.name
            if node.table:
                found.append(f"column {node.sql()!r}: write {name!r} alone")
            elif name.lower() not in COLUMNS:
                near_names = get_close_matches(name.lower(), COLUMNS, 1)
                hint = f", did you mean {near_names[0]!r}?" if near_names else "; docs/audience.md lists the columns"
                found.append(f"there is no column {name!r}{hint}")
        elif not isinstance(node, ALLOWED):
            found.append(f"{node.sql()!r} is not allowed in a condition")
            break
    return found


@lru_cache(1024)
def spoken(predicate: str, dialect: str) -> str:
    """The predicate in a database's own dialect. Raises PredicateError when it has problems."""
    wrong = problems(predicate)
    if wrong:
        raise PredicateError("; ".join(wrong))
    tree = sqlglot.parse_one(f"SELECT 1 WHERE {predicate}").args["where"].this
    return str(tree.sql(dialect="postgres" if dialect == "postgresql" else dialect))


def condition(predicate: str, session: Session) -> ColumnElement[bool]:
    """The predicate as an expression over the audience view's own column names."""
    return literal_column(f"({spoken(predicate, session.get_bind().dialect.name)})")


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


def answers(session: Session, now: datetime, predicates: Mapping[str, str], whom: Any) -> dict[str, set[int]]:
    """For each named predicate, which contacts it holds for at `now`. One question a predicate, however many leads.

    `whom`: a subquery of contact ids, or a list of them.
    """
    view = audience(now).subquery("audience")
    return {
        name: set(
            session.execute(
                select(view.c.contact_id).where(condition(predicate, session), view.c.contact_id.in_(whom))
            ).scalars()
        )
        for name, predicate in predicates.items()
    }


def marks(session: Session, now: datetime, predicate: str, whom: Any, most: int) -> bytearray:
    """For whom a predicate holds at `now`, as a byte a contact: `marks[contact_id]` is 1 or 0.

    `whom`: a subquery of contact ids up to `most`. One question however many leads, read in passing: a million leads
    take a megabyte, where a set of their ids would take eighty.
    """
    view = audience(now).subquery("audience")
    found = bytearray(most + 1)
    question = select(view.c.contact_id).where(condition(predicate, session), view.c.contact_id.in_(whom))
    for part in session.execute(question.execution_options(yield_per=10_000)).partitions():
        for row in part:
            found[row[0]] = 1
    return found


def failing(session: Session, now: datetime, predicate: str, contact_id: int) -> list[tuple[str, dict[str, Any]]]:
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
            found.append((text, {name: person[name] for name in spoken_of}))
    return found
