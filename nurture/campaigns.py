"""Campaigns are folders: read one, check them all, keep the files of a version. The door to the campaign_* modules."""

from pathlib import Path

from nurture.campaign_check import check
from nurture.campaign_file import CampaignError, read_files
from nurture.campaign_folder import digest, files, slugs
from nurture.rules.campaign import Campaign
from nurture.toml_file import Problem

__all__ = ["CampaignError", "Problem", "check", "digest", "files", "read", "read_files", "slugs"]


def read(templates: Path, slug: str) -> Campaign:
    """The campaign in a folder. Raises CampaignError with every mistake in its campaign.toml."""
    return read_files(files(templates, slug), slug)
