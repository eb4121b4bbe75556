"""Who sits where: the buying group of an account for one solution, who of them has been reached, and who is missing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from nurture.rules.scoring.account_score import FILLED

LATELY = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Solution:
    """Something we sell that a group decides about. A deed is about it when its words contain one of `marks`."""

    slug: str
    name: str
    needed_roles: tuple[str, ...]
    campaigns: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()

    def concerns(self, deed: Mapping[str, Any]) -> bool:
        if not self.needed_roles:
            return True  # no solution in particular
        said = (deed["detail"] or "").casefold()
        return deed["campaign"] in self.campaigns or any(mark in said for mark in self.marks)

    def is_meant_by(self, words: str | None) -> bool:
        """Does an opportunity that says this speak of it?"""
        return (words or "").casefold() in (self.slug.casefold(), self.name.casefold())


class Seat(NamedTuple):
    """One role in a buying group."""

    role: str
    needed: bool
    holders: tuple[int, ...]  # contact ids, the surest first
    confidence: float  # of the surest holder
    deeds: int  # what the holders did about the solution in 30 days
    last_at: datetime | None  # when one of them last did anything about it

    @property
    def filled(self) -> bool:
        return self.confidence >= FILLED


class BuyingGroup(NamedTuple):
    """Who decides about a solution at an account, who of them has been reached, and who is missing."""

    seats: tuple[Seat, ...]
    completeness: float  # needed roles filled, weighted by confidence, 0–1
    reached: float  # needed roles filled by somebody who has done anything about it, 0–1
    missing_role: str | None  # the first needed role that nobody fills
    silent_role: str | None  # the first needed role that is filled and has never been seen


def buying_group(
    members: Sequence[Mapping[str, Any]], deeds: Iterable[Mapping[str, Any]], solution: Solution, now: datetime
) -> BuyingGroup:
    """The group of an account for one solution. `members`: id, role, title_role, role_confidence; `deeds`: contact_id,
    at, detail, campaign. Who has several roles sits on several chairs."""
    lately: dict[int, int] = {}
    last: dict[int, datetime] = {}
    for deed in deeds:
        if solution.concerns(deed) and deed["at"] <= now:
            one = deed["contact_id"]
            lately[one] = lately.get(one, 0) + (deed["at"] > now - LATELY)
            last[one] = max(deed["at"], last.get(one, deed["at"]))
    held: dict[str, list[tuple[float, int]]] = {}
    for member in members:
        for role in {member["role"], member["title_role"]} - {None}:
            held.setdefault(role, []).append((-(member["role_confidence"] or 0.0), member["id"]))
    roles = [*solution.needed_roles, *sorted(held.keys() - set(solution.needed_roles))]
    seats = []
    for role in roles:
        people = sorted(held.get(role, ()))
        ids = tuple(one for _, one in people)
        seen = [last[one] for one in ids if one in last]
        done = sum(lately.get(one, 0) for one in ids)
        sure = -people[0][0] if people else 0.0
        seats.append(Seat(role, role in solution.needed_roles, ids, sure, done, max(seen, default=None)))
    needed = [seat for seat in seats if seat.needed]
    return BuyingGroup(
        tuple(seats),
        round(sum(seat.confidence for seat in needed) / len(needed), 3) if needed else 0.0,
        round(sum(seat.filled and seat.last_at is not None for seat in needed) / len(needed), 3) if needed else 0.0,
        next((seat.role for seat in needed if not seat.filled), None),
        next((seat.role for seat in needed if seat.filled and seat.last_at is None), None),
    )
