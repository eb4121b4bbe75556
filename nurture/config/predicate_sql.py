"""A checked predicate in a database's own words, so that SQLite and PostgreSQL answer with the same people."""

from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp

from nurture.config.predicate import COMPARED, COMPUTED, key_of
from nurture.runtime.sqlite_functions import NUMBER, lower


@dataclass(frozen=True, slots=True)
class Target:
    """The database a predicate is written for: its dialect, and the collation that maps case in every alphabet."""

    dialect: str  # "sqlite" or "postgresql"
    collation: str = ""
    texts: frozenset[str] = frozenset()  # the columns that are text


@lru_cache(1024)
def written_for(predicate: str, target: Target) -> str:
    """A predicate without problems in a database's own words. The same text gives the same words."""
    tree = sqlglot.parse_one(f"SELECT 1 WHERE {predicate}").args["where"].this
    return _written(tree, target)


def _written(node: exp.Expr, target: Target) -> str:
    """One node in the target's words. Numbers are computed as floating point in both, and nothing is divided by 0."""

    def w(of: exp.Expr) -> str:
        return _written(of, target)

    match node:
        case exp.Paren():
            return f"({w(node.this)})"
        case exp.Column():
            return str(node.name.lower())
        case exp.Literal():
            return _text(node.this) if node.is_string else str(node.this)
        case exp.Null():
            return "NULL"
        case exp.Neg():
            return f"(- {w(node.this)})"
        case exp.Lower() | exp.Upper():
            return _cased("lower" if isinstance(node, exp.Lower) else "upper", w(node.this), target)
        case exp.Coalesce():
            return f"COALESCE({', '.join(w(part) for part in (node.this, *node.expressions))})"
        case exp.JSONExtractScalar():
            return _trait_written(node, target)
        case exp.Cast():
            return _number(w(node.this), target)
        case exp.Div():
            return f"({_float(w(node.this), target)} / NULLIF({_float(w(node.expression), target)}, 0))"
        case _ if type(node) in COMPUTED:
            sides = (_float(w(side), target) for side in (node.this, node.expression))
            return f"({f' {COMPUTED[type(node)]} '.join(sides)})"
        case _:
            return _condition(node, target)


def _condition(node: exp.Expr, target: Target) -> str:
    """A condition; those within it stand in parentheses."""

    def w(of: exp.Expr) -> str:
        return _written(of, target)

    match node:
        case exp.Boolean():
            return "TRUE" if node.this else "FALSE"
        case exp.And() | exp.Or():
            word = "AND" if isinstance(node, exp.And) else "OR"
            return f" {word} ".join(f"({w(part)})" for part in node.flatten())
        case exp.Not():
            return f"NOT ({w(node.this)})"
        case exp.Is():
            return f"{w(node.this)} IS NULL"
        case exp.In():
            return f"{w(node.this)} IN ({', '.join(w(part) for part in node.expressions)})"
        case exp.Between():
            return " AND ".join(_compared(node.this, sign, node.args[end], target)
                                for sign, end in ((">=", "low"), ("<=", "high")))  # fmt: skip
        case exp.Like() | exp.ILike():
            return _liked(node, target)
        case _:
            return _compared(node.this, COMPARED[type(node)], node.expression, target)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _compared(left: exp.Expr, sign: str, right: exp.Expr, target: Target) -> str:
    """Text is put in order by its code points in both databases: PostgreSQL's own order is the operating system's."""
    one, other = _written(left, target), _written(right, target)
    if target.dialect == "postgresql" and sign not in ("=", "<>") and any(_is_text(s, target) for s in (left, right)):
        one, other = f'{one} COLLATE "C"', f'{other} COLLATE "C"'
    return f"{one} {sign} {other}"


def _is_text(side: exp.Expr, target: Target) -> bool:
    match side.unnest():
        case exp.Lower() | exp.Upper() | exp.JSONExtractScalar():
            return True
        case exp.Literal() as value:
            return bool(value.is_string)
        case exp.Column() as column:
            return column.name.lower() in target.texts
        case exp.Coalesce() as first:
            return any(_is_text(part, target) for part in (first.this, *first.expressions))
        case _:
            return False


def _liked(node: exp.Like | exp.ILike, target: Target) -> str:
    value, pattern = _written(node.this, target), _text(node.expression.this)
    if isinstance(node, exp.ILike):
        value = _cased("lower", value, target)
        pattern = _text(lower(node.expression.this) or "")
    if target.dialect == "sqlite":
        return f"nurture_like({value}, {pattern})"
    return f"{value} LIKE {pattern}"


def _cased(name: str, value: str, target: Target) -> str:
    if target.dialect == "sqlite":
        return f"nurture_{name}({value})"
    return f'{name}({value} COLLATE "{target.collation}")' if target.collation else f"{name}({value})"


def _float(value: str, target: Target) -> str:
    return f"CAST({value} AS {'DOUBLE PRECISION' if target.dialect == 'postgresql' else 'REAL'})"


def _trait_written(node: exp.JSONExtractScalar, target: Target) -> str:
    column, key = node.this.name.lower(), _text(key_of(node))
    return f"({column} ->> {key})" if target.dialect == "postgresql" else f"nurture_trait({column}, {key})"


def _number(text: str, target: Target) -> str:
    if target.dialect == "sqlite":
        return f"nurture_number({text})"
    return f"CASE WHEN {text} ~ '{NUMBER.pattern}' THEN CAST({text} AS DOUBLE PRECISION) END"
