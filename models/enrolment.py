"""Enrolment: a lead's run through a campaign version, from entering to the last letter or an early exit."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, UniqueConstraint, bindparam, func, literal, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel, col

from models.account import Account
from models.address import Address
from models.audience import audience
from models.bulk import insert_into
from models.contact import Contact
from models.message import LEDGER, Message, State
from models.moment import Id, Moment
from models.opportunity import Opportunity, Outcome
from models.segment import Segment


class EnrolmentState(StrEnum):
    ACTIVE = "active"
    COMPLETED = "completed"  # no step is left for this lead
    EXITED = "exited"  # left early: `why` says what happened


class Enrolment(SQLModel, table=True):
    """Pinned to the version it began with. A person is enrolled in a campaign once, whichever hat they wear."""

    __table_args__ = (UniqueConstraint("campaign", "address"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    campaign: str = Field(foreign_key="campaign.slug")
    version_id: int = Field(foreign_key="campaign_version.id", index=True, sa_type=Id)
    contact_id: int = Field(foreign_key="contact.id", index=True, sa_type=Id)
    account_id: int | None = Field(default=None, index=True, sa_type=Id)
    address: str
    state: str = Field(default=EnrolmentState.ACTIVE)
    why: str | None = None
    entered_at: datetime = Field(sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)


def enrol(
    session: Session,
    slug: str,
    version_id: int,
    market: str,
    who: ColumnElement[bool],
    roles: Sequence[str],
    now: datetime,
) -> int:
    """Everybody of the audience who is not in this campaign yet enters it, in one statement. Returns how many.

    `who`: a condition over the audience view (nurture.audience.condition); `roles`: the steps' roles, empty for all.
    """
    view = audience(now).subquery("audience")
    conditions = [who, view.c.market == market]
    if roles:
        conditions.append(or_(view.c.role.in_(roles), view.c.title_role.in_(roles)))
    entering = select(
        literal(slug),
        literal(version_id),
        view.c.contact_id,
        view.c.account_id,
        view.c.address,
        literal(EnrolmentState.ACTIVE.value),
        literal(now, Moment),
    ).where(*conditions)
    names = ["campaign", "version_id", "contact_id", "account_id", "address", "state", "entered_at"]
    done = session.execute(insert_into(session, Enrolment).from_select(names, entering).on_conflict_do_nothing())
    return max(int(done.rowcount), 0)  # type: ignore[attr-defined]


def versions(session: Session, slug: str) -> list[int]:
    """The versions of a campaign that somebody is still under way in."""
    return list(
        session.execute(
            select(col(Enrolment.version_id))
            .distinct()
            .where(col(Enrolment.campaign) == slug, col(Enrolment.state) == EnrolmentState.ACTIVE)
        ).scalars()
    )


def active(
    session: Session, slug: str, version_id: int, shard: int, shards: int, many: int = 5_000, address: str | None = None
) -> Iterator[list[RowMapping]]:
    """The leads under way in a version, or one of them: a few thousand plain rows at a time, colleagues together."""
    deals = (
        select(col(Opportunity.account_id), func.count().label("open"))
        .where(col(Opportunity.outcome) == Outcome.OPEN)
        .group_by(col(Opportunity.account_id))
        .subquery()
    )
    question = (
        select(
            col(Enrolment.id).label("enrolment_id"),
            col(Enrolment.contact_id),
            col(Enrolment.address),
            col(Enrolment.account_id),
            col(Enrolment.entered_at),
            col(Segment.role),
            col(Segment.title_role),
            col(Contact.stage),
            col(Contact.consent),
            col(Address.suppressed_why),
            col(Account.stopped_why).label("account_stopped_why"),
            func.coalesce(deals.c.open, 0).label("open_opportunities"),
            func.coalesce(Contact.country, Account.country).label("country"),
            col(Contact.time_zone),
        )
        .join(Contact, col(Contact.id) == Enrolment.contact_id)
        .join(Address, col(Address.address) == Enrolment.address)
        .outerjoin(Segment, col(Segment.contact_id) == Enrolment.contact_id)
        .outerjoin(Account, col(Account.id) == Enrolment.account_id)
        .outerjoin(deals, deals.c.account_id == Enrolment.account_id)
        .where(
            col(Enrolment.campaign) == slug,
            col(Enrolment.version_id) == version_id,
            col(Enrolment.state) == EnrolmentState.ACTIVE,
            func.coalesce(Enrolment.account_id, Enrolment.contact_id) % shards == shard,
        )  # colleagues share a shard
        .order_by(func.coalesce(Enrolment.account_id, 0), col(Enrolment.id))
    )
    if address:
        question = question.where(col(Enrolment.address) == address)
    for part in session.execute(question).mappings().partitions(many):
        yield list(part)


def enrolled(slug: str, version_id: int) -> Any:
    """The contacts under way in a version, as a subquery."""
    return select(col(Enrolment.contact_id)).where(
        col(Enrolment.campaign) == slug,
        col(Enrolment.version_id) == version_id,
        col(Enrolment.state) == EnrolmentState.ACTIVE,
    )


def letters_had(session: Session, slug: str, addresses: Sequence[str]) -> dict[str, list[RowMapping]]:
    """Every letter of the campaign already decided or on its way, by address. Walks the unique key."""
    rows = session.execute(
        select(
            col(Message.address),
            col(Message.letter),
            col(Message.state),
            col(Message.reason),
            func.coalesce(Message.accepted_at, Message.planned_at, type_=Moment).label("at"),
        ).where(col(Message.campaign) == slug, col(Message.address).in_(addresses))
    ).mappings()
    had: dict[str, list[RowMapping]] = {}
    for row in rows:
        had.setdefault(row["address"], []).append(row)
    return had


def booked(session: Session, account_ids: Sequence[int], now: datetime) -> list[RowMapping]:
    """When each of these accounts gets or got mail, since two days ago: account_id, at, country, time_zone."""
    groups = [state for state, group in LEDGER.items() if group in ("waiting", "unknown")]
    moment = func.coalesce(Message.accepted_at, Message.not_before, type_=Moment)
    return list(
        session.execute(
            select(
                col(Message.account_id),
                moment.label("at"),
                col(Contact.time_zone),
                func.coalesce(Contact.country, Account.country).label("country"),
            )
            .join(Contact, col(Contact.id) == Message.contact_id)
            .outerjoin(Account, col(Account.id) == Message.account_id)
            .where(
                col(Message.account_id).in_(account_ids),
                col(Message.state).in_([*groups, State.ACCEPTED]),
                col(Message.handoff_id).is_(None),
                moment > now - timedelta(days=2),
            )
        ).mappings()
    )


def leave(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """End enrolments. Rows: id, state, why, at."""
    if rows:
        table = Enrolment.__table__  # type: ignore[attr-defined]
        session.connection().execute(
            update(table)
            .where(table.c.id == bindparam("b_id"), table.c.state == EnrolmentState.ACTIVE)
            .values(state=bindparam("b_state"), why=bindparam("b_why"), ended_at=bindparam("b_at")),
            [{f"b_{key}": value for key, value in row.items()} for row in rows],
        )
