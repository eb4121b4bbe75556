"""Opportunity: a deal with an account. An open one stops the account's sequences; won and lost ones teach the score."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import case, func, select
from sqlmodel import Field, Session, SQLModel, col

from models.types import Id, Json, Moment


class OpportunityOutcome(StrEnum):
    OPEN = "open"
    WON = "won"
    LOST = "lost"


class OpportunityStage(StrEnum):
    """How far an open opportunity is, in this order."""

    TENDER = "tender"
    EVALUATION = "evaluation"
    QUOTE = "quote"
    CONTRACT = "contract"


class Opportunity(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    key: str = Field(unique=True)
    account_id: int = Field(foreign_key="account.id", index=True, sa_type=Id)
    contact_id: int | None = Field(default=None, foreign_key="contact.id", sa_type=Id)
    name: str
    outcome: str = Field(default=OpportunityOutcome.OPEN)
    stage: str | None = None  # Phase, while it is open
    solution: str | None = None  # a name in solutions.toml
    tender_due_at: datetime | None = Field(default=None, sa_type=Moment)  # answers to the tender are due
    decision_at: datetime | None = Field(default=None, sa_type=Moment)  # the next decision
    criteria: str | None = None  # how they will score the answers: "price 40, energy 30, delivery 30"
    amount_cents: int | None = Field(default=None, sa_type=Id)
    currency: str = "EUR"
    opened_at: datetime = Field(sa_type=Moment)
    closed_at: datetime | None = Field(default=None, sa_type=Moment)
    traits: dict[str, Any] = Field(default_factory=dict, sa_type=Json)


def deals(session: Session, account_ids: Iterable[int | None], now: datetime) -> dict[int, dict[str, int]]:
    """How many opportunities each account had by `now`: {account: {"open": 1, "won": 0, "lost": 2}}. By the index on
    account_id. One that was closed later was open then."""
    found: dict[int, dict[str, int]] = {}
    wanted = sorted({one for one in account_ids if one is not None})
    closed_later = col(Opportunity.closed_at) > now
    outcome = case((closed_later, OpportunityOutcome.OPEN.value), else_=col(Opportunity.outcome)).label("outcome")
    for start in range(0, len(wanted), 5_000):
        query = (
            select(col(Opportunity.account_id), outcome, func.count())
            .where(col(Opportunity.account_id).in_(wanted[start : start + 5_000]), col(Opportunity.opened_at) <= now)
            .group_by(col(Opportunity.account_id), outcome)
        )
        for account_id, how, times in session.execute(query):
            found.setdefault(account_id, {})[how] = times
    return found
