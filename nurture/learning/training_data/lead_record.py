"""Everything on record about a stretch of leads, in arrays, and what they had done up to a point in time, added up.

Times are whole seconds since 1970; leads are known by their row in the record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from sqlmodel import Session

from models.activity import Deeds
from models.queries import training_history
from models.queries.training_history import People, Stretch
from nurture.learning.metrics import Bools, Floats, Ints
from nurture.rules.scoring.lead_score import MarketRules

DAY = 86_400  # seconds
HALF_LIVES = (7, 30, 90)  # days after which an activity counts half


@dataclass(frozen=True)
class LeadRecord:
    """Everything on record about n leads before a moment. The last five are tables of whole numbers, a row each."""

    ids: Ints  # shape (n,)
    accounts: Ints  # shape (n,); −1 without one
    since: Ints  # shape (n,): when we came to know them
    people: People
    deeds: Ints  # lead's row, kind, at
    buys: Ints  # lead's row, cents, at
    letters: Ints  # lead's row, at
    answers: Ints  # lead's row, 1 accepted or 2 rejected, at
    deals: Ints  # account_id, contact_id, outcome, opened, closed

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def companies(self) -> Ints:
        """Who belongs together, shape (n,): the account's number; of people without one their own, negative."""
        return np.where(self.accounts == training_history.NOBODY, -self.ids, self.accounts)


def read_record(session: Session, stretch: Stretch, kinds: Sequence[str], before: datetime) -> LeadRecord | None:
    """One stretch of the record, up to `before`; None where it has no leads. `kinds`: of activities, by their place."""
    people = training_history.people(session, stretch)
    if people is None:
        return None
    ids = np.array(people.contact_id, dtype=np.int64)
    return LeadRecord(
        ids,
        np.array(people.account_id, dtype=np.int64),
        np.array(people.since, dtype=np.int64),
        people,
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
    """The rows of what happened before `t`; the last column of `found` says when."""
    return found if not len(found) or found[:, -1].max() < t else found[found[:, -1] < t]


def known(record: LeadRecord, t: int) -> Bools:
    """Who was a lead at `t`, shape (n,): we knew them, or they had done or bought something."""
    there = record.since < t
    for found in (record.deeds, record.buys):
        there[until(found, t)[:, 0]] = True
    return there


class ActivitySums(NamedTuple):
    """What each of n leads did of each of k kinds, shape (n, k), or of all kinds together, shape (n,)."""

    times: Ints  # (n, k)
    week: Ints  # (n, k): in the last 7 days
    month: Ints  # (n, k): in the last 30 days
    last: Ints  # (n, k): when; −1: never
    fading: tuple[Floats, ...]  # (n, k) per half-life: each activity counts half after it
    ever: Ints  # (n,): the last of any kind; −1: never
    active: Bools  # (n,): in the last 30 days


def sum_activities(record: LeadRecord, t: int, kinds: int, half_lives: Sequence[Floats] | None = None) -> ActivitySums:
    """Add up activities before `t`. `half_lives` are in days, shape (kinds,) each; without them HALF_LIVES for all."""
    half_lives = [np.full(kinds, float(days)) for days in HALF_LIVES] if half_lives is None else half_lives
    done, n = until(record.deeds, t), len(record)
    row, kind, at = done[:, 0], done[:, 1], done[:, 2]
    ever = np.full(n, -1, dtype=np.int64)
    np.maximum.at(ever, row, at)
    listed = kind >= 0
    if not listed.all():
        row, kind, at = row[listed], kind[listed], at[listed]
    cell, age, shape = row * kinds + kind, (t - at) / DAY, (n, kinds)
    last = np.full(n * kinds, -1, dtype=np.int64)
    np.maximum.at(last, cell, at)
    return ActivitySums(
        count(cell, n * kinds).reshape(shape),
        count(cell[age <= 7], n * kinds).reshape(shape),
        count(cell[age <= 30], n * kinds).reshape(shape),
        last.reshape(shape),
        tuple(add_weights(cell, np.exp2(-age / days[kind]), n * kinds).reshape(shape) for days in half_lives),
        ever,
        ever > t - 30 * DAY,
    )


def count(places: Ints, size: int) -> Ints:
    """How often each place from 0 to `size` − 1 is named, shape (size,)."""
    return np.bincount(places, minlength=size)


def add_weights(places: Ints, weights: Floats, size: int) -> Floats:
    """The sum of the weights at each place, shape (size,): floats even of nothing at all."""
    return np.bincount(places, weights=weights, minlength=size).astype(np.float64, copy=False)


def deeds_by_lead(
    sums: ActivitySums, kinds: Sequence[str], t: datetime, market: MarketRules, weights: Floats
) -> list[list[Deeds]]:
    """The same sums as the scoring rules want them, lead by lead. `weights`, shape (n, k): by the rules' half-lives."""
    found: list[list[Deeds]] = [[] for _ in range(len(sums.times))]
    ours = [i for i, kind in enumerate(kinds) if kind in market.kinds]
    rows, places = np.nonzero(sums.times[:, ours])
    columns = np.array(ours, dtype=np.int64)[places]
    values = (one[rows, columns].tolist() for one in (weights, sums.times, sums.week, sums.month, sums.last))
    for row, column, weight, times, week, month, last in zip(rows.tolist(), columns.tolist(), *values, strict=True):
        at = datetime.fromtimestamp(last, t.tzinfo)
        found[row].append(Deeds(0, kinds[column], weight, times, week, month, at))
    return found
