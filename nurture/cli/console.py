"""What every command shares: where words go (tables to stdout, progress to stderr), JSON, errors, the database."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from nurture.runtime.settings import Settings

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
At = Annotated[datetime | None, typer.Option("--at", help="Act as if it were this moment (UTC).", show_default=False)]


def here(at: datetime | None = None) -> "tuple[Settings, Engine, datetime]":
    """The settings, the database brought up to date, and now."""
    from datetime import UTC

    from nurture.runtime import database
    from nurture.runtime.settings import settings

    ours = settings()
    engine = database.here()
    database.prepare(engine)
    return ours, engine, at.replace(tzinfo=UTC) if at else ours.clock()


def say_error(sentence: str) -> None:
    """One sentence on stderr, with a red cross."""
    err.print(f"[red]✗[/] {escaped(sentence)}")


def escaped(text: str) -> str:
    """Text of somebody else's, so that its brackets are not read as colours."""
    from rich.markup import escape

    return escape(text)


def print_json(document: Any) -> None:
    """One JSON document. Typed rows become objects, moments ISO text, what JSON does not know its text."""
    print(json.dumps(_plain(document), ensure_ascii=False, indent=1))


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: _plain(one) for name, one in zip(value._fields, value, strict=True)}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, str | int | float):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


Cell = str | int | float | None


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], title: str | None = None) -> None:
    """A table that reads on a narrow terminal. Columns whose name begins with # are figures."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    for name in columns:
        figure = name.startswith("#")
        table.add_column(name.lstrip("#"), justify="right" if figure else "left", no_wrap=figure,
                         overflow="fold")  # fmt: skip
    for row in rows:
        table.add_row(
            *(f"{value:,}" if isinstance(value, int) else escaped("" if value is None else str(value)) for value in row)
        )
    Console(highlight=False).print(table)


def explained(error: Exception) -> str | None:
    """An error we foresee, in a sentence; None for a bug of ours."""
    from pydantic import ValidationError
    from sqlalchemy.exc import DBAPIError

    if isinstance(error, ValidationError):
        wrong = error.errors()[0]
        where = ".".join(str(part) for part in wrong["loc"])
        return f"the setting NURTURE_{where.upper()} is not right: {wrong['msg']}. See .env.example."
    if isinstance(error, DBAPIError):
        return f"the database says: {str(error.orig).strip()}. Nothing half done was kept; `nurture doctor` tells more."
    if type(error).__module__.split(".")[0] in ("nurture", "tasks", "flows"):
        return str(error)  # our own exceptions carry what happened, where, and the mend
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return None
