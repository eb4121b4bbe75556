"""When leads are scored: every night."""

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
from nurture.config import sales
from nurture.config import scoring as scoring_rules
from nurture.runtime import database
from nurture.runtime.settings import settings
from tasks.sales_threshold import set_threshold
from tasks.scoring.scores import score, score_accounts


@noun_flow("score everybody, parts: {shards}")
def scoring(shards: Shards = 1, most_late: Minutes = 240, at: At = None) -> State[None]:
    """Every night: every lead and every account gets a score, a grade and the reasons, and sales their week.

    Args:
        shards: How many parts the leads are cut into. The parts run side by side; more than one pays on PostgreSQL.
        most_late: A run that starts more than this many minutes late does nothing and ends Skipped.
        at: The moment to act as. Empty: now.
    """
    if skipped := skip_if_late(most_late, at):
        return skipped
    engine, now, rules = database.here(), moment_to_act(at), scoring_rules.read(settings().rules / "scoring.toml")

    leads = add_counts(run_shards(shards, score, engine, now, rules, settings().model_folder))
    accounts = add_counts(run_shards(shards, score_accounts, engine, now, rules))
    week = set_threshold.prefect_task(engine, now, sales.read(settings().rules)).week

    artifacts.create_table("scoring", [{"rules": rules.version, **leads, **accounts}], "Leads and accounts scored")
    if week:
        artifacts.create_page("threshold", week.markdown, "From which score on sales have time for a lead this week")
    return completed(leads | accounts, "leads", "best", "accounts")
