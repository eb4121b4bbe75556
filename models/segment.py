"""Segment: which persona and buying role a contact has, or which kind of shopper, and how sure we are."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlmodel import Field, Session, SQLModel, col

from models.bulk_upsert import insert_into
from models.contact import Contact
from models.types import Id, MaybeJson, Moment


class Role(StrEnum):
    """The buying roles: this is the one list. Who has which is said in title_words/roles.toml."""

    SPECIFIER = "specifier"
    AUTHORIZER = "authorizer"
    USER = "user"
    PURCHASER = "purchaser"
    FINANCE = "finance"
    CHAMPION = "champion"  # by what they do, never by their title
    GATEKEEPER = "gatekeeper"


ROLES = tuple(str(role) for role in Role)


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
    confirmed: list[str] | None = Field(
        default=None, sa_type=MaybeJson
    )  # the columns a person has spoken of: theirs for good
    confirmed_by: str | None = None  # who spoke last
    confirmed_at: datetime | None = Field(default=None, sa_type=Moment)
    segmented_at: datetime = Field(sa_type=Moment)


def people(session: Session, first: int, last: int, most: int, now: datetime) -> list[dict[str, Any]]:
    """The next `most` contacts from id `first` on with the segment they have: a walk along the primary key."""
    rows = session.execute(
        select(
            col(Contact.id),
            col(Contact.market),
            col(Contact.title),
            col(Contact.stage),
            col(Contact.account_id),
            col(Segment.role),
            col(Segment.title_role),
            col(Segment.role_confidence),
            col(Segment.persona),
            col(Segment.persona_confidence),
            col(Segment.department),
            col(Segment.seniority),
            col(Segment.evidence),
            col(Segment.shopper),
            col(Segment.recency_days),
            col(Segment.frequency),
            col(Segment.monetary_cents),
            col(Segment.confirmed),
            col(Segment.confirmed_by),
            col(Segment.confirmed_at),
            col(Segment.segmented_at),
        )
        .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
        .where(col(Contact.id).between(first, last), col(Contact.created_at) <= now)
        .order_by(col(Contact.id))
        .limit(most)
    )
    return [dict(row) for row in rows.mappings()]


def of(session: Session, contact_id: int) -> dict[str, Any]:
    """One contact's segment; empty when nobody has looked at them yet."""
    row = session.execute(select(*Segment.__table__.c).where(col(Segment.contact_id) == contact_id)).mappings().first()  # type: ignore[attr-defined]
    return dict(row) if row else {}


def write(session: Session, segments: Sequence[dict[str, Any]]) -> None:
    """Save what the rules found, except where a person has spoken since the rules looked.

    Rows carry `confirmed_at` as it stood then; who was spoken of meanwhile is looked at again at the next run.
    """
    if not segments:
        return
    statement = insert_into(session, Segment)
    changing = {name: statement.excluded[name] for name in segments[0] if name not in ("contact_id", "confirmed_at")}
    as_read = col(Segment.confirmed_at).is_not_distinct_from(statement.excluded.confirmed_at)
    session.execute(
        statement.on_conflict_do_update(index_elements=["contact_id"], set_=changing, where=as_read), segments
    )
