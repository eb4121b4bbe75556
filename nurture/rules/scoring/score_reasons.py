"""Why a score is what it is: the reasons in words a salesperson reads, and points that add up exactly."""

from collections.abc import Iterable
from functools import lru_cache

from models.score import ScoreReason


def tenths(points: float) -> int:
    """Points as a whole number of tenths, so that sums are exact."""
    return round(points * 10)


def settle(claims: Iterable[ScoreReason], most: int) -> tuple[int, list[ScoreReason]]:
    """What a part of the score comes to, and the claims as far as they count.

    No part goes above `most` or below nothing. The strongest praise is counted first, so the weakest is cut short or
    falls away; then blame is taken from what is there, and is said even where nothing is left to take. The points of
    the answer therefore add up to the part.
    """
    total = 0
    counted: list[ScoreReason] = []
    ranked = sorted(claims, key=lambda claim: -abs(claim.tenths))
    for claim in ranked:
        if claim.tenths > 0:
            points = min(claim.tenths, most - total)
            total += points
            if points:
                counted.append(claim if points == claim.tenths else claim._replace(tenths=points))
    for claim in ranked:
        if claim.tenths <= 0:
            points = max(claim.tenths, -total)
            total += points
            counted.append(claim if points == claim.tenths else claim._replace(tenths=points))
    return total, counted


def ranked(reasons: Iterable[ScoreReason]) -> list[ScoreReason]:
    """Strongest first; at equal strength praise before blame, then by the alphabet, so that two runs agree."""
    return sorted(reasons, key=lambda one: (-abs(one.tenths), -one.tenths, one.text))


@lru_cache(100_000)
def activities_in_words(one: str, many: str, times: int, this_week: int, this_month: int, days: int) -> str:
    """ "3 pricing-page visits this week, 5 in all", "a webinar 3 months ago". `days` since the last one."""
    if this_week:
        recent, when = this_week, "this week"
    elif this_month:
        recent, when = this_month, "in the last 30 days"
    else:
        return (
            f"{_count(one, many, times)}, the last {ago(days)}" if times > 1 else f"{_count(one, many, 1)} {ago(days)}"
        )
    earlier = f", {times:,} in all" if times > recent else ""
    return f"{_count(one, many, recent)} {when}{earlier}"


def _count(one: str, many: str, times: int) -> str:
    return f"{times:,} {many}" if times != 1 else f"{a(one)} {one}"


def a(word: str) -> str:
    """The article: "a webinar", "an order", "an 800-person plant", "an authorizer", "a user"."""
    if word[:1].isdigit():
        digits = word.replace(",", "")
        number = digits[: next((i for i, c in enumerate(digits) if not c.isdigit()), len(digits))]
        return "an" if number.startswith("8") or (number[:2] in ("11", "18") and len(number) % 3 == 2) else "a"
    return "an" if word[:1].lower() in "aeiou" and not word.lower().startswith(("user", "uni", "eu", "one")) else "a"


def ago(days: int) -> str:
    """A distance in time as people say it."""
    if days < 1:
        return "today"
    if days < 14:
        return "yesterday" if days == 1 else f"{days} days ago"
    if days < 60:
        return f"{days // 7} weeks ago"
    return f"{days // 30} months ago" if days < 730 else f"{days // 365} years ago"


@lru_cache(100_000)
def who(role: str, industry: str, people: int | None) -> str:
    """ "authorizer in a 500-person manufacturer", with whatever of it is known."""
    company = f"{people:,}-person {industry or 'company'}" if people else industry
    if not role:
        return company
    return f"{role} in {a(company)} {company}" if company else role


def likely(role: str, confidence: float) -> str:
    """A role as sure as we are of it."""
    return role if confidence >= 0.8 else f"probably {role}" if confidence >= 0.5 else f"perhaps {role}"


def total(reasons: Iterable[ScoreReason], part: str | None = None) -> float:
    """The points of reasons, together or of one part: what a score or its part must equal."""
    return sum(one.tenths for one in reasons if part is None or one.part == part) / 10
