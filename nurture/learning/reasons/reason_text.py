"""Learned reasons as a salesperson says them: "3 pricing-page visits this week", "no activity for 60 days"."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import numpy as np

from models.score import ScoreReason
from nurture.learning.fit.score_scale import is_fit
from nurture.learning.fit.scorer import Scorer
from nurture.learning.reasons.contributions import Reasons
from nurture.learning.training_data.lead_record import DAY, count, until
from nurture.learning.training_data.point_in_time import (
    COLLEAGUES,
    LETTERS,
    MAILBOX,
    SILENCE,
    TITLE_SAYS,
    TRAIT,
    LeadsThen,
    families,
)
from nurture.rules.scoring import score_reasons
from nurture.rules.scoring.lead_score import ActivityKind

LEAST = 5  # tenths of a point; less is no reason to speak of
Say = Callable[[int, bool], str]  # the lead's row, and whether it speaks for it


def reasons_in_words(
    scorer: Scorer, found: Reasons, then: LeadsThen, rows: Iterable[int] | None = None
) -> Iterator[list[ScoreReason]]:
    """Per lead its reasons, the strongest first. Points are those of the score.

    `rows`: which rows of the record were found reasons for; without it, all of them.
    """
    owners = scorer.reader.owners
    named = families(then.plan, owners)
    of_family = scorer.partial_effects.families
    names = [named[owners[family[0]]] for family in of_family]
    parts = ["fit" if is_fit(owners[family[0]], then.plan.market) else "engagement" for family in of_family]
    speaker = _Speaker(then)
    say = [speaker.of(name) for name in names]
    tenths = np.round(found.effect * 1_000).astype(np.int64)
    whose = range(len(then.record)) if rows is None else rows
    for row, theirs, worth in zip(whose, found.family.tolist(), tenths.tolist(), strict=True):
        yield score_reasons.ranked(
            ScoreReason(say[family](row, one > 0), one, parts[family])
            for family, one in zip(theirs, worth, strict=True)
            if family >= 0 and abs(one) >= LEAST
        )


class _Speaker:
    """Each family of columns has its words."""

    def __init__(self, then: LeadsThen) -> None:
        self.then, self.sums, self.plan, self.market = then, then.sums, then.plan, then.market
        self.tables = {table.column: table for table in then.market.tables}

    def of(self, family: str) -> Say:
        """How a family of columns is said of a lead."""
        if family in self.plan.kinds:
            return self._kind(family)
        if family.startswith(TRAIT):
            return self._plainly(family, family.removeprefix(TRAIT) + ": {}")
        made: dict[str, Callable[[], Say]] = {
            "who": self._who,
            SILENCE: self._silence,
            COLLEAGUES: self._colleagues,
            LETTERS: self._letters,
            "deals": self._deals,
            "orders": self._orders,
            MAILBOX: lambda: self._given(MAILBOX, "writes from the company"),
            TITLE_SAYS: lambda: self._given(TITLE_SAYS, "nothing odd in the title"),
            "accepted by sales": lambda: self._times("accepted by sales", "taken by sales before"),
            "rejected by sales": lambda: self._times("rejected by sales", "turned down by sales before"),
            "seniority": lambda: self._worth("seniority", "{} level"),
            "tier": lambda: self._worth("tier", "a tier {} account"),
            "country": lambda: self._plainly("country", "in {}"),
            "language": lambda: self._plainly("language", "reads {}"),
            "channel": lambda: self._plainly("channel", "channel: {}"),
        }
        return made[family]() if family in made else self._plainly(family, family + ": {}")

    def _texts(self, name: str) -> list[str | None]:
        return self.then.frame[name].to_list()

    def _numbers(self, name: str) -> list[float]:
        """Values of a number; NaN where there is none."""
        return self.then.frame[name].to_list()

    def _kind(self, kind: str) -> Say:
        place = self.plan.kinds.index(kind)
        words = self.market.kinds.get(kind) or ActivityKind(
            kind, 0, 1, 0, kind.replace("_", " "), kind.replace("_", " ") + "s"
        )
        times, week, month = (one[:, place].tolist() for one in (self.sums.times, self.sums.week, self.sums.month))
        days = ((self.then.t - self.sums.last[:, place]) // DAY).tolist()

        def say(row: int, _for: bool) -> str:
            if not times[row]:
                return f"no {words.one} yet"
            return score_reasons.activities_in_words(
                words.one, words.many, times[row], week[row], month[row], days[row]
            )

        return say

    def _who(self) -> Say:
        columns = [self._texts(name) for name in ("role", "industry", "persona", "department")]
        size: list[float | None] = self.then.frame["employees"].to_list()
        say_role = lru_cache(None)(lambda value: self._said("role", value))
        say_industry = lru_cache(None)(lambda value: self._said("industry", value))

        def say(row: int, _for: bool) -> str:
            role, industry, persona, department = (column[row] for column in columns)
            whose = say_role(role) if role else (persona or department or "").replace("-", " ")
            people = int(size[row] or 0) or None
            company = say_industry(industry) if industry else ""
            return score_reasons.who(whose, company, people) or "role and company unknown"

        return say

    def _said(self, column: str, value: str) -> str:
        worth = self.tables[column].worth(value) if column in self.tables else None
        return worth.say if worth else value

    def _silence(self) -> Say:
        values = self._numbers(SILENCE)

        def say(row: int, speaks_for: bool) -> str:
            days = values[row]
            if days != days:
                return "no activity yet"
            return (
                f"last active {score_reasons.ago(int(days))}"
                if speaks_for or days < 7
                else f"no activity for {int(days)} days"
            )

        return say

    def _colleagues(self) -> Say:
        active = self._numbers(f"{COLLEAGUES} active")

        def say(row: int, _for: bool) -> str:
            people = int(active[row])
            if not people:
                return "no colleague active in the last 30 days"
            return f"{people} colleague{'s' if people > 1 else ''} active in the last 30 days"

        return say

    def _letters(self) -> Say:
        rows, at = until(self.then.record.letters, self.then.t).T
        n = len(self.then.record)
        ever, lately = count(rows, n), count(rows[at > self.then.t - 30 * DAY], n)

        def say(row: int, _for: bool) -> str:
            if not ever[row]:
                return "no letter from us yet"
            if not lately[row]:
                return "no letter from us in the last 30 days"
            return f"{lately[row]} letter{'s' if lately[row] > 1 else ''} from us in the last 30 days"

        return say

    def _deals(self) -> Say:
        won, lost, days = (self._numbers(name) for name in ("deals won", "deals lost", "deals closed days ago"))

        def say(row: int, _for: bool) -> str:
            if not won[row] and not lost[row]:
                return "no earlier deal with the company"
            when = f", the last closed {score_reasons.ago(int(days[row]))}"
            told = [
                f"{int(n)} deal{'s' if n > 1 else ''} {how}" for n, how in ((won[row], "won"), (lost[row], "lost")) if n
            ]
            return " and ".join(told) + when

        return say

    def _orders(self) -> Say:
        names = ("orders days ago", "orders ever", "orders in a year", "orders money in a year")
        days, ever, year, money = (self._numbers(name) for name in names)

        def say(row: int, _for: bool) -> str:
            if not ever[row]:
                return "no order yet"
            times = int(year[row])
            told = f"last order {score_reasons.ago(int(days[row]))}"
            return told + (f", {times} in a year for {money[row]:,.0f}" if times > 1 else "")

        return say

    def _worth(self, column: str, otherwise: str) -> Say:
        values = self._texts(column)

        @lru_cache(None)
        def words(value: str | None) -> str:
            said = self._said(column, value) if value else None
            return f"{column} unknown" if value is None else said if said and said != value else otherwise.format(value)

        return lambda row, _for: words(values[row])

    def _given(self, column: str, otherwise: str) -> Say:
        values = self._texts(column)
        return lambda row, _for: values[row] or otherwise

    def _times(self, column: str, words: str) -> Say:
        values = self._numbers(column)
        return lambda row, _for: words if values[row] else f"not {words}"

    def _plainly(self, column: str, words: str) -> Say:
        values, name = self._texts(column), column.removeprefix(TRAIT)
        return lambda row, _for: f"{name} unknown" if values[row] is None else words.format(values[row])
