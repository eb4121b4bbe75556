"""A predicate of campaign.toml: checked for what it compares with what, and written so that both databases agree.

A predicate is the part of SQL after WHERE, over the columns of the audience view. What this module lets through, the
database takes; SQLite and PostgreSQL answer with the same people, also beyond ASCII (`tests/config/test_predicate.py`
asks both about random predicates).
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum

import sqlglot
from sqlglot import exp

MOST_NODES = 300  # a predicate longer than this is a mistake or an attack
MOST = 1e15  # the largest number, so that nothing overflows in either database
MOST_NESTED = 40  # parentheses and operators within each other: databases give up at a hundred
TRAIT = "traits"  # the column of the customer's own columns: traits ->> 'Favourite colour'
EXAMPLE = "write it like  industry = 'Chemicals' AND clicks_30d >= 1"


class ValueKind(StrEnum):
    """What a column or an expression is, so that like is compared with like."""

    TEXT = "text"
    NUMBER = "number"
    MOMENT = "moment"
    TRAITS = "traits"
    CONDITION = "condition"
    NULL = "null"


class Mismatch(ValueError):
    """Something that cannot be compared or computed. The text says what to write instead."""


def problems(predicate: str, columns: Mapping[str, ValueKind]) -> list[str]:
    """What is wrong with a predicate, in the words of its author; empty when both databases can be asked.

    `columns`: the names that may be used, in lower case, each with its kind.
    """
    try:
        tree = sqlglot.parse_one(f"SELECT 1 WHERE {predicate}")
    except RecursionError:
        return ["is nested too deeply: take out parentheses"]
    except sqlglot.errors.SqlglotError as error:
        first = (getattr(error, "errors", None) or [{}])[0]
        near = str(first.get("highlight") or "").strip()
        return [f"cannot be read near {near!r}: {EXAMPLE}"]
    where = tree.args.get("where")
    extra = [name for name, value in tree.args.items() if value and name not in {"expressions", "where", "kind"}]
    if not isinstance(tree, exp.Select) or where is None or extra:
        return ["only a condition is allowed here, nothing after it"]
    if "\0" in predicate:
        return ["holds a character that no database takes (NUL)"]
    count, deepest = _size(where.this)
    if count > MOST_NODES:
        return [f"is too long ({count} parts, {MOST_NODES} at most)"]
    if deepest > MOST_NESTED:
        return [f"is nested too deeply ({deepest} levels, {MOST_NESTED} at most): take out parentheses"]
    found = list(_unknown_columns(where.this, columns))
    if found:
        return found
    try:
        if (kind := _kind(where.this, columns)) is not ValueKind.CONDITION:
            return [f"{where.this.sql()} is a {kind}, not a condition: {EXAMPLE}"]
    except Mismatch as mismatch:
        return [str(mismatch)]
    return []


def _size(tree: exp.Expr) -> tuple[int, int]:
    """How many nodes, and how many of them lie within each other at most; a chain of AND or OR is one level."""
    count, deepest, waiting = 0, 0, [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        count, deepest = count + 1, max(deepest, depth)
        for child in node.iter_expressions():
            same = isinstance(node, exp.And | exp.Or) and type(child) is type(node)
            waiting.append((child, depth + (not same)))
    return count, deepest


def _unknown_columns(tree: exp.Expr, columns: Mapping[str, ValueKind]) -> Iterator[str]:
    for column in tree.find_all(exp.Column):
        name = column.name
        if column.table:
            yield f"column {column.sql()!r}: write {name!r} alone"
        elif name.lower() not in columns:
            near = get_close_matches(name.lower(), columns, 1)
            hint = f", did you mean {near[0]!r}?" if near else "; docs/audience.md lists the columns"
            yield f"there is no column {name!r}{hint}"


COMPARED: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
}
COMPUTED: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}


def _kind(node: exp.Expr, columns: Mapping[str, ValueKind]) -> ValueKind:
    """What an expression is. Raises Mismatch where it makes no sense."""
    match node:
        case exp.Paren():
            return _kind(node.this, columns)
        case exp.Column():
            return columns[node.name.lower()]
        case exp.Literal():
            if not node.is_string and not abs(float(node.this)) < MOST:
                raise Mismatch(f"{node.sql()} is too large a number")
            return ValueKind.TEXT if node.is_string else ValueKind.NUMBER
        case exp.Boolean():
            return ValueKind.CONDITION
        case exp.Null():
            return ValueKind.NULL
        case exp.Lower() | exp.Upper():
            _all(ValueKind.TEXT, columns, node.this)
            return ValueKind.TEXT
        case exp.Coalesce():
            return _common_kind(node, columns, node.this, *node.expressions)
        case exp.JSONExtractScalar():
            return _trait(node, columns)
        case exp.Cast():
            return _cast(node)
        case exp.Neg():
            _all(ValueKind.NUMBER, columns, node.this)
            return ValueKind.NUMBER
        case _ if type(node) in COMPUTED:
            _all(ValueKind.NUMBER, columns, node.this, node.expression)
            return ValueKind.NUMBER
        case _:
            _check_condition(node, columns)
            return ValueKind.CONDITION


def _check_condition(node: exp.Expr, columns: Mapping[str, ValueKind]) -> None:
    """Is it a condition whose parts can be compared? Raises Mismatch where not."""
    match node:
        case exp.And() | exp.Or():
            _all(ValueKind.CONDITION, columns, node.left, node.right)
        case exp.Not():
            _all(ValueKind.CONDITION, columns, node.this)
        case exp.Is():
            _check_is(node, columns)
        case exp.In():
            _check_in(node, columns)
        case exp.Between():
            _common_kind(node, columns, node.this, node.args["low"], node.args["high"])
        case exp.Like() | exp.ILike():
            _check_like(node, columns)
        case _ if type(node) in COMPARED:
            _common_kind(node, columns, node.this, node.expression)
        case _:
            raise Mismatch(f"{node.sql()!r} is not allowed in a condition")


def _all(wanted: ValueKind, columns: Mapping[str, ValueKind], *parts: exp.Expr) -> None:
    for part in parts:
        if (kind := _kind(part, columns)) is not wanted and kind is not ValueKind.NULL:
            raise Mismatch(f"{part.sql()} is a {kind} where a {wanted} is wanted{_mend(part, wanted)}")


def _common_kind(node: exp.Expr, columns: Mapping[str, ValueKind], *parts: exp.Expr) -> ValueKind:
    """All parts are text, or all are numbers; NULL goes with either. Returns which."""
    kinds = {part.sql(): _kind(part, columns) for part in parts}
    known = {kind for kind in kinds.values() if kind is not ValueKind.NULL}
    if ValueKind.MOMENT in known:
        name = next(sql for sql, kind in kinds.items() if kind is ValueKind.MOMENT)
        raise Mismatch(f"{name} is a moment: write {name} IS NULL or {name} IS NOT NULL")
    if known & {ValueKind.CONDITION, ValueKind.TRAITS}:
        name, kind = next((sql, kind) for sql, kind in kinds.items() if kind in (ValueKind.CONDITION, ValueKind.TRAITS))
        mend = f": name the one you mean, {TRAIT} ->> 'colour'" if kind is ValueKind.TRAITS else ""
        raise Mismatch(f"{name} is a {kind} and cannot be compared{mend}")
    if len(known) > 1:
        text, number = (
            next(sql for sql, kind in kinds.items() if kind is k) for k in (ValueKind.TEXT, ValueKind.NUMBER)
        )
        raise Mismatch(f"{node.sql()}: {text} is text and {number} is a number{_quoted(text, number)}")
    return known.pop() if known else ValueKind.NULL


def _quoted(text: str, number: str) -> str:
    if re.fullmatch(r"'\s*-?[\d.]+\s*'", text):
        return f"; write {text.strip(chr(39)).strip()} without quotation marks"
    return f"; write '{number}' in quotation marks" if re.fullmatch(r"-?[\d.]+", number) else ""


def _mend(part: exp.Expr, wanted: ValueKind) -> str:
    return f": {EXAMPLE}" if wanted is ValueKind.CONDITION and isinstance(part, exp.Column | exp.Literal) else ""


def _check_is(node: exp.Is, columns: Mapping[str, ValueKind]) -> None:
    if not isinstance(node.expression, exp.Null):
        raise Mismatch(f"{node.sql()}: only IS NULL and IS NOT NULL are understood")
    if _kind(node.this, columns) is ValueKind.CONDITION:
        raise Mismatch(f"{node.sql()}: a condition is true or false, ask IS NULL of a column")


def _check_in(node: exp.In, columns: Mapping[str, ValueKind]) -> None:
    others = {name for name, value in node.args.items() if value and name not in ("this", "expressions")}
    if others or not node.expressions:
        raise Mismatch(f"{node.sql()}: write a list, {node.this.sql()} IN (…, …)")
    if any(isinstance(part, exp.Tuple | exp.Null) for part in (node.this, *node.expressions)):
        raise Mismatch(f"{node.sql()}: a list holds values only; NULL is asked with IS NULL")
    _common_kind(node, columns, node.this, *node.expressions)


def _check_like(node: exp.Like | exp.ILike, columns: Mapping[str, ValueKind]) -> None:
    _all(ValueKind.TEXT, columns, node.this, node.expression)
    pattern = node.expression
    if not (isinstance(pattern, exp.Literal) and pattern.is_string):
        raise Mismatch(f"{node.sql()}: a pattern is a text in quotation marks, '%pump%'")
    if len(pattern.this) - len(pattern.this.rstrip("\\")) & 1:
        raise Mismatch(f"{node.sql()}: a pattern cannot end with a backslash")


def _trait(node: exp.JSONExtractScalar, columns: Mapping[str, ValueKind]) -> ValueKind:
    if not (isinstance(node.this, exp.Column) and columns[node.this.name.lower()] is ValueKind.TRAITS and key_of(node)):
        raise Mismatch(f"{node.sql()}: a column of your own is asked as {TRAIT} ->> 'colour'")
    return ValueKind.TEXT


def key_of(node: exp.JSONExtractScalar) -> str:
    """The name of the trait that is asked for; empty where it is not one plain name."""
    path = node.expression
    keys = [part for part in path.expressions if not isinstance(part, exp.JSONPathRoot)] if path else []
    if len(keys) == 1 and isinstance(keys[0], exp.JSONPathKey) and isinstance(keys[0].this, str):
        return keys[0].this
    return ""


def _cast(node: exp.Cast) -> ValueKind:
    if node.to.this not in (exp.DataType.Type.DECIMAL, exp.DataType.Type.DOUBLE, exp.DataType.Type.FLOAT,
                            exp.DataType.Type.INT) or not isinstance(node.this, exp.JSONExtractScalar):  # fmt: skip
        raise Mismatch(f"{node.sql()}: only a column of your own can be read as a number, "
                       f"CAST({TRAIT} ->> 'age' AS NUMBER)")  # fmt: skip
    return ValueKind.NUMBER
