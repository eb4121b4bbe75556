"""Account history: what was known of an account at any moment, and what became of it. Scores of accounts learn here."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, and_, case, func, or_, select
from sqlmodel import Session, col

from models.account import Account
from models.activity import Activity
from models.contact import Contact, Market
from models.opportunity import Opportunity, OpportunityOutcome
from models.score import AccountScore
from models.segment import Segment

AT_ONCE = 2_000  # accounts asked about at a time
LATELY, QUARTER = timedelta(days=30), timedelta(days=90)


def members(
    session: Session, accounts: Collection[int], now: datetime, kinds: Collection[str], strong: Collection[str]
) -> list[dict[str, Any]]:
    """Everybody known of these accounts at a moment: account_id, contact_id, title_role, role_confidence, times_30,
    times_90, strong_90 (activities of `kinds`, of `strong`) and last_at (None: never).

    Somebody is known from the day of their record, or of the first thing they did. Roles are those of the titles: one
    that a person confirmed, or behaviour earned, was not known then. `ix_contact_account_id`, then
    `activity_contact_at`, without a look at the activities themselves.
    """
    found: list[dict[str, Any]] = []
    for some in _chunks(accounts):
        people = select(col(Contact.id)).where(col(Contact.account_id).in_(some), col(Contact.market) == Market.B2B)
        did = (
            select(
                col(Activity.contact_id),
                func.sum(case((col(Activity.at) > now - LATELY, 1), else_=0)).label("times_30"),
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
        found += [dict(row) for row in rows.mappings()]
    return found


def traits(session: Session, accounts: Collection[int], now: datetime) -> list[dict[str, Any]]:
    """Of each of these accounts: account_id, employees, lost (opportunities lost before the moment)."""
    found: list[dict[str, Any]] = []
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
        found += [dict(row) for row in rows.mappings()]
    return found


def known_since(session: Session) -> list[RowMapping]:
    """Every account with a business contact: account_id, and `since` when somebody there is known. Reads them all."""
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
    return list(rows.mappings())


def opportunities(session: Session, now: datetime) -> list[dict[str, Any]]:
    """Every opportunity opened by `now` as it stood then, oldest first, with account_id and outcome."""
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
    for row in rows.mappings():
        later = row["closed_at"] is not None and row["closed_at"] > now
        found.append(dict(row) | ({"outcome": OpportunityOutcome.OPEN.value, "closed_at": None} if later else {}))
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


def known_roles(session: Session, deals: Sequence[tuple[int, int, datetime]]) -> dict[int, frozenset[str]]:
    """Of deals (id, account, opened): the roles that titles said were there when the deal opened.

    Deals of accounts of which nobody was known by then are left out: their record began later.
    """
    people: dict[int, list[tuple[datetime, str | None]]] = {}
    for some in _chunks({account for _, account, _ in deals}):
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
    for deal, account, opened in deals:
        there = [role for at, role in people.get(account, ()) if at <= opened]
        if there:
            found[deal] = frozenset(role for role in there if role)
    return found


def best(session: Session, n: int) -> list[RowMapping]:
    """The `n` accounts with the highest chance, where none was learned with the highest score, and their reasons."""
    a = AccountScore
    rows = session.execute(
        select(col(a.account_id), col(Account.name), col(a.score), col(a.probability), col(a.completeness),
               col(a.missing_role), col(a.missing_why), col(a.reasons), col(a.version))
        .join(Account, col(Account.id) == a.account_id)
        .order_by(func.coalesce(a.probability, -1.0).desc(), col(a.score).desc(), col(a.account_id))
        .limit(n)
    )  # fmt: skip
    return list(rows.mappings())


def _chunks(ids: Collection[int]) -> Iterator[list[int]]:
    every = sorted(set(ids))
    return (every[start : start + AT_ONCE] for start in range(0, len(every), AT_ONCE))
