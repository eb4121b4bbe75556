"""May these messages leave? The rule is asked about many at once; who may not is put aside with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from models import account_pause as pauses
from models.account_pause import LaterExpiry
from models.delivery_states import State, Trigger
from models.queries import eligibility as facts
from models.queries import outbox
from models.queries.outbox import NotNow
from models.send_pause import send_pauses
from nurture.rendering.composer import PublishedVersion
from nurture.rules.delivery.states import Sorted, objection, sort_out
from nurture.rules.reasons import Skip, Wait


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one run of the outbox did, in messages (requests and released/doubted: in attempts)."""

    accepted: int = 0
    scheduled: int = 0  # taken, and held by the provider until their time
    skipped: int = 0
    refused: int = 0
    unknown: int = 0
    put_off: int = 0  # waiting again: outside hours, a cap, the provider busy
    requests: int = 0
    released: int = 0
    doubted: int = 0
    stopped: str = ""  # why the sender stopped early, when it did

    def __add__(self, other: "Delivered") -> "Delivered":
        counts = {key: getattr(self, key) + getattr(other, key) for key in COUNTED}
        return Delivered(**counts, stopped=self.stopped or other.stopped)


COUNTED = tuple(field.name for field in fields(Delivered) if field.name != "stopped")


def look(
    session: Session, rows: list[dict[str, Any]], published: PublishedVersion, now: datetime, *, caps: bool
) -> Delivered:
    """Ask the rule about messages picked (`caps`) or claimed; those that may not leave are put aside with their reason.

    Each row learns whether it `goes`.
    """
    rested = _resting(session, rows, now) if published.campaign else []
    result = sort_out(
        _braked(session, published, rows), published.campaign, now, caps=caps and published.campaign is not None
    )
    going = set(result.go)
    for row in rows:
        row["goes"] = row["id"] in going
    later = [
        LaterExpiry(row["id"], row["not_after"] + (row["rest"].until - now))
        for row in rested
        if row["id"] in result.wait
    ]
    pauses.extend_expiry(session, later)
    return put_aside(session, result, State.WAITING if caps else State.CLAIMED)


def last_look(session: Session, attempt_ids: Sequence[str], published: PublishedVersion, now: datetime) -> Delivered:
    """About each kind of reader first, and where the rule objects about each of them: a thousand are a few kinds."""
    outbox.lock_addresses_to_arm(session, attempt_ids)
    if published.campaign and pauses.any_paused(session, attempt_ids, now):
        return look(session, facts.facts_by_message(session, attempt_ids), published, now, caps=False)
    kinds = _braked(session, published, facts.facts_by_group(session, attempt_ids))
    if not any(objection(kind, published.campaign, now, caps=False) for kind in kinds):
        return Delivered()
    return look(session, facts.facts_by_message(session, attempt_ids), published, now, caps=False)


def _resting(session: Session, rows: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """The rows whose account is paused or whose reader is away; each row learns its `rest`."""
    rests = pauses.active_pauses(session, now)
    for row in rows:
        rest = rests.of(row["account_id"], row["address"])
        row["rest"] = rest if rest and rest.until > now else None
    return [row for row in rows if row["rest"]]


def _braked(session: Session, published: PublishedVersion, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    brake = send_pauses(session).why(published.slug, published.domain)
    for row in rows:
        row["brake"] = brake
    return rows


def put_aside(session: Session, result: Sorted, held: State = State.CLAIMED) -> Delivered:
    rows = [_not_now(i, Trigger.FORBID, no) for i, no in result.skip.items()]
    rows += [_not_now(i, Trigger.POSTPONE, later) for i, later in result.wait.items()]
    outbox.put_aside(session, rows, held)
    return Delivered(skipped=len(result.skip), put_off=len(result.wait))


def _not_now(message_id: int, trigger: Trigger, no: Skip | Wait) -> NotNow:
    until = no.until if isinstance(no, Wait) else None
    return NotNow(message_id, trigger, no.reason, no.detail or None, until)
