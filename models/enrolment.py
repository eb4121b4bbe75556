"""Enrolment: a lead's run through a campaign version, from entering to the last letter or an early exit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Index,
    Subquery,
    Table,
    UniqueConstraint,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel, col

from models.bulk_upsert import insert_into
from models.campaign import CampaignVersion
from models.delivery_states import State, Trigger, change_state
from models.message import TABLE as MESSAGE
from models.queries.audience import audience
from models.types import Id, Moment


class EnrolmentState(StrEnum):
    ACTIVE = "active"
    COMPLETED = "completed"  # no step is left for this lead
    REACHED = "reached"  # the campaign's goal is reached
    EXITED = "exited"  # left early: `why` says what happened


class Enrolment(SQLModel, table=True):
    """Pinned to the version it began with. A person is enrolled in a campaign once, whichever hat they wear."""

    __table_args__ = (
        UniqueConstraint("campaign", "address"),
        Index(  # the active ones, account by account: what planning walks
            "enrolment_active",
            *("campaign", "version_id", "account_id", "id"),
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
    )

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
    run: int = Field(default=1, sa_column_kwargs={"server_default": "1"})  # how often this lead has entered


@dataclass(frozen=True, slots=True)
class Entry:
    """Who may enter a campaign, and the version they begin with."""

    slug: str
    version_id: int
    market: str
    who: ColumnElement[bool]  # over the audience view: nurture.config.audience_predicate.condition
    roles: tuple[str, ...] = ()  # that some step is meant for; none named: everybody


class Newcomer(NamedTuple):
    """Somebody who would enter a campaign."""

    address: str
    first_name: str | None
    last_name: str | None
    role: str | None
    account_name: str | None


class EnrolledCount(NamedTuple):
    """How many leads of a version (its number, 0: not known) are in a state."""

    version: int
    state: str
    n: int


class WithdrawnLetters(NamedTuple):
    """A lead who leaves, and why their waiting letters are skipped."""

    address: str
    reason: str
    detail: str | None


class EnrolmentEnd(NamedTuple):
    """How and why an enrolment ends."""

    id: int
    state: str  # EnrolmentState
    why: str
    at: datetime


def enrol(session: Session, entry: Entry, now: datetime) -> int:
    """Everybody of the audience who is not in this campaign yet enters it, in one statement. Returns how many."""
    view = audience(now).subquery("audience")
    entering = select(
        literal(entry.slug),
        literal(entry.version_id),
        view.c.contact_id,
        view.c.account_id,
        view.c.address,
        literal(EnrolmentState.ACTIVE.value),
        literal(now, Moment),
        literal(1),
    ).where(*_qualifies(view, entry))
    names = ["campaign", "version_id", "contact_id", "account_id", "address", "state", "entered_at", "run"]
    done = session.execute(insert_into(session, Enrolment).from_select(names, entering).on_conflict_do_nothing())
    return max(int(done.rowcount), 0)  # type: ignore[attr-defined]


def _qualifies(view: Subquery, entry: Entry) -> list[ColumnElement[bool]]:
    conditions = [entry.who, view.c.market == entry.market]
    if entry.roles:
        conditions.append(or_(view.c.role.in_(entry.roles), view.c.title_role.in_(entry.roles)))
    return conditions


def may_return(
    slug: str, version_id: int, ended_before: datetime | None, on_version: bool
) -> ColumnElement[bool] | None:
    """Whose run has ended and who may begin again: those who left long enough ago, or with an older version."""
    allowed = []
    if ended_before is not None:
        allowed.append(T.ended_at <= ended_before)
    if on_version:
        allowed.append(T.version_id != version_id)
    return and_(T.campaign == slug, T.state != EnrolmentState.ACTIVE, or_(*allowed)) if allowed else None


def enrol_again(session: Session, entry: Entry, whose: ColumnElement[bool], now: datetime) -> int:
    """Of those who may return (`may_return`), everybody whom the audience wants begins a new run, with this version."""
    view = audience(now).subquery("audience")
    wanted = select(view.c.address).where(*_qualifies(view, entry))
    done = session.execute(
        update(TABLE)
        .where(whose, T.address.in_(wanted))
        .values(state=EnrolmentState.ACTIVE, version_id=entry.version_id, entered_at=now, ended_at=None, why=None,
                run=T.run + 1)
    )  # fmt: skip
    return max(int(done.rowcount), 0)  # type: ignore[attr-defined]


def newcomers(
    session: Session, entry: Entry, again: ColumnElement[bool] | None, now: datetime, most: int
) -> tuple[int, list[Newcomer]]:
    """Who would enter now, or begin again: how many, and the first of them by address. Writes nothing."""
    view = audience(now).subquery("audience")
    known = select(T.address).where(T.campaign == entry.slug)
    new: ColumnElement[bool] = view.c.address.not_in(known)
    if again is not None:
        new = or_(new, view.c.address.in_(select(T.address).where(again)))
    those = (*_qualifies(view, entry), new)
    found = session.execute(select(func.count()).select_from(view).where(*those)).scalar_one()
    first = select(view.c.address, view.c.first_name, view.c.last_name, view.c.role, view.c.account_name)
    rows = session.execute(first.where(*those).order_by(view.c.address).limit(most))
    return found, list(map(Newcomer._make, rows))


def versions(session: Session, slug: str) -> list[int]:
    """The versions of a campaign in which somebody has an active enrolment."""
    return list(session.execute(select(T.version_id).distinct().where(T.campaign == slug, T.state == ACTIVE)).scalars())


def counts(session: Session, slug: str) -> list[EnrolledCount]:
    """How many leads are in a campaign, and how many have left it, by version and state."""
    return list(
        map(
            EnrolledCount._make,
            session.execute(
                select(func.coalesce(CampaignVersion.number, 0).label("version"), T.state, func.count().label("n"))
                .outerjoin(CampaignVersion, col(CampaignVersion.id) == T.version_id)
                .where(T.campaign == slug)
                .group_by(col(CampaignVersion.number), T.state)
                .order_by(col(CampaignVersion.number), T.state)
            ),
        )
    )


def withdraw(session: Session, slug: str, rows: Sequence[WithdrawnLetters]) -> None:
    """Letters that wait for leads who leave are skipped with the reason."""
    if rows:
        session.connection().execute(
            change_state(MESSAGE, Trigger.FORBID, State.WAITING)
            .where(MESSAGE.c.address == bindparam("b_address"), MESSAGE.c.campaign == slug)
            .values(reason=bindparam("b_reason"), detail=bindparam("b_detail")),
            [{"b_address": row.address, "b_reason": row.reason, "b_detail": row.detail} for row in rows],
        )


def leave(session: Session, rows: Sequence[EnrolmentEnd]) -> None:
    """End enrolments."""
    if rows:
        session.connection().execute(
            update(TABLE)
            .where(T.id == bindparam("b_id"), T.state == EnrolmentState.ACTIVE)
            .values(state=bindparam("b_state"), why=bindparam("b_why"), ended_at=bindparam("b_at")),
            [{"b_id": row.id, "b_state": row.state, "b_why": row.why, "b_at": row.at} for row in rows],
        )


TABLE: Table = Enrolment.__table__  # type: ignore[attr-defined]
T = TABLE.c
ACTIVE = literal(EnrolmentState.ACTIVE.value, literal_execute=True)  # written out: SQLite uses no partial index for "?"
