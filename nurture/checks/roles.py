"""Buying roles on the list that nobody can ever have."""

from collections.abc import Iterator

from models.segment import ROLES, Role
from nurture.config.toml_file import Problem
from nurture.rules.segmentation.title_tables import ROLE_RULES, TitleTables


def role_problems(tables: TitleTables) -> Iterator[Problem]:
    """Roles to which no rule leads: only a person's word gives them to anybody. Champions become it by what they do."""
    given = {rule.name for rule in tables.role_of.values()} | {Role.CHAMPION}
    for role in ROLES:
        if role not in given:
            what = f"no rule gives anybody the role “{role}”"
            mend = f'add a [[rule]] with name = "{role}" above the more general ones (docs/extending.md)'
            yield Problem(ROLE_RULES, None, what, mend, "warning")
