"""What a job title tells: department, seniority, role in the buying group, persona, and how sure we are."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from nurture.rules.phrases import REMEMBERED, Phrasebook, lexemes, words

DEPARTMENTS = (
    "Administrative", "Business Development", "Consulting", "Customer Support", "Human Resources",
    "Information Technology", "Marketing", "Other", "Project Management", "Purchasing", "Sales",
)  # fmt: skip
LEVELS = ("Professional", "Junior", "Senior", "Lead", "Director", "Management")  # the last one a title names wins
ROLES = (
    "specifier",
    "authorizer",
    "user",
    "purchaser",
    "finance",
    "champion",
    "gatekeeper",
)  # champion: never from a title
UNKNOWN = "unknown"

TABLES = Path(__file__).with_name("title_words")
PERSONAS = Path(__file__).parents[2] / "templates" / "personas.toml"
STRENGTH = {"job": 3.0, "field": 2.0, "hint": 1.0}  # the job itself, the field one works in, a word that goes with it
MARKS = ("learner", "assistant", "serves", "deputy", "former", "freelance", "link")
BREAKS = frozenset("/|;,()@:•·[]")
AT = frozenset({"@", "at", "bei", "chez", "presso", "hos"})  # what follows is an employer, not a job


@dataclass(frozen=True, slots=True)
class Evidence:
    phrase: str  # as the table writes it: "einkauf*"
    says: str  # "function Purchasing", "seniority Lead", "mark former", "role purchaser"
    table: str  # the file it stands in


@dataclass(frozen=True, slots=True)
class TitleReading:
    department: str  # one of DEPARTMENTS; "Other" also when nothing speaks, then with low confidence
    department_confidence: float
    seniority: str  # one of LEVELS
    seniority_confidence: float
    role: str  # one of ROLES or UNKNOWN
    role_confidence: float
    persona: str  # a name in personas.toml or UNKNOWN
    persona_confidence: float
    function: str  # finer than the department: "Maintenance" is "Other"; UNKNOWN when nothing speaks
    evidence: tuple[Evidence, ...]


class Row(NamedTuple):
    phrase: str
    table: str
    says: str  # a function, a level or a mark
    weight: float = 1.0


class Hits(NamedTuple):
    """One job of a title: which rows of the tables its words met."""

    employer: bool  # the words after "at", "bei", "@"
    functions: tuple[int, ...]
    levels: tuple[int, ...]


class Rule(NamedTuple):
    """One row of roles.toml or personas.toml; an empty condition holds always."""

    name: str
    confidence: float
    functions: frozenset[str]
    seniority: frozenset[str]
    roles: frozenset[str]
    why: str

    def holds(self, function: str, seniority: str, role: str = "") -> bool:
        return (
            (not self.functions or function in self.functions)
            and (not self.seniority or seniority in self.seniority)
            and (not self.roles or role in self.roles)
        )


@dataclass(frozen=True)
class TitleTables:
    """The tables of evidence, loaded once. They remember what was read: the same title costs nothing the second time."""

    functions: tuple[Row, ...]
    levels: tuple[Row, ...]
    department_of: MappingProxyType[str, str]  # function -> department
    roles: tuple[Rule, ...]
    personas: tuple[Rule, ...]
    titles: dict[str, TitleReading] = field(default_factory=dict, repr=False, compare=False)
    readings: dict[tuple[Hits, ...], TitleReading] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def function_book(self) -> Phrasebook:
        return Phrasebook((row.phrase for row in self.functions), (row.phrase for row in self.levels))

    @cached_property
    def level_book(self) -> Phrasebook:
        return Phrasebook((row.phrase for row in self.levels), (row.phrase for row in self.functions))


def load_tables(path: Path | None = None, personas: Path | None = None) -> TitleTables:
    """The shipped tables, or those of another folder: a file per language, departments.toml and roles.toml."""
    folder = path or TABLES
    departments = _toml(folder / "departments.toml")
    department_of = {function: department for department, names in departments.items() for function in names}
    functions: dict[tuple[str, ...], Row] = {}
    levels: dict[tuple[str, ...], Row] = {}
    for file in sorted(folder.glob("*.toml")):
        if file.name not in ("departments.toml", "roles.toml"):
            table = _toml(file)
            for function, kinds in table.get("functions", {}).items():
                for kind, phrases in kinds.items():
                    for phrase in phrases:
                        _add(functions, Row(phrase, file.name, function, STRENGTH[kind]), department_of)
            for level, phrases in (table.get("seniority", {}) | table.get("marks", {})).items():
                for phrase in phrases:
                    _add(levels, Row(phrase, file.name, level), (*LEVELS, *MARKS))
    return TitleTables(
        functions=tuple(functions.values()),
        levels=tuple(levels.values()),
        department_of=MappingProxyType(department_of),
        roles=_rules(_toml(folder / "roles.toml")["rule"], department_of, ROLES),
        personas=_rules(_toml(personas or PERSONAS)["persona"], department_of, None),
    )


def read_titles(titles: Sequence[str], tables: TitleTables) -> list[TitleReading]:
    """One reading per title, in order."""
    return [read_title(title, tables) for title in titles]


def read_title(title: str, tables: TitleTables) -> TitleReading:
    reading = tables.titles.get(title)
    if reading is None:
        for memory in (tables.titles, tables.readings):
            if len(memory) > REMEMBERED:
                memory.clear()
        hits = _hits(title, tables)
        reading = tables.readings.get(hits)
        if reading is None:
            reading = tables.readings[hits] = _read(hits, tables)
        tables.titles[title] = reading
    return reading


def buying_role(function: str, seniority: str, serves: bool, tables: TitleTables) -> tuple[str, float, str]:
    """The first row of roles.toml that holds: (role, confidence, why). Who serves somebody else guards the door."""
    if serves:
        return "gatekeeper", 0.9, "works for the person named"
    for rule in tables.roles:
        if rule.holds(function, seniority):
            return rule.name, rule.confidence, rule.why
    return UNKNOWN, 0.0, "nothing in the title speaks for a role"


def explain(reading: TitleReading) -> str:
    """A few lines one can read aloud."""
    function = f" ({reading.function})" if reading.function not in (UNKNOWN, reading.department) else ""
    lines = [
        f"department  {reading.department}{function}, {_sure(reading.department_confidence)}",
        f"seniority   {reading.seniority}, {_sure(reading.seniority_confidence)}",
        f"role        {reading.role}, {_sure(reading.role_confidence)}",
        f"persona     {reading.persona}, {_sure(reading.persona_confidence)}",
    ]
    because = [f"{one.phrase!r} → {one.says} ({one.table})" for one in reading.evidence]
    return "\n".join(
        lines
        + [f"because     {because[0]}" if because else "because     no word of it is in the tables"]
        + [f"            {one}" for one in because[1:]]
    )


def _sure(confidence: float) -> str:
    word = "surely" if confidence >= 0.8 else "probably" if confidence >= 0.5 else "perhaps"
    return f"{word} ({confidence:.0%})"


def _hits(title: str, tables: TitleTables) -> tuple[Hits, ...]:
    """The title cut where one job ends and the next begins, each with the rows its words meet."""
    jobs: list[Hits] = []
    line: list[str] = []
    employer = False
    find_functions, find_levels = tables.function_book.find, tables.level_book.find
    for word in (*words(title), "/"):
        ends = word in AT
        if ends or word in BREAKS or word[0] == " ":
            if line:
                job = Hits(employer, find_functions(line), find_levels(line))
                if job.functions or job.levels:
                    jobs.append(job)
                line = []
            employer = ends or (employer and word == ",")
        else:
            line.append(word)
    return tuple(jobs)


def _read(hits: tuple[Hits, ...], tables: TitleTables) -> TitleReading:
    jobs = [job for job in hits if not job.employer] or list(hits)
    held = [job for job in jobs if not _marked(job, "former", tables)]
    past = bool(jobs) and not held
    jobs = held or jobs
    levels = [_level(job, tables) for job in jobs]
    seniority, seniority_confidence, serves = (
        max(levels, key=lambda one: (one[1] > 0, LEVELS.index(one[0]))) if levels else ("Professional", 0.0, False)
    )
    function, department, department_confidence = _function(jobs, serves, tables)
    seniority_confidence = max(seniority_confidence, 0.6 if function != UNKNOWN else 0.3)
    role, sure, why = buying_role(function, seniority, serves, tables)
    role_confidence = sure * min(department_confidence, seniority_confidence) if sure else 0.0
    if past:
        role, role_confidence, why = UNKNOWN, 0.0, "the job is past"
        department_confidence, seniority_confidence = department_confidence / 2, seniority_confidence / 2
    persona, fits = next(
        ((rule.name, rule.confidence) for rule in tables.personas if rule.holds(function, seniority, role)),
        (UNKNOWN, 0.0),
    )
    evidence = [
        Evidence(row.phrase, f"{'function ' + row.says}", row.table) for row in _rows(jobs, "functions", tables)
    ]
    evidence += [
        Evidence(row.phrase, f"{'seniority' if row.says in LEVELS else 'mark'} {row.says}", row.table)
        for row in _rows(jobs, "levels", tables)
        if row.says != "link"
    ]
    evidence += [Evidence(why, f"role {role}", "roles.toml")]
    return TitleReading(
        department=department,
        department_confidence=round(department_confidence, 3),
        seniority=seniority,
        seniority_confidence=round(seniority_confidence, 3),
        role=role,
        role_confidence=round(role_confidence, 3),
        persona=persona,
        persona_confidence=round(
            fits * min(department_confidence, max(role_confidence, 0.5 * seniority_confidence)), 3
        ),
        function=function,
        evidence=tuple(dict.fromkeys(evidence)),
    )


def _rows(jobs: Sequence[Hits], kind: str, tables: TitleTables) -> list[Row]:
    table = tables.functions if kind == "functions" else tables.levels
    return [table[number] for job in jobs for number in getattr(job, kind)]


def _marked(job: Hits, mark: str, tables: TitleTables) -> bool:
    return any(tables.levels[number].says == mark for number in job.levels)


def _level(job: Hits, tables: TitleTables) -> tuple[str, float, bool]:
    """The seniority of one job, how sure, and whether it serves somebody else ("assistant to the CEO")."""
    says = [tables.levels[number].says for number in job.levels]
    named = [one for one in says if one in LEVELS]
    top = max(named, key=LEVELS.index, default="")
    sure = 0.95 if top else 0.0
    if "serves" in says:
        return top if top in ("Senior", "Lead") and says.index(top) < says.index("serves") else "Junior", 0.8, True
    if "assistant" in says:
        at = says.index("assistant")
        boss = top in ("Lead", "Director", "Management")
        modifies = (
            boss and at + 1 < len(says) and says[at + 1] in ("Director", "Management")
        )  # "assistant director": a director
        if boss and not modifies:
            return "Junior", 0.8, True
        return (top, 0.7, False) if modifies else ("Junior", 0.85, False)
    if "learner" in says:
        return "Junior", 0.95, False
    if "Junior" in named:
        return (top, 0.7, False) if top in ("Director", "Management") else ("Junior", 0.85, False)
    if "deputy" in says:
        sure *= 0.9
    return top or "Professional", sure, False


def _function(jobs: Sequence[Hits], serves: bool, tables: TitleTables) -> tuple[str, str, float]:
    """(function, department, confidence): the department most words speak for, in it the function most speak for."""
    if serves:
        return "Administration", "Administrative", 0.85
    scores: dict[str, float] = {}
    for row in _rows(jobs, "functions", tables):
        scores[row.says] = scores.get(row.says, 0.5 if not scores else 0.0) + row.weight  # the first word leads
    if not scores:
        return UNKNOWN, "Other", 0.3
    departments: dict[str, float] = {}
    for name, score in scores.items():
        department = tables.department_of[name]
        departments[department] = departments.get(department, 0.0) + score
    department = max(departments, key=departments.__getitem__)
    function = max((name for name in scores if tables.department_of[name] == department), key=scores.__getitem__)
    return function, department, departments[department] / (sum(departments.values()) + 0.4)


def _add(rows: dict[tuple[str, ...], Row], row: Row, allowed: Any) -> None:
    """Two languages may share a word, but not disagree about it: no title says which language it is written in."""
    if row.says not in allowed:
        raise ValueError(f"{row.table}: {row.phrase!r} speaks for {row.says!r}, which is none of {sorted(allowed)}")
    known = rows.setdefault(lexemes(row.phrase), row)
    if known.says != row.says:
        raise ValueError(
            f"{row.table}: {row.phrase!r} is {row.says}, but {known.table} has it as {known.says};"
            " choose one, or write a longer phrase"
        )


def _rules(rows: Sequence[dict[str, Any]], functions: Any, names: Sequence[str] | None) -> tuple[Rule, ...]:
    rules = [
        Rule(
            row["name"],
            row.get("confidence", 0.9),
            frozenset(row.get("functions", ())),
            frozenset(row.get("seniority", ())),
            frozenset(row.get("roles", ())),
            row.get("why", ""),
        )
        for row in rows
    ]
    for rule in rules:
        strange = (
            (rule.functions - set(functions) - {UNKNOWN})
            | (rule.seniority - set(LEVELS))
            | (rule.roles - set(ROLES) - {UNKNOWN})
        )
        if strange or (names and rule.name not in names):
            raise ValueError(
                f"rule {rule.name!r}: {sorted(strange) or rule.name} is not in the vocabulary of departments.toml"
            )
    return tuple(rules)


def _toml(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        return tomllib.load(opened)
