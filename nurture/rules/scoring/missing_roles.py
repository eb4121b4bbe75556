"""Whose absence costs deals? Learned from deals won and lost; where they are too few, the file's own order stays."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, lgamma, log
from typing import Any, TypedDict

LEAST_DEALS = 40  # closed ones, before their record changes an order
LEAST_OUTCOMES = 10  # won, and lost
LEAST_SIDE = 10  # deals with the role, and without it, before anything is said about it
USUAL = 0.5  # standard deviation of the log odds ratios that we expect: most roles change the odds by less than 1.6
FIRST = 0.2  # the log odds ratio we expect of the role the file names first; it falls to nothing along the list
DOUBT = 0.01  # how often we may be wrong about one role: with five of them, one claim in twenty is luck
STEP = 0.05
NEGLIGIBLE = -40.0  # in logs
GRID = [STEP * step for step in range(-80, 81)]


@dataclass(frozen=True, slots=True)
class ClosedDeal:
    """A closed opportunity: who was known when it opened (roles), and how it ended."""

    roles: frozenset[str]
    won: bool


@dataclass(frozen=True, slots=True)
class RoleEffect:
    """How many times as often like deals were won with a role as without: shrunk towards what the file's order says."""

    role: str
    ratio: float
    least: float  # the ratio is at least this, but for one case in a hundred
    deals_with: int
    deals_without: int

    @property
    def proven(self) -> bool:
        """Do the deals prove that the role helps?"""
        return self.least > 1 and min(self.deals_with, self.deals_without) >= LEAST_SIDE

    @property
    def sentence(self) -> str:
        """What the deals say, to be put behind a colon."""
        return (
            f"groups with one won {self.ratio:.1f}× as often as like groups without "
            f"({self.deals_with:,} deals with, {self.deals_without:,} without)"
        )


class SavedEffect(TypedDict):
    """A role's effect as JSON."""

    role: str
    ratio: float
    least: float
    deals_with: int
    deals_without: int


class SavedRoles(TypedDict):
    """What was learned of the needed roles, as JSON."""

    order: list[str]
    effects: list[SavedEffect]


@dataclass(frozen=True, slots=True)
class NeededRoles:
    """The needed roles, the one whose absence costs most first. `why_not`: in a sentence, when nothing was learned."""

    order: tuple[str, ...]
    effects: tuple[RoleEffect, ...] = ()
    why_not: str = ""

    def why(self, role: str | None) -> str | None:
        """What its absence costs, as a sentence for sales; None where the deals do not prove it."""
        proven = (one for one in self.effects if one.role == role and one.proven)
        return next((f"No {one.role} yet: {one.sentence}." for one in proven), None)

    @property
    def sentence(self) -> str:
        """What was learned, or why nothing was, for people."""
        if self.why_not:
            return self.why_not
        proven = [one for one in self.effects if one.proven]
        if not proven:
            return "No role of the buying group is proven to win deals yet; the order follows what there is."
        most = max(proven, key=lambda one: one.ratio)
        return f"Most is missed where there is no {most.role}: {most.sentence}."

    def as_body(self) -> SavedRoles:
        """The roles as JSON; `read_roles` makes the same of it."""
        return {
            "order": list(self.order),
            "effects": [
                {
                    "role": one.role, "ratio": one.ratio, "least": one.least,
                    "deals_with": one.deals_with, "deals_without": one.deals_without,
                }
                for one in self.effects
            ],
        }  # fmt: skip


def read_roles(body: Mapping[str, Any], needed: Sequence[str]) -> NeededRoles:
    """The learned roles for the roles the file asks for today: new ones come last, dropped ones go."""
    kept = [role for role in body.get("order", ()) if role in needed]
    effects = tuple(RoleEffect(**one) for one in body.get("effects", ()) if one["role"] in needed)
    return NeededRoles((*kept, *(role for role in needed if role not in kept)), effects)


def learn_roles(deals: Sequence[ClosedDeal], needed: Sequence[str]) -> NeededRoles:
    """Which of the `needed` roles, in the file's order, matters most to these deals.

    Deals are compared with like ones only, those where as many of the other roles were known: rich groups win more
    anyway. What is found is then weighed against what the order of the file says, by how sure each is.
    """
    won = sum(deal.won for deal in deals)
    if len(deals) < LEAST_DEALS or min(won, len(deals) - won) < LEAST_OUTCOMES:
        return NeededRoles(
            tuple(needed),
            why_not=f"The order of the missing roles stays the file's: {won:,} deals were won and {len(deals) - won:,} "
            f"lost, and {LEAST_DEALS} with {LEAST_OUTCOMES} of each are the least to learn from.",
        )
    effects = [_effect(role, place, deals, needed) for place, role in enumerate(needed)]
    ranked = sorted(effects, key=lambda one: -one.ratio)  # stable: what is alike stays in the file's order
    return NeededRoles(tuple(one.role for one in ranked), tuple(ranked))


def _effect(role: str, place: int, deals: Iterable[ClosedDeal], needed: Collection[str]) -> RoleEffect:
    cells: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])  # others known → won, all with; won, all without
    for deal in deals:
        cell = cells[len(deal.roles & set(needed) - {role})]
        side = 0 if role in deal.roles else 2
        cell[side] += deal.won
        cell[side + 1] += 1
    with_it, won_without, without = (sum(cell[n] for cell in cells.values()) for n in (1, 2, 3))
    usual = (won_without + 0.5) / (without + 1)
    believed = _believed(list(cells.values()), FIRST * (len(needed) - place) / len(needed))
    middle, least = _below(believed, 0.5), _below(believed, DOUBT)
    return RoleEffect(role, _as_ratio(middle, usual), _as_ratio(least, usual), with_it, without)


def _believed(cells: Sequence[Sequence[int]], expected: float) -> list[float]:
    """How much each log odds ratio of GRID is believed, summing to 1.

    What is expected times what the deals say. Within a cell only who won is asked, not how many did: then the cells'
    own luck does not count, and a side that never won is no special case.
    """
    weights = [-(((odds - expected) / USUAL) ** 2) / 2 for odds in GRID]
    for won_with, with_it, won_without, without in cells:
        won = won_with + won_without
        if not (with_it and without and 0 < won < with_it + without):
            continue  # nobody to compare with
        could = range(max(0, won - without), min(with_it, won) + 1)
        ways = [_ways(with_it, k) + _ways(without, won - k) for k in could]
        for at, odds in enumerate(GRID):
            weights[at] += ways[won_with - could.start] + won_with * odds - _total(ways, could.start, odds)
    highest = max(weights)
    plain = [exp(weight - highest) for weight in weights]
    return [one / sum(plain) for one in plain]


def _total(ways: Sequence[float], first: int, odds: float) -> float:
    """The log of the sum of exp(way + k · odds), k from `first` on: from its one summit down both sides."""
    falls = [one - other for one, other in pairwise(ways)]  # they grow: the summit is where they reach the odds
    summit = bisect_left(falls, odds)
    high = ways[summit] + (first + summit) * odds
    total = 1.0
    for side in (range(summit + 1, len(ways)), range(summit - 1, -1, -1)):
        for place in side:
            term = ways[place] + (first + place) * odds - high
            if term < NEGLIGIBLE:
                break
            total += exp(term)
    return high + log(total)


def _ways(n: int, k: int) -> float:
    """The log of the number of ways to choose k of n."""
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _below(believed: Sequence[float], share: float) -> float:
    """The log odds ratio below which this share of the belief lies."""
    before = 0.0
    for odds, weight in zip(GRID, believed, strict=True):
        if before + weight >= share:
            return odds + STEP * ((share - before) / weight - 0.5)
        before += weight
    return GRID[-1]


def _as_ratio(log_odds: float, usual: float) -> float:
    """How many times as often: `usual` is the share won without."""
    odds = exp(log_odds)
    return odds / (1 - usual + usual * odds)
