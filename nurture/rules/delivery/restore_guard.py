"""Restored: does the database remember everything that was sent? Only what stands outside it can tell."""

from dataclasses import dataclass
from datetime import timedelta

EVERY = timedelta(seconds=30)  # while letters leave, the mark outside is moved on that often: what may go unnoticed


@dataclass(frozen=True, slots=True)
class RestoreMark:
    """How far sending has come with a database."""

    name: str
    mark: int


def why_nothing_may_leave(inside: RestoreMark | None, outside: RestoreMark | None, where: str) -> str:
    """Why nothing may be sent until a person has looked; "" when all is well. `where`: the file with the outer mark."""
    if outside is None:
        if inside is None or inside.mark == 0:
            return ""
        return f"letters were sent with this database, but not from here: there is no {where}. Is it a copy?"
    if inside is None:
        return f"{where} tells of letters that were sent with another database, and this one is new"
    if inside.name != outside.name:
        return f"{where} tells of letters that were sent with another database than this one"
    if inside.mark < outside.mark:
        behind = outside.mark - inside.mark
        return f"the database was restored: {where} is {behind:,} steps ahead of what it remembers as sent"
    return ""
