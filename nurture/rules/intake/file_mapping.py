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

    def title_of(self, name: str) -> str:
        """The column that a field comes from, as a report calls it; empty where there is none."""
        source = self.columns.get(name)
        return source.title if source else ""
