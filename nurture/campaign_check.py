"""`nurture check`: every letter of every campaign written to a sample lead, before a real one gets it."""

from datetime import date
from pathlib import Path

from nurture.toml_file import Problem


def check(templates: Path, slug: str | None = None, today: date | None = None) -> list[Problem]:
    """Every problem of one campaign, or of all."""
    return []
