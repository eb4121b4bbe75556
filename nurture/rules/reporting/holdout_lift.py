"""Lift: what a promotion really earned, as the difference between who got it and who was kept unmailed on purpose."""

from dataclasses import dataclass
from math import sqrt

Z = 1.96  # 95 of 100 times the truth lies in the interval


@dataclass(frozen=True, slots=True)
class Lift:
    """Shares of buyers in both groups, and their difference with the range it may really have."""

    treated: int
    treated_bought: int
    held_out: int
    held_out_bought: int
    difference: float
    least: float
    most: float

    def sentence(self) -> str:
        """For somebody who has five seconds and no statistics."""
        if not (self.treated and self.held_out):
            return "Nobody was held out, so nobody can say what the letters earned."
        bought, anyway = self.treated_bought / self.treated, self.held_out_bought / self.held_out
        low, points, high = (f"{share * 100:+.1f}" for share in (self.least, self.difference, self.most))
        told = (
            f"{bought:.1%} of {self.treated:,} who got the offer bought, {anyway:.1%} of {self.held_out:,} who were "
            f"held out: {points} points, most likely between {low} and {high}."
        )
        if self.least > 0:
            return f"{told} The letters earned that; it is hardly chance."
        if self.most < 0:
            return f"{told} The letters did harm; it is hardly chance."
        return f"{told} It may still be chance: wait, or hold out more."


def lift(treated: int, treated_bought: int, held_out: int, held_out_bought: int) -> Lift:
    """The difference with Newcombe's interval, which stays honest for small groups and shares near nought."""
    if not (treated and held_out):
        return Lift(treated, treated_bought, held_out, held_out_bought, 0.0, 0.0, 0.0)
    p, q = treated_bought / treated, held_out_bought / held_out
    p_least, p_most = _wilson(treated_bought, treated)
    q_least, q_most = _wilson(held_out_bought, held_out)
    least = p - q - sqrt((p - p_least) ** 2 + (q_most - q) ** 2)
    most = p - q + sqrt((p_most - p) ** 2 + (q - q_least) ** 2)
    return Lift(treated, treated_bought, held_out, held_out_bought, p - q, least, most)


def _wilson(k: int, n: int) -> tuple[float, float]:
    middle = (k + Z * Z / 2) / (n + Z * Z)
    half = Z / (n + Z * Z) * sqrt(k * (n - k) / n + Z * Z / 4)
    return middle - half, middle + half
