"""Intake: a file arrives and becomes accounts, contacts, activities, orders or opportunities. Nothing good is lost."""

import gc
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from models.address import SuppressedBy
from models.import_file import ImportRecord, record_import
from models.queries.intake_accounts import AccountRow, save_accounts
from models.queries.intake_changes import SavedRows, lock_intake
from models.queries.intake_contacts import ContactRow, save_contacts
from models.queries.intake_history import (
    OpportunityRow,
    OrderRow,
    save_activities,
    save_opportunities,
    save_orders,
)
from models.queries.intake_refusals import save_refusals, save_suppressions, withdraw_consent
from nurture.files.data_file import DataFile, FileRow
from nurture.files.duplicate_index import DuplicateIndex, EarlierRow
from nurture.files.mapping import MappingError, check_columns
from nurture.files.reader import open_file
from nurture.files.rejects import RejectsFile, without_our_columns
from nurture.rules.intake.cell_parsers import ambiguous, shortened
from nurture.rules.intake.fields import DATES, Kind
from nurture.rules.intake.file_mapping import FileMapping, RowCondition
from nurture.rules.intake.refusals import RefusalReader
from nurture.rules.intake.row_parser import CellError, ImportedRow, RowParser
from nurture.runtime import database
from tasks.task import task

CHUNK = 5_000  # rows in one transaction: a second of work at most, so other writers get their turn
Progress = Callable[[int, int, int], None]  # rows done, bytes done, bytes in all
SAVE: dict[Kind, Callable[..., SavedRows]] = {  # (session, rows of that kind, now)
    "accounts": save_accounts,
    "contacts": save_contacts,
    "activities": save_activities,
    "orders": save_orders,
    "opportunities": save_opportunities,
    "suppressions": save_suppressions,
}


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file. rows = good + rejected + left_out; good = created + changed + unchanged (+ repeated)."""

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
    suppressed: int = 0  # addresses that say no anywhere in the file and were free before
    left_out: int = 0  # rows that the mapping's [rows] leave out
    left_out_file: str | None = None  # lists them and the repeated ones
    notes: int = 0  # lines below the table: totals, and by whom the report was made
    no_stays: int = 0  # rows that say yes of somebody who has said no: the no stays
    unread: dict[str, int] = field(default_factory=dict)  # column → cells that could not be read in rows imported


class GoodRow(NamedTuple):
    """A row that can be imported: as it stands in the file, and as the database takes it."""

    source: FileRow
    parsed: ImportedRow


@dataclass
class _Counts:
    rows: int = 0
    rejected: int = 0
    repeated: int = 0
    incomplete: int = 0
    suppressed: int = 0  # addresses that said no and were free before
    left_out: int = 0
    unread: Counter[str] = field(default_factory=Counter)
    saved: SavedRows = field(default_factory=SavedRows)

    def add(self, saved: SavedRows) -> None:
        self.saved.created += saved.created
        self.saved.changed += saved.changed
        self.saved.unchanged += saved.unchanged
        self.saved.no_stays += saved.no_stays


@task("import a file")
def import_file(
    engine: Engine, now: datetime, path: Path, mapping: FileMapping, rejects_folder: Path,
    progress: Progress | None = None,
) -> Imported:  # fmt: skip
    """Import one file by its mapping. Every row is imported or stands in the rejects file with its reason.

    Raises FileError and MappingError before anything is written.
    """
    file = without_our_columns(
        open_file(path, mapping.encoding, mapping.separator, mapping.cell_format.decimal, mapping.header)
    )
    check_columns(mapping, file.header)
    _check_dates(mapping, path, file)
    rejects = RejectsFile(path, rejects_folder, file, now)
    left_out = RejectsFile(path, rejects_folder, file, now, about="left-out")
    work = _FileImport(engine, now, mapping, file, _RowFiles(rejects, left_out))
    work.save_refusals()
    with rejects, left_out:
        for chunk in _chunks(file.rows()):
            with _no_garbage_collection():
                work.save_chunk(chunk)
            if progress:
                progress(work.counts.rows, file.done, file.size)
    if progress:
        progress(work.counts.rows, file.size, file.size)
    done = work.result()
    record = ImportRecord(
        path.name, mapping.kind, file.sha256, done.rows, done.good, done.rejected, done.rejects_file, now
    )
    with database.writing(engine) as session:
        record_import(session, record)
    return done


class _RowFiles(NamedTuple):
    """The files that list the rows that were not imported: those that are wrong, and those that are left out."""

    rejects: RejectsFile
    left_out: RejectsFile


class _FileImport:
    """One file on its way in, a chunk at a time."""

    def __init__(self, engine: Engine, now: datetime, mapping: FileMapping, file: DataFile, files: _RowFiles) -> None:
        self.engine, self.now, self.mapping, self.file, self.files = engine, now, mapping, file, files
        self.parse = RowParser(mapping, file.header)
        self.index = DuplicateIndex()
        self.conditions = bool(mapping.where or mapping.unless)
        self.continues_order = _order_lines(mapping, file.header)
        self.refused: set[int] = set()  # hashes of the addresses that say no somewhere in the file
        self.bad: list[tuple[FileRow, list[CellError]]] = []  # of this chunk, until written in the order of the file
        self.counts = _Counts()

    def save_refusals(self) -> None:
        """Before anything is imported: whoever says no anywhere in the file is suppressed for good, also in a row that
        is cut off, faulty, repeated or in conflict with another."""
        read = RefusalReader(self.mapping, self.file.header)
        if not read.can_refuse:
            return
        found = read.refusals(self.file.every_row())
        while some := list(islice(found, CHUNK)):
            self.refused.update(hash(one.address) for one in some if one.why != SuppressedBy.BOUNCE)
            with database.writing(self.engine) as session:
                lock_intake(session)
                self.counts.suppressed += save_refusals(session, some, self.now)

    def save_chunk(self, chunk: list[FileRow]) -> None:
        """Parse the rows, save the good ones in one transaction, write the others to the rejects file."""
        self.counts.rows += len(chunk)
        fresh = self._first_of_each(self._good(chunk))
        with database.writing(self.engine) as session:
            lock_intake(session)
            saved = SAVE[self.mapping.kind](session, [good.parsed for good in fresh], self.now)
            withdraw_consent(session, self._refused_among(fresh), self.now)
        for place, (name, why) in sorted(saved.refused.items()):
            row, parsed = fresh[place]
            value = shortened(str(getattr(parsed, name) or ""))
            self._reject(row, [CellError(row.line, self.mapping.title_of(name), value, why)])
        if self.mapping.kind == "suppressions":
            self._suppress_rejected()
        for row, errors in sorted(self.bad, key=lambda bad: bad[0].line):
            self.files.rejects.write(row, errors)
        self.bad.clear()
        self.counts.add(saved)

    def _good(self, chunk: list[FileRow]) -> list[GoodRow]:
        """The rows that can be imported; the others are rejected."""
        good: list[GoodRow] = []
        for row in chunk:
            if self.conditions and self._is_left_out(row.cells):
                self.counts.left_out += 1
                self.files.left_out.write_left_out(row, "the mapping leaves it out: [rows]")
                continue
            if self.continues_order and self.continues_order(row.cells):
                self._repeat(row, "names a further item of the order above it")
                continue
            if row.broken:
                self._reject(row, [CellError(row.line, "", shortened(" ".join(row.cells)), row.broken)])
                continue
            parsed, errors = self.parse(row.line, row.cells)
            if parsed is None:
                self._reject(row, errors)
                continue
            if errors:
                self.counts.incomplete += 1
                self.counts.unread.update(error.column for error in errors)
                self.bad.append((row, errors))
            good.append(GoodRow(row, parsed))
        return good

    def _is_left_out(self, cells: list[str]) -> bool:
        """Whether the mapping's [rows] leave the row out."""
        at = {name: i for i, name in enumerate(self.file.header)}

        def holds(one: RowCondition) -> bool:
            place = at[one.column]
            return one.holds(cells[place] if place < len(cells) else "")

        return not all(map(holds, self.mapping.where)) or any(map(holds, self.mapping.unless))

    def _first_of_each(self, good: list[GoodRow]) -> list[GoodRow]:
        """Of rows that name one thing, the first. A later one that says the same is counted, one that differs is
        rejected with the first one's line, for a person to decide; its no was heeded before anything else."""
        fresh = []
        names = _identities([row.parsed for row in good])
        if not names:
            return good
        said = [_said(row, self.parse) for row in good]
        found = self.index.find_earlier([row.source.line for row in good], list(names.values()), said)
        for row, earlier in zip(good, found, strict=True):
            if earlier is None:
                fresh.append(row)
                continue
            if earlier.same:
                self._repeat(row.source, f"says what {self.file.unit} {earlier.line} says already")
            else:
                self._reject_duplicate(row, earlier, list(names)[earlier.which])
        return fresh

    def _suppress_rejected(self) -> None:
        """Every readable address of a do-not-mail list counts, also in a row that is left out."""
        read = RefusalReader(self.mapping, self.file.header)
        rejected = [row for row, errors in self.bad if any(error.fatal for error in errors)]
        refusals = [one for row in rejected for cells in (row.cells, list(row.tolerant)) if cells
                    for one in read(row.line, cells)]  # fmt: skip
        with database.writing(self.engine) as session:
            self.counts.suppressed += save_refusals(session, refusals, self.now)

    def _refused_among(self, rows: list[GoodRow]) -> list[str]:
        """The addresses of new or changed contacts that say no in some row of the file."""
        contacts = [row.parsed for row in rows if isinstance(row.parsed, ContactRow)] if self.refused else []
        return [contact.address for contact in contacts if hash(contact.address) in self.refused]

    def _reject_duplicate(self, row: GoodRow, earlier: EarlierRow, name: str) -> None:
        why = f"stands in {self.file.unit} {earlier.line} already, which came first; make one row of the two"
        if name == "key":
            why += " or give each its own key"
        title = self.mapping.title_of("email" if name == "address" else name) or name
        value = shortened(str(getattr(row.parsed, name)))
        self._reject(row.source, [CellError(row.source.line, title, value, why)])

    def _repeat(self, row: FileRow, why: str) -> None:
        self.counts.repeated += 1
        self.files.left_out.write_left_out(row, why)

    def _reject(self, row: FileRow, errors: list[CellError]) -> None:
        self.counts.rejected += 1
        self.bad.append((row, errors))

    def result(self) -> Imported:
        """What became of the file so far."""
        counts, saved = self.counts, self.counts.saved
        return Imported(
            self.mapping.kind, counts.rows, counts.rows - counts.rejected - counts.left_out, counts.rejected,
            saved.unchanged, self.files.rejects.name, saved.created, saved.changed, counts.repeated, counts.incomplete,
            counts.suppressed, counts.left_out, self.files.left_out.name, len(self.file.notes), saved.no_stays,
            dict(counts.unread),
        )  # fmt: skip


def _said(row: GoodRow, parse: RowParser) -> int:
    """A hash of what a row says. The further lines of an order repeat its total and name another item."""
    order = row.parsed
    if isinstance(order, OrderRow) and order.key:
        return hash((order.contact, order.at, order.amount, order.currency))
    return hash(parse.cells_used(row.source.cells))


class _OrderLines:
    """Tells the further lines of an order, which name its items and leave its total empty."""

    def __init__(self, key: int, amount: int) -> None:
        self.key, self.amount = key, amount
        self.last = ""

    def __call__(self, cells: list[str]) -> bool:
        if len(cells) <= max(self.key, self.amount):
            return False
        key = cells[self.key].strip()
        further = bool(key) and key == self.last and not cells[self.amount].strip()
        self.last = key
        return further


def _order_lines(mapping: FileMapping, header: list[str]) -> _OrderLines | None:
    sources = [mapping.columns.get(name) for name in ("key", "amount")]
    places = [header.index(s.columns[0]) for s in sources if s and not s.template and len(s.columns) == 1]
    return _OrderLines(places[0], places[1]) if mapping.kind == "orders" and len(places) == 2 else None


def _identities(rows: Sequence[ImportedRow]) -> dict[str, list[str | None]]:
    """What no two rows of a file may share: for each field that names a row, one name per row."""
    names: dict[str, list[str | None]] = {}
    if rows and isinstance(rows[0], ContactRow):
        contacts = [row for row in rows if isinstance(row, ContactRow)]
        names["address"] = [f"{row.market}|{row.address}" for row in contacts]
        names["key"] = [f"{row.market}|{row.key}" if row.key else None for row in contacts]
    elif rows and isinstance(rows[0], AccountRow | OrderRow | OpportunityRow):
        names["key"] = [row.key for row in rows if isinstance(row, AccountRow | OrderRow | OpportunityRow)]
    return names


def _chunks(rows: Iterator[FileRow]) -> Iterator[list[FileRow]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """No search for garbage while a chunk is in the making: its thousands of rows are all still needed, and looking
    through them again and again took a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _check_dates(mapping: FileMapping, path: Path, file: DataFile) -> None:
    """Before anything is written: a file whose days and months could be either way round is not guessed at."""
    if mapping.cell_format.dates:
        return
    sources = [s for name, s in mapping.columns.items() if name in DATES and not s.template and len(s.columns) == 1]
    columns = {file.header.index(s.columns[0]): s.columns[0] for s in sources}
    if not columns:
        return
    lines: list[int] = []
    example = ("", "")
    for row in file.rows():
        for i, column in columns.items():
            if (
                i < len(row.cells)
                and ("/" in row.cells[i] or "-" in row.cells[i])
                and ambiguous(row.cells[i].strip(), mapping.cell_format)
            ):
                lines.append(row.line)
                example = example if example[0] else (column, row.cells[i].strip())
    if lines:
        first, second = re.split(r"[/-]", example[1])[:2]
        some = ", ".join(map(str, lines[:8])) + (" …" if len(lines) > 8 else "")
        raise MappingError(
            mapping.file,
            f'column "{example[0]}" of {path.name} has dates that could be two days, such as {example[1]} '
            f"({len(lines):,} {file.unit}s: {some})",
            f'Say under [file] dates = "day-first" (day {first}, month {second}) or "month-first".',
        )
