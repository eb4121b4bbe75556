"""An account's owner pauses its letters, or lets them go on: the form on the buying group's page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session

from models import account_pause as pauses
from nurture.rules.planning.hours import at

LONGEST = timedelta(days=366)
MOST_WORDS = 200


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks on a page about an account: its salesperson, or whoever sits at this machine."""

    account_id: int
    name: str


def pause_in_force(session: Session, account_id: int, now: datetime) -> pauses.ActivePause | None:
    """The account's pause, with its end, its reason and who said so; None where its letters may go."""
    pause = pauses.active_pauses(session, now).accounts.get(account_id)
    return pause if pause and pause.until > now else None


def change_pause(session: Session, form: Mapping[str, str], by: Speaker, zone: ZoneInfo, now: datetime) -> str:
    """Pause or resume as the form says. Returns what is wrong with it, in words; empty when it was done."""
    if form.get("do") == "resume":
        pauses.resume_account(session, by.account_id, by.name, now)
        return ""
    try:
        until = at(date.fromisoformat(form.get("until", "")), time(0), zone)
    except ValueError:
        return "say until which day"
    if not now < until <= now + LONGEST:
        return "the day should lie ahead, within a year"
    why = " ".join("".join(c for c in form.get("why", "") if c.isprintable()).split())[:MOST_WORDS]
    if not why:
        return "say why: the next reader will want to know"
    pauses.pause_account(session, by.account_id, until, why, by.name, now)
    return ""
