"""Campaign: a folder of letters once published, its versions, and each lead's way through one."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from models.moment import Id, Json, Moment


class Campaign(SQLModel, table=True):
    slug: str = Field(primary_key=True)
    name: str
    market: str
    version_id: int | None = Field(default=None, sa_type=Id)  # the version new enrolments begin with
    created_at: datetime = Field(sa_type=Moment)


class CampaignVersion(SQLModel, table=True):
    """What was published: every file with its text, so that a letter can be rendered again years later."""

    __tablename__ = "campaign_version"
    __table_args__ = (UniqueConstraint("campaign", "number"), UniqueConstraint("campaign", "digest"))

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    campaign: str = Field(foreign_key="campaign.slug", index=True)
    number: int
    digest: str  # sha256 over the files
    files: dict[str, Any] = Field(sa_type=Json)  # path below templates/ → text
    published_at: datetime = Field(sa_type=Moment)
    published_by: str


class EnrolmentState(StrEnum):
    ACTIVE = "active"
    COMPLETED = "completed"  # no step is left for this lead
    EXITED = "exited"  # left early: `why` says what happened


class Enrolment(SQLModel, table=True):
    """A lead's run through one version. Order lives in the version's steps; `done` lists letters already decided."""

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


class Brake(SQLModel, table=True):
    """A pause that takes effect within one claim. `scope` is "all", "campaign:<slug>" or "domain:<sender domain>"."""

    scope: str = Field(primary_key=True)
    why: str
    by: str
    at: datetime = Field(sa_type=Moment)
