"""The guides tell the truth: every command they show exists with those options, every link leads somewhere."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer

from nurture.cli import app
from nurture.runtime.settings import RENAMED, Settings

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
SHOWN = re.compile(r"(?m)^(?:\$ )?((?:nurture|make) [^#\n|>]*)|`((?:nurture|make) [^`\n]*)`")


def commands(page: Path) -> list[str]:
    """Command lines in code blocks and between backticks."""
    text = page.read_text("utf-8")
    blocks = "\n".join(re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL))
    inline = "\n".join(
        f"`{words}`" for words in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    )
    return [(block or between).strip() for block, between in SHOWN.findall(f"{blocks}\n{inline}")]


def test_there_are_commands_to_check() -> None:
    assert len(commands(ROOT / "README.md")) >= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_shown_can_be_typed(page: Path) -> None:
    known: click.Group = typer.main.get_command(app)  # type: ignore[assignment]
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    for line in commands(page):
        tool, *words = shlex.split(re.sub(r"[…].*", "", line))
        if tool == "make":
            assert not words or words[0] in targets, f"{page.name}: {line}"
            continue
        if not words or words[0].startswith("<"):
            continue
        assert words[0] in known.commands, f"{page.name}: {line}"
        asked = known.commands[words[0]]
        if isinstance(asked, click.Group) and len(words) > 1:  # nurture unknown list
            assert words[1] in asked.commands, f"{page.name}: {line}"
            asked = asked.commands[words[1]]
        options = {name for parameter in asked.params for name in (*parameter.opts, *parameter.secondary_opts)}
        for word in words[1:]:
            if word.startswith("--"):
                assert word.partition("=")[0] in options | {"--help"}, f"{page.name}: {line}: {word}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if not target.startswith(("http", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), f"{page.name} → {target}"


PATH = re.compile(r"`((?:flows|tasks|models|nurture|templates|tests|benchmarks|docs|examples)/[\w./*-]+)`")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in ("CHANGELOG.md", "extending.md")], ids=lambda page: page.name
)
def test_every_path_named_is_there(page: Path) -> None:
    """The changelog speaks of what was, and the recipes of what will be."""
    for path in PATH.findall(page.read_text("utf-8")):
        assert list(ROOT.glob(path.rstrip("/"))), f"{page.name} names {path}"


def test_every_setting_is_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        if name in RENAMED:
            continue
        variable = str(field.validation_alias or f"NURTURE_{name.upper()}")  # SendGrid's own things bear its names
        assert f"{variable}=" in example, f".env.example lacks {variable}"
