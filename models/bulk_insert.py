"""Pour many new rows into a table at the database's own speed, past the machinery that builds statements row by row."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection
from sqlmodel import Session, SQLModel

from models.bulk_upsert import Row
from models.types import Moment

Written = Callable[[Any], Any]


def pour(session: Session, model: type[SQLModel], rows: Sequence[Row]) -> None:
    """Insert rows, all with the same columns, none of them there yet. SQLite: one prepared statement; PostgreSQL: COPY.

    Three to five times as fast as `insert(table)` with the same rows, which is the difference between 15,000 and 40,000
    contacts a second.
    """
    if not rows:
        return
    table: Any = model.__table__  # type: ignore[attr-defined]
    connection = session.connection()
    names = list(rows[0])
    postgresql = connection.dialect.name == "postgresql"
    written = [_written(table.c[name].type, postgresql) for name in names]
    special = [(i, how) for i, how in enumerate(written) if how]
    tuples = []
    for row in rows:
        values = list(row.values())
        for i, how in special:
            if values[i] is not None:
                values[i] = how(values[i])
        tuples.append(tuple(values))
    columns = ", ".join(f'"{name}"' for name in names)
    if postgresql:
        _copy(connection, f'COPY "{table.name}" ({columns}) FROM STDIN', tuples)
    else:
        holes = ", ".join("?" * len(names))
        connection.exec_driver_sql(f'INSERT INTO "{table.name}" ({columns}) VALUES ({holes})', tuples)  # noqa: S608  our own names


def pour_names(session: Session, model: type[SQLModel], column: str, names: Collection[str]) -> None:
    """Insert rows of one column; a name that is there already, or comes at this very moment, changes nothing."""
    if not names:
        return
    connection = session.connection()
    into = f'INSERT INTO "{model.__table__.name}" ("{column}")'  # type: ignore[attr-defined]
    if connection.dialect.name == "postgresql":
        sorted_names = sorted(names)  # two writers meet in one order, or they would wait for each other for ever
        connection.exec_driver_sql(f"{into} SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", (sorted_names,))
    else:
        connection.exec_driver_sql(f"{into} VALUES (?) ON CONFLICT DO NOTHING", [(name,) for name in names])


def _copy(connection: Connection, statement: str, tuples: Sequence[tuple[Any, ...]]) -> None:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in tuples:
            copy.write_row(row)


def _written(kind: Any, postgresql: bool) -> Written | None:
    """How the driver wants a value of this column; None where it takes it as it is."""
    if isinstance(kind, Moment):
        return None if postgresql else _sqlite_moments()
    if kind.__class__.__name__ == "JSON":
        return _json
    return None


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _sqlite_moments() -> Written:
    """As SQLAlchemy writes them; most rows of a set share the same few."""
    known: dict[datetime, str] = {}

    def write(value: datetime) -> str:
        found = known.get(value)
        if found is None:
            if value.tzinfo is None:
                raise ValueError(f"naive datetime {value!r}: give moments a time zone, e.g. datetime(..., tzinfo=UTC)")
            if len(known) > 10_000:
                known.clear()
            found = known[value] = value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        return found

    return write
