"""The demo's days: in the morning every noun does its work, then every two hours the outbox leaves and people react."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import case, func, select
from sqlmodel import Session, col

from models import event
from models import order as orders
from models.account import Account
from models.contact import Contact, Market
from models.enrolment import Enrolment
from models.score import Score
from nurture.channels import registry
from nurture.cli.demo_folder import DATA, FILE_ORDER, MAPPINGS, DemoFolder
from nurture.files import mapping
from nurture.rendering.composer import Composer
from nurture.rules.segmentation.titles import load_tables, read_title
from nurture.runtime import database
from nurture.simulation.companies import HOT, WARM
from nurture.simulation.inbox import SimulatedInbox
from nurture.simulation.provider import SimulatedProvider
from nurture.simulation.recipients import SimulatedPerson, keenness, project_start
from nurture.simulation.simulator import Simulator
from tasks.delivery.outbox import deliver
from tasks.feedback import apply
from tasks.intake import Imported, import_file

FIRST = datetime(2026, 3, 2, 6, tzinfo=UTC)  # a Monday, 7 in the morning where sales work
STEP = timedelta(hours=2)
STEPS = 12  # a day
SEED = 2026

RunMorning = Callable[[datetime], object]  # every noun's work, once: a flow run, or in tests the tasks themselves


@dataclass(frozen=True, slots=True)
class DayFigures:
    """What one day came to, in counts."""

    at: datetime
    scored: int
    warm: int  # leads that sales would want
    entered: int
    letters: int
    opened: int
    clicked: int
    replied: int
    bounced: int
    left: int  # unsubscribed or complained
    orders: int
    offered: int
    accepted: int
    recycled: int
    rejected: int


def files() -> Iterable[tuple[str, Path]]:
    """The example company's files, in the order in which they make sense."""
    return [(kind, DATA / f"{kind}.csv") for kind in FILE_ORDER]


def import_example_file(demo: DemoFolder, kind: str, file: Path) -> Imported:
    """Import one of the example's files as it was on the first morning."""
    sheet = mapping.read(MAPPINGS / f"{kind}.toml")
    return import_file(demo.engine, FIRST - timedelta(hours=6), file, sheet, demo.folder / "rejects")


def make_simulator(demo: DemoFolder, provider: SimulatedProvider, door: httpx.Client) -> Simulator:
    """A simulator of all the people in the files, each with a character."""
    with database.reading(demo.engine) as session:
        people = {(who.address, who.market): who for who in _people(session)}
    return Simulator(SEED, people, SimulatedInbox(demo.folder / "mailbox"), provider, door, demo.set_clock)


def _people(session: Session) -> Iterable[SimulatedPerson]:
    """Everybody in the files; they know better than we do what they decide and how much they want a pump."""
    tables = load_tables()
    heat = dict.fromkeys(WARM, 1) | dict.fromkeys(HOT, 2)
    rows = session.execute(
        select(col(Contact.id), col(Contact.address), col(Contact.market), col(Contact.key), col(Contact.title),
               col(Contact.locale), func.coalesce(Contact.country, Account.country).label("country"),
               col(Account.key).label("account"), col(Account.domain))
        .outerjoin(Account, col(Account.id) == Contact.account_id)
        .order_by(col(Contact.id))
    ).all()  # fmt: skip
    bought = orders.purchases(session, 0, rows[-1].id if rows else 0, FIRST)
    for row in rows:
        ever = bought[row.id].orders if row.id in bought else 0
        yield SimulatedPerson(
            row.address, row.market, row.key,
            role=read_title(row.title or "", tables).role if row.market == Market.B2B else "",
            language=row.locale.partition("-")[0], company=row.account or "", country=row.country or "",
            keen=keenness(SEED, row.market, row.address, heat.get(row.domain or "", 0), ever),
            wakes=project_start(SEED, row.account, FIRST.date()) if row.account and row.domain not in heat else None,
        )  # fmt: skip


def play_day(
    demo: DemoFolder, simulator: Simulator, run_morning: RunMorning, at: datetime, watch: Callable[[datetime], None]
) -> DayFigures:
    """Play one day, until the next morning. `watch` is called with the time of every step."""
    watch(at)
    _advance(demo, simulator, at)
    simulator.write_files(demo.inbox, f"{at:%Y-%m-%d}")
    run_morning(at)
    simulator.plan_day(at.date())
    composer, channel = Composer(demo.settings), registry.channel(demo.settings)
    for step in range(1, STEPS):
        now = at + step * STEP
        watch(now)
        _advance(demo, simulator, now)
        apply(demo.engine, now)
        deliver(demo.engine, demo.settings.clock, channel, composer)
    return _figures(demo, simulator, at)


def finish(demo: DemoFolder, simulator: Simulator, at: datetime) -> None:
    """The morning after the last day: what people did in the night still counts."""
    _advance(demo, simulator, at)
    apply(demo.engine, at)


def _advance(demo: DemoFolder, simulator: Simulator, now: datetime) -> None:
    """Let everything happen until `now`, and keep the replies as events."""
    simulator.run_until(now)  # sets the clock for everything that happens, and to `now` at the end
    if simulator.replies:  # there is no endpoint for inbound mail yet: a reply is kept as it will keep one
        with database.writing(demo.engine) as session:
            event.keep(session, simulator.replies)
        simulator.replies.clear()


def _figures(demo: DemoFolder, simulator: Simulator, at: datetime) -> DayFigures:
    """What the day came to."""
    did = simulator.take_counts()
    threshold = demo.settings.mql_score
    wanted = (col(Score.score) >= threshold) & (col(Contact.market) == Market.B2B)
    with database.reading(demo.engine) as session:
        scored, warm = session.execute(
            select(func.count(), func.count(case((wanted, 1))))
            .join(Contact, col(Contact.id) == Score.contact_id)
            .where(col(Score.scored_at) == at)
        ).one()
        entered = session.execute(select(func.count()).where(col(Enrolment.entered_at) == at)).scalar_one()
    return DayFigures(
        at, scored, warm, entered, did["letters"] - did["offers"], did["opened"], did["clicked"], did["replied"],
        did["bounced"], did["unsubscribed"] + did["complained"], did["orders"], did["offers"],
        did["accepted"], did["recycled"], did["rejected"],
    )  # fmt: skip
