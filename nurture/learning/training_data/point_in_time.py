"""A lead as it was known at a point in time: who they are, what they did, colleagues, our letters, deals and orders.

Nothing at or after it is looked at, with one exception that cannot be mended here: what a file says *about*
a person or company (title, industry, traits …) has no history, so today's value stands for every point in time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import orjson
import polars as pl

from models.queries import training_history
from models.queries.training_history import NOBODY
from nurture.learning.metrics import Floats, Ints
from nurture.learning.training_data.lead_record import (
    DAY,
    HALF_LIVES,
    ActivitySums,
    LeadRecord,
    add_weights,
    sum_activities,
    until,
)
from nurture.rules.scoring.lead_score import MarketRules

SILENCE, LETTERS, COLLEAGUES = "days since the last activity", "letters", "colleagues"
MAILBOX, TITLE_SAYS = "mailbox", "title says"
WHO = ("role", "persona", "department", "industry", "employees")  # said in one breath: authorizer in a 500-person …
TRAIT = "trait "
PLAIN = ("role", "persona", "department", "seniority", "country", "industry", "tier", "channel")


class SavedPlan(TypedDict):
    """A feature plan on the model's card."""

    market: str
    kinds: list[str]
    traits: list[str]


@dataclass(frozen=True)
class FeaturePlan:
    """Which columns a lead is described by. Fixed in training, kept on the model's card."""

    market: str
    kinds: tuple[str, ...]  # of activities
    traits: tuple[str, ...] = ()  # columns of the customer's own

    def as_dict(self) -> SavedPlan:
        """The plan as JSON."""
        return {"market": self.market, "kinds": list(self.kinds), "traits": list(self.traits)}

    @classmethod
    def from_dict(cls, saved: SavedPlan) -> "FeaturePlan":
        """The plan that `as_dict` wrote down."""
        return cls(saved["market"], tuple(saved["kinds"]), tuple(saved["traits"]))


@dataclass(frozen=True)
class LeadsThen:
    """The n leads of a record as they were known at `t` (seconds since 1970): `frame` has a row each, in its order."""

    record: LeadRecord
    t: int
    plan: FeaturePlan
    market: MarketRules
    sums: ActivitySums
    frame: pl.DataFrame


def leads_at(record: LeadRecord, t: int, plan: FeaturePlan, market: MarketRules) -> LeadsThen:
    """Every lead of the record as it was known at `t`, those included who were none yet (see `known`)."""
    sums = sum_activities(record, t, len(plan.kinds))
    frame = pl.DataFrame(
        {
            **_people(record, plan, market),
            **_engagement(record, t, plan, sums),
            **_ours(record, t),
            **_orders(record, t),
        }
    )
    return LeadsThen(record, t, plan, market, sums, frame)


def _people(record: LeadRecord, plan: FeaturePlan, market: MarketRules) -> dict[str, pl.Series]:
    people = record.people
    said = {name: pl.Series(getattr(people, name), dtype=pl.String) for name in PLAIN}
    said["employees"] = pl.Series(people.employees, dtype=pl.Float64)
    said["language"] = pl.Series([one[:2] for one in people.locale], dtype=pl.String)
    said[MAILBOX] = pl.Series([_mailbox(one, market) for one in people.address], dtype=pl.String)
    said[TITLE_SAYS] = pl.Series([_title(one, market) for one in people.title], dtype=pl.String)
    if plan.traits:
        own = [traits_of(*pair) for pair in zip(people.traits, people.account_traits, strict=True)]
        for name in plan.traits:
            said[TRAIT + name] = pl.Series([one.get(name) for one in own], dtype=pl.String)
    return said


def _mailbox(address: str, market: MarketRules) -> str | None:
    worth = market.domains.get(address.rpartition("@")[2])
    return worth.say if worth else None


def _title(title: str | None, market: MarketRules) -> str | None:
    worth = market.title_words.worth(title)
    return worth[0].say if worth else None


def traits_of(mine: Mapping[str, Any] | str | None, theirs: Mapping[str, Any] | str | None) -> dict[str, str | None]:
    """A lead's own columns as text, and its company's where it has none of that name; what is no single value is None.

    Both are JSON, read already or still as text.
    """
    return {name: _text(value) for one in (theirs, mine) for name, value in _json(one).items()}


def _json(value: Mapping[str, Any] | str | None) -> Mapping[str, Any]:
    read: Mapping[str, Any] = orjson.loads(value) if isinstance(value, str) else value or {}
    return read


def _text(value: object) -> str | None:
    return None if value is None or value == "" or isinstance(value, list | dict) else str(value)


def _engagement(record: LeadRecord, t: int, plan: FeaturePlan, sums: ActivitySums) -> dict[str, Floats]:
    made: dict[str, Floats] = {}
    for i, kind in enumerate(plan.kinds):
        for days, fading in zip(HALF_LIVES, sums.fading, strict=True):
            made[fading_column(kind, days)] = fading[:, i]
    made[SILENCE] = np.where(sums.ever < 0, np.nan, (t - sums.ever) / DAY)
    _, company = np.unique(record.accounts, return_inverse=True)
    alone = record.accounts == NOBODY
    together = {f"{days}d": one.sum(1) for days, one in zip(HALF_LIVES, sums.fading, strict=True)}
    for name, own in {"active": sums.active.astype(np.float64), **together}.items():
        theirs = np.bincount(company, weights=own)[company] - own
        made[f"{COLLEAGUES} {name}"] = np.where(alone, 0.0, np.round(np.maximum(theirs, 0.0), 9))
    return made


def fading_column(kind: str, days: int) -> str:
    """The column of a kind of activity that counts half after so many days."""
    return f"{kind} {days}d"


def _ours(record: LeadRecord, t: int) -> dict[str, Floats]:
    """Our letters, and what sales and deals came to."""
    made: dict[str, Floats] = {}
    n = len(record)
    row, at = until(record.letters, t).T
    for days in HALF_LIVES:
        made[f"{LETTERS} {days}d"] = add_weights(row, np.exp2(-(t - at) / DAY / days), n)
    row, said, _ = until(record.answers, t).T
    for word, code in (("accepted", 1), ("rejected", 2)):
        made[f"{word} by sales"] = np.bincount(row[said == code], minlength=n).astype(np.float64)
    closed = record.deals[(record.deals[:, 4] != NOBODY) & (record.deals[:, 4] < t)]
    for word in ("won", "lost"):
        some = closed[closed[:, 2] == training_history.OUTCOMES[word]]
        account, times = np.unique(some[:, 0], return_counts=True)
        made[f"deals {word}"] = _looked_up(record.accounts, account, times.astype(np.float64), 0.0)
    account, place = np.unique(closed[:, 0], return_inverse=True)
    newest = np.full(len(account), -1, dtype=np.int64)
    np.maximum.at(newest, place, closed[:, 4])
    made["deals closed days ago"] = _looked_up(record.accounts, account, (t - newest) / DAY, np.nan)
    return made


def _looked_up(accounts: Ints, keys: Ints, values: Floats, otherwise: float) -> Floats:
    """The value of each account, shape of `accounts`; `keys` are sorted."""
    if not len(keys):
        return np.full(len(accounts), otherwise)
    place = np.minimum(np.searchsorted(keys, accounts), len(keys) - 1)
    return np.where(keys[place] == accounts, values[place], otherwise)


def _orders(record: LeadRecord, t: int) -> dict[str, Floats]:
    """Recency, frequency and money."""
    n = len(record)
    row, cents, at = until(record.buys, t).T
    last = np.full(n, -1, dtype=np.int64)
    np.maximum.at(last, row, at)
    lately = at > t - 365 * DAY
    return {
        "orders days ago": np.where(last < 0, np.nan, (t - last) / DAY),
        "orders ever": np.bincount(row, minlength=n).astype(np.float64),
        "orders in a year": np.bincount(row[lately], minlength=n).astype(np.float64),
        "orders money in a year": add_weights(row[lately], cents[lately] / 100, n),
    }


def families(plan: FeaturePlan, columns: Sequence[str]) -> dict[str, str]:
    """Each column's family: columns that are one reason together, as a kind of activity with all its half-lives."""
    named = {fading_column(kind, days): kind for kind in plan.kinds for days in HALF_LIVES} | dict.fromkeys(WHO, "who")
    for name in columns:
        together = (word for word in (LETTERS, COLLEAGUES, "deals", "orders") if name.startswith(word + " "))
        named.setdefault(name, next(together, name))
    return named
