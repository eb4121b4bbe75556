"""Score: how likely a lead, or an account, is to buy, and why. One current row each; reasons in plain words."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from models.moment import Id, Json, Moment


class Score(SQLModel, table=True):
    """`fit`, `engagement` and `score` run 0–100; `grade` is A–D (fit) × 1–4 (engagement), e.g. "B2"."""

    contact_id: int = Field(primary_key=True, foreign_key="contact.id", sa_type=Id)
    version: str  # which rules file (its digest) or model made it
    fit: float
    engagement: float
    score: float = Field(index=True)
    grade: str
    reasons: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)  # [{"text", "points"}], strongest first
    last_activity_at: datetime | None = Field(default=None, sa_type=Moment)
    scored_at: datetime = Field(sa_type=Moment)


class AccountScore(SQLModel, table=True):
    __tablename__ = "account_score"

    account_id: int = Field(primary_key=True, foreign_key="account.id", sa_type=Id)
    version: str
    score: float
    completeness: float = 0.0  # share of the needed roles filled, weighted by confidence, 0–1
    missing_role: str | None = None
    members: int = 0
    reasons: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    scored_at: datetime = Field(sa_type=Moment)
