"""Score: how likely a lead, or an account, is to buy, and why. One current row each; reasons in plain words."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, func, select
from sqlmodel import Field, Session, SQLModel, col

from models.account import Account
from models.bulk_upsert import upsert
from models.contact import Contact
from models.segment import Segment
from models.types import Id, Json, Moment


class Score(SQLModel, table=True):
    """`fit`, `engagement` and `score` run 0–100; `grade` is A–D (fit) × 1–4 (engagement), e.g. "B2"."""

    contact_id: int = Field(primary_key=True, foreign_key="contact.id", sa_type=Id)
    version: str  # which rules file (its digest) or model made it
    fit: float
    engagement: float
    score: float = Field(index=True)
    probability: float | None = None  # to convert, 0–1; none where the rules made the score
    grade: str
    reasons: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)  # [{"text", "points"}], strongest first
    last_activity_at: datetime | None = Field(default=None, sa_type=Moment)
    scored_at: datetime = Field(sa_type=Moment)


class AccountScore(SQLModel, table=True):
    __tablename__ = "account_score"

    account_id: int = Field(primary_key=True, foreign_key="account.id", sa_type=Id)
    version: str
    score: float
    probability: float | None = None  # that it opens an opportunity within the horizon; None: the rules stay
    completeness: float = 0.0  # share of the needed roles filled, weighted by confidence, 0–1
    missing_role: str | None = None
    missing_why: str | None = None  # what its absence costs, where the record of deals tells
    members: int = 0
    reasons: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    scored_at: datetime = Field(sa_type=Moment)


def leads(
    session: Session, first: int, last: int, most: int, now: datetime, markets: Sequence[str]
) -> list[dict[str, Any]]:
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
    return [dict(row) for row in rows.mappings()]


def write(session: Session, scores: Sequence[dict[str, Any]]) -> None:
    """Yesterday's score of a lead makes way for today's."""
    upsert(session, Score, scores, key=["contact_id"])


def members(session: Session, first: int, last: int, now: datetime) -> list[dict[str, Any]]:
    """The people of the accounts `first` to `last` with what counts for the account, account by account."""
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
    return [dict(row) for row in rows.mappings()]


def write_accounts(session: Session, scores: Sequence[dict[str, Any]]) -> None:
    upsert(session, AccountScore, scores, key=["account_id"])


def best(session: Session, n: int) -> list[RowMapping]:
    """The `n` highest scores with their person, account and role."""
    return list(
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
        ).mappings()
    )  # fmt: skip
