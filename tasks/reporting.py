"""The ledger, the funnel and the health of what was sent, as plain figures."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from models.message import SALES
from models.queries import ledger as ledgers
from models.queries import lifecycle as lives
from nurture.rules.reporting.ledger import Line, ledger, markdown
from nurture.rules.segmentation import lifecycle
from nurture.rules.segmentation.lifecycle import Rung
from nurture.runtime import database
from tasks.task import task

REACTIONS = ("delivered", "opened", "clicked", "replied", "bounced", "complained")


@dataclass(frozen=True, slots=True)
class Report:
    """`lines`: the ledger, a line per campaign version and step. `funnel`: a row per campaign, counts of people."""

    at: datetime
    lines: list[Line]
    funnel: list[dict[str, Any]]
    stages: list[dict[str, Any]]

    @property
    def ledger(self) -> list[dict[str, Any]]:
        return [line.as_json() for line in self.lines]

    @property
    def adds_up(self) -> bool:
        return all(line.adds_up for line in self.lines)

    def markdown(self) -> str:
        return markdown(self.lines, self.funnel)


@task(run_name="report")
def report(engine: Engine, now: datetime, campaign: str | None = None) -> Report:
    """Everything ops want to know in the morning. Reads one snapshot."""
    with database.reading(engine) as session:
        lines = ledger(ledgers.counts(session, campaign))
        heard, people = ledgers.reactions(session), ledgers.people(session)
        slugs = sorted({line.campaign for line in lines if line.campaign != SALES} | set(people))
        funnel = [
            {"campaign": slug, **people.get(slug, {}), **{kind: heard.get(slug, {}).get(kind, 0) for kind in REACTIONS}}
            for slug in slugs
            if campaign in (None, slug)
        ]
        stages = [dict(row) for row in ledgers.stages(session)]
    return Report(now, lines, funnel, stages)


@task(run_name="funnel by stage")
def funnel(engine: Engine, now: datetime) -> list[Rung]:
    """How many leads stand in each stage, went on from it, and how long they stayed. From the logged transitions."""
    with database.reading(engine) as session:
        beside = [str(stage) for stage in lifecycle.BESIDE.values()]
        visited, returned = lives.visits(session, now, beside)
        return lifecycle.funnel(
            lives.here(session, now), lives.furthest(session, now, lifecycle.PATH), visited, returned,
            lives.stays(session, now),
        )  # fmt: skip
