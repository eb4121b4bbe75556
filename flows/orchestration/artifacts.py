"""What a run shows in Prefect: a table or a page as an artifact, one key per noun. Ids and counts, never people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from prefect.artifacts import create_markdown_artifact, create_table_artifact

MOST_ROWS = 1_000  # what the page shows at once without trouble

Plain = str | int | float | bool | None
Cell = Plain | datetime | Decimal | Path


def create_table(noun: str, rows: Sequence[Mapping[str, Cell]], words: str) -> None:
    """A table as an artifact under the noun's key; Prefect keeps every earlier one, so one can leaf back."""
    cells = [{name.replace("_", " "): _plain(value) for name, value in row.items()} for row in rows[:MOST_ROWS]]
    create_table_artifact(key=noun, table=cells or [{"nothing": "to do"}], description=words)


def create_page(noun: str, markdown: str, words: str) -> None:
    """A Markdown page as an artifact under the noun's key."""
    create_markdown_artifact(key=noun, markdown=markdown, description=words)


def _plain(value: Cell) -> Plain:
    """Prefect takes plain JSON only; a datetime or a Decimal would fail the run that did its work."""
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
