"""Cells of a typed file (Parquet, a workbook), as their author would have written them."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal

TypedCell = str | bytes | bool | int | float | Decimal | date | datetime | time | timedelta | None


def written(value: TypedCell, decimal: str) -> str:
    """A typed value as the file's author would have written it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value != value:
            return ""
        plain = str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        return plain.replace(".", decimal) if decimal == "," else plain
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
