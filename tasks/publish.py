"""Publishing: a campaign's folder becomes a version in the database, after it has been checked."""

from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from models import campaign as kept
from nurture.checks import campaign
from nurture.config import campaigns
from nurture.config.campaign_file import CampaignError
from nurture.config.toml_file import Problem
from nurture.runtime import database


def publish(engine: Engine, templates: Path, slug: str | None, by: str, now: datetime) -> list[tuple[str, int, bool]]:
    """Publish one campaign, or all. Returns (campaign, version number, is it new). Raises CampaignError on the first
    problem: nothing is published then."""
    slugs = [slug] if slug else campaigns.slugs(templates)
    for each in slugs:
        terms = campaigns.read(templates, each)  # an unknown folder says so before anything is checked
        serious = [p for p in campaign.check(templates, each, now.date()) if p.weight == "error"]
        if terms.offer and terms.offer.ends_on < now.date():
            what = f"the offer ended on {terms.offer.ends_on:%Y-%m-%d}: nobody would get a letter"
            serious.append(Problem(f"{each}/campaign.toml", None, what, "set a later day for ends_on"))
        if serious:
            raise CampaignError(serious)
    done = []
    with database.writing(engine) as session:
        for each in slugs:
            files, terms = campaigns.files(templates, each), campaigns.read(templates, each)
            entry = kept.CampaignTerms(each, terms.name, terms.market)
            version_id, new = kept.publish(session, entry, campaigns.digest(files), files, by, now)
            done.append((each, kept.version(session, version_id).number, new))
    return done
