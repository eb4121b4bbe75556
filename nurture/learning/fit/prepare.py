"""From a customer's frame to examples: which rows count, what became of them, when, and who belongs together."""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import polars as pl

from nurture.learning.metrics import Bools, Floats, Ints
from nurture.learning.training_data.examples import Examples
from nurture.learning.training_data.labels import Labels, read_labels
from nurture.learning.training_data.options import TrainingOptions
from nurture.learning.training_data.schema import (
    EPOCH,
    FEW,
    UNIQUE,
    Column,
    ColumnKind,
    describe,
    read_days,
    read_numbers,
)


class NotATime(ValueError):
    """The column given as time cannot be put in order. Name another, or leave it out."""


class RowCounts(TypedDict):
    """What became of the rows of a training file."""

    given: int
    learned_from: int
    copies: int  # rows that say the same as an earlier one
    no_label: int  # the label is empty
    other_labels: dict[str, int]  # values of the label that mean neither yes nor no


@dataclass(frozen=True)
class TrainingTable:
    """What is learned from: n rows of the given frame, their columns as understood, and their examples."""

    sample: pl.DataFrame  # n rows
    rows: Ints  # shape (n,): which rows of the given frame
    columns: list[Column]
    examples: Examples
    labels: Labels  # of the whole given frame
    still_open: pl.DataFrame  # rows whose outcome is not known: nothing is learned from them
    copies: int  # rows that say the same as an earlier one
    time: str | None  # the column that says when

    def usable(self, left_out: set[str]) -> list[Column]:
        """The columns something can be learned from."""
        return [one for one in self.columns if one.kind != ColumnKind.NOTHING and one.name not in left_out]

    @property
    def counts(self) -> RowCounts:
        """What became of the rows given."""
        given = len(self.labels.y)
        return {
            "given": given,
            "learned_from": len(self.rows),
            "copies": self.copies,
            "no_label": given - int(self.labels.known.sum()) - sum(n for _, n in self.labels.others),
            "other_labels": dict(self.labels.others),
        }

    @property
    def unused(self) -> tuple[Column, ...]:
        """The columns nothing can be learned from, each with its reason."""
        return tuple(one for one in self.columns if one.kind == ColumnKind.NOTHING)


def prepare(frame: pl.DataFrame, label: str, options: TrainingOptions) -> TrainingTable:
    """Read the label, drop rows without one and copies, and understand the columns.

    Raises UnreadableLabels, NotATime, and KeyError for a column that is not there.
    """
    for name in filter(None, (label, options.time, options.group, options.rules)):
        if name not in frame.columns:
            raise KeyError(name)
    labels = read_labels(frame[label], options.positive, options.negative)
    rows = usable_rows(frame, labels)
    sample = frame[rows]
    skipped = {label, *options.ignore, *filter(None, (options.group, options.rules))}
    columns, moment = _with_time(sample, describe(sample, skip=skipped), options.time)
    groups = None
    if options.group is not None:
        said = sample[options.group].cast(pl.String).fill_null("").to_numpy().astype(str)
        groups = np.unique(said, return_inverse=True)[1]
    copies = int(labels.known.sum()) - len(rows)
    examples = Examples(labels.y[rows], moment, groups)
    return TrainingTable(sample, rows, columns, examples, labels, frame.filter(~labels.known), copies, options.time)


def usable_rows(frame: pl.DataFrame, labels: Labels) -> Ints:
    """Rows with a label, in the file's order; the same lead written twice counts once.

    Where leads have no name and many look alike, equal rows are different leads, and all of them count.
    """
    first = frame.select(pl.struct(pl.all()).is_first_distinct()).to_series().to_numpy()
    return np.flatnonzero(labels.known & (first if _copied(frame, first) else True))


def _copied(frame: pl.DataFrame, first: Bools) -> bool:
    """Are equal rows copies? Yes if a column names the leads; or if hardly any rows are equal but for one column."""
    distinct, variety = frame.filter(first), {name: frame[name].n_unique() for name in frame.columns}
    richest = max(variety, key=lambda name: variety[name])
    if variety[richest] >= max(FEW, UNIQUE * distinct.height):
        return True
    nearly = frame.height - frame.drop(richest).n_unique() if frame.width > 1 else 0
    return bool(first.mean() >= 0.3 and (~first).sum() >= nearly / 2)


def _with_time(sample: pl.DataFrame, columns: list[Column], time: str | None) -> tuple[list[Column], Floats | None]:
    """The columns, and a number per lead that grows with time; a gap counts as the oldest. Raises NotATime."""
    if time is None:
        return columns, None
    column = next((one for one in columns if one.name == time), Column(time, ColumnKind.NOTHING))
    days = read_days(sample[time], column) if column.kind == ColumnKind.DATE else read_numbers(sample[time], column)
    if np.isnan(days).mean() > 0.5:
        raise NotATime(
            f'The column "{time}" was given as the time, but most of it reads neither as dates nor as numbers.'
        )
    if column.kind != ColumnKind.DATE:  # a number that only says the order
        column = Column(time, ColumnKind.NUMBER, column.form)
    return [column if one.name == time else one for one in columns], np.where(np.isnan(days), np.nanmin(days), days)


def newest_day(table: TrainingTable, time: str | None) -> str | None:
    """The newest day learned from, e.g. "2026-03-02"; None without a column of dates as time."""
    column = next((one for one in table.columns if one.name == time and one.kind == ColumnKind.DATE), None)
    if column is None:
        return None
    return str(EPOCH + np.timedelta64(int(np.nanmax(read_days(table.sample[column.name], column))), "D"))


def older_score(table: TrainingTable, rules: str | None, judged: Ints) -> Floats | None:
    """The score the customer already has, of the judged leads, shape (m,); unknown counts as the lowest."""
    if rules is None:
        return None
    score = read_numbers(table.sample[rules], Column(rules, ColumnKind.NUMBER, "plain"))[judged]
    return None if np.isnan(score).all() else np.where(np.isnan(score), np.nanmin(score) - 1, score)
