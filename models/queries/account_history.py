"""Account history: what was known of an account at any moment, and what became of it. Scores of accounts learn here."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import and_, case, func, or_, select
from sqlmodel import Session, col

from models.account import Account
from models.activity import Activity
from models.contact import Contact, Market
from models.opportunity import Opportunity, OpportunityOutcome
from models.score import AccountScore, StoredReason
from models.segment import Segment

AT_ONCE = 2_000  # accounts asked about at a time
MONTH, QUARTER = timedelta(days=30), timedelta(days=90)


class MemberThen(NamedTuple):
    """One person of an account as they were known at a moment, and what they had done by then."""

    account_id: int
    contact_id: int
    title_role: str | None
    role_confidence: float | None  # 0–1
    times_30: int  # activities in the 30 days before
    times_90: int
    strong_90: int  # of kinds that are a strong sign
    last_at: datetime | None  # None: never


class AccountTraits(NamedTuple):
    """What else is known of an account at a moment."""

    account_id: int
    employees: int | None
    lost: int  # opportunities lost before


class KnownAccount(NamedTuple):
    """An account with a business contact, and when somebody there was first known."""

    account_id: int
    since: datetime


class OpportunityThen(NamedTuple):
    """An opportunity as it stood at a moment."""

    id: int
    account_id: int
    opened_at: datetime
    closed_at: datetime | None
    outcome: str


class Deal(NamedTuple):
    """A closed opportunity of which it is asked who was known when it opened."""

    id: int
    account_id: int
    opened_at: datetime


class LikelyAccount(NamedTuple):
    """One of the accounts most likely to open an opportunity, as a person wants to see it."""

    account_id: int
    name: str
    score: float
    probability: float | None
    completeness: float
    missing_role: str | None
    missing_why: str | None
    reasons: list[StoredReason]
    version: str


def members(
    session: Session, accounts: Collection[int], now: datetime, kinds: Collection[str], strong: Collection[str]
) -> list[MemberThen]:
    """Everybody known of these accounts at a moment, with their activities of `kinds`, and of those that are `strong`.

    Somebody is known from the day of their record, or of the first thing they did. Roles are those of the titles: one
    that a person confirmed, or behaviour earned, was not known then. `ix_contact_account_id`, then
    `activity_contact_at`, without a look at the activities themselves.
    """
    found: list[MemberThen] = []
    for some in _chunks(accounts):
        people = select(col(Contact.id)).where(col(Contact.account_id).in_(some), col(Contact.market) == Market.B2B)
        did = (
            select(
                col(Activity.contact_id),
                func.sum(case((col(Activity.at) > now - MONTH, 1), else_=0)).label("times_30"),
                func.sum(case((col(Activity.at) > now - QUARTER, 1), else_=0)).label("times_90"),
                func.sum(
                    case((and_(col(Activity.at) > now - QUARTER, col(Activity.kind).in_(strong)), 1), else_=0)
                ).label("strong_90"),
                func.max(col(Activity.at)).label("last_at"),
            )
            .where(col(Activity.contact_id).in_(people), col(Activity.at) <= now, col(Activity.kind).in_(kinds))
            .group_by(col(Activity.contact_id))
            .subquery()
        )
        rows = session.execute(
            select(
                col(Contact.account_id),
                col(Contact.id).label("contact_id"),
                col(Segment.title_role),
                col(Segment.role_confidence),
                func.coalesce(did.c.times_30, 0).label("times_30"),
                func.coalesce(did.c.times_90, 0).label("times_90"),
                func.coalesce(did.c.strong_90, 0).label("strong_90"),
                did.c.last_at,
            )
            .outerjoin(did, did.c.contact_id == Contact.id)
            .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
            .where(
                col(Contact.account_id).in_(some),
                col(Contact.market) == Market.B2B,
                or_(col(Contact.created_at) <= now, did.c.last_at.is_not(None)),
            )
        )
        found += map(MemberThen._make, rows)
    return found


def traits(session: Session, accounts: Collection[int], now: datetime) -> list[AccountTraits]:
    """What else is known of each of these accounts at a moment."""
    found: list[AccountTraits] = []
    lost = (
        select(col(Opportunity.account_id), func.count().label("lost"))
        .where(col(Opportunity.outcome) == OpportunityOutcome.LOST, col(Opportunity.closed_at) <= now)
        .group_by(col(Opportunity.account_id))
        .subquery()
    )
    for some in _chunks(accounts):
        rows = session.execute(
            select(
                col(Account.id).label("account_id"), col(Account.employees), func.coalesce(lost.c.lost, 0).label("lost")
            )
            .outerjoin(lost, lost.c.account_id == Account.id)
            .where(col(Account.id).in_(some))
        )
        found += map(AccountTraits._make, rows)
    return found


def known_since(session: Session) -> list[KnownAccount]:
    """Every account with a business contact, and since when somebody there is known. Reads them all."""
    first = select(col(Activity.contact_id), func.min(col(Activity.at)).label("at")).group_by(col(Activity.contact_id))
    did = first.subquery()
    since = case((did.c.at < col(Contact.created_at), did.c.at), else_=col(Contact.created_at))
    rows = session.execute(
        select(
            col(Contact.account_id),
            func.min(since).label("since"),
        )
        .outerjoin(did, did.c.contact_id == Contact.id)
        .where(col(Contact.account_id).is_not(None), col(Contact.market) == Market.B2B)
        .group_by(col(Contact.account_id))
        .order_by(col(Contact.account_id))
    )
    return list(map(KnownAccount._make, rows))


def opportunities(session: Session, now: datetime) -> list[OpportunityThen]:
    """Every opportunity opened by `now` as it stood then, oldest first."""
    rows = session.execute(
        select(
            col(Opportunity.id),
            col(Opportunity.account_id),
            col(Opportunity.opened_at),
            col(Opportunity.closed_at),
            col(Opportunity.outcome),
        )
        .where(col(Opportunity.opened_at) <= now)
        .order_by(col(Opportunity.opened_at), col(Opportunity.id))
    )
    found = []
    for one in map(OpportunityThen._make, rows):
        later = one.closed_at is not None and one.closed_at > now
        found.append(one._replace(outcome=OpportunityOutcome.OPEN.value, closed_at=None) if later else one)
    return found


def with_opportunity(session: Session, accounts: Collection[int], outcomes: Collection[str], now: datetime) -> set[int]:
    """Those of the accounts that have an opportunity with one of these outcomes as it stood at `now`."""
    later = col(Opportunity.closed_at) > now
    outcome = case((later, OpportunityOutcome.OPEN.value), else_=col(Opportunity.outcome))
    found: set[int] = set()
    for some in _chunks(accounts):
        rows = session.execute(
            select(col(Opportunity.account_id))
            .where(col(Opportunity.account_id).in_(some), col(Opportunity.opened_at) <= now, outcome.in_(outcomes))
            .distinct()
        )
        found |= set(rows.scalars())
    return found


def known_roles(session: Session, deals: Sequence[Deal]) -> dict[int, frozenset[str]]:
    """Of each deal, by its id: the roles that titles said were there when it opened.

    Deals of accounts of which nobody was known by then are left out: their record began later.
    """
    people: dict[int, list[tuple[datetime, str | None]]] = {}
    for some in _chunks({deal.account_id for deal in deals}):
        first = (
            select(col(Activity.contact_id), func.min(col(Activity.at)).label("at"))
            .where(col(Activity.contact_id).in_(select(col(Contact.id)).where(col(Contact.account_id).in_(some))))
            .group_by(col(Activity.contact_id))
            .subquery()
        )
        since = case((first.c.at < col(Contact.created_at), first.c.at), else_=col(Contact.created_at))
        rows = session.execute(
            select(col(Contact.account_id), since.label("since"), col(Segment.title_role))
            .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
            .outerjoin(first, first.c.contact_id == Contact.id)
            .where(col(Contact.account_id).in_(some), col(Contact.market) == Market.B2B)
        )
        for account, at, role in rows:
            people.setdefault(account, []).append((at, role))
    found = {}
    for deal in deals:
        there = [role for at, role in people.get(deal.account_id, ()) if at <= deal.opened_at]
        if there:
            found[deal.id] = frozenset(role for role in there if role)
    return found


def best(session: Session, n: int) -> list[LikelyAccount]:
    """The `n` accounts with the highest chance, where none was learned with the highest score, and their reasons."""
    a = AccountScore
    rows = session.execute(
        select(col(a.account_id), col(Account.name), col(a.score), col(a.probability), col(a.completeness),
               col(a.missing_role), col(a.missing_why), col(a.reasons), col(a.version))
        .join(Account, col(Account.id) == a.account_id)
        .order_by(func.coalesce(a.probability, -1.0).desc(), col(a.score).desc(), col(a.account_id))
        .limit(n)
    )  # fmt: skip
    return list(map(LikelyAccount._make, rows))


def _chunks(ids: Collection[int]) -> Iterator[list[int]]:
    every = sorted(set(ids))
    return (every[start : start + AT_ONCE] for start in range(0, len(every), AT_ONCE))
