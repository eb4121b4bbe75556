"""A lead as it was known at a moment: who they are, what they did, their colleagues, our letters, deals and orders.

Nothing at or after the moment is looked at, with one exception that cannot be mended here: what a file says *about*
a person or company (title, industry, traits …) has no history, so today's value stands for every moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
from sqlmodel import Session

from models.activity import Deeds
from models.queries import training_history
from models.queries.training_history import NOBODY, Stretch
from nurture.learning.judge.metrics import Floats, Ints
from nurture.rules.scoring.lead_score import Sheet

DAY = 86_400
HALF_LIVES = (7, 30, 90)  # days after which an activity counts half
SILENCE, LETTERS, COLLEAGUES = "days since the last activity", "letters", "colleagues"
MAILBOX, TITLE_SAYS = "mailbox", "title says"
WHO = ("role", "persona", "department", "industry", "employees")  # said in one breath: authorizer in a 500-person …
TRAIT = "trait "
PLAIN = ("role", "persona", "department", "seniority", "country", "industry", "tier", "channel")


@dataclass(frozen=True)
class Plan:
    """What is looked at. Fixed in training, kept on the model's card."""

    market: str
    kinds: tuple[str, ...]  # of activities
    traits: tuple[str, ...] = ()  # columns of the customer's own

    def as_dict(self) -> dict[str, Any]:
        return {"market": self.market, "kinds": list(self.kinds), "traits": list(self.traits)}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "Plan":
        return cls(saved["market"], tuple(saved["kinds"]), tuple(saved["traits"]))


@dataclass(frozen=True)
class Record:
    """Everything on record about one stretch of leads before a moment; times in seconds, leads by their row."""

    ids: Ints
    accounts: Ints  # −1 without one
    since: Ints  # when we came to know them
    who: Mapping[str, Sequence[Any]]
    deeds: Ints  # row, kind, at
    buys: Ints  # row, cents, at
    letters: Ints  # row, at
    answers: Ints  # row, 1 accepted or 2 rejected, at
    deals: Ints  # account_id, contact_id, outcome, opened, closed

    def __len__(self) -> int:
        return len(self.ids)


def read(session: Session, stretch: Stretch, kinds: Sequence[str], before: datetime) -> Record | None:
    """One stretch of the record; None where it has no leads."""
    people = training_history.people(session, stretch)
    if not people:
        return None
    columns = dict(zip(training_history.WHO, zip(*people, strict=True), strict=True))
    ids = np.array(columns["contact_id"], dtype=np.int64)
    return Record(
        ids,
        np.array(columns["account_id"], dtype=np.int64),
        np.array(columns["since"], dtype=np.int64),
        columns,
        _by_row(ids, training_history.deeds(session, stretch, kinds, before)),
        _by_row(ids, training_history.buys(session, stretch, before)),
        _by_row(ids, training_history.letters(session, stretch, before)),
        _by_row(ids, training_history.answers(session, stretch, before)),
        training_history.deals(session, stretch, before),
    )


def _by_row(ids: Ints, found: Ints) -> Ints:
    """The lead's row instead of its id; whoever came in between two queries waits for the next look."""
    row = np.minimum(np.searchsorted(ids, found[:, 0]), len(ids) - 1)
    known = ids[row] == found[:, 0]
    found[:, 0] = row
    return found if known.all() else found[known]


def until(found: Ints, t: int) -> Ints:
    """What happened before `t`."""
    return found if not len(found) or found[:, -1].max() < t else found[found[:, -1] < t]


class Sums(NamedTuple):
    """What each lead did of each kind (rows × kinds), and all kinds together where there is one dimension."""

    times: Ints
    week: Ints
    month: Ints
    last: Ints  # −1: never
    fading: tuple[Floats, ...]  # per half-life
    ever: Ints  # the last of any kind
    active: npt.NDArray[np.bool_]  # in the last 30 days


def add_up(record: Record, t: int, kinds: int, half_lives: Sequence[Floats] | None = None) -> Sums:
    """Add up activities before `t`. `half_lives` are in days, one for each kind; without them HALF_LIVES for all."""
    half_lives = [np.full(kinds, float(days)) for days in HALF_LIVES] if half_lives is None else half_lives
    done, n = until(record.deeds, t), len(record)
    row, kind, at = done[:, 0], done[:, 1], done[:, 2]
    ever = np.full(n, -1, dtype=np.int64)
    np.maximum.at(ever, row, at)
    listed = kind >= 0
    if not listed.all():
        row, kind, at = row[listed], kind[listed], at[listed]
    cell, age, size = row * kinds + kind, (t - at) / DAY, n * kinds

    def count(which: Any = slice(None), weights: Floats | None = None) -> Any:
        return _added(cell[which], weights, size).reshape(n, kinds)

    last = np.full(size, -1, dtype=np.int64)
    np.maximum.at(last, cell, at)
    fading = tuple(count(weights=np.exp2(-age / days[kind])) for days in half_lives)
    return Sums(count(), count(age <= 7), count(age <= 30), last.reshape(n, kinds), fading, ever, ever > t - 30 * DAY)


def _added(places: Ints, weights: Floats | None, size: int) -> Any:
    """Counts, or sums of the weights: whole numbers, or floats even of nothing at all."""
    made = np.bincount(places, weights=weights, minlength=size)
    return made if weights is None else made.astype(np.float64, copy=False)


def known(record: Record, t: int) -> npt.NDArray[np.bool_]:
    """Who was a lead at `t`: we knew them, or they had done or bought something."""
    there = record.since < t
    for found in (record.deeds, record.buys):
        there[until(found, t)[:, 0]] = True
    return there


def deeds_of(sums: Sums, kinds: Sequence[str], t: datetime, sheet: Sheet, weights: Floats) -> list[list[Deeds]]:
    """The same sums as the rules want them, lead by lead."""
    found: list[list[Deeds]] = [[] for _ in range(len(sums.times))]
    ours = [i for i, kind in enumerate(kinds) if kind in sheet.kinds]
    rows, places = np.nonzero(sums.times[:, ours])
    columns = np.array(ours, dtype=np.int64)[places]
    values = (one[rows, columns].tolist() for one in (weights, sums.times, sums.week, sums.month, sums.last))
    for row, column, weight, times, week, month, last in zip(rows.tolist(), columns.tolist(), *values, strict=True):
        at = datetime.fromtimestamp(last, t.tzinfo)
        found[row].append(Deeds(0, kinds[column], weight, times, week, month, at))
    return found


def frame(record: Record, t: int, plan: Plan, sums: Sums, sheet: Sheet) -> pl.DataFrame:
    """Every lead of the record as it was known at `t`, a row each, in the record's order."""
    return pl.DataFrame(
        _people(record, plan, sheet) | _engagement(record, t, plan, sums) | _ours(record, t) | _orders(record, t)
    )


def _people(record: Record, plan: Plan, sheet: Sheet) -> dict[str, Any]:
    who = record.who
    said: dict[str, Any] = {name: pl.Series(who[name], dtype=pl.String) for name in PLAIN}
    said["employees"] = pl.Series(who["employees"], dtype=pl.Float64)
    said["language"] = pl.Series([one[:2] for one in who["locale"]], dtype=pl.String)
    said[MAILBOX] = pl.Series([_mailbox(one, sheet) for one in who["address"]], dtype=pl.String)
    said[TITLE_SAYS] = pl.Series([_title(one, sheet) for one in who["title"]], dtype=pl.String)
    if plan.traits:
        own = [traits_of(*pair) for pair in zip(who["traits"], who["account_traits"], strict=True)]
        for name in plan.traits:
            said[TRAIT + name] = pl.Series([_text(one.get(name)) for one in own], dtype=pl.String)
    return said


def _mailbox(address: str, sheet: Sheet) -> str | None:
    worth = sheet.domains.get(address.rpartition("@")[2])
    return worth.say if worth else None


def _title(title: str | None, sheet: Sheet) -> str | None:
    worth = sheet.title_words.worth(title)
    return worth[0].say if worth else None


def traits_of(mine: Any, theirs: Any) -> dict[str, Any]:
    """A lead's own columns, and its company's where it has none of that name."""
    return {**_json(theirs), **_json(mine)}


def _json(value: Any) -> dict[str, Any]:
    return orjson.loads(value) if isinstance(value, str) else value or {}


def _text(value: Any) -> str | None:
    return None if value is None or value == "" or isinstance(value, list | dict) else str(value)


def _engagement(record: Record, t: int, plan: Plan, sums: Sums) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for i, kind in enumerate(plan.kinds):
        for days, fading in zip(HALF_LIVES, sums.fading, strict=True):
            made[column(kind, days)] = fading[:, i]
    made[SILENCE] = np.where(sums.ever < 0, np.nan, (t - sums.ever) / DAY)
    _, company = np.unique(record.accounts, return_inverse=True)
    alone = record.accounts == NOBODY
    together = {f"{days}d": one.sum(1) for days, one in zip(HALF_LIVES, sums.fading, strict=True)}
    for name, own in {"active": sums.active.astype(np.float64), **together}.items():
        theirs = np.bincount(company, weights=own)[company] - own
        made[f"{COLLEAGUES} {name}"] = np.where(alone, 0.0, np.round(np.maximum(theirs, 0.0), 9))
    return made


def column(kind: str, days: int) -> str:
    return f"{kind} {days}d"


def _ours(record: Record, t: int) -> dict[str, Any]:
    """Our letters, and what sales and deals came to."""
    made: dict[str, Any] = {}
    n = len(record)
    row, at = until(record.letters, t).T
    for days in HALF_LIVES:
        made[f"{LETTERS} {days}d"] = _added(row, np.exp2(-(t - at) / DAY / days), n)
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
    if not len(keys):
        return np.full(len(accounts), otherwise)
    place = np.minimum(np.searchsorted(keys, accounts), len(keys) - 1)
    return np.where(keys[place] == accounts, values[place], otherwise)


def _orders(record: Record, t: int) -> dict[str, Any]:
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
        "orders money in a year": _added(row[lately], cents[lately] / 100, n),
    }


def families(plan: Plan, columns: Sequence[str]) -> dict[str, str]:
    """Columns that are one reason together: a kind of activity with all its half-lives, the company and the role …"""
    named = {column(kind, days): kind for kind in plan.kinds for days in HALF_LIVES} | dict.fromkeys(WHO, "who")
    for name in columns:
        together = (word for word in (LETTERS, COLLEAGUES, "deals", "orders") if name.startswith(word + " "))
        named.setdefault(name, next(together, name))
    return named
