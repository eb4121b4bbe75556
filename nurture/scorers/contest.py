"""Which way of learning is best here? A small, honest contest on leads the learners have not seen, newest last."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from nurture.scorers.calibration import Calibrator, choose_calibrator
from nurture.scorers.features import (
    CROSSFITS,
    MOST_LEVELS,
    Key,
    Part,
    Reader,
    Table,
    learn_encoding,
    make_key,
)
from nurture.scorers.learners import (
    ROUNDS,
    TREES,
    Recipe,
    blend,
    few_threads,
    fit_forest,
    fit_scorecard,
    sigmoid,
)
from nurture.scorers.measures import Floats, Ints, auc, losses

PENALTIES = (0.03, 0.1, 0.3, 1.5)
WEIGHTS = (0.0, 0.15, 0.3, 0.5, 0.7, 1.0)
MOST_ROWS = 30_000  # that take part; choosing needs fewer leads than learning
SMALL = 6_000  # up to here, folds are repeated
BLOCKS = (0.4, 0.55, 0.7, 0.85, 1.0)  # shares of the time-ordered leads between which validation blocks lie
MOST_KEYS = 8
MOST_CROSSED = 24  # fields that may be crossed with each other
MOST_VALUES = 20_000  # of a number that is looked at value by value
EVIDENCE = 3.5  # standard errors a crossed feature must pay by: hundreds are tried

Fold = tuple[Ints, Ints]  # rows to learn from, rows to be judged on


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


def shuffled_folds(y: Floats, groups: Ints | None, k: int, seed: int) -> Ints:
    """A fold number per lead: positives spread evenly, a group never split."""
    rng = np.random.default_rng(seed)
    if groups is not None:
        _, place = np.unique(groups, return_inverse=True)
        n = int(place.max()) + 1
        order = np.lexsort(
            (rng.random(n), np.bincount(place, weights=y, minlength=n))
        )  # alike groups to different folds
        fold_of = np.empty(n, dtype=np.int64)
        fold_of[order] = np.arange(n) % k
        return np.asarray(fold_of[place])
    order = np.lexsort((rng.random(len(y)), y))
    fold = np.empty(len(y), dtype=np.int64)
    fold[order] = np.arange(len(y)) % k
    return fold


def folds_for(y: Floats, moment: Floats | None, groups: Ints | None, seed: int = 0) -> list[list[Fold]]:
    """Rounds of folds: forward in time where there is time, otherwise shuffled, repeated for small sets."""
    if moment is not None:
        order = np.argsort(moment, kind="stable")
        cuts = [int(len(y) * share) for share in BLOCKS]
        blocks = [(np.sort(order[:a]), np.sort(order[a:b])) for a, b in pairwise(cuts)]
        if all(min(y[part].sum(), (1 - y[part]).sum()) >= 5 for fold in blocks for part in fold):
            return [blocks]
    k, repeats = (5, 2) if len(y) <= SMALL else (5, 1) if len(y) <= 20_000 else (3, 1)
    rounds = []
    for again in range(repeats):
        fold = shuffled_folds(y, groups, k, seed + again)
        rounds.append([(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(k)])
    return rounds


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
    arena = _Arena(
        reader,
        table,
        y,
        folds_for(y, moment, groups, seed),
        shuffled_folds(y, groups, CROSSFITS, seed + 91),
        moment is not None,
    )
    cards = [(penalty, arena.scorecards(penalty)) for penalty in PENALTIES]
    kinds = [kind for kind in TREES if kind == "careful" or len(y) >= SMALL // 2]
    forests: list[tuple[list[Floats], int, str, tuple[Key, ...]]] = [
        (*arena.forest(kind, ()), kind, ()) for kind in kinds
    ]
    best = min(forests, key=lambda one: arena.loss(one[0]))
    if keys := arena.crossed(best[0]):
        forests.append((*arena.forest(best[2], keys), best[2], keys))
        best = min(forests, key=lambda one: arena.loss(one[0]))
    penalty, card = min(cards, key=lambda one: arena.loss(one[1]))
    log_odds, rounds, kind, kept = best
    mixed = [(weight, [blend(weight, a, b) for a, b in zip(card, log_odds, strict=True)]) for weight in WEIGHTS]
    weight, won = min(mixed, key=lambda one: arena.loss(one[1]))
    recipe = Recipe(
        penalty if weight > 0 else None, kind if weight < 1 else None, rounds, weight, kept if weight < 1 else (), seed
    )
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
            made[block] += _shift(log_odds[block], float(self.y[block].mean()))
        return made

    def entry(self, name: str, predictions: list[Floats]) -> Entry:
        mean, judged = self.together(predictions)
        return Entry(name, round(self.loss(predictions), 5), round(auc(self.y[judged], mean[judged]), 4))

    def crossed(self, predictions: list[Floats]) -> tuple[Key, ...]:
        """Values and pairs of values that tell what the trees missed, each judged after those before it.

        A group's mean residual in the other folds (in time order: in earlier ones) predicts its residual in this fold.
        """
        mean, judged = self.together(predictions)
        rows = np.flatnonzero(judged)
        table, fold = self.table.take(rows), self.part_of[rows] if self.forward else self.parts[rows]
        rest = self.y[rows] - sigmoid(mean[rows])
        singles = self._candidates(table, rest, fold)
        parts: list[tuple[Part, ...]] = [one for one, _ in singles]
        strongest = [one for one, _ in sorted(singles, key=lambda pair: -pair[1])[:MOST_CROSSED]]
        parts += [(*a, *b) for a, b in combinations(strongest, 2)]
        groups = {}
        for one in parts:
            key = make_key(self.reader, table, one)
            groups[one] = np.unique(key.codes(table), return_inverse=True)[1]
        chosen: list[tuple[Part, ...]] = []
        while len(chosen) < MOST_KEYS and groups:
            told = {one: _gain(group, rest, fold, self.forward) for one, group in groups.items()}
            best = max(told, key=lambda one: told[one][0])
            gain, evidence, prediction = told[best]
            if gain <= 0 or evidence < EVIDENCE:
                break
            chosen.append(best)
            rest = rest - prediction
            promising = sorted(told, key=lambda one: -told[one][0])[: max(20, len(told) // 2)]
            groups = {one: groups[one] for one in promising if one != best}
        return tuple(make_key(self.reader, self.table, one) for one in chosen)

    def _candidates(self, table: Table, rest: Floats, fold: Ints) -> list[tuple[tuple[Part, ...], float]]:
        found: list[tuple[tuple[Part, ...], float]] = []
        for i in range(table.numbers.shape[1]):
            known = table.numbers[:, i][~np.isnan(table.numbers[:, i])]
            if 2 < len(np.unique(known)) <= min(MOST_VALUES, len(known) / 2) and self.reader.numbers[i].how == "value":
                found.append(((("number", i),), 0.0))
        found += [((("level", i),), 0.0) for i in range(table.levels.shape[1])]
        strength = []
        for one, _ in found:
            group = np.unique(make_key(self.reader, table, one).codes(table), return_inverse=True)[1]
            wide = one[0][0] == "number" or self.reader.levels[one[0][1]].size > MOST_LEVELS
            strength.append((one, _gain(group, rest, fold, self.forward)[1] + (0.5 if wide else 0.0)))
        return strength


def _shift(log_odds: Floats, rate: float) -> float:
    """What to add so that the mean probability is `rate`."""
    shift = 0.0
    for _ in range(20):
        p = sigmoid(log_odds + shift)
        shift -= float(np.clip((p.mean() - rate) / max(float(np.mean(p * (1 - p))), 1e-6), -2, 2))
    return shift


def _gain(group: Ints, rest: Floats, fold: Ints, forward: bool) -> tuple[float, float, Floats]:
    """What a grouping tells of the residuals in other folds: squared error saved, standard errors, the prediction."""
    n, k = int(group.max()) + 1, int(fold.max()) + 1
    rows = np.bincount(fold * n + group, minlength=k * n).reshape(k, n).astype(np.float64)
    sums = np.bincount(fold * n + group, weights=rest, minlength=k * n).reshape(k, n)
    if forward:
        others, told = np.cumsum(rows, 0) - rows, np.cumsum(sums, 0) - sums
    else:
        others, told = rows.sum(0) - rows, sums.sum(0) - sums
    prediction = (told / (others + 20.0))[fold, group]
    step = 2 * rest * prediction - prediction**2
    hits = rest * prediction
    return float(step.sum()), float(hits.sum() / (np.sqrt(np.sum(hits**2)) or 1.0)), np.asarray(prediction)
