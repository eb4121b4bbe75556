"""What a title says, in five languages, however it is written."""

import csv
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nurture.rules.title_tables import TABLES as FOLDER
from nurture.rules.titles import (
    DEPARTMENTS,
    LEVELS,
    ROLES,
    UNKNOWN,
    TitleReading,
    explain,
    load_tables,
    read_title,
    read_titles,
    role_given,
)

TABLES = load_tables()
PROBE = Path(__file__).with_name("titles_probe.csv")

TITLES = [  # title, function, seniority, role
    # abbreviated, inflated, with regions
    ("VP, Global Procurement & Supply Chain EMEA", "Purchasing", "Management", "purchaser"),
    ("Chief Procurement Officer", "Purchasing", "Management", "purchaser"),
    ("Sr. Buyer", "Purchasing", "Senior", "purchaser"),
    ("Head of IT", "Information Technology", "Lead", "specifier"),
    ("Plant Engineer", "Engineering", "Professional", "specifier"),
    ("Group CFO", "Finance", "Management", "finance"),
    ("Financial Controller", "Finance", "Professional", "finance"),
    ("Managing Director", "General Management", "Management", "authorizer"),
    ("Quality Engineer", "Quality", "Professional", "specifier"),
    ("Chief Customer Happiness Officer", "Customer Support", "Management", "authorizer"),
    # in somebody's service, on the way, past
    ("Assistant to the CEO", "Administration", "Junior", "gatekeeper"),
    ("Executive Assistant to the Managing Director", "Administration", "Junior", "gatekeeper"),
    ("Assistentin der Geschäftsführung", "Administration", "Junior", "gatekeeper"),
    ("Asistenta director general", "Administration", "Junior", "gatekeeper"),
    ("Secretaria de dirección", "Administration", "Junior", "gatekeeper"),
    ("总经理助理", "Administration", "Junior", "gatekeeper"),
    ("Assistant Director of Sales", "Sales", "Director", "authorizer"),
    ("Working Student Marketing", "Marketing", "Junior", "user"),
    ("Praktikantin im Einkauf", "Purchasing", "Junior", "purchaser"),
    ("ex-CEO", "General Management", "Management", UNKNOWN),
    ("Former Head of Sales", "Sales", "Lead", UNKNOWN),
    ("stellv. Leiter Einkauf", "Purchasing", "Lead", "purchaser"),
    # several jobs, employers
    ("CTO & Head of Delivery", "Information Technology", "Management", "authorizer"),
    ("Product Owner & Teamlead", "Product Management", "Lead", "specifier"),
    ("Vorstandsassistent / Abteilungsleiter Einkauf", "Purchasing", "Lead", "purchaser"),
    ("Software Engineer at Procurement Bank", "Information Technology", "Professional", "specifier"),
    ("Einkäufer bei Director Software GmbH", "Purchasing", "Professional", "purchaser"),
    # German compounds, umlauts taken apart
    ("Einkaufsleiter", "Purchasing", "Lead", "purchaser"),
    ("Vertriebsmitarbeiter", "Sales", "Professional", "user"),
    ("Leiterin Instandhaltung", "Maintenance", "Lead", "specifier"),
    ("GESCHAEFTSFUEHRER", "General Management", "Management", "authorizer"),
    ("Softwareentwicklerin", "Information Technology", "Professional", "specifier"),
    ("Kaufmännischer Leiter", "Finance", "Lead", "finance"),
    # Spanish, Romanian, Chinese
    ("Jefa de compras", "Purchasing", "Lead", "purchaser"),
    ("Directora de Operaciones", "Operations", "Director", "authorizer"),
    ("Responsabil achiziții", "Purchasing", "Lead", "purchaser"),
    ("Responsabil achizitii", "Purchasing", "Lead", "purchaser"),
    ("Responsabil achiziţii", "Purchasing", "Lead", "purchaser"),
    ("Director economic", "Finance", "Director", "finance"),
    ("采购经理", "Purchasing", "Professional", "purchaser"),
    ("採購經理", "Purchasing", "Professional", "purchaser"),
    ("生产总监", "Production", "Director", "authorizer"),
    ("前端工程师", "Information Technology", "Professional", "specifier"),
    # slips of the finger
    ("Procurment Specialist", "Purchasing", "Professional", "purchaser"),
    ("Prodution Supervisor", "Production", "Lead", "specifier"),
    ("Softwre Developer", "Information Technology", "Professional", "specifier"),
    ("Assitentin der Geschäfstleitung", "Administration", "Junior", "gatekeeper"),
]


def said(title: str) -> tuple[str, str, str]:
    reading = read_title(title, TABLES)
    return reading.function, reading.seniority, reading.role


@pytest.mark.parametrize(("title", "function", "seniority", "role"), TITLES, ids=[title for title, *_ in TITLES])
def test_a_title_says(title: str, function: str, seniority: str, role: str) -> None:
    assert said(title) == (function, seniority, role), explain(read_title(title, TABLES))


@pytest.mark.parametrize("nothing", ["", "   ", "xqz", "🙂🙂", "123", "open to work", "---"])
def test_where_nothing_speaks_nothing_is_guessed(nothing: str) -> None:
    reading = read_title(nothing, TABLES)
    assert (reading.function, reading.department, reading.role) == (UNKNOWN, "Other", UNKNOWN)
    assert reading.role_confidence == 0
    assert max(reading.department_confidence, reading.seniority_confidence, reading.persona_confidence) <= 0.3


def test_a_level_without_a_function_is_a_weak_user() -> None:
    reading = read_title("Manager", TABLES)
    assert (reading.role, reading.function) == ("user", UNKNOWN)
    assert reading.role_confidence <= 0.3


def test_who_works_for_nobody_is_less_surely_in_a_buying_group() -> None:
    employed, free = read_titles(["Software Developer", "Freelance Software Developer"], TABLES)
    assert free.role_confidence < employed.role_confidence


def test_a_past_job_keeps_its_field_and_half_its_confidence() -> None:
    past, held = read_titles(["former CFO", "CFO"], TABLES)
    assert past.department == held.department
    assert past.department_confidence < held.department_confidence


def test_the_past_job_does_not_count_beside_a_present_one() -> None:
    assert said("Einkaufsleiter, ex-CEO") == said("Einkaufsleiter")


def test_the_evidence_names_phrase_meaning_and_table() -> None:
    evidence = {(one.phrase, one.says, one.table) for one in read_title("Jefa de compras", TABLES).evidence}
    assert ("jef* de compra*", "function Purchasing", "es.toml") in evidence
    assert ("jef*", "seniority Lead", "es.toml") in evidence
    assert ("buys for the company", "role purchaser", "roles.toml") in evidence


def test_an_explanation_can_be_read_aloud() -> None:
    lines = explain(read_title("Leiterin Instandhaltung", TABLES)).splitlines()
    assert lines[0] == "department  Other (Maintenance), surely (89%)"
    assert lines[2].startswith("role        specifier, ")
    assert "“leiter*” → seniority Lead (de.toml)" in "\n".join(lines)
    assert "no word of the title is in the tables" in explain(read_title("xqz", TABLES))


@pytest.mark.parametrize(
    ("title", "persona"),
    [
        ("Einkaufsleiter", "procurement-manager"),
        ("Chief Procurement Officer", "procurement-director"),
        ("Maintenance Supervisor", "maintenance-lead"),
        ("Mechanical Engineer", "plant-engineer"),
        ("COO", "operations-director"),
        ("Controllerin", "finance-controller"),
        ("Solutions Architect", "it-architect"),
        ("董事长", "managing-director"),
        ("Secretară", "assistant"),
        ("xqz", UNKNOWN),
    ],
)
def test_a_persona_follows_function_seniority_and_role(title: str, persona: str) -> None:
    assert read_title(title, TABLES).persona == persona


def test_the_role_can_be_given_department_and_seniority_by_somebody_else() -> None:
    assert role_given("Leiter Controlling", "Other", "Lead", TABLES)[0] == "finance"
    assert role_given("Leiter Produktion", "Other", "Director", TABLES)[0] == "authorizer"
    assert role_given("Leiter", "Purchasing", "Lead", TABLES)[0] == "purchaser"
    assert role_given("Assistant to the CEO", "Other", "Professional", TABLES)[0] == "gatekeeper"


@pytest.mark.parametrize("lang", ["es", "ro", "zh"])
def test_the_function_is_read_in(lang: str) -> None:
    with PROBE.open(encoding="utf-8", newline="") as opened:
        asked = [row for row in csv.DictReader(opened) if row["lang"] == lang]
    wrong = [row["title"] for row in asked if said(row["title"])[0] not in row["function"].split("|")]
    assert len(wrong) <= len(asked) / 10, wrong


def test_every_reading_speaks_the_shared_vocabulary() -> None:
    assert set(TABLES.department_of.values()) == set(DEPARTMENTS)
    assert {rule.name for rule in TABLES.role_of.values()} <= {*ROLES, UNKNOWN} - {"champion"}


def test_two_tables_give_the_same_readings_in_any_order() -> None:
    titles = [title for title, *_ in TITLES]
    backwards = read_titles(titles[::-1], load_tables())[::-1]
    assert backwards == read_titles(titles, TABLES)


anything = st.text(max_size=80) | st.lists(
    st.sampled_from([word for title, *_ in TITLES for word in title.split()]), max_size=8
).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(anything)
def test_any_text_is_read_and_stays_in_the_vocabulary(text: str) -> None:
    reading = read_title(text, TABLES)
    assert isinstance(reading, TitleReading)
    assert reading.department in DEPARTMENTS
    assert reading.seniority in LEVELS
    assert reading.role in {*ROLES, UNKNOWN} - {"champion"}
    assert reading.function in {*TABLES.department_of, UNKNOWN}
    for confidence in ("department", "seniority", "role", "persona"):
        assert 0 <= getattr(reading, f"{confidence}_confidence") <= 1
    assert explain(reading)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([title for title, *_ in TITLES]), st.sampled_from(["\t", "  ", "\n", "\u00a0", "\u3000"]))
def test_case_and_spaces_do_not_matter(title: str, space: str) -> None:
    reading = read_title(title, TABLES)
    assert read_title(title.upper(), TABLES) == reading
    assert read_title(title.lower(), TABLES) == reading
    assert read_title(f"{space}{space.join(title.split(' '))}{space}", TABLES) == reading


def small_tables(folder: Path, english: str, roles: str = 'name = "user"', persona: str = 'name = "anybody"') -> None:
    (folder / "departments.toml").write_text('"Sales" = ["Sales"]\n"Other" = ["Legal"]\n')
    (folder / "en.toml").write_text(english)
    (folder / "roles.toml").write_text(f"[[rule]]\n{roles}\n")
    (folder / "personas.toml").write_text(f"[[persona]]\n{persona}\n")


@pytest.mark.parametrize(
    ("table", "lesson"),
    [
        ({"english": '[functions.Selling]\njob = ["x"]'}, "'Selling' is no function; write one of Legal, Sales"),
        ({"english": '[seniority]\nBoss = ["x"]'}, "'Boss' is no seniority; write one of Director"),
        ({"english": '[functions]\nSales.job = ["x"]\nLegal.job = ["x"]'}, "choose one of them, or write a longer"),
        ({"english": "", "roles": 'name = "buyer"'}, "'buyer' is no role; write one of specifier"),
        ({"english": "", "persona": 'name = "a"\nfunctions = ["Selling"]'}, "in functions; write"),
    ],
)
def test_a_wrong_table_says_what_to_write_instead(tmp_path: Path, table: dict[str, str], lesson: str) -> None:
    small_tables(tmp_path, **table)
    with pytest.raises(ValueError, match=lesson):
        load_tables(tmp_path, tmp_path / "personas.toml")


def test_no_shipped_phrase_is_written_twice_in_one_table() -> None:
    for file in FOLDER.glob("*.toml"):
        seen: dict[str, int] = defaultdict(int)
        for kinds in tomllib.loads(file.read_text(encoding="utf-8")).get("functions", {}).values():
            for phrase in (phrase for phrases in kinds.values() for phrase in phrases):
                seen[phrase] += 1
        assert [phrase for phrase, times in seen.items() if times > 1] == [], file.name
