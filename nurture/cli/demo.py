"""nurture demo: three weeks of an example company in two minutes. Real work under Prefect, simulated people."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta

import httpx
from rich.console import Console

from nurture.cli import demo_days, demo_end, demo_screen
from nurture.cli.console import err, explained, say_error
from nurture.cli.demo_days import FIRST, SEED, RunMorning
from nurture.cli.demo_folder import DemoFolder, DemoFolderError, open_demo_folder
from nurture.cli.demo_screen import Screen, stopwatch
from nurture.runtime import supervisor
from nurture.simulation.provider import SimulatedProvider
from nurture.simulation.simulator import Simulator, UnexpectedAnswer
from tasks import publish

BY = "the demo"


class RunFailed(Exception):
    """A day's run under Prefect failed. The text says which day and where to read about it."""


def run(days: int = 21, stay: bool | None = None, json: bool = False) -> int:
    """Play the demo. 0: every run succeeded and the ledger adds up."""
    stay = (sys.stdin.isatty() and sys.stdout.isatty()) if stay is None else stay
    screen = Screen(err if json else Console(highlight=False, soft_wrap=True))
    try:
        with _stoppable():
            return _play(screen, days, stay, json)
    except (DemoFolderError, supervisor.ServiceError, UnexpectedAnswer, RunFailed) as error:
        say_error(str(error))
        return 1
    except KeyboardInterrupt:
        screen.line("Stopped.")
        return 130


def _play(screen: Screen, days: int, stay: bool, json: bool) -> int:
    watch, parts = stopwatch(), Timings()
    provider = SimulatedProvider(SEED)
    screen.line(f"[bold]{days} days of Brunnhold Pumps, who does not exist.[/] Nothing leaves this machine.\n")
    with open_demo_folder(provider.public_key, FIRST) as demo:
        for sentence in demo.port_notes:
            screen.line(f"[yellow]![/] {sentence}")
        with parts.timing("files"):
            _files(screen, demo)
        with ExitStack() as stack:
            with parts.timing("services"), screen.busy("Prefect and the web app are starting"):
                where = stack.enter_context(supervisor.running(demo.settings))
            screen.done("Prefect", where.prefect, parts["services"])
            screen.done("Web app", where.web)
            with parts.timing("campaigns"):
                _publish(screen, demo)
            door = stack.enter_context(httpx.Client(base_url=where.web, timeout=30, trust_env=False))
            simulator = demo_days.make_simulator(demo, provider, door)
            with parts.timing("prefect"), screen.busy("one moment"):
                run_morning = _run_morning()
            with parts.timing("days"):
                now = _days(screen, demo, simulator, run_morning, days)
            with parts.timing("end"):
                end = demo_end.summarise(demo, where, now)
            screen.line()
            if not json:
                demo_end.show_summary(screen, end, demo)
            parts["all"] = round(watch(), 1)
            screen.line(f"\n[dim]{days} days in {parts['all']:.0f} seconds.[/]\n")
            if json:
                demo_end.print_document(end, days, parts)
            if stay:
                demo_end.show_pages(screen, end, demo)
                _stay()
        if not json:
            demo_end.show_how_to_reopen(screen, end, demo)
    return 0 if end.report.adds_up else 1


class Timings(dict[str, float]):
    """How long each part took, in seconds."""

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """Time a block as the part of this name."""
        watch = stopwatch()
        yield
        self[name] = round(watch(), 1)


def _files(screen: Screen, demo: DemoFolder) -> None:
    watch, done = stopwatch(), []
    with screen.busy("reading the example company's files") as say:
        for kind, file in demo_days.files():
            say(f"reading {file.name}")
            done.append((kind, demo_days.import_example_file(demo, kind, file)))
    demo_screen.imported(screen, done, watch())


def _publish(screen: Screen, demo: DemoFolder) -> None:
    done = publish.publish(demo.engine, demo.settings.templates, None, BY, FIRST)
    screen.done("Campaigns", ", ".join(f"{slug}, version {number}" for slug, number, _ in done))


def _run_morning() -> RunMorning:
    """Every noun's work as a run under Prefect, which is imported only now that its server answers."""
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"  # what goes wrong is said here, once
    from flows.orchestration.demo_day import run_day

    return run_day


def _days(screen: Screen, demo: DemoFolder, simulator: Simulator, run_morning: RunMorning, days: int) -> datetime:
    """Play the days, a line each. Returns the moment at which the last one ends."""
    screen.line()
    screen.heading()
    at, most = FIRST, 0
    with screen.busy("") as say:
        for number in range(1, days + 1):
            try:
                day = demo_days.play_day(demo, simulator, run_morning, at, demo_screen.watching(say, number, days))
            except UnexpectedAnswer:
                raise
            except Exception as error:
                raise RunFailed(
                    f"the run of {at:%A %-d %B} failed: {explained(error) or error}\n"
                    f"  Its log: {supervisor.service_urls(demo.settings).prefect}, or {demo.folder / 'logs'}"
                ) from error
            most = max(most, day.letters)
            screen.day(day, most)
            at += timedelta(days=1)
        demo_days.finish(demo, simulator, at)
    return at


def _stay() -> None:
    """Until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(1)


@contextmanager
def _stoppable() -> Iterator[None]:
    """A closed terminal or a `kill` stops the demo as Ctrl-C does: everything it started ends with it."""
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
