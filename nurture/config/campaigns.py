"""Campaigns are folders: read one, keep the files of a version. The door to the campaign_* modules."""

from pathlib import Path

from nurture.config.campaign_file import CampaignError, find_campaign, read_files
from nurture.config.campaign_folder import digest, files, slugs
from nurture.config.toml_file import Problem
from nurture.rules.planning.campaign import Campaign

__all__ = ["CampaignError", "Problem", "digest", "files", "read", "read_files", "slugs"]


def read(templates: Path, slug: str) -> Campaign:
    """The campaign in a folder. Raises CampaignError with every mistake in its campaign.toml."""
    campaign, problems = find_campaign(files(templates, slug), slug)
    if campaign is None:
        raise CampaignError(problems)
    return campaign
