"""What a letter may say about its reader: person, role, account and owner, a plain row per message of an attempt."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from models.account import Account
from models.bulk_upsert import among
from models.contact import Contact
from models.handoff import Handoff, HandoffContext, HandoffReason
from models.message import TABLE as MESSAGE
from models.message import plain
from models.queries.eligibility import addresses_mailed_today, letters_lately, messages_with_facts
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
    pieces: dict[str, str] | None = None  # kind asked for → content asset


def recipients(
    session: Session, message_ids: Sequence[int], now: datetime, *, days: int, caps: bool
) -> list[dict[str, Any]]:
    """The readers of messages, in the order of their ids, with all that could forbid them. Primary keys all the way.

    With `caps` also person_lately and account_today: how many letters they, and whom at their account, got lately.
    """
    wanted = {"ids": message_ids, **({"lately": now - timedelta(days=days)} if caps else {})}
    rows = plain(session.execute(CAPPED if caps else READERS, wanted))
    accounts = {row["account_id"] for row in rows if row["account_id"]} if caps else set()
    today = addresses_mailed_today(session, accounts, now)
    for row in rows:
        row["account_today"] = len(today[row["account_id"]] - {row["address"]}) if row["account_id"] in today else 0
    return rows


class MailedHandoff(NamedTuple):
    """A handoff as the mail to its salesperson shows it."""

    id: int
    score: float
    grade: str
    reasons: list[HandoffReason]
    context: HandoffContext
    due_at: datetime


def handoffs(session: Session, ids: list[int]) -> dict[int, MailedHandoff]:
    """The handoffs that mails to sales speak of, by id."""
    if not ids:
        return {}
    columns = (Handoff.id, Handoff.score, Handoff.grade, Handoff.reasons, Handoff.context, Handoff.due_at)
    question = select(*map(col, columns)).where(col(Handoff.id).in_(ids))
    return {row.id: row for row in map(MailedHandoff._make, session.execute(question))}


RECIPIENT_COLUMNS = itemgetter(*Recipient._fields)


def as_recipient(row: Mapping[str, Any]) -> Recipient:
    """The letter's half of a row of `recipients`."""
    return Recipient._make(RECIPIENT_COLUMNS(row))


CONTACT: Table = Contact.__table__  # type: ignore[attr-defined]
ACCOUNT: Table = Account.__table__  # type: ignore[attr-defined]
SEGMENT: Table = Segment.__table__  # type: ignore[attr-defined]
READERS = (
    messages_with_facts()
    .outerjoin(SEGMENT, SEGMENT.c.contact_id == MESSAGE.c.contact_id)
    .add_columns(
        MESSAGE.c.id.label("message_id"),
        MESSAGE.c.content_assets.label("pieces"),
        func.coalesce(CONTACT.c.email, MESSAGE.c.address).label("email"),
        CONTACT.c.first_name,
        CONTACT.c.last_name,
        CONTACT.c.title,
        CONTACT.c.market,
        func.coalesce(CONTACT.c.locale, "en").label("locale"),
        CONTACT.c.phone,
        CONTACT.c.stage,
        SEGMENT.c.role,
        SEGMENT.c.persona,
        SEGMENT.c.shopper,
        ACCOUNT.c.name.label("account_name"),
        ACCOUNT.c.industry,
        ACCOUNT.c.employees,
        ACCOUNT.c.country.label("account_country"),
        ACCOUNT.c.tier,
        ACCOUNT.c.channel,
        ACCOUNT.c.volume,
        ACCOUNT.c.group_volume,
        ACCOUNT.c.growth,
        ACCOUNT.c.owner_name,
        ACCOUNT.c.owner_email,
    )
    .where(among(MESSAGE.c.id, "ids"))
    .order_by(MESSAGE.c.id)
)
CAPPED = READERS.add_columns(letters_lately().label("person_lately"))
