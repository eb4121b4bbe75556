"""The files of a campaign: which folders there are, what belongs to one, and one name for exactly these texts."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from nurture.config.campaign_file import CampaignError
from nurture.config.toml_file import Problem

SHARED = ("_layout", "_partials")
TEXTS = (".toml", ".txt", ".html")


def slugs(templates: Path) -> list[str]:
    """Every campaign folder, by name."""
    return sorted(path.parent.name for path in templates.glob("[!_]*/campaign.toml"))


def files(templates: Path, slug: str) -> dict[str, str]:
    """Everything a campaign's letters are made of: its folder, the frames, the content library; path → text."""
    folders = [templates / slug, *(templates / name for name in SHARED)]
    paths = [path for folder in folders for path in folder.rglob("*") if path.suffix in TEXTS and path.is_file()]
    paths += [path for name in ("content.toml", "personas.toml", "prices.toml") if (path := templates / name).is_file()]
    found: dict[str, str] = {}
    for path in sorted(paths):
        name = path.relative_to(templates).as_posix()
        try:
            found[name] = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            line = path.read_bytes()[: error.start].count(b"\n") + 1
            problem = Problem(name, line, "the file is not UTF-8", "save it as UTF-8 in your editor")
            raise CampaignError([problem]) from None
    return found


def digest(version: Mapping[str, str]) -> str:
    """One name for exactly these files: sha256 over paths and texts."""
    total = hashlib.sha256()
    for path in sorted(version):
        for piece in (path, version[path]):
            total.update(len(piece.encode()).to_bytes(8, "big") + piece.encode())
    return total.hexdigest()
