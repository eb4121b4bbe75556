"""When the books are closed: every night."""

from prefect import State

from flows import board
from flows.lateness import too_late
from flows.run import At, Minutes, Slug, Trouble, done, moment, noun
from nurture import db
from nurture.rules import lifecycle
from nurture.rules.reporting import GROUPS, skips_by_reason
from tasks.reporting import funnel, report
from tasks.threshold import in_words


@noun("report on {campaign}")
def reporting(campaign: Slug = None, most_late: Minutes = 240, at: At = None) -> State[None]:
    """Every night: the ledger of every campaign, which must add up, the funnel by stage, and why letters were not sent.

    Args:
        campaign: One campaign, by the name of its folder. Empty: all.
        most_late: A run that starts more than this many minutes late does nothing and ends Skipped.
        at: The moment to act as. Empty: now.
    """
    if skipped := too_late(most_late, at):
        return skipped

    found = report.task(db.here(), moment(at), campaign)
    stages = funnel.task(db.here(), moment(at))
    threshold = in_words.task(db.here(), moment(at))

    board.page("reporting", f"{found.markdown()}\n\n{threshold}", "The ledger, the funnel and what sales have time for")
    board.page("funnel", lifecycle.markdown(stages), "Leads by stage: how many, how many go on, how long they stay")
    board.page("reasons", skips_by_reason(found.lines), "Letters not sent, by reason")
    if not found.adds_up:
        raise Trouble(
            "The ledger does not add up: a message is in no group or in two. Nothing is lost; please report it."
        )
    return done({name: sum(getattr(line, name) for line in found.lines) for name in ("planned", *GROUPS)})
