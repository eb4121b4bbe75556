"""Handoff: a lead given to a salesperson with its reasons and a due time, and what they said."""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypedDict

from sqlalchemy import Index, Select, func, select, text, update
from sqlmodel import Field, Session, SQLModel, col

from models.account import Account
from models.contact import Contact, Stage, StageMove, move_stages
from models.score import AccountScore, StoredReason
from models.segment import Segment
from models.types import Id, Json, Moment


class Decision(StrEnum):
    """The state of a handoff: offered, or what the salesperson decided."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    RECYCLED = "recycled"  # back to nurture: not now


class ContactCard(TypedDict):
    """The lead in a handoff's context."""

    name: str
    title: str
    role: str
    phone: str
    email: str


class MemberCard(TypedDict):
    """Somebody of the lead's account in a handoff's context. `last_seen`: "yesterday", "3 weeks ago"; empty: never."""

    name: str
    title: str
    role: str
    grade: str
    last_seen: str


class HandoffAccount(TypedDict):
    """The lead's account in a handoff's context. `completeness` runs 0–1, `score` 0–100."""

    name: str
    industry: str
    employees: int
    country: str
    tier: str
    score: float
    completeness: float
    missing_role: str
    missing_why: str
    mqa: bool
    reasons: list[str]
    members: list[MemberCard]


class ActivityCard(TypedDict):
    """Something the lead did lately, in a handoff's context. `when`: in words."""

    kind: str
    detail: str
    when: str


class HandoffContext(TypedDict):
    """The account as sales saw it on the day of the handoff, as it is kept in JSON."""

    contact: ContactCard
    account: HandoffAccount
    lately: list[ActivityCard]
    owner_zone: str


class Handoff(SQLModel, table=True):
    """One row each time a lead is offered to a salesperson; a lead has at most one open one."""

    __table_args__ = (
        Index(
            "one_open_handoff",
            "contact_id",
            unique=True,
            sqlite_where=text("state = 'offered'"),
            postgresql_where=text("state = 'offered'"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    contact_id: int = Field(foreign_key="contact.id", index=True, sa_type=Id)
    account_id: int | None = Field(default=None, sa_type=Id)
    owner_email: str = Field(index=True)
    state: str = Field(default=Decision.OFFERED)
    score: float
    grade: str
    score_version: str
    reasons: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)  # StoredReasons
    context: dict[str, Any] = Field(default_factory=dict, sa_type=Json)  # HandoffContext
    offered_at: datetime = Field(sa_type=Moment)
    due_at: datetime = Field(sa_type=Moment)
    decided_at: datetime | None = Field(default=None, sa_type=Moment)
    decided_why: str | None = None  # the salesperson's reason: a rejection is a label


class HandoffLead(NamedTuple):
    """A handoff with its lead and the lead's account as they are now."""

    id: int
    owner_email: str
    state: str
    score: float
    grade: str
    due_at: datetime
    reasons: list[StoredReason]
    decided_at: datetime | None
    decided_why: str | None
    contact_id: int
    first_name: str | None
    last_name: str | None
    title: str | None
    email: str
    phone: str | None
    role: str | None
    account_id: int | None
    account: str | None
    owner_name: str | None
    industry: str | None
    employees: int | None
    country: str | None
    account_score: float | None
    completeness: float | None
    missing_role: str | None
    missing_why: str | None


STAGE_AFTER = {  # what a decision makes of the lead; a lead that is further by now stays there
    Decision.ACCEPTED: Stage.SAL,
    Decision.REJECTED: Stage.RECYCLED,
    Decision.RECYCLED: Stage.RECYCLED,
}
NOT_YET_WITH_SALES = (Stage.LEAD, Stage.MQL, Stage.RECYCLED)


def decide(session: Session, handoff_id: int, decision: str, why: str | None, now: datetime) -> bool:
    """Write down what the salesperson said. The first decision wins: False when there is one already."""
    done = session.execute(
        update(Handoff)
        .where(col(Handoff.id) == handoff_id, col(Handoff.state) == Decision.OFFERED)
        .values(state=decision, decided_at=now, decided_why=why)
    )
    if not done.rowcount:  # type: ignore[attr-defined]
        return False
    lead = session.execute(
        select(col(Contact.id), col(Contact.stage))
        .join(Handoff, col(Handoff.contact_id) == Contact.id)
        .where(col(Handoff.id) == handoff_id)
        .with_for_update(of=Contact)
    ).one()
    to, said = STAGE_AFTER[Decision(decision)], f"sales: {decision}" + (f", {why}" if why else "")
    if lead.stage in NOT_YET_WITH_SALES and lead.stage != to:
        move_stages(session, [StageMove(lead.id, lead.stage, to, said)], now)
    return True


def handoff_lead(session: Session, handoff_id: int) -> HandoffLead | None:
    """A handoff with its lead and the lead's account as they are now; None where there is none. By primary keys."""
    row = session.execute(_leads().where(col(Handoff.id) == handoff_id)).first()
    return HandoffLead._make(row) if row else None


def open_leads(session: Session, owner_email: str) -> list[HandoffLead]:
    """What a salesperson has not answered yet, the most urgent first: by the index on owner."""
    query = _leads().where(col(Handoff.owner_email) == owner_email, col(Handoff.state) == Decision.OFFERED)
    rows = session.execute(query.order_by(col(Handoff.due_at), col(Handoff.id)))
    return [HandoffLead._make(row) for row in rows]


def _leads() -> Select[Any]:
    """The columns of HandoffLead, in its order."""
    return (
        select(
            col(Handoff.id), col(Handoff.owner_email), col(Handoff.state), col(Handoff.score), col(Handoff.grade),
            col(Handoff.due_at), col(Handoff.reasons), col(Handoff.decided_at), col(Handoff.decided_why),
            col(Contact.id), col(Contact.first_name), col(Contact.last_name), col(Contact.title), col(Contact.email),
            col(Contact.phone), col(Segment.role), col(Account.id), col(Account.name), col(Account.owner_name),
            col(Account.industry), col(Account.employees), func.coalesce(Contact.country, Account.country),
            col(AccountScore.score), col(AccountScore.completeness), col(AccountScore.missing_role),
            col(AccountScore.missing_why),
        )
        .join(Contact, col(Contact.id) == Handoff.contact_id)
        .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
        .outerjoin(Account, col(Account.id) == Handoff.account_id)
        .outerjoin(AccountScore, col(AccountScore.account_id) == Handoff.account_id)
    )  # fmt: skip
