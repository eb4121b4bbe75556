"""Account-based letters: the buying groups of the audience enter, and every member's next letter is decided."""

from datetime import datetime

from sqlalchemy import Engine

from models import account_pause as pauses
from models.queries.active_enrolments import Shard
from nurture.planning.absences import unnoted_absences
from nurture.runtime import database
from tasks.planning.enrolments import Planned, decide_all, enter
from tasks.task import task


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
        absences = unnoted_absences(session, now)
    if not absences:
        return 0
    with database.writing(engine) as session:
        return pauses.note_absences(session, absences, now)
