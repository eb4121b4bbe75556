"""The mistakes one makes when sending mail, each planted into the real code: what the walks must find.

A mutant is a context: inside it the code is wrong. `breaks` is the promise that must be seen broken, from the
provider's side and not from ours: that a guard is missing proves nothing, that somebody got two letters does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.schema import CreateTable
from sqlmodel import col

from models import Attempt, AttemptItem, Message
from models.delivery_states import AttemptState, State
from models.queries import request_steps as steps
from models.queries import scheduled_send, suppression
from models.queries.request_steps import Reaped
from nurture.channels.base import Cancellation
from nurture.channels.sendgrid import answers, events
from nurture.channels.sendgrid.scheduled_sends import SendGridScheduledSends
from nurture.rules.delivery import states as rules
from nurture.rules.delivery.states import Verdict
from nurture.rules.eligibility import messages as policies
from nurture.rules.reasons import SUPPRESSED, Asked
from nurture.runtime import database
from tasks.delivery import dispatch, eligibility
from tasks.delivery import reconciliation as unknown
from tasks.delivery import scheduled_send as cancelling
from tasks.delivery.claims import ClaimedBatch
from tests.walks import resend
from tests.walks.database import WalkDatabase, scheduling_database, walk_database

Patch = pytest.MonkeyPatch


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    plant: Callable[[Patch], None]
    breaks: str = "twice"
    policy: str = "hold"
    store: Callable[[], WalkDatabase] = field(default=walk_database)
    scenario: Mapping[str, float] = field(default_factory=dict)  # in which a walk is likely to meet it

    @contextmanager
    def planted(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            self.plant(patch)
            yield


def server_errors_are_no(patch: Patch) -> None:
    """500 treated as "not sent"."""
    for status in (500, 502, 503, 504):
        patch.setitem(answers.VERDICTS, status, Verdict.BUSY)


def reaps_armed(patch: Patch) -> None:
    """An attempt that was armed and went silent gives its messages back, as if it had only been claimed."""
    real = steps.reap

    def reap(session: Any, now: datetime) -> Reaped:
        over = (col(Attempt.state) == AttemptState.ARMED, col(Attempt.lease_until) < now)
        silent = session.execute(select(col(Attempt.id)).where(*over)).scalars().all()
        session.execute(update(Attempt).where(col(Attempt.id).in_(silent)).values(state=AttemptState.CLAIMED))
        session.execute(update(Message).where(col(Message.attempt_id).in_(silent)).values(state=State.CLAIMED))
        return real(session, now)

    patch.setattr(steps, "reap", reap)


def arms_without_fence(patch: Patch) -> None:
    """Whoever wakes up goes on with what it once claimed, whether it is still its own or not."""
    real = dispatch.arm

    def arm(worker: Any, batch: ClaimedBatch) -> Any:
        now = worker.clock()
        armed, done = real(worker, batch)
        mine = col(Attempt.id) == batch.attempt_id
        with database.writing(worker.engine) as session:
            state = session.execute(select(col(Attempt.state)).where(mine)).scalar()
            if state != AttemptState.RELEASED:
                return armed, done
            values = {"state": AttemptState.ARMED, "armed_at": now, "lease_until": now + rules.ARMED_LEASE}
            session.execute(update(Attempt).where(mine).values(values))
        return list(batch.request.emails), done

    patch.setattr(dispatch, "arm", arm)


def arms_several_without_fence(patch: Patch) -> None:
    """Several requests at once are armed by what their worker remembers, whoever has their messages by now."""
    real_fence, real_arm = steps.fence_all, steps.arm_messages
    carried: dict[str, set[int]] = {}

    def fence_all(session: Any, asked: Mapping[str, str], owner: str, now: datetime, until: datetime) -> set[str]:
        ours = real_fence(session, asked, owner, now, until)
        given_back = (col(Attempt.id).in_(asked), col(Attempt.state) == AttemptState.RELEASED)
        lost = set(session.execute(select(col(Attempt.id)).where(*given_back)).scalars())
        values = {"state": AttemptState.ARMED, "armed_at": now, "lease_until": until}
        session.execute(update(Attempt).where(col(Attempt.id).in_(lost)).values(values))
        columns = (col(AttemptItem.attempt_id), col(AttemptItem.message_id))
        items = session.execute(select(*columns).where(col(AttemptItem.attempt_id).in_(lost)))
        for attempt_id, message_id in items:
            carried.setdefault(attempt_id, set()).add(message_id)
        return ours | lost

    def arm_messages(session: Any, attempts: Mapping[str, int]) -> dict[str, set[int]]:
        lost = {attempt_id: carried.pop(attempt_id) for attempt_id in attempts if attempt_id in carried}
        rest = {attempt_id: n for attempt_id, n in attempts.items() if attempt_id not in lost}
        return real_arm(session, rest) | lost

    patch.setattr(steps, "fence_all", fence_all)
    patch.setattr(steps, "arm_messages", arm_messages)


def arms_without_looking(patch: Patch) -> None:
    """No look at suppressions between claiming and the request."""
    patch.setattr(eligibility, "check_arming", lambda *_: eligibility.Delivered())


def suppression_is_not_asked_at_the_arming(patch: Patch) -> None:
    """The rows of the policy table about suppressed addresses are asked at planning and at the claim only."""
    for to_sales in (False, True):
        rows = policies.POLICIES[Asked.ARMING, to_sales]
        rest = tuple(row for row in rows if row[0] not in SUPPRESSED.values())
        patch.setitem(policies.POLICIES, (Asked.ARMING, to_sales), rest)


def finishes_whatever_the_state(patch: Patch) -> None:
    """An answer is written down on an attempt that an event has settled already."""
    real = steps.record_answer

    def record_answer(session: Any, attempt_id: str, *rest: Any) -> bool:
        session.execute(update(Attempt).where(col(Attempt.id) == attempt_id).values(state=AttemptState.ARMED))
        session.execute(update(Message).where(col(Message.attempt_id) == attempt_id).values(state=State.ARMED))
        return real(session, attempt_id, *rest)

    patch.setattr(steps, "record_answer", record_answer)


def resends_without_proof(patch: Patch) -> None:
    """What nobody knows waits again as soon as its worker is given up."""
    real = steps.reap

    def reap(session: Any, now: datetime) -> Reaped:
        done = real(session, now)
        unknown = session.execute(text("SELECT id FROM attempt WHERE state = 'unknown'")).scalars().all()
        resend.give_back(session, unknown, now)
        return done

    patch.setattr(steps, "reap", reap)


def never_looks_again(patch: Patch) -> None:
    """Whoever stood still between arming and the request makes it all the same."""
    patch.setattr(dispatch, "still_armed", lambda *_: True)


def looks_only_at_the_state(patch: Patch) -> None:
    """The last look does not mind how long ago it was armed: where all stood still, nobody calls it unknown yet."""
    real = steps.armed_until

    def armed_until(session: Any, attempt_id: str) -> datetime | None:
        return real(session, attempt_id) and datetime.max.replace(tzinfo=UTC)

    patch.setattr(steps, "armed_until", armed_until)


def silence_of_the_log_is_proof(patch: Patch) -> None:
    """What the provider's log does not show was not sent, whether it shows anything else or not."""
    real = unknown.finding
    patch.setattr(unknown, "finding", lambda seen, before, after, armed, now: real(seen, True, True, armed, now))


def no_positive_control(patch: Patch) -> None:
    patch.setattr(resend, "neighbours_were_told_of", lambda *_: True)


def no_receiver_control(patch: Patch) -> None:
    patch.setattr(resend, "receiver_was_open", lambda *_: True)


def event_id_is_the_key(patch: Patch) -> None:
    """`sg_event_id` alone: an event with an id that another one had is taken for a repeat."""
    patch.setattr(events, "_key", lambda event, kind: event["sg_event_id"])


def suppresses_only_waiting(patch: Patch) -> None:
    """A stop takes waiting rows out of the outbox and leaves no mark on the address."""
    real = suppression._settle

    def settle(session: Any, addresses: Sequence[str]) -> None:
        real(session, addresses)
        none: dict[str, Any] = {"suppressed_at": None, "suppressed_why": None}
        session.execute(update(suppression.Address).where(col(suppression.Address.address).in_(addresses)).values(none))

    patch.setattr(suppression, "_settle", settle)


def untouched(patch: Patch) -> None:
    """Nothing is planted; the database itself lacks its key."""


def failed_cancellations_count(patch: Patch) -> None:
    """Whatever the provider says to a cancellation, the letters are believed to be thrown away."""
    real = SendGridScheduledSends.cancel

    def cancel(batches: SendGridScheduledSends, name: str) -> tuple[Cancellation, str]:
        real(batches, name)
        return Cancellation.DONE, ""

    patch.setattr(SendGridScheduledSends, "cancel", cancel)
    patch.setattr(SendGridScheduledSends, "cancelled", lambda *_: True)


def cancels_too_late(patch: Patch) -> None:
    """Called back after the provider's last call, and its word for it is taken."""
    patch.setattr(cancelling, "in_time", lambda *_: True)


def cancels_without_a_note(patch: Patch) -> None:
    """A cancellation is written down when it is answered, not before it is made."""
    patch.setattr(scheduled_send, "note_cancelling", lambda *_: None)


@lru_cache(1)
def keyless() -> WalkDatabase:
    """A database that was made without the unique key of the outbox."""

    def without_key(raw: Any) -> None:
        ddl = str(CreateTable(Message.__table__).compile(walk_database().engine))  # type: ignore[attr-defined]
        unique = "UNIQUE (campaign, letter, address)"
        assert unique in ddl
        raw.execute("DROP TABLE message")
        raw.execute(ddl.replace(f"{unique}, ", "").replace(f",\n\t{unique}", ""))

    return WalkDatabase(without_key)


# What is likely while a mutant is hunted. The code does not know; with nothing planted such a walk must end unharmed.
QUIET = {"work": 60, "freeze": 1, "wake": 3, "crash": 0.5, "seconds": 3, "minutes": 2, "hours": 0.2, "days": 0,
         "hear": 2, "apply": 2, "leave": 0.3, "withdraw": 0, "answer": 0, "pause": 0, "go on": 1, "plan": 2,
         "look up": 0.5, "ask the log": 1}  # fmt: skip
PROXY = QUIET | {"takes it, a proxy says 500": 4, "takes it, a proxy says 503": 4}
LOST = QUIET | {"takes it, the answer is lost": 8}
DROWSY = QUIET | {"wake": 8, "minutes": 5}
FICKLE = QUIET | {"leave": 3, "return": 4, "withdraw": 0.3, "answer": 0.2, "pause": 3, "go on": 6}
RESEND = LOST | {"seconds": 5, "minutes": 0.3, "hours": 0, "look up": 0, "ask the log": 0, "shut the receiver": 0,
                 "a day": 1, "a dark day": 0, "fall silent": 0, "resolve": 4}  # fmt: skip
SCHEDULED = QUIET | {"minutes": 0, "hours": 0, "cancel sends": 20, "a while": 2, "a half hour": 5, "pause": 4,
                "go on": 5, "hear": 0.2, "apply": 0.2, "401": 0, "404": 0, "plan": 4, "seconds": 0.5, "look up": 0,
                "ask the log": 0, "undo a cancellation": 0, "leave": 0, "freeze": 0, "takes it": 30, "connecting": 0,
                "with letters claimed": 0, "with letters armed": 0, "the answer is on its way": 0}  # fmt: skip
MUTANTS = [
    Mutant("500 treated as not sent", server_errors_are_no, scenario=PROXY),
    Mutant("reaping armed attempts", reaps_armed, scenario=DROWSY | {"the answer is on its way": 0.3}),
    Mutant("arming without the fence", arms_without_fence, scenario=DROWSY | {"with letters claimed": 0.2}),
    Mutant("arming several requests without the fence", arms_several_without_fence,
           scenario=DROWSY | {"with letters claimed": 0.3, "hear": 0.5, "apply": 0.5, "leave": 0, "takes it": 30,
                         "requests at once": 8, "plan": 4}),
    Mutant("arming without the suppression check", arms_without_looking, "after a stop",
           scenario=FICKLE | {"with letters claimed": 0.2, "wake": 8}),
    Mutant("a policy that is not asked at the arming", suppression_is_not_asked_at_the_arming, "after a stop",
           scenario=FICKLE | {"with letters claimed": 0.2, "wake": 8}),
    Mutant("finish without the state condition", finishes_whatever_the_state, "accepted withdrawn",
           scenario=PROXY | {"takes it, a proxy says 500": 12, "the answer is on its way": 0.5, "wake": 4, "minutes": 4,
                         "hear": 10, "apply": 10}),
    Mutant("resend without proof", resends_without_proof, scenario=LOST),
    Mutant("skipping “still armed?”", never_looks_again,
           scenario=DROWSY | {"connecting": 0.3, "look up": 12, "ask the log": 4}),
    Mutant("a last look without the lease", looks_only_at_the_state, "too late",
           scenario=DROWSY | {"connecting": 0.4, "hours": 4}),
    Mutant("the log's silence without a control", silence_of_the_log_is_proof,
           scenario=LOST | {"hear": 0.5, "look up": 0, "ask the log": 8}),
    Mutant("no positive control", no_positive_control, policy="resend",
           scenario=RESEND | {"fall silent": 3, "a day": 2}),
    Mutant("no receiver control", no_receiver_control, policy="resend",
           scenario=RESEND | {"takes it, the answer is lost": 20, "seconds": 8, "hear": 0, "a day": 0.2,
                              "a dark day": 3}),
    Mutant("sg_event_id as the only key", event_id_is_the_key, "evidence lost",
           scenario=LOST | {"hear": 8, "apply": 8, "an event id comes again": 0.5}),
    Mutant("planning without the unique key", untouched, store=keyless, scenario=QUIET | {"plan": 4}),
    Mutant("suppressing only waiting rows", suppresses_only_waiting, "after a stop", scenario=FICKLE),
    Mutant("a failed cancellation taken for done", failed_cancellations_count, "lost", "cancel", scheduling_database,
           scenario=SCHEDULED | {"a cancellation fails": 0.8}),
    Mutant("cancelling too late", cancels_too_late, "lost", "cancel", scheduling_database,
           scenario=SCHEDULED | {"a while": 14, "a half hour": 3, "cancel sends": 12}),
    Mutant("no note of a cancellation", cancels_without_a_note, "lost", "cancel", scheduling_database,
           scenario=SCHEDULED | {"a cancellation comes about, a proxy says 504": 0.9, "cancel sends": 8,
                        "a half hour": 8, "go on": 8}),
]  # fmt: skip
