"""A database that was restored or copied has forgotten what was sent: nothing leaves until a person has looked."""

import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models import restore_guard
from models.campaign import release_brake, set_brake
from models.restore_guard import RESTORED
from nurture.rules.delivery.restore_guard import EVERY, Mark, forgotten
from nurture.runtime import database, log
from nurture.runtime.restore_guard import Outside, Unreadable

MEND = "Find out what was sent since, then `nurture resume --restored`"


@dataclass
class Watchman:
    """Compares the database with the mark outside it, and moves both on while letters leave."""

    engine: Engine
    outside: Outside
    name: str = ""  # of the database
    moved_at: datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, now: datetime) -> str:
        """Before anything is sent: why nothing may be; "" if it may. A new database begins here."""
        with database.reading(self.engine) as session:
            inside = restore_guard.read(session)
        if inside is None and self._outside_or_none() is None:
            with database.writing(self.engine) as session:
                restore_guard.begin(session, secrets.token_hex(6), now)
        with database.reading(self.engine) as session:
            why, _ = self._compare(session)
        return why

    def move(self, now: datetime, *, at_once: bool = False) -> str:
        """Letters are about to leave: first the database moves on, then the mark outside. Never the other way round,
        or a power cut between the two would look like a restore. Returns why nothing may leave, as `look` does."""
        if not at_once and self.moved_at and abs(now - self.moved_at) < EVERY:
            return ""
        with database.writing(self.engine) as session:
            why, inside = self._compare(session, lock=True)
            if why or inside is None:
                return why
            mark = Mark(inside.name, inside.mark + 1)
            restore_guard.move(session, mark.mark, now)
        self.outside.write(mark)
        self.moved_at = now
        return ""

    def _compare(self, session: Session, *, lock: bool = False) -> tuple[str, Mark | None]:
        row = restore_guard.read(session, lock=lock)
        inside = Mark(row["name"], row["mark"]) if row else None
        self.name = inside.name if inside else ""
        try:
            why = forgotten(inside, self.outside.read(), str(self.outside.path))
        except Unreadable as error:
            why = str(error)
        return (f"{why}. {MEND}" if why else ""), inside

    def _outside_or_none(self) -> Mark | None:
        try:
            return self.outside.read()
        except Unreadable:
            return Mark("", 0)


def surprised(session: Session, strangers: int, now: datetime) -> None:
    """The provider tells of requests with this database's name that it does not know: nothing leaves any more."""
    why = f"SendGrid tells of {strangers:,} requests that this database has forgotten: it was restored, or has a copy"
    set_brake(session, RESTORED, f"{why}. {MEND}", "the provider's events", now)
    log.write(log.SendPauseSet(RESTORED, "the provider's events"))


def confirm(engine: Engine, outside: Outside, by: str, newest: str, now: datetime) -> Mark:
    """Somebody knows what was sent since and says: go on. Recorded with who and when.

    `newest`: the id a request would get now; events about unknown requests made before it stop nothing any more.
    """
    try:
        far = outside.read()
    except Unreadable:
        far = None
    with database.writing(engine) as session:
        restore_guard.begin(session, secrets.token_hex(6), now)
        row = restore_guard.read(session, lock=True)
        assert row is not None  # noqa: S101  it has begun
        mark = Mark(row["name"], max(row["mark"], far.mark if far else 0) + 1)
        restore_guard.move(session, mark.mark, now, forgiven=newest, confirmed_at=now, confirmed_by=by)
        release_brake(session, RESTORED)
    outside.write(mark)
    return mark
