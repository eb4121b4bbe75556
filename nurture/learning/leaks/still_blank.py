"""Which columns are still blank when they would be needed: for leads that are open, and for the newest ones."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from nurture.learning.leaks.column_alone import filled_in
from nurture.learning.metrics import Floats
from nurture.learning.training_data.schema import Column, ColumnKind, read_categories

LEAST = 30  # open leads, or filled cells, from which something is said
BLANK = 0.1  # of the share it is filled in for elsewhere
CONSTANT = 0.99  # share of one value from which a column says nothing
NEWEST = 0.1  # share of the leads that are the newest


def blank_for_open_leads(closed: pl.DataFrame, still_open: pl.DataFrame, columns: Sequence[Column]) -> dict[str, str]:
    """Why a column cannot be known when a lead comes in, by its name: it is empty or constant for leads still open."""
    found: dict[str, str] = {}
    if still_open.height < LEAST:
        return found
    for column in columns:
        if column.kind == ColumnKind.NOTHING:
            continue
        there, then = filled_in(closed[column.name]), filled_in(still_open[column.name])
        if there.sum() >= LEAST and then.mean() <= BLANK * there.mean():
            found[column.name] = (
                f"It is filled in for {there.mean():.0%} of the leads whose outcome is known and {then.mean():.0%} of "
                f"the {still_open.height:,} still open: it comes afterwards."
            )
        elif then.any() and _most(still_open[column.name]) >= CONSTANT > 0.9 >= _most(closed[column.name]):
            found[column.name] = (
                f"It says the same for nearly all of the {still_open.height:,} leads still open: it is told afterwards."
            )
    return found


def blank_for_newest(frame: pl.DataFrame, moment: Floats, columns: Sequence[Column]) -> dict[str, str]:
    """Why a column is not there yet when a lead comes in: it is next to empty for the newest leads by `moment`."""
    found: dict[str, str] = {}
    newest = moment >= np.quantile(moment, 1 - NEWEST)
    if min(newest.sum(), (~newest).sum()) < LEAST:
        return found
    for column in columns:
        if column.kind == ColumnKind.NOTHING:
            continue
        filled = filled_in(frame[column.name])
        before, now = float(filled[~newest].mean()), float(filled[newest].mean())
        if before >= 0.1 and before * newest.sum() >= LEAST and now <= BLANK * before:
            found[column.name] = (
                f"It is filled in for {before:.0%} of the older leads and {now:.0%} of the newest tenth: when a lead "
                "comes in, it is not there yet."
            )
    return found


def _most(series: pl.Series) -> float:
    """The share of the most frequent value."""
    counts = read_categories(series).value_counts()["count"]
    return float(counts.max() or 0) / max(series.len(), 1)  # type: ignore[arg-type]
