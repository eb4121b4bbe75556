"""Segment: which persona and buying role a contact has, or which kind of shopper, and how sure we are."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

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


CONFIRMABLE = ("role", "persona", "department", "seniority")  # what a person can speak of


class Segment(SQLModel, table=True):
    """One row per contact. Roles, personas and seniority are of B2B contacts, `shopper` and money of consumers."""

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


class SegmentValues(NamedTuple):
    """What a segment says: by the rules, or as a person confirmed it. Confidences run 0–1; money is in cents."""

    role: str | None = None
    title_role: str | None = None
    role_confidence: float = 0.0
    persona: str | None = None
    persona_confidence: float = 0.0
    department: str | None = None
    seniority: str | None = None
    evidence: str | None = None
    shopper: str | None = None
    recency_days: int | None = None
    frequency: int | None = None
    monetary_cents: int | None = None


class SegmentPerson(NamedTuple):
    """A contact with the segment they have; without one its columns, `segmented_at` too, are None."""

    id: int
    market: str
    title: str | None
    stage: str
    account_id: int | None
    role: str | None = None
    title_role: str | None = None
    role_confidence: float | None = None
    persona: str | None = None
    persona_confidence: float | None = None
    department: str | None = None
    seniority: str | None = None
    evidence: str | None = None
    shopper: str | None = None
    recency_days: int | None = None
    frequency: int | None = None
    monetary_cents: int | None = None
    confirmed: list[str] | None = None
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None
    segmented_at: datetime | None = None

    @property
    def confirmed_fields(self) -> Sequence[str]:
        """The columns a person has spoken of: all, where an older version kept only who spoke."""
        return self.confirmed or () if self.confirmed is not None or not self.confirmed_by else CONFIRMABLE


class NewSegment(NamedTuple):
    """A segment to be written. `confirmed_at`: as it stood when the rules looked."""

    contact_id: int
    confirmed_at: datetime | None
    segmented_at: datetime
    values: SegmentValues


class StoredSegment(NamedTuple):
    """One contact's segment: the columns of its row."""

    contact_id: int
    department: str | None
    seniority: str | None
    role: str | None
    role_confidence: float
    title_role: str | None
    persona: str | None
    persona_confidence: float
    evidence: str | None
    shopper: str | None
    recency_days: int | None
    frequency: int | None
    monetary_cents: int | None
    confirmed: list[str] | None
    confirmed_by: str | None
    confirmed_at: datetime | None
    segmented_at: datetime


_FIRST = SegmentPerson._fields.index("role")
_VALUES = slice(_FIRST, _FIRST + len(SegmentValues._fields))


def says_otherwise(person: SegmentPerson, values: SegmentValues) -> bool:
    """Is there no segment yet, or one that says something else?"""
    return person.segmented_at is None or person[_VALUES] != values


def segment_people(session: Session, first: int, last: int, most: int, now: datetime) -> list[SegmentPerson]:
    """The next `most` contacts from id `first` on with the segment they have: a walk along the primary key."""
    rows = session.execute(
        select(
            col(Contact.id), col(Contact.market), col(Contact.title), col(Contact.stage), col(Contact.account_id),
            col(Segment.role), col(Segment.title_role), col(Segment.role_confidence), col(Segment.persona),
            col(Segment.persona_confidence), col(Segment.department), col(Segment.seniority), col(Segment.evidence),
            col(Segment.shopper), col(Segment.recency_days), col(Segment.frequency), col(Segment.monetary_cents),
            col(Segment.confirmed), col(Segment.confirmed_by), col(Segment.confirmed_at), col(Segment.segmented_at),
        )
        .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
        .where(col(Contact.id).between(first, last), col(Contact.created_at) <= now)
        .order_by(col(Contact.id))
        .limit(most)
    )  # fmt: skip
    return [SegmentPerson._make(row) for row in rows]


def segment_of(session: Session, contact_id: int) -> StoredSegment | None:
    """One contact's segment; None when nobody has looked at them yet."""
    columns = [Segment.__table__.c[name] for name in StoredSegment._fields]  # type: ignore[attr-defined]
    row = session.execute(select(*columns).where(col(Segment.contact_id) == contact_id)).first()
    return StoredSegment._make(row) if row else None


def save_segments(session: Session, segments: Sequence[NewSegment]) -> None:
    """Save what the rules found, except where a person has spoken since the rules looked.

    Who was spoken of meanwhile is looked at again at the next run.
    """
    if not segments:
        return
    statement = insert_into(session, Segment)
    changing = {name: statement.excluded[name] for name in ("segmented_at", *SegmentValues._fields)}
    as_read = col(Segment.confirmed_at).is_not_distinct_from(statement.excluded.confirmed_at)
    session.execute(
        statement.on_conflict_do_update(index_elements=["contact_id"], set_=changing, where=as_read),
        [
            {"contact_id": one.contact_id, "confirmed_at": one.confirmed_at, "segmented_at": one.segmented_at,
             **one.values._asdict()}
            for one in segments
        ],
    )  # fmt: skip
