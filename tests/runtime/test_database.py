"""The database: who waits for whom, and that an error names a table and never a person."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.exc import IntegrityError

from models import Account, Address, Market
from models.bulk_upsert import among
from nurture.runtime import database


def test_an_error_names_nobody(engine: Engine) -> None:
    someone = {"address": "zoe.obrien@foo.example"}
    with database.writing(engine) as session:
        session.execute(insert(Address), [someone])
    with pytest.raises(IntegrityError) as caught, database.writing(engine) as session:
        session.execute(insert(Address), [someone])
    said = f"{caught.value} {caught.value.orig} {caught.value.args} {caught.value.orig.args}"
    assert "zoe.obrien" not in said
    assert "address" in said


def test_what_is_committed_is_kept_and_what_fails_is_not(engine: Engine) -> None:
    def writes_and_stumbles() -> None:
        with database.writing(engine) as session:
            session.execute(insert(Address), [{"address": "a@b.example"}])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        writes_and_stumbles()
    with database.reading(engine) as session:
        assert session.execute(text("SELECT count(*) FROM address")).scalar() == 0


def test_a_reader_sees_one_moment_while_a_writer_writes(engine: Engine) -> None:
    count = text("SELECT count(*) FROM address")
    with database.reading(engine) as reader:
        before = reader.execute(count).scalar()
        with database.writing(engine) as writer:  # neither waits for the other
            writer.execute(insert(Address), [{"address": "a@b.example"}])
        if engine.dialect.name == "sqlite":  # PostgreSQL at READ COMMITTED sees each statement's own moment
            assert reader.execute(count).scalar() == before


def test_the_promise_rests_on_durable_commits(engine: Engine) -> None:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            pragmas = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in
                       ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}  # fmt: skip
            assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
        else:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
            assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "10s"
            assert connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar() == "15s"


def test_a_list_of_any_length_is_one_value_of_a_statement(engine: Engine) -> None:
    table = Address.__table__  # type: ignore[attr-defined]
    question = select(table.c.address).where(among(table.c.address, "wanted")).order_by(table.c.address)
    with database.writing(engine) as session:
        session.execute(insert(Address), [{"address": address} for address in ("a@b", "c@d", "é'\"@f")])
        for wanted in ([], ["c@d"], ["é'\"@f", "a@b", "nobody@b"]):
            found = session.execute(question, {"wanted": wanted}).scalars().all()
            assert found == sorted(set(wanted) - {"nobody@b"})


@pytest.mark.parametrize("value", [{"a": "ü"}, {1: [2.5, None]}, {"huge": 2**70}, {Market.B2B: "key"}])
def test_json_is_kept_whatever_its_keys_and_numbers(engine: Engine, now: datetime, value: dict[Any, Any]) -> None:
    with database.writing(engine) as session:
        session.add(Account(key="a", name="A", traits=value, created_at=now, updated_at=now))
    with database.reading(engine) as session:
        kept = session.execute(select(Account.traits)).scalar_one()
    assert kept == {str(key): one for key, one in value.items()}
