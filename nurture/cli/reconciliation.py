"""nurture unknown: requests whose end nobody knows, kept until there is proof or a person says what they know."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nurture.cli.console import AsJson, here, out, print_json, print_table

if TYPE_CHECKING:
    from models.queries.reconciliation import UnknownRequest


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    unknown = typer.Typer(help="Requests whose end nobody knows: list them, settle one.", no_args_is_help=True)
    unknown.command("list")(list_)
    unknown.command()(settle)
    app.add_typer(unknown, name="unknown")


def list_(json: AsJson = False) -> None:
    """Every request whose end nobody knows, oldest first. Exit code 1 when there is one."""
    from tasks.delivery.reconciliation import unknown_requests

    _, engine, _ = here()
    rows = unknown_requests(engine)
    if json:
        print_json([row._asdict() for row in rows])
    elif rows:
        print_table(
            ("request", "channel", "letter", "#people", "since", "what is known"),
            [
                (
                    row.id,
                    row.channel,
                    f"{row.campaign} {row.letter}",
                    row.n,
                    f"{row.armed_at:%Y-%m-%d %H:%M}",
                    "; ".join(filter(None, (row.detail, _log(row)))),
                )
                for row in rows
            ],
        )
    else:
        out.print("nothing is unknown")
    raise typer.Exit(1 if rows else 0)


def _log(row: "UnknownRequest") -> str:
    """What the provider's log said, and when."""
    return f"asked at {row.asked_at:%Y-%m-%d %H:%M}: {row.evidence}" if row.asked_at else ""


def settle(
    request: Annotated[str, typer.Argument(help="Its id, from `nurture unknown list`.")],
    outcome: Annotated[Literal["sent", "not-sent"], typer.Argument(help="What you know, not what you guess.")],
    by: Annotated[str, typer.Option(help="Who knows, and from where.")] = "",
) -> None:
    """Say what became of a request. `not-sent` lets its letters wait again: a wrong one is a letter twice."""
    import getpass

    from tasks.delivery.reconciliation import settle as settled

    _, engine, now = here()
    people = settled(engine, now, request, outcome == "sent", by or getpass.getuser())
    out.print(f"{people:,} letters {'count as sent' if outcome == 'sent' else 'wait again'}")
