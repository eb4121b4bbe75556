"""solutions.toml read and checked: what we sell, and which roles decide about it."""

from pathlib import Path

from models.segment import ROLES
from nurture.config.toml_file import ConfigFileError, Problem, TomlTable, parse_toml
from nurture.rules.segmentation.solution_group import Solution

FILE = "solutions.toml"


class SolutionsError(ConfigFileError):
    """solutions.toml cannot be used."""


def read(folder: Path) -> tuple[Solution, ...]:
    """The solutions of an installation, in the order of its file; none where it has no such file."""
    path = folder / FILE
    return read_text(path.read_text("utf-8")) if path.is_file() else ()


def check(folder: Path) -> list[Problem]:
    """Everything that is wrong with the file; nothing, if it can be used or is not there."""
    try:
        read(folder)
    except SolutionsError as error:
        return error.problems
    return []


def read_text(text: str, name: str = FILE) -> tuple[Solution, ...]:
    """The solutions of a text. Raises SolutionsError with every mistake."""
    table = parse_toml(text, name, SolutionsError)
    found = tuple(_solution(slug, table.table(slug)) for slug in table)
    table.file.raise_problems(SolutionsError)
    return found


def _solution(slug: str, table: TomlTable) -> Solution:
    table.expect_only(("name", "roles", "campaigns", "words"))
    if not table.missing("roles") and table.values["roles"] == []:
        table.wrong("roles", f"{slug} needs no role", 'write roles = ["specifier", "authorizer"]')
    return Solution(
        slug,
        table.get("name", str, slug),
        table.choices("roles", ROLES, "the role"),
        table.texts("campaigns", 'write campaigns = ["pump-efficiency"]'),
        tuple(word.casefold() for word in table.texts("words", 'write words = ["tender"]')),
    )
