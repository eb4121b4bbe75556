"""When the ledger and the funnel are reported: every night."""

from prefect import State

from flows.orchestration import artifacts
from flows.orchestration.flow_factory import At, Minutes, Slug, Trouble, completed, moment_to_act, noun_flow
from flows.orchestration.late_run_guard import skip_if_late
from nurture.rules.reporting.ledger import GROUPS, reasons_page
from nurture.rules.segmentation import lifecycle
from nurture.runtime import database
from tasks.reporting import funnel, report
from tasks.sales_threshold import threshold_report


@noun_flow("report on {campaign}")
def reporting(campaign: Slug = None, most_late: Minutes = 240, at: At = None) -> State[None]:
    """Every night: the ledger of every campaign, which must add up, the funnel by stage, and why letters were not sent.

    Args:
        campaign: One campaign, by the name of its folder. Empty: all.
        most_late: A run that starts more than this many minutes late does nothing and ends Skipped.
        at: The moment to act as. Empty: now.
    """
    if skipped := skip_if_late(most_late, at):
        return skipped

    found = report.prefect_task(database.here(), moment_to_act(at), campaign)
    stages = funnel.prefect_task(database.here(), moment_to_act(at))
    threshold = threshold_report.prefect_task(database.here(), moment_to_act(at))

    artifacts.create_page(
        "reporting", f"{found.markdown()}\n\n{threshold}", "The ledger, the funnel and what sales have time for"
    )
    artifacts.create_page(
        "funnel", lifecycle.markdown(stages), "Leads by stage: how many, how many go on, for how long"
    )
    artifacts.create_page("reasons", reasons_page(found.lines), "Letters not sent, by reason")
    if not found.adds_up:
        raise Trouble(
            "The ledger does not add up: a message is in no group or in two. Nothing is lost; please report it."
        )
    return completed({name: sum(line.count(name) for line in found.lines) for name in ("planned", *GROUPS)})
