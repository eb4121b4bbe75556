"""Sales capacity: how much of sales' time is spoken for, and which leads wait for the rest of it."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session, col

from models.handoff import Decision, Handoff
from models.queries.call_list import WarmLead, warm_leads
from models.score import Score


class OfferedLead(NamedTuple):
    """A lead that was offered to a salesperson, as it scores now: 0–100, and the probability 0–1 where one is known."""

    contact_id: int
    score: float
    probability: float | None
    owner_email: str


def unanswered_before(session: Session, since: datetime) -> dict[str, int]:
    """How many leads each salesperson was offered before a moment and has not answered. Reads the open ones."""
    rows = session.execute(
        select(col(Handoff.owner_email), func.count().label("times"))
        .where(col(Handoff.state) == Decision.OFFERED, col(Handoff.offered_at) <= since)
        .group_by(col(Handoff.owner_email))
    )
    return {row.owner_email: row.times for row in rows}


def offered_since(session: Session, since: datetime, now: datetime) -> list[OfferedLead]:
    """The leads offered after a moment, each once, as they score now."""
    rows = session.execute(
        select(col(Score.contact_id), col(Score.score), col(Score.probability), col(Handoff.owner_email))
        .join(Score, col(Score.contact_id) == Handoff.contact_id)
        .where(col(Handoff.offered_at) > since, col(Handoff.offered_at) <= now)
        .order_by(col(Handoff.id))
    )
    return list({lead.contact_id: lead for lead in map(OfferedLead._make, rows)}.values())


def warmest(session: Session, now: datetime, most: int) -> list[WarmLead]:
    """The `most` business leads with the highest scores who are not with sales, whatever else stands against them.

    Backwards along `ix_score_score`.
    """
    query = warm_leads(now).order_by(col(Score.score).desc(), col(Score.contact_id)).limit(most)
    return [WarmLead._make(row) for row in session.execute(query)]
