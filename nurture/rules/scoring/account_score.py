"""How ready is an account, who of the buying group is there, and who is missing?"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from models.score import ScoredMember, ScoreReason
from nurture.rules.scoring import score_reasons
from nurture.rules.scoring.lead_score import AccountRules
from nurture.rules.scoring.score_reasons import tenths

FILLED = 0.5  # from this confidence on we say that a role is filled


class AccountStanding(NamedTuple):
    """An account's score, 0–100, and the state of its buying group; the reasons' points add up to the score."""

    score: float
    completeness: float  # 0–1
    missing_role: str | None
    members: int
    reasons: list[ScoreReason]


def account_score(
    members: Sequence[ScoredMember], rules: AccountRules, now: datetime, first: Sequence[str] = ()
) -> AccountStanding:
    """An account's score, from people, group and recency as the file weighs them. Its reasons add up to it.

    `first`: the needed roles in the order of how much they are missed, where the record tells; else the file's order.
    """
    filled = roles_filled(members)
    completeness = round(sum(filled.get(role, 0.0) for role in rules.needed_roles) / len(rules.needed_roles), 3)
    missing = next((role for role in first or rules.needed_roles if filled.get(role, 0.0) < FILLED), None)
    reasons = [*_people(members, rules), *_group(completeness, missing, filled, rules), *_recency(members, rules, now)]
    return AccountStanding(
        sum(one.tenths for one in reasons) / 10, completeness, missing, len(members), score_reasons.ranked(reasons)
    )


def roles_filled(members: Sequence[ScoredMember]) -> dict[str, float]:
    """Each role with the confidence of its surest holder. A champion keeps the role of the title as well."""
    filled: dict[str, float] = {}
    for member in members:
        for role in {role for role in (member.role, member.title_role) if role}:
            filled[role] = max(filled.get(role, 0.0), member.role_confidence or 0.0)
    return filled


def _people(members: Sequence[ScoredMember], rules: AccountRules) -> list[ScoreReason]:
    ranked = sorted(((m.score, m) for m in members if m.score), key=lambda pair: -pair[0])[: len(rules.shares)]
    reasons = []
    for place, ((score, member), share) in enumerate(zip(ranked, rules.shares, strict=False)):
        role = score_reasons.a(member.role) + " " + member.role if member.role else "whose role we do not know"
        which = "best" if place == 0 else "second" if place == 1 else "third"
        text = f"the {which} lead, {role}, scores {score:.0f}"
        reasons.append(ScoreReason(text, tenths(rules.people * share * score / 100), "people"))
    return [one for one in reasons if one.tenths]


def _group(
    completeness: float, missing: str | None, filled: Mapping[str, float], rules: AccountRules
) -> list[ScoreReason]:
    there = [role for role in rules.needed_roles if filled.get(role, 0.0) >= FILLED]
    reasons = []
    if points := tenths(rules.group * completeness):
        named = (
            f"{len(there)} of {len(rules.needed_roles)} needed roles known: {', '.join(there)}"
            if there
            else "roles only guessed"
        )
        reasons.append(ScoreReason(named, points, "group"))
    if missing:
        reasons.append(ScoreReason(f"no {missing} known yet", 0, "group"))
    return reasons


def _recency(members: Sequence[ScoredMember], rules: AccountRules, now: datetime) -> list[ScoreReason]:
    seen = [member.last_activity_at for member in members if member.last_activity_at]
    active = sum(at > now - timedelta(days=rules.active_days) for at in seen)
    if active:
        people = "person" if active == 1 else "people"
        points = tenths(rules.recency * min(active, rules.active_people) / rules.active_people)
        return [ScoreReason(f"{active} {people} active in the last {rules.active_days} days", points, "recency")]
    return [
        ScoreReason(f"nobody active for {(now - max(seen)).days} days" if seen else "nobody active yet", 0, "recency")
    ]
