"""Everything `nurture up` runs on one machine: Prefect's server, the web app, and the runner of the deployments.

They write to `var/logs/` and listen on 127.0.0.1 only. The server and the web app start side by side, then the runner,
which needs the server; they stop in the reverse order. This module does not import Prefect: it starts it.
"""

import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import SecretStr

from nurture.runtime import database
from nurture.runtime.settings import PROJECT, Settings

HOST = "127.0.0.1"  # Prefect's API has no password: nobody but this machine may reach it
READY = "nurture: deployments are registered"  # what the runner writes to its log when they are
LONGEST_START = 120.0  # seconds a service may take to answer: a cold disk, two busy cores
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 15.0  # seconds it gets to stop by itself: the runner marks its runs cancelled
PREFECT = {  # the reasons are in docs/prefect.md
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # the newer pages ask an outside host, the older ones ask nobody
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",  # no server is ever started behind our back
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_CLI_PROMPT": "false",
}
NOT_OURS = (
    "PREFECT_PROFILE",
    "PREFECT_PROFILES_PATH",
    "PREFECT_API_KEY",
    "PREFECT_API_AUTH_STRING",
)  # another server's

Say = Callable[[str], None]


class ServiceError(Exception):
    """A service did not start, or stopped. The message says what to change or which log to read: show it and exit 1."""


@dataclass(frozen=True)
class Service:
    """One program: how to start it and how to tell that it is healthy."""

    name: str
    what: str
    command: Sequence[str]
    healthy: Callable[["Process"], bool]
    needs_the_others: bool = False


@dataclass
class Process:
    """A started service, in a process group of its own; it ends when we end."""

    service: Service
    popen: "subprocess.Popen[bytes]"
    log: Path
    files: Sequence[IO[bytes]]
    began: float
    healthy: bool = False

    @property
    def dead(self) -> bool:
        """Has it ended?"""
        return self.popen.poll() is not None

    def stop(self) -> None:
        """Ask, wait, then end the whole group. Nothing is left behind, also when the service died before."""
        if not self.dead:
            self.popen.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.popen.wait(GRACE)
        with suppress(ProcessLookupError, PermissionError):  # macOS says "not permitted" of a group that is gone
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        for file in self.files:
            file.close()

    def exit_report(self) -> str:
        """How it ended, where its log is, and the log's last lines."""
        code = self.popen.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"stopped with exit code {code}"
        last_lines = self.log.read_text(errors="replace").strip().splitlines()[-5:]
        return "\n".join(
            [f"{self.service.what} {how}. Read {self.log}; its last lines:", *(f"  {line}" for line in last_lines)]
        )


@dataclass(frozen=True)
class ServiceUrls:
    """Where Prefect's pages and ours are."""

    prefect: str
    web: str


def service_urls(settings: Settings) -> ServiceUrls:
    """Where these settings put the pages."""
    return ServiceUrls(f"http://{HOST}:{settings.prefect_port}", f"http://{HOST}:{settings.web_port}")


def environment(settings: Settings) -> dict[str, str]:
    """What a process needs so that it sees exactly these settings and our Prefect server, whatever its folder."""
    found = {}
    for name, about in Settings.model_fields.items():
        key, value = str(about.validation_alias or f"NURTURE_{name.upper()}"), getattr(settings, name)
        if isinstance(value, SecretStr):
            found[key] = value.get_secret_value()
        elif isinstance(value, Path):
            found[key] = str(value.resolve())
        elif value is not None:
            plain = settings.model_dump(mode="json", include={name})[name]
            found[key] = json.dumps(plain) if isinstance(plain, (list, dict)) else str(plain)
    api = f"{service_urls(settings).prefect}/api"
    return found | PREFECT | {
        "NURTURE_HOME": str(PROJECT),
        "PREFECT_HOME": str(settings.var.resolve() / "prefect"),
        "PREFECT_API_URL": api,
        "PREFECT_UI_URL": service_urls(settings).prefect,
        "PREFECT_UI_API_URL": api,
    }  # fmt: skip


def programs(settings: Settings, *, with_runner: bool, with_web: bool) -> list[Service]:
    """The services to start, in their order, and how each is known to be healthy."""
    port, web = settings.prefect_port, settings.web_port
    server = ["prefect", "server", "start", "--host", HOST, "--port", str(port), "--log-level", "warning"]
    found = [Service("prefect", "Prefect's server", server, lambda _: _answers(port, "/api/health"))]
    if with_web:
        found.append(Service("web", "The web app", ["nurture.web"], lambda _: _answers(web, "/health")))
    if with_runner:
        found.append(
            Service("runner", "The runner", ["flows.orchestration.deployments"], _says_ready, needs_the_others=True)
        )
    return found


def _says_ready(runner: Process) -> bool:
    return READY in runner.log.read_text(errors="replace")


@contextmanager
def started(settings: Settings, *, with_runner: bool, with_web: bool, say: Say) -> Iterator[list[Process]]:
    """The services, healthy. Raises ServiceError when one is not; stops them all at the end, whatever happened."""
    logs = _logs(settings)
    logs.mkdir(parents=True, exist_ok=True)
    services = programs(settings, with_runner=with_runner, with_web=with_web)
    ours = environment(settings) | {"PYTHONUNBUFFERED": "1"}
    env = {k: v for k, v in os.environ.items() if k not in NOT_OURS and not k.startswith("NURTURE_")} | ours
    with ExitStack() as stack:
        stack.enter_context(_locked(settings))
        _check_port(settings.prefect_port, "NURTURE_PREFECT_PORT", "Prefect's server")
        if with_web:
            _check_port(settings.web_port, "NURTURE_WEB_PORT", "the web app")
        database.prepare(database.engine_at(settings.database))
        processes: list[Process] = []
        stack.callback(_stop, processes)
        for service in services:
            if service.needs_the_others:
                _wait(processes, say)
            processes.append(_start(service, logs, env))
        _wait(processes, say)
        yield processes


@contextmanager
def running(
    settings: Settings, *, with_runner: bool = False, with_web: bool = True, say: Say = lambda _: None
) -> Iterator[ServiceUrls]:
    """Services around a block of code, for the demo. Flows called in the block are kept by this server.

    Import Prefect only inside the block: it reads its address once, when it is imported.
    """
    ours = {k: v for k, v in environment(settings).items() if not k.startswith(("NURTURE_", "SENDGRID_"))}
    ours["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "ERROR"  # the screen belongs to the caller
    with started(settings, with_runner=with_runner, with_web=with_web, say=say):
        before = {key: os.environ.get(key) for key in (*ours, *NOT_OURS)}
        os.environ.update(ours)
        for key in NOT_OURS:
            os.environ.pop(key, None)
        try:
            yield service_urls(settings)
        finally:
            for key, value in before.items():
                if value is None:
                    os.environ.pop(key, None)
                else:
                    os.environ[key] = value


def up(settings: Settings, *, open_browser: bool = False, say: Say = print) -> int:
    """Run everything until Ctrl-C or SIGTERM. The exit code: 0 when asked to stop, 1 when something is wrong."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in STOPS}
    try:
        with started(settings, with_runner=True, with_web=True, say=say) as processes:
            where = service_urls(settings)
            say(f"\nPrefect    {where.prefect}\nThe pages  {where.web}\nThe logs   {_logs(settings)}\n")
            say("Ctrl-C stops everything.")
            if open_browser:
                webbrowser.open(where.prefect)
            while not (gone := [process for process in processes if process.dead]):
                time.sleep(0.5)
            raise ServiceError(gone[0].exit_report())
    except KeyboardInterrupt:
        say("Stopped.")
        return 0
    except ServiceError as error:
        say(str(error))
        return 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _logs(settings: Settings) -> Path:
    return settings.var.resolve() / "logs"


def _start(service: Service, logs: Path, env: dict[str, str]) -> Process:
    log = logs / f"{service.name}.log"
    if log.exists():
        log.replace(log.with_suffix(".log.1"))  # the last run's, in case it is the one to read
    out = log.open("wb")
    popen = subprocess.Popen(  # noqa: S603  our own programs, no shell
        [sys.executable, "-m", "nurture.runtime.child_process", *service.command],
        stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, env=env, start_new_session=True,
    )  # fmt: skip
    assert popen.stdin is not None  # noqa: S101  we asked for the pipe
    return Process(service, popen, log, [popen.stdin, out], time.monotonic())


def _wait(processes: Sequence[Process], say: Say) -> None:
    """Wait until all are healthy, and say so of each. Raises ServiceError."""
    while waiting := [process for process in processes if not process.healthy]:
        for process in waiting:
            age = time.monotonic() - process.began
            if process.dead:
                raise ServiceError(process.exit_report())
            if process.service.healthy(process):
                process.healthy = True
                say(f"{process.service.what} is up ({age:.0f} s).")
            elif age > LONGEST_START:
                raise ServiceError(
                    f"{process.service.what} gives no answer after {LONGEST_START:.0f} seconds. Read {process.log}."
                )
        time.sleep(0.1)


def _stop(processes: list[Process]) -> None:
    """Stop the last started first. A second Ctrl-C does not interrupt it: half stopped is worse than slow."""
    handlers: dict[int, object] = {}
    with suppress(ValueError):  # not in the main thread: then no signal arrives here either
        handlers = {number: signal.signal(number, signal.SIG_IGN) for number in STOPS}
    for process in reversed(processes):
        process.stop()
    for number, handler in handlers.items():
        signal.signal(number, handler)  # type: ignore[arg-type]


@contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    """One set of services for one folder: two Prefect servers on one database would run everything twice."""
    with (settings.var / "up.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError(
                f"nurture runs already with the folder {settings.var.resolve()}. "
                "Stop it first, or choose another folder: NURTURE_VAR=…"
            ) from None
        yield


def _check_port(port: int, variable: str, what: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just left is free
        try:
            probe.bind((HOST, port))
        except OSError:
            raise ServiceError(
                f"Port {port}, meant for {what}, is taken by another program. "
                f"Stop that one, or choose another port: {variable}={port + 1}"
            ) from None


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
