"""A campaign's morning: its audience enters, then every lead under way is decided about. For both markets."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from prefect.logging import get_run_logger
from sqlalchemy import Engine, RowMapping

from flows.orchestration.flow_factory import Trouble, in_words, over
from models.campaign import published
from nurture.runtime import database
from tasks.planning.enrolments import Planned
from tasks.task import Task


def chosen(engine: Engine, market: str, slug: str | None) -> Sequence[RowMapping]:
    """The market's published campaigns, or the one that is asked for."""
    with database.reading(engine) as session:
        running = published(session, market)
    if slug and slug not in (names := [row["slug"] for row in running]):
        raise Trouble(f"{slug} is not published for {market}. Published are: {', '.join(names) or 'none'}. "
                      f"Publish it with `nurture apply {slug}`.")  # fmt: skip
    return [row for row in running if slug in (None, row["slug"])]


def play(
    engine: Engine, now: datetime, campaigns: Sequence[RowMapping], shards: int,
    enrol: Task[..., Planned], plan: Task[..., Planned],
) -> tuple[list[dict[str, Any]], list[str]]:  # fmt: skip
    """A row per campaign, and what went wrong. One campaign's mistake does not hold the others."""
    rows, troubles = [], []
    for campaign in campaigns:
        slug = campaign["slug"]
        try:
            entered = enrol.prefect_task(engine, now, slug, campaign["version_id"])
            planned = sum(over(shards, plan, engine, now, slug), entered)
        except Exception as error:
            get_run_logger().exception("%s could not be planned", slug)
            troubles.append(f"{slug}: {in_words(error)}")
            continue
        rows.append({"campaign": slug, "version": campaign["number"], **asdict(planned)})
    return rows, troubles


def counts(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """All campaigns together."""
    return {name: sum(row[name] for row in rows) for name in ("entered", "planned", "skipped", "waiting", "ended")}
