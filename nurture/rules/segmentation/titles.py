"""What a job title tells: department, seniority, role in the buying group, persona, and how sure we are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from models.segment import ROLES
from nurture.rules.segmentation.phrase_matcher import words
from nurture.rules.segmentation.title_tables import (
    LEVELS,
    QUIET,
    UNKNOWN,
    Evidence,
    PhraseMeaning,
    TitleTables,
    load_tables,
)

__all__ = [
    "DEPARTMENTS", "LEVELS", "ROLES", "UNKNOWN",
    "Evidence", "TitleReading", "TitleTables", "explain", "load_tables", "read_title", "read_titles",
    "role_given", "sure",
]  # fmt: skip

DEPARTMENTS = (
    "Administrative", "Business Development", "Consulting", "Customer Support", "Human Resources",
    "Information Technology", "Marketing", "Other", "Project Management", "Purchasing", "Sales",
)  # fmt: skip
AT = frozenset({"@", "at", "bei", "chez", "presso", "hos"})  # what follows is an employer, not a job
BREAKS = AT | frozenset("/|;,()@:•·[]-–—")  # here one job ends and the next begins
REMEMBERED = 200_000  # titles kept, then forgotten together


@dataclass(frozen=True, slots=True)
class TitleReading:
    department: str  # one of DEPARTMENTS; "Other" also when nothing speaks, then with low confidence
    department_confidence: float
    seniority: str  # one of LEVELS
    seniority_confidence: float
    role: str  # one of ROLES, or UNKNOWN
    role_confidence: float
    persona: str  # a name in personas.toml, or UNKNOWN
    persona_confidence: float
    function: str  # finer than the department ("Maintenance" is in "Other"), or UNKNOWN
    evidence: tuple[Evidence, ...]


class Job(NamedTuple):
    """One of the jobs a title names: the numbers of the rows its words met."""

    at_employer: bool  # words after "at", "bei", "@"
    functions: tuple[int, ...]
    levels: tuple[int, ...]


class SeniorityLevel(NamedTuple):
    seniority: str
    confidence: float
    serves: bool = False  # somebody else: "assistant to the CEO"


def read_titles(titles: Sequence[str], tables: TitleTables) -> list[TitleReading]:
    """One reading per title, in order."""
    return [read_title(title, tables) for title in titles]


def read_title(title: str, tables: TitleTables) -> TitleReading:
    """Titles that meet the same rows of the tables share one reading, so most of a list costs a look-up."""
    remembered = tables.remembered
    reading: TitleReading | None = remembered.get(title)
    if reading is None:
        if len(remembered) > REMEMBERED:
            remembered.clear()
        jobs = _jobs(title, tables)
        reading = remembered.get(jobs)
        if reading is None:
            reading = remembered[jobs] = _reading(jobs, tables)
        remembered[title] = reading
    return reading


def role_given(title: str, department: str, seniority: str, tables: TitleTables) -> tuple[str, float]:
    """The role by the same rule when somebody else says department and seniority: a form, a CRM, a labelled row.

    The title still tells which function of the department it is: "Other" alone is finance as well as production.
    """
    jobs = _jobs(title, tables)
    if not jobs and department == "Other":
        return UNKNOWN, 0.0
    if any(_level(tuple(tables.levels[number].says for number in job.levels)).serves for job in jobs):
        department = "Administrative"
    rows = [tables.functions[number] for job in jobs for number in job.functions]
    rows = [row for row in rows if tables.department_of[row.says] == department]
    main = next((one for one, its in tables.department_of.items() if its == department != "Other"), UNKNOWN)
    function = _function(rows, False, tables)[0] if rows else main
    rule = tables.role_of[function, seniority]
    return rule.name, rule.confidence


def explain(reading: TitleReading) -> str:
    """A few lines one can read aloud."""
    function = "" if reading.function in (UNKNOWN, reading.department) else f" ({reading.function})"
    because = [f"“{one.phrase}” → {one.says} ({one.table})" for one in reading.evidence]
    return "\n".join(
        [
            f"department  {reading.department}{function}, {_sure(reading.department_confidence)}",
            f"seniority   {reading.seniority}, {_sure(reading.seniority_confidence)}",
            f"role        {reading.role}, {_sure(reading.role_confidence)}",
            f"persona     {reading.persona}, {_sure(reading.persona_confidence)}",
            "because     " + "\n            ".join(because),
        ]
    )


def sure(confidence: float) -> str:
    """The word for it: surely, probably, perhaps; benchmarks/titles.py shows how often each of them is right."""
    if not confidence:
        return "no guess"
    return "surely" if confidence >= 0.8 else "probably" if confidence >= 0.5 else "perhaps"


def _sure(confidence: float) -> str:
    return f"{sure(confidence)} ({confidence:.0%})" if confidence else sure(confidence)


def _jobs(title: str, tables: TitleTables) -> tuple[Job, ...]:
    """The title cut where one job ends and the next begins; jobs no row knows are left out."""
    jobs: list[Job] = []
    line: list[str] = []
    written_out = tables.written_out
    at_employer = False
    for word in (*words(title), "/"):
        if word not in BREAKS:
            line += written_out.get(word) or (word,)
            continue
        if line:
            job = Job(at_employer, tables.function_matcher.find(line), tables.level_matcher.find(line))
            if job.functions or any(tables.levels[number].says not in QUIET for number in job.levels):
                jobs.append(job)
            line = []
        at_employer = word in AT or (at_employer and word == ",")
    return tuple(jobs)


def _reading(jobs: tuple[Job, ...], tables: TitleTables) -> TitleReading:
    named = [job for job in jobs if not job.at_employer] or jobs
    says = [tuple([tables.levels[number].says for number in job.levels]) for job in named]
    past = bool(named) and all("former" in one for one in says)
    told = [(job, one) for job, one in zip(named, says, strict=True) if past or "former" not in one]
    rows = [tables.functions[number] for job, _ in told for number in job.functions]

    seniority, level_confidence, serves = max((_level(one) for _, one in told), key=_rank, default=NO_LEVEL)
    function, department, department_confidence = _function(rows, serves, tables)
    seniority_confidence = level_confidence or (0.6 if function != UNKNOWN else 0.3)
    role, role_confidence, _, _, _, why = tables.role_of[function, seniority]
    role_confidence *= seniority_confidence if function == UNKNOWN else min(department_confidence, seniority_confidence)
    if any("freelance" in one for _, one in told):
        role_confidence /= 2  # nobody's employee is seldom in an account's buying group
    if not told:
        role, role_confidence, why = UNKNOWN, 0.0, "no word of the title is in the tables"
    elif past:
        role, role_confidence, why = UNKNOWN, 0.0, "the job is past"
        department_confidence, seniority_confidence = department_confidence / 2, seniority_confidence / 2
    persona = tables.persona_of[function, seniority, role]
    levels = [tables.levels[number] for job, _ in told for number in job.levels]
    return TitleReading(
        department=department,
        department_confidence=round(department_confidence, 3),
        seniority=seniority,
        seniority_confidence=round(seniority_confidence, 3),
        role=role,
        role_confidence=round(role_confidence, 3),
        persona=persona.name,
        persona_confidence=round(persona.confidence * min(department_confidence, seniority_confidence), 3),
        function=function,
        evidence=(
            *{id(row): row.evidence for row in (*rows, *levels) if row.says not in QUIET}.values(),
            Evidence(why, f"role {role}", "roles.toml"),
        ),
    )


NO_LEVEL = SeniorityLevel("Professional", 0.0)


def _rank(level: SeniorityLevel) -> tuple[bool, int]:
    return level.confidence > 0, LEVELS.index(level.seniority)


@lru_cache(maxsize=10_000)
def _level(says: tuple[str, ...]) -> SeniorityLevel:
    """The seniority of one job, from its levels and marks in order: ["assistant", "link", "Management"] -> Junior."""
    own = says[: says.index("reports")] if "reports" in says else says  # "chief of staff to the COO" is no COO
    if not {"assistant", "second", "serves"} & {*says} and any(one in LEVELS for one in own):
        says = own
    top = max((one for one in says if one in LEVELS), key=LEVELS.index, default="")
    boss = top in ("Lead", "Director", "Management")
    if "serves" in says:
        return SeniorityLevel("Junior", 0.8, serves=True)
    helps = next((one for one in says if one in ("assistant", "second")), "")
    if helps and boss:
        after = next(iter(says[says.index(helps) + 1 :]), "")
        if after in ("Director", "Management") or (helps == "second" and after == "Lead"):
            return SeniorityLevel(top, 0.7)  # "assistant director", "assistant plant manager": the second in command
        return SeniorityLevel("Junior", 0.8, serves=True)
    if "learner" in says:
        return SeniorityLevel("Junior", 0.95)
    if helps or ("Junior" in says and not boss):
        return SeniorityLevel("Junior", 0.85)
    if "Junior" in says:
        return (
            SeniorityLevel("Junior", 0.6) if top == "Lead" else SeniorityLevel(top, 0.7)
        )  # "associate director": a director
    if not top:
        return NO_LEVEL
    return SeniorityLevel(top, 0.85 if "deputy" in says else 0.95)


def _function(rows: Sequence[PhraseMeaning], serves: bool, tables: TitleTables) -> tuple[str, str, float]:
    """(function, department, confidence): the department most words speak for, in it the function most speak for."""
    if serves:
        return "Administration", "Administrative", 0.85
    if not rows:
        return UNKNOWN, "Other", 0.3
    scores: dict[str, float] = {rows[0].says: 0.5}  # the first word leads
    for row in rows:
        before = scores.get(row.says, 0.0)
        scores[row.says] = max(before, row.weight) + min(before, row.weight) / 2  # saying it again counts half
    departments: dict[str, float] = {}
    for function, score in sorted(scores.items(), key=lambda one: -one[1]):
        department = tables.department_of[function]
        known = department in departments  # law and logistics are both "Other", but not the same thing said twice
        departments[department] = departments.get(department, 0.0) + (score / 2 if known else score)
    department = max(departments, key=departments.__getitem__)
    function = max((one for one in scores if tables.department_of[one] == department), key=scores.__getitem__)
    return function, department, departments[department] / (sum(departments.values()) + 0.4)
