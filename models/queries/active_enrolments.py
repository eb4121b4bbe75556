"""Active enrolments: all that planning asks about the leads of a campaign, a few thousand at a time."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Result, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from models.account import Account
from models.address import Address
from models.bulk_upsert import share
from models.contact import Contact
from models.delivery_states import LEDGER, State
from models.enrolment import ACTIVE, TABLE, Enrolment
from models.message import Message
from models.opportunity import Opportunity, OpportunityOutcome
from models.segment import Segment
from models.types import Moment

K = TypeVar("K")
T = TABLE.c
M = Message.__table__.c  # type: ignore[attr-defined]


class Deals(NamedTuple):
    """An account's deals: how many are open, when the last that is not lost was opened, when the last was won."""

    open: int = 0
    opened_at: datetime | None = None
    won_at: datetime | None = None


class Candidate(NamedTuple):
    """One enrolled lead as the database knows them: the first fields of an EnrolledLead (nurture.rules.eligibility)."""

    enrolment_id: int
    contact_id: int
    address: str
    account_id: int | None
    entered_at: datetime
    role: str | None
    title_role: str | None
    stage: str
    consent: str
    suppressed_why: str | None
    account_stopped_why: str | None
    country: str | None
    time_zone: str | None


class PastLetter(NamedTuple):
    """A letter already decided or on its way. `at`: when it was accepted, else when it was decided."""

    letter: str
    state: str  # models.message.State
    at: datetime
    reason: str | None = None


class BookedLetter(NamedTuple):
    """A letter that somebody at an account gets or got, and where they live."""

    account_id: int
    at: datetime
    country: str | None
    time_zone: str | None


class Shard(NamedTuple):
    """One of `of` equal parts of the leads, counted from 0."""

    number: int = 0
    of: int = 1


WHOLE = Shard()


def groups(
    session: Session, slug: str, version_id: int, part: Shard = WHOLE, many: int = 5_000
) -> Iterator[list[Candidate]]:
    """The active leads of a version, whole accounts at a time, some thousands; then those without an account.

    Each part is a question of its own, which begins where the last one ended on `enrolment_active`: memory stays flat,
    no question sees a long row of others, and a part sees what was planned for the part before it.
    """
    first, last = share(session, Account, part.number, part.of)
    mine = (slug, version_id)
    while first <= last:
        edge = session.execute(
            _active(*mine, T.account_id).where(T.account_id.between(first, last)).order_by(T.account_id, T.id)
            .offset(many).limit(1)
        ).scalar()  # fmt: skip
        until = last if edge is None else max(edge - 1, first)
        mates = _candidates(*mine).where(T.account_id.between(first, until)).order_by(T.account_id, T.id)
        if rows := session.execute(mates).all():
            yield list(map(Candidate._make, rows))
        first = until + 1
    first, last = share(session, Enrolment, part.number, part.of)
    while first <= last:
        alone = _candidates(*mine).where(T.account_id.is_(None), T.id.between(first, last)).order_by(T.id).limit(many)
        rows = session.execute(alone).all()
        if not rows:
            return
        yield list(map(Candidate._make, rows))
        first = rows[-1][0] + 1


def one(session: Session, enrolment_id: int) -> Candidate:
    """One lead as planning sees them, whether their enrolment is active or has ended."""
    return Candidate._make(session.execute(_candidate_columns().where(T.id == enrolment_id)).one())


def _active(slug: str, version_id: int, *columns: ColumnElement[Any]) -> Select[Any]:
    return select(*columns).where(T.campaign == slug, T.version_id == version_id, T.state == ACTIVE)


def _candidates(slug: str, version_id: int) -> Select[Any]:
    return _candidate_columns().where(T.campaign == slug, T.version_id == version_id, T.state == ACTIVE)


def _candidate_columns() -> Select[Any]:
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


def enrolled(slug: str, version_id: int) -> Select[tuple[int]]:
    """The contacts with an active enrolment in a version, as a subquery."""
    return _active(slug, version_id, T.contact_id)


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


def letters_had(session: Session, slug: str, addresses: Sequence[str]) -> dict[str, list[PastLetter]]:
    """Every letter of the campaign already decided or on its way, by address.

    By `message_address`: a lead has a few dozen letters.
    """
    rows = session.execute(
        select(
            M.address, M.letter, M.state, func.coalesce(M.accepted_at, M.planned_at, type_=Moment).label("at"), M.reason
        ).where(M.address.in_(addresses), M.campaign == slug)
    )
    had: dict[str, list[PastLetter]] = {}
    for address, letter, state, at, reason in rows.all():
        had.setdefault(address, []).append(PastLetter(letter, state, at, reason))
    return had


def outcomes(
    session: Session, slug: str, first: int, last: int, now: datetime
) -> dict[int, set[tuple[str, str | None]]]:
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


def rivals(session: Session, slugs: Sequence[str], first: int, last: int) -> dict[int | str, dict[str, datetime]]:
    """Which of these campaigns have an active lead at the accounts `first` to `last`, and since when."""
    rows = session.execute(
        select(T.account_id, T.campaign, func.min(T.entered_at, type_=Moment))
        .where(T.account_id.between(first, last), T.campaign.in_(slugs), T.state == ACTIVE)
        .group_by(T.account_id, T.campaign)
    )
    return _by_key(rows)


def personal_rivals(
    session: Session, slugs: Sequence[str], addresses: Sequence[str]
) -> dict[int | str, dict[str, datetime]]:
    """The same for people without an account. By the unique key."""
    rows = session.execute(
        select(T.address, T.campaign, T.entered_at)
        .where(T.campaign.in_(slugs), T.address.in_(addresses), T.account_id.is_(None), T.state == ACTIVE)
    )  # fmt: skip
    return _by_key(rows)


def begun(
    session: Session, slugs: Sequence[str], accounts: Sequence[int], addresses: Sequence[str]
) -> dict[int | str, dict[str, datetime]]:
    """When each of these campaigns planned its first letter to these accounts, or these people, of the present runs."""
    found: dict[int | str, dict[str, datetime]] = {}
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


def _by_key(rows: Result[tuple[K, str, datetime]]) -> dict[K, dict[str, datetime]]:
    found: dict[K, dict[str, datetime]] = {}
    for key, slug, at in rows.tuples():
        found.setdefault(key, {})[slug] = at
    return found


def booked(session: Session, first: int, last: int, now: datetime) -> list[BookedLetter]:
    """When each of the accounts `first` to `last` gets or got mail, since two days ago."""
    groups = [state for state, group in LEDGER.items() if group in ("waiting", "unknown")]
    moment = func.coalesce(M.accepted_at, M.not_before, type_=Moment)
    return list(
        map(
            BookedLetter._make,
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
            ),
        )
    )
