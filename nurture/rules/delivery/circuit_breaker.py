"""Circuit breaker: how much may be sent at once after an unknown request, and in a day; when complaints stop it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

AFTER_UNKNOWN = (1, 10, 100)  # letters in the next requests after one whose end nobody knows; then as many as usual
MOST_UNKNOWN = 2_000  # letters whose end nobody knows; beyond that a person is called
WINDOW = timedelta(days=7)  # in which complaints and bounces are counted
ENOUGH = 500  # letters accepted in the window: below that one angry reader would stop everything
A_TREND = 3  # readers: two who complain, or two dead mailboxes, pause nothing, whatever their share
SPAM = {0.0008: "warn", 0.001: "pause", 0.003: "stop"}  # complaints per letter: what the large mailbox providers accept
BOUNCES = {0.02: "warn", 0.05: "pause", 0.10: "stop"}  # mailboxes that do not exist, per letter: a list that was bought


class Level(StrEnum):
    FINE = "fine"
    WARN = "warn"
    PAUSE = "pause"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Health:
    """How a campaign was received lately, and the sentence a person reads."""

    level: Level
    sentence: str = ""


def size_after_unknown(taken_since: int | None, most: int) -> int:
    """How many letters the next request may carry. `taken_since`: requests the provider took since one whose end nobody
    knows; None if there is no such."""
    if taken_since is None or taken_since >= len(AFTER_UNKNOWN):
        return most
    return min(most, AFTER_UNKNOWN[taken_since])


def health(accepted: int, complained: int, bounced: int) -> Health:
    """What complaints and hard bounces among the letters of the window call for: the worse of the two."""
    if accepted < ENOUGH:
        return Health(Level.FINE)
    found = [
        (_level(complained, accepted, SPAM), f"{complained} of {accepted:,} readers marked the letter as spam"),
        (_level(bounced, accepted, BOUNCES), f"{bounced} of {accepted:,} mailboxes do not exist"),
    ]
    level, sentence = max(found, key=lambda pair: list(Level).index(pair[0]))
    return Health(level, sentence if level is not Level.FINE else "")


def _level(n: int, accepted: int, limits: dict[float, str]) -> Level:
    found = Level(
        next((level for limit, level in sorted(limits.items(), reverse=True) if n / accepted >= limit), "fine")
    )
    return min(found, Level.WARN, key=list(Level).index) if n < A_TREND else found


def allowed_on(day: date, began: date | None, plan: Sequence[int], daily: int | None) -> int | None:
    """Most letters on a day: a young sending domain's plan, one number for each first day; then the daily limit."""
    age = (day - began).days if began else len(plan)
    if 0 <= age < len(plan):
        return min(plan[age], daily) if daily else plan[age]
    return daily if age >= 0 else 0
