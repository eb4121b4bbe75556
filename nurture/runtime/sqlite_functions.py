"""What SQLite is taught so that a predicate means there what it means in PostgreSQL.

Its own LIKE and lower() know ASCII only, and it reads a JSON value with the value's own type.
"""

import re
from functools import lru_cache
from sqlite3 import Connection

import orjson

NUMBER = re.compile(r"^[+-]?[0-9]{1,15}([.][0-9]{1,15})?$")


def lower(text: str | None) -> str | None:
    """Small letters, one for one, in every alphabet: what PostgreSQL's `pg_c_utf8` does."""
    return None if text is None else "".join("i" if c == "İ" else c.lower() for c in str(text))


def upper(text: str | None) -> str | None:
    """Capital letters, one for one: ß has none of its own and stays."""
    return None if text is None else "".join(c if len(c.upper()) != 1 else c.upper() for c in str(text))


@lru_cache(1024)
def _pattern(text: str) -> re.Pattern[str]:
    parts, escaped = [], False
    for c in text:
        if escaped or c not in "%_\\":
            parts.append(re.escape(c))
            escaped = False
        elif c == "\\":
            escaped = True
        else:
            parts.append(".*" if c == "%" else ".")
    return re.compile("".join(parts), re.DOTALL)


def like(text: str | None, pattern: str) -> bool | None:
    """SQL's LIKE as PostgreSQL has it: capitals count, a backslash takes a sign's meaning."""
    return None if text is None else _pattern(pattern).fullmatch(str(text)) is not None


def trait(document: str | None, key: str) -> str | None:
    """One of a contact's own columns as text, as PostgreSQL's ->> gives it."""
    value = orjson.loads(document).get(key) if document else None
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def number(text: str | None) -> float | None:
    """A text as a number where it is one: digits, a sign, a point; anything else is nothing."""
    return float(text) if text is not None and NUMBER.match(text) and not text.endswith("\n") else None


def teach_sqlite(connection: Connection) -> None:
    """Gives a SQLite connection the functions that predicates use."""
    for name, function, arguments in (
        ("nurture_lower", lower, 1), ("nurture_upper", upper, 1), ("nurture_like", like, 2),
        ("nurture_trait", trait, 2), ("nurture_number", number, 1),
    ):  # fmt: skip
        connection.create_function(name, arguments, function, deterministic=True)
