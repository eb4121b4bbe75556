"""When leads are scored: every night."""

from prefect import State

from flows.orchestration import artifacts
from flows.orchestration.flow_factory import At, Minutes, Shards, done, moment, noun, over, total
from flows.orchestration.late_run_guard import too_late
from nurture.config import sales
from nurture.config import scoring as scoring_rules
from nurture.runtime import database
from nurture.runtime.settings import settings
from tasks.sales_threshold import set_threshold
from tasks.scoring.scores import score, score_accounts


@noun("score everybody, parts: {shards}")
def scoring(shards: Shards = 1, most_late: Minutes = 240, at: At = None) -> State[None]:
    """Every night: every lead and every account gets a score, a grade and the reasons, and sales their week.

    Args:
        shards: How many parts the leads are cut into. The parts run side by side; more than one pays on PostgreSQL.
        most_late: A run that starts more than this many minutes late does nothing and ends Skipped.
        at: The moment to act as. Empty: now.
    """
    if skipped := too_late(most_late, at):
        return skipped
    engine, now, rules = database.here(), moment(at), scoring_rules.read(settings().rules / "scoring.toml")

    leads = total(over(shards, score, engine, now, rules, settings().model_folder))
    accounts = total(over(shards, score_accounts, engine, now, rules))
    week = set_threshold.prefect_task(engine, now, sales.read(settings().rules)).week

    artifacts.table("scoring", [{"rules": rules.version, **leads, **accounts}], "Leads and accounts scored")
    if week:
        artifacts.page("threshold", week.markdown, "From which score on sales have time for a lead this week")
    return done(leads | accounts, "leads", "best", "accounts")
