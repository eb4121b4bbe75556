"""Score: how likely a lead, or an account, is to buy, and why. One current row each; reasons in plain words."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypedDict

from sqlalchemy import JSON, Dialect, func, select
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, Session, SQLModel, col

from models.account import Account
from models.bulk_upsert import upsert
from models.contact import Contact
from models.segment import Segment
from models.types import Id, Moment


class StoredReason(TypedDict):
    """A reason as the column `reasons` keeps it, in JSON: `points` are whole points with one decimal."""

    text: str
    points: float
    part: str


class ScoreReason(NamedTuple):
    """One reason of a score. Points are tenths of a point, whole numbers, so that a sum of reasons is exact."""

    text: str
    tenths: int
    part: str  # "fit" or "engagement"; for an account "people", "group", "recency" or "chance"

    @property
    def stored(self) -> StoredReason:
        """The same as the column `reasons` keeps it."""
        return {"text": self.text, "points": self.tenths / 10, "part": self.part}


class ReasonsJson(TypeDecorator[list[StoredReason]]):
    """Reasons as JSON: score reasons go in, what comes out are stored reasons."""

    impl = JSON
    cache_ok = True

    def process_bind_param(
        self, value: Sequence[ScoreReason] | list[StoredReason] | None, dialect: Dialect
    ) -> list[StoredReason] | None:
        """Stored reasons, in the order given; those that are so already stay as they are."""
        return value and [one if isinstance(one, dict) else one.stored for one in value]  # type: ignore[return-value]


class Score(SQLModel, table=True):
    """`fit`, `engagement` and `score` run 0–100; `grade` is A–D (fit) × 1–4 (engagement), e.g. "B2"."""

    contact_id: int = Field(primary_key=True, foreign_key="contact.id", sa_type=Id)
    version: str  # which rules file (its digest) or model made it
    fit: float
    engagement: float
    score: float = Field(index=True)
    probability: float | None = None  # to convert, 0–1; none where the rules made the score
    grade: str
    reasons: list[dict[str, str | float]] = Field(
        default_factory=list, sa_type=ReasonsJson
    )  # StoredReason each, strongest first
    last_activity_at: datetime | None = Field(default=None, sa_type=Moment)
    scored_at: datetime = Field(sa_type=Moment)


class AccountScore(SQLModel, table=True):
    """An account's `score` runs 0–100; its reasons add up to it, except for the learned chance, which has no points."""

    __tablename__ = "account_score"

    account_id: int = Field(primary_key=True, foreign_key="account.id", sa_type=Id)
    version: str
    score: float
    probability: float | None = None  # that it opens an opportunity within the horizon; None: the rules stay
    completeness: float = 0.0  # share of the needed roles filled, weighted by confidence, 0–1
    missing_role: str | None = None
    missing_why: str | None = None  # what its absence costs, where the record of deals tells
    members: int = 0
    reasons: list[dict[str, str | float]] = Field(default_factory=list, sa_type=ReasonsJson)
    scored_at: datetime = Field(sa_type=Moment)


class LeadToScore(NamedTuple):
    """What the scoring rules look at of one lead. The last three are a shopper's; None without an order."""

    id: int
    market: str
    address: str
    title: str | None
    locale: str | None
    country: str | None  # the contact's, else the account's
    traits: dict[str, Any] | None  # the customer's own columns, from JSON
    industry: str | None
    employees: int | None
    tier: str | None
    channel: str | None
    account_traits: dict[str, Any] | None
    role: str | None
    role_confidence: float | None  # 0–1
    persona: str | None
    department: str | None
    seniority: str | None
    recency_days: int | None = None  # since the last order
    frequency: int | None = None  # orders in the last 365 days
    spent: int | None = None  # whole units of currency in the last 365 days


class NewScore(NamedTuple):
    """A lead's score as it is written; see `Score` for the meaning of each column."""

    contact_id: int
    version: str
    scored_at: datetime
    probability: float | None
    fit: float
    engagement: float
    score: float
    grade: str
    reasons: Sequence[ScoreReason]
    last_activity_at: datetime | None


class ScoredMember(NamedTuple):
    """One person of an account with what counts for the account's score; `contact_id` None: nobody is known there."""

    account_id: int
    contact_id: int | None
    role: str | None
    title_role: str | None  # what the title says, before a person or behaviour changed the role
    role_confidence: float | None  # 0–1
    score: float | None
    grade: str | None
    last_activity_at: datetime | None


class NewAccountScore(NamedTuple):
    """An account's score as it is written; see `AccountScore` for the meaning of each column."""

    account_id: int
    version: str
    scored_at: datetime
    score: float
    completeness: float
    missing_role: str | None
    members: int
    reasons: Sequence[ScoreReason]
    probability: float | None = None
    missing_why: str | None = None


class BestLead(NamedTuple):
    """One of the best leads, with whatever a person wants to see of them first."""

    contact_id: int
    first_name: str | None
    last_name: str | None
    address: str
    account: str | None
    role: str | None
    score: float
    grade: str
    fit: float
    engagement: float
    reasons: list[StoredReason]
    version: str


def leads(
    session: Session, first: int, last: int, most: int, now: datetime, markets: Sequence[str]
) -> list[LeadToScore]:
    """What the rules look at, for the next `most` contacts of some markets from id `first` to `last`, along the primary
    key."""
    rows = session.execute(
        select(
            col(Contact.id),
            col(Contact.market),
            col(Contact.address),
            col(Contact.title),
            col(Contact.locale),
            func.coalesce(Contact.country, Account.country).label("country"),
            col(Contact.traits),
            col(Account.industry),
            col(Account.employees),
            col(Account.tier),
            col(Account.channel),
            col(Account.traits).label("account_traits"),
            col(Segment.role),
            col(Segment.role_confidence),
            col(Segment.persona),
            col(Segment.department),
            col(Segment.seniority),
        )
        .outerjoin(Account, col(Account.id) == Contact.account_id)
        .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
        .where(col(Contact.id).between(first, last), col(Contact.created_at) <= now, col(Contact.market).in_(markets))
        .order_by(col(Contact.id))
        .limit(most)
    )
    return [LeadToScore(*row) for row in rows]


def write(session: Session, scores: Sequence[NewScore]) -> None:
    """Writes leads' scores; yesterday's score of a lead makes way for today's."""
    upsert(session, Score, scores, key=["contact_id"])


def members(session: Session, first: int, last: int, now: datetime) -> list[ScoredMember]:
    """The people of the accounts `first` to `last` with what counts for the account, account by account.

    An account of which nobody is known has one row without a contact.
    """
    rows = session.execute(
        select(
            col(Account.id).label("account_id"),
            col(Contact.id).label("contact_id"),
            col(Segment.role),
            col(Segment.title_role),
            col(Segment.role_confidence),
            col(Score.score),
            col(Score.grade),
            col(Score.last_activity_at),
        )
        .select_from(Account)
        .outerjoin(Contact, (col(Contact.account_id) == Account.id) & (col(Contact.created_at) <= now))
        .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
        .outerjoin(Score, col(Score.contact_id) == Contact.id)
        .where(col(Account.id).between(first, last), col(Account.created_at) <= now)
        .order_by(col(Account.id), col(Contact.id))
    )
    return list(map(ScoredMember._make, rows))


def write_accounts(session: Session, scores: Sequence[NewAccountScore]) -> None:
    """Writes accounts' scores; yesterday's score of an account makes way for today's."""
    upsert(session, AccountScore, scores, key=["account_id"])


def best(session: Session, n: int) -> list[BestLead]:
    """The `n` highest scores with their person, account and role, the highest first."""
    return list(
        map(
            BestLead._make,
            session.execute(
            select(
                col(Score.contact_id),
                col(Contact.first_name), col(Contact.last_name),
                col(Contact.address), col(Account.name).label("account"), col(Segment.role), col(Score.score),
                col(Score.grade), col(Score.fit), col(Score.engagement), col(Score.reasons), col(Score.version),
            )
            .join(Contact, col(Contact.id) == Score.contact_id)
            .outerjoin(Account, col(Account.id) == Contact.account_id)
            .outerjoin(Segment, col(Segment.contact_id) == Score.contact_id)
            .order_by(col(Score.score).desc(), col(Score.contact_id))
            .limit(n)
        ))
    )  # fmt: skip
