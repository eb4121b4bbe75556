"""Which way does each column move the chance? By what the model says with that column changed, and by what came."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from nurture.learning.features.columns import MISSING, RARE, FeatureTable
from nurture.learning.fit.scorer import Scorer
from nurture.learning.metrics import Bools, Floats, Ints
from nurture.learning.reasons.contributions import plain, years_of

SAMPLE = 1_000  # leads whose chance is asked with a column changed
STEPS, LEVELS, WORDS = 5, 6, 4  # values shown of a number, a category, a text
LEAST = 0.005  # of the chance (0–1); less is hardly a move
RARE_VALUE = 10  # leads with a value, below which it is not shown


class ValueEffect(NamedTuple):
    """One value of a column: how many leads have it, how many of them bought, and the mean chance if all had it."""

    value: str
    leads: int
    bought: float  # share, 0–1
    chance: float  # 0–1


class Direction(NamedTuple):
    """Which way one column moves the chance."""

    column: str
    sentence: str
    values: tuple[ValueEffect, ...]


def directions(scorer: Scorer, frame: pl.DataFrame, y: Floats, seed: int = 0) -> list[Direction]:
    """For every column the scorer reads, the weightiest first; when a lead came in is none.

    `frame` has a row per lead that the scorer has not learned from, if possible; `y`, shape (n,), says who bought.
    """
    asked = _Asked(scorer, scorer.reader.read(frame), y, np.random.default_rng(seed))
    weight = scorer.card.get("importance", {})
    owners = sorted(scorer.reader.owners, key=lambda one: -weight.get(one, 0.0))
    found = []
    for owner in owners:
        values = () if owner == scorer.reader.time else asked.values(owner)
        if values:
            numbers, _ = scorer.reader.fields_of(owner)
            found.append(Direction(owner, _sentence(values, ordered=len(numbers) == 1), values))
    return found


class _Asked:
    """Leads, what came of them, and a scorer that is asked what it would say, were they otherwise in one column."""

    def __init__(self, scorer: Scorer, table: FeatureTable, y: Floats, rng: np.random.Generator) -> None:
        self.scorer, self.table, self.y, self.rng = scorer, table, y, rng
        self.sample = table.take(rng.permutation(len(table))[:SAMPLE])
        self.years = years_of(scorer)
        self.mean = float(scorer.score_table(self.sample).mean())

    def values(self, owner: str) -> tuple[ValueEffect, ...]:
        """The values of a raw column worth showing, in their order."""
        reader = self.scorer.reader
        numbers, levels = reader.fields_of(owner)
        if len(levels) == 1 and not numbers:
            return tuple(self._levels(levels[0]))
        if len(numbers) == 1 and not levels:
            return tuple(self._steps(numbers[0]))
        return tuple(self._words([j for j in numbers if reader.numbers[j].word]))

    def _effect(self, name: str, has: Bools, chance: float) -> Iterator[ValueEffect]:
        """The value's effect, where enough leads have it."""
        if has.sum() >= RARE_VALUE:
            yield ValueEffect(name, int(has.sum()), float(self.y[has].mean()), chance)

    def _levels(self, j: int) -> Iterator[ValueEffect]:
        codes, counts = np.unique(self.table.levels[:, j], return_counts=True)
        known = self.scorer.reader.levels[j].levels
        for code in codes[np.argsort(-counts, kind="stable")][:LEVELS]:
            name = {MISSING: "unknown", RARE: "another value"}.get(int(code)) or known[code - 2]
            changed = FeatureTable(self.sample.numbers, self.sample.levels.copy())
            changed.levels[:, j] = code
            yield from self._effect(name, self.table.levels[:, j] == code, self._mean(changed))

    def _steps(self, j: int) -> Iterator[ValueEffect]:
        """Fifths by their middles, or the values where they are few; then the unknown.

        From one to the next only leads that lie there are asked (accumulated local effects), and columns that move with
        this one are taken along from leads that have the value: no lead is asked to be what none is.
        """
        values, sampled = self.table.numbers[:, j], self.sample.numbers[:, j]
        owner = self.scorer.reader.numbers[j].owner
        family, year = self._family(owner), owner in self.years
        known = values[~np.isnan(values)]
        middles = np.unique(known)
        if len(middles) > STEPS:
            middles = np.unique(np.quantile(known, (np.arange(STEPS) + 0.5) / STEPS, method="lower"))
        if len(middles):
            near, near_sampled = _nearest(values, middles), _nearest(sampled, middles)
            gone = np.isnan(values)
            steps = [0.0]
            for i in range(len(middles) - 1):
                there = self.sample.take((near_sampled >= i) & (near_sampled <= i + 1) & ~np.isnan(sampled))
                up, down = (self._like(there, family, np.flatnonzero((near == at) & ~gone)) for at in (i + 1, i))
                steps.append(self._mean(up) - self._mean(down) if len(there) else 0.0)
            heights = np.cumsum(steps)
            counts = np.array([np.sum((near == i) & ~gone) for i in range(len(middles))])
            heights += self.mean - float(heights @ counts / max(counts.sum(), 1))
            for i, middle in enumerate(middles):
                yield from self._effect(
                    plain(float(middle), year), (near == i) & ~gone, float(np.clip(heights[i], 0, 1))
                )
        if np.isnan(values).any():
            unknown = self._mean(_with_number(self.sample, j, np.nan))
            yield from self._effect("unknown", np.isnan(values), unknown)

    def _family(self, owner: str) -> tuple[list[int], list[int]]:
        """The number and level fields of a raw column and of those that move with it."""
        reader = self.scorer.reader
        place = reader.owners.index(owner)
        family = next(one for one in self.scorer.partial_effects.families if place in one)
        fields = [reader.fields_of(reader.owners[i]) for i in family]
        return [j for numbers, _ in fields for j in numbers], [j for _, levels in fields for j in levels]

    def _like(self, leads: FeatureTable, family: tuple[list[int], list[int]], others: Ints) -> FeatureTable:
        """The leads with a family's fields as in some other leads, drawn at random."""
        drawn = self.table.take(self.rng.choice(others, len(leads)))
        made = FeatureTable(leads.numbers.copy(), leads.levels.copy())
        made.numbers[:, family[0]], made.levels[:, family[1]] = drawn.numbers[:, family[0]], drawn.levels[:, family[1]]
        return made

    def _words(self, words: Sequence[int]) -> Iterator[ValueEffect]:
        """The words that most texts have."""
        for j in sorted(words, key=lambda j: -float(self.table.numbers[:, j].sum()))[:WORDS]:
            name = f'"{self.scorer.reader.numbers[j].word}"'
            yield from self._effect(name, self.table.numbers[:, j] > 0, self._mean(_with_number(self.sample, j, 1.0)))

    def _mean(self, table: FeatureTable) -> float:
        return float(self.scorer.score_table(table).mean()) if len(table) else 0.0


def _nearest(values: Floats, middles: Floats) -> Ints:
    """The place of the middle that each value is nearest to, shape (n,); that of NaN means nothing."""
    return np.searchsorted((middles[1:] + middles[:-1]) / 2, values, side="right").astype(np.int64)


def _with_number(sample: FeatureTable, j: int, value: float) -> FeatureTable:
    changed = FeatureTable(sample.numbers.copy(), sample.levels)
    changed.numbers[:, j] = value
    return changed


def _sentence(values: Sequence[ValueEffect], ordered: bool) -> str:
    known = [one for one in values if one.value != "unknown"] or list(values)
    chances = np.array([one.chance for one in known])
    lowest, highest = known[int(chances.argmin())], known[int(chances.argmax())]
    if highest.chance - lowest.chance < LEAST:
        return f"It hardly moves the chance ({highest.chance:.1%})."
    if ordered:
        steps = np.diff(chances)
        first, last = known[0], known[-1]
        for way, ok in (("rises", np.all(steps >= -LEAST)), ("falls", np.all(steps <= LEAST))):
            if ok:
                return (
                    f"The chance {way} with it: {first.chance:.1%} at {first.value}, {last.chance:.1%} at {last.value}."
                )
        return (
            f"The chance is highest at {highest.value} ({highest.chance:.1%}) and lowest at {lowest.value} "
            f"({lowest.chance:.1%})."
        )
    return (
        f"The chance is highest for {highest.value} ({highest.chance:.1%}) and lowest for {lowest.value} "
        f"({lowest.chance:.1%})."
    )
