"""Import: the record of a file that was taken in."""

from datetime import datetime
from typing import NamedTuple

from sqlmodel import Field, Session, SQLModel

from models.bulk_upsert import add_new
from models.types import Id, Moment


class Import(SQLModel, table=True):
    """One row per file and run; the rows that were rejected stand in `rejects_file`."""

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    file: str  # its name, not its folder
    kind: str  # accounts, contacts, activities, orders, opportunities
    sha256: str
    rows: int
    good: int
    rejected: int
    rejects_file: str | None = None
    at: datetime = Field(sa_type=Moment)


class ImportRecord(NamedTuple):
    """What is kept of an import, a field per column."""

    file: str
    kind: str
    sha256: str
    rows: int
    good: int
    rejected: int
    rejects_file: str | None
    at: datetime


def record_import(session: Session, record: ImportRecord) -> None:
    """Keep the record of a finished import."""
    add_new(session, Import, [record])
