"""The ledger, the funnel and the health of what was sent, as plain figures."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from models.message import SALES
from models.queries import ledger as ledgers
from models.queries import lifecycle as lives
from nurture.rules.reporting.ledger import CampaignFunnel, LedgerLine, funnels, ledger, ledger_page
from nurture.rules.segmentation import lifecycle
from nurture.rules.segmentation.lifecycle import FunnelStage
from nurture.runtime import database
from tasks.task import task


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """`lines`: the ledger, a line per campaign version and step. `funnel`: one per campaign."""

    at: datetime
    lines: list[LedgerLine]
    funnel: list[CampaignFunnel]

    @property
    def adds_up(self) -> bool:
        """Is every planned message of every step in exactly one group?"""
        return all(line.adds_up for line in self.lines)

    def markdown(self) -> str:
        """The ledger and the funnel as a page."""
        return ledger_page(self.lines, self.funnel)


@task(run_name="report")
def report(engine: Engine, now: datetime, campaign: str | None = None) -> LedgerReport:
    """Everything ops want to know in the morning, of one campaign or of all. Reads one snapshot."""
    with database.reading(engine) as session:
        lines = ledger(ledgers.count_messages(session, campaign))
        counts = [*ledgers.count_people(session), *ledgers.count_reactions(session)]
    found = funnels(counts, {line.campaign for line in lines} - {SALES})
    return LedgerReport(now, lines, [one for one in found if campaign in (None, one.campaign)])


@task(run_name="funnel by stage")
def funnel(engine: Engine, now: datetime) -> list[FunnelStage]:
    """How many leads are in each stage, went on from it, and how long they stayed, from the logged transitions."""
    with database.reading(engine) as session:
        beside = [str(stage) for stage in lifecycle.BESIDE.values()]
        visited, returned = lives.visits(session, now, beside)
        return lifecycle.funnel(
            lives.here(session, now), lives.furthest(session, now, lifecycle.PATH), visited, returned,
            lives.stays(session, now),
        )  # fmt: skip
