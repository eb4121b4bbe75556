"""The call list: who is warm enough for sales, what stands against it, and what a salesperson must know about them."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, func, or_, select
from sqlmodel import Session, col

from models.account import Account
from models.address import Address
from models.bulk_upsert import add_new
from models.contact import Contact, Market, Stage, Transition
from models.handoff import Decision, Handoff, HandoffContext
from models.message import SALES, Message
from models.score import AccountScore, Score, StoredReason
from models.segment import Segment

CHUNK = 5_000  # elements of an IN-list
NOT_WITH_SALES = (Stage.LEAD, Stage.MQL, Stage.RECYCLED)


class WarmLead(NamedTuple):
    """A business lead who is not with sales, as far as it matters for a call. Scores run 0–100, `probability` 0–1."""

    contact_id: int
    account_id: int | None
    stage: str
    score: float | None
    grade: str
    score_version: str
    probability: float | None
    suppressed_why: str | None
    owner_email: str | None


class LastHandoff(NamedTuple):
    """The latest handoff of a lead."""

    contact_id: int
    state: str
    decided_at: datetime | None
    decided_why: str | None


class LeadDetails(NamedTuple):
    """A lead, the account and the reasons of both scores, as sales will see them."""

    contact_id: int
    first_name: str | None
    last_name: str | None
    title: str | None
    email: str
    phone: str | None
    role: str | None
    reasons: list[StoredReason]
    account: str | None
    industry: str | None
    employees: int | None
    tier: str | None
    country: str | None
    account_score: float | None
    completeness: float | None
    missing_role: str | None
    missing_why: str | None
    account_reasons: list[StoredReason] | None


class Colleague(NamedTuple):
    """Somebody of an account, as a list of its people shows them."""

    account_id: int
    id: int
    first_name: str | None
    last_name: str | None
    title: str | None
    role: str | None
    grade: str | None
    last_activity_at: datetime | None


class NewHandoff(NamedTuple):
    """A handoff to be written: the columns of its row."""

    contact_id: int
    account_id: int | None
    owner_email: str
    state: str
    score: float
    grade: str
    score_version: str
    reasons: list[StoredReason]
    context: HandoffContext
    offered_at: datetime
    due_at: datetime


class UnmailedHandoff(NamedTuple):
    """An open handoff of which no mail was written to its owner."""

    id: int
    owner_email: str
    contact_id: int
    account_id: int | None


class OverdueHandoff(NamedTuple):
    """An open handoff whose due time is over."""

    id: int
    due_at: datetime


class RecycledLead(NamedTuple):
    """A lead in stage recycled, since when, and what sales said last; None where sales never had them."""

    contact_id: int
    since: datetime
    decision: str | None


def candidates(session: Session, threshold: float, now: datetime) -> list[WarmLead]:
    """Business leads who reach the threshold and are not with sales, by their id.

    `ix_score_score` finds them. PostgreSQL locks their rows, so that a second offer waits here and then sees the first.
    """
    query = warm_leads(now).where(col(Score.score) >= threshold).order_by(col(Contact.id)).with_for_update(of=Contact)
    return [WarmLead._make(row) for row in session.execute(query)]


def warm_leads(now: datetime) -> Select[Any]:
    """The columns of WarmLead, of the business leads with a score of `now` or before who are not with sales."""
    return (
        select(
            col(Contact.id), col(Contact.account_id), col(Contact.stage), col(Score.score), col(Score.grade),
            col(Score.version), col(Score.probability), col(Address.suppressed_why), col(Account.owner_email),
        )
        .select_from(Contact)
        .join(Score, col(Score.contact_id) == Contact.id)
        .join(Address, col(Address.address) == Contact.address)
        .outerjoin(Account, col(Account.id) == Contact.account_id)
        .where(
            col(Score.scored_at) <= now,
            col(Contact.market) == Market.B2B,
            col(Contact.stage).in_(NOT_WITH_SALES),
        )
    )  # fmt: skip


def last_handoffs(session: Session, contact_ids: Iterable[int]) -> dict[int, LastHandoff]:
    """Each lead's latest handoff, by contact id. By the index on contact_id."""
    found: dict[int, LastHandoff] = {}
    for some in _chunks(contact_ids):
        rows = session.execute(
            select(col(Handoff.contact_id), col(Handoff.state), col(Handoff.decided_at), col(Handoff.decided_why))
            .where(col(Handoff.contact_id).in_(some))
            .order_by(col(Handoff.id))
        )
        found |= {row.contact_id: LastHandoff._make(row) for row in rows}
    return found


def accounts_with_sales(session: Session, since: datetime) -> set[int]:
    """Accounts with a lead offered to sales, or accepted after `since`. Reads all handoffs, which are few."""
    rows = session.execute(
        select(col(Handoff.account_id))
        .where(
            col(Handoff.account_id).is_not(None),
            or_(col(Handoff.state) == Decision.OFFERED,
                and_(col(Handoff.state) == Decision.ACCEPTED, col(Handoff.decided_at) > since)),
        )
        .distinct()
    )  # fmt: skip
    return set(rows.scalars())


def accounts_turned_down(session: Session, codes: Collection[str], since: datetime) -> dict[int, str]:
    """Accounts of which sales said, after `since`, a no that is about the company, with its code."""
    rows = session.execute(
        select(col(Handoff.account_id), col(Handoff.decided_why))
        .where(
            col(Handoff.account_id).is_not(None),
            col(Handoff.state) == Decision.REJECTED,
            col(Handoff.decided_at) > since,
        )
        .order_by(col(Handoff.id))
    )
    said = {account_id: (why or "").partition(":")[0] for account_id, why in rows}
    return {account_id: code for account_id, code in said.items() if code in codes}


def open_by_owner(session: Session) -> dict[str, int]:
    """How many leads each salesperson still has to answer."""
    rows = session.execute(
        select(col(Handoff.owner_email), func.count().label("times"))
        .where(col(Handoff.state) == Decision.OFFERED)
        .group_by(col(Handoff.owner_email))
    )
    return {row.owner_email: row.times for row in rows}


def lead_details(session: Session, contact_ids: Sequence[int]) -> dict[int, LeadDetails]:
    """The leads, their accounts and reasons, as sales will see them, by contact id. Primary keys only."""
    rows = session.execute(
        select(
            col(Contact.id), col(Contact.first_name), col(Contact.last_name), col(Contact.title), col(Contact.email),
            col(Contact.phone), col(Segment.role), col(Score.reasons), col(Account.name), col(Account.industry),
            col(Account.employees), col(Account.tier), func.coalesce(Account.country, Contact.country),
            col(AccountScore.score), col(AccountScore.completeness), col(AccountScore.missing_role),
            col(AccountScore.missing_why), col(AccountScore.reasons),
        )
        .join(Score, col(Score.contact_id) == Contact.id)
        .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
        .outerjoin(Account, col(Account.id) == Contact.account_id)
        .outerjoin(AccountScore, col(AccountScore.account_id) == Contact.account_id)
        .where(col(Contact.id).in_(contact_ids))
    )  # fmt: skip
    return {lead.contact_id: lead for lead in map(LeadDetails._make, rows)}


def colleagues(session: Session, account_ids: Iterable[int]) -> dict[int, list[Colleague]]:
    """The people of each account, by account id, the warmest first. By the index on the contacts' account."""
    found: dict[int, list[Colleague]] = {}
    for some in _chunks(account_ids):
        rows = session.execute(
            select(
                col(Contact.account_id), col(Contact.id), col(Contact.first_name), col(Contact.last_name),
                col(Contact.title), col(Segment.role), col(Score.grade), col(Score.last_activity_at),
            )
            .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
            .outerjoin(Score, col(Score.contact_id) == Contact.id)
            .where(col(Contact.account_id).in_(some))
            .order_by(col(Contact.account_id), func.coalesce(Score.score, 0.0).desc(), col(Contact.id))
        )  # fmt: skip
        for colleague in map(Colleague._make, rows):
            found.setdefault(colleague.account_id, []).append(colleague)
    return found


class _NewAddress(NamedTuple):
    address: str


def add_handoffs(session: Session, handoffs: Sequence[NewHandoff]) -> int:
    """Write handoffs; the database forbids a second open one of the same lead. Returns how many are new."""
    add_new(session, Address, [_NewAddress(address) for address in sorted({one.owner_email for one in handoffs})])
    return add_new(session, Handoff, handoffs)


def unmailed_handoffs(session: Session) -> list[UnmailedHandoff]:
    """Open handoffs of which no mail has been written to their owner. Reads the open ones, which are few."""
    mailed = select(col(Message.id)).where(col(Message.campaign) == SALES, col(Message.handoff_id) == Handoff.id)
    rows = session.execute(
        select(col(Handoff.id), col(Handoff.owner_email), col(Handoff.contact_id), col(Handoff.account_id))
        .where(col(Handoff.state) == Decision.OFFERED, ~mailed.exists())
        .order_by(col(Handoff.id))
    )
    return [UnmailedHandoff._make(row) for row in rows]


def overdue_handoffs(session: Session, now: datetime) -> list[OverdueHandoff]:
    """Handoffs whose due time is over and nobody has said anything, the oldest first."""
    rows = session.execute(
        select(col(Handoff.id), col(Handoff.due_at))
        .where(col(Handoff.state) == Decision.OFFERED, col(Handoff.due_at) < now)
        .order_by(col(Handoff.due_at), col(Handoff.id))
    )
    return [OverdueHandoff._make(row) for row in rows]


def recycled_leads(session: Session) -> list[RecycledLead]:
    """Leads in stage recycled, since when, and what sales said last. By the index on stage."""
    since = (
        select(col(Transition.contact_id), func.max(col(Transition.at)).label("at"))
        .where(col(Transition.stage_to) == Stage.RECYCLED)
        .group_by(col(Transition.contact_id))
        .subquery()
    )
    began = func.coalesce(since.c.at, Contact.updated_at, type_=since.c.at.type)
    people = session.execute(
        select(col(Contact.id), began)
        .outerjoin(since, since.c.contact_id == Contact.id)
        .where(col(Contact.stage) == Stage.RECYCLED)
        .order_by(col(Contact.id))
    ).all()
    last = last_handoffs(session, [contact_id for contact_id, _ in people])
    return [RecycledLead(who, at, last[who].state if who in last else None) for who, at in people]


def _chunks(ids: Iterable[int]) -> Iterable[list[int]]:
    every = sorted(set(ids))
    return (every[start : start + CHUNK] for start in range(0, len(every), CHUNK))
