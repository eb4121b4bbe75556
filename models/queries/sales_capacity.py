"""Room: how much of sales' time is spoken for, and who waits for the rest of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from models.account import Account
from models.address import Address
from models.contact import Contact, Market, Stage
from models.handoff import Decision, Handoff
from models.score import Score


def unanswered_before(session: Session, since: datetime) -> dict[str, int]:
    """How many leads each salesperson was offered before a moment and has not answered. Reads the open ones."""
    rows = session.execute(
        select(col(Handoff.owner_email), func.count().label("times"))
        .where(col(Handoff.state) == Decision.OFFERED, col(Handoff.offered_at) <= since)
        .group_by(col(Handoff.owner_email))
    )
    return {row.owner_email: row.times for row in rows}


def offered_since(session: Session, since: datetime, now: datetime) -> list[dict[str, Any]]:
    """The leads offered after a moment, each once, as they score now: score, probability, owner_email."""
    rows = session.execute(
        select(col(Score.contact_id), col(Score.score), col(Score.probability), col(Handoff.owner_email))
        .join(Score, col(Score.contact_id) == Handoff.contact_id)
        .where(col(Handoff.offered_at) > since, col(Handoff.offered_at) <= now)
        .order_by(col(Handoff.id))
    )
    return list({row["contact_id"]: dict(row) for row in rows.mappings()}.values())


def warmest(session: Session, now: datetime, most: int) -> list[dict[str, Any]]:
    """The `most` business leads with the highest scores who are not with sales, whatever else stands against them.

    Backwards along `ix_score_score`.
    """
    rows = session.execute(
        select(
            col(Contact.id).label("contact_id"),
            col(Contact.account_id),
            col(Contact.stage),
            col(Score.score),
            col(Score.probability),
            col(Address.suppressed_why),
            col(Account.owner_email),
        )
        .join(Contact, col(Contact.id) == Score.contact_id)
        .join(Address, col(Address.address) == Contact.address)
        .outerjoin(Account, col(Account.id) == Contact.account_id)
        .where(
            col(Score.scored_at) <= now,
            col(Contact.market) == Market.B2B,
            col(Contact.stage).in_((Stage.LEAD, Stage.MQL, Stage.RECYCLED)),
        )
        .order_by(col(Score.score).desc(), col(Score.contact_id))
        .limit(most)
    )
    return [dict(row) for row in rows.mappings()]
