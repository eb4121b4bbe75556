"""Finds the columns that know the outcome beforehand: by what the data say first, by their names only beside that."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from nurture.learning.estimators.folds import shuffled_folds
from nurture.learning.leaks.column_alone import FOLDS, AloneLooker, ColumnAlone
from nurture.learning.leaks.finding import LeakFinding
from nurture.learning.leaks.hints import hint_of
from nurture.learning.leaks.still_blank import blank_for_newest, blank_for_open_leads
from nurture.learning.leaks.together import Together
from nurture.learning.metrics import Ints
from nurture.learning.training_data.examples import Examples
from nurture.learning.training_data.options import NO_OPTIONS, TrainingOptions
from nurture.learning.training_data.schema import Column, ColumnKind

MOST_ROWS, MOST_TOGETHER = 20_000, 12_000
STRONG = 0.90  # alone, and better than everything else together by BEYOND
BEYOND = 0.03
CLOSE = 0.08
STRIKING = 0.80  # alone and as good as everything else together: reported, kept
TOGETHER = 0.90  # AUC of all columns from which somebody among them must know the outcome …
HALVED = 0.60  # … and it is those without whom the others rank wrong so much more often (their share of the errors)
BY_A_THIRD = 0.67  # once some were found: a column without which a third of the errors come back
COSTED = 8  # findings whose cost is measured


def find_leaks(
    frame: pl.DataFrame,
    columns: Sequence[Column],
    examples: Examples,
    options: TrainingOptions = NO_OPTIONS,
    seed: int = 0,
    still_open: pl.DataFrame | None = None,
) -> list[LeakFinding]:
    """Look at every column alone, at all together, and at leads still open. The strongest finding comes first.

    `frame` has a row per example; `still_open` the rows of leads whose outcome is not known. `options.keep` names
    columns that stay whatever is found; they are still reported. The column `options.time` is not judged. Columns are
    judged by cross-fitted AUC, so a column of names is not accused of being unique.
    """
    rows = _some(len(examples), MOST_ROWS, seed)
    few = examples.take(rows)
    judged = [one for one in columns if one.kind != ColumnKind.NOTHING and one.name != options.time]
    search = _Search(frame[rows], judged, few, seed)
    search.by_blanks(still_open)
    search.alone()
    search.together()
    kept = set(options.keep)
    answer = [one.kept() if one.left_out and one.column in kept else one for one in search.found.values()]
    answer.sort(key=lambda one: (not one.left_out, -one.alone))
    return [*map(search.costed, answer[:COSTED]), *answer[COSTED:]]


class _Search:
    """The findings as they come, strongest evidence first; a column is accused once."""

    def __init__(self, frame: pl.DataFrame, columns: Sequence[Column], examples: Examples, seed: int) -> None:
        fold = shuffled_folds(examples.y, examples.groups, FOLDS, seed + 17)
        self.frame, self.columns, self.examples = frame, columns, examples
        looker = AloneLooker(frame, examples, fold)
        self.looker, self.seen = looker, {one.name: looker.judge(one) for one in columns}
        some = _some(frame.height, MOST_TOGETHER, seed + 1)
        self.trees = Together(frame[some], columns, examples.y[some], fold[some])
        self.found: dict[str, LeakFinding] = {}

    def by_blanks(self, still_open: pl.DataFrame | None) -> None:
        """Columns that are blank when they would be needed, and tell the outcome where they are not."""
        blank: dict[str, str] = {}
        if self.examples.moment is not None:
            blank |= blank_for_newest(self.frame, self.examples.moment, self.columns)
        if still_open is not None:
            blank |= blank_for_open_leads(self.frame, still_open, self.columns)
        for name, why in blank.items():
            seen = self.seen[name]
            if seen.auc - 2 * seen.error > 0.5:
                self.found[name] = LeakFinding(name, True, why, seen.auc)

    def alone(self) -> None:
        """Columns that give themselves away, or whose name and figures do."""
        for name, seen in self.seen.items():
            if name not in self.found and (finding := self.looker.accuse(seen)):
                self.found[name] = finding
        doubted = [one for name, one in self.seen.items() if name not in self.found and _doubtful(one)]
        plain = [name for name in self.innocent() if not hint_of(name)]
        for seen in doubted:
            if finding := self._compare(seen, [name for name in plain if name != seen.column.name]):
                self.found[seen.column.name] = finding

    def innocent(self) -> list[str]:
        """The columns that are not to be left out."""
        return [name for name in self.seen if not (name in self.found and self.found[name].left_out)]

    def together(self) -> None:
        """All columns know too much: leave out those that are measured together and know it, until they do not."""
        names = self.innocent()
        whole = self.trees.auc(names)
        blocks = [part for one in self.trees.blocks() if (part := [name for name in one if name in names])]
        while whole - 2 * self._error(whole) >= TOGETHER and len(blocks) > 1:
            rest = {i: self.trees.auc([name for name in names if name not in one]) for i, one in enumerate(blocks)}
            most = min(rest, key=lambda i: rest[i])
            if (1 - whole) > HALVED * (1 - rest[most]):
                return
            self._leave_out(blocks.pop(most), whole, rest[most])
            names, whole = self.innocent(), rest[most]
            self._the_like(names, whole)
            names = self.innocent()
            whole = self.trees.auc(names)
            blocks = [part for one in blocks if (part := [name for name in one if name in names])]

    def _the_like(self, names: list[str], whole: float) -> None:
        """Where some were found, single columns that know as suspiciously much are left out as well."""
        for name in names:
            without = self.trees.auc([one for one in names if one != name])
            if (1 - whole) <= BY_A_THIRD * (1 - without):
                self._leave_out([name], whole, without)

    def _leave_out(self, block: Sequence[str], whole: float, rest: float) -> None:
        together = "" if len(block) == 1 else "Together with " + ", ".join(f'"{one}"' for one in block) + ": "
        for name in block:
            why = (
                f"{together}With it all columns rank {whole:.0%} of all pairs of leads right, without it {rest:.0%}: "
                "so much is known only afterwards."
            )
            self.found[name] = LeakFinding(name, True, why, self.seen[name].auc)

    def _error(self, ranks: float) -> float:
        """Roughly one standard error of an AUC on these leads."""
        return float(np.sqrt(ranks * (1 - ranks) / max(self.examples.rarer, 1)))

    def _compare(self, seen: ColumnAlone, innocent: Sequence[str]) -> LeakFinding | None:
        """Its name, and how much it knows beside all innocent columns together."""
        name, hint, sure = seen.column.name, hint_of(seen.column.name), seen.auc - 2 * seen.error
        dominant = hint is not None and hint.dominant and seen.auc >= hint.least
        if hint and not hint.dominant and sure > 0.5 and seen.auc >= hint.least:
            why = f"{_sentence(hint.why)} Alone it ranks {seen.auc:.0%} of all pairs of leads right."
            return LeakFinding(name, True, why, seen.auc)
        if seen.auc < STRIKING and not dominant:
            if hint is None:
                return None
            why = f"{_sentence(hint.why)} It is kept: was it known when the lead came in?"
            return LeakFinding(name, False, why, seen.auc)
        others = self.trees.auc(innocent)
        alone = f"Alone it ranks {seen.auc:.0%} of all pairs of leads right, all other columns together {others:.0%}"
        if hint and dominant and seen.auc >= others - CLOSE:
            return LeakFinding(name, True, f"{_sentence(hint.why)} {alone}.", seen.auc)
        if sure >= STRONG - 0.02 and seen.auc >= max(STRONG, others + BEYOND):
            return LeakFinding(name, True, f"{alone}: too good to be true.", seen.auc)
        if seen.column.kind == ColumnKind.TEXT and seen.auc >= others + BEYOND:
            return LeakFinding(name, True, f"{alone}: somebody wrote down how it ended.", seen.auc)
        if hint or seen.auc >= others:
            return LeakFinding(name, False, f"{alone}. Was it known when the lead came in?", seen.auc)
        return None

    def costed(self, finding: LeakFinding) -> LeakFinding:
        """The finding with what it costs to do without the column."""
        others = [name for name in self.innocent() if name != finding.column]
        return replace(finding, cost=self.trees.cost(finding.column, others)) if others else finding


def _doubtful(seen: ColumnAlone) -> bool:
    return seen.auc >= STRIKING or hint_of(seen.column.name) is not None


def _sentence(why: str) -> str:
    return why[0].upper() + why[1:] + "."


def _some(rows: int, most: int, seed: int) -> Ints:
    """Row numbers: all, or so many at random, in their order."""
    return np.arange(rows) if rows <= most else np.sort(np.random.default_rng(seed).permutation(rows)[:most])
