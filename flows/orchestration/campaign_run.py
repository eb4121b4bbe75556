"""One campaign's planning run: its audience enters, then every enrolled lead's next letter is decided. Both markets."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple

from prefect.logging import get_run_logger
from sqlalchemy import Engine

from flows.orchestration.artifacts import Cell
from flows.orchestration.flow_factory import Trouble, add_counts, describe_error, run_shards
from models.campaign import CampaignInForce, published
from nurture.runtime import database
from tasks.planning.enrolments import Planned
from tasks.task import Task


def published_campaigns(engine: Engine, market: str, slug: str | None) -> Sequence[CampaignInForce]:
    """The market's published campaigns, or the one that is asked for."""
    with database.reading(engine) as session:
        running = published(session, market)
    if slug and slug not in (names := [row.slug for row in running]):
        raise Trouble(f"{slug} is not published for {market}. Published are: {', '.join(names) or 'none'}. "
                      f"Publish it with `nurture apply {slug}`.")  # fmt: skip
    return [row for row in running if slug in (None, row.slug)]


class CampaignPlanned(NamedTuple):
    """What one campaign's run came to."""

    campaign: str
    version: int
    counts: Planned


class CampaignsPlanned(NamedTuple):
    """What the runs of all campaigns came to, and what went wrong, a sentence a campaign."""

    done: list[CampaignPlanned]
    troubles: list[str]

    def table(self) -> list[dict[str, Cell]]:
        """A row per campaign, for Prefect."""
        return [{"campaign": one.campaign, "version": one.version, **asdict(one.counts)} for one in self.done]

    def counts(self) -> dict[str, int]:
        """All campaigns together."""
        return add_counts(one.counts for one in self.done)


def plan_campaigns(
    engine: Engine, now: datetime, campaigns: Sequence[CampaignInForce], shards: int,
    enrol: Task[..., Planned], plan: Task[..., Planned],
) -> CampaignsPlanned:  # fmt: skip
    """Enrol the audience of each campaign, then plan every shard. One campaign's mistake does not stop the others."""
    done, troubles = [], []
    for campaign in campaigns:
        slug = campaign.slug
        try:
            entered = enrol.prefect_task(engine, now, slug, campaign.version_id)
            planned = sum(run_shards(shards, plan, engine, now, slug), entered)
        except Exception as error:
            get_run_logger().exception("%s could not be planned", slug)
            troubles.append(f"{slug}: {describe_error(error)}")
            continue
        done.append(CampaignPlanned(slug, campaign.number, planned))
    return CampaignsPlanned(done, troubles)
