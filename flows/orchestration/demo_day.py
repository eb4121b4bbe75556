"""One simulated day as one Prefect run: every noun does its own work, one after the other. For the demo.

A run of its own for each noun and each of 21 days would cost as much as the work itself (docs/prefect.md).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from prefect import flow
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from pydantic import AwareDatetime
from sqlalchemy import Engine

from flows.intake import arrived_files, mapping_of, move_to_done
from flows.orchestration import artifacts
from flows.orchestration.flow_factory import Trouble, add_counts
from models.campaign import published
from nurture.channels import registry
from nurture.config import scoring as scoring_rules
from nurture.files import mapping
from nurture.rendering.composer import Composer
from nurture.runtime import database
from nurture.runtime.settings import settings
from tasks import feedback, handoff, reporting, segmentation
from tasks import intake as files
from tasks.delivery import outbox
from tasks.planning import promotions, sequences
from tasks.planning.enrolments import Planned
from tasks.scoring import scores
from tasks.task import Task, task

Counts = dict[str, int]
SATURDAY = 5


def run_day(at: datetime) -> dict[str, Counts]:
    """Run one day, as of `at`. Returns what every noun did, in counts; Prefect shows it beside the ledger.

    Blocks until Prefect has been told everything, so that the server may be stopped at any moment afterwards.
    """
    with _everything_reported():
        return _day(at)


@flow(name="day", flow_run_name="{at:%A %-d %B %Y}", persist_result=False)
def _day(at: AwareDatetime) -> dict[str, Counts]:
    """The nine nouns, once: what arrived is read, leads are segmented and scored, letters are planned and leave,
    reactions take effect, sales get their leads, the ledger is reported.

    Args:
        at: The moment to act as.
    """
    engine = database.here()
    done = {noun.function.__name__: noun.prefect_task(engine, at) for noun in NOUNS}
    report = reporting.report(engine, at)
    artifacts.create_table(
        "day", [{"noun": noun, "did": _words(counts)} for noun, counts in done.items()], "What every noun did"
    )
    artifacts.create_page("reporting", report.markdown(), "The ledger and the funnel")
    if not report.adds_up:
        raise Trouble("The ledger does not add up: a message is in no group or in two. Please report it.")
    return done


def _words(counts: Counts) -> str:
    return ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in counts.items() if n) or "nothing to do"


def _noun(function: Callable[[Engine, datetime], Counts]) -> Task[[Engine, datetime], Counts]:
    return task(run_name=function.__name__)(function)


@_noun
def intake(engine: Engine, now: datetime) -> Counts:
    """Import what arrived in the inbox."""
    inbox, rejects = settings().var / "inbox", settings().var / "rejects"
    done = []
    for file in list(arrived_files(inbox, settled_for=timedelta(0))) if inbox.exists() else []:
        done.append(files.import_file(engine, now, file, mapping.read(mapping_of(file)), rejects))
        move_to_done(file)
    return {"files": len(done), **add_counts(done)}


@_noun
def segment(engine: Engine, now: datetime) -> Counts:
    """Segment every contact."""
    return add_counts([segmentation.segment(engine, now)])


@_noun
def score(engine: Engine, now: datetime) -> Counts:
    """Score every lead and account."""
    rules = scoring_rules.read(settings().rules / "scoring.toml")
    return add_counts(
        [scores.score(engine, now, rules, settings().model_folder), scores.score_accounts(engine, now, rules)]
    )


@_noun
def plan_sequences(engine: Engine, now: datetime) -> Counts:
    """Enrol and plan every published B2B campaign."""
    return _plan(engine, now, "b2b", sequences.enrol, sequences.plan)


@_noun
def plan_promotions(engine: Engine, now: datetime) -> Counts:
    """Enrol and plan every published B2C campaign."""
    return _plan(engine, now, "b2c", promotions.enrol, promotions.plan)


def _plan(engine: Engine, now: datetime, market: str, enrol: Task[..., Planned], plan: Task[..., Planned]) -> Counts:
    with database.reading(engine) as session:
        campaigns = published(session, market)
    done = []
    for campaign in campaigns:
        done += [
            enrol(engine, now, campaign.slug, campaign.version_id),
            plan(engine, now, campaign.slug),
        ]
    return add_counts(done)


@_noun
def apply_feedback(engine: Engine, now: datetime) -> Counts:
    """Apply the events that came in."""
    return add_counts([feedback.apply(engine, now)])


@_noun
def offer_to_sales(engine: Engine, now: datetime) -> Counts:
    """Offer warm leads to sales, on working days; take back those that sales put off."""
    offered = [handoff.offer(engine, now)] if now.weekday() < SATURDAY else []  # as prefect.yaml has it
    return add_counts([handoff.recycle(engine, now), *offered, handoff.overdue(engine, now)])


@_noun
def deliver(engine: Engine, now: datetime) -> Counts:
    """Let the outbox leave."""
    ours = settings()
    return add_counts([outbox.deliver(engine, lambda: now, registry.channel(ours), Composer(ours))])


NOUNS = (intake, apply_feedback, segment, score, plan_sequences, plan_promotions, offer_to_sales, deliver)


@contextmanager
def _everything_reported() -> Iterator[None]:
    """No heartbeats (each costs a second when a run ends), and every event and log line sent before the block ends."""
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        try:
            yield
        finally:
            EventsWorker.drain_all(timeout=5)
            APILogWorker.drain_all(timeout=5)
