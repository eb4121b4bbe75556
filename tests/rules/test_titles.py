"""What a title says, in five languages, however it is written."""

import csv
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from nurture.cli import titles as command
from nurture.rules.segmentation.title_tables import TABLES as FOLDER
from nurture.rules.segmentation.titles import (
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
    # abbreviations, seconds in command, who reports to whom, neighbours' languages
    ("Sr Dir Eng, Rotating Equip.", "Engineering", "Director", "authorizer"),
    ("Asst. Plant Mgr", "Production", "Lead", "specifier"),
    ("Assistant Store Manager", "Retail", "Lead", "specifier"),
    ("Assistant to the Plant Manager", "Administration", "Junior", "gatekeeper"),
    ("Mtce Supv", "Maintenance", "Lead", "specifier"),
    ("Chief of Staff to the COO", "Administration", "Lead", "gatekeeper"),
    ("Referentin der Geschäftsführung", "Administration", "Junior", "gatekeeper"),
    ("Turnaround & Shutdown Coordinator", "Maintenance", "Lead", "specifier"),
    ("Instandhaltungsmeister", "Maintenance", "Lead", "specifier"),
    ("Șef secție mentenanță", "Maintenance", "Lead", "specifier"),
    ("Gerente de Planta", "Production", "Lead", "specifier"),
    ("设备科科长", "Maintenance", "Lead", "specifier"),
    ("项目采购工程师", "Purchasing", "Professional", "purchaser"),
    ("Directeur des achats", "Purchasing", "Director", "purchaser"),
    ("Responsabile manutenzione", "Maintenance", "Lead", "specifier"),
    ("Inköpschef", "Purchasing", "Lead", "purchaser"),
    # slips of the finger
    ("Procurment Manger", "Purchasing", "Professional", "purchaser"),
    ("Geschäftsfürer", "General Management", "Management", "authorizer"),
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


def test_several_fields_of_one_department_speak_softer_than_one_that_settles() -> None:
    reading = read_title("Project Manager - Store/Warehouse Design", TABLES)
    assert reading.department == "Project Management"


def test_a_chief_of_something_unknown_decides_but_has_no_sure_persona() -> None:
    reading = read_title("Chief Zmurf Officer", TABLES)
    assert (reading.role, reading.function) == ("authorizer", UNKNOWN)
    assert "chief _ officer" in {one.phrase for one in reading.evidence}
    assert reading.role_confidence < 0.95
    assert reading.persona_confidence <= 0.3


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
    ("table", "mend"),
    [
        ({"english": '[functions.Selling]\njob = ["x"]'}, "'Selling' is no function; write one of Legal, Sales"),
        ({"english": '[seniority]\nBoss = ["x"]'}, "'Boss' is no seniority; write one of Director"),
        ({"english": '[functions]\nSales.job = ["x"]\nLegal.job = ["x"]'}, "choose one of them, or write a longer"),
        ({"english": '[abbreviations]\nmanager = ["mgr"]\nmerger = ["mgr"]'}, "'mgr' stands for 'merger' and for 'man"),
        ({"english": "", "roles": 'name = "buyer"'}, "'buyer' is no role; write one of specifier"),
        ({"english": "", "persona": 'name = "a"\nfunctions = ["Selling"]'}, "in functions; write"),
    ],
)
def test_a_wrong_table_says_what_to_write_instead(tmp_path: Path, table: dict[str, str], mend: str) -> None:
    small_tables(tmp_path, **table)
    with pytest.raises(ValueError, match=mend):
        load_tables(tmp_path, tmp_path / "personas.toml")


def table(folder: Path, text: str, *options: str) -> tuple[int, list[list[str]], str]:
    """What `nurture role --file` makes of a file: exit code, rows without the header, and what it said."""
    app = typer.Typer()
    command.add_to(app)
    file, to = folder / "in.csv", folder / "out.csv"
    file.write_bytes(text.encode())
    ran = CliRunner().invoke(app, ["--file", str(file), "--out", str(to), *options])
    rows = list(csv.reader(to.read_text("utf-8").splitlines()))[1:] if to.exists() else []
    return ran.exit_code, rows, " ".join(ran.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("title\nBuyer\n\n   \nCFO\n", ["Buyer", "", "   ", "CFO"]),
        ("title\n\nBuyer\n", ["", "Buyer"]),
        ('\ufeffName;TITLE;More\nAna;"Jefa; Norte";1\nBo;;2\nLi\n', ["Jefa; Norte", "", ""]),
        ("sep=;\ntitle\nBuyer\n\nCFO\n", ["Buyer", "", "CFO"]),
        ("id,title\n1,CEO,more,cells\n\n2,CFO\n", ["CEO", "CFO"]),
        ("title\n", []),
    ],
    ids=["blank", "blank first", "mark, semicolon, short row", "sep", "more cells", "no rows"],
)
def test_a_file_is_read_row_for_row_however_it_is_written(tmp_path: Path, text: str, titles: list[str]) -> None:
    code, rows, _ = table(tmp_path, text)
    assert code == 0
    assert [row[0] for row in rows] == titles
    assert {len(row) for row in rows} <= {6}


def test_a_file_without_titles_is_told_what_to_do(tmp_path: Path) -> None:
    code, rows, said = table(tmp_path, "id,position\n1,CEO\n")
    assert (code, rows) == (2, [])
    assert "name the column of job titles `title`" in said


def test_a_file_is_not_written_over(tmp_path: Path) -> None:
    code, _, said = table(tmp_path, "id,title\n1,CEO\n", "--out", str(tmp_path / "in.csv"))
    assert code == 2
    assert "name another file" in said
    assert (tmp_path / "in.csv").read_text() == "id,title\n1,CEO\n"


def test_no_shipped_phrase_is_written_twice_in_one_table() -> None:
    for file in FOLDER.glob("*.toml"):
        seen: dict[str, int] = defaultdict(int)
        for kinds in tomllib.loads(file.read_text(encoding="utf-8")).get("functions", {}).values():
            for phrase in (phrase for phrases in kinds.values() for phrase in phrases):
                seen[phrase] += 1
        assert [phrase for phrase, times in seen.items() if times > 1] == [], file.name
