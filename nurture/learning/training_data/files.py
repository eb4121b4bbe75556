"""A customer's file as a frame: CSV in any dress (through nurture.reading) or Parquet, every row kept in its place."""

import tomllib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from nurture.files.encoding import FileError
from nurture.files.reader import open_file

BATCH = 50_000  # rows held as Python text at a time
KEYS = ("ignore", "keep", "time", "group", "positive", "negative", "rules")


@dataclass(frozen=True)
class Wishes:
    """The table [train] of a mapping file."""

    ignore: tuple[str, ...] = ()  # columns never learned from
    keep: tuple[str, ...] = ()  # columns learned from although they look like leaks
    time: str | None = None  # when the lead was as this row says
    group: str | None = None  # rows of one person or account
    positive: str | None = None
    negative: tuple[str, ...] = ()
    rules: str | None = None  # a score the customer already has, to be compared with


class WishError(ValueError):
    """The mapping's [train] table cannot be followed. The message names the key and what to write instead."""


def read_frame(path: Path) -> pl.DataFrame:
    """The file's rows in their order; CSV cells are text, empty ones null. Raises FileError."""
    with path.open("rb") if path.is_file() else _missing(path) as file:
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


def _missing(path: Path) -> Any:
    raise FileError(str(path), "there is no such file")


def read_wishes(path: Path | None) -> Wishes:
    """The optional [train] table; other tables of the mapping are for intake. Raises WishError."""
    if path is None:
        return Wishes()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig")).get("train", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise WishError(f"{path.name} cannot be read as TOML: {error}") from None
    if not isinstance(table, dict):
        raise WishError(f"{path.name}: train is a table: write [train] on a line of its own.")
    if strange := sorted(set(table) - set(KEYS)):
        raise WishError(f'{path.name}: [train] does not know "{strange[0]}". It knows {", ".join(KEYS)}.')
    names = {key: _names(path, key, table.get(key, [])) for key in ("ignore", "keep", "negative")}
    word = {key: _word(path, key, table[key]) for key in ("time", "group", "positive", "rules") if key in table}
    return Wishes(
        names["ignore"],
        names["keep"],
        word.get("time"),
        word.get("group"),
        word.get("positive"),
        names["negative"],
        word.get("rules"),
    )


def _names(path: Path, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise WishError(f'{path.name}: [train] {key} is a list of names: {key} = ["Tags", "Lead Quality"]')
    return tuple(value)


def _word(path: Path, key: str, value: object) -> str:
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else f"{value:g}"
    if not isinstance(value, str):
        raise WishError(f'{path.name}: [train] {key} is one name: {key} = "…"')
    return value
