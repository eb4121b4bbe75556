"""Handoff: a lead given to a salesperson with its reasons and a due time, and what they said."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, RowMapping, Select, func, select, text, update
from sqlmodel import Field, Session, SQLModel, col

from models.account import Account
from models.contact import Contact, Stage, move
from models.score import AccountScore
from models.segment import Segment
from models.types import Id, Json, Moment


class Decision(StrEnum):
    OFFERED = "offered"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    RECYCLED = "recycled"  # back to nurture: not now


class Handoff(SQLModel, table=True):
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
    reasons: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    context: dict[str, Any] = Field(default_factory=dict, sa_type=Json)  # the account as sales sees it on that day
    offered_at: datetime = Field(sa_type=Moment)
    due_at: datetime = Field(sa_type=Moment)
    decided_at: datetime | None = Field(default=None, sa_type=Moment)
    decided_why: str | None = None  # the salesperson's reason: a rejection is a label


STAGES = {  # what a decision makes of the lead; a lead that is further by now stays there
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
    to, said = STAGES[Decision(decision)], f"sales: {decision}" + (f", {why}" if why else "")
    if lead.stage in NOT_YET_WITH_SALES and lead.stage != to:
        move(session, [{"contact_id": lead.id, "stage_from": lead.stage, "stage_to": to, "why": said}], now)
    return True


def lead(session: Session, handoff_id: int) -> RowMapping | None:
    """A handoff with its lead and the lead's account as they are now. One row by primary keys."""
    query = _leads(Handoff.context, Handoff.reasons, Handoff.offered_at, Handoff.decided_at, Handoff.decided_why)
    return session.execute(query.where(col(Handoff.id) == handoff_id)).mappings().first()


def open_leads(session: Session, owner_email: str) -> list[RowMapping]:
    """What a salesperson has not answered yet, the most urgent first: by the index on owner."""
    query = _leads().where(col(Handoff.owner_email) == owner_email, col(Handoff.state) == Decision.OFFERED)
    return list(session.execute(query.order_by(col(Handoff.due_at), col(Handoff.id))).mappings())


def _leads(*more: Any) -> Select[Any]:
    return (
        select(
            col(Handoff.id), col(Handoff.owner_email), col(Handoff.state), col(Handoff.score), col(Handoff.grade),
            col(Handoff.due_at), *map(col, more), col(Contact.id).label("contact_id"), col(Contact.first_name),
            col(Contact.last_name), col(Contact.title), col(Contact.email), col(Contact.phone), col(Segment.role),
            col(Account.id).label("account_id"), col(Account.name).label("account"), col(Account.owner_name),
            col(Account.industry), col(Account.employees),
            func.coalesce(Contact.country, Account.country).label("country"),
            col(AccountScore.score).label("account_score"), col(AccountScore.completeness),
            col(AccountScore.missing_role), col(AccountScore.missing_why),
        )
        .join(Contact, col(Contact.id) == Handoff.contact_id)
        .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
        .outerjoin(Account, col(Account.id) == Handoff.account_id)
        .outerjoin(AccountScore, col(AccountScore.account_id) == Handoff.account_id)
    )  # fmt: skip
