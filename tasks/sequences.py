"""Account-based letters: the buying groups of the audience enter, and every member's next letter is decided."""

from datetime import datetime

from sqlalchemy import Engine

from nurture.rules.sequences import next_letter
from tasks.enrolments import Planned, decide_all, enter
from tasks.order import order


@order(run_name="enter {slug}")
def enrol(engine: Engine, now: datetime, slug: str, version_id: int) -> Planned:
    return enter(engine, now, slug, version_id)


@order(run_name="plan {slug}, shard {shard} of {shards}")
def plan(engine: Engine, now: datetime, slug: str, shard: int = 0, shards: int = 1) -> Planned:
    return decide_all(engine, now, slug, next_letter, shard, shards)
