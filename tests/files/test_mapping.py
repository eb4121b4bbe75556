"""The mapping file: what it may say, and what the error says when it says something else."""

from pathlib import Path

import pytest

from models.queries.intake_accounts import AccountRow
from models.queries.intake_contacts import ContactRow
from models.queries.intake_history import ActivityRow, OpportunityRow, OrderRow
from nurture.files import mapping
from nurture.files.mapping import MappingError
from nurture.files.suggestion import suggest
from nurture.rules.intake.cell_parsers import CellFormat
from nurture.rules.intake.fields import FIELDS
from nurture.rules.intake.file_mapping import ColumnSource
from nurture.rules.intake.row_parser import ParsedContact, RowParser

EXAMPLES = Path(__file__).parents[2] / "examples"
GOOD = 'kind = "contacts"\nmarket = "b2b"\nconsent = "granted"\n'


@pytest.mark.parametrize("path", sorted((EXAMPLES / "mappings").glob("*.toml")), ids=lambda p: p.stem)
def test_every_example_is_a_good_mapping(path: Path) -> None:
    mapped = mapping.read(path)
    assert mapped.columns
    assert path.read_text().startswith("#"), "it says what it is for"


def test_a_mapping_says_everything_about_a_file() -> None:
    mapped = mapping.parse(
        'kind = "contacts"\nmarket = "b2c"\ntraits = ["Plan"]\n'
        '[file]\nseparator = "tab"\ndecimal = ","\ndates = "day-first"\n'
        'time_zone = "Europe/Madrid"\nencoding = "cp1252"\n'
        '[columns]\nemail = "{id}@shop.test"\nname = ["Nombre", "Apellido"]\nconsent = "Boletín"\n'
        '[constants]\ncountry = "ES"\n[values.consent]\nclaro = "granted"\n'
    )
    assert (mapped.separator, mapped.encoding, mapped.traits) == ("\t", "cp1252", ("Plan",))
    assert mapped.cell_format == CellFormat(",", "day-first", "Europe/Madrid")
    assert mapped.columns["email"] == ColumnSource(("id",), "{id}@shop.test")
    read = RowParser(mapped, ["id", "Nombre", "Apellido", "Boletín", "Plan", "Notas"])
    values, faults = read(2, ["7", "Ana", "Peña León", "Claro", "3", "-"])
    assert faults == []
    assert values == ContactRow(
        "b2c", None, "7@shop.test", "7@shop.test", first_name="Ana", last_name="Peña León", country="ES",
        consent="granted", traits={"Plan": 3},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("Zoë O'Brien", "Zoë", "O'Brien"), ("O'Brien, Zoë", "Zoë", "O'Brien"), ("Zoë", "Zoë", None),
     ("Ana Peña León", "Ana", "Peña León")],
)  # fmt: skip
def test_a_full_name_is_taken_apart(name: str, first: str, last: str | None) -> None:
    read = RowParser(mapping.parse(GOOD + '[columns]\nemail = "E"\nname = "N"\n'), ["E", "N"])
    row, _ = read(2, ["zoe@foo.example", name])
    assert isinstance(row, ContactRow)
    assert (row.first_name, row.last_name) == (first, last)


def test_an_empty_cell_takes_the_constant() -> None:
    read = RowParser(mapping.parse(GOOD + '[columns]\nemail = "E"\nconsent = "OK"\n'), ["E", "OK"])
    assert [
        row.consent for cell in ("", "no") if isinstance(row := read(2, ["zoe@foo.example", cell])[0], ContactRow)
    ] == [
        "granted",
        "withdrawn",
    ]


def test_a_template_with_a_gap_is_empty() -> None:
    read = RowParser(mapping.parse(GOOD + '[columns]\nemail = "{a}.{line}@x.test"\n'), ["a"])
    row, _ = read(9, ["z"])
    assert isinstance(row, ContactRow)
    assert row.address == "z.9@x.test"
    assert read(9, [" "])[0] is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", 'kind is missing\n  Begin with a line such as: kind = "contacts"'),
        ('kind = "people"', "'people' is none of accounts, contacts"),
        ("kind = contacts", "is not TOML"),
        ('kind = "accounts"\ncolums = 1', "Did you mean columns"),
        ('kind = "accounts"\n[columns]\nindustri = "x"', "Did you mean industry"),
        ('kind = "accounts"\nconsent = "granted"', "consent means nothing for accounts"),
        ('kind = "accounts"\ncolumns = 3', "columns must be a table"),
        ('kind = "accounts"\n[columns]\nkey = 3', "key = 3 is no column"),
        ('kind = "orders"\ntraits = "rest"', "orders have no traits"),
        ('kind = "accounts"\ntraits = 7', 'Write traits = "rest"'),
        ('kind = "accounts"\n[file]\nseparator = "::"', 'Write one character such as ";"'),
        ('kind = "accounts"\n[file]\ndecimal = "x"', "decimal = 'x'"),
        ('kind = "accounts"\n[file]\ndates = "german"', '"day-first", "month-first"'),
        ('kind = "accounts"\n[file]\nencoding = "utf-9"', "encoding = 'utf-9' is unknown"),
        ('kind = "accounts"\n[file]\ntime_zone = "CET/Berlin"', '"Europe/Berlin"'),
        ('kind = "accounts"\n[file]\ndelimiter = ";"', "delimiter means nothing here"),
        ('kind = "accounts"\n[constants]\ncountry = "Atlantis"', 'country = "Atlantis" is not a country'),
        (
            'kind = "contacts"\nmarket = "b2b"\n[columns]\nemail = "E"',
            "nothing says whether these people may be written to",
        ),
        ('kind = "contacts"\nmarket = "b3b"\nconsent = "granted"', "is none of b2b, b2c"),
        (GOOD + '[values.consent]\nyes = "sure"', '"yes" = "sure" is neither yes nor no'),
    ],
)
def test_a_mapping_that_does_not_fit_is_told_how_to_mend_it(text: str, says: str) -> None:
    with pytest.raises(MappingError) as error:
        mapping.parse(text, "my.toml")
    assert str(error.value).startswith("my.toml: ")
    assert says in str(error.value)


def test_a_file_that_is_not_there_is_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="--suggest"):
        mapping.read(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("columns", "header", "says"),
    [
        ('email = "E-mail"', ["Name", "E-Mail"], 'Did you mean "E-Mail"? The file has: "Name", "E-Mail"'),
        ('email = "Mail"', ["Mail (1)", "Mail (2)"], 'Several columns are called "Mail"'),
        ('email = "{no}@x.test"', ["nr"], 'email = "no": the file has no such column'),
        ('first_name = "Name"', ["Name"], "says nothing about email, which contacts need"),
    ],
)
def test_a_column_that_is_missing_is_named_with_those_that_are_there(
    columns: str, header: list[str], says: str
) -> None:
    with pytest.raises(MappingError) as error:
        mapping.check_columns(mapping.parse(GOOD + f"[columns]\n{columns}\n"), header)
    assert says in str(error.value)


def test_an_account_needs_only_a_name_or_a_domain() -> None:
    mapped = mapping.parse('kind = "accounts"\n[columns]\nname = "Firma"\n')
    values, _ = RowParser(mapped, ["Firma"])(2, ["Foo & Søns <GmbH>"])
    assert values == AccountRow("Foo & Søns <GmbH>", "Foo & Søns <GmbH>")
    values, _ = RowParser(mapping.parse('kind = "accounts"\n[columns]\ndomain = "Web"\n'), ["Web"])(
        2, ["https://www.Foo.example/a"]
    )
    assert isinstance(values, AccountRow)
    assert values.domain == "foo.example"


@pytest.mark.parametrize("name", ["accounts", "contacts", "consumers", "activities", "orders", "opportunities"])
def test_a_suggested_mapping_names_the_columns_that_ours_names(name: str) -> None:
    path = EXAMPLES / "data" / f"{name}.csv"
    suggested, ours = mapping.parse(suggest(path)), mapping.read(EXAMPLES / "mappings" / f"{name}.toml")
    assert suggested.kind == ours.kind
    assert suggested.columns == ours.columns
    assert suggested.cell_format.dates == ours.cell_format.dates
    assert suggested.cell_format.decimal == ours.cell_format.decimal


def test_a_suggestion_knows_an_address_by_its_look_and_asks_about_what_it_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "liste.csv"
    path.write_text("Vorname;Kontakt;Newsletter\nZoë;zoe@foo.example;ja\nRuth;ruth@foo.example;vielleicht\n")
    text = suggest(path)
    mapped = mapping.parse(text)
    assert {f: s.columns[0] for f, s in mapped.columns.items()} == {
        "email": "Kontakt",
        "first_name": "Vorname",
        "consent": "Newsletter",
    }
    assert '"ja" = "granted"' in text
    assert '"vielleicht" = "unknown"   # what does this one mean?' in text
    path.write_text("Foo,Bar\n1,2\n")
    assert "needed: which column is it?" in suggest(path)


def test_the_fields_of_a_kind_stand_in_the_order_of_its_typed_row() -> None:
    rows = {"accounts": AccountRow, "activities": ActivityRow, "orders": OrderRow, "opportunities": OpportunityRow}
    for kind, row in rows.items():
        fields = tuple(FIELDS[kind])  # type: ignore[index]
        assert row._fields[: len(fields)] == fields
    assert tuple(FIELDS["contacts"]) == ParsedContact._fields
