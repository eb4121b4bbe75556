"""When sales get their leads: every hour of the working week."""

from dataclasses import asdict

from prefect import State

from flows.orchestration import artifacts
from flows.orchestration.flow_factory import At, Minutes, completed, moment_to_act, noun_flow
from flows.orchestration.late_run_guard import skip_if_late
from nurture.runtime import database
from tasks.handoff import offer, overdue, recycle


@noun_flow("offer leads to sales")
def handoff(most_late: Minutes = 50, at: At = None) -> State[None]:
    """Every hour of the working week: warm leads go to their salesperson, recycled ones go back to nurture.

    Args:
        most_late: A run that starts more than this many minutes late does nothing and ends Skipped.
        at: The moment to act as. Empty: now.
    """
    if skipped := skip_if_late(most_late, at):
        return skipped
    engine, now = database.here(), moment_to_act(at)

    recycled = recycle.prefect_task(engine, now)
    offered = offer.prefect_task(engine, now)
    late = overdue.prefect_task(engine, now)

    counts = asdict(offered) | asdict(late) | asdict(recycled)
    artifacts.create_table("handoff", [counts], "Leads offered to sales, and why the other warm ones were not")
    return completed(counts, "warm", "offered", "late", "returned")
