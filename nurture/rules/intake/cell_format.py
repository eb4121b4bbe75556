"""How a file writes numbers and dates, and what is said of a cell that cannot be read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InvalidCell:
    """Why a cell has no value: said to the person who made the file."""

    why: str


@dataclass(frozen=True, slots=True)
class CellFormat:
    """How this file writes numbers and dates, as far as its mapping says so."""

    decimal: str = ""  # "." or ","; empty: whatever cannot be misread
    dates: str = (
        ""  # "day-first", "month-first", "unix" or a pattern such as "%d %b %Y"; ISO dates are always understood
    )
    time_zone: str = "UTC"  # of moments that name none
