"""Write many typed rows at once, in either database: insert what is new, or insert and update."""

import dataclasses
import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, ClassVar, Protocol, cast

from pydantic import JsonValue
from sqlalchemy import Boolean, ColumnElement, Dialect, Table, Text, bindparam, func, inspect, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import SQLModel

from models.types import write_sql_function


class NamedRow(Protocol):
    """What every NamedTuple has, so that any of them is a row to write: one field per column, by the column's name."""

    @property
    def _fields(self) -> tuple[str, ...]: ...


class DataclassRow(Protocol):
    """What every dataclass has, so that any of them is a row to write: one field per column, by the column's name."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


TypedRow = NamedRow | DataclassRow
ColumnValue = JsonValue | datetime | date  # what a field of a typed row may hold


def fields_of(row: TypedRow) -> tuple[str, ...]:
    """The column names of a typed row, in their order."""
    if dataclasses.is_dataclass(row):
        return tuple(field.name for field in dataclasses.fields(row))
    return row._fields


def values_of(rows: Sequence[TypedRow]) -> Sequence[tuple[ColumnValue, ...]]:
    """The values of typed rows of one type, in the order of `fields_of`: named tuples are their own values already."""
    if not dataclasses.is_dataclass(rows[0]):
        return cast(Sequence[tuple[ColumnValue, ...]], rows)
    names = fields_of(rows[0])
    return [tuple([getattr(row, name) for name in names]) for row in rows]


def parameters(rows: Sequence[TypedRow]) -> list[dict[str, ColumnValue]]:
    """Typed rows of one type as SQLAlchemy wants them: a dict per row. For INSERT, or UPDATE with bindparam(field)."""
    if not rows:
        return []
    names = fields_of(rows[0])
    return [dict(zip(names, values, strict=True)) for values in values_of(rows)]


def insert_into(session: Session, model: type[SQLModel]) -> postgresql.Insert | sqlite.Insert:
    """The dialect's own INSERT, which knows ON CONFLICT."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    return postgresql.insert(table) if session.get_bind().dialect.name == "postgresql" else sqlite.insert(table)


def add_new(session: Session, model: type[SQLModel], rows: Sequence[TypedRow]) -> int:
    """Insert rows, all of one type; one that is there already (by any unique key) changes nothing.

    Returns how many were new.
    """
    if not rows:
        return 0
    statement = insert_into(session, model).on_conflict_do_nothing()
    counted = statement.execution_options(preserve_rowcount=True)  # many rows at once are not counted otherwise
    return int(session.execute(counted, parameters(rows)).rowcount)  # type: ignore[attr-defined]


def upsert(
    session: Session,
    model: type[SQLModel],
    rows: Sequence[TypedRow],
    key: Sequence[str],
    keep: Sequence[str] = (),
) -> None:
    """Insert rows or, where `key` is there already, overwrite the other columns given, except those in `keep`.

    All rows are of one type. Two rows with one key in one call: the database decides (PostgreSQL refuses), so
    make them one before.
    """
    if not rows:
        return
    values = parameters(rows)
    statement = insert_into(session, model)
    changing = {c: statement.excluded[c] for c in values[0] if c not in key and c not in keep}
    statement = (
        statement.on_conflict_do_update(index_elements=list(key), set_=changing)
        if changing
        else statement.on_conflict_do_nothing(index_elements=list(key))
    )
    session.execute(statement, values)


def share(session: Session, model: type[SQLModel], shard: int, shards: int) -> tuple[int, int]:
    """The first and the last id of one shard: equal stretches of the primary key, so that each shard reads its own part
    of every index that begins with it. `shard`: 0 to `shards` - 1. Empty when the first is greater than the last."""
    identifier = inspect(model, raiseerr=True).primary_key[0]
    lowest, highest = session.execute(select(func.min(identifier), func.max(identifier))).one()
    if lowest is None:
        return 1, 0
    span = highest - lowest + 1
    return lowest + span * shard // shards, lowest + span * (shard + 1) // shards - 1


class Many(TypeDecorator[Sequence[int | str]]):
    """A list as one value: an array, or JSON where there are none."""

    impl = Text
    cache_ok = True

    def __init__(self, of: TypeEngine[Any]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """An array on PostgreSQL, text on SQLite."""
        return postgresql.ARRAY(self.of) if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: Sequence[int | str] | None, dialect: Dialect) -> list[int | str] | str:
        """The list as it is, or as JSON; None is an empty one."""
        return list(value or ()) if dialect.name == "postgresql" else json.dumps(list(value or ()))


class among(FunctionElement[bool]):
    """among(column, "ids"): is the column one of the list given as `ids`? One statement for any number of them, made
    ready once, where IN is written anew for each length."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        super().__init__(column, bindparam(name, type_=Many(column.type)))

    def self_group(self, against: OperatorType | None = None) -> "among":
        """No brackets and no comparison around it."""
        return self  # a condition as it is: "… = 1" would keep SQLite from its index


write_sql_function(
    among,
    sqlite=lambda column, many: f"{column} IN (SELECT value FROM json_each({many}))",  # noqa: S608  names and placeholders, no values
    postgresql=lambda column, many: f"{column} = ANY({many})",
)
