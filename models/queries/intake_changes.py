"""How a set of rows from a file meets what the tables hold: what is new, what changes, and what stays as it is.

An empty cell never erases what is known, and a file imported twice changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import bindparam, text, update
from sqlmodel import Session, SQLModel

from models.bulk_upsert import NamedRow, fields_of, values_of

Trait = str | int | float  # the value of a column that the mapping did not name
TraitValues = dict[str, Trait]
R = TypeVar("R", bound=NamedTuple)


@dataclass
class SavedRows:
    """What became of a set of rows. `refused` says of a row, by its place in the set, why it could not be saved."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    no_stays: int = 0  # rows that say yes of somebody who has said no
    refused: dict[int, tuple[str, str]] = field(default_factory=dict)  # place → (field, why)


class Change(NamedTuple):
    """A row of a table as it should stand: its id, and a field per column that is written."""

    id: int
    row: NamedRow


def lock_intake(session: Session) -> None:
    """Let imports write one after the other until this transaction ends: SQLite does so anyway, PostgreSQL needs an
    advisory lock."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtext('nurture intake'))"))


def merge(old: R, said: R) -> R:
    """The row as it should stand: what the file said, and where it said nothing (None) what was there."""
    return old._make([was if now is None else now for was, now in zip(old, said, strict=True)])


def merge_traits(old: Mapping[str, Trait] | None, said: TraitValues) -> TraitValues:
    """TraitValues as they should stand: those of the file beside those that it does not name."""
    return {**(old or {}), **said}


def save_changes(
    session: Session, model: type[SQLModel], changes: Sequence[Change], updated_at: datetime | None = None
) -> None:
    """Update rows of a table by their id: every column of the typed rows, all of one type, and when they changed."""
    if not changes:
        return
    table: Any = model.__table__  # type: ignore[attr-defined]
    names = fields_of(changes[0].row)
    same = {} if updated_at is None else {"updated_at": updated_at}
    columns = {name: f"new_{name}" for name in (*names, *same)}  # an UPDATE keeps its columns' own names for itself
    values = {name: bindparam(bound, type_=table.c[name].type) for name, bound in columns.items()}
    statement = update(table).where(table.c.id == bindparam("changed_id")).values(values)
    rows = values_of([change.row for change in changes])
    bound = ("changed_id", *columns.values())
    last = tuple(same.values())
    session.connection().execute(
        statement,
        [dict(zip(bound, (change.id, *row, *last), strict=True)) for change, row in zip(changes, rows, strict=True)],
    )


def fingerprint(said: str) -> int:
    """64 bits of what was said, signed as both databases keep them."""
    return int.from_bytes(blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)
