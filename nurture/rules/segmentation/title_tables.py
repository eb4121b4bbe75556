"""The tables that know what the words of a job title say: one file per language, departments, roles and personas."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from models.segment import ROLES
from nurture.rules.segmentation.phrase_matcher import PhraseMatcher, lexemes, words

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


class PhraseMeaning(NamedTuple):
    says: str  # a function, a level or a mark
    weight: float
    evidence: Evidence


class TitleRule(NamedTuple):
    """A row of roles.toml or personas.toml; an empty condition holds always."""

    name: str
    confidence: float
    functions: frozenset[str]
    seniority: frozenset[str]
    roles: frozenset[str]
    why: str

    def holds(self, function: str, seniority: str, role: str) -> bool:
        """Does the rule apply to somebody of this function, seniority and role?"""
        return all(
            not wanted or one in wanted
            for wanted, one in ((self.functions, function), (self.seniority, seniority), (self.roles, role))
        )


NO_TITLE_RULE = TitleRule(UNKNOWN, 0.0, frozenset(), frozenset(), frozenset(), "nothing in the title speaks for a role")


Meanings = dict[tuple[str, ...], PhraseMeaning]  # the lexemes of a phrase → what it says


@dataclass(frozen=True)
class TitleTables:
    """Loaded once. Small enough that every role and persona is decided beforehand; what was read is remembered."""

    functions: tuple[PhraseMeaning, ...]
    levels: tuple[PhraseMeaning, ...]
    function_matcher: PhraseMatcher  # numbers of `functions`
    level_matcher: PhraseMatcher  # numbers of `levels`
    written_out: Mapping[str, tuple[str, ...]]  # abbreviation or usual slip -> the words it stands for
    department_of: Mapping[str, str]  # function -> department
    role_of: Mapping[tuple[str, str], TitleRule]  # function, seniority
    persona_of: Mapping[tuple[str, str, str], TitleRule]  # function, seniority, role
    personas: tuple[str, ...] = ()  # all names, in the order of personas.toml
    remembered: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)


def load_tables(path: Path | None = None, personas: Path | None = None) -> TitleTables:
    """The shipped tables, or another folder with a file per language, departments.toml and roles.toml."""
    folder = path or TABLES
    departments = _toml(folder / "departments.toml")
    department_of = {function: department for department, names in departments.items() for function in names}
    functions: Meanings = {}
    levels: Meanings = {}
    of_function = _PhraseTable("function", department_of, functions)
    of_level, of_mark = _PhraseTable("seniority", LEVELS, levels), _PhraseTable("mark", MARKS, levels)
    written_out: dict[str, tuple[str, ...]] = {}
    for file in sorted(folder.glob("*.toml")):
        if file.name not in NOT_WORDS:
            table = _toml(file)
            for function, kinds in table.get("functions", {}).items():
                for kind, phrases in kinds.items():
                    of_function.add(function, phrases, file.name, STRENGTH[kind])
            for level, phrases in table.get("seniority", {}).items():
                of_level.add(level, phrases, file.name)
            for mark, phrases in table.get("marks", {}).items():
                of_mark.add(mark, phrases, file.name)
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
        function_matcher=PhraseMatcher(function_phrases, others=level_phrases),
        level_matcher=PhraseMatcher(level_phrases, others=function_phrases),
        written_out=written_out,
        department_of=department_of,
        role_of={pair: _first(role_rules, *pair) for pair in pairs},
        personas=tuple(rule.name for rule in persona_rules),
        persona_of={triple: _first(persona_rules, *triple) for triple in triples},
    )


def _first(rules: Sequence[TitleRule], function: str, seniority: str, role: str = "") -> TitleRule:
    return next((rule for rule in rules if rule.holds(function, seniority, role)), NO_TITLE_RULE)


@dataclass(slots=True)
class _PhraseTable:
    """Phrases of one kind, from all languages, and what each says. `allowed`: what they may say."""

    kind: str
    allowed: Collection[str]
    meanings: Meanings

    def add(self, says: str, phrases: Sequence[str], table: str, weight: float = 1.0) -> None:
        """Two languages may share a word but not disagree about it: a title does not say which language it is in."""
        if says not in self.allowed:
            raise ValueError(f"{table}: {says!r} is no {self.kind}; write one of {', '.join(sorted(self.allowed))}")
        _add(self.meanings, phrases, PhraseMeaning(says, weight, Evidence("", f"{self.kind} {says}", table)))


def _add(meanings: Meanings, phrases: Sequence[str], wanted: PhraseMeaning) -> None:
    for phrase in phrases:
        new = wanted._replace(evidence=replace(wanted.evidence, phrase=phrase))
        known = meanings.setdefault(lexemes(phrase), new)
        if known.says != wanted.says:
            raise ValueError(
                f"{wanted.evidence.table}: {phrase!r} says {wanted.says}, but {known.evidence.table} has it as "
                f"{known.says}; choose one of them, or write a longer phrase"
            )


def _settle(functions: Meanings) -> None:
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
) -> tuple[TitleRule, ...]:
    allowed = {"functions": {*functions, UNKNOWN}, "seniority": {*LEVELS}, "roles": {*ROLES, UNKNOWN}}
    for row in rows:
        for condition, vocabulary in allowed.items():
            if strange := set(row.get(condition, ())) - vocabulary:
                raise ValueError(f"{row['name']}: {sorted(strange)} in {condition}; write {sorted(vocabulary)}")
        if names and row["name"] not in names:
            raise ValueError(f"{row['name']!r} is no role; write one of {', '.join(names)}")
    return tuple(
        TitleRule(
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
