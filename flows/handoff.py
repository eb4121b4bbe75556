"""When sales get their leads: every hour of the working week."""

from dataclasses import asdict

from prefect import State

from flows.orchestration import artifacts
from flows.orchestration.flow_factory import At, Minutes, done, moment, noun
from flows.orchestration.late_run_guard import too_late
from nurture.runtime import database
from tasks.handoff import offer, overdue, recycle


@noun("offer leads to sales")
def handoff(most_late: Minutes = 50, at: At = None) -> State[None]:
    """Every hour of the working week: warm leads go to their salesperson, rested ones go back to nurture.

    Args:
        most_late: A run that starts more than this many minutes late does nothing and ends Skipped.
        at: The moment to act as. Empty: now.
    """
    if skipped := too_late(most_late, at):
        return skipped
    engine, now = database.here(), moment(at)

    rested = recycle.prefect_task(engine, now)
    offered = offer.prefect_task(engine, now)
    late = overdue.prefect_task(engine, now)

    counts = asdict(offered) | asdict(late) | asdict(rested)
    artifacts.table("handoff", [counts], "Leads offered to sales, and why the other warm ones were not")
    return done(counts, "warm", "offered", "late", "returned")
