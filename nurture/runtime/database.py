"""The database, SQLite or PostgreSQL: one engine, one way to read, one way to write."""

import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event
from sqlmodel import Session

import models
from nurture.runtime.settings import settings
from nurture.runtime.sqlite_functions import teach_sqlite

LONGEST_WAIT = 30  # seconds a writer waits for the others


def _dumps(value: Any) -> str:
    """Reasons are written a million times a night: several times as fast as the standard library, which still takes
    what orjson will not (numbers of more than 64 bits, keys that are not plain text)."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value)


def _loads(text: str | bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


JSON: dict[str, Any] = {"json_serializer": _dumps, "json_deserializer": _loads}


def engine_for(url: str) -> Engine:
    """An engine for `url`. SQLite: WAL, FULL, foreign keys, 30 s to wait for a lock;
    PostgreSQL: three timeouts, so that a frozen worker cannot keep the others' locks for ever."""
    if url.startswith("sqlite"):
        if ":memory:" not in url:
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, connect_args={"timeout": LONGEST_WAIT}, hide_parameters=True, **JSON)
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _sqlite_begin)
        return engine
    options = "-c idle_in_transaction_session_timeout=15000 -c lock_timeout=10000 -c statement_timeout=120000"
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://"),
        connect_args={"options": options},
        pool_pre_ping=True,
        hide_parameters=True,
        **JSON,
    )
    event.listen(engine, "handle_error", _remove_key_values)
    return engine


def _remove_key_values(context: ExceptionContext) -> None:
    """Take the values out of PostgreSQL's error: keys are people here, and errors end in logs and on pages."""
    for error in (context.original_exception, context.sqlalchemy_exception):
        if error is not None and error.args:
            error.args = (
                re.sub(r"(?ms)^(DETAIL|CONTEXT):.*?(?=^\S|\Z)", "", str(error.args[0])).rstrip(),
                *error.args[1:],
            )


def _configure_sqlite(connection: Any, _record: Any) -> None:
    teach_sqlite(connection)
    connection.isolation_level = None  # SQLAlchemy's "begin" event writes the BEGIN, see below
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={LONGEST_WAIT * 1000}",
        "cache_size=-65536",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    """A writer takes the write lock at once: a reader that turns writer fails with BUSY however long it would wait."""
    mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
    connection.exec_driver_sql(f"BEGIN {mode}")


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One short transaction that writes; commits at the end, rolls back on any error."""
    with _one_writer_at_a_time(engine), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def _one_writer_at_a_time(engine: Engine) -> Iterator[None]:
    """Let the threads of one process write one after the other, each as soon as the one before has committed.

    SQLite's own queue sleeps and looks again, up to 100 ms at a time. After LONGEST_WAIT a thread asks the database.
    """
    if engine.dialect.name != "sqlite" or engine.url.database in (None, "", ":memory:"):
        yield
        return
    lock = WRITE_LOCKS[engine.url.database]
    locked = lock.acquire(timeout=LONGEST_WAIT)
    try:
        yield
    finally:
        if locked:
            lock.release()


WRITE_LOCKS: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)  # of one process, by file


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """One snapshot to read from, without the write lock."""
    with Session(engine.execution_options(sqlite_begin="DEFERRED"), expire_on_commit=False) as session:
        yield session
        session.rollback()


@contextmanager
def glancing(engine: Engine) -> Iterator[Connection]:
    """A connection for a single question asked often, without what costs more than it: a session, a transaction."""
    bare = {"isolation_level": "AUTOCOMMIT"} if engine.dialect.name == "postgresql" else {"sqlite_begin": "DEFERRED"}
    with engine.connect() as connection:
        yield connection.execution_options(**bare)


@lru_cache(4)
def engine_at(url: str) -> Engine:
    """The process's engine for a database, made once."""
    return engine_for(url)


def here() -> Engine:
    """The engine that the settings name."""
    return engine_at(settings().database)


def migrations(engine: Engine, connection: Connection) -> Config:
    """Alembic's configuration for a connection: no ini file, no guessing."""
    config = Config()
    config.set_main_option("script_location", str(Path(models.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def prepare(engine: Engine) -> None:
    """Bring the database's tables to this version of the program; in an empty database, make them. Safe to repeat."""
    with engine.connect() as connection:
        command.upgrade(migrations(engine, connection), "head")
        connection.commit()


def is_there(url: str) -> bool:
    """Has anybody made this database? Asked before an engine is, which would make SQLite's file."""
    return not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).is_file()


def revision(engine: Engine) -> tuple[str | None, str | None]:
    """(the database's migration, the newest one this program has): where they differ, call `prepare`."""
    with engine.connect() as connection:
        script = ScriptDirectory.from_config(migrations(engine, connection))
        return MigrationContext.configure(connection).get_current_revision(), script.get_current_head()
