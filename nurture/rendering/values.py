"""What a template may be given: texts, numbers, dates, and lists and dicts of these. Nothing with its own methods."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from jinja2 import Undefined

Number: TypeAlias = int | float | Decimal
Value: TypeAlias = "str | Number | date | list[Value] | tuple[Value, ...] | dict[str, Value] | None"
Values: TypeAlias = Mapping[str, Value]  # a letter's, by the names its templates say: {"person": {"first_name": …}}
Given: TypeAlias = "Value | Undefined"  # what a filter is given: a misspelt placeholder arrives there, too


def dict_in(values: Values, name: str) -> dict[str, Value]:
    """The dict that stands under a name, itself and no copy; an empty one where there is none."""
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def text_in(values: Values, name: str, otherwise: str = "") -> str:
    """The text under a name; `otherwise` where there is none."""
    found = values.get(name)
    return found if isinstance(found, str) and found else otherwise
