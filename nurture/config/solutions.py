"""solutions.toml read and checked: what we sell, and which roles decide about it."""

import re
import tomllib
from pathlib import Path

from models.segment import ROLES
from nurture.config.toml_file import REQUIRED, Problem, Reader, lines
from nurture.rules.segmentation.solution_group import Solution

FILE = "solutions.toml"


class SolutionsError(Exception):
    """The file cannot be used. Its text names each line and the mend."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


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
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise SolutionsError([Problem(name, int(line[1]) if line else None, str(error), "correct the TOML")]) from None
    reader = Reader(name, lines(text))
    found = []
    for slug in table:
        one = reader.take(table, (), slug, dict, {})
        reader.known(one, (slug,), ("name", "roles", "campaigns", "words"))
        roles = reader.take(one, (slug,), "roles", list, REQUIRED) or []
        if "roles" in one and not roles:
            reader.wrong((slug, "roles"), f"{slug} needs no role", 'write roles = ["specifier", "authorizer"]')
        found.append(
            Solution(
                slug,
                reader.take(one, (slug,), "name", str, slug),
                tuple(role for role in roles if reader.choose(role, (slug, "roles"), ROLES, "the role")),
                tuple(reader.take(one, (slug,), "campaigns", list, [])),
                tuple(str(word).casefold() for word in reader.take(one, (slug,), "words", list, [])),
            )
        )
    if reader.problems:
        raise SolutionsError(reader.problems)
    return tuple(found)
