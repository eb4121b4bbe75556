"""A run that comes too late says so instead of acting: nobody wants this morning's run at night."""

from datetime import datetime, timedelta

from prefect import State, runtime
from prefect.states import Completed

from nurture.runtime import clock


def skip_if_late(most: int, at: datetime | None = None) -> State[None] | None:
    """The state "Skipped" when the run starts more than `most` minutes after its time, else None.

    Not for a run with `at`: whoever names the moment to act as wants that run, whenever it starts.
    """
    late = delay_since(runtime.flow_run.scheduled_start_time)
    if at is not None or late <= timedelta(minutes=most):
        return None
    return skipped_state(late, most)


def delay_since(planned: datetime) -> timedelta:
    """How long ago a planned moment was, as a plain timedelta: Prefect's own times do not divide."""
    return timedelta(seconds=clock.wall().timestamp() - planned.timestamp())


def skipped_state(late: timedelta, most: int) -> State[None]:
    """What a late run ends as. Completed, for nothing is wrong: the next run finds what this one would have done."""
    minutes = late // timedelta(minutes=1)
    return Completed(
        name="Skipped", message=f"{minutes:,} min late (at most {most:,}): nothing was done, the next run will"
    )
