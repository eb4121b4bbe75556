"""A database that was restored or copied has forgotten what was sent: nothing leaves until a person has looked."""

import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models import restore_guard
from models.send_pause import RESTORE_GUARD, pause_sending, resume_sending
from nurture.rules.delivery.restore_guard import EVERY, RestoreMark, why_nothing_may_leave
from nurture.runtime import database, log
from nurture.runtime.restore_guard import MarkUnreadable, RestoreMarkFile

MEND = "Find out what was sent since, then `nurture resume --restored`"


@dataclass
class RestoreCheck:
    """Compares the database with the restore mark outside it, and moves both on while letters leave."""

    engine: Engine
    file: RestoreMarkFile
    name: str = ""  # of the database
    moved_at: datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reason_to_stop(self, now: datetime) -> str:
        """Before anything is sent: why nothing may be; "" if it may. A new database begins here."""
        with database.reading(self.engine) as session:
            inside = restore_guard.guard_state(session)
        if inside is None and self._mark_or_none() is None:
            with database.writing(self.engine) as session:
                restore_guard.begin_guard(session, secrets.token_hex(6), now)
        with database.reading(self.engine) as session:
            why, _ = self._compare(session)
        return why

    def move(self, now: datetime, *, at_once: bool = False) -> str:
        """Letters are about to leave: first the database moves on, then the mark outside. Never the other way round,
        or a power cut between the two would look like a restore. Returns why nothing may leave, or ""."""
        if not at_once and self.moved_at and abs(now - self.moved_at) < EVERY:
            return ""
        with database.writing(self.engine) as session:
            why, inside = self._compare(session, lock=True)
            if why or inside is None:
                return why
            mark = RestoreMark(inside.name, inside.mark + 1)
            restore_guard.move_mark(session, mark.mark, now)
        self.file.write(mark)
        self.moved_at = now
        return ""

    def _compare(self, session: Session, *, lock: bool = False) -> tuple[str, RestoreMark | None]:
        state = restore_guard.guard_state(session, lock=lock)
        inside = RestoreMark(state.name, state.mark) if state else None
        self.name = inside.name if inside else ""
        try:
            why = why_nothing_may_leave(inside, self.file.read(), str(self.file.path))
        except MarkUnreadable as error:
            why = str(error)
        return (f"{why}. {MEND}" if why else ""), inside

    def _mark_or_none(self) -> RestoreMark | None:
        try:
            return self.file.read()
        except MarkUnreadable:
            return RestoreMark("", 0)


def pause_for_strangers(session: Session, strangers: int, now: datetime) -> None:
    """The provider tells of requests with this database's name that it does not know: nothing leaves any more."""
    why = f"SendGrid tells of {strangers:,} requests that this database has forgotten: it was restored, or has a copy"
    pause_sending(session, RESTORE_GUARD, f"{why}. {MEND}", "the provider's events", now)
    log.write(log.SendPauseSet(str(RESTORE_GUARD), "the provider's events"))


def confirm_restore(engine: Engine, file: RestoreMarkFile, by: str, newest: str, now: datetime) -> RestoreMark:
    """Somebody knows what was sent since and says: go on. Recorded with who and when.

    `newest`: the id a request would get now; events about unknown requests made before it stop nothing any more.
    """
    try:
        far = file.read()
    except MarkUnreadable:
        far = None
    with database.writing(engine) as session:
        restore_guard.begin_guard(session, secrets.token_hex(6), now)
        state = restore_guard.guard_state(session, lock=True)
        assert state is not None  # noqa: S101  it has begun
        mark = RestoreMark(state.name, max(state.mark, far.mark if far else 0) + 1)
        restore_guard.confirm_mark(session, mark.mark, newest, by, now)
        resume_sending(session, RESTORE_GUARD)
    file.write(mark)
    return mark
