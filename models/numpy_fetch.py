"""Columns, not rows: many whole numbers out of the database at once, without a Python object for each."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import BigInteger, Select, func, literal, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import Session


class seconds(FunctionElement[int]):
    """seconds(moment): whole seconds since 1970, either database; what stands behind the comma is cut off."""

    type = BigInteger()
    inherit_cache = True


@compiles(seconds, "sqlite")
def _sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    moment = compiler.process(element.clauses, **kw)  # julianday knows milliseconds, and is faster than strftime
    return f"CAST((julianday({moment}) - 2440587.5) * 86400.0 + 0.0004 AS INTEGER)"


@compiles(seconds)
def _postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return f"CAST(FLOOR(EXTRACT(EPOCH FROM {compiler.process(element.clauses, **kw)})) AS BIGINT)"


def numbers(session: Session, query: Select[Any]) -> npt.NDArray[np.int64]:
    """A query of whole numbers, none of them NULL, as an array (rows, columns), in no particular order.

    SQLite writes them into one text and PostgreSQL copies them out: a few times faster than fetching rows, which at
    twenty million activities is what a night's scoring spends its time with.
    """
    width = len(query.selected_columns)
    if session.get_bind().dialect.name == "postgresql":
        said = _copied(session, query)
    else:
        inner = query.subquery()
        joined: Any = None
        for column in inner.c:
            joined = column if joined is None else joined.op("||")(literal(",")).op("||")(column)
        said = (session.execute(select(func.group_concat(joined, ","))).scalar() or "").encode()
    if not said:
        return np.empty((0, width), dtype=np.int64)
    return np.fromstring(said.decode(), dtype=np.int64, sep=",").reshape(-1, width)


def _copied(session: Session, query: Select[Any]) -> bytes:
    """Through COPY, the lines made one line of commas."""
    connection: Any = session.connection()
    compiled = query.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
    with (
        connection.connection.cursor() as cursor,
        cursor.copy(f"COPY ({compiled}) TO STDOUT (FORMAT csv)", compiled.params) as copy,
    ):
        said = b"".join(bytes(part) for part in copy)
    return said.rstrip(b"\n").replace(b"\n", b",")
