"""When we act on what recipients did: every five minutes."""

from dataclasses import asdict
from datetime import datetime

from prefect import State
from sqlalchemy import Engine

from flows.orchestration import artifacts
from flows.orchestration.flow_factory import At, Minutes, Trouble, add_counts, completed, moment_to_act, noun_flow
from flows.orchestration.late_run_guard import skip_if_late
from models.queries.scheduled_send import open_batches
from nurture.channels import registry
from nurture.rendering.composer import Composer
from nurture.runtime import database
from nurture.runtime.settings import settings
from tasks.delivery.reconciliation import Reconciled, reconcile, unknown_requests
from tasks.delivery.scheduled_send import cancel_sends
from tasks.feedback import apply


@noun_flow("apply what recipients did")
def feedback(most_late: Minutes = 60, at: At = None) -> State[None]:
    """Every five minutes: deliveries, opens, clicks, replies, bounces and goodbyes take effect; the provider's log is
    asked about requests whose end nobody knows.

    Args:
        most_late: A run that starts more than this many minutes late does nothing and ends Skipped.
        at: The moment to act as. Empty: now.
    """
    if skipped := skip_if_late(most_late, at):
        return skipped

    engine = database.here()
    applied = apply.prefect_task(engine, moment_to_act(at))
    settled = _look_up(engine, at)
    ours = settings()
    with database.reading(engine) as session:
        holds = bool(open_batches(session))
    if holds:  # somebody may have left since their letter was handed over
        cancel_sends.prefect_task(engine, (lambda: at) if at else ours.clock, registry.channel(ours), Composer(ours))

    artifacts.create_table("feedback", [asdict(applied)], "Events that took effect")
    if settled:
        artifacts.create_table("unknown", [asdict(settled)], "Unknown requests, and what the provider's log says")
    if applied.surprises:
        raise Trouble(f"The provider took {applied.surprises:,} messages that we had ruled out as sent. The events are "
                      "applied and nothing is sent twice, but the ledger was wrong: please report it.")  # fmt: skip
    return completed(add_counts([applied]), "events", "outcomes", "suppressed", "stopped", more=_words(settled))


def _look_up(engine: Engine, at: datetime | None) -> Reconciled | None:
    """What the provider's log says of unknown requests. None: nothing is, or there is no log that could be asked."""
    ours = settings()
    if not unknown_requests(engine) or (log := registry.provider_log(ours)) is None:
        return None
    return reconcile.prefect_task(engine, (lambda: at) if at else ours.clock, ours.channel, log)


def _words(settled: Reconciled | None) -> str:
    if settled is None or not settled.asked:
        return ""
    if settled.trouble:
        return "" if settled.said_before else f"the log was not to be asked: {settled.trouble}"
    return (
        f"of {settled.asked:,} unknown requests the log shows {settled.sent:,}, surely not {settled.not_sent:,}, "
        f"leaves {settled.held:,}"
    )
