"""Contact: a lead's record in one market. The same person may have two: one at work, one at home."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import UniqueConstraint, insert, select, update
from sqlmodel import Field, Session, SQLModel, col

from models.types import Id, Json, Moment


class Market(StrEnum):
    """Which of our two markets a contact belongs to."""

    B2B = "b2b"
    B2C = "b2c"


class Consent(StrEnum):
    """Whether somebody has agreed to be mailed."""

    GRANTED = "granted"  # said yes, or is a business contact under legitimate interest by the customer's own decision
    UNKNOWN = "unknown"  # nobody asked: never mailed
    WITHDRAWN = "withdrawn"  # said no: never mailed


class Stage(StrEnum):
    """Where a lead stands. B2B: discovery, lead, … customer, recycled; B2C: aware, … lapsed.

    `nurture.rules.segmentation.lifecycle` has their order.
    """

    DISCOVERY = "discovery"  # we know of them, they have not shown any interest yet
    LEAD = "lead"
    MQL = "mql"
    SAL = "sal"
    SQL = "sql"
    OPPORTUNITY = "opportunity"
    CUSTOMER = "customer"
    RECYCLED = "recycled"
    AWARE = "aware"
    CONSIDERING = "considering"
    BUYER = "buyer"
    MEMBER = "member"
    LAPSED = "lapsed"


class Contact(SQLModel, table=True):
    """One row per (market, address): the address is normalised, `email` is as it was given."""

    __table_args__ = (UniqueConstraint("market", "key"), UniqueConstraint("market", "address"))

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    market: str = Field(default=Market.B2B)
    key: str  # the customer's identifier, or the address where the file has none
    address: str = Field(foreign_key="address.address", index=True)
    email: str
    account_id: int | None = Field(default=None, foreign_key="account.id", index=True, sa_type=Id)
    first_name: str | None = None
    last_name: str | None = None
    title: str | None = None
    phone: str | None = None
    locale: str = "en"  # language, or language-REGION: en, es-MX, zh-CN
    country: str | None = None
    time_zone: str | None = None  # IANA; where absent, the country's
    consent: str = Field(default=Consent.UNKNOWN)
    consent_at: datetime | None = Field(default=None, sa_type=Moment)
    consent_source: str | None = None
    stage: str = Field(default=Stage.LEAD, index=True)
    traits: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    created_at: datetime = Field(sa_type=Moment)
    updated_at: datetime = Field(sa_type=Moment)


class Transition(SQLModel, table=True):
    """A lead's move from one stage to the next, and why: the funnel is counted from these rows."""

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    contact_id: int = Field(foreign_key="contact.id", index=True, sa_type=Id)
    stage_from: str | None = None
    stage_to: str
    at: datetime = Field(sa_type=Moment)
    why: str


class StageMove(NamedTuple):
    """One lead goes from one stage to the next, and why."""

    contact_id: int
    stage_from: str | None
    stage_to: str
    why: str


def move_stages(session: Session, moves: Sequence[StageMove], now: datetime) -> int:
    """Take leads to their next stage and log it.

    Who is no longer in `stage_from` stays where they are. Returns how many moved.
    """
    moved = 0
    for start in range(0, len(moves), 1_000):
        wanted = {move.contact_id: move for move in moves[start : start + 1_000]}
        ids = sorted(wanted)
        locked = session.execute(  # the primary key carries it; PostgreSQL locks the rows in one order for everybody
            select(col(Contact.id), col(Contact.stage))
            .where(col(Contact.id).in_(ids))
            .order_by(col(Contact.id))
            .with_for_update()
        )
        rows = [wanted[identifier] for identifier, stage in locked if stage == wanted[identifier].stage_from]
        if rows:
            session.execute(update(Contact), [{"id": move.contact_id, "stage": move.stage_to} for move in rows])
            session.execute(insert(Transition), [{**move._asdict(), "at": now} for move in rows])
        moved += len(rows)
    return moved
