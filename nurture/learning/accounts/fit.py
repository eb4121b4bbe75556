"""Learns the account model from accounts as they were, or says in one sentence why the rules stay in charge."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression

from nurture.learning.accounts.features import PARTS, AccountsThen
from nurture.learning.accounts.model import AccountModel, AccountModelCard, NoAccountModel
from nurture.learning.estimators.calibration import choose_calibrator
from nurture.learning.estimators.folds import Fold, forward_folds, shuffled_folds
from nurture.learning.estimators.forest import few_threads
from nurture.learning.estimators.log_odds import sigmoid
from nurture.learning.metrics import Bools, Floats, Ints, auc_within, figures, losses

LEAST = 40  # opportunities opened, before anything is learned
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0)
FOLDS = 5
CONSTANT = 1e-9  # a standard deviation below which a column says nothing


class _Line(NamedTuple):
    """A logistic regression over standardised columns."""

    means: Floats
    spreads: Floats
    weights: Floats
    usual: float

    def log_odds(self, raw: Floats) -> Floats:
        """Log odds of each row, shape (rows,); what is unknown counts as the average."""
        centred = np.nan_to_num((raw - self.means) / self.spreads, nan=0.0)
        return np.asarray(self.usual + centred @ self.weights)


class _OutOfFold(NamedTuple):
    """Log odds of every account by a line that had not seen it: NaN, and part −1, where no fold judged it."""

    log_odds: Floats
    part: Ints
    penalty: float
    forward: bool  # judged by earlier points in time

    @property
    def seen(self) -> Bools:
        return self.part >= 0


def learn_account_model(
    then: AccountsThen, needed: Sequence[str], horizon: int, seed: int = 0
) -> AccountModel | NoAccountModel:
    """Learn from accounts as they were who opens an opportunity within `horizon` days; `needed`: roles a deal needs.

    Judged on later points in time by what was learned from earlier ones; where these are too few, on other accounts.
    """
    if why := _too_few(then.y, horizon):
        return NoAccountModel(why)
    names = tuple(name for name in (*PARTS, *(f"role_{role}" for role in needed)) if _varies(then.frame, name))
    raw = np.column_stack([then.frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in names])
    accounts = np.unique(then.frame["account_id"].to_numpy(), return_inverse=True)[1]
    tried = _try_penalties(raw, then, accounts, seed)
    seen = tried.seen
    blocks = [np.flatnonzero(seen & (then.moment == at)) for at in np.unique(then.moment[seen])]
    ranks, error = auc_within(then.y, tried.log_odds, blocks)
    if ranks - 2 * error <= 0.5:
        return NoAccountModel(
            f"The rules stay in charge of accounts: on accounts it had not seen, what was learned told those that open "
            f"an opportunity from the others no better than chance (AUC {ranks:.2f} ± {2 * error:.2f})."
        )
    calibrator = choose_calibrator(tried.log_odds[seen], then.y[seen], tried.part[seen])
    card: AccountModelCard = {
        "rows": len(then.y),
        "opened": int(then.y.sum()),
        "accounts": int(accounts.max()) + 1,
        "moments": len(np.unique(then.moment)),
        "kept": then.kept,
        "penalty": tried.penalty,
        "judged": "on later moments" if tried.forward else "on other accounts",
        "within": {"auc": round(ranks, 4), "auc_error": round(error, 4)},
        "figures": figures(then.y[seen], calibrator(tried.log_odds[seen])).as_dict(),
    }
    line = _fit(raw, then.y, tried.penalty)
    means, spreads, weights = (tuple(one.tolist()) for one in line[:3])
    rarer = float(np.log(then.kept))
    return AccountModel(names, tuple(needed), means, spreads, weights, line.usual, rarer, horizon, calibrator, card)


def headline(model: AccountModel) -> str:
    """What was learned, in a sentence."""
    card = model.card
    return (
        f"The chance of an account is learned from {card['opened']:,} opportunities opened within {model.horizon} "
        f"days, in {card['rows']:,} looks at {card['accounts']:,} accounts; {card['judged']} it told them apart "
        f"with AUC {card['within']['auc']:.2f} ± {2 * card['within']['auc_error']:.2f}."
    )


def _too_few(y: Floats, horizon: int) -> str:
    """Why nothing can be learned from so few, in a sentence; empty where there are enough."""
    opened, quiet = int(y.sum()), int(len(y) - y.sum())
    if min(opened, quiet) >= LEAST:
        return ""
    what = f"{opened:,} opened an opportunity" if opened < LEAST else f"{quiet:,} did not open an opportunity"
    return (
        f"The rules stay in charge of accounts: of {len(y):,} looks at an account, {what} within {horizon} days, "
        f"and {LEAST} are the least to learn from."
    )


def _try_penalties(raw: Floats, then: AccountsThen, accounts: Ints, seed: int) -> _OutOfFold:
    """Out-of-fold log odds with the penalty whose log loss is lowest."""
    folds = forward_folds(then.y, then.moment.astype(float))
    forward = bool(folds)
    if not folds:
        fold = shuffled_folds(then.y, accounts, FOLDS, seed)
        folds = [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(FOLDS)]
    part = np.full(len(then.y), -1)
    for i, (_, judged) in enumerate(folds):
        part[judged] = i
    with few_threads(len(then.y)):
        tried = {penalty: _out_of_fold(raw, then.y, folds, penalty) for penalty in PENALTIES}
    seen = part >= 0
    best = min(PENALTIES, key=lambda one: float(losses(then.y[seen], sigmoid(tried[one][seen])).mean()))
    return _OutOfFold(tried[best], part, best, forward)


def _out_of_fold(raw: Floats, y: Floats, folds: Sequence[Fold], penalty: float) -> Floats:
    made = np.full(len(y), np.nan)
    for rows, judged in folds:
        made[judged] = _fit(raw[rows], y[rows], penalty).log_odds(raw[judged])
    return made


def _fit(raw: Floats, y: Floats, penalty: float) -> _Line:
    means = np.nan_to_num(np.nanmean(raw, axis=0)) if len(raw) else np.zeros(raw.shape[1])
    spreads = np.nan_to_num(np.nanstd(raw, axis=0))
    spreads = np.where(spreads < CONSTANT, 1.0, spreads)
    fitted = LogisticRegression(C=penalty, solver="newton-cholesky").fit(
        np.nan_to_num((raw - means) / spreads, nan=0.0), y
    )
    return _Line(means, spreads, fitted.coef_[0], float(fitted.intercept_[0]))


def _varies(frame: pl.DataFrame, name: str) -> bool:
    """Does a column say anything at all?"""
    column = frame[name].drop_nulls()
    return column.len() > 0 and column.n_unique() > 1
