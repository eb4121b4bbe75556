"""What was known of leads at a moment: the record by stretches of leads, in columns. Scores are learned from these.

A stretch is read company by company, so that colleagues come together; people without a company go by themselves.
Moments are whole seconds since 1970.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, case, func, select
from sqlmodel import Session, SQLModel, col

from models.account import Account
from models.activity import Activity
from models.bulk_upsert import share
from models.contact import Contact
from models.delivery_states import State
from models.handoff import Decision, Handoff
from models.message import SALES, Message
from models.numpy_fetch import numbers, seconds
from models.opportunity import Opportunity, OpportunityOutcome
from models.order import Order
from models.segment import Segment
from models.types import Moment

Seconds = npt.NDArray[np.int64]

NOBODY = -1  # instead of NULL in a column of whole numbers
OUTCOMES = {OpportunityOutcome.OPEN.value: 0, OpportunityOutcome.WON.value: 1, OpportunityOutcome.LOST.value: 2}
DECISIONS = {Decision.ACCEPTED.value: 1, Decision.REJECTED.value: 2}  # "not now" says neither yes nor no
ACCOUNTS_ONCE, PEOPLE_ONCE = 1_500, 8_000
Texts = tuple[str | None, ...]
Traits = tuple[dict[str, Any] | None, ...]


class People(NamedTuple):
    """A stretch's leads in columns, a value per lead in the order of their ids."""

    contact_id: tuple[int, ...]
    account_id: tuple[int, ...]  # NOBODY without one
    market: tuple[str, ...]
    address: tuple[str, ...]
    title: Texts
    locale: tuple[str, ...]
    country: Texts
    traits: Traits  # the customer's own columns, from JSON
    role: Texts
    role_confidence: tuple[float, ...]  # 0–1
    department: Texts
    seniority: Texts
    persona: Texts
    industry: Texts
    employees: tuple[int | None, ...]
    tier: Texts
    channel: Texts
    account_traits: Traits
    since: tuple[int, ...]  # seconds since 1970


@dataclass(frozen=True, slots=True)
class Stretch:
    """The accounts from `first` to `last` with their people, or the people without an account from `first` to `last`.

    Of them every `every`-th, by their number: a sample.
    """

    of_accounts: bool
    first: int
    last: int
    market: str
    every: int = 1

    def holds(self) -> ColumnElement[bool]:
        """For queries that read `contact`."""
        whose = col(Contact.account_id) if self.of_accounts else col(Contact.id)
        within = [whose.between(self.first, self.last), col(Contact.market) == self.market]
        if not self.of_accounts:
            within.append(col(Contact.account_id).is_(None))
        return and_(*within, *([whose % self.every == 0] if self.every > 1 else []))

    def holds_accounts(self, account_id: SQLColumnExpression[int]) -> ColumnElement[bool]:
        """For queries that read a table with an account's number."""
        within = [account_id.between(self.first, self.last)]
        return and_(*within, *([account_id % self.every == 0] if self.every > 1 else []))


def stretches(session: Session, market: str, shard: int, shards: int, every: int = 1) -> list[Stretch]:
    """One shard's leads of a market, cut so that a stretch fits into memory."""
    found: list[Stretch] = []
    for model, of_accounts, once in ((Account, True, ACCOUNTS_ONCE), (Contact, False, PEOPLE_ONCE)):
        first, last = share(session, model, shard, shards)
        whole = Stretch(of_accounts, first, last, market, every)
        if first > last or not _any(session, whole):
            continue
        step = once * every
        found += [replace(whole, first=at, last=min(at + step - 1, last)) for at in range(first, last + 1, step)]
    return found


def _any(session: Session, stretch: Stretch) -> bool:
    return session.execute(select(col(Contact.id)).where(stretch.holds()).limit(1)).first() is not None


def counted(session: Session, market: str) -> int:
    """How many leads a market has."""
    return int(session.execute(select(func.count()).where(col(Contact.market) == market)).scalar_one())


def kinds(session: Session, market: str, before: datetime, most: int) -> list[str]:
    """The kinds of activities that leads of a market did, the most frequent of the newest 200,000 first."""
    newest = (
        select(col(Activity.kind), col(Activity.contact_id))
        .where(col(Activity.at) < before)
        .order_by(col(Activity.at).desc())
        .limit(200_000)
        .subquery()
    )
    rows = session.execute(
        select(newest.c.kind)
        .join(Contact, col(Contact.id) == newest.c.contact_id)
        .where(col(Contact.market) == market)
        .group_by(newest.c.kind)
        .order_by(func.count().desc(), newest.c.kind)
        .limit(most)
    )
    return list(rows.scalars())


def earliest(session: Session) -> datetime | None:
    """The first thing anybody did, bought or opened."""
    firsts = [
        session.execute(select(func.min(at, type_=Moment))).scalar()
        for at in (col(Activity.at), col(Order.at), col(Opportunity.opened_at))
    ]
    return min((first for first in firsts if first is not None), default=None)


def people(session: Session, stretch: Stretch) -> People | None:
    """The stretch's leads as they are now; None where there are none. Their traits have no history."""
    rows = session.execute(
        select(
            col(Contact.id), func.coalesce(Contact.account_id, NOBODY), col(Contact.market), col(Contact.address),
            col(Contact.title), col(Contact.locale), func.coalesce(Contact.country, Account.country),
            col(Contact.traits), col(Segment.title_role), func.coalesce(Segment.role_confidence, 0.0),
            col(Segment.department), col(Segment.seniority),
            col(Segment.persona), col(Account.industry), col(Account.employees), col(Account.tier),
            col(Account.channel), col(Account.traits), seconds(col(Contact.created_at)),
        )
        .outerjoin(Account, col(Account.id) == Contact.account_id)
        .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
        .where(stretch.holds())
        .order_by(col(Contact.id))
    ).all()  # fmt: skip
    return People._make(zip(*rows, strict=True)) if rows else None


def deeds(session: Session, stretch: Stretch, kinds: Sequence[str], before: datetime) -> Seconds:
    """What they did before a moment: contact_id, place in `kinds` (−1: another kind), when.

    `activity_contact_at` carries it without a look at the table, once per lead.
    """
    kind = case({name: i for i, name in enumerate(kinds)}, value=col(Activity.kind), else_=-1)
    return numbers(session, _theirs(stretch, Activity, before, kind if kinds else -1))


def buys(session: Session, stretch: Stretch, before: datetime) -> Seconds:
    """Their orders before a moment: contact_id, cents, when."""
    return numbers(session, _theirs(stretch, Order, before, col(Order.amount_cents)))


def _theirs(
    stretch: Stretch, table: type[SQLModel], before: datetime, *more: SQLColumnExpression[int] | int
) -> Select[Any]:
    at = table.at  # type: ignore[attr-defined]
    return (
        select(table.contact_id, *more, seconds(at))  # type: ignore[attr-defined, arg-type]
        .select_from(Contact)
        .join(table, and_(table.contact_id == Contact.id, at < before))  # type: ignore[attr-defined]
        .where(stretch.holds())
    )


def letters(session: Session, stretch: Stretch, before: datetime) -> Seconds:
    """The letters that left for them before a moment: contact_id, when. By the index on contact_id."""
    return numbers(
        session,
        select(col(Contact.id), seconds(Message.accepted_at))
        .join(Message, and_(col(Message.contact_id) == Contact.id, col(Message.accepted_at) < before))
        .where(stretch.holds(), col(Message.state) == State.ACCEPTED, col(Message.campaign) != SALES),
    )


def deals(session: Session, stretch: Stretch, before: datetime) -> Seconds:
    """Their accounts' opportunities opened before a moment: account_id, contact_id, outcome, opened, closed.

    Nobody named, or not closed, is −1. The outcome is today's: it was known only from `closed` on.
    """
    if not stretch.of_accounts:
        return np.empty((0, 5), dtype=np.int64)
    return numbers(
        session,
        select(
            col(Opportunity.account_id), func.coalesce(Opportunity.contact_id, NOBODY),
            case(OUTCOMES, value=col(Opportunity.outcome), else_=0), seconds(Opportunity.opened_at),
            func.coalesce(seconds(Opportunity.closed_at), NOBODY),
        ).where(stretch.holds_accounts(col(Opportunity.account_id)), col(Opportunity.opened_at) < before),
    )  # fmt: skip


def answers(session: Session, stretch: Stretch, before: datetime) -> Seconds:
    """What sales said of them before a moment: contact_id, 1 accepted or 2 rejected, when."""
    return numbers(
        session,
        select(col(Contact.id), case(DECISIONS, value=col(Handoff.state)), seconds(Handoff.decided_at))
        .join(Handoff, and_(col(Handoff.contact_id) == Contact.id, col(Handoff.decided_at) < before))
        .where(stretch.holds(), col(Handoff.state).in_(list(DECISIONS))),
    )


def why_not(session: Session, before: datetime) -> dict[str, int]:
    """How often sales gave which reason for a rejection, the most frequent first."""
    rows = session.execute(
        select(col(Handoff.decided_why), func.count())
        .where(col(Handoff.state) == Decision.REJECTED, col(Handoff.decided_at) < before)
        .group_by(col(Handoff.decided_why))
    )
    found: dict[str, int] = {}
    for why, times in rows:
        code = (why or "no reason given").partition(":")[0]
        found[code] = found.get(code, 0) + times
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))
