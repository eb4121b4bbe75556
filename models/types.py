"""The column types every table shares, and how a function of ours is written for either database."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Float, Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import JSON, TypeDecorator

Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts by itself only in an INTEGER PRIMARY KEY
Json = JSON()
MaybeJson = JSON(none_as_null=True)  # nothing is NULL, not the word null


class Moment(TypeDecorator[datetime]):
    """An aware datetime in UTC, whatever the database keeps. A naive one is refused: whose noon would it be?"""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What is written: UTC, which SQLite keeps without saying so. Raises ValueError for a naive datetime."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}: give moments a time zone, e.g. datetime(..., tzinfo=UTC)")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What is read: an aware datetime in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def write_sql_function(
    function: type[FunctionElement[Any]], *, sqlite: Callable[..., str], postgresql: Callable[..., str]
) -> None:
    """Say how each database writes a function of ours: the SQL of its arguments in, its own SQL out."""

    def compiled(written: Callable[..., str]) -> Callable[..., str]:
        def compile_(element: FunctionElement[Any], compiler: SQLCompiler, **options: bool) -> str:
            return written(*(compiler.process(argument, **options) for argument in element.clauses))

        return compile_

    compiles(function, "sqlite")(compiled(sqlite))
    compiles(function)(compiled(postgresql))


class days_between(FunctionElement[float]):
    """days_between(earlier, later): real days, either database."""

    type = Float()
    inherit_cache = True


write_sql_function(
    days_between,
    sqlite=lambda earlier, later: f"(julianday({later}) - julianday({earlier}))",
    postgresql=lambda earlier, later: f"(EXTRACT(EPOCH FROM ({later}) - ({earlier})) / 86400.0)",
)
