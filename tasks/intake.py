"""Intake: a file arrives and becomes accounts, contacts, activities, orders or opportunities. Nothing good is lost."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlmodel import Session

from models.bulk_upsert import add_new
from models.import_file import (
    Import,
    Taken,
    one_at_a_time,
    take_accounts,
    take_activities,
    take_opportunities,
    take_orders,
)
from models.queries.intake_contacts import take_contacts, withdraw
from nurture.files import mapping
from nurture.files.duplicate_index import DuplicateIndex
from nurture.files.reader import DataFile, FileRow, open_file
from nurture.files.rejects import RejectsFile, without_our_columns
from nurture.rules.intake.cell_parsers import ambiguous, shortened
from nurture.rules.intake.records import DATES, CellError, FileMapping, Kind, RowParser
from nurture.runtime import database
from tasks.task import task

CHUNK = 5_000  # rows in one transaction: a second of work at most, so other writers get their turn
Progress = Callable[[int, int, int], None]  # rows done, bytes done, bytes in all
TAKE: dict[Kind, Callable[[Session, list[dict[str, Any]], datetime], Taken]] = {
    "accounts": take_accounts,
    "contacts": take_contacts,
    "activities": take_activities,
    "orders": take_orders,
    "opportunities": take_opportunities,
}
IDENTITY: dict[Kind, tuple[str, ...]] = {  # what no two rows of a file may share, and how it is called
    "accounts": ("key",), "contacts": ("address", "key"), "activities": (), "orders": ("key",),
    "opportunities": ("key",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file. rows = good + rejected; good = created + changed + unchanged (+ repeated)."""

    kind: str
    rows: int
    good: int
    rejected: int
    unchanged: int
    rejects_file: str | None
    created: int = 0
    changed: int = 0
    repeated: int = 0  # rows that say word for word what an earlier row of the file said
    incomplete: int = 0  # good rows of which a cell had to be left out: they stand in the rejects file too


class Good(NamedTuple):
    row: FileRow
    values: dict[str, Any]


@task("import a file")
def import_file(
    engine: Engine,
    now: datetime,
    path: Path,
    sheet: FileMapping,
    rejects_folder: Path,
    progress: Progress | None = None,
) -> Imported:
    """Import one file by its mapping. Every row is taken or stands in the rejects file with its reason."""
    opened = without_our_columns(open_file(path, sheet.encoding, sheet.separator, sheet.form.decimal))
    mapping.fit(sheet, opened.header)
    _dates_are_plain(sheet, path, opened)
    work = _Work(engine, now, sheet, opened, RejectsFile(path, rejects_folder, opened, now))
    with work.rejects:
        for chunk in _chunks(opened.rows()):
            with _undisturbed():
                work.take(chunk)
            if progress:
                progress(work.rows, opened.done, opened.size)
    if progress:
        progress(work.rows, opened.size, opened.size)
    done = work.result()
    with database.writing(engine) as session:
        add_new(session, Import, [{"file": path.name, "kind": sheet.kind, "sha256": opened.sha256, "rows": done.rows,
                                   "good": done.good, "rejected": done.rejected, "rejects_file": done.rejects_file,
                                   "at": now}])  # fmt: skip
    return done


class _Work:
    """One file on its way in, a chunk at a time."""

    def __init__(
        self, engine: Engine, now: datetime, sheet: FileMapping, opened: DataFile, rejects: RejectsFile
    ) -> None:
        self.engine, self.now, self.sheet, self.opened, self.rejects = engine, now, sheet, opened, rejects
        self.read = RowParser(sheet, opened.header)
        self.seen = DuplicateIndex()
        self.bad: list[
            tuple[FileRow, list[CellError]]
        ] = []  # of this chunk, until it is written in the order of the file
        self.rows = self.rejected = self.repeated = self.incomplete = 0
        self.created = self.changed = self.unchanged = 0

    def take(self, chunk: list[FileRow]) -> None:
        """Read the rows, tell the good ones to the database in one transaction, write the others to the rejects."""
        self.rows += len(chunk)
        good: list[Good] = []
        for row in chunk:
            if row.broken:
                self._reject(row, [CellError(row.line, "", shortened(" ".join(row.cells)), row.broken)])
                continue
            values, faults = self.read(row.line, row.cells)
            if values is None:
                self._reject(row, faults)
            else:
                if faults:
                    self.incomplete += 1
                    self.bad.append((row, faults))
                good.append(Good(row, values))
        fresh, stopped = self._first_of_each(good)
        with database.writing(self.engine) as session:
            one_at_a_time(session)
            taken = TAKE[self.sheet.kind](session, [g.values for g in fresh], self.now)
            withdraw(session, stopped, self.now)
        for place, (name, why) in sorted(taken.refused.items()):
            row, values = fresh[place]
            source = self.sheet.columns.get(name)
            self._reject(
                row, [CellError(row.line, source.title if source else "", shortened(str(values.get(name, ""))), why)]
            )
        for row, faults in sorted(self.bad, key=lambda bad: bad[0].line):
            self.rejects.write(row, faults)
        self.bad.clear()
        self.created += taken.created
        self.changed += taken.changed
        self.unchanged += taken.unchanged

    def _first_of_each(self, good: list[Good]) -> tuple[list[Good], list[str]]:
        """Of rows that name one thing, the first. A later one that says the same is counted, one that differs is
        rejected with the first one's line, for a person to decide; but a no is heeded wherever it stands."""
        fresh, stopped = [], []
        if not IDENTITY[self.sheet.kind]:
            return good, []
        names = [[f"{g.values.get('market')}|{g.values[n]}" if g.values.get(n) else None for g in good]
                 for n in IDENTITY[self.sheet.kind]]  # fmt: skip
        said = self.seen.meet([g.row.line for g in good], names, [hash(self.read.said(g.row.cells)) for g in good])
        for g, earlier in zip(good, said, strict=True):
            if earlier is None:
                fresh.append(g)
                continue
            if g.values.get("consent") == "withdrawn":
                stopped.append(g.values["address"])
            if earlier.same:
                self.repeated += 1
                continue
            name = IDENTITY[self.sheet.kind][earlier.which]
            source = self.sheet.columns.get("email" if name == "address" else name)
            why = f"stands in {self.opened.unit} {earlier.line} already, which came first; make one row of the two"
            if name == "key":
                why += " or give each its own key"
            value = shortened(str(g.values[name]))
            self._reject(g.row, [CellError(g.row.line, source.title if source else name, value, why)])
        return fresh, stopped

    def _reject(self, row: FileRow, faults: list[CellError]) -> None:
        self.rejected += 1
        self.bad.append((row, faults))

    def result(self) -> Imported:
        return Imported(self.sheet.kind, self.rows, self.rows - self.rejected, self.rejected, self.unchanged,
                        self.rejects.name, self.created, self.changed, self.repeated, self.incomplete)  # fmt: skip


def _chunks(rows: Iterator[FileRow]) -> Iterator[list[FileRow]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No search for garbage while a chunk is in the making: its thousands of dictionaries are all still needed, and
    looking through them again and again took a third of the time."""
    looking = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looking:
            gc.enable()


def _dates_are_plain(sheet: FileMapping, path: Path, opened: DataFile) -> None:
    """Before anything is written: a file whose days and months could be either way round is not guessed at."""
    if sheet.form.dates:
        return
    sources = [s for name, s in sheet.columns.items() if name in DATES and not s.template and len(s.columns) == 1]
    columns = {opened.header.index(s.columns[0]): s.columns[0] for s in sources}
    if not columns:
        return
    lines: list[int] = []
    example = ("", "")
    for row in opened.rows():
        for i, column in columns.items():
            if i < len(row.cells) and "/" in row.cells[i] and ambiguous(row.cells[i].strip(), sheet.form):
                lines.append(row.line)
                example = example if example[0] else (column, row.cells[i].strip())
    if lines:
        first, second = example[1].split("/")[:2]
        some = ", ".join(map(str, lines[:8])) + (" …" if len(lines) > 8 else "")
        raise mapping.MappingError(
            sheet.file,
            f'column "{example[0]}" of {path.name} has dates that could be two days, such as {example[1]} '
            f"({len(lines):,} {opened.unit}s: {some})",
            f'Say under [file] dates = "day-first" (day {first}, month {second}) or "month-first".',
        )
