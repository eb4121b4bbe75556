"""Any file, as it is: encodings, separators, quotation marks, and the line each row really begins on."""

import gzip
from pathlib import Path

import polars
import pytest

from nurture.files.data_file import FileRow
from nurture.files.encoding import FileError
from nurture.files.reader import open_file
from nurture.files.rejects import guard, unguard, without_our_columns


def rows(path: Path, content: bytes, **said: str) -> tuple[list[str], list[FileRow]]:
    path.write_bytes(content)
    opened = open_file(path, **said)
    return opened.header, list(opened.rows())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leads.csv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
def test_the_encoding_is_found_out(path: Path, encoding: str) -> None:
    header, [row] = rows(path, "Größe;Name\n12;Zoë O’Brien\n".encode(encoding))
    assert header == ["Größe", "Name"]
    assert row == FileRow(2, ["12", "Zoë O’Brien"])


def test_a_stated_encoding_is_taken_at_its_word(path: Path) -> None:
    _, [row] = rows(path, "Name\nŁódź\n".encode("iso8859-2"), encoding="iso8859-2")
    assert row.cells == ["Łódź"]


def test_a_mapping_that_would_garble_names_is_stopped(path: Path) -> None:
    with pytest.raises(FileError, match="is UTF-8, though the mapping says"):
        rows(path, "Name\nZoë\n".encode(), encoding="latin-1")


def test_a_file_put_together_from_two_loses_only_what_cannot_be_read(path: Path) -> None:
    _, found = rows(path, "Name;No\nZoë;1\n".encode() + "Jörg;2\n".encode("cp1252") + b"Ana;3\n")
    assert [r.cells for r in found] == [["Zoë", "1"], ["Jörg", "2"], ["Ana", "3"]]
    assert [bool(r.broken) for r in found] == [False, True, False]
    assert "save the file again as UTF-8" in found[1].broken


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_out(path: Path, separator: str) -> None:
    header, [row] = rows(path, f'"a, b; c"{separator}d\n1{separator}2\n'.encode())
    assert header == ["a, b; c", "d"]
    assert row.cells == ["1", "2"]


def test_excels_own_first_line_is_no_header(path: Path) -> None:
    assert rows(path, b"sep=;\na;b\n1;2\n") == (["a", "b"], [FileRow(3, ["1", "2"])])


def test_a_row_has_the_line_an_editor_shows(path: Path) -> None:
    _, found = rows(path, b'a,b\r\n"one\r\ntwo\r\nthree",1\r\n\r\nx,2\r\n"y\n",3\r\nz,4')
    assert [(r.line, r.cells[1]) for r in found] == [(2, "1"), (6, "2"), (7, "3"), (9, "4")]


def test_old_macs_end_their_lines_with_a_carriage_return(path: Path) -> None:
    _, found = rows(path, b"a,b\r1,2\r3,4")
    assert [(r.line, r.cells) for r in found] == [(2, ["1", "2"]), (3, ["3", "4"])]


def test_columns_without_or_with_one_name_are_told_apart(path: Path) -> None:
    header, _ = rows(path, b'Name,"E-\nMail",Name,\n')
    assert header == ["Name (1)", "E- Mail", "Name (2)", "column 4"]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b'"never closed,1', "never closes"),
        (b'"5" pipe",1', "stands inside a cell"),
        (b'"never closed,1\nmore,2\n"and closed,9', "a quotation mark"),
    ],
)
def test_a_stray_quotation_mark_costs_its_own_line_only(path: Path, bad: bytes, why: str) -> None:
    good = b"".join(b"row%d,%d\n" % (n, n) for n in range(3000))
    _, found = rows(path, b"a,b\n" + good + bad + b"\n" + good)
    broken = [r for r in found if r.broken]
    assert broken[0].line == 3002
    assert why in broken[0].broken
    assert len([r for r in found if not r.broken]) >= 6000
    assert found[-1] == FileRow(3001 + bad.count(b"\n") + 1 + 3000, ["row2999", "2999"])


def test_a_very_long_cell_is_read_whole(path: Path) -> None:
    _, [row, after] = rows(path, b"a,b\n1," + b"x" * (10 << 20) + b"\n2,y\n")
    assert len(row.cells[1]) == 10 << 20
    assert after == FileRow(3, ["2", "y"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\n\n", "is empty"),
        (b"PK\x03\x04rest of a workbook", "is an Excel workbook"),
        (b"\x1f\x8bnot really", "is damaged"),
        (b"PAR1 not really", "is not a Parquet file"),
    ],
)
def test_what_is_no_table_is_refused_as_a_whole(path: Path, content: bytes, says: str) -> None:
    with pytest.raises(FileError, match=says):
        rows(path, content)


def test_a_header_alone_has_no_rows(path: Path) -> None:
    assert rows(path, b"a,b\n") == (["a", "b"], [])
    assert rows(path, b"a,b") == (["a", "b"], [])


def test_a_packed_file_is_read_as_it_is(path: Path) -> None:
    assert rows(path, gzip.compress("a;b\nZoë;2\n".encode())) == (["a", "b"], [FileRow(2, ["Zoë", "2"])])


def test_the_same_file_can_be_read_twice(path: Path) -> None:
    path.write_bytes(b"a\n1\n")
    opened = open_file(path)
    assert list(opened.rows()) == list(opened.rows()) == [FileRow(2, ["1"])]


def test_parquet_is_read_as_its_author_would_have_written_it(tmp_path: Path) -> None:
    from datetime import date, datetime

    path = tmp_path / "leads.parquet"
    polars.DataFrame(
        {"name": ["Zoë", None], "n": [1, 2], "x": [1.5, float("nan")], "day": [date(2026, 3, 2), None],
         "at": [datetime(2026, 3, 2, 8), None], "yes": [True, False]}
    ).write_parquet(path)  # fmt: skip
    opened = open_file(path)
    assert opened.unit == "row"
    assert opened.header == ["name", "n", "x", "day", "at", "yes"]
    assert list(opened.rows()) == [
        FileRow(1, ["Zoë", "1", "1.5", "2026-03-02", "2026-03-02 08:00:00", "true"]),
        FileRow(2, ["", "2", "", "", "", "false"]),
    ]
    assert next(open_file(path, decimal=",").rows()).cells[2] == "1,5"


@pytest.mark.parametrize("cell", ["=1+1", "+49 40", "-5", "@me", "'=1", "''x", "plain", "", "'", "\tx"])
def test_a_guarded_cell_is_itself_again(cell: str) -> None:
    assert unguard(guard(cell)) == cell
    assert not guard(cell).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_rejects_file_that_comes_back_keeps_the_lines_it_came_from(path: Path) -> None:
    path.write_bytes(b"nurture: line,nurture: reason,a,b\n7,bad,1,'=2\n")
    opened = without_our_columns(open_file(path))
    assert opened.header == ["a", "b"]
    assert list(opened.rows()) == [FileRow(7, ["1", "=2"])]


def test_titles_above_the_header_and_notes_below_the_table_are_left_out(path: Path) -> None:
    content = (
        "Leads of spring\n\nExported by:;Nora\nName;E-mail;City\nZoë;zoe@foo.example;Kiel\n"
        "Ana;ana@foo.example;León\n\nTotal;;\nConfidential\nGenerated by Nora\n"
    )
    header, found = rows(path, content.encode())
    assert header == ["Name", "E-mail", "City"]
    assert [row.cells[0] for row in found] == ["Zoë", "Ana"]
    assert found[0].line == 5
    assert open_file(path).header_line == 4


def test_a_line_below_the_table_that_names_somebody_stays(path: Path) -> None:
    _, found = rows(path, b"Name;E-mail;City\nAna;ana@foo.example;Leon\nruth@foo.example\n")
    assert found[-1].cells == ["ruth@foo.example"]


def test_a_mapping_may_say_which_line_is_the_header(path: Path) -> None:
    path.write_text("a;b\nName;E-mail\nZoë;zoe@foo.example\n")
    file = open_file(path, header=2)
    assert file.header == ["Name", "E-mail"]
    assert list(file.rows()) == [FileRow(3, ["Zoë", "zoe@foo.example"])]


@pytest.mark.parametrize("content", [b"first@list.example\nsecond@list.example\n", b"a@list.example,Anna,One\n"])
def test_a_file_without_a_header_is_refused_and_nobody_is_quoted(path: Path, content: bytes) -> None:
    with pytest.raises(FileError, match="has no header") as error:
        rows(path, content)
    assert "list.example" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<!DOCTYPE html>\n<html><body>Please log in</body></html>", "is an HTML page"),
        (b"<html><table><tr><td>a</td></tr></table></html>", "is an HTML page"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><rows/>', "is XML"),
        (b'[\n {"email": "a@x.example"}\n]', "is JSON"),
        (b'{"email": "a@x.example"}', "is JSON"),
        (b"BEGIN:VCARD\nFN:Ana\nEND:VCARD\n", "holds vCards"),
    ],
)
def test_what_is_no_table_is_refused_whatever_it_is_called(path: Path, content: bytes, says: str) -> None:
    with pytest.raises(FileError, match=says):
        rows(path, content)


@pytest.mark.parametrize(
    "text", ["José;García\nZoë;d’Urfé\nBjörn;Ångström\n", "Gaëlle;Sète\nN'Diaye;Société Générale\n"]
)
@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman"])
def test_mac_roman_is_told_from_windows(path: Path, text: str, encoding: str) -> None:
    _, found = rows(path, ("Vorname;Nachname\n" + text).encode(encoding))
    assert [";".join(row.cells) for row in found] == text.splitlines()


def test_a_workbook_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "leads.xlsx"
    path.write_bytes(workbook([["Leads of spring"], [], ["Name", "E-mail", "Visits"], ["Zoë", "zoe@foo.example", 3]]))
    file = open_file(path)
    assert (file.unit, file.header, file.header_line) == ("row", ["Name", "E-mail", "Visits"], 3)
    assert list(file.rows()) == [FileRow(4, ["Zoë", "zoe@foo.example", "3"])]


def workbook(rows: list[list[str | int]]) -> bytes:
    """The smallest .xlsx that holds these rows."""
    import io
    import zipfile
    from xml.sax.saxutils import escape

    def cell(value: str | int) -> str:
        return (
            f"<c><v>{value}</v></c>"
            if isinstance(value, int)
            else f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        )

    sheet = "".join(f'<row r="{n}">{"".join(map(cell, row))}</row>' for n, row in enumerate(rows, 1))
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType='
        '"application/xml"/><Override PartName="/xl/workbook.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="People" sheetId="1" '
        'r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as book:
        for name, text in parts.items():
            book.writestr(name, text)
    return raw.getvalue()
