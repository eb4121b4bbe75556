"""An account's owner lets its letters rest, or go on: the form on the buying group's page."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from models import account_pause as pauses
from nurture.rules.planning.hours import at

LONGEST = timedelta(days=366)
MOST_WORDS = 200


def standing(session: Session, account_id: int, now: datetime) -> dict[str, Any]:
    """What the page says about it: the pause in force, if any, and the first day that may be chosen."""
    rest = pauses.rests(session, now).accounts.get(account_id)
    return {"rest": rest if rest and rest.until > now else None, "tomorrow": (now + timedelta(days=1)).date()}


def do(session: Session, form: Mapping[str, str], account_id: int, by: str, zone: ZoneInfo, now: datetime) -> str:
    """Pause or resume as the form says. Returns what is wrong with it, in words; empty when it was done."""
    if form.get("do") == "resume":
        pauses.resume(session, account_id, by, now)
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
    pauses.pause(session, account_id, until, why, by, now)
    return ""
