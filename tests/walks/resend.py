"""A policy that nurture does not have: what nobody knows is sent again after a day of silence, if the silence proves
something. It is kept here to show why the policy is to hold: each of its controls is needed, and none is proof.

A canary is a letter to ourselves, sent every minute while anything is sent and every half hour otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from models import Attempt, Event, Message
from models.delivery_states import AttemptState, Trigger
from models.queries.request_steps import MessageResult, record_answer

QUARANTINE = timedelta(hours=26)  # the provider tells its events for 24 hours
NEAR = timedelta(seconds=60)
SLOT = timedelta(minutes=30)
OPEN_SLOTS = 26  # of the 52 in a quarantine


@dataclass
class EventReceiver:
    """When canaries were sent and which of them we heard of, and when."""

    sent: list[datetime] = field(default_factory=list)
    heard: dict[datetime, datetime] = field(default_factory=dict)


def resolve(session: Any, receiver: EventReceiver, now: datetime) -> list[str]:
    """Send again what was surely not sent, as far as silence can say so. Returns the attempts."""
    over = session.execute(
        select(col(Attempt.id), col(Attempt.armed_at)).where(
            col(Attempt.state) == AttemptState.UNKNOWN, col(Attempt.armed_at) <= now - QUARANTINE
        )
    ).all()
    silent = [
        attempt
        for attempt, armed in over
        if not session.execute(select(col(Event.id)).where(col(Event.attempt_id) == attempt).limit(1)).first()
        and neighbours_were_told_of(receiver, armed)
        and receiver_was_open(receiver, armed)
    ]
    give_back(session, silent, now)
    return silent


def neighbours_were_told_of(receiver: EventReceiver, armed: datetime) -> bool:
    """The positive control: letters taken just before and just after this one were told of."""
    before = any(armed - NEAR <= at < armed for at in receiver.heard)
    return before and any(armed < at <= armed + NEAR for at in receiver.heard)


def receiver_was_open(receiver: EventReceiver, armed: datetime) -> bool:
    """The control of the channel: through half of the quarantine at least, events got through to us."""
    slots = {(at - armed) // SLOT for at in receiver.heard.values() if armed < at <= armed + QUARANTINE}
    return len(slots) >= OPEN_SLOTS


def give_back(session: Any, ids: Sequence[str], now: datetime) -> None:
    for attempt in ids:
        rows = session.execute(select(col(Message.id)).where(col(Message.attempt_id) == attempt)).scalars().all()
        results = [MessageResult(i, Trigger.SETTLE_NOT_SENT, not_before=now) for i in rows]
        record_answer(session, attempt, Trigger.SETTLE_NOT_SENT, results, now)
