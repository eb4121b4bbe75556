"""A file ready to be read: its header, and its rows one after the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class FileRow(NamedTuple):
    """A row as it stands in the file."""

    line: int  # where it begins, counted as an editor counts
    cells: list[str]
    broken: str = ""  # why it cannot be taken as a row; then `cells` are a best guess, for the rejects file
    tolerant: tuple[str, ...] = ()  # of a broken row: its cells as a reader sees them that forgives stray marks


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
    every_row: Callable[[], Iterator[FileRow]]  # also the notes below the table
    header_line: int = 1  # the line that names the columns
    notes: list[int] = field(default_factory=list)  # lines below the table that were left out, once it is read
    place: list[int] = field(default_factory=lambda: [0])  # bytes read so far

    @property
    def done(self) -> int:
        """Bytes read so far, for a progress bar; at most `size`."""
        return min(self.place[0], self.size)
