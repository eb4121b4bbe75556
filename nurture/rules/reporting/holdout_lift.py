"""Lift: what letters really earned, as the difference between who got them and who was kept unmailed on purpose."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

from models.contact import Market
from models.queries.holdout_lift import HoldoutArms

WORDS = {  # by market: who got letters, did what, and who did not get them
    Market.B2B: ("accounts that got letters opened a deal", "accounts that were held out"),
    Market.B2C: ("who got the letters bought", "who were held out"),
}
Z = 1.96  # 95 of 100 times the truth lies in the interval


@dataclass(frozen=True, slots=True)
class HoldoutLift:
    """Buyers in both arms, and the difference of their shares with its 95 % interval, `least` to `most`.

    Counted are people in B2C; in B2B accounts, and those of them that opened a deal.
    """

    treated: int
    treated_bought: int
    held_out: int
    held_out_bought: int
    difference: float
    least: float
    most: float
    market: str = Market.B2C

    def sentence(self) -> str:
        """The difference and whether it may be chance, in words for somebody without statistics."""
        if not (self.treated and self.held_out):
            return "Nobody was held out, so nobody can say what the letters earned."
        bought, anyway = self.treated_bought / self.treated, self.held_out_bought / self.held_out
        low, points, high = (f"{share * 100:+.1f}" for share in (self.least, self.difference, self.most))
        did, kept = WORDS[Market(self.market)]
        told = (
            f"{bought:.1%} of {self.treated:,} {did}, {anyway:.1%} of {self.held_out:,} {kept}: {points} points, "
            f"most likely between {low} and {high}."
        )
        if self.least > 0:
            return f"{told} The letters earned that; it is hardly chance."
        if self.most < 0:
            return f"{told} The letters did harm; it is hardly chance."
        return f"{told} It may still be chance: wait, or hold out more."


def lift(arms: HoldoutArms, market: str = Market.B2C) -> HoldoutLift:
    """The difference between the arms, with Newcombe's interval: honest for small groups and shares near nought."""
    treated, treated_bought, held_out, held_out_bought = arms
    if not (treated and held_out):
        return HoldoutLift(*arms, 0.0, 0.0, 0.0, market)
    p, q = treated_bought / treated, held_out_bought / held_out
    p_least, p_most = _wilson(treated_bought, treated)
    q_least, q_most = _wilson(held_out_bought, held_out)
    least = p - q - sqrt((p - p_least) ** 2 + (q_most - q) ** 2)
    most = p - q + sqrt((p_most - p) ** 2 + (q - q_least) ** 2)
    return HoldoutLift(*arms, p - q, least, most, market)


def lifts_page(lifts: Mapping[str, HoldoutLift]) -> str:
    """What the letters earned as a part of a Markdown page; "" where nobody is held out."""
    lines = [f"* **{of}**: {found.sentence()}" for of, found in lifts.items()]
    return "\n".join(["", "", "## Holdout lift", "", *lines]) if lines else ""


def _wilson(k: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, k of n."""
    middle = (k + Z * Z / 2) / (n + Z * Z)
    half = Z / (n + Z * Z) * sqrt(k * (n - k) / n + Z * Z / 4)
    return middle - half, middle + half
