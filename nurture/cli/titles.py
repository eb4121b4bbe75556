"""nurture role: what a job title says, and which words said it; and what a person confirms or corrects of a lead."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import AsJson, At, err, here, out, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from nurture.files.data_file import DataFile

COLUMNS = ("title", "department", "seniority", "role", "persona", "confidence")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(role)


def role(
    title: Annotated[
        str | None, typer.Argument(help="A job title, in any of five languages.", show_default=False)
    ] = None,
    file: Annotated[Path | None, typer.Option(help="A CSV with a column `title`.", exists=True, dir_okay=False)] = None,
    to: Annotated[Path | None, typer.Option("--out", help="Where to write it, row for row. [default: stdout]")] = None,
    lead: Annotated[
        str | None, typer.Option(help="An address: what we know of this person, or what you say is true.")
    ] = None,
    is_: Annotated[str | None, typer.Option("--is", help="Their buying role, for good: authorizer, user …")] = None,
    persona: Annotated[str | None, typer.Option(help="Their persona, for good.")] = None,
    department: Annotated[str | None, typer.Option(help="Their department, for good.")] = None,
    seniority: Annotated[str | None, typer.Option(help="Their seniority, for good.")] = None,
    by: Annotated[str, typer.Option(help="Who says so. [default: you]")] = "",
    json: AsJson = False,
    at: At = None,
) -> None:
    """Read a job title: department, seniority, buying role, persona, each with its confidence, and why.

    With --lead, show what we believe of a person; with --is (or --persona …) say what is true: nothing overrules you.
    """
    from dataclasses import asdict

    from nurture.rules.segmentation.titles import explain, load_tables, read_title

    given = {"role": is_, "persona": persona, "department": department, "seniority": seniority}
    said = {field: value for field, value in given.items() if value}
    if [title, file, lead].count(None) != 2 or (said and lead is None):
        raise typer.BadParameter("give a title, or --file, or --lead (and then --is …)")
    if lead is not None:
        _of_lead(lead, said, by, json, at)
        return
    if file is not None:
        _read_file(file, to)
        return
    reading = read_title(title or "", load_tables())
    if json:
        print_json(asdict(reading))
    else:
        out.print(explain(reading), markup=False)


def _of_lead(lead: str, said: dict[str, str], by: str, json: bool, at: "datetime | None") -> None:
    import getpass

    from models import confirmation, segment
    from nurture.rules.intake.addresses import normalise
    from nurture.rules.segmentation.segments import not_to_be_confirmed
    from nurture.rules.segmentation.titles import load_tables
    from nurture.runtime import database

    if said and (wrong := not_to_be_confirmed(said, load_tables().personas)):
        raise typer.BadParameter(wrong)
    _, engine, now = here(at)
    with database.writing(engine) as session:
        contact_id = confirmation.business_contact(session, normalise(lead) or lead)
        if contact_id is None:
            raise typer.BadParameter(f"no business contact has the address {lead}: check the spelling, or import them")
        new = confirmation.confirm(session, contact_id, said, by or getpass.getuser(), now) if said else []
        stands = segment.segment_of(session, contact_id)
        confirmed = confirmation.confirmed_fields(session, [contact_id]).get(contact_id, {})
    if json:
        words = {field: word._asdict() for field, word in confirmed.items()}
        print_json(
            {
                "lead": lead,
                "changed": [one._asdict() for one in new],
                "segment": stands._asdict() if stands else {},
                "confirmed": words,
            }
        )
        return
    if said and not new:
        out.print("that was confirmed before; nothing changes")
    for field in segment.CONFIRMABLE:
        word = confirmed.get(field)
        sure = getattr(stands, f"{field}_confidence", None)
        how = f", confirmed by {word.by} on {word.at:%-d %B %Y} (was {word.was or 'unknown'})" if word else ""
        how = how or (f", confidence {sure:.2f}" if sure else "")
        out.print(f"{field:<11} {getattr(stands, field, None) or 'unknown'}{how}", markup=False)
    if stands and stands.evidence:
        out.print(f"{'because':<11} {stands.evidence}", markup=False)


def _cells(opened: "DataFile", place: int) -> "Iterator[str]":
    """The column's cells; in a file of one column, a line left blank between others is an empty cell."""
    with opened.path.open("rb") as file:
        below = 3 if file.read(7).lower().lstrip(b"\xef\xbb\xbf").startswith(b"sep=") else 2  # Excel's own first line
    for row in opened.every_row():
        if opened.unit == "line" and len(opened.header) == 1:
            yield from [""] * (row.line - below)
            below = row.line + 1 + sum(cell.count("\n") for cell in row.cells)
        yield row.cells[place] or "" if len(row.cells) > place else ""


def _read_file(file: Path, to: Path | None) -> None:
    import csv
    import sys
    from contextlib import nullcontext

    from nurture.files.reader import open_file
    from nurture.rules.segmentation.titles import load_tables, read_titles

    if to is not None and to.exists() and to.samefile(file):
        raise typer.BadParameter(f"--out is {file} itself: name another file, so that its other columns are not lost")
    opened = open_file(file)
    named = [name.casefold() for name in opened.header]
    if "title" not in named:
        raise typer.BadParameter(
            f"{file} has no column `title`; it has {', '.join(opened.header)}: name the column of job titles `title`"
        )
    titles = list(_cells(opened, named.index("title")))
    with to.open("w", encoding="utf-8", newline="") if to else nullcontext(sys.stdout) as target:
        lines = csv.writer(target, lineterminator="\n")
        lines.writerow(COLUMNS)
        for title, reading in zip(titles, read_titles(titles, load_tables()), strict=True):
            sure = min(reading.department_confidence, reading.seniority_confidence, reading.role_confidence)
            lines.writerow((title, reading.department, reading.seniority, reading.role, reading.persona, f"{sure:.2f}"))
    if to:
        err.print(f"{len(titles):,} titles read into {to}")
