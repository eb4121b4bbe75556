"""Fetch columns of whole numbers as a NumPy array, without a Python object for each."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import BigInteger, Select, func, literal, select
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import Session

from models.types import write_sql_function


class seconds(FunctionElement[int]):
    """seconds(datetime): whole seconds since 1970, either database; fractions are cut off."""

    type = BigInteger()
    inherit_cache = True


write_sql_function(
    seconds,  # julianday knows milliseconds, and is faster than strftime
    sqlite=lambda moment: f"CAST((julianday({moment}) - 2440587.5) * 86400.0 + 0.0004 AS INTEGER)",
    postgresql=lambda moment: f"CAST(FLOOR(EXTRACT(EPOCH FROM {moment})) AS BIGINT)",
)


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
    """The query's result through COPY, all lines joined by commas."""
    connection: Any = session.connection()
    compiled = query.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
    with (
        connection.connection.cursor() as cursor,
        cursor.copy(f"COPY ({compiled}) TO STDOUT (FORMAT csv)", compiled.params) as copy,
    ):
        said = b"".join(bytes(part) for part in copy)
    return said.rstrip(b"\n").replace(b"\n", b",")
