"""What `nurture up` starts, it also stops: nothing is left behind, and what went wrong is said with the mend."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from nurture.runtime import supervisor as services
from nurture.runtime.settings import Settings
from nurture.runtime.supervisor import Service, ServiceError

SMALL = """
import sys
from pathlib import Path
from nurture.runtime import supervisor
from nurture.runtime.supervisor import Service
from nurture.runtime.settings import Settings

port = int(sys.argv[2])
command = ["http.server", str(port), "--bind", "127.0.0.1"]
supervisor.programs = lambda *_, **__: [Service("one", "The first", command, lambda _: supervisor._answers(port, "/"))]
sys.exit(supervisor.up(Settings(var=Path(sys.argv[1]), prefect_port=port, web_port=port, _env_file=None)))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def soon(true: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(var=tmp_path / "var", prefect_port=free_port(), web_port=free_port(), _env_file=None)


def play(monkeypatch: pytest.MonkeyPatch, *programs: Service) -> None:
    """Small programs instead of the real ones: what is tested is how they start and stop."""
    monkeypatch.setattr(services, "programs", lambda *_, **__: list(programs))


def page(port: int, name: str = "one") -> Service:
    command = ["http.server", str(port), "--bind", "127.0.0.1"]
    return Service(name, f"Service {name}", command, lambda _: services._answers(port, "/"))


def test_they_start_answer_and_are_gone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    first, second = free_port(), free_port()
    play(monkeypatch, page(first), page(second, "two"))
    said: list[str] = []
    with services.running(settings, say=said.append) as where:
        assert not is_free(first)
        assert not is_free(second)
        assert where.prefect == f"http://127.0.0.1:{settings.prefect_port}"
        assert os.environ["PREFECT_API_URL"] == f"{where.prefect}/api"
    assert is_free(first)
    assert is_free(second)
    assert "PREFECT_API_URL" not in os.environ
    assert [line.split(" is up")[0] for line in said] == ["Service one", "Service two"]


def test_one_that_dies_at_the_start_takes_the_others_along_and_names_its_log(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    broken = Service("broken", "The broken one", ["json.tool", "there-is-no-such-file"], lambda _: False)
    play(monkeypatch, page(port), broken)
    with pytest.raises(ServiceError) as trouble, services.running(settings):
        pass
    assert "The broken one stopped with exit code" in str(trouble.value)
    assert str(settings.var.resolve() / "logs" / "broken.log") in str(trouble.value)
    assert "there-is-no-such-file" in str(trouble.value)  # the log's last line
    assert is_free(port)


def test_a_taken_port_is_named_with_the_setting_to_change(settings: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", settings.web_port))
        other.listen()
        with (
            pytest.raises(ServiceError, match=f"Port {settings.web_port}.*NURTURE_WEB_PORT="),
            services.running(settings),
        ):
            pass


def test_one_folder_has_one_set_of_services(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch)
    with services.running(settings), pytest.raises(ServiceError, match="runs already"), services.running(settings):
        pass
    with services.running(settings):
        pass  # and afterwards it is free again


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """A module by name and text, to be started as a service."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return lambda name, text: (tmp_path / f"{name}.py").write_text(text) and None


def test_one_that_dies_later_ends_the_others_and_the_command_fails(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, module: Callable[[str, str], None]
) -> None:
    module("brief", "import time; time.sleep(1); print('no more leads'); raise SystemExit(3)")
    port = free_port()
    play(monkeypatch, page(port), Service("brief", "The brief one", ["brief"], lambda _: True))
    said: list[str] = []
    assert services.up(settings, say=said.append) == 1
    assert "The brief one stopped with exit code 3" in said[-1]
    assert "no more leads" in said[-1]
    assert is_free(port)


def test_who_ignores_the_request_is_ended_with_all_its_children(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, module: Callable[[str, str], None]
) -> None:
    module(
        "stubborn",
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-m', 'http.server', sys.argv[1], '--bind', '127.0.0.1'])\n"
        "time.sleep(600)",
    )
    monkeypatch.setattr(services, "GRACE", 0.5)
    port = free_port()
    play(monkeypatch, Service("stubborn", "It", ["stubborn", str(port)], lambda _: services._answers(port, "/")))
    with services.running(settings):
        pass
    assert soon(lambda: is_free(port), 2)


def test_what_we_start_sees_our_settings_and_nothing_of_another_prefect(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, module: Callable[[str, str], None]
) -> None:
    monkeypatch.setenv("PREFECT_PROFILE", "somebody-elses")
    monkeypatch.setenv("NURTURE_CLOCK_FILE", "left-over-from-a-demo")
    told = settings.model_copy(update={"company": "Foo & Søns <GmbH>", "sales_zone": "Asia/Kolkata"})
    module(
        "look",
        "import json, os\n"
        "from nurture.runtime.settings import Settings\n"
        "s = Settings()\n"
        "seen = [s.company, str(s.var), s.sla.total_seconds(), s.sales_zone, str(s.clock_file), s.prefect_port]\n"
        "print(json.dumps([*seen, os.environ.get('PREFECT_PROFILE'), os.environ['PREFECT_HOME']]))",
    )
    play(monkeypatch, Service("look", "The look", ["look"], lambda process: process.popen.wait() == 0))
    with services.running(told):
        seen = json.loads((told.var / "logs" / "look.log").read_text())
    assert seen == ["Foo & Søns <GmbH>", str(told.var.resolve()), 8 * 3600.0, "Asia/Kolkata", "None",
                    told.prefect_port, None, str(told.var.resolve() / "prefect")]  # fmt: skip


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """`up` in a process of its own, running one small program; yields it and the program's port."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", SMALL, str(tmp_path / "var"), str(port)], stdout=subprocess.PIPE, text=True
    )
    assert soon(lambda: not is_free(port)), "the small program never answered"
    yield process, port
    with suppress(ProcessLookupError):
        process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_stops_everything(
    supervisor: tuple["subprocess.Popen[str]", int], number: signal.Signals
) -> None:
    process, port = supervisor
    assert process.stdout is not None
    while "Ctrl-C" not in process.stdout.readline():
        pass
    process.send_signal(number)
    assert process.wait(20) == 0
    assert "Stopped." in process.stdout.read()
    assert is_free(port)


def test_killed_without_a_chance_to_stop_it_leaves_nothing_behind(
    supervisor: tuple["subprocess.Popen[str]", int],
) -> None:
    process, port = supervisor
    process.kill()
    assert soon(lambda: is_free(port)), "its child outlived it"
