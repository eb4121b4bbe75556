"""When we act on what recipients did: every five minutes."""

from dataclasses import asdict

from prefect import State

from flows import board
from flows.lateness import too_late
from flows.run import At, Minutes, Trouble, done, moment, noun, total
from nurture import db
from tasks.feedback import apply


@noun("apply what recipients did")
def feedback(most_late: Minutes = 60, at: At = None) -> State[None]:
    """Every five minutes: deliveries, opens, clicks, replies, bounces and goodbyes take effect.

    Args:
        most_late: A run that starts more than this many minutes late does nothing and ends Skipped.
        at: The moment to act as. Empty: now.
    """
    if skipped := too_late(most_late, at):
        return skipped

    applied = apply.task(db.here(), moment(at))

    board.table("feedback", [asdict(applied)], "Events that took effect")
    if applied.surprises:
        raise Trouble(f"The provider took {applied.surprises:,} messages that we had ruled out as sent. The events are "
                      "applied and nothing is sent twice, but the ledger was wrong: please report it.")  # fmt: skip
    return done(total([applied]), "events", "outcomes", "suppressed", "stopped")
