"""Arbitration: two sequences want the same account, or the same person. Which has it, and why must the other wait?"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """One sequence's wish. `begun_at`: when its first letter there was planned; None: it has written to nobody yet."""

    slug: str
    priority: int
    begun_at: datetime | None
    entered_at: datetime


def winner(claims: Iterable[Claim]) -> Claim:
    """The higher priority; then need: whoever has begun there finishes, the one begun first before the others; then
    whoever has waited longest; then the alphabet, so that two runs agree."""
    return min(claims, key=_rank)


def _rank(claim: Claim) -> tuple[int, bool, datetime, str]:
    return -claim.priority, claim.begun_at is None, claim.begun_at or claim.entered_at, claim.slug


def why_not(mine: Claim, best: Claim) -> str:
    """Why `mine` is not the one, in words; `best` is."""
    if best.priority != mine.priority:
        because = f"its priority is {best.priority}, ours {mine.priority}"
    elif best.begun_at and not mine.begun_at:
        because = "it has begun there and finishes first"
    elif best.begun_at:
        because = "it began there first"
    else:
        because = "it has waited there longer"
    return f"{best.slug} has the account: {because}"
