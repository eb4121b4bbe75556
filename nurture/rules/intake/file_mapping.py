"""What each column of somebody's file means: a mapping as a value. `nurture.files.mapping` reads it from TOML."""

from dataclasses import dataclass, field
from typing import Literal

from nurture.rules.intake.cell_parsers import CellFormat
from nurture.rules.intake.fields import Kind

PLAIN = CellFormat()
LINE = "line"  # {line} in a template: the row's line in the file


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """Where a cell comes from: one column, several joined by a space, or a template like "{id}@shop.example"."""

    columns: tuple[str, ...]
    template: str | None = None

    @property
    def title(self) -> str:
        """How the source is called in a report."""
        return self.template or " + ".join(self.columns)


@dataclass(frozen=True, slots=True)
class RowCondition:
    """A column and what stands in it: one of `values` (lower case), "" for an empty cell, "*" for any other."""

    column: str
    values: frozenset[str]

    def holds(self, cell: str) -> bool:
        """Whether a cell of the column meets the condition."""
        said = cell.strip().casefold()
        return said in self.values or (bool(said) and "*" in self.values)


@dataclass(frozen=True)
class FileMapping:
    """What each column of a file means."""

    kind: Kind
    columns: dict[str, ColumnSource]
    constants: dict[str, str] = field(default_factory=dict)  # for a field without a column, or with an empty cell
    values: dict[str, dict[str, str]] = field(default_factory=dict)  # field → {what the file says: what we say}
    traits: tuple[str, ...] | Literal["rest"] = "rest"
    encoding: str | None = None
    separator: str | None = None
    cell_format: CellFormat = PLAIN
    file: str = "the mapping"  # where it stands, for error messages
    header: int | None = None  # the line that names the columns, where the file has something above it
    where: tuple[RowCondition, ...] = ()  # only rows that meet all of them are imported
    unless: tuple[RowCondition, ...] = ()  # rows that meet one of them are left out
    undecided: tuple[str, ...] = ()  # columns that might say no, and nobody has looked at them yet
    not_consent: tuple[str, ...] = ()  # columns that look as if they said yes or no to e-mail, and do not

    def title_of(self, name: str) -> str:
        """The column that a field comes from, as a report calls it; empty where there is none."""
        source = self.columns.get(name)
        return source.title if source else ""
