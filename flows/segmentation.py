"""When leads get their role, persona and segment: every night, before they are scored."""

from prefect import State

from flows.orchestration import artifacts
from flows.orchestration.flow_factory import (
    At,
    Minutes,
    Shards,
    add_counts,
    completed,
    moment_to_act,
    noun_flow,
    run_shards,
)
from flows.orchestration.late_run_guard import skip_if_late
from nurture.runtime import database
from tasks.segmentation import segment


@noun_flow("segment everybody, parts: {shards}")
def segmentation(shards: Shards = 1, most_late: Minutes = 240, at: At = None) -> State[None]:
    """Every night: titles become roles and personas, orders become kinds of shoppers, deals move stages.

    Args:
        shards: How many parts the contacts are cut into. The parts run side by side; more than one pays on PostgreSQL.
        most_late: A run that starts more than this many minutes late does nothing and ends Skipped.
        at: The moment to act as. Empty: now.
    """
    if skipped := skip_if_late(most_late, at):
        return skipped

    counts = add_counts(run_shards(shards, segment, database.here(), moment_to_act(at)))

    artifacts.create_table("segmentation", [counts], "Contacts segmented; confirmed ones stay as a person left them")
    return completed(counts, "contacts", "changed", "moved")
