"""Which way of learning is best here? A small, honest contest on leads the learners have not seen, newest last."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nurture.learning.features import interactions
from nurture.learning.features.columns import CROSSFITS, Key, Reader, Table, learn_encoding
from nurture.learning.fit.calibration import Calibrator, choose_calibrator
from nurture.learning.fit.estimators import (
    ROUNDS,
    TREES,
    Recipe,
    blend,
    few_threads,
    fit_forest,
    fit_scorecard,
    follow,
    level_shift,
    sigmoid,
)
from nurture.learning.fit.folds import SMALL, Fold, forward_folds, rounds_of_folds, shuffled_folds
from nurture.learning.judge.metrics import Floats, Ints, auc, loss_gain, losses

PENALTIES = (0.03, 0.1, 0.3, 1.5)
WEIGHTS = (0.0, 0.15, 0.3, 0.5, 0.7, 1.0)
MOST_ROWS = 30_000  # that take part; choosing needs fewer leads than learning
WINDOWS = (200, 500, 1_000, 2_000, 5_000)  # newest leads that may set the base rate
WINDOW_LEAST = 50  # of each outcome among them


@dataclass(frozen=True)
class Entry:
    """A contestant and how it did on unseen leads."""

    name: str
    log_loss: float
    auc: float


@dataclass(frozen=True)
class Verdict:
    """The winner, its calibration, and its out-of-fold log odds: NaN for leads no fold judged."""

    recipe: Recipe
    calibrator: Calibrator
    log_odds: Floats
    entries: tuple[Entry, ...]


def hold(
    reader: Reader, table: Table, y: Floats, moment: Floats | None = None, groups: Ints | None = None, seed: int = 0
) -> Verdict:
    """Run the contest on a training part. Features, learner, blend, rounds and calibration are all chosen here."""
    with few_threads(len(y)):
        return _hold(reader, table, y, moment, groups, seed)


def _hold(reader: Reader, table: Table, y: Floats, moment: Floats | None, groups: Ints | None, seed: int) -> Verdict:
    rows = _some(y, moment, seed)
    if len(rows) < len(y):
        verdict = _hold(
            reader,
            table.take(rows),
            y[rows],
            None if moment is None else moment[rows],
            None if groups is None else groups[rows],
            seed,
        )
        spread = np.full(len(y), np.nan)
        spread[rows] = verdict.log_odds
        return replace(verdict, log_odds=spread)
    forward = [] if moment is None else forward_folds(y, moment)
    rounds = [forward] if forward else rounds_of_folds(y, groups, seed)
    arena = _Arena(reader, table, y, rounds, shuffled_folds(y, groups, CROSSFITS, seed + 91), bool(forward))
    cards = [(penalty, arena.scorecards(penalty)) for penalty in PENALTIES]
    kinds = [kind for kind in TREES if kind == "careful" or len(y) >= SMALL // 2]
    forests: list[tuple[list[Floats], int, str, tuple[Key, ...]]] = [
        (*arena.forest(kind, ()), kind, ()) for kind in kinds
    ]
    best = min(forests, key=lambda one: arena.loss(one[0]))
    if keys := arena.keys(best[0]):
        forests.append((*arena.forest(best[2], keys), best[2], keys))
        best = min(forests, key=lambda one: arena.loss(one[0]))
    penalty, card = min(cards, key=lambda one: arena.loss(one[1]))
    log_odds, trees, kind, kept = best
    mixed = [(weight, [blend(weight, a, b) for a, b in zip(card, log_odds, strict=True)]) for weight in WEIGHTS]
    weight, won = min(mixed, key=lambda one: arena.loss(one[1]))
    if arena.as_good(mixed[-1][1], won):  # the scorecard alone
        weight, won = mixed[-1]
    recipe = Recipe(
        penalty=penalty if weight > 0 else None,
        trees=kind if weight < 1 else None,
        rounds=trees,
        weight=weight,
        keys=kept if weight < 1 else (),
        seed=seed,
    )
    if moment is not None and forward:
        recipe = replace(recipe, window=arena.window(recipe, moment))
    entries = [arena.entry(f"logistic regression with splines, C = {c:g}", made) for c, made in cards]
    entries += [
        arena.entry(f"gradient boosting ({k}, {r} rounds{', crossed features' if cross else ''})", made)
        for made, r, k, cross in forests
    ]
    entries.append(arena.entry(recipe.name, won))
    mean, judged = arena.together(won)
    calibrator = choose_calibrator(mean[judged], y[judged], arena.part_of[judged])
    mean[~judged] = np.nan
    return Verdict(recipe, calibrator, mean, tuple(entries))


def _some(y: Floats, moment: Floats | None, seed: int) -> Ints:
    if len(y) <= MOST_ROWS:
        return np.arange(len(y))
    if moment is not None:
        return np.sort(np.argsort(moment, kind="stable")[-MOST_ROWS:])
    rng = np.random.default_rng(seed)
    few = np.flatnonzero(y == (1.0 if y.mean() < 0.5 else 0.0))
    many = np.setdiff1d(np.arange(len(y)), few, assume_unique=True)
    few = rng.permutation(few)[: max(1, round(MOST_ROWS * len(few) / len(y)))]
    return np.sort(np.concatenate([few, rng.permutation(many)[: MOST_ROWS - len(few)]]))


@dataclass
class _Arena:
    """The leads and folds everybody competes on. Predictions are a list: one array per round, NaN where not judged."""

    reader: Reader
    table: Table
    y: Floats
    rounds: list[list[Fold]]
    parts: Ints
    forward: bool

    def __post_init__(self) -> None:
        self.part_of = np.full(len(self.y), -1, dtype=np.int64)
        for i, (_, judged) in enumerate(self.rounds[0]):
            self.part_of[judged] = i

    def scorecards(self, penalty: float) -> list[Floats]:
        return self._each(
            lambda rows, judged: fit_scorecard(self.reader, self.table.take(rows), self.y[rows], penalty).points_of(
                self.table.take(judged)
            )
        )

    def forest(self, kind: str, keys: Sequence[Key]) -> tuple[list[Floats], int]:
        """Log odds of boosting at the number of rounds that did best, and that number."""
        most = min(ROUNDS[kind], max(60, len(self.y) // 20))
        stops = [n for n in (10, 20, 35, 50, 75, 100, 150, 200) if n <= most]
        kept = [[np.full(len(self.y), np.nan) for _ in self.rounds] for _ in stops]
        for again, folds in enumerate(self.rounds):
            for rows, judged in folds:
                encoding, encoded = learn_encoding(keys, self.table.take(rows), self.y[rows], self.parts[rows])
                forest = fit_forest(self.reader, self.table.take(rows), encoded, self.y[rows], kind, most, again)
                unseen = self.table.take(judged)
                for n, log_odds in enumerate(forest.stages(unseen, encoding.apply(unseen)), 1):
                    if n in stops:
                        kept[stops.index(n)][again][judged] = log_odds
        best = min(range(len(stops)), key=lambda i: self.loss(kept[i]))
        return kept[best], stops[best]

    def _each(self, fit: Any) -> list[Floats]:
        made = []
        for folds in self.rounds:
            one = np.full(len(self.y), np.nan)
            for rows, judged in folds:
                one[judged] = fit(rows, judged)
            made.append(one)
        return made

    def together(self, predictions: list[Floats]) -> tuple[Floats, Any]:
        mean = self.level(np.mean(predictions, axis=0))
        return mean, ~np.isnan(mean)

    def loss(self, predictions: list[Floats]) -> float:
        """Log loss on the judged leads, mean over the rounds."""
        judged = self.part_of >= 0
        return float(np.mean([losses(self.y[judged], sigmoid(self.level(one)[judged])).mean() for one in predictions]))

    def level(self, log_odds: Floats) -> Floats:
        """In time order: each block at its own base rate. A good month is luck; telling its leads apart is merit."""
        if not self.forward:
            return log_odds
        made = log_odds.copy()
        for i in range(int(self.part_of.max()) + 1):
            block = self.part_of == i
            made[block] += level_shift(log_odds[block], float(self.y[block].mean()))
        return made

    def window(self, recipe: Recipe, moment: Floats) -> int | None:
        """How many of the newest leads tell the base rate of those to come? None where their rate is mostly luck.

        Judged on the beginning of the newest blocks, unlevelled, as after a refit.
        """
        order = np.argsort(moment, kind="stable")
        enough = [size for size in WINDOWS if 4 * size <= len(order) and self._both(order[-size:]) >= WINDOW_LEAST]
        tried: dict[int | None, list[Floats]] = {size: [] for size in (*enough, None)}
        came = []
        for rows, judged in self.rounds[0][-2:]:  # what paid in another season does not count
            late = rows[np.argsort(moment[rows], kind="stable")][-WINDOWS[-1] :]
            soon = judged[np.argsort(moment[judged], kind="stable")][: max(1, len(judged) // 3)]
            learned = follow(recipe, self.reader, self.table.take(rows), self.y[rows], self.parts[rows])
            unseen, known = learned.log_odds(self.table.take(soon)), learned.log_odds(self.table.take(late))
            came.append(self.y[soon])
            for size, made in tried.items():
                shift = 0.0 if size is None else level_shift(known[-size:], float(self.y[late[-size:]].mean()))
                made.append(sigmoid(unseen + shift))
        y, p = np.concatenate(came), {size: np.concatenate(made) for size, made in tried.items()}
        best = p[min(p, key=lambda size: float(losses(y, p[size]).mean()))]
        for size in (None, *reversed(enough)):  # the calmest that is as good as the best
            gain = loss_gain(y, p[size], best)
            if gain.gain <= (2 if size is None else 1) * gain.error:
                return size
        return None

    def _both(self, rows: Ints) -> float:
        return float(min(self.y[rows].sum(), (1 - self.y[rows]).sum()))

    def as_good(self, plain: list[Floats], best: list[Floats]) -> bool:
        """Is the simpler one within a standard error of the best? Then the difference may well be luck."""
        (a, judged), (b, _) = self.together(plain), self.together(best)
        gain = loss_gain(self.y[judged], sigmoid(a[judged]), sigmoid(b[judged]))
        return gain.gain <= gain.error

    def entry(self, name: str, predictions: list[Floats]) -> Entry:
        mean, judged = self.together(predictions)
        return Entry(name, round(self.loss(predictions), 5), round(auc(self.y[judged], mean[judged]), 4))

    def keys(self, predictions: list[Floats]) -> tuple[Key, ...]:
        """Crossed features that tell what these predictions missed."""
        mean, judged = self.together(predictions)
        rows = np.flatnonzero(judged)
        table, fold = self.table.take(rows), (self.part_of if self.forward else self.parts)[rows]
        found = interactions.crossed(self.reader, table, self.y[rows] - sigmoid(mean[rows]), fold, self.forward)
        return interactions.keys(self.reader, self.table, found)
