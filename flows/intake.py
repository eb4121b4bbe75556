"""When files are imported: every hour, whatever arrived in the folder."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from prefect import State
from prefect.logging import get_run_logger
from pydantic import Field

from flows.orchestration import artifacts
from flows.orchestration.flow_factory import (
    At,
    Minutes,
    completed,
    describe_error,
    moment_to_act,
    noun_flow,
    raise_trouble,
)
from flows.orchestration.late_run_guard import skip_if_late
from nurture.files import mapping as mappings
from nurture.runtime import clock, database
from nurture.runtime.settings import settings
from tasks.intake import import_file

DATA = (".csv", ".csv.gz", ".tsv", ".txt", ".parquet", ".xlsx", ".xls", ".ods")


@noun_flow("import what arrived")
def intake(
    folder: Annotated[str, Field(max_length=1_000)] = "",
    settle_seconds: Annotated[int, Field(ge=0, le=86_400)] = 60,
    most_late: Minutes = 240,
    at: At = None,
) -> State[None]:
    """Every hour: files that arrived become accounts, contacts, activities, orders and opportunities.

    `contacts.toml` is the mapping of `contacts.csv` and of every `contacts-….csv` beside it. A file that was imported
    moves to `done/`; one that could not be stays and is tried again. The same file twice changes nothing.

    Args:
        folder: Where files arrive. Empty: `inbox` in nurture's own folder.
        settle_seconds: A file is imported when nobody has written to it for this many seconds.
        most_late: A run that starts more than this many minutes late does nothing and ends Skipped.
        at: The moment to act as. Empty: now.
    """
    if skipped := skip_if_late(most_late, at):
        return skipped
    engine, now, ours = database.here(), moment_to_act(at), settings()
    inbox = Path(folder) if folder else ours.var / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)

    rows, troubles = [], []
    for file in arrived_files(inbox, timedelta(seconds=settle_seconds)):
        try:
            mapping = mappings.read(mapping_of(file))
            imported = import_file.prefect_task(engine, now, file, mapping, ours.var / "rejects")
        except Exception as error:  # one file's mistake does not stop the others
            get_run_logger().exception("%s was not imported", file.name)
            troubles.append(f"{file.name}: {describe_error(error)}")
            continue
        rows.append({"file": file.name, **asdict(imported)})
        move_to_done(file)

    artifacts.create_table(
        "intake", rows, f"Files imported from {inbox}; rejected rows stand in their rejects file with the reason"
    )
    raise_trouble(troubles)
    counts = {name: sum(row[name] for row in rows) for name in ("rows", "good", "rejected", "incomplete", "unchanged")}
    return completed({"files": len(rows), **counts})


def arrived_files(inbox: Path, settled_for: timedelta) -> Iterator[Path]:
    """The data files nobody is writing to any more; accounts before contacts, contacts before what they did."""
    since = (clock.wall() - settled_for).timestamp()
    files = [file for file in inbox.iterdir() if file.name.endswith(DATA) and file.stat().st_mtime <= since]
    order = ("accounts", "contacts")
    yield from sorted(
        files, key=lambda file: (next((i for i, kind in enumerate(order) if kind in file.name), 2), file.name)
    )


def mapping_of(file: Path) -> Path:
    """The mapping beside the file whose name its name begins with; the longest one, if there are several."""
    stem = file.name.split(".")[0]
    found = [toml for toml in file.parent.glob("*.toml") if stem == toml.stem or stem.startswith(f"{toml.stem}-")]
    return max(found, key=lambda toml: len(toml.stem), default=file.with_name(f"{stem}.toml"))


def move_to_done(file: Path) -> None:
    """Move a file to `done/`; a file of the same name that came earlier is kept beside it."""
    folder = file.parent / "done"
    folder.mkdir(exist_ok=True)
    target, n = folder / file.name, 1
    while target.exists():
        n += 1
        target = folder / f"{n}-{file.name}"
    file.rename(target)
