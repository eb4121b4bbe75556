"""Segment: which persona and buying role a contact has, or which kind of shopper, and how sure we are."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel

from models.moment import Id, Moment


class Role(StrEnum):
    SPECIFIER = "specifier"
    AUTHORIZER = "authorizer"
    USER = "user"
    PURCHASER = "purchaser"
    FINANCE = "finance"
    CHAMPION = "champion"
    GATEKEEPER = "gatekeeper"


class Segment(SQLModel, table=True):
    contact_id: int = Field(primary_key=True, foreign_key="contact.id", sa_type=Id)
    department: str | None = None
    seniority: str | None = None
    role: str | None = Field(default=None, index=True)  # B2B
    role_confidence: float = 0.0
    title_role: str | None = None  # what the title alone says: a champion by behaviour keeps it
    persona: str | None = None
    persona_confidence: float = 0.0
    evidence: str | None = None  # what spoke for it: "'chief procurement' → Purchasing, Director"
    shopper: str | None = Field(default=None, index=True)  # B2C: prospect, new, loyal, champion, lapsing, lapsed
    recency_days: int | None = None
    frequency: int | None = None  # orders in the last 365 days
    monetary_cents: int | None = Field(default=None, sa_type=Id)  # spent in the last 365 days
    confirmed_by: str | None = None  # a person's word wins for good
    confirmed_at: datetime | None = Field(default=None, sa_type=Moment)
    segmented_at: datetime = Field(sa_type=Moment)
