"""Bulk writes take typed rows: a NamedTuple or a dataclass with a field per column."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import pytest
from sqlalchemy import Engine, bindparam, select, update
from sqlmodel import col

from models import Account
from models.bulk_insert import bulk_insert
from models.bulk_upsert import TypedRow, add_new, parameters, upsert
from nurture.runtime import database


class TupleRow(NamedTuple):
    key: str
    name: str
    traits: dict[str, str]
    stopped_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DataclassRow:
    key: str
    name: str
    traits: dict[str, str]
    stopped_at: datetime | None
    created_at: datetime
    updated_at: datetime


class NewName(NamedTuple):
    of: str
    name: str


def kept(engine: Engine) -> list[TupleRow]:
    with database.reading(engine) as session:
        columns = [col(getattr(Account, field)) for field in TupleRow._fields]
        return [TupleRow._make(row) for row in session.execute(select(*columns).order_by(col(Account.key)))]


@pytest.mark.parametrize("Row", [TupleRow, DataclassRow])
def test_rows_with_a_field_per_column_are_inserted_or_overwritten(
    engine: Engine, now: datetime, Row: Callable[..., TypedRow]
) -> None:
    first = [Row("foo", "Foo & Søns <GmbH>", {"city": "Hamburg"}, None, now, now), Row("bar", "Bar", {}, now, now, now)]
    with database.writing(engine) as session:
        bulk_insert(session, Account, first[:1])
        assert add_new(session, Account, first) == 1  # foo is there already
    assert kept(engine) == [
        TupleRow("bar", "Bar", {}, now, now, now),
        TupleRow("foo", "Foo & Søns <GmbH>", {"city": "Hamburg"}, None, now, now),
    ]
    with database.writing(engine) as session:
        upsert(session, Account, [Row("bar", "Bar AG", {"a": "b"}, None, now, now)], key=["key"], keep=["stopped_at"])
    assert kept(engine)[0] == TupleRow("bar", "Bar AG", {"a": "b"}, now, now, now)


def test_an_update_takes_typed_rows_as_its_parameters(engine: Engine, now: datetime) -> None:
    with database.writing(engine) as session:
        add_new(session, Account, [TupleRow("foo", "Foo", {}, None, now, now)])
        renamed = update(Account).where(col(Account.key) == bindparam("of")).values(name=bindparam("name"))
        session.connection().execute(renamed, parameters([NewName("foo", "Føø")]))
    assert kept(engine)[0].name == "Føø"


def test_no_rows_write_nothing(engine: Engine) -> None:
    with database.writing(engine) as session:
        bulk_insert(session, Account, [])
        upsert(session, Account, [], key=["key"])
        assert add_new(session, Account, []) == 0
    assert parameters([]) == []
    assert kept(engine) == []
