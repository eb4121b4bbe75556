"""Which way of learning is best here? Candidates are compared on leads they have not seen, the newest last."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from nurture.learning.estimators.calibration import Calibrator, choose_calibrator
from nurture.learning.estimators.folds import SMALL, Fold, forward_folds, rounds_of_folds, shuffled_folds
from nurture.learning.estimators.forest import ROUNDS, TREES, TreeSettings, few_threads, fit_forest
from nurture.learning.estimators.log_odds import blend, level_shift, sigmoid
from nurture.learning.estimators.recipe import Recipe, fit_recipe
from nurture.learning.estimators.scorecard import fit_scorecard
from nurture.learning.features import interactions
from nurture.learning.features.columns import FeatureReader, FeatureTable
from nurture.learning.features.encoding import CROSSFITS, Key, learn_encoding
from nurture.learning.metrics import Bools, Floats, Ints, auc, loss_gain, losses
from nurture.learning.training_data.examples import Examples

PENALTIES = (0.03, 0.1, 0.3, 1.5)
WEIGHTS = (0.0, 0.15, 0.3, 0.5, 0.7, 1.0)
MOST_ROWS = 30_000  # that take part; choosing needs fewer leads than learning
WINDOWS = (200, 500, 1_000, 2_000, 5_000)  # newest leads that may set the base rate
WINDOW_LEAST = 50  # of each outcome among them


@dataclass(frozen=True)
class ModelCandidate:
    """A way of learning that was tried, and how it did on unseen leads."""

    name: str
    log_loss: float
    auc: float


@dataclass(frozen=True)
class Selection:
    """The best way of learning, its calibration, and its out-of-fold log odds: NaN for leads no fold judged."""

    recipe: Recipe
    calibrator: Calibrator
    log_odds: Floats  # shape (n,)
    candidates: tuple[ModelCandidate, ...]


class _Tried(NamedTuple):
    """Boosted trees that were tried: their out-of-fold log odds per round of folds, and how they were made."""

    log_odds: list[Floats]
    rounds: int
    kind: str
    keys: tuple[Key, ...]

    @property
    def name(self) -> str:
        return f"gradient boosting ({self.kind}, {self.rounds} rounds{', interactions' if self.keys else ''})"


def select_model(reader: FeatureReader, table: FeatureTable, examples: Examples, seed: int = 0) -> Selection:
    """Try the ways of learning on a training part. Features, estimator, blend, rounds and calibration are chosen here.

    `table` has a row per example. Leads judge that no candidate has learned from; with time, later ones.
    """
    rows = _sample(examples, seed)
    with few_threads(len(examples)):
        selection = _select(reader, table.take(rows), examples.take(rows), seed)
    spread = np.full(len(examples), np.nan)
    spread[rows] = selection.log_odds
    return replace(selection, log_odds=spread)


def _select(reader: FeatureReader, table: FeatureTable, examples: Examples, seed: int) -> Selection:
    y = examples.y
    forward = [] if examples.moment is None else forward_folds(y, examples.moment)
    rounds = [forward] if forward else rounds_of_folds(y, examples.groups, seed)
    parts = shuffled_folds(y, examples.groups, CROSSFITS, seed + 91)
    compared = _Comparison(reader, table, examples, rounds, parts, bool(forward))
    cards = [(penalty, compared.scorecards(penalty)) for penalty in PENALTIES]
    penalty, card = min(cards, key=lambda one: compared.loss(one[1]))
    forests = _forests(compared)
    best = min(forests, key=lambda one: compared.loss(one.log_odds))
    weight, won = _blended(compared, card, best.log_odds)
    recipe = Recipe(
        penalty=penalty if weight > 0 else None,
        trees=best.kind if weight < 1 else None,
        rounds=best.rounds,
        weight=weight,
        keys=best.keys if weight < 1 else (),
        seed=seed,
    )
    if examples.moment is not None and forward:
        recipe = replace(recipe, window=compared.window(recipe, examples.moment))
    candidates = [compared.candidate(f"logistic regression with splines, C = {c:g}", made) for c, made in cards]
    candidates += [compared.candidate(one.name, one.log_odds) for one in forests]
    candidates.append(compared.candidate(recipe.name, won))
    mean, judged = compared.together(won)
    calibrator = choose_calibrator(mean[judged], y[judged], compared.part_of[judged])
    mean[~judged] = np.nan
    return Selection(recipe, calibrator, mean, tuple(candidates))


def _forests(compared: "_Comparison") -> list[_Tried]:
    """Trees of every kind that suits so many leads; the best kind again with interactions, where some pay."""
    kinds = [kind for kind in TREES if kind == "careful" or len(compared.y) >= SMALL // 2]
    forests = [compared.forest(kind, ()) for kind in kinds]
    best = min(forests, key=lambda one: compared.loss(one.log_odds))
    if keys := compared.keys(best.log_odds):
        forests.append(compared.forest(best.kind, keys))
    return forests


def _blended(compared: "_Comparison", card: list[Floats], trees: list[Floats]) -> tuple[float, list[Floats]]:
    """The scorecard's weight in the best blend, and the blend's log odds; the scorecard alone where it is as good."""
    mixed = [(weight, [blend(weight, a, b) for a, b in zip(card, trees, strict=True)]) for weight in WEIGHTS]
    weight, won = min(mixed, key=lambda one: compared.loss(one[1]))
    return mixed[-1] if compared.as_good(mixed[-1][1], won) else (weight, won)


def _sample(examples: Examples, seed: int) -> Ints:
    """The rows that take part: the newest, where there is time, else as many of each outcome as their share."""
    y = examples.y
    if len(y) <= MOST_ROWS:
        return np.arange(len(y))
    if examples.moment is not None:
        return np.sort(examples.by_time()[-MOST_ROWS:])
    rng = np.random.default_rng(seed)
    few = np.flatnonzero(y == (1.0 if y.mean() < 0.5 else 0.0))
    many = np.setdiff1d(np.arange(len(y)), few, assume_unique=True)
    few = rng.permutation(few)[: max(1, round(MOST_ROWS * len(few) / len(y)))]
    return np.sort(np.concatenate([few, rng.permutation(many)[: MOST_ROWS - len(few)]]))


@dataclass
class _Comparison:
    """The n leads and folds every candidate is judged on. Predictions are a list: log odds of shape (n,) per round of
    folds, NaN where not judged."""

    reader: FeatureReader
    table: FeatureTable
    examples: Examples
    rounds: list[list[Fold]]
    parts: Ints  # shape (n,): 0–4, for cross-fitting
    forward: bool  # the folds go forward in time

    def __post_init__(self) -> None:
        self.y = self.examples.y
        self.part_of = np.full(len(self.y), -1, dtype=np.int64)
        for i, (_, judged) in enumerate(self.rounds[0]):
            self.part_of[judged] = i

    def scorecards(self, penalty: float) -> list[Floats]:
        """Out-of-fold log odds of a scorecard with this penalty."""
        made = []
        for folds in self.rounds:
            one = np.full(len(self.y), np.nan)
            for rows, judged in folds:
                card = fit_scorecard(self.reader, self.table.take(rows), self.y[rows], penalty)
                one[judged] = card.points_of(self.table.take(judged))
            made.append(one)
        return made

    def forest(self, kind: str, keys: tuple[Key, ...]) -> _Tried:
        """Boosted trees at the number of rounds that did best."""
        most = min(ROUNDS[kind], max(60, len(self.y) // 20))
        stops = [n for n in (10, 20, 35, 50, 75, 100, 150, 200) if n <= most]
        kept = [[np.full(len(self.y), np.nan) for _ in self.rounds] for _ in stops]
        for again, folds in enumerate(self.rounds):
            for rows, judged in folds:
                encoding, encoded = learn_encoding(keys, self.table.take(rows), self.y[rows], self.parts[rows])
                settings = TreeSettings(kind, most, again)
                forest = fit_forest(self.reader, self.table.take(rows), encoded, self.y[rows], settings)
                unseen = self.table.take(judged)
                for n, log_odds in enumerate(forest.stages(unseen, encoding.apply(unseen)), 1):
                    if n in stops:
                        kept[stops.index(n)][again][judged] = log_odds
        best = min(range(len(stops)), key=lambda i: self.loss(kept[i]))
        return _Tried(kept[best], stops[best], kind, keys)

    def together(self, predictions: list[Floats]) -> tuple[Floats, Bools]:
        """The mean over the rounds, and which leads were judged."""
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
            learned = fit_recipe(recipe, self.reader, self.table.take(rows), Examples(self.y[rows]), self.parts[rows])
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

    def candidate(self, name: str, predictions: list[Floats]) -> ModelCandidate:
        """A name with its log loss and AUC."""
        mean, judged = self.together(predictions)
        return ModelCandidate(name, round(self.loss(predictions), 5), round(auc(self.y[judged], mean[judged]), 4))

    def keys(self, predictions: list[Floats]) -> tuple[Key, ...]:
        """Interactions that tell what these predictions missed."""
        mean, judged = self.together(predictions)
        rows = np.flatnonzero(judged)
        table, fold = self.table.take(rows), (self.part_of if self.forward else self.parts)[rows]
        found = interactions.find_interactions(
            self.reader, table, self.y[rows] - sigmoid(mean[rows]), fold, self.forward
        )
        return interactions.interaction_keys(self.reader, self.table, found)
