"""Campaign: a folder of letters once published, and its versions."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import UniqueConstraint, func, select
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel, col

from models.bulk_upsert import add_new, upsert
from models.types import Id, Json, Moment


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


def publish(
    session: Session, campaign: dict[str, Any], digest: str, files: dict[str, str], by: str, now: datetime
) -> tuple[int, bool]:
    """Store the files as a version, unless this very content is one already. Returns (version id, was it new).

    `campaign`: slug, name, market. New enrolments begin with this version; those under way keep theirs.
    """
    slug = campaign["slug"]
    add_new(session, Campaign, [{**campaign, "created_at": now}])
    last = session.execute(
        select(func.max(CampaignVersion.number)).where(col(CampaignVersion.campaign) == slug)
    ).scalar()
    new = add_new(
        session,
        CampaignVersion,
        [
            {
                "campaign": slug,
                "number": (last or 0) + 1,
                "digest": digest,
                "files": files,
                "published_at": now,
                "published_by": by,
            }
        ],
    )
    found = session.execute(
        select(col(CampaignVersion.id)).where(
            col(CampaignVersion.campaign) == slug, col(CampaignVersion.digest) == digest
        )
    ).scalar_one()
    upsert(session, Campaign, [{**campaign, "version_id": found, "created_at": now}], key=["slug"], keep=["created_at"])
    return found or 0, bool(new)


class PublishedVersion(NamedTuple):
    """One published version of a campaign, with its files: path below templates/ → text."""

    id: int
    campaign: str
    number: int
    files: dict[str, str]


class PublishedCampaign(NamedTuple):
    """A campaign with the version that new enrolments begin with."""

    slug: str
    name: str
    market: str
    version_id: int
    number: int
    published_at: datetime


def version(session: Session, version_id: int) -> PublishedVersion:
    """One published version with its files. Raises NoResultFound."""
    columns = [col(getattr(CampaignVersion, field)) for field in PublishedVersion._fields]
    return PublishedVersion._make(session.execute(select(*columns).where(col(CampaignVersion.id) == version_id)).one())


def published(session: Session, market: str | None = None) -> list[PublishedCampaign]:
    """Every campaign, or those of a market, with the version that new enrolments begin with, by folder name."""
    question = (
        select(
            col(Campaign.slug),
            col(Campaign.name),
            col(Campaign.market),
            col(Campaign.version_id),
            col(CampaignVersion.number),
            col(CampaignVersion.published_at),
        )
        .join(CampaignVersion, col(CampaignVersion.id) == Campaign.version_id)
        .order_by(col(Campaign.slug))
    )
    if market:
        question = question.where(col(Campaign.market) == market)
    return [PublishedCampaign._make(row) for row in session.execute(question)]
