"""Account: a company we may sell to."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from models.types import Id, Json, Moment


class Account(SQLModel, table=True):
    """One row per company; `key` is the customer's own identifier, `traits` every column the mapping did not name."""

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    key: str = Field(unique=True)
    name: str
    domain: str | None = None
    industry: str | None = None
    country: str | None = None  # ISO 3166 alpha-2
    employees: int | None = None
    tier: str | None = None
    channel: str | None = None  # how they buy: direct, distributor, online …
    volume: int | None = None  # units they buy in a year
    group_volume: int | None = None  # units their purchasing group buys in a year, themselves included
    growth: float | None = None  # percent more than the year before
    owner_email: str | None = Field(default=None, index=True)  # the salesperson
    owner_name: str | None = None
    stopped_at: datetime | None = Field(default=None, sa_type=Moment)  # sequences leave everybody here alone
    stopped_why: str | None = None  # reply, opportunity_open, meeting_booked, owner
    traits: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    created_at: datetime = Field(sa_type=Moment)
    updated_at: datetime = Field(sa_type=Moment)
