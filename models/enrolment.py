"""Enrolment: a lead's run through a campaign version, from entering to the last letter or an early exit."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import (
    Index,
    Table,
    UniqueConstraint,
    bindparam,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel, col

from models.campaign import CampaignVersion
from models.delivery_states import State, Trigger, change_state
from models.message import TABLE as MESSAGE
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
