"""The ledger, the funnel and the health of what was sent, as plain figures."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models import campaign as campaigns
from models.contact import Market
from models.message import SALES
from models.queries import ledger as ledgers
from models.queries import lifecycle as lives
from models.queries.holdout_lift import global_holdout_arms, holdout_arms
from nurture.rules.reporting.holdout_lift import HoldoutLift, lift, lifts_page
from nurture.rules.reporting.ledger import CampaignFunnel, LedgerLine, funnels, ledger, ledger_page
from nurture.rules.segmentation import lifecycle
from nurture.rules.segmentation.lifecycle import FunnelStage
from nurture.runtime import database
from tasks.task import task


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """`lines`: the ledger, a line per campaign version and step. `funnel`: one per campaign.

    `lifts`: what the letters of those campaigns earned that hold somebody out.
    """

    at: datetime
    lines: list[LedgerLine]
    funnel: list[CampaignFunnel]
    lifts: dict[str, HoldoutLift]  # by what they are of: a campaign, or "all b2b campaigns"

    @property
    def adds_up(self) -> bool:
        """Is every planned message of every step in exactly one group?"""
        return all(line.adds_up for line in self.lines)

    def markdown(self) -> str:
        """The ledger, the funnel and the lifts as a page."""
        return f"{ledger_page(self.lines, self.funnel)}{lifts_page(self.lifts)}"


@task(run_name="report")
def report(engine: Engine, now: datetime, campaign: str | None = None) -> LedgerReport:
    """Everything ops want to know in the morning, of one campaign or of all. Reads one snapshot."""
    with database.reading(engine) as session:
        lines = ledger(ledgers.count_messages(session, campaign))
        counts = [*ledgers.count_people(session), *ledgers.count_reactions(session)]
        lifts = _lifts(session, campaign)
    found = funnels(counts, {line.campaign for line in lines} - {SALES})
    return LedgerReport(now, lines, [one for one in found if campaign in (None, one.campaign)], lifts)


def _lifts(session: Session, campaign: str | None) -> dict[str, HoldoutLift]:
    """The lift of each campaign, or of one, that has kept somebody unmailed; and of all campaigns of a market."""
    arms = {
        row.slug: (row.market, holdout_arms(session, row.slug, row.market))
        for row in campaigns.published(session)
        if campaign in (None, row.slug)
    }
    if campaign is None:
        arms |= {f"all {market} campaigns": (market, global_holdout_arms(session, market)) for market in Market}
    return {of: lift(counted, market) for of, (market, counted) in arms.items() if counted.held_out}


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
