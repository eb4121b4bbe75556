"""The rejects file: what could not be taken, where it stands, why, and the row as it was, to be mended and imported."""

import csv
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from nurture.files.data_file import DataFile, FileRow
from nurture.rules.intake.row_parser import CellError

OURS = "nurture: "  # how the columns begin that we put before a rejected row
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what begins with these
LONGEST = 32_000  # what a spreadsheet takes in one cell


class RejectsFile:
    """Opened with the first row that is written to it; a file without rejects leaves none. Rows that were left out for
    another reason have a file of their own, in the same shape.

    UTF-8 with its mark, so that a spreadsheet reads the names right; only its owner may read it, for it names people.
    """

    def __init__(self, path: Path, folder: Path, source: DataFile, now: datetime, about: str = "rejects") -> None:
        stem = re.sub(
            r"\.(rejects|left-out)-[\d-]+$",
            "",
            re.sub(r"(\.(csv|tsv|txt|parquet|xlsx|xls|ods))?(\.gz)?$", "", path.name),
        )
        self.source = source
        self.folder = folder
        self.stem = f"{stem}.{about}-{now:%Y%m%d-%H%M%S}"
        self.name: str | None = None
        self.target: IO[str] | None = None
        self.writer: Any = None

    def __enter__(self) -> "RejectsFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.target:
            self.target.close()

    def write(self, row: FileRow, errors: Sequence[CellError]) -> None:
        """Add a row with what was wrong with it; the first one creates the file."""
        outcome = "not imported" if any(error.fatal for error in errors) else "imported without it"
        self._write(row, errors, outcome)

    def write_left_out(self, row: FileRow, why: str) -> None:
        """Add a row that is not imported, though nothing is wrong with it."""
        self._write(row, [CellError(row.line, "", "", why)], "left out")

    def _write(self, row: FileRow, errors: Sequence[CellError], outcome: str) -> None:
        if not self.target:
            self._begin()
        ours = [
            str(row.line),
            " | ".join(error.column for error in errors),
            " | ".join(error.value for error in errors),
            " | ".join(error.why for error in errors),
            outcome,
        ]
        self.writer.writerow([_safe(cell) for cell in (*ours, *row.cells)])

    def _begin(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.stem}.csv"
        n = 1
        while path.exists():  # never over a file that somebody may be mending
            n += 1
            path = self.folder / f"{self.stem}-{n}.csv"
        self.target = os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8-sig", newline=""
        )
        self.writer = csv.writer(self.target, delimiter=self.source.separator)
        names = ("line", "column", "value", "reason", "outcome")
        self.writer.writerow([*(OURS + n for n in names), *map(guard, self.source.header)])
        self.name = str(path)


def without_our_columns(file: DataFile) -> DataFile:
    """A rejects file that comes back: our columns are left out, and what we guarded from spreadsheets is itself again.

    Its rows keep the lines they had in the file they came from.
    """
    if OURS + "line" not in file.header:
        return file
    theirs = [i for i, h in enumerate(file.header) if not h.startswith(OURS)]
    at = file.header.index(OURS + "line")
    width = len(file.header)

    def rows() -> Iterator[FileRow]:
        for row in file.rows():
            cells = row.cells
            line = int(cells[at]) if len(cells) > at and cells[at].isdigit() else row.line
            kept = [unguard(cells[i]) for i in theirs if i < len(cells)]
            yield FileRow(line, kept + cells[width:], row.broken)

    return replace(file, header=[unguard(file.header[i]) for i in theirs], rows=rows, every_row=rows)


def guard(cell: str) -> str:
    """So that a spreadsheet shows a formula instead of running it."""
    return f"'{cell}" if cell.lstrip("'").startswith(FORMULA) else cell


def unguard(cell: str) -> str:
    """The cell as it was before `guard`."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA) else cell


def _safe(cell: str) -> str:
    cell = cell if len(cell) <= LONGEST else f"{cell[:LONGEST]}… ({len(cell):,} characters)"
    return guard(cell.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode())
