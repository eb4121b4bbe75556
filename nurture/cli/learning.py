"""nurture train, models: scores learned from what became of earlier leads, and the versions kept of them."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import AsJson, At, err, escaped, here, out, print_json, print_table

if TYPE_CHECKING:
    from nurture.learning.fit.card import ModelCard


class MarketName(StrEnum):
    """models.contact.Market, which takes half a second to import."""

    B2B = "b2b"
    B2C = "b2c"


MOST_DIRECTIONS = 5  # columns of which the terminal says which way they move the chance; the report says all
Columns = Annotated[list[str] | None, typer.Option(help="Repeat for several.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(train)
    models = typer.Typer(help="Versions of learned scores: list, show, promote, rollback.", no_args_is_help=True)
    for command in (list_, show, promote, rollback):
        models.command(command.__name__.rstrip("_"))(command)
    app.add_typer(models, name="models")


def train(
    data: Annotated[Path | None, typer.Option(
        help="CSV (.gz) or Parquet, a row per lead. Without: our own record.", exists=True, dir_okay=False)] = None,
    label: Annotated[str | None, typer.Option(help="With --data: the column that says who bought.")] = None,
    mapping: Annotated[Path | None, typer.Option("--map", help="TOML with a [train] table.", exists=True)] = None,
    time: Annotated[str | None, typer.Option(help="The column that says when: the newest leads are the test.")] = None,
    holdout: Annotated[Path | None, typer.Option(help="Predict these rows, never seen.", exists=True)] = None,
    to: Annotated[Path, typer.Option("--out", help="Report, model and predictions go here.")] = Path("training"),
    positive: Annotated[str | None, typer.Option(help="Which value means yes, when it is not plain.")] = None,
    negative: Annotated[list[str] | None, typer.Option(
        help="Which values mean no; every other is unknown. Repeat for several.", show_default=False)] = None,
    ignore: Columns = None,
    keep: Columns = None,
    calls: Annotated[int | None, typer.Option(help="Calls sales can make, for the backtest.")] = None,
    market: Annotated[MarketName | None, typer.Option(help="Of our own record: only this one.")] = None,
    days_b2c: Annotated[int, typer.Option(help="Within how many days an order counts. B2B: scoring.toml.")] = 30,
    at: At = None,
    json: AsJson = False,
) -> None:  # fmt: skip
    """Learn who buys: from our own record as it was at earlier moments, or with --data from a file nobody prepared.
    Says what it left out as a leak, or why the rules stay in charge."""
    if data is None:
        _train_on_the_record(market, days_b2c, at, json)
        return
    if label is None:
        raise typer.BadParameter(
            "--data needs --label: the column that says who bought, for example --label Converted."
        )
    from importlib.metadata import version

    from nurture.learning.leaks.finding import LeakCost
    from nurture.learning.train_file import TrainingFile, train_file
    from nurture.learning.training_data.options import TrainingOptions
    from nurture.runtime.clock import wall

    options = TrainingOptions(
        ignore=tuple(ignore or ()), keep=tuple(keep or ()), time=time, positive=positive, negative=tuple(negative or ())
    )
    asked = TrainingFile(data, label, options, mapping, holdout, to, calls, code=version("nurture"))
    done = train_file(asked, wall())
    if json:
        print_json(done.as_dict())
        return
    for warning in done.warnings:
        err.print(f"[yellow]![/] {escaped(warning)}")
    for line in done.rows:
        out.print(line, markup=False)
    out.print(done.stays or done.headline, markup=False)
    for what, findings in (("left out", done.left_out), ("doubtful", done.suspicious)):
        for found in findings:
            out.print(f"  {what}: {found['column']}: {found['why']}", markup=False)
            if "cost" in found:
                out.print(f"      {LeakCost(**found['cost']).sentence}", markup=False)
    if done.left_out:
        out.print("  A column that was known when the lead came in stays with --keep.", markup=False)
    for column, sentence in list(done.directions.items())[:MOST_DIRECTIONS]:
        out.print(f"  {column}: {sentence}", markup=False)
    for name, file in (("report", done.report), ("model", done.model), ("predictions", done.predictions)):
        if file:
            out.print(f"  {name}: {file}", markup=False)


def _train_on_the_record(market: MarketName | None, days_b2c: int, at: datetime | None, json: bool) -> None:
    from dataclasses import asdict
    from importlib.metadata import version

    from nurture.config import scoring
    from tasks.scoring.learning import LearningGoal, learn

    settings, engine, now = here(at)
    rules = scoring.read(settings.rules / "scoring.toml")
    days = dict(zip(MarketName, (rules.account.horizon_days, days_b2c), strict=True))
    done = [
        learn(
            engine,
            now,
            rules,
            LearningGoal(one.value, days[one], settings.model_folder / one, settings.mql_score, version("nurture")),
        )
        for one in ([market] if market else days)
    ]
    if json:
        print_json([asdict(one) | {"report": str(one.report) if one.report else None} for one in done])
        return
    for one in done:
        out.print(f"{one.market}: {one.words}", markup=False)
        if one.version:
            out.print(
                f"  {one.converted:,} of {one.looks:,} looks at a lead converted, at {one.moments} moments",
                markup=False,
            )
            for line in one.backtest:
                out.print(f"  {line}", markup=False)
            out.print(f"  model: {one.version}{', in charge from the next scoring on' if one.promoted else ', kept'}")
            out.print(f"  report: {one.report}", markup=False)


Folder = Annotated[Path | None, typer.Option(help="Where the models are. Without: those of our own record.")]
OfMarket = Annotated[MarketName | None, typer.Option(help="Of our own record, where both markets have one.")]


def _folders(folder: Path | None) -> dict[str, Path]:
    """Where to look: one folder, or one per market."""
    if folder is not None:
        return {"": folder}
    from nurture.runtime.settings import settings

    return {market.value: settings().model_folder / market for market in MarketName}


def _home(folder: Path | None, version: str) -> Path:
    """The folder that a version is in; the last one where none is, which then says so."""
    *others, last = _folders(folder).values()
    return next((one for one in others if (one / version / "card.json").is_file()), last)


def list_(folder: Folder = None, json: AsJson = False) -> None:
    """Every version, newest first, with its figures."""
    from dataclasses import asdict

    from nurture.learning.registry import versions

    found = [(market, version) for market, where in _folders(folder).items() for version in versions.versions(where)]
    if json:
        print_json([asdict(version) | ({"market": market} if market else {}) for market, version in found])
        return
    print_table(
        ("market", "version", "made", "in use", "#auc", "#ece"),
        [(market, v.name, v.made_at[:16], "yes" if v.champion else "", *_figures(v.card)) for market, v in found],
    )


def _figures(card: "ModelCard") -> Iterator[str]:
    """AUC and calibration error, where the card has them."""
    figures = card.get("figures", {})
    return (f"{figures[name]:.3f}" if name in figures else "" for name in ("auc", "ece"))


def show(version: str, folder: Folder = None) -> None:
    """One version's card: data, code, features, figures, hash."""
    from nurture.learning.registry import versions

    print_json(versions.show(_home(folder, version), version).card)


def promote(
    version: str, why: Annotated[str, typer.Option(help="For the record.")] = "by hand", folder: Folder = None
) -> None:
    """Put a version in use."""
    from nurture.learning.registry import versions
    from nurture.runtime.clock import wall

    versions.promote(_home(folder, version), version, wall(), why)
    out.print(f"{version} is in use from the next scoring on; back with: nurture models rollback")


def rollback(folder: Folder = None, market: OfMarket = None) -> None:
    """Go back to the version used before; before the first one, to the rules."""
    from nurture.learning.registry import versions
    from nurture.runtime.clock import wall

    folders = _folders(folder)
    if len(folders) > 1:
        led = {name: where for name, where in folders.items() if versions.champion(where)}
        if market is None and len(led) > 1:
            raise typer.BadParameter("Both markets have a model in charge. Say which: --market b2b, or --market b2c.")
        folders = {market: folders[market]} if market else led or folders
    where = next(iter(folders.values()))
    was = versions.rollback(where, wall())
    out.print(f"{was} is in use again" if was else "no version is in use now: the rules are in charge")
