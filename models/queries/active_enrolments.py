"""Under way: all that a planner asks about the leads of a campaign, a few thousand at a time."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from models.account import Account
from models.address import Address
from models.bulk_upsert import share
from models.contact import Contact
from models.enrolment import ACTIVE, TABLE, Enrolment
from models.message import LEDGER, Message, State, plain
from models.opportunity import Opportunity, OpportunityOutcome
from models.segment import Segment
from models.types import Moment

T = TABLE.c
M = Message.__table__.c  # type: ignore[attr-defined]


class Deals(NamedTuple):
    """An account's deals: how many are open, when the last that is not lost was opened, when the last was won."""

    open: int = 0
    opened_at: datetime | None = None
    won_at: datetime | None = None


def groups(
    session: Session, slug: str, version_id: int, shard: int = 0, shards: int = 1, many: int = 5_000
) -> Iterator[list[dict[str, Any]]]:
    """The leads under way in a version, whole accounts at a time, a few thousand plain rows; then those without one.

    Each part is a question of its own, which begins where the last one ended on `enrolment_active`: memory stays flat,
    no question sees a long row of others, and a part sees what was planned for the part before it.
    """
    first, last = share(session, Account, shard, shards)
    mine = (slug, version_id)
    while first <= last:
        edge = session.execute(
            _under_way(*mine, T.account_id).where(T.account_id.between(first, last)).order_by(T.account_id, T.id)
            .offset(many).limit(1)
        ).scalar()  # fmt: skip
        until = last if edge is None else max(edge - 1, first)
        if rows := plain(session.execute(_members(*mine).where(T.account_id.between(first, until))
                                         .order_by(T.account_id, T.id))):  # fmt: skip
            yield rows
        first = until + 1
    first, last = share(session, Enrolment, shard, shards)
    while first <= last:
        rows = plain(session.execute(_members(*mine).where(T.account_id.is_(None), T.id.between(first, last))
                                     .order_by(T.id).limit(many)))  # fmt: skip
        if not rows:
            return
        yield rows
        first = rows[-1]["enrolment_id"] + 1


def one(session: Session, enrolment_id: int) -> dict[str, Any]:
    """One lead's row as the planner sees it, whether under way or not."""
    return plain(session.execute(_member_columns().where(T.id == enrolment_id)))[0]


def _under_way(slug: str, version_id: int, *columns: Any) -> Select[Any]:
    return select(*columns).where(T.campaign == slug, T.version_id == version_id, T.state == ACTIVE)


def _members(slug: str, version_id: int) -> Select[Any]:
    return _member_columns().where(T.campaign == slug, T.version_id == version_id, T.state == ACTIVE)


def _member_columns() -> Select[Any]:
    return (
        select(
            T.id.label("enrolment_id"),
            T.contact_id,
            T.address,
            T.account_id,
            T.entered_at,
            col(Segment.role),
            col(Segment.title_role),
            col(Contact.stage),
            col(Contact.consent),
            col(Address.suppressed_why),
            col(Account.stopped_why).label("account_stopped_why"),
            func.coalesce(Contact.country, Account.country).label("country"),
            col(Contact.time_zone),
        )
        .join(Contact, col(Contact.id) == T.contact_id)
        .join(Address, col(Address.address) == T.address)
        .outerjoin(Segment, col(Segment.contact_id) == T.contact_id)
        .outerjoin(Account, col(Account.id) == T.account_id)
    )


def enrolled(slug: str, version_id: int) -> Any:
    """The contacts under way in a version, as a subquery."""
    return _under_way(slug, version_id, T.contact_id)


def deals(session: Session, first: int, last: int, now: datetime) -> dict[int, Deals]:
    """Of the accounts `first` to `last`: how many deals are open, and when the last one that is not lost was opened."""
    o = Opportunity.__table__.c  # type: ignore[attr-defined]
    closed_later = o.closed_at > now
    alive = or_(o.outcome != OpportunityOutcome.LOST, closed_later)
    rows = session.execute(
        select(
            o.account_id,
            func.sum(case((or_(o.outcome == OpportunityOutcome.OPEN, closed_later), 1), else_=0)),
            func.max(case((alive, o.opened_at)), type_=Moment),
            func.max(case((and_(o.outcome == OpportunityOutcome.WON, o.closed_at <= now), o.closed_at)), type_=Moment),
        )
        .where(o.account_id.between(first, last), o.opened_at <= now)
        .group_by(o.account_id)
    )
    return {row[0]: Deals(int(row[1]), row[2], row[3]) for row in rows}


def letters_had(session: Session, slug: str, addresses: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """Every letter of the campaign already decided or on its way, by address: address, letter, state, at, reason.

    By `message_address`: a lead has a few dozen letters.
    """
    rows = session.execute(
        select(
            M.address, M.letter, M.state, func.coalesce(M.accepted_at, M.planned_at, type_=Moment).label("at"), M.reason
        ).where(M.address.in_(addresses), M.campaign == slug)
    )
    had: dict[str, list[Row[Any]]] = {}
    for row in rows.all():
        had.setdefault(row[0], []).append(row)
    return had


def seen(session: Session, slug: str, first: int, last: int, now: datetime) -> dict[int, set[tuple[str, str | None]]]:
    """What people of which role did with this campaign's letters, by account: {7: {("specifier", "clicked")}}.

    None stands for a letter that was sent and not, or not yet, answered. By the index on the message's account.
    """
    rows = session.execute(
        select(M.account_id, col(Segment.role), col(Segment.title_role), M.outcome)
        .join(Segment, col(Segment.contact_id) == M.contact_id)
        .where(M.account_id.between(first, last), M.campaign == slug, M.state == State.ACCEPTED, M.accepted_at <= now)
        .distinct()
    )
    found: dict[int, set[tuple[str, str | None]]] = {}
    for account_id, role, title_role, outcome in rows:
        found.setdefault(account_id, set()).update((r, outcome) for r in (role, title_role) if r)
    return found


def rivals(session: Session, slugs: Sequence[str], first: int, last: int) -> dict[int, dict[str, datetime]]:
    """Which of these campaigns have somebody under way at the accounts `first` to `last`, and since when."""
    rows = session.execute(
        select(T.account_id, T.campaign, func.min(T.entered_at, type_=Moment))
        .where(T.account_id.between(first, last), T.campaign.in_(slugs), T.state == ACTIVE)
        .group_by(T.account_id, T.campaign)
    )
    return _by_key(rows)


def personal_rivals(session: Session, slugs: Sequence[str], addresses: Sequence[str]) -> dict[str, dict[str, datetime]]:
    """The same for people without an account. By the unique key."""
    rows = session.execute(
        select(T.address, T.campaign, T.entered_at)
        .where(T.campaign.in_(slugs), T.address.in_(addresses), T.account_id.is_(None), T.state == ACTIVE)
    )  # fmt: skip
    return _by_key(rows)


def begun(
    session: Session, slugs: Sequence[str], accounts: Sequence[int], addresses: Sequence[str]
) -> dict[Any, dict[str, datetime]]:
    """When each of these campaigns planned its first letter to these accounts, or these people, of the present runs."""
    found: dict[Any, dict[str, datetime]] = {}
    for key, wanted in ((M.account_id, accounts), (M.address, addresses)):
        if wanted:
            rows = session.execute(
                select(key, M.campaign, func.min(M.planned_at, type_=Moment))
                .join(TABLE, and_(T.campaign == M.campaign, T.address == M.address))
                .where(key.in_(wanted), M.campaign.in_(slugs), M.state != State.SKIPPED, T.state == ACTIVE,
                       M.planned_at >= T.entered_at)
                .group_by(key, M.campaign)
            )  # fmt: skip
            found |= _by_key(rows)
    return found


def _by_key(rows: Iterable[Any]) -> dict[Any, dict[str, datetime]]:
    found: dict[Any, dict[str, datetime]] = {}
    for key, slug, at in rows:
        found.setdefault(key, {})[slug] = at
    return found


def booked(session: Session, first: int, last: int, now: datetime) -> list[Row[Any]]:
    """When each of the accounts `first` to `last` gets or got mail, since two days ago: account_id, at, country,
    time_zone."""
    groups = [state for state, group in LEDGER.items() if group in ("waiting", "unknown")]
    moment = func.coalesce(M.accepted_at, M.not_before, type_=Moment)
    return list(
        session.execute(
            select(
                M.account_id,
                moment.label("at"),
                func.coalesce(Contact.country, Account.country).label("country"),
                col(Contact.time_zone),
            )
            .join(Contact, col(Contact.id) == M.contact_id)
            .outerjoin(Account, col(Account.id) == M.account_id)
            .where(
                M.account_id.between(first, last),
                M.state.in_([*groups, State.ACCEPTED]),
                M.handoff_id.is_(None),
                moment > now - timedelta(days=2),
            )
        )
    )
