"""Which score makes a lead ready for sales? As many as the reps can call well, the best ones; and what that gains."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class MqlThreshold(NamedTuple):
    """Leads from `score` on go to sales. Counts are for the period the capacity was given for."""

    score: float  # 0–1; above 1 when nobody has time for a single lead
    leads: int  # handed over
    of_leads: int  # of so many
    sales: float  # expected among those handed over
    of_sales: float  # expected among all
    at_random: float  # expected from as many calls without a score
    next_lead: float  # probability of the best lead that is not handed over: what one more call would bring

    @property
    def calls_per_sale(self) -> float | None:
        """How many leads must be called for one sale; None where none is expected."""
        return self.leads / self.sales if self.sales > 0 else None

    @property
    def sentence(self) -> str:
        """The threshold and what it gains, in words."""
        if not self.leads:
            return f"None of {self.of_leads:,} leads goes to sales: there is no capacity, or no lead is worth a call."
        return (
            f"From a score of {self.score:.0%} on, {self.leads:,} of {self.of_leads:,} leads go to sales. "
            f"They hold {self.sales:,.1f} of "
            f"{self.of_sales:,.1f} expected sales, where as many leads at random would hold {self.at_random:,.1f}; "
            f"the best lead left out buys with {self.next_lead:.0%}."
        )


def calls_in(leads_per_rep_per_week: float, working_weeks: Iterable[float]) -> int:
    """How many leads the reps can call in a period: `working_weeks` per rep, holidays and part time taken off."""
    return int(leads_per_rep_per_week * sum(weeks for weeks in working_weeks if weeks > 0))


def mql_threshold(scores: Sequence[float], calls: int, least: float = 0.0) -> MqlThreshold:
    """The lowest score with which no more than `calls` of these leads go to sales.

    `scores` are the probabilities (0–1) of the leads a period brings; `least` is the probability below which no lead is
    worth a call however free the reps are. Leads with one score are treated alike: where they would be too many, none
    of them goes, unless there is nobody above them; then all go, the reps take what they can, and no luck decides who.
    """
    ranked = sorted(scores, reverse=True)
    n, everything = len(ranked), sum(ranked)
    taken = min(max(calls, 0), n)
    while taken and ranked[taken - 1] < least:
        taken -= 1
    if 0 < taken < n and ranked[taken] == ranked[taken - 1]:
        border = ranked[taken]
        above = next(i for i, score in enumerate(ranked) if score == border)
        taken = above or sum(1 for score in ranked if score == border)
    found = sum(ranked[:taken])
    return MqlThreshold(
        score=ranked[taken - 1] if taken else 1.01,
        leads=taken,
        of_leads=n,
        sales=found,
        of_sales=everything,
        at_random=everything * taken / n if n else 0.0,
        next_lead=ranked[taken] if taken < n else 0.0,
    )
