"""The end of the demo: the ledger, the funnel, what the sale earned, the best leads, three answers to "why"."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import Session, col

from models.account import Account
from models.contact import Contact, Market
from models.enrolment import Enrolment
from models.handoff import Decision, Handoff
from models.message import SALES, Message
from models.queries.holdout_lift import holdout_arms
from models.score import Score
from nurture.cli.console import escaped, print_json
from nurture.cli.demo_folder import PREFECT_PORT, WEB_PORT, DemoFolder
from nurture.cli.demo_screen import Screen, relative_path
from nurture.explain import why
from nurture.rendering.links import links_for
from nurture.rules.feedback.reactions import NOT_A_FIT, NOT_NOW
from nurture.rules.intake.names import full_name
from nurture.rules.reporting.holdout_lift import HoldoutLift, lift
from nurture.rules.reporting.ledger import FUNNEL, campaign_title, describe_reasons
from nurture.runtime import database
from nurture.runtime.supervisor import ServiceUrls
from tasks.reporting import LedgerReport, report

SEQUENCE, PROMOTION = "pump-efficiency", "spring-sale"
GROUPS = ("planned", "accepted", "skipped", "refused", "unknown", "waiting")
BEST = 5
WORDS = {
    Decision.ACCEPTED: "accepted",
    Decision.RECYCLED: "not now",
    Decision.REJECTED: "no",
    Decision.OFFERED: "no answer yet",
}


class DemoHandoff(NamedTuple):
    """A lead that sales got, and what they said. The fields are those of `nurture demo --json`."""

    id: int
    grade: str
    title: str | None
    account: str | None
    owner_email: str
    owner_name: str | None
    lead: str
    score: int
    reasons: list[str]
    offered_at: datetime
    due_at: datetime
    decision: Decision
    decided_at: datetime | None
    decided_why: str | None

    @property
    def late(self) -> bool:
        """Did the answer come after its time?"""
        return self.decided_at is not None and self.decided_at > self.due_at


class WhyAnswer(NamedTuple):
    """What `nurture why` says of one person and campaign."""

    address: str
    campaign: str
    status: str
    sentence: str


@dataclass(frozen=True)
class DemoSummary:
    """Everything the demo came to."""

    report: LedgerReport
    lift: HoldoutLift
    handoffs: list[DemoHandoff]
    why: list[WhyAnswer]
    addresses: dict[str, str]
    scored_by: str


def print_document(end: DemoSummary, days: int, seconds: Mapping[str, float]) -> None:
    """The document of `nurture demo --json`. `seconds`: how long each part took."""
    print_json({
        "days": days,
        "seconds": dict(seconds),
        "adds_up": end.report.adds_up,
        "ledger": end.report.lines,
        "funnel": end.report.funnel,
        "lift": asdict(end.lift) | {"sentence": end.lift.sentence()},
        "handoffs": end.handoffs,
        "why": end.why,
        "addresses": end.addresses,
        "scored_by": end.scored_by,
    })  # fmt: skip


def summarise(demo: DemoFolder, where: ServiceUrls, now: datetime) -> DemoSummary:
    """Ask the demo's database what the days came to. `where`: where the pages are."""
    found = report(demo.engine, now)
    with database.reading(demo.engine) as session:
        earned = lift(holdout_arms(session, PROMOTION, Market.B2C))
        best = _handoffs(session)
        answers = list(_answers(session, now))
        in_charge = _in_charge(session)
    pages = {"home": where.web, "mailbox": f"{where.web}/mailbox", "prefect": where.prefect}
    links = links_for(demo.settings)
    if best:
        pages["lead"] = links.handoff(best[0].id, now)
        to_answer = [one for one in best if one.decision == Decision.OFFERED] or best
        pages["sales"] = links.sales(to_answer[0].id, now)
    return DemoSummary(found, earned, best, answers, pages, in_charge)


def _in_charge(session: Session) -> str:
    """What made the scores: the rules of the file, or a learned model."""
    versions = session.execute(select(col(Score.version)).distinct().order_by(col(Score.version))).scalars()
    learned = [version for version in versions if not version.startswith("rules-")]
    return f"Scored by the learned model {', '.join(learned)}" if learned else "Scored by the rules of scoring.toml"


def _handoffs(session: Session) -> list[DemoHandoff]:
    """Every handoff with its lead, the best first."""
    rows = session.execute(
        select(Handoff, Contact, col(Account.name), col(Account.owner_name))
        .join(Contact, col(Contact.id) == Handoff.contact_id)
        .outerjoin(Account, col(Account.id) == Handoff.account_id)
        .order_by(col(Handoff.score).desc(), col(Handoff.id))
    ).tuples()
    return [
        DemoHandoff(
            offer.id or 0, offer.grade, contact.title, account, offer.owner_email, owner_name,
            full_name(contact.first_name, contact.last_name), round(offer.score),
            [reason["text"] for reason in offer.reasons], offer.offered_at, offer.due_at,
            Decision(offer.state), offer.decided_at, offer.decided_why,
        )
        for offer, contact, account, owner_name in rows
    ]  # fmt: skip


def _answers(session: Session, now: datetime) -> Iterator[WhyAnswer]:
    """What `nurture why` says of somebody who got letters, somebody held out and somebody who never qualified."""
    wrote = select(col(Message.address)).where(col(Message.campaign) == SEQUENCE)
    clicked = wrote.where(col(Message.outcome).in_(("clicked", "replied"))).order_by(col(Message.outcome_at).desc())
    held = (
        select(col(Message.address))
        .where(col(Message.campaign) == PROMOTION, col(Message.reason) == "holdout")
        .order_by(col(Message.id))
    )
    never = (
        select(col(Contact.address))
        .where(col(Contact.market) == Market.B2B,
               col(Contact.address).not_in(select(col(Enrolment.address)).where(col(Enrolment.campaign) == SEQUENCE)))
        .order_by(col(Contact.id))
    )  # fmt: skip
    for slug, status, question in (
        (SEQUENCE, "sent", clicked),
        (PROMOTION, "held_back", held),
        (SEQUENCE, "never_qualified", never),
    ):
        for address in session.execute(question.limit(50)).scalars():
            said = why.why(session, now, address, slug)
            if said.status == status:
                yield WhyAnswer(address, slug, said.status, said.sentence)
                break


# --- on the screen -----------------------------------------------------------------------------------------------


def show_summary(screen: Screen, end: DemoSummary, demo: DemoFolder) -> None:
    """The whole ending, on a screen or in a file."""
    zone = ZoneInfo(demo.settings.sales_zone)
    _ledger(screen, end.report)
    _funnel(screen, end.report)
    screen.line("\n[bold]What the sale earned[/]")
    screen.line(f"  {end.lift.sentence()}")
    screen.line(f"\n[bold]The best of {len(end.handoffs)} leads that sales got[/]: {_answered(end.handoffs)}")
    for one in end.handoffs[:BEST]:
        _handoff(screen, one, zone)
    screen.line(f"  [dim]{escaped(end.scored_by)}; what the record would teach: {command_line(demo)} train[/]")
    screen.line("\n[bold]Why did they get it, or not?[/]")
    for answer in end.why:
        screen.line(f"  [dim]$ {command_line(demo)} why {answer.address} {answer.campaign}[/]")
        screen.line(f"  {escaped(answer.sentence)}")


def _ledger(screen: Screen, found: LedgerReport) -> None:
    """Every step on a line, and under it why some did not get the letter: a column of sentences would not be read."""
    screen.line("[bold]The ledger[/]: planned = accepted + skipped + refused + unknown + waiting")
    width = {group: len(group) + 1 for group in GROUPS}
    screen.line(f"[dim]  {'':<27}" + "".join(f"{group:>{width[group]}}" for group in GROUPS) + "[/]")
    for line in found.lines:
        name = campaign_title(line.campaign) if line.campaign == SALES else f"{line.campaign} / {line.letter}"
        screen.line(f"  {name:<27}" + "".join(f"{line.count(group):>{width[group]},}" for group in GROUPS))
        if line.reasons:
            screen.line(f"    [dim]{escaped(describe_reasons(line.reasons))}[/]")
    sums = "".join(f"{sum(line.count(group) for line in found.lines):>{width[group]},}" for group in GROUPS)
    screen.line(f"  [bold]{'all':<27}{sums}[/]")
    screen.line("  [green]✓ adds up, line by line[/]" if found.adds_up else "  [red]✗ does not add up[/]")


def _funnel(screen: Screen, found: LedgerReport) -> None:
    """A stage on a line, a campaign in a column: it fits the narrowest terminal."""
    screen.line("\n[bold]The funnel[/]: people; from delivered to replied, letters")
    screen.line("[dim]  " + f"{'':<13}" + "".join(f"{row.campaign:>18}" for row in found.funnel) + "[/]")
    for name in FUNNEL:
        figures = "".join(f"{row.count(name):>18,}" for row in found.funnel)
        screen.line(f"  {name.replace('_', ' '):<13}{figures}")


def _answered(handoffs: list[DemoHandoff]) -> str:
    """ "9 accepted, 2 not now, 1 no answer yet; 2 answered late"."""
    counts = Counter(one.decision for one in handoffs)
    late = sum(one.late for one in handoffs)
    said = ", ".join(f"{counts[decision]} {word}" for decision, word in WORDS.items() if counts[decision])
    return said + (f"; {late} answered late" if late else "")


def _handoff(screen: Screen, one: DemoHandoff, zone: ZoneInfo) -> None:
    """A lead, its salesperson with their answer, and the reasons: three lines."""

    def moment(at: datetime) -> str:
        return f"{at.astimezone(zone):%a %-d %b %H:%M}"

    who = ", ".join(filter(None, (one.lead, one.title, one.account)))
    screen.line(f"  [bold]{one.score} {one.grade}[/]  {escaped(who)}")
    said = WORDS[one.decision]
    if one.decided_at:
        code, _, note = (one.decided_why or "").partition(": ")
        reason = (NOT_NOW | NOT_A_FIT).get(code, code)
        told = ". ".join(part for part in (reason, note) if part)
        late = " (late)" if one.late else ""
        said = f"{said} on {moment(one.decided_at)}{late}" + (f": {told.rstrip('.')}" if told else "")
    owner = one.owner_name or one.owner_email
    screen.line(f"         [dim]{escaped(owner)}, answer due {moment(one.due_at)}: {escaped(said)}[/]")
    screen.line(f"         {escaped('; '.join(one.reasons[:4]))}")


def show_pages(screen: Screen, end: DemoSummary, demo: DemoFolder) -> None:
    """Where to look while everything is still running."""
    screen.line("[bold]Look around[/]")
    screen.line(f"  The letters    {end.addresses['mailbox']}")
    if "sales" in end.addresses:
        screen.line(f"  A salesperson  {end.addresses['sales']}")
        screen.line(f"  A lead         {end.addresses['lead']}")
    screen.line(f"  Prefect        {end.addresses['prefect']}")
    screen.line(f"  On the disk    {escaped(str(relative_path(demo.folder)))}\n\nCtrl-C stops everything.")


def show_how_to_reopen(screen: Screen, end: DemoSummary, demo: DemoFolder) -> None:
    """How to open it again, when everything has stopped."""
    screen.line("[bold]Look around[/] (everything has stopped)")
    screen.line(f"  {command_line(demo, ports=True)} up")
    screen.line(
        f"      opens it again: the letters at {end.addresses['mailbox']}, Prefect at {end.addresses['prefect']}"
    )
    screen.line(f"  {program_name()} demo --stay\n      plays it again and leaves it open")
    screen.line(f"  {escaped(str(relative_path(demo.folder)))}\n      has it all: database, mailbox, rejects, logs")


def command_line(demo: DemoFolder, ports: bool = False) -> str:
    """How to call nurture about the demo's folder, from here."""
    ours = demo.settings
    given = [f"NURTURE_VAR={relative_path(demo.folder)}"]
    if ports and ours.prefect_port != PREFECT_PORT:
        given.append(f"NURTURE_PREFECT_PORT={ours.prefect_port}")
    if ports and ours.web_port != WEB_PORT:
        given.append(f"NURTURE_WEB_PORT={ours.web_port}")
    return " ".join([*given, program_name()])


def program_name() -> str:
    """nurture, as it can be called here: by its name where the shell finds it, else by its path."""
    ours = Path(sys.argv[0]).absolute()
    found = shutil.which("nurture")
    if ours.name != "nurture" or (found and os.path.samefile(found, ours)):
        return "nurture"
    return str(relative_path(ours))
