"""The states of a message and of a request, and the only way to write them: what is not in the tables cannot happen.

Two tables say which state follows which, and what triggers it. The sets that queries use are derived from them, and
`change_state` makes every UPDATE of a state: its WHERE and the new state come from the table.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import reduce
from operator import or_

from sqlalchemy import ColumnElement, String, Table, Update, literal_column, update


class State(StrEnum):
    """What has become of a message."""

    WAITING = "waiting"  # written to the outbox, not yet offered to anybody
    CLAIMED = "claimed"  # a worker has it under a lease, nothing has left
    ARMED = "armed"  # committed just before the request: from here on it may have been sent
    SCHEDULED = "scheduled"  # the provider has it and keeps it until its time: it can still be cancelled
    ACCEPTED = "accepted"  # the provider took it. Never taken back
    SKIPPED = "skipped"  # we decided not to send; `reason` says why
    REFUSED = "refused"  # the provider will never take it; `reason` says why
    UNKNOWN = "unknown"  # nobody knows: kept for evidence, never sent again by a timer


class AttemptState(StrEnum):
    """What has become of a request."""

    CLAIMED = "claimed"
    ARMED = "armed"
    SCHEDULED = "scheduled"  # taken, and kept by the provider until `send_at`
    ACCEPTED = "accepted"
    REJECTED = "rejected"  # surely not taken
    UNKNOWN = "unknown"
    RELEASED = "released"  # given back before it was armed; never on the wire
    VOID = "void"  # every message dropped out at the arming


class Trigger(StrEnum):
    """What happened, so that a message or a request changes its state. The first six are a provider's answers."""

    TAKEN = "taken"
    BUSY = "busy"
    REFUSED = "refused"
    STOP = "stop"
    UNKNOWN = "unknown"
    TRIED = "tried"
    REFUSED_BESIDE_OTHERS = "refused beside others"  # somebody else was named, or nobody
    TAKEN_FOR_LATER = "taken for later"
    CLAIM = "claim"
    FORBID = "forbidden"  # a policy says no, for good
    POSTPONE = "not yet"  # a policy says to wait
    ARM = "arm"
    ALL_FORBIDDEN = "nobody left"
    GIVE_BACK = "given back"  # by its worker, or its lease ended before it was armed
    SILENCE = "armed lease over"
    EVENT = "event"  # the provider told of it: it was taken
    SETTLE_SENT = "settled: sent"  # by a person, the provider's log or the mailbox
    SETTLE_NOT_SENT = "settled: not sent"
    SEND_TIME = "send time"  # of a scheduled send, and nobody has cancelled it
    CANCEL = "cancelled in time"
    CANCEL_UNPROVEN = "cancelled, and no proof of it"
    RESEND = "resend"  # a person sends a step to those who were left out


MESSAGE_NEXT: Mapping[tuple[State, Trigger], State] = {
    (State.WAITING, Trigger.CLAIM): State.CLAIMED,
    (State.WAITING, Trigger.FORBID): State.SKIPPED,
    (State.WAITING, Trigger.POSTPONE): State.WAITING,
    (State.CLAIMED, Trigger.FORBID): State.SKIPPED,
    (State.CLAIMED, Trigger.POSTPONE): State.WAITING,
    (State.CLAIMED, Trigger.GIVE_BACK): State.WAITING,
    (State.CLAIMED, Trigger.ARM): State.ARMED,
    (State.ARMED, Trigger.TAKEN): State.ACCEPTED,
    (State.ARMED, Trigger.TAKEN_FOR_LATER): State.SCHEDULED,
    (State.ARMED, Trigger.BUSY): State.WAITING,
    (State.ARMED, Trigger.REFUSED): State.REFUSED,
    (State.ARMED, Trigger.REFUSED_BESIDE_OTHERS): State.WAITING,
    (State.ARMED, Trigger.STOP): State.WAITING,
    (State.ARMED, Trigger.TRIED): State.SKIPPED,  # never mistaken for sent; it can be planned again
    (State.ARMED, Trigger.UNKNOWN): State.UNKNOWN,
    (State.ARMED, Trigger.SILENCE): State.UNKNOWN,  # never back to waiting: it may be on the wire
    (State.ARMED, Trigger.EVENT): State.ACCEPTED,
    (State.UNKNOWN, Trigger.TAKEN): State.ACCEPTED,  # the worker was only slow: its answer still counts
    (State.UNKNOWN, Trigger.TAKEN_FOR_LATER): State.SCHEDULED,
    (State.UNKNOWN, Trigger.BUSY): State.WAITING,
    (State.UNKNOWN, Trigger.REFUSED): State.REFUSED,
    (State.UNKNOWN, Trigger.REFUSED_BESIDE_OTHERS): State.WAITING,
    (State.UNKNOWN, Trigger.STOP): State.WAITING,
    (State.UNKNOWN, Trigger.TRIED): State.SKIPPED,
    (State.UNKNOWN, Trigger.UNKNOWN): State.UNKNOWN,
    (State.UNKNOWN, Trigger.EVENT): State.ACCEPTED,
    (State.UNKNOWN, Trigger.SETTLE_SENT): State.ACCEPTED,
    (State.UNKNOWN, Trigger.SETTLE_NOT_SENT): State.WAITING,
    (State.UNKNOWN, Trigger.CANCEL): State.WAITING,
    (State.SCHEDULED, Trigger.SEND_TIME): State.ACCEPTED,
    (State.SCHEDULED, Trigger.EVENT): State.ACCEPTED,
    (State.SCHEDULED, Trigger.CANCEL): State.WAITING,
    (State.SCHEDULED, Trigger.CANCEL_UNPROVEN): State.UNKNOWN,
    (State.WAITING, Trigger.EVENT): State.ACCEPTED,  # a surprise: it was in a request that we had ruled out
    (State.CLAIMED, Trigger.EVENT): State.ACCEPTED,
    (State.SKIPPED, Trigger.EVENT): State.ACCEPTED,  # skipped since; not one that was skipped before the request left
    (State.REFUSED, Trigger.EVENT): State.ACCEPTED,
    (State.SKIPPED, Trigger.FORBID): State.SKIPPED,  # an earlier stop became known: the reason changes
    (State.SKIPPED, Trigger.RESEND): State.WAITING,
    (State.REFUSED, Trigger.RESEND): State.WAITING,
}

ATTEMPT_NEXT: Mapping[tuple[AttemptState, Trigger], AttemptState] = {
    (AttemptState.CLAIMED, Trigger.ARM): AttemptState.ARMED,
    (AttemptState.CLAIMED, Trigger.GIVE_BACK): AttemptState.RELEASED,
    (AttemptState.CLAIMED, Trigger.ALL_FORBIDDEN): AttemptState.VOID,
    (AttemptState.ARMED, Trigger.ALL_FORBIDDEN): AttemptState.VOID,  # in the transaction that arms it, never after
    (AttemptState.ARMED, Trigger.TAKEN): AttemptState.ACCEPTED,
    (AttemptState.ARMED, Trigger.TAKEN_FOR_LATER): AttemptState.SCHEDULED,
    (AttemptState.ARMED, Trigger.BUSY): AttemptState.REJECTED,
    (AttemptState.ARMED, Trigger.REFUSED): AttemptState.REJECTED,
    (AttemptState.ARMED, Trigger.STOP): AttemptState.REJECTED,
    (AttemptState.ARMED, Trigger.TRIED): AttemptState.REJECTED,
    (AttemptState.ARMED, Trigger.UNKNOWN): AttemptState.UNKNOWN,
    (AttemptState.ARMED, Trigger.SILENCE): AttemptState.UNKNOWN,  # never back to waiting: it may be on the wire
    (AttemptState.ARMED, Trigger.EVENT): AttemptState.ACCEPTED,
    (AttemptState.UNKNOWN, Trigger.TAKEN): AttemptState.ACCEPTED,
    (AttemptState.UNKNOWN, Trigger.TAKEN_FOR_LATER): AttemptState.SCHEDULED,
    (AttemptState.UNKNOWN, Trigger.BUSY): AttemptState.REJECTED,
    (AttemptState.UNKNOWN, Trigger.REFUSED): AttemptState.REJECTED,
    (AttemptState.UNKNOWN, Trigger.STOP): AttemptState.REJECTED,
    (AttemptState.UNKNOWN, Trigger.TRIED): AttemptState.REJECTED,
    (AttemptState.UNKNOWN, Trigger.UNKNOWN): AttemptState.UNKNOWN,
    (AttemptState.UNKNOWN, Trigger.EVENT): AttemptState.ACCEPTED,
    (AttemptState.UNKNOWN, Trigger.SETTLE_SENT): AttemptState.ACCEPTED,
    (AttemptState.UNKNOWN, Trigger.SETTLE_NOT_SENT): AttemptState.REJECTED,
    (AttemptState.UNKNOWN, Trigger.CANCEL): AttemptState.REJECTED,
    (AttemptState.UNKNOWN, Trigger.CANCEL_UNPROVEN): AttemptState.UNKNOWN,
    (AttemptState.SCHEDULED, Trigger.SEND_TIME): AttemptState.ACCEPTED,
    (AttemptState.SCHEDULED, Trigger.EVENT): AttemptState.ACCEPTED,
    (AttemptState.SCHEDULED, Trigger.CANCEL): AttemptState.REJECTED,
    (AttemptState.SCHEDULED, Trigger.CANCEL_UNPROVEN): AttemptState.UNKNOWN,
    (AttemptState.REJECTED, Trigger.EVENT): AttemptState.ACCEPTED,  # a surprise: ruled out, and taken all the same
    (AttemptState.RELEASED, Trigger.EVENT): AttemptState.ACCEPTED,
    (AttemptState.VOID, Trigger.EVENT): AttemptState.ACCEPTED,
}


class NoSuchTransition(LookupError):
    """The table of transitions has no such step. Add a line to it, with the reason, or do not take the step."""


def message_states(trigger: Trigger) -> tuple[State, ...]:
    """The states in which a message can be when this happens, in the order of the table."""
    return tuple(before for before, what in MESSAGE_NEXT if what == trigger)


def attempt_states(trigger: Trigger) -> tuple[AttemptState, ...]:
    """The states in which a request can be when this happens, in the order of the table."""
    return tuple(before for before, what in ATTEMPT_NEXT if what == trigger)


def next_message_state(trigger: Trigger) -> State:
    """The state to which this leads a message, whatever the one before. Raises NoSuchTransition."""
    if trigger not in AFTER:
        raise NoSuchTransition(f"message: no step when “{trigger}” happens")
    return AFTER[trigger]


AFTER = {trigger: after for (_, trigger), after in MESSAGE_NEXT.items()}  # a test holds every trigger to one state

# What queries ask for, each derived from what may happen next.
OPEN = attempt_states(Trigger.TAKEN)  # requests possibly sent, whose answer is not known
CANCELLABLE = attempt_states(Trigger.CANCEL)  # requests that may be with the provider until their time
SETTLED_AS_UNSENT = tuple(  # requests ruled out: an event for one is a surprise
    state for state in attempt_states(Trigger.EVENT) if state not in (*OPEN, *attempt_states(Trigger.SEND_TIME))
)
TAKEN_STATES = (
    ATTEMPT_NEXT[AttemptState.ARMED, Trigger.TAKEN],
    ATTEMPT_NEXT[AttemptState.ARMED, Trigger.TAKEN_FOR_LATER],
)
MAYBE_SENT = tuple(state for state in AttemptState if state not in SETTLED_AS_UNSENT)  # or about to be
UNFINISHED = (*attempt_states(Trigger.ARM), *OPEN)  # requests that the index `attempt_open` holds
POSSIBLY_SENT = (
    *message_states(Trigger.TAKEN),
    *message_states(Trigger.SEND_TIME),
)  # messages not known to be accepted
BELIEVED_UNSENT = tuple(state for state in message_states(Trigger.EVENT) if state not in POSSIBLY_SENT)
TAKEN_UP = (*message_states(Trigger.ARM), *POSSIBLY_SENT)  # may be in an inbox soon: counts against caps
LEFT_OUT = message_states(Trigger.RESEND)  # messages that did not leave and never will by themselves

LEDGER = {  # which of the ledger's five groups a state counts in
    State.WAITING: "waiting",
    State.CLAIMED: "waiting",
    State.ARMED: "unknown",  # honest: it may be on the wire this very moment
    State.SCHEDULED: "waiting",
    State.ACCEPTED: "accepted",
    State.SKIPPED: "skipped",
    State.REFUSED: "refused",
    State.UNKNOWN: "unknown",
}


def change_state(table: Table, trigger: Trigger, *only: State | AttemptState) -> Update:
    """The UPDATE of `message` or `attempt` by which something that happened changes states.

    Rows in other states than those the table of transitions allows stay as they are; `only` narrows them further.
    The caller adds which rows and what else is written. Raises NoSuchTransition.
    """
    rows = MESSAGE_NEXT.items() if table.name == "message" else ATTEMPT_NEXT.items()
    steps: dict[str, str] = {before: after for (before, what), after in rows if what == trigger}
    wanted: tuple[str, ...] = only or tuple(steps)
    if unlisted := [state for state in wanted or ("any state",) if state not in steps]:
        raise NoSuchTransition(f"{table.name}: no step from {', '.join(unlisted)} when “{trigger}” happens")
    [after] = {steps[before] for before in wanted}
    return update(table).where(is_one_of(table.c.state, wanted)).values(state=after)


def is_one_of(column: ColumnElement[str], states: tuple[str, ...]) -> ColumnElement[bool]:
    """Is the state one of these? Written out: SQLite uses no partial index for a “?”, and statements for many rows at
    once know no lists."""
    return reduce(or_, (column == literal_column(f"'{state}'", String) for state in states))
