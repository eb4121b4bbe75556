"""nurture demo, up, doctor: see it work, run it, ask what is wrong."""

from typing import Annotated

import typer

from nurture.cli.console import AsJson, err, escaped, out, print_json


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (demo, up, doctor):
        app.command()(command)


def demo(
    days: Annotated[int, typer.Option(help="Simulated days.", min=1, max=21)] = 21,
    stay: Annotated[
        bool | None, typer.Option(help="Keep the pages open at the end. [default: at a terminal]", show_default=False)
    ] = None,
    json: AsJson = False,
) -> None:
    """Three weeks of an example company in two minutes: real work under Prefect, simulated people, nothing leaves."""
    from nurture.cli.demo import run

    raise typer.Exit(run(days, stay=stay, json=json))


def up(browser: Annotated[bool, typer.Option("--open", help="Open the Prefect UI.")] = False) -> None:
    """Start everything: Prefect with its schedules, and the pages for recipients and sales. Ctrl-C stops it all."""
    from nurture.runtime import supervisor
    from nurture.runtime.settings import settings

    raise typer.Exit(supervisor.up(settings(), open_browser=browser, say=lambda line: err.print(escaped(line))))


def doctor(json: AsJson = False) -> None:
    """Is everything in place to run, to send and to hear back? Exit code 1 when something will not work."""
    from dataclasses import asdict

    from nurture.checks.installation import examine
    from nurture.runtime import database
    from nurture.runtime.settings import settings

    findings = list(examine(settings(), database.here()))
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        marks = {"ok": "[green]✓[/]", "note": "[yellow]![/]", "ill": "[red]✗[/]"}
        for finding in findings:
            remedy = f"\n    → {escaped(finding.remedy)}" if finding.remedy else ""
            out.print(f"{marks[finding.state]} {finding.what}: {escaped(finding.said)}{remedy}")
    raise typer.Exit(1 if any(finding.state == "ill" for finding in findings) else 0)
