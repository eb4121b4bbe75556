"""Sales threshold: from which score on sales have time for a lead this week, after the scores, by their calendars."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session

from models import learned_parameter
from models.learned_parameter import LearnedSubject
from models.queries import sales_capacity
from nurture.config import sales as sales_file
from nurture.rules.handoff import capacity, qualification
from nurture.rules.handoff.capacity import CapacityLead, SalesTeam, WeeklyThreshold
from nurture.rules.handoff.qualification import HandoffTerms
from nurture.rules.planning.hours import zone_of
from nurture.runtime import database
from tasks.handoff import terms, threshold_in_force, worth_a_call
from tasks.task import task

MOST_LEADS = 10_000  # of the warmest leads that are looked at: many times what anybody can call in a week
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class SalesThreshold:
    """From which score on leads go to sales; `words` says it in a sentence.

    Without sales.toml the threshold is that of the settings, and there is no week.
    """

    threshold: float
    words: str
    week: WeeklyThreshold | None = None


@task(run_name="set the threshold")
def set_threshold(engine: Engine, now: datetime, sales: SalesTeam | None) -> SalesThreshold:
    """Work out the coming week's threshold and keep it: from then on handoff uses it."""
    found = compute_threshold(engine, now, sales)
    if sales and found.week:
        with database.writing(engine) as session:
            learned_parameter.write(
                session, LearnedSubject.THRESHOLD, sales.version, found.words, found.week.as_body(), now
            )
    return found


def compute_threshold(engine: Engine, now: datetime, sales: SalesTeam | None) -> SalesThreshold:
    """What the threshold would be; nothing is kept."""
    usual = terms()
    if sales is None:
        said = f"From a score of {usual.threshold:g} on, as the settings say: there is no {sales_file.FILE}."
        return SalesThreshold(usual.threshold, said)
    since = now - WEEK
    with database.reading(engine) as session:
        waiting = sales_capacity.unanswered_before(session, since)
        leads = _leads(session, now, replace(usual, threshold=0.0, per_owner=MOST_LEADS))
    begin = now.astimezone(zone_of(usual.country, usual.zone)).date()
    week = capacity.weekly_threshold(sales, leads, begin, waiting)
    return SalesThreshold(week.threshold, week.sentence, week)


@task(run_name="read the threshold")
def threshold_report(engine: Engine, now: datetime) -> str:
    """The threshold in force as a part of the report; nothing while the settings say it."""
    with database.reading(engine) as session:
        kept = threshold_in_force(session, now)
    if kept is None:
        return ""
    return (
        f"## Threshold\n\nSet {kept.made_at:%Y-%m-%d %H:%M} UTC. {capacity.read_weekly_threshold(kept.body).markdown}"
    )


def _leads(session: Session, now: datetime, anybody: HandoffTerms) -> list[CapacityLead]:
    """Those offered in the last seven days, and those who only lack a threshold: one of an account, the warmest."""
    offered = sales_capacity.offered_since(session, now - WEEK, now)
    warmest = sales_capacity.warmest(session, now, MOST_LEADS)
    chances = {lead.contact_id: lead.probability for lead in warmest}
    calls, _ = worth_a_call(session, warmest, anybody, now)
    ready, _ = qualification.share_out_calls(calls, {}, anybody)
    return [
        *(CapacityLead(lead.score, lead.probability, True, lead.owner_email) for lead in offered),
        *(CapacityLead(one.score, chances[one.contact_id], False, one.owner_email) for one in ready),
    ]
