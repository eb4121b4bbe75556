"""What a run pins to the board: a table or a page in Prefect, under one key per noun. Ids and counts, never people."""

from collections.abc import Mapping, Sequence
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

MOST_ROWS = 1_000  # what the page shows at once without trouble


def table(noun: str, rows: Sequence[Mapping[str, Any]], words: str) -> None:
    """A table under the noun's key; the board keeps every earlier one, so one can leaf back."""
    cells = [{name.replace("_", " "): _cell(value) for name, value in row.items()} for row in rows[:MOST_ROWS]]
    create_table_artifact(key=noun, table=cells or [{"nothing": "to do"}], description=words)


def page(noun: str, markdown: str, words: str) -> None:
    create_markdown_artifact(key=noun, markdown=markdown, description=words)


def _cell(value: Any) -> Any:
    """Prefect takes plain JSON only; a moment or a Decimal would fail the run that did its work."""
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
