"""Paused letters: what waits and was due while sending was paused, and how much longer it lives by that."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from models.account_pause import LaterExpiry, extend_expiry
from models.delivery_states import State, is_one_of
from models.message import TABLE as MESSAGE
from models.queries.eligibility import ROW, EligibilityRow, messages_with_facts
from models.send_pause import PauseScope, SendPause


class DueVersion(NamedTuple):
    """A campaign's version of which letters are due."""

    campaign: str
    version_id: int


class DueLetterFacts(NamedTuple):
    """A letter that is due, since when, and all that could forbid it."""

    letter: str
    not_before: datetime
    facts: EligibilityRow


def paused_since(session: Session) -> dict[PauseScope, datetime]:
    """Every send pause in force, and since when it is."""
    rows = session.execute(select(PAUSE.c.scope, PAUSE.c.at).order_by(PAUSE.c.scope))
    return {PauseScope.parse(scope): at for scope, at in rows}


def due_versions(session: Session, now: datetime) -> list[DueVersion]:
    """The campaigns and versions of which letters wait whose time to leave has come. Reads `message_due`."""
    m = MESSAGE.c
    rows = session.execute(select(m.campaign, m.version_id).distinct().where(WAITING, m.not_before <= now))
    return sorted(map(DueVersion._make, rows))


def due_letters(session: Session, version: DueVersion, now: datetime, after: int, most: int) -> list[DueLetterFacts]:
    """Some letters of a version that are due, by id, after one; with all that could forbid them but caps."""
    m = MESSAGE.c
    which = (WAITING, m.campaign == version.campaign, m.version_id == version.version_id, m.not_before <= now)
    question = messages_with_facts(*ROW, m.letter, m.not_before).where(*which, m.id > after).order_by(m.id).limit(most)
    return [DueLetterFacts(letter, at, EligibilityRow(*facts)) for *facts, letter, at in session.execute(question)]


def lengthen_lives(session: Session, rows: Sequence[LaterExpiry]) -> None:
    """Letters that a send pause kept expire as much later."""
    extend_expiry(session, rows)


PAUSE: Table = SendPause.__table__  # type: ignore[attr-defined]
WAITING = is_one_of(MESSAGE.c.state, (State.WAITING,))
