"""When account-based letters are planned: every morning of a working week."""

from prefect import State

from flows.orchestration import artifacts
from flows.orchestration.campaign_run import plan_campaigns, published_campaigns
from flows.orchestration.flow_factory import (
    At,
    Minutes,
    Shards,
    Slug,
    completed,
    moment_to_act,
    noun_flow,
    raise_trouble,
)
from flows.orchestration.late_run_guard import skip_if_late
from nurture.runtime import database
from tasks.planning.sequences import enrol, plan


@noun_flow("plan {campaign}")
def sequences(campaign: Slug = None, shards: Shards = 1, most_late: Minutes = 180, at: At = None) -> State[None]:
    """Every morning: the buying groups of the audience enter, and every member's next letter is decided.

    Nothing leaves here: letters go to the outbox, and delivery takes them from there.

    Args:
        campaign: One published campaign, by the name of its folder. Empty: every published one.
        shards: How many parts the leads are cut into. The parts run side by side; more than one pays on PostgreSQL.
        most_late: A run that starts more than this many minutes late does nothing and ends Skipped.
        at: The moment to act as. Empty: now.
    """
    if skipped := skip_if_late(most_late, at):
        return skipped
    engine, now = database.here(), moment_to_act(at)

    planned = plan_campaigns(engine, now, published_campaigns(engine, "b2b", campaign), shards, enrol, plan)

    artifacts.create_table("sequences", planned.table(), "Campaigns planned; the ledger has every skip with its reason")
    raise_trouble(planned.troubles)
    return completed(planned.counts(), "entered", "planned", "skipped", "waiting")
