"""Activity: something a lead did, on our site or with our letters. Scores are made of these."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Float, Index, and_, case, delete, func, literal, select
from sqlmodel import Field, Session, SQLModel, col

from models.account import Account
from models.bulk import add_new
from models.moment import Id, Moment, days_between

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
    One walk along `activity_contact_at` from the first contact to the last, without a look at the table, then a sort
    of what was found: give contacts whose ids lie together.
    """
    if not markets:
        return {}
    weights = {market: _weight(fading, now).label(f"weight_{market}") for market, fading in half_lives.items()}
    lately = [func.sum(case((col(Activity.at) > now - timedelta(days=days), 1), else_=0)) for days in (7, 30)]
    kinds = sorted({kind for days in half_lives.values() for kind in days})
    rows = session.execute(
        select(col(Activity.contact_id), col(Activity.kind), func.count(), *lately,
               func.max(col(Activity.at), type_=Moment), *weights.values())
        .where(col(Activity.contact_id).between(min(markets), max(markets)), col(Activity.at) <= now,
               col(Activity.kind).in_(kinds))
        .group_by(col(Activity.contact_id), col(Activity.kind))
    )  # fmt: skip
    place = {market: 6 + number for number, market in enumerate(weights)}
    found: dict[int, list[Deeds]] = {}
    for row in rows:
        market = markets.get(row[0])
        if market in place and row[1] in half_lives[market]:
            found.setdefault(row[0], []).append(Deeds(row[0], row[1], row[place[market]], *row[2:6]))
    return found


def _weight(half_lives: Mapping[str, float | None], now: datetime) -> ColumnElement[float]:
    """The sum of deeds, each halved after every half-life, and nothing any more after thirty of them.

    So that a power never comes so near to nothing that PostgreSQL calls it an error.
    """
    age = days_between(col(Activity.at), literal(now, Moment))
    fading = [
        (and_(col(Activity.kind) == kind, col(Activity.at) > now - timedelta(30 * days)), func.pow(0.5, age / days))
        for kind, days in half_lives.items() if days is not None
    ]  # fmt: skip
    lasting = [(col(Activity.kind) == kind, 1.0) for kind, days in half_lives.items() if days is None]
    return func.sum(case(*fading, *lasting, else_=0.0), type_=Float)


def pieces(session: Session, contact_ids: Sequence[int], since: datetime, now: datetime) -> dict[int, int]:
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


def latest(session: Session, contact_ids: list[int], now: datetime, most: int = 5) -> dict[int, list[dict[str, Any]]]:
    """The last few things each contact did, newest first. `activity_contact_at` carries it, contact by contact."""
    found: dict[int, list[dict[str, Any]]] = {}
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
    newest = select(ranked).where(ranked.c.rank <= most).order_by(ranked.c.contact_id, ranked.c.rank)
    for row in session.execute(newest):
        found.setdefault(row.contact_id, []).append({"kind": row.kind, "at": row.at, "detail": row.detail})
    return found


def add(session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
    """Write down what leads did; what is there already stays as it is. Returns how many were new."""
    return add_new(session, Activity, [dict(row) for row in rows])


def forget(session: Session, dedupes: Collection[int]) -> None:
    """Take back what turned out to be no person's doing."""
    if dedupes:
        session.execute(delete(Activity).where(col(Activity.dedupe).in_(dedupes)))


def of_running_accounts(
    session: Session, kinds: Collection[str], since: datetime, until: datetime
) -> list[tuple[int, str, datetime]]:
    """Accounts not stopped yet that did one of `kinds`, with which and when, the earliest last. By `activity_at`."""
    return [
        tuple(row)
        for row in session.execute(
            select(col(Activity.account_id), col(Activity.kind), col(Activity.at))
            .join(Account, and_(col(Account.id) == Activity.account_id, col(Account.stopped_at).is_(None)))
            .where(col(Activity.kind).in_(kinds), col(Activity.at) > since, col(Activity.at) <= until)
            .order_by(col(Activity.at).desc())
        )
    ]
