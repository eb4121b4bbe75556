"""Insert many new rows at the database's own speed, past the machinery that builds statements row by row."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import JSON, Connection, Table
from sqlalchemy.types import TypeEngine
from sqlmodel import Session, SQLModel

from models.bulk_upsert import ColumnValue, TypedRow, fields_of, values_of
from models.types import Moment

Written = Callable[[ColumnValue], str]  # how the driver wants a value


def bulk_insert(session: Session, model: type[SQLModel], rows: Sequence[TypedRow]) -> None:
    """Insert rows, all of one type, none of them there yet. SQLite: one prepared statement; PostgreSQL: COPY.

    Three to five times as fast as `insert(table)` with the same rows, which is the difference between 15,000 and 40,000
    contacts a second.
    """
    if not rows:
        return
    table: Table = model.__table__  # type: ignore[attr-defined]
    connection = session.connection()
    names, tuples = fields_of(rows[0]), values_of(rows)
    postgresql = connection.dialect.name == "postgresql"
    special = [(i, how) for i, name in enumerate(names) if (how := _written(table.c[name].type, postgresql))]
    if special:
        tuples = _converted(tuples, special)
    columns = ", ".join(f'"{name}"' for name in names)
    if postgresql:
        _copy(connection, f'COPY "{table.name}" ({columns}) FROM STDIN', tuples)
    else:
        holes = ", ".join("?" * len(names))
        connection.exec_driver_sql(f'INSERT INTO "{table.name}" ({columns}) VALUES ({holes})', list(tuples))  # noqa: S608  our own names


def _converted(
    rows: Sequence[Sequence[ColumnValue]], special: Sequence[tuple[int, Written]]
) -> list[tuple[ColumnValue, ...]]:
    """The rows with those values written as the driver wants them that it would not write so by itself."""
    converted = []
    for row in rows:
        values = list(row)
        for i, write in special:
            if values[i] is not None:
                values[i] = write(values[i])
        converted.append(tuple(values))
    return converted


def bulk_insert_names(session: Session, model: type[SQLModel], column: str, names: Collection[str]) -> None:
    """Insert rows of one column; a name that is there already, or that another inserts meanwhile, changes nothing."""
    if not names:
        return
    connection = session.connection()
    into = f'INSERT INTO "{model.__table__.name}" ("{column}")'  # type: ignore[attr-defined]
    if connection.dialect.name == "postgresql":
        sorted_names = sorted(names)  # two writers meet in one order, or they would wait for each other for ever
        connection.exec_driver_sql(f"{into} SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", (sorted_names,))
    else:
        connection.exec_driver_sql(f"{into} VALUES (?) ON CONFLICT DO NOTHING", [(name,) for name in names])


def _copy(connection: Connection, statement: str, tuples: Sequence[tuple[ColumnValue, ...]]) -> None:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in tuples:
            copy.write_row(row)


def _written(kind: TypeEngine[Any], postgresql: bool) -> Written | None:
    """How the driver wants a value of this column; None where it takes it as it is."""
    if isinstance(kind, Moment):
        return None if postgresql else _sqlite_moments()
    if isinstance(getattr(kind, "impl_instance", kind), JSON):  # also below a TypeDecorator
        return _json
    return None


def _json(value: ColumnValue) -> str:
    return orjson.dumps(value).decode()


def _sqlite_moments() -> Written:
    """As SQLAlchemy writes them; most rows of a set share the same few."""
    known: dict[datetime, str] = {}

    def write(value: ColumnValue) -> str:
        if not isinstance(value, datetime):
            raise TypeError(f"{value!r} is no moment")
        found = known.get(value)
        if found is None:
            if value.tzinfo is None:
                raise ValueError(f"naive datetime {value!r}: give moments a time zone, e.g. datetime(..., tzinfo=UTC)")
            if len(known) > 10_000:
                known.clear()
            found = known[value] = value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        return found

    return write
