"""Campaign: a folder of letters once published, and its versions."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import UniqueConstraint, func, select
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel, col

from models.bulk_upsert import add_new, upsert
from models.types import Id, Json, Moment


class PublishedCampaign(SQLModel, table=True):
    """A campaign that was published at least once."""

    __tablename__ = "campaign"

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
    files: dict[str, str] = Field(sa_type=Json)  # path below templates/ → text
    published_at: datetime = Field(sa_type=Moment)
    published_by: str


class CampaignTerms(NamedTuple):
    """What the table of campaigns keeps of a campaign's own terms."""

    slug: str
    name: str
    market: str


class _FirstTerms(NamedTuple):
    slug: str
    name: str
    market: str
    created_at: datetime


class _TermsInForce(NamedTuple):
    slug: str
    name: str
    market: str
    created_at: datetime
    version_id: int


class _NewVersion(NamedTuple):
    campaign: str
    number: int
    digest: str
    files: dict[str, str]
    published_at: datetime
    published_by: str


def publish(
    session: Session, campaign: CampaignTerms, digest: str, files: dict[str, str], by: str, now: datetime
) -> tuple[int, bool]:
    """Store the files as a version, unless this very content is one already. Returns (version id, was it new).

    New enrolments begin with this version; those under way keep theirs.
    """
    slug, v = campaign.slug, CampaignVersion
    add_new(session, PublishedCampaign, [_FirstTerms(*campaign, now)])
    last = session.execute(select(func.max(v.number)).where(col(v.campaign) == slug)).scalar()
    new = add_new(session, v, [_NewVersion(slug, (last or 0) + 1, digest, files, now, by)])
    same = (col(v.campaign) == slug, col(v.digest) == digest)
    found = session.execute(select(col(v.id)).where(*same)).scalar_one() or 0
    in_force = _TermsInForce(*campaign, now, found)
    upsert(session, PublishedCampaign, [in_force], key=["slug"], keep=["created_at"])
    return found, bool(new)


class PublishedVersion(NamedTuple):
    """One published version of a campaign, with its files: path below templates/ → text."""

    id: int
    campaign: str
    number: int
    files: dict[str, str]


class CampaignInForce(NamedTuple):
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


def published(session: Session, market: str | None = None) -> list[CampaignInForce]:
    """Every campaign, or those of a market, with the version that new enrolments begin with, by folder name."""
    question = (
        select(
            col(PublishedCampaign.slug),
            col(PublishedCampaign.name),
            col(PublishedCampaign.market),
            col(PublishedCampaign.version_id),
            col(CampaignVersion.number),
            col(CampaignVersion.published_at),
        )
        .join(CampaignVersion, col(CampaignVersion.id) == PublishedCampaign.version_id)
        .order_by(col(PublishedCampaign.slug))
    )
    if market:
        question = question.where(col(PublishedCampaign.market) == market)
    return [CampaignInForce._make(row) for row in session.execute(question)]
