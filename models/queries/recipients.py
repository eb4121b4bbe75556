"""What a letter may say about its reader: person, role, account and owner, a typed row per message of an attempt."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Table, func, literal, select
from sqlalchemy.orm import Session
from sqlmodel import col

from models.account import Account
from models.bulk_upsert import among
from models.contact import Contact
from models.handoff import Handoff, HandoffContext
from models.message import TABLE as MESSAGE
from models.queries.eligibility import ROW, EligibilityRow, addresses_mailed_today, letters_lately, messages_with_facts
from models.score import StoredReason
from models.segment import Segment


class Recipient(NamedTuple):
    """The reader of a message, as far as a letter may speak of them. What we do not know is None."""

    message_id: int
    letter: str
    address: str  # of the message: where a mail to sales goes
    email: str  # as the reader writes it
    handoff_id: int | None = None  # of a mail to sales
    role: str | None = None
    locale: str = "en"
    country: str | None = None
    time_zone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    title: str | None = None
    persona: str | None = None
    shopper: str | None = None
    account_name: str | None = None
    industry: str | None = None
    employees: int | None = None
    tier: str | None = None
    channel: str | None = None  # how the account buys
    volume: int | None = None
    group_volume: int | None = None
    growth: float | None = None
    owner_name: str | None = None
    owner_email: str | None = None
    content_assets: dict[str, str] | None = None  # kind asked for → slug of a content asset


class DueMessage(NamedTuple):
    """A message about to be claimed: its reader, all that could forbid it, and what the caps count."""

    recipient: Recipient
    eligibility: EligibilityRow
    letters_lately: int  # to this address, in the campaign's `per_days`; 0 where no caps are counted
    colleagues_today: int  # at the account whom we write to today already


def recipients(
    session: Session, message_ids: Sequence[int], now: datetime, *, days: int, caps: bool
) -> list[DueMessage]:
    """The readers of messages, in the order of their ids, with all that could forbid them. Primary keys all the way.

    With `caps` also how many letters they had in the last `days`, and how many at their account had one today.
    """
    wanted = {"ids": message_ids, **({"lately": now - timedelta(days=days)} if caps else {})}
    found = session.execute(CAPPED if caps else READERS, wanted).all()
    facts = [EligibilityRow._make(row[READER_COLUMNS:FACT_COLUMNS]) for row in found]
    today = addresses_mailed_today(session, {one.account_id for one in facts if one.account_id} if caps else (), now)
    return [
        DueMessage(
            Recipient._make(row[:READER_COLUMNS]), its, row[FACT_COLUMNS],
            len(today[its.account_id] - {its.address}) if its.account_id in today else 0,
        )
        for row, its in zip(found, facts, strict=True)
    ]  # fmt: skip


class MailedHandoff(NamedTuple):
    """A handoff as the mail to its salesperson shows it."""

    id: int
    score: float
    grade: str
    reasons: list[StoredReason]
    context: HandoffContext
    due_at: datetime


def handoffs(session: Session, ids: list[int]) -> dict[int, MailedHandoff]:
    """The handoffs that mails to sales speak of, by id."""
    if not ids:
        return {}
    columns = (Handoff.id, Handoff.score, Handoff.grade, Handoff.reasons, Handoff.context, Handoff.due_at)
    question = select(*map(col, columns)).where(col(Handoff.id).in_(ids))
    return {row.id: row for row in map(MailedHandoff._make, session.execute(question))}


CONTACT: Table = Contact.__table__  # type: ignore[attr-defined]
ACCOUNT: Table = Account.__table__  # type: ignore[attr-defined]
SEGMENT: Table = Segment.__table__  # type: ignore[attr-defined]
READER_COLUMNS = len(Recipient._fields)
FACT_COLUMNS = READER_COLUMNS + len(EligibilityRow._fields)  # and after them the count of letters
_UNCAPPED = (
    messages_with_facts(
        MESSAGE.c.id,  # of a Recipient, in its order
        MESSAGE.c.letter,
        MESSAGE.c.address,
        func.coalesce(CONTACT.c.email, MESSAGE.c.address).label("email"),
        MESSAGE.c.handoff_id,
        SEGMENT.c.role,
        func.coalesce(CONTACT.c.locale, "en").label("locale"),
        func.coalesce(CONTACT.c.country, ACCOUNT.c.country).label("country"),
        CONTACT.c.time_zone,
        CONTACT.c.first_name,
        CONTACT.c.last_name,
        CONTACT.c.title,
        SEGMENT.c.persona,
        SEGMENT.c.shopper,
        ACCOUNT.c.name,
        ACCOUNT.c.industry,
        ACCOUNT.c.employees,
        ACCOUNT.c.tier,
        ACCOUNT.c.channel,
        ACCOUNT.c.volume,
        ACCOUNT.c.group_volume,
        ACCOUNT.c.growth,
        ACCOUNT.c.owner_name,
        ACCOUNT.c.owner_email,
        MESSAGE.c.content_assets,
        *ROW,
    )
    .outerjoin(SEGMENT, SEGMENT.c.contact_id == MESSAGE.c.contact_id)
    .where(among(MESSAGE.c.id, "ids"))
    .order_by(MESSAGE.c.id)
)
READERS = _UNCAPPED.add_columns(literal(0).label("letters_lately"))
CAPPED = _UNCAPPED.add_columns(letters_lately().label("letters_lately"))
