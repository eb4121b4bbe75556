"""Eligibility: all that could forbid a message, asked of the database for many messages at once."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Table, bindparam, func, or_, select
from sqlalchemy.orm import Session

from models.bulk_upsert import among
from models.campaign import CampaignVersion
from models.delivery_states import TAKEN_UP, State
from models.message import ACCOUNT, ADDRESS, CLAIMED_IN, CONTACT, SALES, TABLE, WORKING_DAY
from models.types import Moment


class EligibilityRow(NamedTuple):
    """One message with all that could forbid it, but for caps and pauses."""

    message_id: int
    address: str
    account_id: int | None
    suppressed_why: str | None
    consent: str | None
    account_stopped_why: str | None
    country: str | None
    time_zone: str | None
    not_after: datetime


class EligibilityGroup(NamedTuple):
    """What messages have in common that could forbid them, with the earliest of their ends."""

    suppressed_why: str | None
    consent: str | None
    account_stopped_why: str | None
    country: str | None
    time_zone: str | None
    not_after: datetime


def facts_by_group(session: Session, attempt_ids: Sequence[str]) -> list[EligibilityGroup]:
    """All that could forbid the claimed messages of some attempts: a row for all for whom it is the same.

    A thousand readers are three or four rows. Primary keys and `message_attempt`.
    """
    return list(map(EligibilityGroup._make, session.execute(FACTS_BY_GROUP, {"attempts": attempt_ids}).all()))


def facts_by_message(session: Session, attempt_ids: Sequence[str]) -> list[EligibilityRow]:
    """The same for each message by itself, in the order of their ids."""
    return list(map(EligibilityRow._make, session.execute(FACTS_BY_MESSAGE, {"attempts": attempt_ids}).all()))


def letters_lately() -> ColumnElement[int]:
    """How many letters somebody has had, or is about to get, since `lately`. Found by `message_address`."""
    t, other = TABLE.c, OTHER.c
    return (
        select(func.count())
        .where(
            other.address == t.address,
            other.id != t.id,
            other.campaign != SALES,
            or_(other.accepted_at > bindparam("lately", type_=Moment), other.state.in_(TAKEN_UP)),
        )
        .scalar_subquery()
    )


def skipped_or_refused(
    session: Session, version_id: int, step: int, reasons: Iterable[str], after: int, most: int
) -> list[EligibilityRow]:
    """Messages of a step that were skipped or refused for these reasons, after an id. Reads `message_ledger`."""
    t = TABLE.c
    which = (
        t.campaign == select(VERSION.c.campaign).where(VERSION.c.id == version_id).scalar_subquery(),
        t.version_id == version_id,
        t.step == step,
        t.state.in_((State.SKIPPED, State.REFUSED)),
        t.reason.in_(list(reasons)),
        t.id > after,
    )
    found = session.execute(messages_with_facts(*ROW).where(*which).order_by(t.id).limit(most))
    return list(map(EligibilityRow._make, found.all()))


def addresses_mailed_today(session: Session, accounts: Iterable[int], now: datetime) -> dict[int, set[str]]:
    """Whom at these accounts we have written to, or taken up, today: each account's messages are read once."""
    found: dict[int, set[str]] = {}
    wanted = {"accounts": sorted(accounts), "morning": now - WORKING_DAY}
    for account_id, address in session.execute(TODAY, wanted) if wanted["accounts"] else ():
        found.setdefault(account_id, set()).add(address)
    return found


def messages_with_facts(*columns: ColumnElement[Any]) -> Select[Any]:
    """Columns of messages, and of their readers' addresses, contacts and accounts: all that could forbid them but for
    caps is `ROW`."""
    t = TABLE.c
    return (
        select(*columns)
        .select_from(TABLE)
        .join(ADDRESS, ADDRESS.c.address == t.address)
        .outerjoin(CONTACT, CONTACT.c.id == t.contact_id)
        .outerjoin(ACCOUNT, ACCOUNT.c.id == t.account_id)
    )


VERSION: Table = CampaignVersion.__table__  # type: ignore[attr-defined]
OTHER = TABLE.alias("other")  # made once: an alias copies all columns
FORBID = (
    ADDRESS.c.suppressed_why, CONTACT.c.consent, ACCOUNT.c.stopped_why,
    func.coalesce(CONTACT.c.country, ACCOUNT.c.country).label("country"), CONTACT.c.time_zone,
)  # fmt: skip
ROW = (TABLE.c.id, TABLE.c.address, TABLE.c.account_id, *FORBID, TABLE.c.not_after)  # of an EligibilityRow

# Made ready once: to put a statement together takes longer than to run it.
FACTS_BY_MESSAGE = messages_with_facts(*ROW).where(*CLAIMED_IN).order_by(TABLE.c.id)
FACTS_BY_GROUP = (
    messages_with_facts(*FORBID, func.min(TABLE.c.not_after, type_=Moment).label("not_after"))
    .where(*CLAIMED_IN)
    .group_by(
        ADDRESS.c.suppressed_why, CONTACT.c.consent, CONTACT.c.time_zone, CONTACT.c.country, ACCOUNT.c.country,
        ACCOUNT.c.stopped_why,
    )
)  # fmt: skip
TODAY = (
    select(TABLE.c.account_id, TABLE.c.address)
    .distinct()
    .where(
        among(TABLE.c.account_id, "accounts"),
        TABLE.c.campaign != SALES,
        or_(TABLE.c.accepted_at > bindparam("morning", type_=Moment), TABLE.c.state.in_(TAKEN_UP)),
    )
)
