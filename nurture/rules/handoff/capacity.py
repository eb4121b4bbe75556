"""How many leads have sales time for, week by week, and from which score on is a lead worth it?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from nurture.rules.handoff.sales_threshold import capacity, mql_threshold
from nurture.rules.planning.hours import WEEKDAYS, is_business_day

WEEK = 7  # days
NOBODY = 101.0  # a score that no lead reaches


class Away(NamedTuple):
    """First and last day of a holiday, a fair, an illness; both are away."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Rep:
    """A salesperson, `leads` in a full week of theirs: `days` (1 is Monday), without the holidays of `country`."""

    email: str
    country: str
    leads: float
    days: tuple[int, ...] = WEEKDAYS
    away: tuple[Away, ...] = ()

    def weeks(self, begin: date) -> float:
        """The share of their week that they work in the seven days from `begin` on, 0–1."""
        worked = 0
        for day in (begin + timedelta(days=ahead) for ahead in range(WEEK)):
            there = day.isoweekday() in self.days and not any(one.first <= day <= one.last for one in self.away)
            worked += there and (is_business_day(day, self.country) or day.isoweekday() not in WEEKDAYS)
        return worked / len(self.days)


@dataclass(frozen=True, slots=True)
class Capacity:
    """What sales.toml says. `version` is its digest. Below `least` (a chance, 0–1) or `least_score` no lead is worth a
    call, however much time there is."""

    version: str
    reps: tuple[Rep, ...]
    least: float = 0.0
    least_score: float = 0.0


@dataclass(frozen=True, slots=True)
class Room:
    """A rep's coming seven days."""

    email: str
    weeks: float  # 0–1
    leads: int  # they can call
    waiting: int  # were offered more than a week ago and still are unanswered: that time is spoken for

    @property
    def free(self) -> int:
        return max(0, self.leads - self.waiting)


def rooms(sales: Capacity, begin: date, waiting: Mapping[str, int]) -> list[Room]:
    found = []
    for rep in sales.reps:
        weeks = rep.weeks(begin)
        found.append(Room(rep.email, weeks, capacity(rep.leads, [weeks]), waiting.get(rep.email, 0)))
    return found


class Lead(NamedTuple):
    """One of those the week has brought: offered already, or ready to be."""

    score: float
    chance: float | None  # that they buy, 0–1; None while nothing was learned
    offered: bool
    owner: str


class Line(NamedTuple):
    """What a threshold would mean: so many leads a week from there on, and the sales expected among them."""

    score: float
    leads: int
    sales: float | None
    left: float | None  # expected among those below


@dataclass(frozen=True, slots=True)
class Week:
    """The threshold and what it costs and gains. Counts are of the leads a week has brought (`Lead`)."""

    threshold: float
    free: int  # leads sales have time for
    leads: int  # reach the threshold …
    offered: int  # … of them sales have so many already
    of_leads: int
    sales: float | None  # expected among those that reach it; None while nothing was learned
    left: float | None
    at_random: float | None  # expected from as many calls without a score
    next_lead: float | None  # the best chance below
    lines: tuple[Line, ...] = ()  # the next score above, the threshold, the next below
    rooms: tuple[Room, ...] = ()
    strangers: int = 0  # leads whose owner is not in sales.toml

    @property
    def sentence(self) -> str:
        here = sum(room.weeks > 0 for room in self.rooms)
        time = f"{_many(here, 'rep')} of {len(self.rooms)} at work, time for {_many(self.free, 'lead')} this week"
        if not self.leads:
            return f"No lead goes to sales ({time}): there is no time, or no lead is worth a call."
        said = f"From a score of {self.threshold:g} on leads go to sales ({time}): {self.leads:,} of {self.of_leads:,}"
        if self.sales is None or self.left is None:
            return f"{said}. What that gains is known once scores are learned."
        return (
            f"{said}, with {self.sales:.1f} of {self.sales + self.left:.1f} expected conversions; as many at random "
            f"would bring {self.at_random:.1f}. The best one left out converts with {self.next_lead or 0:.0%}."
        )

    @property
    def markdown(self) -> str:
        """The threshold as a part of a page: figures only, no people."""
        head = "| from a score of | leads a week | expected conversions | left |"
        page = [self.sentence, "", head, "|--:|--:|--:|--:|"]
        for line in self.lines:
            bold = "**" if line.score == self.threshold else ""
            figures = ("" if one is None else f"{one:.1f}" for one in (line.sales, line.left))
            page.append(f"| {bold}{line.score:g}{bold} | {line.leads:,} | " + " | ".join(figures) + " |")
        if self.strangers:
            page += ["", f"{_many(self.strangers, 'warm lead')} of an owner who is not in sales.toml."]
        return "\n".join(page)

    def as_body(self) -> dict[str, Any]:
        body = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("lines", "rooms")}
        return body | {
            "lines": [line._asdict() for line in self.lines],
            "reps": [
                {"email": one.email, "weeks": one.weeks, "leads": one.leads, "waiting": one.waiting, "free": one.free}
                for one in self.rooms
            ],
            "sentence": self.sentence,
        }


def read(body: Mapping[str, Any]) -> Week:
    """A kept week again."""
    plain = {name: body[name] for name in Week.__dataclass_fields__ if name not in ("lines", "rooms")}
    kept = tuple(Room(one["email"], one["weeks"], one["leads"], one["waiting"]) for one in body["reps"])
    return Week(**plain, lines=tuple(Line(**line) for line in body["lines"]), rooms=kept)


def this_week(sales: Capacity, leads: Sequence[Lead], begin: date, waiting: Mapping[str, int]) -> Week:
    """The threshold that fills the reps' coming week, and no more, out of the leads the last seven days have brought.

    `leads`: those offered in the last seven days, and those that nothing but a threshold keeps from sales. So the
    threshold stays where a week's worth of leads is above it: a hot lead on a Friday is handed over although Monday's
    leads have filled the week, and what was below on Monday stays below.
    """
    found = tuple(rooms(sales, begin, waiting))
    free = sum(room.free for room in found)
    good = [lead for lead in leads if lead.score >= sales.least_score]
    worth = [lead for lead in good if lead.chance is None or lead.chance >= sales.least]
    cut = mql_threshold([lead.score / 100 for lead in worth], free)
    border = cut.score * 100 if cut.leads else NOBODY
    border = min((lead.score for lead in worth if lead.score >= border - 1e-9), default=NOBODY)
    above = [lead for lead in leads if lead.score >= border]
    learned = bool(leads) and all(lead.chance is not None for lead in leads)
    line = _line(leads, border, learned)
    everything = sum(lead.chance or 0.0 for lead in leads)
    own = {rep.email for rep in sales.reps}
    return Week(
        threshold=border,
        free=free,
        leads=len(above),
        offered=sum(lead.offered for lead in above),
        of_leads=len(leads),
        sales=line.sales,
        left=line.left,
        at_random=everything * len(above) / len(leads) if learned else None,
        next_lead=max((lead.chance or 0.0 for lead in leads if lead.score < border), default=None) if learned else None,
        lines=tuple(_line(leads, score, learned) for score in _around(leads, border)),
        rooms=found,
        strangers=sum(lead.owner not in own for lead in above),
    )


def _line(leads: Sequence[Lead], score: float, learned: bool) -> Line:
    above = [lead for lead in leads if lead.score >= score]
    if not learned:
        return Line(score, len(above), None, None)
    sales = sum(lead.chance or 0.0 for lead in above)
    return Line(score, len(above), sales, sum(lead.chance or 0.0 for lead in leads) - sales)


def _around(leads: Sequence[Lead], border: float) -> list[float]:
    scores = {lead.score for lead in leads}
    above = min((score for score in scores if score > border), default=None)
    below = max((score for score in scores if score < border), default=None)
    return [score for score in (above, border if border < NOBODY else None, below) if score is not None]


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
