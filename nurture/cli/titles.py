"""nurture role: what a job title says about department, seniority, buying role and persona, and which words said it."""

from pathlib import Path
from typing import Annotated

import typer

from nurture.cli.console import AsJson, err, out, print_json

COLUMNS = ("title", "department", "seniority", "role", "persona", "confidence")


def add_to(app: typer.Typer) -> None:
    app.command()(role)


def role(
    title: Annotated[
        str | None, typer.Argument(help="A job title, in any of five languages.", show_default=False)
    ] = None,
    file: Annotated[Path | None, typer.Option(help="A CSV with a column `title`.", exists=True, dir_okay=False)] = None,
    to: Annotated[Path | None, typer.Option("--out", help="Where to write it, row for row. [default: stdout]")] = None,
    json: AsJson = False,
) -> None:
    """Read a job title: department, seniority, buying role, persona, each with its confidence, and why."""
    from dataclasses import asdict

    from nurture.rules.titles import explain, load_tables, read_title

    if (title is None) == (file is None):
        raise typer.BadParameter("give a title, or --file")
    if file is not None:
        _read_file(file, to)
        return
    reading = read_title(title or "", load_tables())
    if json:
        print_json(asdict(reading))
    else:
        out.print(explain(reading), markup=False)


def _read_file(file: Path, to: Path | None) -> None:
    import csv
    import sys
    from contextlib import nullcontext

    from nurture.reading import open_file
    from nurture.rules.titles import load_tables, read_titles

    opened = open_file(file)
    if "title" not in opened.header:
        raise typer.BadParameter(f"{file} has no column `title`; it has {', '.join(opened.header)}")
    place = list(opened.header).index("title")
    titles = [row.cells[place] or "" if len(row.cells) > place else "" for row in opened.rows()]
    with to.open("w", encoding="utf-8", newline="") if to else nullcontext(sys.stdout) as target:
        lines = csv.writer(target, lineterminator="\n")
        lines.writerow(COLUMNS)
        for title, reading in zip(titles, read_titles(titles, load_tables()), strict=True):
            sure = min(reading.department_confidence, reading.seniority_confidence, reading.role_confidence)
            lines.writerow((title, reading.department, reading.seniority, reading.role, reading.persona, f"{sure:.2f}"))
    if to:
        err.print(f"{len(titles):,} titles read into {to}")
