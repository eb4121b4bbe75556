"""Learn from a table of leads and their outcomes; or say in one sentence why the rules stay in charge."""

import time as clock
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from nurture.learning.features.columns import CROSSFITS, Key, Reader, Table, make_key, plan
from nurture.learning.features.leaks import Finding, find_leaks
from nurture.learning.fit import model_selection
from nurture.learning.fit.calibration import Calibrator
from nurture.learning.fit.estimators import Recipe, follow
from nurture.learning.fit.folds import shuffled_folds, snapshots
from nurture.learning.fit.scorer import Scorer
from nurture.learning.judge import drift
from nurture.learning.judge.metrics import Figures, Floats, Ints, auc, auc_within, figures
from nurture.learning.judge.partial_effects import outline, typical_of
from nurture.learning.training_data.labels import Outcome, read_outcome
from nurture.learning.training_data.schema import EPOCH, FEW, UNIQUE, Column, Kind, describe, read_days, read_numbers

LEAST = 20  # leads of each outcome, below which nothing is learned
LEAST_APART = 60  # of each, below which none are kept apart and out-of-fold scores are reported
APART = 0.2  # share of the leads kept apart: the newest, where there is time
AGAIN = 10_000  # leads up to which the contest is held once more with those kept apart
REFITS = 4  # while the newest leads are judged
SEASONS = 12  # within which the newest leads are ranked when it is asked whether the model is better than chance
SHOWN = 4_000  # leads the importance of columns is measured on


class NotATime(ValueError):
    """The column given as time cannot be put in order. Name another, or leave it out."""


@dataclass(frozen=True)
class RulesStay:
    """Nothing was learned. `reason` is one sentence for people; the rules stay in charge."""

    reason: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Habits:
    """What is known of columns that we made ourselves: which are one reason, and which are compared with nothing at all
    instead of a typical lead, so that without its reason a lead is one that never did it."""

    together: Mapping[str, str]  # raw column → family
    zero: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Trial:
    """How the recipe did on leads it had not seen: what the report shows, and what a champion is compared on."""

    y: Floats
    p: Floats
    moment: Floats | None  # days since 2000-01-01
    rules: Floats | None  # the score the customer already had
    rows: Ints  # which rows of the frame given to train()
    apart: bool  # kept apart (otherwise out-of-fold)
    trained: Floats  # the scores of the leads learned from, out-of-fold where there are such


@dataclass(frozen=True)
class TrainedScorer:
    """A scorer and everything known about how it came to be."""

    scorer: Scorer
    trial: Trial
    figures: Figures
    findings: tuple[Finding, ...]
    unused: tuple[Column, ...]  # columns nothing can be learned from, each with its reason
    entries: tuple[model_selection.Entry, ...]
    seconds: dict[str, float] = field(default_factory=dict)


def train(
    frame: pl.DataFrame,
    label: str,
    *,
    time: str | None = None,
    group: str | None = None,
    ignore: Sequence[str] = (),
    keep: Sequence[str] = (),
    positive: str | None = None,
    negative: Sequence[str] = (),
    rules: str | None = None,
    habits: Habits | None = None,
    seed: int = 0,
) -> TrainedScorer | RulesStay:
    """Learn to tell the buyers from the others.

    `frame` has a row per lead as it was when it came in, in any types; `label` says what became of it (rows without
    an outcome are left out, not counted as lost). `time` is when the row was true: then the newest leads judge, and
    nothing is chosen by looking at them. Rows with one value of `group` (a person, an account) are never split.
    `ignore` is left out; `keep` stays though it looks like a leak; `rules` is an older score, only compared with.
    `habits` say which columns are one reason, where that is known beforehand.

    Raises NotAnOutcome for a label that does not say two things, NotATime for a time that cannot be put in order,
    KeyError for a column that is not there.
    """
    started = clock.perf_counter()
    for name in (label, *filter(None, (time, group, rules))):
        if name not in frame.columns:
            raise KeyError(name)
    outcome = read_outcome(frame[label], positive, negative)
    rows = _usable(frame, outcome)
    sample, y = frame[rows], outcome.y[rows]
    if stay := _too_few(outcome, y):
        return stay
    columns = describe(sample, skip={label, *ignore, *filter(None, (group, rules))})
    columns, moment = _with_time(sample, columns, time)
    groups = (
        None
        if group is None
        else np.unique(sample[group].cast(pl.String).fill_null("").to_numpy().astype(str), return_inverse=True)[1]
    )
    learn, apart = _split(y, moment, groups, seed)
    findings = tuple(
        find_leaks(
            sample[learn],
            columns,
            y[learn],
            moment=None if moment is None else moment[learn],
            time=time,
            keep=keep,
            groups=None if groups is None else groups[learn],
            seed=seed,
        )
    )
    out = {one.column for one in findings if one.left_out}
    used = [one for one in columns if one.kind != Kind.NOTHING and one.name not in out]
    if not [one for one in used if one.name != time]:
        return RulesStay(
            "The rules stay in charge: no column is left that was known before the outcome and says anything.", findings
        )
    few = None if groups is None else groups[learn]
    dated = next((one.name for one in used if one.name == time and one.kind == Kind.DATE), None)
    reader = plan(sample[learn], used, dated)
    table = reader.read(sample[learn])
    verdict = model_selection.hold(reader, table, y[learn], None if moment is None else moment[learn], few, seed)
    chosen = clock.perf_counter()
    if len(apart):
        judged, p, weight = _judge(verdict, reader, sample, y, learn, apart, moment, groups, seed)
    else:
        seen = ~np.isnan(verdict.log_odds)
        judged, p, weight = learn[seen], verdict.calibrator(verdict.log_odds[seen]), None
    told = figures(y[judged], p)
    ranks, error = told.auc, told.auc_error
    if moment is not None:
        ranks, error = auc_within(y[judged], p, np.array_split(np.argsort(moment[judged], kind="stable"), SEASONS))
    if ranks - 2 * error <= 0.5:
        return RulesStay(
            f"The rules stay in charge: on leads it had not seen, the best model told buyers from others no better "
            f"than chance (AUC {ranks:.2f} ± {2 * error:.2f}).",
            findings,
        )
    if len(apart) and len(y) <= AGAIN:  # few leads: the newest may choose, too, now that they have judged
        reader = plan(sample, used, dated)
        verdict = model_selection.hold(reader, reader.read(sample), y, moment, groups, seed)
    scorer = refit(
        verdict.recipe, reader, verdict.calibrator, sample, y, moment=moment, groups=groups, seed=seed, habits=habits
    )
    seen = ~np.isnan(verdict.log_odds)
    trial = Trial(
        y[judged],
        p,
        None if moment is None else moment[judged],
        _older(sample, rules, judged),
        rows[judged],
        bool(len(apart)),
        verdict.calibrator(verdict.log_odds[seen]),
    )
    card = {
        "label": label,
        "positive": outcome.positive,
        "negative": outcome.negative,
        "time": time,
        "group": group,
        "rows": len(y),
        "positives": int(y.sum()),
        "rows_given": frame.height,
        "data_cut": _cut(sample, columns, time),
        "learner": verdict.recipe.name,
        "calibration": verdict.calibrator.kind,
        "columns": [one.name for one in used],
        "figures": told.as_dict(),
        "within": {"auc": round(ranks, 5), "auc_error": round(error, 5)},
        "kept_apart": bool(len(apart)),
        "findings": [one.as_dict() for one in findings],
        "unused": [one.as_dict() for one in columns if one.kind == Kind.NOTHING],
        "entries": [asdict(one) for one in verdict.entries],
        "importance": weight or importance(scorer, sample, y, seed),
        "seed": seed,
    }
    scorer = replace(scorer, card=card)
    scorer = replace(scorer, card={**card, "baseline": drift.baseline(scorer, sample, trial.trained)})
    ended = clock.perf_counter()
    return TrainedScorer(
        scorer,
        trial,
        told,
        findings,
        tuple(one for one in columns if one.kind == Kind.NOTHING),
        verdict.entries,
        {"contest": round(chosen - started, 2), "all": round(ended - started, 2)},
    )


def _judge(
    verdict: model_selection.Verdict,
    reader: Reader,
    sample: pl.DataFrame,
    y: Floats,
    learn: Ints,
    apart: Ints,
    moment: Floats | None,
    groups: Ints | None,
    seed: int,
) -> tuple[Ints, Floats, dict[str, float]]:
    """The leads kept apart, their scores, and what the score looks at there.

    In order of time the model is refitted on the way, as it will be in service: the recipe stays, its leads move on.
    """
    steps = REFITS if moment is not None else 1
    order = apart if moment is None else apart[np.argsort(moment[apart], kind="stable")]
    scores: list[Floats] = []
    weight: dict[str, float] = {}
    known = learn
    at = None if moment is None else snapshots(moment[apart])
    blocks = np.array_split(order, steps) if at is None or moment is None else [order[moment[order] == t] for t in at]
    for block in blocks:
        then = None if moment is None else moment[known]
        few = None if groups is None else groups[known]
        scorer = refit(
            verdict.recipe, reader, verdict.calibrator, sample[known], y[known], moment=then, groups=few, seed=seed
        )
        scores.append(scorer.score(sample[block]))
        weight = weight or importance(scorer, sample[apart], y[apart], seed)
        known = np.concatenate([known, block])
    return order, np.concatenate(scores), weight


def refit(
    recipe: Recipe,
    old: Reader,
    calibrator: Calibrator,
    frame: pl.DataFrame,
    y: Floats,
    *,
    moment: Floats | None = None,
    groups: Ints | None = None,
    seed: int = 0,
    habits: Habits | None = None,
) -> Scorer:
    """Follow a recipe on other leads with the same columns, without a contest; `old` is the reader it came with."""
    reader = plan(frame, old.columns, old.time)
    table = reader.read(frame)
    recipe = again(recipe, old, reader, table)
    learned = follow(recipe, reader, table, y, shuffled_folds(y, groups, CROSSFITS, seed), moment)
    zero = [] if habits is None else [j for j, one in enumerate(reader.numbers) if one.owner in habits.zero]
    typical, together = typical_of(table, zero), None if habits is None else habits.together
    return Scorer(learned, calibrator, typical, outline(learned, typical, table, seed, together))


def again(recipe: Recipe, old: Reader, new: Reader, table: Table) -> Recipe:
    """The recipe for another reading of the same columns: its crossed features find their fields by name."""
    keys = (_same_key(key, old, new, table) for key in recipe.keys)
    return replace(recipe, keys=tuple(key for key in keys if key is not None))


def _same_key(key: Key, old: Reader, new: Reader, table: Table) -> Key | None:
    """The key over the same fields of another reader, if it has them."""
    parts = []
    for kind, i in key.parts:
        name = (old.numbers[i] if kind == "number" else old.levels[i]).name
        there = [one.name for one in (new.numbers if kind == "number" else new.levels)]
        place = there.index(name) if name in there else None
        if place is None:
            return None
        parts.append((kind, place))
    return make_key(new, table, parts)


def importance(scorer: Scorer, frame: pl.DataFrame, y: Floats, seed: int = 0) -> dict[str, float]:
    """On leads the scorer has not seen, if possible: per raw column the AUC lost when its values are dealt at random.

    The weightiest comes first.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(frame.height)[:SHOWN]
    table, few = scorer.reader.read(frame[rows]), y[rows]
    base, lost = auc(few, scorer.learned.log_odds(table)), {}
    for owner in scorer.reader.owners:
        dealt = table.take(rng.permutation(len(table)))
        numbers, levels = scorer.reader.fields_of(owner)
        mixed = Table(table.numbers.copy(), table.levels.copy())
        mixed.numbers[:, numbers], mixed.levels[:, levels] = dealt.numbers[:, numbers], dealt.levels[:, levels]
        lost[owner] = round(max(base - auc(few, scorer.learned.log_odds(mixed)), 0.0), 5)
    return dict(sorted(lost.items(), key=lambda one: -one[1]))


def _usable(frame: pl.DataFrame, outcome: Outcome) -> Ints:
    """Rows with an outcome, in the file's order; the same lead written twice counts once.

    Where leads have no name and many look alike, equal rows are different leads, and all of them count.
    """
    first = frame.select(pl.struct(pl.all()).is_first_distinct()).to_series().to_numpy()
    return np.flatnonzero(outcome.known & (first if _copied(frame, first) else True))


def _copied(frame: pl.DataFrame, first: npt.NDArray[np.bool_]) -> bool:
    """Are equal rows copies? Yes if a column names the leads; or if hardly any rows are equal but for one column."""
    distinct, variety = frame.filter(first), {name: frame[name].n_unique() for name in frame.columns}
    richest = max(variety, key=lambda name: variety[name])
    if variety[richest] >= max(FEW, UNIQUE * distinct.height):
        return True
    nearly = frame.height - frame.drop(richest).n_unique() if frame.width > 1 else 0
    return bool(first.mean() >= 0.3 and (~first).sum() >= nearly / 2)


def _too_few(outcome: Outcome, y: Floats) -> RulesStay | None:
    bought, lost = int(y.sum()), int(len(y) - y.sum())
    if min(bought, lost) >= LEAST:
        return None
    what, n = ("bought", bought) if bought < lost or not lost else ("did not buy", lost)
    count = {0: "no lead", 1: "only 1 lead"}.get(n, f"only {n} leads")
    return RulesStay(
        f"The rules stay in charge: {count} of {len(y):,} {what}, and {LEAST} are the least to learn anything from."
    )


def _with_time(sample: pl.DataFrame, columns: list[Column], time: str | None) -> tuple[list[Column], Floats | None]:
    """The columns, and a number per lead that grows with time; a gap counts as the oldest. Raises NotATime."""
    if time is None:
        return columns, None
    column = next((one for one in columns if one.name == time), Column(time, Kind.NOTHING))
    days = read_days(sample[time], column) if column.kind == Kind.DATE else read_numbers(sample[time], column)
    if np.isnan(days).mean() > 0.5:
        raise NotATime(
            f'The column "{time}" was given as the time, but most of it reads neither as dates nor as numbers.'
        )
    if column.kind != Kind.DATE:  # a number that only says the order
        column = Column(time, Kind.NUMBER, column.form)
    return [column if one.name == time else one for one in columns], np.where(np.isnan(days), np.nanmin(days), days)


def _split(y: Floats, moment: Floats | None, groups: Ints | None, seed: int) -> tuple[Ints, Ints]:
    """Rows to learn from, and rows kept apart until the end: the newest fifth, or a random one."""
    everyone = np.arange(len(y))
    if min(y.sum(), (1 - y).sum()) < LEAST_APART:
        return everyone, everyone[:0]
    if moment is not None:
        border = np.quantile(moment, 1 - APART)
        apart = moment > border if np.mean(moment > border) >= APART / 2 else moment >= border
        if min(y[apart].sum(), (1 - y[apart]).sum()) >= 10 and min(y[~apart].sum(), (1 - y[~apart]).sum()) >= LEAST:
            return np.flatnonzero(~apart), np.flatnonzero(apart)
    fold = shuffled_folds(y, groups, round(1 / APART), seed + 5)
    return np.flatnonzero(fold != 0), np.flatnonzero(fold == 0)


def _older(sample: pl.DataFrame, rules: str | None, judged: Ints) -> Floats | None:
    """The older score of the judged leads; unknown counts as the lowest."""
    if rules is None:
        return None
    score = read_numbers(sample[rules], Column(rules, Kind.NUMBER, "plain"))[judged]
    return None if np.isnan(score).all() else np.where(np.isnan(score), np.nanmin(score) - 1, score)


def _cut(sample: pl.DataFrame, columns: Sequence[Column], time: str | None) -> str | None:
    """The newest day the model has learned from, as far as there is a time column."""
    column = next((one for one in columns if one.name == time and one.kind == Kind.DATE), None)
    if column is None:
        return None
    return str(EPOCH + np.timedelta64(int(np.nanmax(read_days(sample[column.name], column))), "D"))
