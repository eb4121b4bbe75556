"""The demo's folder, made empty at every start, with a database, mailbox, secret, clock and free ports of its own."""

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from nurture.runtime import database
from nurture.runtime.settings import PROJECT, Settings, settings

HOST = "127.0.0.1"
PREFECT_PORT, WEB_PORT = 4200, 8400  # the usual ones
MARK = "this folder belongs to nurture demo, which empties it at every start\n"
DATA = PROJECT / "examples" / "data"
MAPPINGS = PROJECT / "examples" / "mappings"
FILE_ORDER = ("accounts", "contacts", "consumers", "opportunities", "orders", "activities")


class DemoFolderError(Exception):
    """The demo cannot use its folder. The text says why, and how to choose another."""


@dataclass(frozen=True)
class DemoFolder:
    """Where the demo runs. The user's own database and settings are elsewhere and stay untouched."""

    folder: Path
    settings: Settings
    engine: Engine
    port_notes: tuple[str, ...]  # which usual port was taken, a sentence each

    @property
    def inbox(self) -> Path:
        """Where the shop's and the site's files arrive."""
        return self.folder / "inbox"

    def set_clock(self, moment: datetime) -> None:
        """Set the time for every process of the demo. The file is replaced whole, so nobody reads half of it."""
        assert self.settings.clock_file  # noqa: S101  ours always has one
        draft = self.folder / ".clock"
        draft.write_text(moment.isoformat())
        os.replace(draft, self.settings.clock_file)


@contextmanager
def open_demo_folder(public_key: str, first: datetime, where: Path | None = None) -> Iterator[DemoFolder]:
    """Empty the folder and prepare it for the first morning. One demo at a time; else raises DemoFolderError."""
    folder = (where or settings().var / "demo").resolve()
    with _locked(folder):
        _clear(folder)
        prefect, web = _port(PREFECT_PORT), _port(WEB_PORT)
        ours = _isolated_settings(
            var=folder, clock_file=folder / "clock", prefect_port=prefect, web_port=web,
            web_url=f"http://{HOST}:{web}", SENDGRID_WEBHOOK_KEY=public_key,
        )  # fmt: skip
        taken = [("Prefect is", PREFECT_PORT, prefect), ("the pages are", WEB_PORT, web)]
        port_notes = tuple(
            f"Port {usual} is taken by another program; {what} on {port} this time."
            for what, usual, port in taken
            if port != usual
        )
        engine = database.engine_at(ours.database)
        database.prepare(engine)
        demo = DemoFolder(folder, ours, engine, port_notes)
        demo.set_clock(first)
        demo.inbox.mkdir()
        for kind in FILE_ORDER:
            shutil.copy(MAPPINGS / f"{kind}.toml", demo.inbox)
        with using_settings(ours):
            yield demo
        engine.dispose()


@contextmanager
def using_settings(ours: Settings) -> Iterator[None]:
    """This process sees the demo's settings, and its own again afterwards."""
    from nurture.runtime.supervisor import environment

    before = {key: os.environ.get(key) for key in environment(ours)}
    os.environ.update(environment(ours))
    settings.cache_clear()
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
        settings.cache_clear()


def _isolated_settings(**values: Path | int | str) -> Settings:
    """Settings that neither the environment nor a .env file can change: nothing sends the demo's mail away."""
    defaults = {
        str(about.validation_alias or name): about.get_default(call_default_factory=True)
        for name, about in Settings.model_fields.items()
    }
    return Settings(**{**defaults, **values}, _env_file=None)


def _port(usual: int) -> int:
    """The usual port, or any free one when another program has it."""
    for port in (usual, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoFolderError("this machine has no free port on 127.0.0.1")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep a second demo out of the folder. Raises DemoFolderError when one is running there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoFolderError(
                f"a demo is running in {folder} already. Stop it with Ctrl-C, or choose another folder: NURTURE_VAR=…"
            ) from None
        yield


def _clear(folder: Path) -> None:
    """Empty the folder, if it is ours or empty: nobody's files are deleted because they were in the way."""
    mark = folder / "README.txt"
    if folder.exists() and any(folder.iterdir()) and not (mark.exists() and mark.read_text() == MARK):
        raise DemoFolderError(
            f"{folder} holds files that are not the demo's. Move them, or choose another folder: NURTURE_VAR=…"
        )
    if _pages_are_open(folder):
        raise DemoFolderError(f"nurture is running with the folder {folder}. Stop it first.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mark.write_text(MARK)


def _pages_are_open(folder: Path) -> bool:
    """Did somebody open the last demo's pages with `nurture up`? Its lock says so."""
    try:
        with (folder / "up.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
