"""When leads are scored: every night."""

from prefect import State

from flows import board
from flows.lateness import too_late
from flows.run import At, Minutes, Shards, done, moment, noun, over, total
from nurture import db, sales_file, scoring_rules
from nurture.settings import settings
from tasks.scoring import score, score_accounts
from tasks.threshold import set_threshold


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
    engine, now, rules = db.here(), moment(at), scoring_rules.read(settings().rules / "scoring.toml")

    leads = total(over(shards, score, engine, now, rules, settings().model_folder))
    accounts = total(over(shards, score_accounts, engine, now, rules))
    week = set_threshold.task(engine, now, sales_file.read(settings().rules)).week

    board.table("scoring", [{"rules": rules.version, **leads, **accounts}], "Leads and accounts scored")
    if week:
        board.page("threshold", week.markdown, "From which score on sales have time for a lead this week")
    return done(leads | accounts, "leads", "best", "accounts")
