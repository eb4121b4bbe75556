"""What the mailbox of one machine shows: accepted messages, newest first, page by page."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from models.contact import Contact
from models.delivery_states import State
from models.message import Message


class MailboxFilter(NamedTuple):
    """What to show; an empty word means any. `language`: a locale, or the first part of one."""

    campaign: str = ""
    address: str = ""
    language: str = ""
    text: str = ""


class PostedLetter(NamedTuple):
    """A line of the mailbox: which letter, to whom, when, and what came of it."""

    id: int
    campaign: str
    letter: str
    address: str
    accepted_at: datetime
    outcome: str | None
    locale: str | None


def accepted_letters(session: Session, wanted: MailboxFilter, first: int, most: int) -> tuple[list[PostedLetter], int]:
    """What was accepted, newest first, from the position `first` on, and how many there are in all.

    Reads all accepted rows: this is for the mailbox of one machine, not for a million letters.
    """
    found = (
        select(col(Message.id))
        .outerjoin(Contact, col(Contact.id) == Message.contact_id)
        .where(col(Message.state) == State.ACCEPTED)
    )
    if wanted.campaign:
        found = found.where(col(Message.campaign) == wanted.campaign)
    if wanted.address:
        found = found.where(col(Message.address) == wanted.address)
    if wanted.language:
        dialects = col(Contact.locale).startswith(f"{wanted.language}-", autoescape=True)
        found = found.where(or_(col(Contact.locale) == wanted.language, dialects))
    for word in wanted.text.split()[:8]:
        places = (Message.address, Message.campaign, Message.letter, Contact.first_name, Contact.last_name)
        found = found.where(or_(*(col(place).icontains(word, autoescape=True) for place in places)))
    total = session.execute(select(func.count()).select_from(found.subquery())).scalar_one()
    page = found.order_by(col(Message.accepted_at).desc(), col(Message.id).desc()).limit(most).offset(first)
    columns = (Message.campaign, Message.letter, Message.address, Message.accepted_at, Message.outcome, Contact.locale)
    return [PostedLetter._make(row) for row in session.execute(page.add_columns(*map(col, columns)))], total


def campaigns_in_mailbox(session: Session) -> list[str]:
    """The campaigns with accepted messages, by name."""
    query = select(col(Message.campaign)).where(col(Message.state) == State.ACCEPTED).distinct()
    return sorted(session.execute(query).scalars())
