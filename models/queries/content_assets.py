"""Content assets: who reads, how far they are, and what of the library they have had, by letter or by themselves."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, Table, func, or_, select
from sqlmodel import Session, col

from models.activity import Activity
from models.bulk_upsert import among
from models.contact import Contact
from models.delivery_states import State
from models.message import TABLE as MESSAGE
from models.message import Message
from models.opportunity import Opportunity, OpportunityOutcome, OpportunityStage
from models.segment import Segment

FOUND = ("download", "webinar", "form", "email_click")  # kinds whose detail is a content asset's name or address


class ContentReader(NamedTuple):
    """A contact with all by which a content asset is chosen for them."""

    contact_id: int
    locale: str
    stage: str
    account_id: int | None
    role: str | None
    title_role: str | None
    persona: str | None
    phase: str | None = None  # of their account's furthest open deal


class LetterWithContent(NamedTuple):
    """A letter somebody has had, or may still get, in any campaign."""

    contact_id: int
    campaign: str
    version_id: int
    letter: str
    assets: Mapping[str, str] | None  # kind asked for → slug of the content asset it carries


def readers(session: Session, contact_ids: Sequence[int], now: datetime) -> dict[int, ContentReader]:
    """Contacts, by id, as content is chosen for them.

    By primary keys and the index on the opportunities' account.
    """
    rows = session.execute(
        select(
            col(Contact.id), col(Contact.locale), col(Contact.stage), col(Contact.account_id), col(Segment.role),
            col(Segment.title_role), col(Segment.persona),
        )
        .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
        .where(among(CONTACT.c.id, "ids")),
        {"ids": list(contact_ids)},
    )  # fmt: skip
    people = [ContentReader(*row) for row in rows.all()]
    accounts = sorted({reader.account_id for reader in people if reader.account_id})
    order = [phase.value for phase in OpportunityStage]
    furthest: dict[int, str] = {}
    deals = select(col(Opportunity.account_id), col(Opportunity.stage)).where(
        among(OPPORTUNITY.c.account_id, "accounts"),
        col(Opportunity.stage).in_(order),
        col(Opportunity.opened_at) <= now,
        or_(col(Opportunity.outcome) == OpportunityOutcome.OPEN, col(Opportunity.closed_at) > now),
    )
    for account_id, stage in session.execute(deals, {"accounts": accounts}) if accounts else ():
        furthest[account_id] = max(furthest.get(account_id, stage), stage, key=order.index)
    return {one.contact_id: one._replace(phase=furthest.get(one.account_id or 0)) for one in people}


def letters_had(session: Session, contact_ids: Sequence[int]) -> list[LetterWithContent]:
    """The letters these contacts have had, or may still get, in any campaign. By the index on the messages' contact."""
    query: Select[tuple[int | None, str, int, str, dict[str, str] | None]] = select(
        col(Message.contact_id), col(Message.campaign), col(Message.version_id), col(Message.letter),
        col(Message.content_assets),
    ).where(
        among(MESSAGE.c.contact_id, "ids"),
        col(Message.handoff_id).is_(None),
        col(Message.state).not_in((State.SKIPPED, State.REFUSED)),
    )  # fmt: skip
    return list(map(LetterWithContent._make, session.execute(query, {"ids": list(contact_ids)}).all()))


def found_themselves(session: Session, contact_ids: Sequence[int], now: datetime) -> dict[int, set[str]]:
    """What these contacts downloaded, watched or followed by themselves, in the words of the activity."""
    query = (
        select(col(Activity.contact_id), func.lower(Activity.detail))
        .where(
            among(ACTIVITY.c.contact_id, "ids"),
            col(Activity.kind).in_(FOUND),
            col(Activity.at) <= now,
            col(Activity.detail).is_not(None),
        )
        .distinct()
    )
    found: dict[int, set[str]] = {}
    for contact_id, detail in session.execute(query, {"ids": list(contact_ids)}):
        found.setdefault(contact_id, set()).add(detail)
    return found


CONTACT: Table = Contact.__table__  # type: ignore[attr-defined]
ACTIVITY: Table = Activity.__table__  # type: ignore[attr-defined]
OPPORTUNITY: Table = Opportunity.__table__  # type: ignore[attr-defined]
