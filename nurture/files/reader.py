"""Somebody's file, read as it is: any encoding and separator, packed or not, row by row, each with its true line."""

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Generator, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import polars

from nurture.files.data_file import DataFile, FileRow
from nurture.files.encoding import BLOCK, FileError, FileProbe, encoding_of, probe_file, unpacked
from nurture.files.other_formats import refuse_other_formats
from nurture.files.table_shape import column_titles, lines_above_header, separator_of, without_footer
from nurture.files.typed_cells import written
from nurture.files.workbook import open_workbook
from nurture.rules.intake.addresses import normalise

TOP = 60  # lines from which the shape of the table is told
FEW_LINES = 50
MOST_LINES = 1_000  # in one row; a row that goes on for longer is a quotation mark that was never closed
LONGEST_CELL = 64 << 20
BATCH = 20_000
WORKBOOKS = ("is an Excel workbook or a ZIP archive", "is an old Excel workbook")
NOT_TEXT = {
    b"PK\x03\x04": WORKBOOKS[0],
    b"\xd0\xcf\x11\xe0": WORKBOOKS[1],
    b"%PDF": "is a PDF",
}

NOT_DECODED = (
    "holds bytes that are not in the file's encoding (the row beside is our guess): save the file again as UTF-8"
)

csv.field_size_limit(LONGEST_CELL)


def open_file(
    path: Path, encoding: str | None = None, separator: str | None = None, decimal: str = "", header: int | None = None
) -> DataFile:
    """Find out how a file is written as far as nobody said, and read its header. Raises FileError.

    `decimal`: how the numbers of a typed file are to be written, "." or ",".
    """
    if not path.is_file():
        raise FileError(str(path), "there is no such file")
    probe = probe_file(path)
    if probe.parquet:
        return _parquet(path, probe, decimal)
    if not probe.head.strip(b"\0\xff\xfe\xef\xbb\xbf \t\r\n"):
        raise FileError(path.name, "is empty", "Its first line should name the columns.")
    for magic, what in NOT_TEXT.items():
        if probe.head.startswith(magic):
            if what in WORKBOOKS and (book := open_workbook(path, probe, decimal, header)):
                return _with_a_header(book)
            raise FileError(path.name, what, 'Open it and save it as "CSV UTF-8".')
    refuse_other_formats(path, probe)
    return _with_a_header(_csv(path, probe, encoding_of(path, probe, encoding), separator, header))


def _csv(path: Path, probe: FileProbe, encoding: str, separator: str | None, header_line: int | None) -> DataFile:
    suspicious = not probe.utf8 or encoding not in ("utf-8", "utf-8-sig")
    place = [0]
    notes: list[int] = []
    lines = partial(_decoded, path, probe, encoding, suspicious, place)
    opening = lines()
    top = list(islice(opening, TOP))
    opening.close()
    skip = 0
    if top[:1] and top[0].lower().startswith("sep=") and len(top[0].strip()) <= 5:  # Excel's own first line
        separator, skip = separator or top[0].rstrip("\r\n")[4:5], 1
    separator = separator or separator_of(top[skip:])
    above = lines_above_header(top[skip:], separator)
    skip = header_line - 1 if header_line else skip + above
    titles = next(_rows(lines, skip, separator, suspicious), FileRow(1, []))
    if titles.broken:
        raise FileError(path.name, f"the header: {titles.broken}")
    header = column_titles(titles.cells)

    def every_row() -> Iterator[FileRow]:
        below_header = _rows(lines, skip, separator, suspicious)
        next(below_header, None)
        return below_header

    def rows() -> Iterator[FileRow]:
        return without_footer(every_row(), len(header), notes)

    first = titles.line if above else 1
    return DataFile(
        path, header, probe.sha256, probe.size, encoding, separator, "line", rows, every_row, first, notes, place
    )


def _decoded(
    path: Path, probe: FileProbe, encoding: str, suspicious: bool, place: list[int]
) -> Generator[str, None, None]:
    """The file's lines as text; `place` gets the bytes read so far. Raises FileError where the encoding is another."""
    with unpacked(path, probe.packed) as file:
        below = getattr(file, "fileobj", None) or file  # of a packed file, the bytes that are on the disk
        errors = "surrogateescape" if suspicious and not encoding.startswith("utf-16") else "strict"
        try:
            text = io.TextIOWrapper(file, encoding, errors, newline="")
            for n, line in enumerate(text):
                if not n & 1023:
                    place[0] = below.tell()
                yield line
        except UnicodeDecodeError as error:
            raise FileError(
                path.name, f"is not {encoding} throughout ({error.reason})", "Save it again as UTF-8."
            ) from None
        place[0] = probe.size


def _with_a_header(file: DataFile) -> DataFile:
    """The file, or an error where its first line is data: then a person would be lost with it."""
    if any("@" in title and normalise(re.sub(r" \(\d+\)$", "", title)) for title in file.header):
        raise FileError(
            file.path.name,
            "has no header: its first line is an entry already",
            "Put a line above it that names the columns, such as: email, first name, company",
        )
    return file


class _Lines:
    """The lines of a file, one after the other; those that a broken row swallowed can be given back."""

    def __init__(self, source: Iterator[str]) -> None:
        self.source = source
        self.again: deque[str] = deque()  # to be read once more
        self.used: list[str] = []  # by the row that is being read

    def __iter__(self) -> Iterator[str]:
        used = self.used
        while self.again:
            used.append(self.again.popleft())
            yield used[-1]
        for line in self.source:
            used.append(line)
            if len(used) > MOST_LINES:
                raise csv.Error("never closed")
            yield line

    def give_back(self) -> str:
        """Keep only the first line of the row that is being read; the others are read once more."""
        first = self.used[0]
        self.again.extendleft(reversed(self.used[1:]))
        self.used.clear()
        return first


def _rows(
    lines: Callable[[], Generator[str, None, None]], skip: int, separator: str, suspicious: bool
) -> Iterator[FileRow]:
    """Rows with the line each begins on. A quotation mark that is never closed costs its own line, not the rest."""
    source = lines()
    for _ in range(skip):
        next(source, None)
    feed = _Lines(source)
    line = 1 + skip
    width = 0  # of the header
    reader = csv.reader(feed, delimiter=separator, strict=True)
    while True:
        try:
            cells = next(reader)
            width = width or len(cells)
            if len(feed.used) > 1 and len(cells) not in (0, width):
                raise csv.Error("closed elsewhere")  # by the next stray mark, rows later
        except StopIteration:
            return
        except csv.Error as error:
            if not feed.used:
                return
            tolerant = _tolerant(feed.used, separator, width)
            yield FileRow(line, _guess(feed.give_back(), separator), _why(error), tolerant)
            reader = csv.reader(feed, delimiter=separator, strict=True)  # the old one is spent
            line += 1
            continue
        if cells:
            if suspicious and any(not c.isascii() and _undecodable(c) for c in cells):
                yield FileRow(line, [_repaired(c) for c in cells], NOT_DECODED)
            else:
                yield FileRow(line, cells)
        line += len(feed.used)
        feed.used.clear()


def _why(error: csv.Error) -> str:
    said = str(error)
    if "expected after" in said:
        return 'a quotation mark stands inside a cell: write it twice ("") or take it out'
    if "field larger" in said:
        return f"a cell is longer than {LONGEST_CELL >> 20} MB"
    return "a quotation mark opens here and never closes: close it or take it out"


def _guess(line: str, separator: str) -> list[str]:
    """The cells of a line that is no good row, so that its author finds their way in it."""
    return [c.strip('"') for c in line.rstrip("\r\n").split(separator)] if len(line) < BLOCK else [line[:1000] + "…"]


def _tolerant(lines: list[str], separator: str, width: int) -> tuple[str, ...]:
    """The cells of a few lines that are no good row, when stray quotation marks are taken as they come; none
    unless they are as many as the header has."""
    if len(lines) > FEW_LINES or sum(map(len, lines)) > BLOCK:
        return ()
    try:
        cells = tuple(next(csv.reader(lines, delimiter=separator), ()))
    except csv.Error:
        return ()
    return cells if len(cells) == width else ()


def _undecodable(cell: str) -> bool:
    return any("\udc80" <= c <= "\udcff" for c in cell)


def _repaired(cell: str) -> str:
    """Read the strange bytes as Windows would."""
    raw = cell.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _parquet(path: Path, probe: FileProbe, decimal: str) -> DataFile:
    try:
        lazy = polars.scan_parquet(path)
        header = column_titles(lazy.collect_schema().names())
        total = lazy.select(polars.len()).collect().item()
    except (polars.exceptions.PolarsError, OSError) as error:
        raise FileError(path.name, f"is not a Parquet file we can read ({str(error).splitlines()[0]})") from None
    place = [0]

    def rows() -> Iterator[FileRow]:
        for start in range(0, total, BATCH):
            for n, row in enumerate(lazy.slice(start, BATCH).collect().iter_rows(), start + 1):
                yield FileRow(n, [written(value, decimal) for value in row])
            place[0] = probe.size * min(start + BATCH, total) // total

    return DataFile(path, header, probe.sha256, probe.size, "parquet", ",", "row", rows, rows, place=place)
