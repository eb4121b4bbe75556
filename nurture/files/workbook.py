"""Workbooks (xlsx, xls, ods), read as they are through Polars' reader: the first sheet that holds a table."""

import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import polars

from nurture.files.data_file import DataFile, FileRow
from nurture.files.encoding import FileError, FileProbe
from nurture.files.table_shape import column_titles, without_footer
from nurture.files.typed_cells import TypedCell, written


def open_workbook(path: Path, probe: FileProbe, decimal: str, header_line: int | None) -> DataFile | None:
    """The first sheet with more than one row; None where the file is no workbook. Its rows have the numbers that the
    spreadsheet shows. Raises FileError where it is empty.

    `decimal`: how numbers are to be written, "." or ",".
    """
    table = _first_sheet(path)
    if table is None:
        return None
    rows = [[_cell(value, decimal) for value in row] for row in table.iter_rows()]
    filled = [sum(map(bool, row)) for row in rows]
    if not any(filled):
        raise FileError(path.name, "is empty", "Its first row should name the columns.")
    usual = sorted(filter(None, filled))[sum(map(bool, filled)) // 2]
    place = header_line - 1 if header_line else next(i for i, n in enumerate(filled) if n >= max(1, usual * 0.6))
    width = max((i + 1 for row in rows[place:] for i, cell in enumerate(row) if cell), default=0)
    header = column_titles([" ".join(cell.split()) for cell in rows[place][:width]])

    notes: list[int] = []

    def every_row() -> Iterator[FileRow]:
        return (FileRow(n, row[:width]) for n, row in islice(enumerate(rows, 1), place + 1, None) if any(row))

    def below() -> Iterator[FileRow]:
        return without_footer(every_row(), width, notes)

    return DataFile(path, header, probe.sha256, probe.size, "workbook", ",", "row", below, every_row, place + 1, notes)


def _first_sheet(path: Path) -> polars.DataFrame | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library about itself
        try:
            sheets = polars.read_excel(
                path, sheet_id=0, has_header=False, infer_schema_length=None, drop_empty_rows=False,
                drop_empty_cols=False, raise_if_empty=False,
            )  # fmt: skip
        except Exception:
            return None
    tables = [table for table in sheets.values() if table.height]
    return next((table for table in tables if table.height > 1), tables[0] if tables else None)


def _cell(value: TypedCell, decimal: str) -> str:
    """As the spreadsheet shows it: a day without a time is a day."""
    text = written(value, decimal).strip()
    return text.removesuffix(" 00:00:00") if len(text) == 19 else text
