"""Import: one file that arrived, what was good in it and what was not."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.moment import Id, Moment


class Import(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    file: str  # its name, not its folder
    kind: str  # accounts, contacts, activities, orders, opportunities
    sha256: str
    rows: int
    good: int
    rejected: int
    rejects_file: str | None = None
    at: datetime = Field(sa_type=Moment)
