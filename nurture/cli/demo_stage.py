"""The demo's stage: a folder of its own, made empty, with its own database, mailbox, secret, clock and free ports."""

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
ORDER = ("accounts", "contacts", "consumers", "opportunities", "orders", "activities")


class Occupied(Exception):
    """The demo cannot have its folder. The text says why and which other one to take."""


@dataclass(frozen=True)
class Stage:
    """Where the demo plays. The user's own database and settings are elsewhere and stay untouched."""

    folder: Path
    settings: Settings
    engine: Engine
    moved: tuple[str, ...]  # which usual port was taken, in a sentence

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    def turn_clock(self, moment: datetime) -> None:
        """Every process of the demo reads this file; it is replaced whole, so nobody reads half a moment."""
        assert self.settings.clock_file  # noqa: S101  ours always has one
        draft = self.folder / ".clock"
        draft.write_text(moment.isoformat())
        os.replace(draft, self.settings.clock_file)


@contextmanager
def stage(public_key: str, first: datetime, where: Path | None = None) -> Iterator[Stage]:
    """An empty stage, set for its first morning. One demo at a time in one folder."""
    folder = (where or settings().var / "demo").resolve()
    with _alone(folder):
        _clear(folder)
        prefect, web = _port(PREFECT_PORT), _port(WEB_PORT)
        ours = _only(
            var=folder, clock_file=folder / "clock", prefect_port=prefect, web_port=web,
            web_url=f"http://{HOST}:{web}", SENDGRID_WEBHOOK_KEY=public_key,
        )  # fmt: skip
        taken = [("Prefect is", PREFECT_PORT, prefect), ("the pages are", WEB_PORT, web)]
        moved = tuple(
            f"Port {usual} is taken by another program; {what} on {port} this time."
            for what, usual, port in taken
            if port != usual
        )
        engine = database.engine_at(ours.database)
        database.prepare(engine)
        place = Stage(folder, ours, engine, moved)
        place.turn_clock(first)
        place.inbox.mkdir()
        for kind in ORDER:
            shutil.copy(MAPPINGS / f"{kind}.toml", place.inbox)
        with settled(ours):
            yield place
        engine.dispose()


@contextmanager
def settled(ours: Settings) -> Iterator[None]:
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


def _only(**values: object) -> Settings:
    """Settings that nothing outside has a say in: no environment and no .env file sends the demo's mail away."""
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
    raise Occupied("this machine has no free port on 127.0.0.1")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Occupied(
                f"a demo is playing in {folder} already. Stop it with Ctrl-C, or choose another folder: NURTURE_VAR=…"
            ) from None
        yield


def _clear(folder: Path) -> None:
    """Empty the folder, if it is ours or empty: nobody's files are deleted because they were in the way."""
    mark = folder / "README.txt"
    if folder.exists() and any(folder.iterdir()) and not (mark.exists() and mark.read_text() == MARK):
        raise Occupied(
            f"{folder} holds files that are not the demo's. Move them, or choose another folder: NURTURE_VAR=…"
        )
    if _pages_are_open(folder):
        raise Occupied(f"nurture is running with the folder {folder}. Stop it first.")
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
