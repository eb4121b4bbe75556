"""May these messages leave? The policies are asked about many at once; what may not is put aside with the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy.orm import Session

from models import account_pause as pauses
from models.account_pause import LaterExpiry
from models.delivery_states import State, Trigger
from models.queries import eligibility as queries
from models.queries import outbox
from models.queries.outbox import NotNow
from models.queries.person import PersonLetters
from models.queries.recipients import DueMessage
from models.send_pause import send_pauses
from nurture.rendering.composer import PublishedLetters
from nurture.rules.eligibility.facts import MessageFacts
from nurture.rules.eligibility.messages import CheckedBatch, check_batch, objection
from nurture.rules.reasons import Asked, Skip, Wait


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one run of the outbox did, in messages (`requests`, `released`, `unknown_requests`: in requests)."""

    accepted: int = 0
    scheduled: int = 0  # taken, and kept by the provider until their time
    skipped: int = 0
    refused: int = 0
    unknown: int = 0
    put_off: int = 0  # waiting again: outside hours, a cap, the provider busy
    requests: int = 0
    released: int = 0
    unknown_requests: int = 0  # of workers that died after arming them
    stopped: str = ""  # why the sender stopped early, when it did

    def __add__(self, other: "Delivered") -> "Delivered":
        counts = {key: getattr(self, key) + getattr(other, key) for key in COUNTED}
        return Delivered(**counts, stopped=self.stopped or other.stopped)


COUNTED = tuple(field.name for field in fields(Delivered) if field.name != "stopped")


def check_claim(
    session: Session,
    due: Sequence[DueMessage],
    elsewhere: Mapping[str, PersonLetters],
    published: PublishedLetters,
    now: datetime,
) -> tuple[frozenset[int], Delivered]:
    """Ask the policies about messages that are about to be claimed, caps included. Returns the ids of those that may
    leave; the others are put aside with their reason.

    `elsewhere`: address → what its owner had at their other addresses.
    """
    facts = [
        _with_other_addresses(one, elsewhere.get(one.eligibility.address)) if elsewhere else
        MessageFacts(*one.eligibility, letters_lately=one.letters_lately, colleagues_today=one.colleagues_today)
        for one in due
    ]  # fmt: skip
    return _check(session, facts, published, now, Asked.CLAIM)


def _with_other_addresses(due: DueMessage, had: PersonLetters | None) -> MessageFacts:
    return MessageFacts(
        *due.eligibility,
        person=had.person if had else None,
        had_at=had.had_at if had else None,
        letters_lately=due.letters_lately + (had.letters if had else 0),
        colleagues_today=due.colleagues_today,
    )


def check_arming(session: Session, attempt_ids: Sequence[str], published: PublishedLetters, now: datetime) -> Delivered:
    """Ask the policies once more, in the transaction just before the request: about groups of messages for which all is
    the same, and about each message where a policy objects to a group."""
    outbox.lock_addresses_to_arm(session, attempt_ids)
    if not (published.campaign and pauses.any_paused(session, attempt_ids, now)):
        paused = send_pauses(session).why(published.slug, published.domain)
        groups = [MessageFacts(0, "", None, *row, send_pause=paused) for row in
                  queries.facts_by_group(session, attempt_ids)]  # fmt: skip
        if not any(objection(group, published.campaign, now, Asked.ARMING) for group in groups):
            return Delivered()
    claimed = [MessageFacts(*row) for row in queries.facts_by_message(session, attempt_ids)]
    return _check(session, claimed, published, now, Asked.ARMING)[1]


def _check(
    session: Session, facts: Sequence[MessageFacts], published: PublishedLetters, now: datetime, when: Asked
) -> tuple[frozenset[int], Delivered]:
    """Ask about each message, and put aside what may not leave. What waits for a pause lives as much longer."""
    paused, asked = send_pauses(session).why(published.slug, published.domain), list[MessageFacts]()
    in_force = pauses.active_pauses(session, now) if published.campaign else None
    for message in facts:
        pause = in_force.of(message.account_id, message.address) if in_force else None
        pause = pause if pause and pause.until > now else None
        asked.append(message._replace(send_pause=paused, pause=pause) if pause or paused else message)
    result = check_batch(asked, published.campaign, now, when)
    later = [
        LaterExpiry(one.message_id, one.not_after + (one.pause.until - now))
        for one in asked
        if one.pause and one.message_id in result.wait
    ]
    pauses.extend_expiry(session, later)
    aside = put_aside(session, result, State.WAITING if when is Asked.CLAIM else State.CLAIMED)
    return frozenset(result.go), aside


def put_aside(session: Session, result: CheckedBatch, was: State = State.CLAIMED) -> Delivered:
    """Write down which messages are skipped and which wait. `was`: their state until now."""
    rows = [_not_now(i, Trigger.FORBID, no) for i, no in result.skip.items()]
    rows += [_not_now(i, Trigger.POSTPONE, later) for i, later in result.wait.items()]
    outbox.put_aside(session, rows, was)
    return Delivered(skipped=len(result.skip), put_off=len(result.wait))


def _not_now(message_id: int, trigger: Trigger, no: Skip | Wait) -> NotNow:
    until = no.until if isinstance(no, Wait) else None
    return NotNow(message_id, trigger, no.reason, no.detail or None, until)
