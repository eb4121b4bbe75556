"""Activity: something a lead did, on our site or with our letters. Scores are made of these."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from sqlalchemy import BigInteger, Index, and_, case, delete, func, select
from sqlmodel import Field, Session, SQLModel, col

from models.account import Account
from models.bulk_upsert import add_new
from models.numpy_fetch import numbers, seconds
from models.types import Id, Moment

READING = ("page_view", "pricing_view", "download", "webinar", "email_click")  # kinds whose detail names a thing read


class Activity(SQLModel, table=True):
    """Append-only. `dedupe` is a 64-bit hash of the source's own id, or of (contact, kind, at, detail)."""

    __table_args__ = (
        Index("activity_contact_at", "contact_id", "at", "kind"),  # one lead's history, all that a score reads
        Index("activity_at", "at"),  # the last 30 days of everybody
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    dedupe: int = Field(unique=True, sa_type=BigInteger)
    contact_id: int = Field(foreign_key="contact.id", sa_type=Id)
    account_id: int | None = Field(default=None, sa_type=Id)  # as it was then: the account's clicks without a join
    kind: str  # page_view, pricing_view, download, webinar, form, demo_request, email_click, reply, meeting …
    at: datetime = Field(sa_type=Moment)
    detail: str | None = None
    campaign: str | None = None


class Deeds(NamedTuple):
    """What one contact did of one kind up to a moment; `weight` counts each deed half after every half-life."""

    contact_id: int
    kind: str
    weight: float
    times: int
    this_week: int
    this_month: int
    last_at: datetime


def deeds(
    session: Session, markets: Mapping[int, str], half_lives: Mapping[str, Mapping[str, float | None]], now: datetime
) -> dict[int, list[Deeds]]:
    """What some contacts (id → market) did, summed up per kind: a few rows each instead of all their activities.

    `half_lives`: market → kind → days, None for never; other kinds are left out, and so is what happens after `now`.
    One walk along `activity_contact_at` from the first contact to the last, without a look at the table: give contacts
    whose ids lie together. Moments count in whole seconds.
    """
    if not markets:
        return {}
    kinds = sorted({kind for days in half_lives.values() for kind in days})
    kind = case({name: i for i, name in enumerate(kinds)}, value=col(Activity.kind))
    row, place, at = numbers(
        session,
        select(col(Activity.contact_id), kind, seconds(col(Activity.at))).where(
            col(Activity.contact_id).between(min(markets), max(markets)), col(Activity.at) <= now,
            col(Activity.kind).in_(kinds),
        ),
    ).T  # fmt: skip
    ids = np.array(sorted(markets), dtype=np.int64)
    who = np.minimum(np.searchsorted(ids, row), len(ids) - 1)
    names = sorted(half_lives)
    market_of = np.array([names.index(market) if (market := markets[one]) in names else -1 for one in ids.tolist()])
    lives = np.array([[half_lives[name].get(one, 0.0) or (np.inf if one in half_lives[name] else 0.0) for one in kinds]
                      for name in names])  # fmt: skip
    life = np.where(market_of[who] < 0, 0.0, lives[market_of[who], place])
    counts = (ids[who] == row) & (life > 0)  # others, or of a kind that says nothing in their market
    cell, at, life = (who * len(kinds) + place)[counts], at[counts], life[counts]
    cells, place = np.unique(cell, return_inverse=True)
    age = (now.timestamp() - at) / 86_400
    last = np.zeros(len(cells), dtype=np.int64)
    np.maximum.at(last, place, at)
    sums = (
        np.bincount(place, weights=np.exp2(-age / life), minlength=len(cells)),
        np.bincount(place, minlength=len(cells)),
        *(np.bincount(place[age < days], minlength=len(cells)) for days in (7, 30)),
        last,
    )
    found: dict[int, list[Deeds]] = {}
    rows = zip(ids[cells // len(kinds)].tolist(), (cells % len(kinds)).tolist(), *(one.tolist() for one in sums),
               strict=True)  # fmt: skip
    for contact_id, which, weight, times, week, month, newest in rows:
        did = Deeds(contact_id, kinds[which], weight, times, week, month, datetime.fromtimestamp(newest, UTC))
        found.setdefault(contact_id, []).append(did)
    return found


def contents_read(session: Session, contact_ids: Sequence[int], since: datetime, now: datetime) -> dict[int, int]:
    """How many different things (details) each contact has read or watched since a moment. By `activity_contact_at`."""
    query = (
        select(col(Activity.contact_id), func.count(col(Activity.detail).distinct()))
        .where(
            col(Activity.contact_id).in_(contact_ids),
            col(Activity.kind).in_(READING),
            col(Activity.at) > since,
            col(Activity.at) <= now,
        )
        .group_by(col(Activity.contact_id))
    )
    return dict(session.execute(query).tuples().all())


class ContactActivity(NamedTuple):
    """Something one contact did."""

    contact_id: int
    kind: str
    at: datetime
    detail: str | None


def latest(
    session: Session, contact_ids: Sequence[int], now: datetime, most: int = 5
) -> dict[int, list[ContactActivity]]:
    """The last few things each contact did, newest first. `activity_contact_at` carries it, contact by contact."""
    found: dict[int, list[ContactActivity]] = {}
    rank = (
        func.row_number()
        .over(partition_by=col(Activity.contact_id), order_by=(col(Activity.at).desc(), col(Activity.id).desc()))
        .label("rank")
    )
    ranked = (
        select(col(Activity.contact_id), col(Activity.kind), col(Activity.at), col(Activity.detail), rank)
        .where(col(Activity.contact_id).in_(contact_ids), col(Activity.at) <= now)
        .subquery()
    )
    columns = (ranked.c.contact_id, ranked.c.kind, ranked.c.at, ranked.c.detail)
    newest = select(*columns).where(ranked.c.rank <= most).order_by(ranked.c.contact_id, ranked.c.rank)
    for activity in map(ContactActivity._make, session.execute(newest)):
        found.setdefault(activity.contact_id, []).append(activity)
    return found


class FeedbackActivity(NamedTuple):
    """An activity to be written: the columns of its row."""

    dedupe: int
    contact_id: int
    account_id: int | None
    kind: str
    at: datetime
    detail: str | None
    campaign: str | None


def add_activities(session: Session, activities: Sequence[FeedbackActivity]) -> int:
    """Write down what leads did; what is there already stays as it is. Returns how many were new."""
    return add_new(session, Activity, activities)


def remove(session: Session, dedupes: Collection[int]) -> None:
    """Delete the activities with these `dedupe`s: they turned out to be no person's doing."""
    if dedupes:
        session.execute(delete(Activity).where(col(Activity.dedupe).in_(dedupes)))


class AccountActivity(NamedTuple):
    """Something somebody of an account did."""

    account_id: int
    kind: str
    at: datetime


def of_running_accounts(
    session: Session, kinds: Collection[str], since: datetime, until: datetime
) -> list[AccountActivity]:
    """What of `kinds` happened at accounts that are not stopped yet, the earliest last. By `activity_at`."""
    rows = session.execute(
        select(col(Activity.account_id), col(Activity.kind), col(Activity.at))
        .join(Account, and_(col(Account.id) == Activity.account_id, col(Account.stopped_at).is_(None)))
        .where(col(Activity.kind).in_(kinds), col(Activity.at) > since, col(Activity.at) <= until)
        .order_by(col(Activity.at).desc())
    )
    return [AccountActivity._make(row) for row in rows]
