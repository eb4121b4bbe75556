"""When the outbox leaves: every five minutes."""

from dataclasses import asdict
from typing import Annotated

from prefect import State
from prefect.states import Completed
from pydantic import Field
from sqlalchemy import Engine

from flows.orchestration import artifacts
from flows.orchestration.flow_factory import Minutes, Trouble, add_counts, completed, noun_flow
from flows.orchestration.late_run_guard import skip_if_late
from models.queries.scheduled_send import open_batches
from models.send_pause import EVERYTHING, RESTORE_GUARD, send_pauses
from nurture.channels import registry
from nurture.channels.base import Channel
from nurture.rendering.composer import Composer
from nurture.runtime import database
from nurture.runtime.clock import Clock
from nurture.runtime.restore_guard import restore_mark_file
from nurture.runtime.settings import settings
from tasks.delivery.outbox import deliver
from tasks.delivery.restore_guard import MEND
from tasks.delivery.scheduled_send import CancelledSends, cancel_sends


@noun_flow("deliver up to {most:,} letters")
def delivery(
    most: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000, most_late: Minutes = 30
) -> State[None]:  # fmt: skip
    """Every five minutes: the outbox leaves, once.

    There is no retry here and nothing to re-run: what did not leave waits in the outbox for the next run.

    Args:
        most: The most messages of one run. The rest leaves with the next one.
        most_late: A run that starts more than this many minutes late does nothing and ends Skipped.
    """
    if skipped := skip_if_late(most_late):
        return skipped
    ours, engine = settings(), database.here()
    channel, composer = registry.channel(ours), Composer(ours)
    back = _cancel_sends(engine, ours.clock, channel, composer)  # also while sending is paused: then above all
    with database.reading(engine) as session:
        forgotten = send_pauses(session).why_of.get(RESTORE_GUARD)
    if forgotten:
        raise Trouble(forgotten)
    if why := _paused(engine):
        called = f". {_words(back)}" if _words(back) else ""
        return Completed(name="Paused", message=f"Nothing leaves: {why}. Go on with `nurture resume`{called}")

    delivered = deliver.prefect_task(engine, ours.clock, channel, composer, most, restore_mark_file(ours))
    if delivered.unknown or delivered.unknown_requests:  # while there is time
        back = _cancel_sends(engine, ours.clock, channel, composer)

    artifacts.create_table("delivery", [asdict(delivered)], "Messages that left the outbox, and those that did not")
    if why := _paused(engine):
        raise Trouble(
            f"The provider refuses everything, so sending is paused: {why}. Mend that, then `nurture resume`."
        )
    if MEND in delivered.stopped:
        raise Trouble(delivered.stopped)
    more = "; ".join(filter(None, (_paused_parts(engine), _words(back))))
    return completed(add_counts([delivered]), "accepted", "skipped", "refused", "unknown", "put_off", more=more)


def _cancel_sends(engine: Engine, clock: Clock, channel: Channel, composer: Composer) -> CancelledSends | None:
    """Letters that the provider keeps until their time are looked at. None: it keeps none."""
    with database.reading(engine) as session:
        if not open_batches(session):
            return None
    cancelled_sends = cancel_sends.prefect_task(engine, clock, channel, composer)
    artifacts.create_table(
        "cancelled-sends", [asdict(cancelled_sends)], "Requests cancelled, and letters whose time has come"
    )
    return cancelled_sends


def _words(back: CancelledSends | None) -> str:
    if back is None or not (back.cancelled or back.missed):
        return ""
    missed = f", {back.missed:,} were not: {back.trouble}" if back.missed else ""
    return f"{back.cancelled:,} requests were cancelled{missed}"


def _paused_parts(engine: Engine) -> str:
    """Campaigns and sending domains that are paused while the others go on."""
    with database.reading(engine) as session:
        return "; ".join(f"{scope.name} is paused: {why}" for scope, why in send_pauses(session).why_of.items())


def _paused(engine: Engine) -> str | None:
    """Why nothing at all leaves, when somebody or the provider said so."""
    with database.reading(engine) as session:
        return send_pauses(session).why_of.get(EVERYTHING)
