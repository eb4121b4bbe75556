"""What a letter may say about its reader: person, role, account and owner, a plain row per message of an attempt."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from models.account import Account
from models.contact import Contact
from models.handoff import Handoff
from models.message import Message, plain
from models.segment import Segment


def recipients(session: Session, attempt_id: str) -> list[dict[str, Any]]:
    """The readers of an attempt's messages, in the order of their ids. Primary keys all the way."""
    return plain(
        session.execute(
            select(
                col(Message.id).label("message_id"),
                col(Message.letter),
                col(Message.address),
                col(Message.handoff_id),
                func.coalesce(Contact.email, Message.address).label("email"),
                col(Contact.first_name),
                col(Contact.last_name),
                col(Contact.title),
                col(Contact.market),
                func.coalesce(Contact.locale, "en").label("locale"),
                col(Contact.phone),
                col(Contact.stage),
                func.coalesce(Contact.country, Account.country).label("country"),
                col(Contact.time_zone),
                col(Segment.role),
                col(Segment.persona),
                col(Segment.shopper),
                col(Account.name).label("account_name"),
                col(Account.industry),
                col(Account.employees),
                col(Account.country).label("account_country"),
                col(Account.tier),
                col(Account.channel),
                col(Account.owner_name),
                col(Account.owner_email),
            )
            .outerjoin(Contact, col(Contact.id) == Message.contact_id)
            .outerjoin(Segment, col(Segment.contact_id) == Message.contact_id)
            .outerjoin(Account, col(Account.id) == Message.account_id)
            .where(col(Message.attempt_id) == attempt_id)
            .order_by(col(Message.id))
        )
    )


def handoffs(session: Session, ids: list[int]) -> dict[int, dict[str, Any]]:
    """The handoffs that mails to sales speak of, by id."""
    question = select(*Handoff.__table__.c).where(col(Handoff.id).in_(ids))  # type: ignore[attr-defined]
    return {row["id"]: row for row in plain(session.execute(question))}
