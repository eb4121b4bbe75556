"""Sending a step to those who were left out for a reason that no longer holds."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from models import message as messages
from models.queries import eligibility
from nurture.rendering.composer import Composer
from nurture.rules.delivery.states import AGAIN, second_chance
from nurture.runtime import database
from tasks.task import task

AT_A_TIME = 1_000  # messages looked at in one transaction when a step is planned again


@dataclass(frozen=True, slots=True)
class Replanned:
    """What became of a step's messages that had been skipped or refused."""

    waiting: int = 0  # they wait again, and leave with the next delivery
    still_out: int = 0  # what forbade them still does


@task("send step {step} of version {version_id} to those who are missing")
def missing(engine: Engine, now: datetime, composer: Composer, version_id: int, step: int) -> Replanned:
    """Plan a step's letter again for those who were left out for a reason that no longer holds.

    Whoever has an accepted message, one in doubt or one that waits keeps it: asking twice changes nothing.
    """
    waiting = still_out = last = 0
    while True:
        with database.writing(engine) as session:
            rows = eligibility.skipped_or_refused(session, version_id, step, AGAIN, last, AT_A_TIME)
            if not rows:
                return Replanned(waiting, still_out)
            published = composer.published_version(session, rows[0]["campaign"], version_id)
            chances = {
                row["id"]: second_chance(row, published.campaign, now) if published.campaign else None for row in rows
            }
            again = [{"id": i, "not_after": until} for i, until in chances.items() if until]
            waiting += messages.wait_again(session, again, now)
            still_out += len(rows) - len(again)
            last = rows[-1]["id"]
