"""Account-based letters: the buying groups of the audience enter, and every member's next letter is decided."""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from models import account_pause as pauses
from models.account_pause import NotedAbsence
from models.queries.active_enrolments import Shard
from nurture.rules.feedback.out_of_office import letters_go_on_at
from nurture.rules.planning.hours import zone_of
from nurture.runtime import database
from tasks.planning.enrolments import Planned, decide_all, enter
from tasks.task import task

LATELY = timedelta(days=30)  # automatic replies older than that are not read any more


@task(run_name="enter {slug}")
def enrol(engine: Engine, now: datetime, slug: str, version_id: int) -> Planned:
    """The audience enters, after absences are noted; whoever may return, returns."""
    note_absences(engine, now)
    return enter(engine, now, slug, version_id)


@task(run_name="plan {slug}, shard {shard} of {shards}")
def plan(engine: Engine, now: datetime, slug: str, shard: int = 0, shards: int = 1) -> Planned:
    """Decide about every lead's next letter, and write down what was decided."""
    return decide_all(engine, now, slug, Shard(shard, shards))


@task(run_name="read automatic replies")
def note_absences(engine: Engine, now: datetime) -> int:
    """Whoever is away, by an automatic reply, gets nothing until they are back. Returns how many are new."""
    with database.reading(engine) as session:
        replies = pauses.unnoted_auto_replies(session, now - LATELY, now)
    if not replies:
        return 0
    absences = [
        NotedAbsence(
            reply.address,
            reply.at,
            letters_go_on_at(reply.detail, reply.at, zone_of(reply.country, reply.time_zone)),
            "is out of office",
            pauses.AUTOMATIC,
        )
        for reply in {(reply.address, reply.at): reply for reply in replies}.values()
    ]
    with database.writing(engine) as session:
        return pauses.note_absences(session, absences, now)
