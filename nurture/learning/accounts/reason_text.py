"""The chance of an account as a sentence for sales: what speaks for it and what against, the weightiest first."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import polars as pl

LEAST = 0.15  # log odds from which on a part is worth a word


class AccountFacts(NamedTuple):
    """The plain counts behind one account's features."""

    people: int
    active: int  # people, in the last 30 days
    activities: int  # in the last 90 days
    days: float | None  # since the last activity; None: never
    employees: int | None
    lost: int  # opportunities
    roles: frozenset[str]  # needed ones that are filled


def facts_of(frame: pl.DataFrame, needed: Sequence[str]) -> Iterator[AccountFacts]:
    """The facts behind each row of `account_features`, in its order."""
    columns = ("n_people", "n_active", "n_90", "days", "n_employees", "n_lost", *(f"role_{role}" for role in needed))
    for people, active, activities, days, employees, lost, *sure in frame.select(columns).iter_rows():
        roles = frozenset(role for role, share in zip(needed, sure, strict=True) if share >= 0.5)
        yield AccountFacts(people, active, activities, days, employees, lost, roles)


def account_sentence(chance: float, horizon: int, weight: Mapping[str, float], facts: AccountFacts, needed: int) -> str:
    """One account's chance (0–1, within `horizon` days) and its reasons.

    `weight`: the log odds of each part (group, did, company, past) against an average account; `needed`: how many
    roles a deal needs.
    """
    ranked = sorted(weight.items(), key=lambda one: -abs(one[1]))
    good = [_words(part, facts, needed) for part, size in ranked if size >= LEAST]
    bad = [_words(part, facts, needed) for part, size in ranked if size <= -LEAST]
    share = f"{chance:.0%}" if chance >= 0.01 else "less than 1%"
    said = f"{share} likely to open an opportunity within {horizon} days"
    if good:
        said += ": " + ", ".join(good)
    return f"{said}; held back by: {', '.join(bad)}" if bad else said


def _words(part: str, facts: AccountFacts, needed: int) -> str:
    match part:
        case "did":
            if not facts.activities:
                return "nobody active for 3 months" if facts.days is not None else "nobody ever active"
            n, times = facts.active, facts.activities
            who = f"{n} {'person' if n == 1 else 'people'} active this month" if n else "nobody active this month"
            return f"{who} ({times:,} {'activity' if times == 1 else 'activities'} in 3 months)"
        case "group":
            people = f"{facts.people} {'person' if facts.people == 1 else 'people'} known"
            return f"{people}, {len(facts.roles)} of {needed} needed roles"
        case "company":
            return "a size unknown" if facts.employees is None else f"a company of {facts.employees:,} people"
        case _:
            return "an opportunity lost before" if facts.lost else "no opportunity before"
