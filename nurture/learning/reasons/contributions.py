"""Why this score? Per lead, what speaks for it and what holds it back, in words a salesperson reads.

A reason is a column, or a family of columns that move together, in which the lead differs from a typical one. Its
effect is measured with the model itself: the score minus the score the same lead would have if it were typical there.
Taking a reason away moves the score by exactly that much, because that is how it was found.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nurture.learning.features.columns import MISSING, RARE, FeatureTable
from nurture.learning.fit.partial_effects import bin_of, replaced
from nurture.learning.fit.scorer import Scorer
from nurture.learning.metrics import Floats, Ints

FOR, AGAINST = 3, 2  # reasons shown per lead
SPARE = 1  # more are verified than shown
LEAST = 0.002  # of the score; less is no reason

Phrases = Mapping[str, Callable[[float], str] | str]
"""Per raw column how its value is said: "{value} pricing-page visits this week", or a function of the number."""


@dataclass(frozen=True)
class Reasons:
    """Per lead and place: `family` (−1: no reason here), `column` that speaks for it, `effect` in points of the score.

    What speaks for the lead comes first, the strongest first, then what holds it back, the strongest last but one.
    """

    family: Ints
    column: Ints
    effect: Floats


def find_reasons(
    scorer: Scorer, table: FeatureTable, score: Floats | None = None, most: int = FOR, against: int = AGAINST
) -> Reasons:
    """The reasons of every lead in the table; `score` saves computing it again.

    Partial effects say which families are likely reasons of which lead; only those are verified with the model, so
    that a million leads take a few passes instead of one per column.
    """
    n, families = len(table), scorer.partial_effects.families
    score = scorer.score_table(table) if score is None else score
    rough, speaker, drawn, always = _rough(scorer, table)
    order = np.argsort(rough, axis=1, kind="stable")
    up = [order[:, -1 - k] for k in range(min(most + SPARE, len(drawn)))]
    down = [order[:, k] for k in range(min(against + SPARE, len(drawn) - len(up)))]
    found = [
        (np.full(n, i), score - scorer.score_table(replaced(table, scorer.typical, scorer.reader, families[i])))
        for i in always
    ]
    found += [(drawn[place], score - scorer.score_table(_without(scorer, table, drawn[place]))) for place in up + down]
    if not found:
        found = [(np.full(n, -1), np.zeros(n))]
    family, effect = _best(
        np.column_stack([one for one, _ in found]), np.column_stack([one for _, one in found]), most, against
    )
    column = np.where(effect > 0, speaker[0][np.arange(n)[:, None], family], speaker[1][np.arange(n)[:, None], family])
    return Reasons(family, np.where(family < 0, -1, column), effect)


def _rough(scorer: Scorer, table: FeatureTable) -> tuple[Floats, tuple[Ints, Ints], Ints, list[int]]:
    """The mean effect of every family on leads like each one; the column that speaks for it when it helps and when it
    harms; which families have a partial effect; and which have none.

    When a lead came in is no reason: nobody can do anything with it.
    """
    reader, families, n = scorer.reader, scorer.partial_effects.families, len(table)
    helps, harms = (np.zeros((n, len(families)), dtype=np.int64) for _ in range(2))
    rough, drawn, always = [], [], []
    for i, family in enumerate(families):
        effects = []
        for owner in family:
            numbers, levels = reader.fields_of(reader.owners[owner])
            drawing = scorer.partial_effects.effects[owner]
            if len(drawing):
                edges = scorer.partial_effects.edges[owner]
                bins = table.levels[:, levels[0]] if levels else bin_of(table.numbers[:, numbers[0]], edges)
                effects.append(drawing[bins])
        if effects:
            side = np.column_stack(effects)
            helps[:, i], harms[:, i] = np.array(family)[side.argmax(1)], np.array(family)[side.argmin(1)]
            rough.append(side.mean(1))
            drawn.append(i)
        else:
            helps[:, i] = harms[:, i] = family[0]
            if reader.owners[family[0]] != reader.time:
                always.append(i)
    likely = np.column_stack(rough) if rough else np.empty((n, 0))
    return likely, (helps, harms), np.array(drawn, dtype=np.int64), always


def _without(scorer: Scorer, table: FeatureTable, chosen: Ints) -> FeatureTable:
    """Every lead made typical in a family of its own."""
    numbers, levels = table.numbers.copy(), table.levels.copy()
    for i, family in enumerate(scorer.partial_effects.families):
        rows = np.flatnonzero(chosen == i)
        for owner in family if len(rows) else ():
            of_number, of_level = scorer.reader.fields_of(scorer.reader.owners[owner])
            numbers[rows[:, None], of_number] = scorer.typical.numbers[of_number]
            levels[rows[:, None], of_level] = scorer.typical.levels[of_level]
    return FeatureTable(numbers, levels)


def _best(family: Ints, effects: Floats, most: int, against: int) -> tuple[Ints, Floats]:
    n, width = effects.shape
    order = np.argsort(-effects, axis=1, kind="stable")
    family, effects = np.take_along_axis(family, order, 1), np.take_along_axis(effects, order, 1)
    shown, amount = np.full((n, most + against), -1, dtype=np.int64), np.zeros((n, most + against))
    for k in range(min(most, width)):
        good = effects[:, k] >= LEAST
        shown[good, k], amount[good, k] = family[good, k], effects[good, k]
    for k in range(min(against, width)):
        bad = effects[:, -1 - k] <= -LEAST
        shown[bad, most + k], amount[bad, most + k] = family[bad, -1 - k], effects[bad, -1 - k]
    return shown, amount


def describe_reasons(
    scorer: Scorer, table: FeatureTable, found: Reasons, phrases: Phrases | None = None
) -> list[list[tuple[str, float]]]:
    """Per lead: (what a salesperson reads, points of the score it gives or takes), in the order of `found`.

    That something did not happen is no praise: "Visits: 0 (typically 3)" is not said for a lead.
    """
    say = _Speaker(scorer, phrases or {})
    pairs = zip(found.column.tolist(), found.effect.tolist(), strict=True)
    return [
        [
            (say(column, table, i), effect)
            for column, effect in zip(*pair, strict=True)
            if column >= 0 and not (effect > 0 and say.nothing_happened(column, table, i))
        ]
        for i, pair in enumerate(pairs)
    ]


class _Speaker:
    """Says a column of a lead in words; the same value is put into words once."""

    def __init__(self, scorer: Scorer, phrases: Phrases) -> None:
        self.reader, self.typical, self.phrases = scorer.reader, scorer.typical, phrases
        self.years = years_of(scorer)
        self.fields = [self.reader.fields_of(owner) for owner in self.reader.owners]
        self.number, self.level = lru_cache(100_000)(self._number), lru_cache(100_000)(self._level)

    def __call__(self, column: int, table: FeatureTable, row: int) -> str:
        numbers, levels = self.fields[column]
        if len(numbers) + len(levels) > 1:
            return self._text(column, table, row)
        if levels:
            return self.level(levels[0], int(table.levels[row, levels[0]]))
        return self.number(numbers[0], float(table.numbers[row, numbers[0]]))

    def nothing_happened(self, column: int, table: FeatureTable, row: int) -> bool:
        """Is the column's one number 0 where others typically have more?"""
        numbers, levels = self.fields[column]
        if len(numbers) != 1 or levels:
            return False
        return bool(table.numbers[row, numbers[0]] == 0 and self.typical.numbers[numbers[0]] > 0)

    def _number(self, j: int, value: float) -> str:
        one, usual = self.reader.numbers[j], float(self.typical.numbers[j])
        if np.isnan(value):
            return f"{one.name}: unknown"
        if phrase := self.phrases.get(one.owner):
            return phrase(value) if callable(phrase) else phrase.format(value=plain(value))
        if one.how == "age":
            compared = "" if np.isnan(usual) else f" (typically {plain(round(usual))})"
            return f"{one.name}: {plain(round(value))} days ago{compared}"
        year = one.owner in self.years
        return f"{one.name}: {plain(value, year)}" + ("" if np.isnan(usual) else f" (typically {plain(usual, year)})")

    def _level(self, j: int, code: int) -> str:
        one = self.reader.levels[j]
        if code == MISSING:
            return f"{one.name}: unknown"
        if code == RARE:
            return f"{one.name}: a value we hardly know"
        phrase = self.phrases.get(one.owner)
        value = one.levels[code - 2]
        return f"{one.name}: {value}" if phrase is None or callable(phrase) else phrase.format(value=value)

    def _text(self, column: int, table: FeatureTable, row: int) -> str:
        numbers, owner = self.fields[column][0], self.reader.owners[column]
        words = [one.word for j in numbers if (one := self.reader.numbers[j]).word and table.numbers[row, j] > 0]
        if not words:
            return f"{owner}: none of the usual words"
        return f"{owner} mentions " + ", ".join(f'"{word}"' for word in words[:4])


def years_of(scorer: Scorer) -> frozenset[str]:
    """The raw columns that hold years, said without a comma: from the least to the greatest within 1900 to 2100."""
    reader, effects = scorer.reader, scorer.partial_effects
    found = set()
    for owner, edges in zip(reader.owners, effects.edges, strict=True):
        if len(edges) > 1 and 1_900 <= edges[0] == round(edges[0]) and round(edges[-1]) == edges[-1] <= 2_100:
            found.add(owner)
    return frozenset(found)


def plain(value: float, year: bool = False) -> str:
    """A number as one says it: 1,532 · 3.5 · 0.042; a year as 2012."""
    if year:
        return f"{value:.0f}"
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"
