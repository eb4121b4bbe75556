"""How fast the rules score: segmentation, lead scores and account scores from a database, end to end, with the memory.

    python benchmarks/scoring_rules.py --quick                    20,000 leads with 400,000 activities, some seconds
    python benchmarks/scoring_rules.py --leads 1000000            the budget: at most 600 s on 2 cores, 2 GiB
    python benchmarks/scoring_rules.py --database postgresql://…  somewhere else than in a SQLite file; must be empty

Twenty activities per lead over a year, written in the order of time, so that a lead's own lie far apart. Every shard is
a process of its own, as Prefect's workers are; memory is the largest process's. The rule alone is timed as well.
"""

import argparse
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from models import Account, Activity, Address, Contact, metadata
from nurture import db, scoring_rules
from nurture.rules import scoring
from tasks.scoring import score, score_accounts
from tasks.segmentation import segment

ROOT = Path(__file__).parents[1]
RULES = scoring_rules.read(ROOT / "templates" / "scoring.toml")
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
EACH = 20  # activities per lead
PER_ACCOUNT = 6
BUDGET = {"seconds": 600, "mib": 2048, "leads": 1_000_000}
TITLES = (
    "Head of Maintenance", "CFO", "Einkaufsleiter", "Ingeniero de planta", "采购经理", "Managing Director", "Buyer",
    "Assistant to the CEO", "Quality Manager", "Director financiar", "Process Engineer", "Werkstudent", "Plant Manager",
)  # fmt: skip
KINDS = (
    ("page_view",) * 6 + ("email_open",) * 5 + ("email_click",) * 3 + ("pricing_view", "download", "webinar", "form")
)


def chunks(rows: Iterator[dict[str, Any]], size: int = 20_000) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def fill(url: str, leads: int) -> None:
    engine = db.engine_for(url)
    metadata.create_all(engine)
    chance = random.Random(7)
    made = {"traits": {}, "created_at": NOW - timedelta(days=400), "updated_at": NOW}
    accounts = leads // PER_ACCOUNT + 1

    def contact(one: int) -> dict[str, Any]:
        address = f"lead{one}@company{one % accounts}.example"
        b2c = one % 5 == 0
        return {"id": one, "market": "b2c" if b2c else "b2b", "key": address, "address": address, "email": address,
                "account_id": None if b2c else one % accounts + 1, "title": chance.choice(TITLES), "country": "DE",
                "stage": "aware" if b2c else "lead", **made}  # fmt: skip

    def company(one: int) -> dict[str, Any]:
        return {"id": one, "key": str(one), "name": f"Company {one}", "employees": chance.randint(5, 9_000),
                "industry": chance.choice(("Manufacturing", "Energy", "Retail")), "country": "DE", **made}  # fmt: skip

    def activity(one: int) -> dict[str, Any]:
        ago = timedelta(days=365 * (1 - one / (leads * EACH)))
        return {"dedupe": one, "contact_id": chance.randint(1, leads), "kind": chance.choice(KINDS), "at": NOW - ago}

    for table, rows in (
        (Address, ({"address": f"lead{one}@company{one % accounts}.example"} for one in range(1, leads + 1))),
        (Account, (company(one) for one in range(1, accounts + 1))),
        (Contact, (contact(one) for one in range(1, leads + 1))),
        (Activity, (activity(one) for one in range(leads * EACH))),
    ):
        for chunk in chunks(rows):
            with db.writing(engine) as session:
                session.execute(insert(table), chunk)
    engine.dispose()


def work(name: str, url: str, shard: int, shards: int) -> int:
    """One shard in a process of its own. Returns its peak memory in MiB."""
    engine = db.engine_for(url)
    orders: dict[str, Callable[[], Any]] = {
        "segment": lambda: segment(engine, NOW, shard, shards),
        "score": lambda: score(engine, NOW, RULES, shard=shard, shards=shards),
        "score accounts": lambda: score_accounts(engine, NOW, RULES, shard, shards),
    }
    orders[name]()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def rule_alone(many: int = 10_000) -> int:
    """Leads per second of the pure rule on one core, reasons and all."""
    chance = random.Random(3)
    sheet = RULES.markets["b2b"]
    leads = [
        {"market": "b2b", "address": f"a{one}@company.example", "title": chance.choice(TITLES), "role": "specifier",
         "role_confidence": chance.choice((0.5, 0.9)), "seniority": "Lead", "industry": "Manufacturing",
         "employees": chance.randint(5, 9_000), "country": "DE", "traits": {}}
        for one in range(many)
    ]  # fmt: skip
    done = [
        scoring.deeds_of(
            [(chance.choice(KINDS), NOW - timedelta(days=chance.uniform(0, 365))) for _ in range(EACH)], sheet, NOW
        )
        for _ in leads
    ]
    began = time.process_time()
    for lead, deeds in zip(leads, done, strict=True):
        scoring.score(lead, deeds, RULES, NOW)
    return round(many / (time.process_time() - began))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20,000 leads")
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=2, help="processes at a time")
    parser.add_argument("--database", help="an empty database")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    leads = 20_000 if asked.quick else asked.leads
    result: dict[str, Any] = {"leads": leads, "activities": leads * EACH, "shards": asked.shards}
    with tempfile.TemporaryDirectory() as folder:
        url = asked.database or f"sqlite:///{folder}/benchmark.db"
        began = time.perf_counter()
        fill(url, leads)
        print(f"filled in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        spent, memory = 0.0, 0
        for name in ("segment", "score", "score accounts"):
            began = time.perf_counter()
            with multiprocessing.get_context("spawn").Pool(asked.shards) as pool:
                peaks = pool.starmap(work, [(name, url, shard, asked.shards) for shard in range(asked.shards)])
            seconds = time.perf_counter() - began
            spent, memory = spent + seconds, max(memory, *peaks)
            result[name] = {"seconds": round(seconds, 1), "leads_per_second": round(leads / seconds)}
    result |= {"seconds": round(spent, 1), "leads_per_second": round(leads / spent), "peak_mib_per_process": memory}
    result["rule_alone_leads_per_second_per_core"] = rule_alone()
    result["budget_share_of_time_at_a_million"] = round(spent * BUDGET["leads"] / leads / BUDGET["seconds"], 2)
    if asked.json:
        print(json.dumps(result, indent=2))
    else:
        for key, value in result.items():
            print(f"{key.replace('_', ' '):<40} {value}")
    return 0 if result["budget_share_of_time_at_a_million"] <= 1 and memory * asked.shards <= BUDGET["mib"] else 1


if __name__ == "__main__":
    sys.exit(main())
