"""Threshold: from which score on sales have time for a lead this week, after the scores and by their calendars."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session

from models import learned_parameter
from models.learned_parameter import About
from models.queries import sales_capacity
from nurture.config import sales as sales_file
from nurture.rules.handoff import capacity, qualification
from nurture.rules.handoff.capacity import Capacity, Lead, Week
from nurture.rules.handoff.qualification import Terms
from nurture.rules.planning.hours import zone_of
from nurture.runtime import database
from tasks.handoff import in_force, terms, worth_a_call
from tasks.task import task

MOST = 10_000  # of the warmest leads that are looked at: many times what anybody can call in a week
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Threshold:
    """`words` in a sentence. Without sales.toml the threshold is that of the settings, and there is no week."""

    threshold: float
    words: str
    week: Week | None = None


@task(run_name="set the threshold")
def set_threshold(engine: Engine, now: datetime, sales: Capacity | None) -> Threshold:
    """Work out the coming week's threshold and keep it: from then on handoff uses it."""
    found = look(engine, now, sales)
    if sales and found.week:
        with database.writing(engine) as session:
            learned_parameter.write(session, About.THRESHOLD, sales.version, found.words, found.week.as_body(), now)
    return found


def look(engine: Engine, now: datetime, sales: Capacity | None) -> Threshold:
    """What the threshold would be; nothing is kept."""
    usual = terms()
    if sales is None:
        said = f"From a score of {usual.threshold:g} on, as the settings say: there is no {sales_file.FILE}."
        return Threshold(usual.threshold, said)
    since = now - WEEK
    with database.reading(engine) as session:
        waiting = sales_capacity.unanswered_before(session, since)
        leads = _leads(session, now, replace(usual, threshold=0.0, per_owner=MOST))
    begin = now.astimezone(zone_of(usual.country, usual.zone)).date()
    week = capacity.this_week(sales, leads, begin, waiting)
    return Threshold(week.threshold, week.sentence, week)


@task(run_name="read the threshold")
def in_words(engine: Engine, now: datetime) -> str:
    """The threshold in force as a part of the report; nothing while the settings say it."""
    with database.reading(engine) as session:
        kept = in_force(session, now)
    if kept is None:
        return ""
    return f"## Threshold\n\nSet {kept['made_at']:%Y-%m-%d %H:%M} UTC. {capacity.read(kept['body']).markdown}"


def _leads(session: Session, now: datetime, anybody: Terms) -> list[Lead]:
    """Those offered in the last seven days, and those who only lack a threshold: one of an account, the warmest."""
    offered = sales_capacity.offered_since(session, now - WEEK, now)
    rows = sales_capacity.warmest(session, now, MOST)
    chances = {row["contact_id"]: row["probability"] for row in rows}
    calls, _ = worth_a_call(session, rows, anybody, now)
    ready, _ = qualification.share_out(calls, {}, anybody)
    return [
        *(Lead(row["score"], row["probability"], True, row["owner_email"]) for row in offered),
        *(Lead(one.score, chances[one.contact_id], False, one.owner_email) for one in ready),
    ]
