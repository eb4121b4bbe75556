"""Who decides about one of our solutions at an account, who of them has been reached, and who is missing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from models.queries.buying_group import GroupActivity, GroupMember
from nurture.rules.scoring.account_score import FILLED

RECENT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Solution:
    """Something we sell that a group decides about. An activity is about it when its detail contains one of `marks`."""

    slug: str
    name: str
    needed_roles: tuple[str, ...]
    campaigns: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()

    def concerns(self, activity: GroupActivity) -> bool:
        """Is the activity about this solution? Every activity is where no roles are needed: then none is meant."""
        if not self.needed_roles:
            return True
        said = (activity.detail or "").casefold()
        return activity.campaign in self.campaigns or any(mark in said for mark in self.marks)

    def is_meant_by(self, words: str | None) -> bool:
        """Does an opportunity that says this speak of it?"""
        return (words or "").casefold() in (self.slug.casefold(), self.name.casefold())


class GroupRole(NamedTuple):
    """One role in a buying group and who has it."""

    role: str
    needed: bool
    holders: tuple[int, ...]  # contact ids, the surest first
    confidence: float  # of the surest holder, 0–1
    activities: int  # of the holders about the solution in 30 days
    last_at: datetime | None  # when one of them last did anything about it

    @property
    def filled(self) -> bool:
        """Are we sure enough of the holder to count the role as known?"""
        return self.confidence >= FILLED


class SolutionGroup(NamedTuple):
    """Who decides about a solution at an account, who of them has been reached, and who is missing."""

    roles: tuple[GroupRole, ...]
    completeness: float  # needed roles filled, weighted by confidence, 0–1
    reached: float  # needed roles filled by somebody who has done anything about it, 0–1
    missing_role: str | None  # the first needed role that nobody fills
    silent_role: str | None  # the first needed role whose holders have never done anything about it


def solution_group(
    members: Iterable[GroupMember], activities: Iterable[GroupActivity], solution: Solution, now: datetime
) -> SolutionGroup:
    """The group of an account for one solution. Who has two roles, by title and by behaviour, is a holder of both."""
    recent: dict[int, int] = {}
    last: dict[int, datetime] = {}
    for activity in activities:
        if solution.concerns(activity) and activity.at <= now:
            one = activity.contact_id
            recent[one] = recent.get(one, 0) + (activity.at > now - RECENT)
            last[one] = max(activity.at, last.get(one, activity.at))
    held = _holders(members)
    roles = []
    for role in (*solution.needed_roles, *sorted(held.keys() - set(solution.needed_roles))):
        people = sorted(held.get(role, ()))
        ids = tuple(one for _, one in people)
        seen = [last[one] for one in ids if one in last]
        did = sum(recent.get(one, 0) for one in ids)
        sure = -people[0][0] if people else 0.0
        roles.append(GroupRole(role, role in solution.needed_roles, ids, sure, did, max(seen, default=None)))
    return _summed_up(roles)


def _holders(members: Iterable[GroupMember]) -> dict[str, list[tuple[float, int]]]:
    """Role → (minus the confidence, contact id) of each holder."""
    held: dict[str, list[tuple[float, int]]] = {}
    for member in members:
        for role in {member.role, member.title_role}:
            if role is not None:
                held.setdefault(role, []).append((-(member.role_confidence or 0.0), member.id))
    return held


def _summed_up(roles: Sequence[GroupRole]) -> SolutionGroup:
    needed = [role for role in roles if role.needed]
    reached = sum(role.filled and role.last_at is not None for role in needed)
    return SolutionGroup(
        tuple(roles),
        round(sum(role.confidence for role in needed) / len(needed), 3) if needed else 0.0,
        round(reached / len(needed), 3) if needed else 0.0,
        next((role.role for role in needed if not role.filled), None),
        next((role.role for role in needed if role.filled and role.last_at is None), None),
    )
