"""A customer's file as a frame: CSV in any dress or Parquet, every row kept in its place."""

from itertools import islice
from pathlib import Path

import polars as pl

from nurture.files.encoding import FileError
from nurture.files.reader import open_file

BATCH = 50_000  # rows held as Python text at a time


def read_frame(path: Path) -> pl.DataFrame:
    """The file's rows in their order; CSV cells are text, empty ones null. Raises FileError."""
    if not path.is_file():
        raise FileError(str(path), "there is no such file")
    with path.open("rb") as file:
        parquet = file.read(4) == b"PAR1"
    if parquet:
        try:
            return pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise FileError(path.name, f"is not a Parquet file we can read ({str(error).splitlines()[0]})") from None
    opened = open_file(path)
    schema, width, rows = dict.fromkeys(opened.header, pl.String), len(opened.header), opened.rows()
    batches = [pl.DataFrame(schema=schema)]
    while cells := [(row.cells + [""] * width)[:width] for row in islice(rows, BATCH)]:
        batches.append(pl.DataFrame(cells, schema=schema, orient="row").with_columns(pl.all().replace("", None)))
    return pl.concat(batches)
