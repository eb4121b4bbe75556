"""nurture, the command. Exit codes: 0 done, 1 done but something wants your attention, 2 not done."""

import os
import sys

import typer

from nurture.cli import (
    data,
    explaining,
    learning,
    letters,
    pausing,
    people,
    planning,
    reconciliation,
    running,
    selling,
    titles,
)
from nurture.cli.console import explained, say_error

os.environ.setdefault("DO_NOT_TRACK", "1")  # before anything imports Prefect
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")

app = typer.Typer(
    help="Score leads, write to them once, hand the ready ones to sales.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (running, data, letters, pausing, planning, explaining, titles, people, learning, selling, reconciliation):
    part.add_to(app)


def main() -> None:
    """The console script. Errors we foresee are one clear sentence on stderr; a traceback is a bug of ours."""
    try:
        app()
    except KeyboardInterrupt:
        say_error("stopped")
        sys.exit(130)
    except BrokenPipeError:  # `nurture ledger | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        sentence = explained(error)
        if sentence is None:
            raise
        say_error(sentence)
        sys.exit(2)
