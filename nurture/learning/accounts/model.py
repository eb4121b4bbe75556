"""How likely does an account open an opportunity soon? A small model of its people, their roles and engagement."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression

from nurture.learning.fit.calibration import Calibrator, choose_calibrator
from nurture.learning.fit.estimators import few_threads, sigmoid
from nurture.learning.fit.folds import forward_folds, shuffled_folds
from nurture.learning.judge.metrics import Figures, Floats, Ints, auc_within, figures, losses

LEAST = 40  # opportunities opened, before anything is learned
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0)
FOLDS = 5
NEVER = 365.0  # days of silence from which on they are all the same
SAID = 0.15  # log odds from which on a part is worth a word
KEPT = 1e-9

Group = str
PARTS: dict[str, Group] = {  # feature → the part of the reason it belongs to
    "people": "group", "completeness": "group", "active": "did", "times_30": "did", "times_90": "did",
    "strong_90": "did", "silent": "did", "employees": "company", "lost": "past",
}  # fmt: skip


def features(
    members: Sequence[Mapping[str, Any]], traits: Sequence[Mapping[str, Any]], needed: Sequence[str], now: datetime
) -> pl.DataFrame:
    """A row per account of `traits`, in their order: account_id, what the model reads, and the plain counts it words.

    `members`, `traits`: rows of models.account_history. Nothing later than `now` may be in them.
    """
    people = pl.DataFrame(
        [
            (m["account_id"], m["title_role"], m["role_confidence"] or 0.0, int(m["times_30"]), int(m["times_90"]),
             int(m["strong_90"]), None if m["last_at"] is None else (now - m["last_at"]).total_seconds() / 86_400)
            for m in members
        ],
        schema={"account_id": pl.Int64, "role": pl.String, "sure": pl.Float64, "t30": pl.Int64, "t90": pl.Int64,
                "s90": pl.Int64, "days": pl.Float64},
        orient="row",
    )  # fmt: skip
    held = [pl.col("sure").filter(pl.col("role") == role).max().fill_null(0.0).alias(f"role_{role}") for role in needed]
    grouped = people.group_by("account_id").agg(
        pl.len().alias("n_people"),
        (pl.col("t30") > 0).sum().alias("n_active"),
        pl.col("t30").sum().alias("n_30"),
        pl.col("t90").sum().alias("n_90"),
        pl.col("s90").sum().alias("n_strong"),
        pl.col("days").min().alias("days"),
        *held,
    )
    accounts = pl.DataFrame(
        [(t["account_id"], t["employees"], int(t["lost"])) for t in traits],
        schema={"account_id": pl.Int64, "n_employees": pl.Int64, "n_lost": pl.Int64},
        orient="row",
    )
    whole = accounts.join(grouped, on="account_id", how="left", maintain_order="left").with_columns(
        pl.col("n_people", "n_active", "n_30", "n_90", "n_strong", *(f"role_{role}" for role in needed)).fill_null(0)
    )
    return whole.with_columns(
        people=pl.col("n_people").cast(pl.Float64).log1p(),
        completeness=pl.mean_horizontal([f"role_{role}" for role in needed]),
        active=pl.col("n_active").cast(pl.Float64).log1p(),
        times_30=pl.col("n_30").cast(pl.Float64).log1p(),
        times_90=pl.col("n_90").cast(pl.Float64).log1p(),
        strong_90=pl.col("n_strong").cast(pl.Float64).log1p(),
        silent=pl.col("days").fill_null(NEVER).clip(0.0, NEVER).log1p(),
        employees=pl.col("n_employees").cast(pl.Float64).log1p(),
        lost=(pl.col("n_lost") > 0).cast(pl.Float64),
    )


@dataclass(frozen=True)
class RulesStay:
    """Nothing was learned; `reason` is one sentence for people."""

    reason: str


@dataclass(frozen=True)
class AccountModel:
    """Plain numbers, kept as JSON. `names`, `means`, `spreads`, `weights` belong together; `usual` is the log odds of
    an average account; `rarer` the log of the share of quiet accounts that were learned from."""

    names: tuple[str, ...]
    needed: tuple[str, ...]
    means: tuple[float, ...]
    spreads: tuple[float, ...]
    weights: tuple[float, ...]
    usual: float
    rarer: float
    horizon: int  # days
    calibrator: Calibrator
    card: dict[str, Any]

    @property
    def version(self) -> str:
        body = {key: value for key, value in self.as_body().items() if key != "card"}
        return "accounts-" + hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]

    def parts(self, frame: pl.DataFrame) -> Floats:
        """Each feature's share of each account's log odds, an average account having none: rows × names."""
        raw = np.column_stack([frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in self.names])
        centred = (raw - np.array(self.means)) / np.array(self.spreads)
        return np.asarray(np.nan_to_num(centred, nan=0.0) * np.array(self.weights))  # unknown: as the average

    def chances(self, frame: pl.DataFrame) -> Floats:
        """The probability, 0–1, that each account opens an opportunity within the horizon."""
        p = self.calibrator(self.usual + self.parts(frame).sum(axis=1))
        return sigmoid(np.log(p / (1 - p)) + self.rarer)

    def reasons(self, frame: pl.DataFrame) -> list[str]:
        """A sentence per account: its chance, what speaks for it and what against, weightiest first."""
        parts, chances = self.parts(frame), self.chances(frame)
        told = []
        for row, part, chance in zip(frame.iter_rows(named=True), parts, chances, strict=True):
            weight: dict[Group, float] = {}
            for name, size in zip(self.names, part, strict=True):
                group = PARTS.get(name, "group")
                weight[group] = weight.get(group, 0.0) + float(size)
            told.append(_sentence(float(chance), self.horizon, weight, row, self.needed))
        return told

    def as_body(self) -> dict[str, Any]:
        line = self.calibrator
        return {
            "names": list(self.names),
            "needed": list(self.needed),
            "means": list(self.means),
            "spreads": list(self.spreads),
            "weights": list(self.weights),
            "usual": self.usual,
            "rarer": self.rarer,
            "horizon": self.horizon,
            "calibration": {"kind": line.kind, "xs": _plain(line.xs), "ys": _plain(line.ys)},
            "card": self.card,
        }

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "AccountModel":
        line = body["calibration"]
        xs, ys = (None if line[one] is None else np.array(line[one], dtype=float) for one in ("xs", "ys"))
        lists = {name: tuple(body[name]) for name in ("names", "needed", "means", "spreads", "weights")}
        rest = {name: body[name] for name in ("usual", "rarer", "horizon", "card")}
        return cls(**lists, **rest, calibrator=Calibrator(line["kind"], xs, ys))  # type: ignore[arg-type]


def learn(
    frame: pl.DataFrame,
    y: Floats,
    moment: Ints,
    needed: Sequence[str],
    horizon: int,
    kept: float = 1.0,
    seed: int = 0,
) -> AccountModel | RulesStay:
    """Learn from accounts as they were: rows of `features`, `y` (1: opened an opportunity within `horizon` days) and
    `moment`, the number of the moment each row was true at; all rows of one moment stand side by side in time.

    `kept`: the share of the quiet accounts that are in the frame at all. Judged on later moments by what was learned
    from earlier ones; where these are too few, on other accounts.
    """
    opened, quiet = int(y.sum()), int(len(y) - y.sum())
    if min(opened, quiet) < LEAST:
        what = f"{opened:,} opened an opportunity" if opened < LEAST else f"{quiet:,} did not open an opportunity"
        return RulesStay(
            f"The rules stay in charge of accounts: of {len(y):,} looks at an account, {what} within {horizon} days, "
            f"and {LEAST} are the least to learn from."
        )
    names = tuple(name for name in (*PARTS, *(f"role_{role}" for role in needed)) if _says_something(frame, name))
    raw = np.column_stack([frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in names])
    accounts = np.unique(frame["account_id"].to_numpy(), return_inverse=True)[1]
    folds = forward_folds(y, moment.astype(float))
    forward = bool(folds)
    if not folds:
        fold = shuffled_folds(y, accounts, FOLDS, seed)
        folds = [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(FOLDS)]
    with few_threads(len(y)):
        tried = {penalty: _out_of_fold(raw, y, folds, penalty) for penalty in PENALTIES}
    part = np.full(len(y), -1)
    for i, (_, judged) in enumerate(folds):
        part[judged] = i
    seen = part >= 0
    penalty = min(PENALTIES, key=lambda one: float(losses(y[seen], sigmoid(tried[one][seen])).mean()))
    log_odds = tried[penalty]
    blocks = [np.flatnonzero(seen & (moment == at)) for at in np.unique(moment[seen])]
    ranks, error = auc_within(y, log_odds, blocks)
    if ranks - 2 * error <= 0.5:
        return RulesStay(
            f"The rules stay in charge of accounts: on accounts it had not seen, what was learned told those that open "
            f"an opportunity from the others no better than chance (AUC {ranks:.2f} ± {2 * error:.2f})."
        )
    calibrator = choose_calibrator(log_odds[seen], y[seen], part[seen])
    told: Figures = figures(y[seen], calibrator(log_odds[seen]))
    means, spreads, weights, usual = _fit(raw, y, penalty)
    card = {
        "rows": len(y),
        "opened": opened,
        "accounts": int(accounts.max()) + 1,
        "moments": len(np.unique(moment)),
        "kept": kept,
        "penalty": penalty,
        "judged": "on later moments" if forward else "on other accounts",
        "within": {"auc": round(ranks, 4), "auc_error": round(error, 4)},
        "figures": told.as_dict(),
    }
    return AccountModel(
        names, tuple(needed), means, spreads, weights, usual, float(np.log(kept)), horizon, calibrator, card
    )


def headline(model: AccountModel) -> str:
    """What was learned, in a sentence."""
    card = model.card
    return (
        f"The chance of an account is learned from {card['opened']:,} opportunities opened within {model.horizon} "
        f"days, in {card['rows']:,} looks at {card['accounts']:,} accounts; {card['judged']} it told them apart "
        f"with AUC {card['within']['auc']:.2f} ± {2 * card['within']['auc_error']:.2f}."
    )


def _out_of_fold(raw: Floats, y: Floats, folds: Sequence[tuple[Ints, Ints]], penalty: float) -> Floats:
    made = np.full(len(y), np.nan)
    for rows, judged in folds:
        means, spreads, weights, usual = _fit(raw[rows], y[rows], penalty)
        centred = np.nan_to_num((raw[judged] - np.array(means)) / np.array(spreads), nan=0.0)
        made[judged] = usual + centred @ np.array(weights)
    return made


Fitted = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], float]


def _fit(raw: Floats, y: Floats, penalty: float) -> Fitted:
    means = np.nan_to_num(np.nanmean(raw, axis=0)) if len(raw) else np.zeros(raw.shape[1])
    spreads = np.nan_to_num(np.nanstd(raw, axis=0))
    spreads = np.where(spreads < KEPT, 1.0, spreads)
    fitted = LogisticRegression(C=penalty, solver="newton-cholesky").fit(
        np.nan_to_num((raw - means) / spreads, nan=0.0), y
    )
    lists = (tuple(float(one) for one in some) for some in (means, spreads, fitted.coef_[0]))
    return (*lists, float(fitted.intercept_[0]))  # type: ignore[return-value]


def _says_something(frame: pl.DataFrame, name: str) -> bool:
    column = frame[name].drop_nulls()
    return column.len() > 0 and column.n_unique() > 1


def _plain(values: Floats | None) -> list[float] | None:
    return None if values is None else [float(one) for one in values]


def _sentence(chance: float, horizon: int, weight: Mapping[Group, float], row: Mapping[str, Any], needed: Any) -> str:
    ranked = sorted(weight.items(), key=lambda one: -abs(one[1]))
    good = [_words(group, row, needed) for group, size in ranked if size >= SAID]
    bad = [_words(group, row, needed) for group, size in ranked if size <= -SAID]
    share = f"{chance:.0%}" if chance >= 0.01 else "less than 1%"
    said = f"{share} likely to open an opportunity within {horizon} days"
    if good:
        said += ": " + ", ".join(good)
    return f"{said}; held back by: {', '.join(bad)}" if bad else said


def _words(group: Group, row: Mapping[str, Any], needed: Sequence[str]) -> str:
    match group:
        case "did":
            if not row["n_90"]:
                return "nobody active for 3 months" if row["days"] is not None else "nobody ever active"
            n, times = row["n_active"], row["n_90"]
            who = f"{n} {'person' if n == 1 else 'people'} active this month" if n else "nobody active this month"
            return f"{who} ({times:,} {'activity' if times == 1 else 'activities'} in 3 months)"
        case "group":
            there = [role for role in needed if row[f"role_{role}"] >= 0.5]
            people = f"{row['n_people']} {'person' if row['n_people'] == 1 else 'people'} known"
            return f"{people}, {len(there)} of {len(needed)} needed roles"
        case "company":
            return "a size unknown" if row["n_employees"] is None else f"a company of {row['n_employees']:,} people"
        case _:
            return "an opportunity lost before" if row["n_lost"] else "no opportunity before"
