"""Opportunity: a deal with an account. An open one stops the account's sequences; won and lost ones teach the score."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Field, SQLModel

from models.moment import Id, Json, Moment


class Outcome(StrEnum):
    OPEN = "open"
    WON = "won"
    LOST = "lost"


class Opportunity(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    key: str = Field(unique=True)
    account_id: int = Field(foreign_key="account.id", index=True, sa_type=Id)
    contact_id: int | None = Field(default=None, foreign_key="contact.id", sa_type=Id)
    name: str
    outcome: str = Field(default=Outcome.OPEN)
    amount_cents: int | None = Field(default=None, sa_type=Id)
    currency: str = "EUR"
    opened_at: datetime = Field(sa_type=Moment)
    closed_at: datetime | None = Field(default=None, sa_type=Moment)
    traits: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
