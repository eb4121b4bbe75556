"""nurture train, models: scores learned from what became of earlier leads, and the versions kept of them."""

from pathlib import Path
from typing import Annotated

import typer

from nurture.cli.console import AsJson, err, escaped, out, print_json, print_table

Columns = Annotated[list[str] | None, typer.Option(help="Repeat for several.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    app.command()(train)
    models = typer.Typer(help="Versions of learned scores: list, show, promote, rollback.", no_args_is_help=True)
    for command in (list_, show, promote, rollback):
        models.command(command.__name__.rstrip("_"))(command)
    app.add_typer(models, name="models")


def train(
    data: Annotated[Path, typer.Option(help="CSV (also .gz) or Parquet, a row per lead.", exists=True, dir_okay=False)],
    label: Annotated[str, typer.Option(help="The column that says who bought.")],
    mapping: Annotated[Path | None, typer.Option("--map", help="TOML with a [train] table.", exists=True)] = None,
    time: Annotated[str | None, typer.Option(help="The column that says when: the newest leads are the test.")] = None,
    holdout: Annotated[Path | None, typer.Option(help="Predict these rows, never seen.", exists=True)] = None,
    to: Annotated[Path, typer.Option("--out", help="Report, model and predictions go here.")] = Path("training"),
    positive: Annotated[str | None, typer.Option(help="Which value means yes, when it is not plain.")] = None,
    ignore: Columns = None,
    keep: Columns = None,
    calls: Annotated[int | None, typer.Option(help="Calls sales can make, for the backtest.")] = None,
    json: AsJson = False,
) -> None:
    """Learn who buys from a file nobody prepared. Says what it left out as a leak, or why the rules stay in charge."""
    from importlib.metadata import version

    from nurture.clock import wall
    from nurture.scorers.command import train_file

    done = train_file(
        data, label, now=wall(), map=mapping, time=time, holdout=holdout, out=to, positive=positive,
        ignore=ignore or (), keep=keep or (), calls=calls, code=version("nurture"),
    )  # fmt: skip
    if json:
        print_json(done.as_dict())
        return
    for warning in done.warnings:
        err.print(f"[yellow]![/] {escaped(warning)}")
    if done.stays:
        out.print(done.stays, markup=False)
        return
    out.print(done.headline, markup=False)
    for column in done.left_out:
        out.print(f"  left out: {column.get('column')}: {column.get('why')}", markup=False)
    for name, file in (("report", done.report), ("model", done.model), ("predictions", done.predictions)):
        if file:
            out.print(f"  {name}: {file}", markup=False)


Folder = Annotated[Path, typer.Option(help="Where the models are.")]
KEPT = Path("training") / "models"


def list_(folder: Folder = KEPT, json: AsJson = False) -> None:
    """Every version, newest first, with its figures."""
    from dataclasses import asdict

    from nurture.scorers import store

    found = store.versions(folder)
    if json:
        print_json([asdict(version) for version in found])
        return
    print_table(
        ("version", "made", "in use", "#auc", "#ece"),
        [(v.name, v.made_at[:16], "yes" if v.champion else "", *_figures(v.card)) for v in found],
    )


def _figures(card: dict) -> tuple[str, str]:  # type: ignore[type-arg]
    figures = card.get("figures", {})
    return tuple(f"{figures[name]:.3f}" if name in figures else "" for name in ("auc", "ece"))  # type: ignore[return-value]


def show(version: str, folder: Folder = KEPT) -> None:
    """One version's card: data, code, features, figures, hash."""
    from nurture.scorers import store

    print_json(store.show(folder, version).card)


def promote(
    version: str, why: Annotated[str, typer.Option(help="For the record.")] = "by hand", folder: Folder = KEPT
) -> None:
    """Put a version in use."""
    from nurture.clock import wall
    from nurture.scorers import store

    store.promote(folder, version, wall(), why)
    out.print(f"{version} is in use; back with: nurture models rollback")


def rollback(folder: Folder = KEPT) -> None:
    """Go back to the version used before."""
    from nurture.clock import wall
    from nurture.scorers import store

    was = store.rollback(folder, wall())
    out.print(f"{was} is in use again" if was else "no version is in use now: the rules are in charge")
