"""nurture import, score: what we know about leads, and how ready they are."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import AsJson, At, err, here, out, print_json

if TYPE_CHECKING:
    from tasks.intake import Imported

FileName = Annotated[
    Path, typer.Argument(help="CSV (also .gz), a workbook (xlsx, ods) or Parquet.", exists=True, dir_okay=False)
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    """Add these commands to the command line."""
    app.command("import")(import_)
    app.command()(score)


def import_(
    file: FileName,
    mapping: Annotated[Path | None, typer.Option("--map", "-m", help="TOML: which column is what.")] = None,
    suggest: Annotated[bool, typer.Option(help="Print a mapping to begin with, import nothing.")] = False,
    rejects: Annotated[Path | None, typer.Option(help="Folder for rejected rows. [default: var/rejects]")] = None,
    json: AsJson = False,
    at: At = None,
) -> None:
    """Bring in accounts, contacts, activities, orders or opportunities.

    Good rows are taken, bad rows go to a rejects file with line, column and reason: mend it and import it again.
    The same file twice changes nothing. Exit code 0: all of it is imported; 1: some rows were rejected or imported
    without a cell that could not be read; 2: nothing was imported.
    """
    from dataclasses import asdict

    from nurture.files import suggestion

    if suggest:
        print(suggestion.suggest(file))
        return
    if mapping is None:
        raise typer.BadParameter("name a mapping with --map, or try --suggest first")
    done = _import_with_progress(file, mapping, rejects, at)
    if json:
        print_json(asdict(done))
    else:
        for line in _said_of(file, done):
            out.print(line, markup=False, highlight=False)
    raise typer.Exit(1 if done.rejected or done.incomplete else 0)


def _said_of(file: Path, done: "Imported") -> Iterator[str]:
    """What became of a file, every row and every cell of it."""
    yield (
        f"{file.name}: {done.rows:,} {done.kind}: {done.good:,} good ({done.created:,} new, {done.changed:,} changed, "
        f"{done.unchanged:,} unchanged), {done.rejected:,} rejected"
    )
    if done.suppressed:
        yield f"  {done.suppressed:,} addresses say no in it and are never mailed from now on"
    if done.no_stays:
        yield f"  {done.no_stays:,} rows say yes of people who have said no: the no stays"
    for column, cells in sorted(done.unread.items(), key=lambda item: -item[1]):
        yield f"  {cells:,} cells of {column} could not be read: those rows are imported without them"
    if done.rejected or done.incomplete:
        yield f"  why, line by line: {done.rejects_file}"
    if done.repeated:
        yield f"  {done.repeated:,} rows repeat an earlier row"
    if done.left_out:
        yield f"  {done.left_out:,} rows are left out by the mapping's [rows]"
    if done.left_out_file:
        yield f"  which ones: {done.left_out_file}"
    if done.notes:
        yield f"  {done.notes:,} lines below the table are notes or totals"


def _import_with_progress(file: Path, mapping: Path, rejects: Path | None, at: datetime | None) -> "Imported":
    """Import the file while a bar shows how much of it is read."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from nurture.files import mapping as mappings
    from tasks.intake import import_file

    settings, engine, now = here(at)
    what = mappings.read(mapping)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    ) as bar:
        shown = bar.add_task(file.name, rows=0, total=None)
        return import_file(
            engine,
            now,
            file,
            what,
            rejects or settings.var / "rejects",
            progress=lambda rows, read, size: bar.update(shown, completed=read, total=size or None, rows=rows),
        )


def score(
    json: AsJson = False, at: At = None, top: Annotated[int, typer.Option(help="How many to show.")] = 10
) -> None:
    """Segment and score everybody now, and show the best leads with their reasons."""
    from models import score as scores
    from nurture.config import sales
    from nurture.config import scoring as scoring_rules
    from nurture.rules.intake.names import full_name
    from nurture.runtime import database
    from tasks import segmentation
    from tasks.sales_threshold import set_threshold
    from tasks.scoring import scores as scoring

    settings, engine, now = here(at)
    rules = scoring_rules.read(settings.rules / "scoring.toml")
    segmentation.segment(engine, now)
    scored = scoring.score(engine, now, rules, settings.model_folder)
    scoring.score_accounts(engine, now, rules)
    set_threshold(engine, now, sales.read(settings.rules))
    with database.reading(engine) as session:
        best = scores.best(session, top)
    names = [full_name(one.first_name, one.last_name) for one in best]
    if json:
        told = [{"name": name, **one._asdict()} for name, one in zip(names, best, strict=True)]
        print_json({"leads": scored.leads, "learned": scored.learned, "version": rules.version, "best": told})
        return
    by_model = f", {scored.learned:,} of them by a learned model" if scored.learned else ""
    out.print(f"{scored.leads:,} leads scored by {rules.version}{by_model}; the best {len(best)}:\n")
    for name, one in zip(names, best, strict=True):
        who = ", ".join(filter(None, (name or one.address, one.account, one.role)))
        out.print(f"{one.score:3.0f} {one.grade}  {who}", markup=False)
        out.print("        " + "; ".join(reason["text"] for reason in one.reasons[:4]), markup=False)
