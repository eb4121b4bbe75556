"""Somebody's file, read as it is: any encoding and separator, packed or not, row by row, each with its true line."""

import csv
import io
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import polars

from nurture.files.encoding import BLOCK, FileError, FileProbe, encoding_of, probe_file, unpacked

SEPARATORS = (",", ";", "\t", "|")
MOST_LINES = 1_000  # in one row; a row that goes on for longer is a quotation mark that was never closed
LONGEST_CELL = 64 << 20
BATCH = 20_000
NOT_TEXT = {
    b"PK\x03\x04": "is an Excel workbook or a ZIP archive",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook",
    b"%PDF": "is a PDF",
}

csv.field_size_limit(LONGEST_CELL)


class FileRow(NamedTuple):
    line: int  # where it begins, counted as an editor counts
    cells: list[str]
    broken: str = ""  # why it cannot be taken as a row; then `cells` are a best guess, for the rejects file


@dataclass
class DataFile:
    """A file ready to be read: its header, and its rows one after the other."""

    path: Path
    header: list[str]
    sha256: str
    size: int
    encoding: str
    separator: str
    unit: str  # "line", or "row" where a file has no lines
    rows: Callable[[], Iterator[FileRow]]
    place: list[int] = field(default_factory=lambda: [0])  # bytes read so far

    @property
    def done(self) -> int:
        return min(self.place[0], self.size)


def open_file(path: Path, encoding: str | None = None, separator: str | None = None, decimal: str = "") -> DataFile:
    """Look at the file, find out how it is written as far as nobody said, and read its header."""
    if not path.is_file():
        raise FileError(str(path), "there is no such file")
    weighed = probe_file(path)
    if weighed.parquet:
        return _parquet(path, weighed, decimal)
    if not weighed.head.strip(b"\0\xff\xfe\xef\xbb\xbf \t\r\n"):
        raise FileError(path.name, "is empty", "Its first line should name the columns.")
    for magic, what in NOT_TEXT.items():
        if weighed.head.startswith(magic):
            raise FileError(path.name, what, 'Open it and save it as "CSV UTF-8".')
    return _csv(path, weighed, encoding_of(path, weighed, encoding), separator)


def _csv(path: Path, weighed: FileProbe, encoding: str, separator: str | None) -> DataFile:
    suspicious = not weighed.utf8 or encoding not in ("utf-8", "utf-8-sig")
    place = [0]

    def lines() -> Generator[str, None, None]:
        with unpacked(path, weighed.packed) as file:
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
            place[0] = weighed.size

    opening = lines()
    first = next(opening, "")
    skip = 0
    if first.lower().startswith("sep=") and len(first.strip()) <= 5:  # Excel's own first line
        separator, skip = separator or first.rstrip("\r\n")[4:5], 1
        first = next(opening, "")
    opening.close()
    separator = separator or _sniff(first)
    titles = next(_rows(lines, skip, separator, suspicious), FileRow(1, []))
    if titles.broken:
        raise FileError(path.name, f"the header: {titles.broken}")
    header = _titles(titles.cells)

    def rows() -> Iterator[FileRow]:
        below_header = _rows(lines, skip, separator, suspicious)
        next(below_header, None)
        return below_header

    return DataFile(path, header, weighed.sha256, weighed.size, encoding, separator, "line", rows, place)


def _sniff(first: str) -> str:
    """The separator that the header has most of, outside quotation marks."""
    outside = "".join(first.split('"')[::2])
    counts = Counter({s: outside.count(s) for s in SEPARATORS})
    best, n = counts.most_common(1)[0]
    return best if n else ","


def _titles(cells: list[str]) -> list[str]:
    """The columns' names: none empty, none twice."""
    names = [" ".join(c.split()) or f"column {i}" for i, c in enumerate(cells, 1)]
    twice = {n for n, count in Counter(names).items() if count > 1}
    seen: Counter[str] = Counter()
    titles = []
    for name in names:
        seen[name] += 1
        titles.append(f"{name} ({seen[name]})" if name in twice else name)
    return titles


def _rows(lines: Callable[[], Iterator[str]], skip: int, separator: str, suspicious: bool) -> Iterator[FileRow]:
    """Rows with the line each begins on. A quotation mark that is never closed costs its own line, not the rest."""
    source = lines()
    again: deque[str] = deque()  # lines to be read once more, after a row that swallowed them
    taken: list[str] = []  # lines of the row that is being read

    def feed() -> Iterator[str]:
        while True:
            line = again.popleft() if again else next(source, None)
            if line is None:
                return
            taken.append(line)
            if len(taken) > MOST_LINES:
                raise csv.Error("never closed")
            yield line

    for _ in range(skip):
        next(source, None)
    line = 1 + skip
    width = 0  # of the header
    reader = csv.reader(feed(), delimiter=separator, strict=True)
    while True:
        try:
            cells = next(reader)
            width = width or len(cells)
            if len(taken) > 1 and len(cells) not in (0, width):
                raise csv.Error("closed elsewhere")  # by the next stray mark, rows later
        except StopIteration:
            return
        except csv.Error as error:
            if not taken:
                return
            first = taken[0]
            again.extendleft(reversed(taken[1:]))
            yield FileRow(line, _guess(first, separator), _why(error))
            reader = csv.reader(feed(), delimiter=separator, strict=True)  # the old one is spent
            line += 1
            taken.clear()
            continue
        if cells:
            if suspicious and any(not c.isascii() and _undecodable(c) for c in cells):
                yield FileRow(
                    line,
                    [_repaired(c) for c in cells],
                    "holds bytes that are not in the file's encoding (the row beside is our "
                    "guess): save the file again as UTF-8",
                )
            else:
                yield FileRow(line, cells)
        line += len(taken)
        taken.clear()


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


def _undecodable(cell: str) -> bool:
    return any("\udc80" <= c <= "\udcff" for c in cell)


def _repaired(cell: str) -> str:
    """Read the strange bytes as Windows would."""
    raw = cell.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _parquet(path: Path, weighed: FileProbe, decimal: str) -> DataFile:
    try:
        lazy = polars.scan_parquet(path)
        header = _titles(lazy.collect_schema().names())
        total = lazy.select(polars.len()).collect().item()
    except (polars.exceptions.PolarsError, OSError) as error:
        raise FileError(path.name, f"is not a Parquet file we can read ({str(error).splitlines()[0]})") from None
    place = [0]

    def rows() -> Iterator[FileRow]:
        for start in range(0, total, BATCH):
            for n, row in enumerate(lazy.slice(start, BATCH).collect().iter_rows(), start + 1):
                yield FileRow(n, [_written(value, decimal) for value in row])
            place[0] = weighed.size * min(start + BATCH, total) // total

    return DataFile(path, header, weighed.sha256, weighed.size, "parquet", ",", "row", rows, place)


def _written(value: Any, decimal: str) -> str:
    """A typed value as the file's author would have written it."""
    if value is None:
        return ""
    if value.__class__ is str:
        return str(value)
    if value.__class__ is bool:
        return "true" if value else "false"
    if value.__class__ is float:
        if value != value:
            return ""
        plain = str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        return plain.replace(".", decimal) if decimal == "," else plain
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
