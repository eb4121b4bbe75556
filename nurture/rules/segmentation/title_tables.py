"""The tables that know what the words of a job title say: one file per language, departments, roles and personas."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from models.segment import ROLES
from nurture.rules.segmentation.phrase_matcher import Phrasebook, lexemes, words

LEVELS = ("Professional", "Junior", "Senior", "Lead", "Director", "Management")  # of several, the last one counts
MARKS = ("learner", "assistant", "second", "serves", "deputy", "former", "freelance", "reports", "link")
QUIET = ("reports", "link")  # they join other words and say nothing alone
UNKNOWN = "unknown"

TABLES = Path(__file__).with_name("title_words")
PERSONAS = Path(__file__).parents[3] / "templates" / "personas.toml"
ROLE_RULES = "roles.toml"
NOT_WORDS = ("departments.toml", ROLE_RULES)
STRENGTH = {"settles": 5.0, "job": 3.0, "field": 2.0, "hint": 1.0}


@dataclass(frozen=True, slots=True)
class Evidence:
    phrase: str  # as the table writes it: "einkauf*"
    says: str  # "function Purchasing", "seniority Lead", "mark former", "role purchaser"
    table: str  # the file it stands in


class Row(NamedTuple):
    says: str  # a function, a level or a mark
    weight: float
    evidence: Evidence


class Rule(NamedTuple):
    """A row of roles.toml or personas.toml; an empty condition holds always."""

    name: str
    confidence: float
    functions: frozenset[str]
    seniority: frozenset[str]
    roles: frozenset[str]
    why: str

    def holds(self, function: str, seniority: str, role: str) -> bool:
        return all(
            not wanted or one in wanted
            for wanted, one in ((self.functions, function), (self.seniority, seniority), (self.roles, role))
        )


NO_RULE = Rule(UNKNOWN, 0.0, frozenset(), frozenset(), frozenset(), "nothing in the title speaks for a role")


@dataclass(frozen=True)
class TitleTables:
    """Loaded once. Small enough that every role and persona is decided beforehand; what was read is remembered."""

    functions: tuple[Row, ...]
    levels: tuple[Row, ...]
    function_book: Phrasebook  # numbers of `functions`
    level_book: Phrasebook  # numbers of `levels`
    written_out: Mapping[str, tuple[str, ...]]  # abbreviation or usual slip -> the words it stands for
    department_of: Mapping[str, str]  # function -> department
    role_of: Mapping[tuple[str, str], Rule]  # function, seniority
    persona_of: Mapping[tuple[str, str, str], Rule]  # function, seniority, role
    personas: tuple[str, ...] = ()  # all names, in the order of personas.toml
    remembered: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)


def load_tables(path: Path | None = None, personas: Path | None = None) -> TitleTables:
    """The shipped tables, or another folder with a file per language, departments.toml and roles.toml."""
    folder = path or TABLES
    departments = _toml(folder / "departments.toml")
    department_of = {function: department for department, names in departments.items() for function in names}
    functions: dict[tuple[str, ...], Row] = {}
    levels: dict[tuple[str, ...], Row] = {}
    written_out: dict[str, tuple[str, ...]] = {}
    for file in sorted(folder.glob("*.toml")):
        if file.name not in NOT_WORDS:
            table = _toml(file)
            for function, kinds in table.get("functions", {}).items():
                for kind, phrases in kinds.items():
                    _add(functions, "function", function, phrases, file.name, STRENGTH[kind], department_of)
            for level, phrases in table.get("seniority", {}).items():
                _add(levels, "seniority", level, phrases, file.name, 1.0, LEVELS)
            for mark, phrases in table.get("marks", {}).items():
                _add(levels, "mark", mark, phrases, file.name, 1.0, MARKS)
            for meant, shorts in table.get("abbreviations", {}).items():
                _write_out(written_out, meant, shorts, file.name)
    role_rules = _rules(_toml(folder / ROLE_RULES)["rule"], department_of, ROLES)
    persona_rules = _rules(_toml(personas or PERSONAS)["persona"], department_of)
    pairs = [(function, level) for function in (*department_of, UNKNOWN) for level in LEVELS]
    triples = [(function, level, role) for function, level in pairs for role in (*ROLES, UNKNOWN)]
    function_phrases = [row.evidence.phrase for row in functions.values()]
    level_phrases = [row.evidence.phrase for row in levels.values()]
    _settle(functions)
    return TitleTables(
        functions=tuple(functions.values()),
        levels=tuple(levels.values()),
        function_book=Phrasebook(function_phrases, others=level_phrases),
        level_book=Phrasebook(level_phrases, others=function_phrases),
        written_out=written_out,
        department_of=department_of,
        role_of={pair: _first(role_rules, *pair) for pair in pairs},
        personas=tuple(rule.name for rule in persona_rules),
        persona_of={triple: _first(persona_rules, *triple) for triple in triples},
    )


def _first(rules: Sequence[Rule], function: str, seniority: str, role: str = "") -> Rule:
    return next((rule for rule in rules if rule.holds(function, seniority, role)), NO_RULE)


def _add(
    rows: dict[tuple[str, ...], Row],
    kind: str,
    says: str,
    phrases: Sequence[str],
    table: str,
    weight: float,
    allowed: Collection[str],
) -> None:
    """Two languages may share a word but not disagree about it: a title does not say which language it is in."""
    if says not in allowed:
        raise ValueError(f"{table}: {says!r} is no {kind}; write one of {', '.join(sorted(allowed))}")
    for phrase in phrases:
        known = rows.setdefault(lexemes(phrase), Row(says, weight, Evidence(phrase, f"{kind} {says}", table)))
        if known.says != says:
            raise ValueError(
                f"{table}: {phrase!r} says {says}, but {known.evidence.table} has it as {known.says};"
                " choose one of them, or write a longer phrase"
            )


def _settle(functions: dict[tuple[str, ...], Row]) -> None:
    """A longer phrase settles what a word in it settles: "jefe de compras" as much as "compras"."""
    settling: dict[str, list[str]] = {}
    for phrase, row in functions.items():
        if row.weight == STRENGTH["settles"] and len(phrase) == 1:
            settling.setdefault(row.says, []).append(phrase[0])
    for phrase, row in functions.items():
        if row.weight < STRENGTH["settles"] and any(
            _holds(word, lexeme) for word in settling.get(row.says, ()) for lexeme in phrase
        ):
            functions[phrase] = row._replace(weight=STRENGTH["settles"])


def _holds(word: str, lexeme: str) -> bool:
    bare, other = word.strip("*"), lexeme.strip("*")
    starts, ends = not word.startswith("*"), not word.endswith("*")
    return bare in other and (not starts or other.startswith(bare)) and (not ends or other.endswith(bare))


def _write_out(known: dict[str, tuple[str, ...]], meant: str, shorts: Sequence[str], table: str) -> None:
    whole = tuple(words(meant))
    for short in shorts:
        if known.setdefault("".join(words(short)), whole) != whole:
            before = " ".join(known["".join(words(short))])
            raise ValueError(f"{table}: {short!r} stands for {meant!r} and for {before!r}; choose one of them")


def _rules(
    rows: Sequence[Mapping[str, Any]], functions: Collection[str], names: Sequence[str] = ()
) -> tuple[Rule, ...]:
    allowed = {"functions": {*functions, UNKNOWN}, "seniority": {*LEVELS}, "roles": {*ROLES, UNKNOWN}}
    for row in rows:
        for condition, vocabulary in allowed.items():
            if strange := set(row.get(condition, ())) - vocabulary:
                raise ValueError(f"{row['name']}: {sorted(strange)} in {condition}; write {sorted(vocabulary)}")
        if names and row["name"] not in names:
            raise ValueError(f"{row['name']!r} is no role; write one of {', '.join(names)}")
    return tuple(
        Rule(
            row["name"],
            row.get("confidence", 0.95),
            functions=frozenset(row.get("functions", ())),
            seniority=frozenset(row.get("seniority", ())),
            roles=frozenset(row.get("roles", ())),
            why=row.get("why", ""),
        )
        for row in rows
    )


def _toml(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        return tomllib.load(opened)
