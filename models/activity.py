"""Activity: something a lead did, on our site or with our letters. Scores are made of these."""

from datetime import datetime

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel

from models.moment import Id, Moment


class Activity(SQLModel, table=True):
    """Append-only. `dedupe` is a 64-bit hash of the source's own id, or of (contact, kind, at, detail)."""

    __table_args__ = (
        Index("activity_contact_at", "contact_id", "at"),  # one lead's history, newest first
        Index("activity_at", "at"),  # the last 30 days of everybody
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    dedupe: int = Field(unique=True, sa_type=BigInteger)
    contact_id: int = Field(foreign_key="contact.id", sa_type=Id)
    account_id: int | None = Field(default=None, sa_type=Id)  # as it was then: the account's clicks without a join
    kind: str  # page_view, pricing_view, download, webinar, form, demo_request, email_open, email_click, reply, meeting …
    at: datetime = Field(sa_type=Moment)
    detail: str | None = None
    campaign: str | None = None
