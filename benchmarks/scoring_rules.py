"""How fast a night is scored, by the rules and by a learned model, reasons and all, from a database to the database.

    python benchmarks/scoring_rules.py --quick                    20,000 leads with 400,000 activities, a minute
    python benchmarks/scoring_rules.py --leads 1000000            the budget: at most 600 s on 2 cores, 2 GiB
    python benchmarks/scoring_rules.py --database postgresql://…  somewhere else than in a SQLite file; must be empty

Twenty activities per lead over a year, written in the order of time, so that a lead's own lie far apart, and deals and
orders to learn from. Every shard is a process of its own, as Prefect's workers are; memory is the largest one's. The
night is segmentation, lead scores and account scores. The rule alone is timed as well.
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

import numpy as np

from models import Activity, metadata
from models.score import LeadToScore
from nurture.config import scoring as scoring_rules
from nurture.rules.scoring import lead_score
from nurture.runtime import database
from tasks.scoring.scores import score, score_accounts
from tasks.segmentation import segment

ROOT = Path(__file__).parents[1]
RULES = scoring_rules.read(ROOT / "templates" / "scoring.toml")
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
EACH = 20  # activities per lead
PER_ACCOUNT = 6
JUDGED = 100_000  # leads; with fewer, starting the processes weighs more than the work
BUDGET = {"seconds": 600, "mib": 2048, "leads": 1_000_000}
TITLES = (
    "Head of Maintenance", "CFO", "Einkaufsleiter", "Ingeniero de planta", "采购经理", "Managing Director", "Buyer",
    "Assistant to the CEO", "Quality Manager", "Director financiar", "Process Engineer", "Werkstudent", "Plant Manager",
)  # fmt: skip
INDUSTRIES = ("Manufacturing", "Energy", "Retail")
BUYS = 0.15  # of the times that somebody with one of the first four titles has read prices
DROP = ("DROP INDEX activity_contact_at", "DROP INDEX activity_at")  # built at the end, as after a first import
KINDS = (
    ("page_view",) * 6 + ("email_open",) * 5 + ("email_click",) * 3 + ("pricing_view", "download", "webinar", "form")
)


def fill(url: str, leads: int) -> None:
    """Leads, a year of what they did in the order of time, and now and then a deal or an order after reading prices."""
    engine = database.engine_for(url)
    metadata.create_all(engine)
    chance = np.random.default_rng(7)
    accounts, many, begin = leads // PER_ACCOUNT + 1, leads * EACH, NOW - timedelta(days=365)
    made = ("{}", text_of(NOW - timedelta(days=400)), text_of(NOW))
    who, kind = chance.integers(1, leads + 1, many), chance.integers(0, len(KINDS), many)
    second = np.linspace(0, 365 * 86_400, many, endpoint=False).astype(np.int64)
    keen = np.flatnonzero((kind == KINDS.index("pricing_view")) & (chance.random(many) < BUYS))

    def address(one: int) -> str:
        return f"lead{one}@company{one % accounts}.example"

    def contact(one: int) -> tuple[Any, ...]:
        b2c = one % 5 == 0
        return (one, "b2c" if b2c else "b2b", *(address(one),) * 3, None if b2c else one % accounts + 1,
                TITLES[one * 7 % len(TITLES)], "en", "DE", "unknown", "aware" if b2c else "lead", *made)  # fmt: skip

    def company(one: int) -> tuple[Any, ...]:
        return (one, str(one), f"Company {one}", one * 37 % 9_000 + 5, INDUSTRIES[one % 3], "DE", *made)

    def after(place: int) -> str:
        return text_of(begin + timedelta(seconds=int(second[place]), days=float(place % 30 + 1)))

    times = np.datetime_as_string(np.datetime64(begin.replace(tzinfo=None), "us") + second.astype("timedelta64[s]"))
    early = keen[(second[keen] < 330 * 86_400) & (who[keen] * 7 % len(TITLES) < 4)]
    buyers = list(zip(early.tolist(), who[early].tolist(), strict=True))
    tables: tuple[tuple[str, str, Iterator[tuple[Any, ...]]], ...] = (
        ("address", "address", ((address(one),) for one in range(1, leads + 1))),
        ("account", "id, key, name, employees, industry, country, traits, created_at, updated_at",
         (company(one) for one in range(1, accounts + 1))),
        ("contact", "id, market, key, address, email, account_id, title, locale, country, consent, stage, traits, "
         "created_at, updated_at", (contact(one) for one in range(1, leads + 1))),
        ("activity", "dedupe, contact_id, kind, at",
         ((one, int(lead), KINDS[what], at.replace("T", " "))
          for one, (lead, what, at) in enumerate(zip(who, kind, times, strict=True)))),
        ("opportunity", "key, account_id, contact_id, name, outcome, currency, opened_at, closed_at, traits",
         ((f"d{place}", one % accounts + 1, one, "Pumps", "lost", "EUR", after(place), after(place), "{}")
          for place, one in buyers if one % 5)),
        ("orders", "key, contact_id, at, amount_cents, currency",
         ((f"o{place}", one, after(place), 9_900, "EUR") for place, one in buyers if one % 5 == 0)),
    )  # fmt: skip
    with engine.begin() as connection:
        for statement in DROP:
            connection.exec_driver_sql(statement)
    raw = engine.raw_connection()
    for table, columns, rows in tables:
        insert_rows(raw, table, columns, rows)
    raw.close()
    with engine.begin() as connection:
        for index in Activity.__table__.indexes:  # type: ignore[attr-defined]
            index.create(connection)
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()


def text_of(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"


def insert_rows(raw: Any, table: str, columns: str, rows: Iterator[tuple[Any, ...]]) -> None:
    """Rows as they are, without the orm: this is the benchmark's own work and not measured."""
    marks = ", ".join("?" * len(columns.split(",")))
    cursor = raw.cursor()
    if raw.dbapi_connection.__class__.__module__.startswith("psycopg"):
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        cursor.execute("PRAGMA foreign_keys = OFF")
        cursor.execute("BEGIN")
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608
    raw.commit()


def work(name: str, url: str, shard: int, shards: int, models: str) -> tuple[float, float, int]:
    """One shard in a process of its own: seconds by the clock, of the processor, and its peak memory in MiB."""
    engine, began = database.engine_for(url), time.perf_counter()
    orders: dict[str, Callable[[], Any]] = {
        "segment": lambda: segment(engine, NOW, shard, shards),
        "score": lambda: score(engine, NOW, RULES, shard=shard, shards=shards),
        "score, learned": lambda: score(engine, NOW, RULES, Path(models), shard=shard, shards=shards),
        "score accounts": lambda: score_accounts(engine, NOW, RULES, shard, shards),
    }
    orders[name]()
    mine = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter() - began, mine.ru_utime + mine.ru_stime, peak()


def peak() -> int:
    """This process's largest memory in MiB. Not ru_maxrss: that of a child begins with its parent's."""
    said = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in said.splitlines() if line.startswith("VmHWM"))) // 1024


def teach(url: str, models: str) -> tuple[float, float, int]:
    """Both markets' models, learned from the record and put in charge whatever they are worth: this is about speed."""
    from nurture.learning.registry import versions
    from tasks.scoring.learning import LearningGoal, learn

    engine, began = database.engine_for(url), time.perf_counter()
    for market, days in (("b2b", 90), ("b2c", 30)):
        taught = learn(engine, NOW, RULES, LearningGoal(market, days, Path(models) / market, 70.0))
        print(f"{taught.market}: {taught.words}", file=sys.stderr)
        assert taught.version, taught.words
        versions.promote(Path(models) / market, taught.version, NOW, "benchmark")
    mine = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter() - began, mine.ru_utime + mine.ru_stime, peak()


def rule_alone(many: int = 10_000) -> int:
    """Leads per second of the pure rule on one core, reasons and all."""
    chance = random.Random(3)
    market = RULES.markets["b2b"]
    leads = [
        LeadToScore(
            id=one, market="b2b", address=f"a{one}@company.example", title=chance.choice(TITLES), locale="en",
            country="DE", traits={}, industry="Manufacturing", employees=chance.randint(5, 9_000), tier=None,
            channel=None, account_traits={}, role="specifier", role_confidence=chance.choice((0.5, 0.9)),
            persona=None, department=None, seniority="Lead",
        )
        for one in range(many)
    ]  # fmt: skip
    done = [
        lead_score.deeds_of(
            [(chance.choice(KINDS), NOW - timedelta(days=chance.uniform(0, 365))) for _ in range(EACH)], market, NOW
        )
        for _ in leads
    ]
    began = time.process_time()
    for lead, deeds in zip(leads, done, strict=True):
        lead_score.score(lead, deeds, RULES, NOW)
    return round(many / (time.process_time() - began))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20,000 leads")
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=2, help="processes at a time")
    parser.add_argument("--database", help="an empty database")
    parser.add_argument("--rules-only", action="store_true", help="nothing is learned")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    leads = 20_000 if asked.quick else asked.leads
    result: dict[str, Any] = {"leads": leads, "activities": leads * EACH, "shards": asked.shards}
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        url, models = asked.database or f"sqlite:///{folder}/benchmark.db", f"{folder}/models"
        began = time.perf_counter()
        fill(url, leads)
        print(f"filled in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        if not asked.rules_only:
            with spawn.Pool(1) as pool:
                result["learn"] = told([pool.apply(teach, (url, models))], leads)
            print(f"learn: {result['learn']}", file=sys.stderr)
        steps = ("segment", "score", "score accounts", *(() if asked.rules_only else ("score, learned",)))
        for name in steps:
            with spawn.Pool(asked.shards) as pool:
                work_of = [(name, url, shard, asked.shards, models) for shard in range(asked.shards)]
                result[name] = told(pool.starmap(work, work_of), leads)
            print(f"{name}: {result[name]}", file=sys.stderr)
    for way in ("score", "score, learned"):
        if way in result:
            together = [result[name] for name in ("segment", way, "score accounts")]
            seconds, memory = (sum(one["seconds"] for one in together), max(one["peak_mib"] for one in together))
            result[f"{way}: share of the budget"] = {
                "time": round(seconds * BUDGET["leads"] / leads / BUDGET["seconds"], 3),
                "memory": round(memory * asked.shards / BUDGET["mib"], 3),
            }
    result["rule_alone_leads_per_second_per_core"] = rule_alone()
    if asked.json:
        print(json.dumps(result, indent=2))
    else:
        for key, value in result.items():
            print(f"{key.replace('_', ' '):<40} {value}")
    shares = [share for key, value in result.items() if key.endswith("budget") for share in value.values()]
    return 0 if max(shares) <= 1 or leads < JUDGED else 1


def told(shards: list[tuple[float, float, int]], leads: int) -> dict[str, float]:
    """Shards run side by side: the slowest by the clock, all their processor time, the largest one's memory."""
    seconds, busy = max(one[0] for one in shards), sum(one[1] for one in shards)
    return {
        "seconds": round(seconds, 1),
        "processor_seconds": round(busy, 1),
        "processor_us_per_lead": round(busy / leads * 1e6, 1),
        "peak_mib": max(one[2] for one in shards),
    }


if __name__ == "__main__":
    sys.exit(main())
