"""How many leads have sales time for, week by week, and from which score on is a lead worth it?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple, TypedDict

from nurture.rules.handoff.sales_threshold import calls_in, mql_threshold
from nurture.rules.planning.hours import WEEKDAYS, is_business_day

WEEK = 7  # days
OUT_OF_REACH = 101.0  # a score that no lead reaches


class Absence(NamedTuple):
    """First and last day of a holiday, a fair, an illness; on both the salesperson is absent."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class SalesRep:
    """A salesperson, `leads` in a full week of theirs: `days` (1 is Monday), without the holidays of `country`."""

    email: str
    country: str
    leads: float
    days: tuple[int, ...] = WEEKDAYS
    absences: tuple[Absence, ...] = ()

    def weeks(self, begin: date) -> float:
        """The share of their week that they work in the seven days from `begin` on, 0–1."""
        worked = 0
        for day in (begin + timedelta(days=ahead) for ahead in range(WEEK)):
            there = day.isoweekday() in self.days and not any(one.first <= day <= one.last for one in self.absences)
            worked += there and (is_business_day(day, self.country) or day.isoweekday() not in WEEKDAYS)
        return worked / len(self.days)


@dataclass(frozen=True, slots=True)
class SalesTeam:
    """What sales.toml says. `version` is its digest.

    Below `least_chance` (0–1) or `least_score` (0–100) no lead is worth a call, however much time there is.
    """

    version: str
    reps: tuple[SalesRep, ...]
    least_chance: float = 0.0
    least_score: float = 0.0


@dataclass(frozen=True, slots=True)
class RepCapacity:
    """How many leads a rep can take in the coming seven days."""

    email: str
    weeks: float  # 0–1
    leads: int  # they can call
    waiting: int  # were offered more than a week ago and still are unanswered: that time is spoken for

    @property
    def free(self) -> int:
        """Leads they can be offered now."""
        return max(0, self.leads - self.waiting)


def rep_capacities(team: SalesTeam, begin: date, waiting: Mapping[str, int]) -> list[RepCapacity]:
    """Each rep's coming seven days. `waiting`: unanswered leads that were offered more than a week ago, by owner."""
    found = []
    for rep in team.reps:
        weeks = rep.weeks(begin)
        found.append(RepCapacity(rep.email, weeks, calls_in(rep.leads, [weeks]), waiting.get(rep.email, 0)))
    return found


class CapacityLead(NamedTuple):
    """One of those the week has brought: offered already, or ready to be."""

    score: float
    chance: float | None  # that they buy, 0–1; None while nothing was learned
    offered: bool
    owner: str


class CapacityLine(NamedTuple):
    """What a threshold would mean: so many leads a week from there on, and the sales expected among them."""

    score: float
    leads: int
    sales: float | None
    left: float | None  # expected among those below


@dataclass(frozen=True, slots=True)
class WeeklyThreshold:
    """The threshold and what it costs and gains. Counts are of the leads a week has brought (`CapacityLead`)."""

    threshold: float
    free: int  # leads sales have time for
    leads: int  # reach the threshold …
    offered: int  # … of them sales have so many already
    of_leads: int
    sales: float | None  # expected among those that reach it; None while nothing was learned
    left: float | None
    at_random: float | None  # expected from as many calls without a score
    next_lead: float | None  # the best chance below
    lines: tuple[CapacityLine, ...] = ()  # the next score above, the threshold, the next below
    reps: tuple[RepCapacity, ...] = ()
    strangers: int = 0  # leads whose owner is not in sales.toml

    @property
    def sentence(self) -> str:
        """The threshold and what it gains, as one sentence or three."""
        here = sum(rep.weeks > 0 for rep in self.reps)
        time = f"{_many(here, 'rep')} of {len(self.reps)} at work, time for {_many(self.free, 'lead')} this week"
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

    def as_body(self) -> "WeeklyThresholdBody":
        """The same as JSON, as it is kept and as `nurture threshold --json` prints it."""
        return {
            "threshold": self.threshold, "free": self.free, "leads": self.leads, "offered": self.offered,
            "of_leads": self.of_leads, "sales": self.sales, "left": self.left, "at_random": self.at_random,
            "next_lead": self.next_lead, "strangers": self.strangers,
            "lines": [
                {"score": line.score, "leads": line.leads, "sales": line.sales, "left": line.left}
                for line in self.lines
            ],
            "reps": [
                {"email": one.email, "weeks": one.weeks, "leads": one.leads, "waiting": one.waiting, "free": one.free}
                for one in self.reps
            ],
            "sentence": self.sentence,
        }  # fmt: skip


class CapacityLineBody(TypedDict):
    """A CapacityLine as JSON."""

    score: float
    leads: int
    sales: float | None
    left: float | None


class RepCapacityBody(TypedDict):
    """A RepCapacity as JSON."""

    email: str
    weeks: float
    leads: int
    waiting: int
    free: int


class WeeklyThresholdBody(TypedDict):
    """A WeeklyThreshold as JSON."""

    threshold: float
    free: int
    leads: int
    offered: int
    of_leads: int
    sales: float | None
    left: float | None
    at_random: float | None
    next_lead: float | None
    strangers: int
    lines: list[CapacityLineBody]
    reps: list[RepCapacityBody]
    sentence: str


def read_weekly_threshold(body: Mapping[str, Any]) -> WeeklyThreshold:
    """A week that was kept as JSON (WeeklyThresholdBody), as a value again."""
    names = [name for name in WeeklyThreshold.__dataclass_fields__ if name not in ("lines", "reps")]
    reps = tuple(RepCapacity(one["email"], one["weeks"], one["leads"], one["waiting"]) for one in body["reps"])
    lines = tuple(CapacityLine(**line) for line in body["lines"])
    return WeeklyThreshold(**{name: body[name] for name in names}, lines=lines, reps=reps)


def weekly_threshold(
    team: SalesTeam, leads: Sequence[CapacityLead], begin: date, waiting: Mapping[str, int]
) -> WeeklyThreshold:
    """The threshold that fills the reps' coming week, and no more, out of the leads the last seven days have brought.

    `leads`: those offered in the last seven days, and those that nothing but a threshold keeps from sales. So the
    threshold stays where a week's worth of leads is above it: a hot lead on a Friday is handed over although Monday's
    leads have filled the week, and what was below on Monday stays below.
    """
    found = tuple(rep_capacities(team, begin, waiting))
    free = sum(rep.free for rep in found)
    good = [lead for lead in leads if lead.score >= team.least_score]
    worth = [lead for lead in good if lead.chance is None or lead.chance >= team.least_chance]
    cut = mql_threshold([lead.score / 100 for lead in worth], free)
    border = cut.score * 100 if cut.leads else OUT_OF_REACH
    border = min((lead.score for lead in worth if lead.score >= border - 1e-9), default=OUT_OF_REACH)
    above = [lead for lead in leads if lead.score >= border]
    learned = bool(leads) and all(lead.chance is not None for lead in leads)
    line = _line(leads, border, learned)
    everything = sum(lead.chance or 0.0 for lead in leads)
    in_team = {rep.email for rep in team.reps}
    return WeeklyThreshold(
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
        reps=found,
        strangers=sum(lead.owner not in in_team for lead in above),
    )


def _line(leads: Sequence[CapacityLead], score: float, learned: bool) -> CapacityLine:
    above = [lead for lead in leads if lead.score >= score]
    if not learned:
        return CapacityLine(score, len(above), None, None)
    sales = sum(lead.chance or 0.0 for lead in above)
    return CapacityLine(score, len(above), sales, sum(lead.chance or 0.0 for lead in leads) - sales)


def _around(leads: Sequence[CapacityLead], border: float) -> list[float]:
    scores = {lead.score for lead in leads}
    above = min((score for score in scores if score > border), default=None)
    below = max((score for score in scores if score < border), default=None)
    return [score for score in (above, border if border < OUT_OF_REACH else None, below) if score is not None]


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
