"""The brakes are felt: how much may leave now, and which campaign ends because its readers complain."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Engine

from models import health
from models.campaign import set_brake
from models.message import brakes as pulled
from nurture import db
from nurture.envelope import Transport
from nurture.rules import brakes
from nurture.rules.brakes import Level
from nurture.settings import Settings

FRESH = timedelta(hours=1)  # whoever goes on after a pause is not stopped again for the same complaint


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many letters the next claim may take; `careful`: nothing else may be under way meanwhile."""

    most: int
    careful: bool = False
    stop: str = ""  # why nothing may leave until a person acts


def allowance(engine: Engine, now: datetime, transport: Transport, settings: Settings) -> Allowance:
    """What doubts and the day's limit leave. Asked before every claim: short walks of three indexes."""
    with db.reading(engine) as session:
        taken = health.taken_since_doubt(session, transport.name, len(brakes.AFTER_A_DOUBT))
        doubtful = 0 if taken is None else health.in_doubt(session, transport.name)
        limit = brakes.allowed_on(
            now.astimezone(UTC).date(), settings.warm_up_began, settings.warm_up, settings.daily_limit
        )
        sent = 0 if limit is None else health.maybe_sent_since(session, datetime.combine(now, time(0), UTC))
    if doubtful >= brakes.MOST_IN_DOUBT:
        why = f"of {doubtful:,} letters nobody knows whether they were sent: settle them, then go on"
        with db.writing(engine) as session:
            set_brake(session, "all", why, "the brake on doubts", now)
        return Allowance(0, stop=why)
    usual = 10**9
    size = brakes.size_after_doubt(taken, usual)
    left = usual if limit is None else max(0, limit - sent)
    return Allowance(min(size, left), careful=size < usual)


def watch(engine: Engine, now: datetime) -> dict[str, str]:
    """Pause what its readers complain of, each campaign and all together. Returns what was paused, and why."""
    with db.reading(engine) as session:
        rows = health.reception(session, now - brakes.WINDOW)
        already = pulled(session)
    rows = [row for row in rows if row["accepted"]]
    found = {f"campaign:{row['campaign']}": [row] for row in rows} | {"all": rows}
    paused: dict[str, str] = {}
    for scope, those in found.items():
        how = brakes.health(*(int(sum(row[key] for row in those)) for key in ("accepted", "complained", "bounced")))
        newest = max((row["newest"] for row in those if row["newest"]), default=None)
        if how.level in (Level.PAUSE, Level.STOP) and scope not in already and newest and now - newest < FRESH:
            paused[scope] = f"{how.level}: {how.sentence}"
    if paused:
        with db.writing(engine) as session:
            for scope, why in paused.items():
                set_brake(session, scope, why, "the brake on complaints", now)
    return paused
