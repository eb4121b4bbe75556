"""The migrations make exactly the tables the models speak of, on both databases."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine

from models import metadata
from nurture.runtime import database


def test_an_empty_database_becomes_what_the_models_say(database_url: str) -> None:
    engine = database.engine_for(database_url)
    database.prepare(engine)
    database.prepare(engine)  # a second time changes nothing
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert len(set(database.revision(engine))) == 1
    engine.dispose()


def test_a_database_without_tables_says_so(database_url: str) -> None:
    engine: Engine = database.engine_for(database_url)
    has, newest = database.revision(engine)
    assert has is None
    assert newest is not None
    engine.dispose()
