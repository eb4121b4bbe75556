"""The demo's days: in the morning the nine nouns work, then every two hours the outbox leaves and people react."""

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
from nurture.cli.demo_stage import DATA, MAPPINGS, ORDER, Stage
from nurture.files import mapping
from nurture.rendering.composer import Composer
from nurture.rules.segmentation.titles import load_tables, read_title
from nurture.runtime import database
from nurture.simulation.companies import HOT, WARM
from nurture.simulation.inbox import SimulatedInbox
from nurture.simulation.provider import Provider
from nurture.simulation.recipients import SimulatedPerson, keenness, project
from nurture.simulation.simulator import Town
from tasks.delivery.outbox import deliver
from tasks.feedback import apply
from tasks.intake import Imported, import_file

FIRST = datetime(2026, 3, 2, 6, tzinfo=UTC)  # a Monday, 7 in the morning where sales work
TURN = timedelta(hours=2)
TURNS = 12  # a day
SEED = 2026

Morning = Callable[[datetime], object]  # the nine nouns, once: a flow run, or in tests the orders themselves


@dataclass(frozen=True, slots=True)
class Day:
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
    return [(kind, DATA / f"{kind}.csv") for kind in ORDER]


def take_in(place: Stage, kind: str, file: Path) -> Imported:
    """Import one of the example's files as it was on the first morning."""
    sheet = mapping.read(MAPPINGS / f"{kind}.toml")
    return import_file(place.engine, FIRST - timedelta(hours=6), file, sheet, place.folder / "rejects")


def settle(place: Stage, provider: Provider, door: httpx.Client) -> Town:
    """A town of all the people we know, each with a character."""
    with database.reading(place.engine) as session:
        people = {(who.address, who.market): who for who in _people(session)}
    return Town(SEED, people, SimulatedInbox(place.folder / "mailbox"), provider, door, place.turn_clock)


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
            wakes=project(SEED, row.account, FIRST.date()) if row.account and row.domain not in heat else None,
        )  # fmt: skip


def live(place: Stage, town: Town, morning: Morning, at: datetime, watch: Callable[[datetime], None]) -> Day:
    """One day from one morning to the next. `watch` is told the time at every turn."""
    watch(at)
    _turn(place, town, at)
    town.files(place.inbox, f"{at:%Y-%m-%d}")
    morning(at)
    town.wake_up(at.date())
    composer, channel = Composer(place.settings), registry.channel(place.settings)
    for turn in range(1, TURNS):
        now = at + turn * TURN
        watch(now)
        _turn(place, town, now)
        apply(place.engine, now)
        deliver(place.engine, place.settings.clock, channel, composer)
    return _counted(place, town, at)


def close(place: Stage, town: Town, at: datetime) -> None:
    """The morning after the last day: what people did in the night still counts."""
    _turn(place, town, at)
    apply(place.engine, at)


def _turn(place: Stage, town: Town, now: datetime) -> None:
    town.live_until(now)  # turns the clock with everything that happens, and to `now` at the end
    if town.replies:  # there is no door for inbound mail yet: a reply is kept as that door will keep it
        with database.writing(place.engine) as session:
            event.keep(session, town.replies)
        town.replies.clear()


def _counted(place: Stage, town: Town, at: datetime) -> Day:
    did = town.happened()
    threshold = place.settings.mql_score
    wanted = (col(Score.score) >= threshold) & (col(Contact.market) == Market.B2B)
    with database.reading(place.engine) as session:
        scored, warm = session.execute(
            select(func.count(), func.count(case((wanted, 1))))
            .join(Contact, col(Contact.id) == Score.contact_id)
            .where(col(Score.scored_at) == at)
        ).one()
        entered = session.execute(select(func.count()).where(col(Enrolment.entered_at) == at)).scalar_one()
    return Day(
        at, scored, warm, entered, did["letters"] - did["offers"], did["opened"], did["clicked"], did["replied"],
        did["bounced"], did["unsubscribed"] + did["complained"], did["orders"], did["offers"],
        did["accepted"], did["recycled"], did["rejected"],
    )  # fmt: skip
