"""When we learn who buys: every week."""

from importlib.metadata import version
from typing import Annotated

from prefect import State
from prefect.states import Completed
from pydantic import Field

from flows.orchestration import artifacts
from flows.orchestration.flow_factory import At, Minutes, moment_to_act, noun_flow
from flows.orchestration.late_run_guard import skip_if_late
from models.contact import Market
from nurture.config import scoring
from nurture.runtime import database
from nurture.runtime.settings import settings
from tasks.scoring.accounts import learn_accounts
from tasks.scoring.learning import LearningGoal, learn

Days = Annotated[int, Field(ge=7, le=730)]


@noun_flow("learn who buys")
def learning(days_b2c: Days = 30, most_late: Minutes = 1_440, at: At = None) -> State[None]:
    """Every week: what became of earlier leads teaches the score. A new model is promoted only if it is better than
    what is in charge, beyond noise, on the newest leads that neither has learned from.

    Args:
        days_b2c: Within how many days an order counts as an answer. For companies scoring.toml says it: horizon_days.
        most_late: A run that starts more than this many minutes late does nothing and ends Skipped.
        at: The moment to act as. Empty: now.
    """
    if skipped := skip_if_late(most_late, at):
        return skipped
    ours, engine, now = settings(), database.here(), moment_to_act(at)
    rules = scoring.read(ours.rules / "scoring.toml")
    days = {Market.B2B.value: rules.account.horizon_days, Market.B2C.value: days_b2c}

    taught = [
        learn.prefect_task(
            engine,
            now,
            rules,
            LearningGoal(market, within, ours.model_folder / market, ours.mql_score, version("nurture")),
        )
        for market, within in days.items()
    ]
    accounts = learn_accounts.prefect_task(engine, now, rules)

    for one in taught:
        artifacts.create_page(
            f"learning-{one.market}", one.markdown or one.words, "What was learned of leads, and is it better?"
        )
    artifacts.create_page("learning-accounts", accounts.words, "What was learned of accounts")
    return Completed(message=", ".join(f"{one.market}: {one.outcome}" for one in taught))
