"""How likely does an account open an opportunity soon? A small model of its people, their roles and engagement."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import polars as pl

from nurture.learning.accounts.features import PARTS
from nurture.learning.accounts.reason_text import account_sentence, facts_of
from nurture.learning.estimators.calibration import Calibrator
from nurture.learning.estimators.log_odds import sigmoid
from nurture.learning.metrics import Floats


class RankingWithin(TypedDict):
    """How well accounts of one point in time were told apart."""

    auc: float
    auc_error: float  # one standard error


class AccountModelCard(TypedDict):
    """What is known of how an account model came to be; plain data, kept with it."""

    rows: int  # accounts at points in time
    opened: int  # opportunities among them
    accounts: int
    moments: int  # points in time
    kept: float  # share of the quiet accounts that were learned from
    penalty: float  # C of the logistic regression
    judged: str
    within: RankingWithin
    figures: dict[str, float]


class SavedCalibrator(TypedDict):
    """A calibrator as JSON."""

    kind: str
    xs: list[float] | None
    ys: list[float] | None


class SavedAccountModel(TypedDict):
    """An account model as JSON; see `AccountModel`."""

    names: list[str]
    needed: list[str]
    means: list[float]
    spreads: list[float]
    weights: list[float]
    usual: float
    rarer: float
    horizon: int
    calibration: SavedCalibrator
    card: AccountModelCard


@dataclass(frozen=True)
class NoAccountModel:
    """Nothing was learned; `reason` is one sentence for people. The rules stay in charge."""

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
    card: AccountModelCard

    @property
    def version(self) -> str:
        """A name that says the same model again: a digest of its numbers."""
        body = {key: value for key, value in self.as_body().items() if key != "card"}
        return "accounts-" + hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]

    def parts(self, frame: pl.DataFrame) -> Floats:
        """Each feature's share of each account's log odds, an average account having none: shape (rows, names)."""
        raw = np.column_stack([frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in self.names])
        centred = (raw - np.array(self.means)) / np.array(self.spreads)
        return np.asarray(np.nan_to_num(centred, nan=0.0) * np.array(self.weights))  # unknown: as the average

    def chances(self, frame: pl.DataFrame) -> Floats:
        """The probability, 0–1, that each account opens an opportunity within the horizon, shape (rows,)."""
        p = self.calibrator(self.usual + self.parts(frame).sum(axis=1))
        return sigmoid(np.log(p / (1 - p)) + self.rarer)

    def reasons(self, frame: pl.DataFrame) -> list[str]:
        """A sentence per account: its chance, what speaks for it and what against, weightiest first."""
        told = []
        every = zip(facts_of(frame, self.needed), self.parts(frame), self.chances(frame), strict=True)
        for facts, shares, chance in every:
            weight: dict[str, float] = {}
            for name, size in zip(self.names, shares, strict=True):
                part = PARTS.get(name, "group")
                weight[part] = weight.get(part, 0.0) + float(size)
            told.append(account_sentence(float(chance), self.horizon, weight, facts, len(self.needed)))
        return told

    def as_body(self) -> SavedAccountModel:
        """The model as JSON; `read` makes the same model of it."""
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
        """The model that `as_body` wrote down."""
        line = body["calibration"]
        xs, ys = (None if line[one] is None else np.array(line[one], dtype=float) for one in ("xs", "ys"))
        lists = {name: tuple(body[name]) for name in ("names", "needed", "means", "spreads", "weights")}
        rest = {name: body[name] for name in ("usual", "rarer", "horizon", "card")}
        return cls(**lists, **rest, calibrator=Calibrator(line["kind"], xs, ys))  # type: ignore[arg-type]


def _plain(values: Floats | None) -> list[float] | None:
    return None if values is None else [float(one) for one in values]
