"""What became of a lead after a moment, from the record: yes, no, or nobody can know yet."""

import numpy as np

from models.queries.training_history import DECISIONS, NOBODY
from nurture.learning.metrics import Bools, Floats, Ints
from nurture.learning.training_data.lead_record import DAY, LeadRecord

ACCEPTED, REJECTED = DECISIONS["accepted"], DECISIONS["rejected"]


def labels_at(record: LeadRecord, t: int, days: int, cut: int) -> Floats:
    """1, 0 or NaN per lead of the record: did they convert within `days` after `t`? The record reaches until `cut`.

    Yes: an order, an opportunity (their own, or their account's that names nobody), or sales took the lead. A rejection
    by sales is a no to this lead, even where the account opens an opportunity without naming anybody. NaN, neither:
    the days are not over at `cut`; the account's deal names a colleague; a deal was open at `t` already.
    """
    end = t + days * DAY
    if end > cut:
        return np.full(len(record), np.nan)
    y = np.zeros(len(record))
    opened = record.deals[(record.deals[:, 3] >= t) & (record.deals[:, 3] < end)]
    named = opened[opened[:, 1] != NOBODY]
    y[np.isin(record.accounts, named[:, 0])] = np.nan
    y[np.isin(record.accounts, opened[opened[:, 1] == NOBODY][:, 0])] = 1
    y[_said(record.answers, REJECTED, t, end)] = 0
    y[np.isin(record.ids, named[:, 1])] = 1
    y[_said(record.answers, ACCEPTED, t, end)] = 1
    y[_within(record.buys, t, end)[:, 0]] = 1
    y[open_at(record, t)] = np.nan
    return y


def rejected_within(record: LeadRecord, t: int, days: int) -> Bools:
    """Whom sales turned down in those days."""
    found = np.zeros(len(record), dtype=np.bool_)
    found[_said(record.answers, REJECTED, t, t + days * DAY)] = True
    return found


def open_at(record: LeadRecord, t: int) -> Bools:
    """Whose account had an open opportunity at `t`: there is nothing left to foretell."""
    deals = record.deals
    running = deals[(deals[:, 3] < t) & ((deals[:, 4] == NOBODY) | (deals[:, 4] >= t))]
    return np.isin(record.accounts, running[:, 0])


def points_in_time(first: int, now: int, days: int, most: int, history: int = 30) -> list[int]:
    """The moments to learn from, the newest first: midnights, `days` apart, so that no outcome is told twice.

    What follows the newest is known at `now`; before the oldest lie at least `history` days of record.
    """
    newest = (now - days * DAY) // DAY * DAY
    return [t for k in range(most) if (t := newest - k * days * DAY) >= first + history * DAY]


def _within(found: Ints, t: int, end: int) -> Ints:
    return found[(found[:, -1] >= t) & (found[:, -1] < end)]


def _said(answers: Ints, code: int, t: int, end: int) -> Ints:
    some = _within(answers, t, end)
    return np.asarray(some[some[:, 1] == code][:, 0])
