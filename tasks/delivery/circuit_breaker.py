"""The circuit breaker: how much may leave now, and which campaign is paused because its readers complain."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Engine

from models.queries import deliverability
from models.queries.deliverability import Reception
from models.send_pause import EVERYTHING, PauseScope, pause_sending, send_pauses
from nurture.channels.base import Channel
from nurture.rules.delivery import circuit_breaker
from nurture.rules.delivery.circuit_breaker import Level
from nurture.runtime import database, log
from nurture.runtime.settings import Settings

NO_LIMIT = 10**9
FRESH = timedelta(hours=1)  # whoever goes on after a pause is not stopped again for the same complaint


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many letters the next claim may take; `careful`: nothing else may be under way meanwhile."""

    most: int
    careful: bool = False
    stop: str = ""  # why nothing may leave until a person acts
    of_domain: Callable[[str], int] = lambda _: NO_LIMIT  # how many letters one sending domain may still send today


def allowance(engine: Engine, now: datetime, channel: Channel, settings: Settings) -> Allowance:
    """What unknown requests, the day's limit and the domains' plans leave. Asked before every claim: short walks of
    three indexes, and of the day's attempts where there is any limit."""
    today = now.astimezone(UTC).date()
    plans = settings.warm_up or settings.domains
    with database.reading(engine) as session:
        taken = deliverability.taken_since_unknown(session, channel.name, len(circuit_breaker.AFTER_UNKNOWN))
        unknown = 0 if taken is None else deliverability.unknown_letters(session, channel.name)
        limit = settings.daily_limit
        counts = limit is not None or bool(plans)
        sent = deliverability.maybe_sent_since(session, datetime.combine(today, time(0), UTC)) if counts else {}
    if unknown >= circuit_breaker.MOST_UNKNOWN:
        why = f"of {unknown:,} letters nobody knows whether they were sent: settle them, then go on"
        with database.writing(engine) as session:
            pause_sending(session, EVERYTHING, why, "the circuit breaker on unknown requests", now)
        log.write(log.SendPauseSet(str(EVERYTHING), "circuit breaker: too many unknown"))
        return Allowance(0, stop=why)
    size = circuit_breaker.size_after_unknown(taken, NO_LIMIT)
    left = NO_LIMIT if limit is None else max(0, limit - sum(sent.values()))

    def of_domain(domain: str) -> int:
        plan = settings.limits(domain)
        most = circuit_breaker.allowed_on(today, plan.warm_up_began, plan.warm_up, plan.daily_limit)
        return NO_LIMIT if most is None else max(0, most - sent.get(domain, 0))

    return Allowance(min(size, left), careful=size < NO_LIMIT, of_domain=of_domain)


def watch(engine: Engine, now: datetime) -> dict[PauseScope, str]:
    """Pause what its readers complain of: a campaign, or all that a sending domain sends. Returns what, and why."""
    with database.reading(engine) as session:
        rows = deliverability.reception(session, now - circuit_breaker.WINDOW)
        already = send_pauses(session).why_of
    found: dict[PauseScope, list[Reception]] = defaultdict(list)
    for row in rows:
        for scope in (PauseScope.campaign(row.campaign), PauseScope.domain(row.domain)):
            found[scope].append(row)
    paused: dict[PauseScope, str] = {}
    for scope, those in found.items():
        how = circuit_breaker.health(
            sum(row.accepted for row in those), sum(row.complained for row in those), sum(row.bounced for row in those)
        )
        newest = max((row.newest for row in those if row.newest), default=None)
        if how.level in (Level.PAUSE, Level.STOP) and scope not in already and newest and now - newest < FRESH:
            paused[scope] = f"{how.level}: {how.sentence}"
    if paused:
        with database.writing(engine) as session:
            for scope, why in paused.items():
                pause_sending(session, scope, why, "the circuit breaker on complaints", now)
        for scope in paused:
            log.write(log.SendPauseSet(str(scope), "circuit breaker: complaints and bounces"))
    return paused
