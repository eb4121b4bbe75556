"""Sending a step to those who were left out for a reason that no longer holds."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from models import campaign as campaigns_kept
from models import message as messages
from models.queries import eligibility
from nurture.rendering.composer import Composer
from nurture.rules.eligibility.facts import MessageFacts
from nurture.rules.eligibility.messages import may_leave_until
from nurture.rules.reasons import ASK_ANEW
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

    Whoever has an accepted message, an unknown one or one that waits keeps it: asking twice changes nothing.
    """
    waiting = still_out = last = 0
    while True:
        with database.writing(engine) as session:
            rows = eligibility.skipped_or_refused(session, version_id, step, ASK_ANEW, last, AT_A_TIME)
            if not rows:
                return Replanned(waiting, still_out)
            slug = campaigns_kept.version(session, version_id).campaign
            campaign = composer.published_version(session, slug, version_id).campaign
            until = {row.message_id: may_leave_until(MessageFacts(*row), campaign, now) if campaign else None
                     for row in rows}  # fmt: skip
            again = [messages.ResentMessage(i, moment) for i, moment in until.items() if moment]
            waiting += messages.wait_again(session, again, now)
            still_out += len(rows) - len(again)
            last = rows[-1].message_id
