"""Offers to consumers: the audience enters, and who gets the offer, who waits and who is held out is decided."""

from datetime import datetime

from sqlalchemy import Engine

from models.queries.active_enrolments import Shard
from tasks.planning.enrolments import Planned, decide_all, enter
from tasks.task import task


@task(run_name="enter {slug}")
def enrol(engine: Engine, now: datetime, slug: str, version_id: int) -> Planned:
    """The audience enters; whoever may return, returns."""
    return enter(engine, now, slug, version_id)


@task(run_name="plan {slug}, shard {shard} of {shards}")
def plan(engine: Engine, now: datetime, slug: str, shard: int = 0, shards: int = 1) -> Planned:
    """Decide about every lead's next letter, and write down what was decided."""
    return decide_all(engine, now, slug, Shard(shard, shards))
