"""The end of the demo: the ledger, the funnel, what the sale earned, the best leads, three answers to "why"."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import Session, col

from models.account import Account
from models.contact import Contact, Market
from models.enrolment import Enrolment
from models.handoff import Decision, Handoff
from models.message import SALES, Message
from models.queries.holdout_lift import arms
from models.score import Score
from nurture.cli.console import escaped
from nurture.cli.demo_screen import Screen, shown
from nurture.cli.demo_stage import PREFECT_PORT, WEB_PORT, Stage
from nurture.explain import why
from nurture.rendering.links import links_for
from nurture.rules.feedback.reactions import NOT_A_FIT, NOT_NOW
from nurture.rules.intake.names import full_name
from nurture.rules.reporting.holdout_lift import Lift, lift
from nurture.rules.reporting.ledger import FUNNEL, because, title
from nurture.runtime import database
from nurture.runtime.supervisor import Addresses
from tasks.reporting import Report, report

SEQUENCE, PROMOTION = "pump-efficiency", "spring-sale"
GROUPS = ("planned", "accepted", "skipped", "refused", "unknown", "waiting")
BEST = 5
WORDS = {
    Decision.ACCEPTED: "accepted",
    Decision.RECYCLED: "not now",
    Decision.REJECTED: "no",
    Decision.OFFERED: "no answer yet",
}


@dataclass(frozen=True)
class Ending:
    """Everything the demo came to, as plain values."""

    report: Report
    lift: Lift
    handoffs: list[dict[str, Any]]
    why: list[dict[str, Any]]
    addresses: dict[str, str]
    scored_by: str

    def as_json(self) -> dict[str, Any]:
        return {
            "adds_up": self.report.adds_up,
            "ledger": self.report.ledger,
            "funnel": self.report.funnel,
            "lift": asdict(self.lift) | {"sentence": self.lift.sentence()},
            "handoffs": self.handoffs,
            "why": self.why,
            "addresses": self.addresses,
            "scored_by": self.scored_by,
        }


def ending(place: Stage, where: Addresses, now: datetime) -> Ending:
    found = report(place.engine, now)
    with database.reading(place.engine) as session:
        earned = lift(*arms(session, PROMOTION))
        best = _handoffs(session)
        answers = list(_answers(session, now))
        in_charge = _in_charge(session)
    pages = {"home": where.web, "mailbox": f"{where.web}/mailbox", "prefect": where.prefect}
    links = links_for(place.settings)
    if best:
        pages["lead"] = links.handoff(best[0]["id"], now)
        to_answer = [one for one in best if one["decision"] == Decision.OFFERED] or best
        pages["sales"] = links.sales(to_answer[0]["id"], now)
    return Ending(found, earned, best, answers, pages, in_charge)


def _in_charge(session: Session) -> str:
    """Who made the scores: the rules of the file, or a learned model."""
    versions = session.execute(select(col(Score.version)).distinct().order_by(col(Score.version))).scalars()
    learned = [version for version in versions if not version.startswith("rules-")]
    return f"Scored by the learned model {', '.join(learned)}" if learned else "Scored by the rules of scoring.toml"


def _handoffs(session: Session) -> list[dict[str, Any]]:
    """Every handoff with its lead, the best first."""
    rows = session.execute(
        select(col(Handoff.id), col(Handoff.score), col(Handoff.grade), col(Contact.first_name), col(Contact.last_name),
               col(Contact.title), col(Account.name).label("account"), col(Handoff.owner_email),
               col(Account.owner_name), col(Handoff.reasons), col(Handoff.offered_at), col(Handoff.due_at),
               col(Handoff.state), col(Handoff.decided_at), col(Handoff.decided_why))
        .join(Contact, col(Contact.id) == Handoff.contact_id)
        .outerjoin(Account, col(Account.id) == Handoff.account_id)
        .order_by(col(Handoff.score).desc(), col(Handoff.id))
    ).mappings()  # fmt: skip
    return [
        {
            **{name: row[name] for name in ("id", "grade", "title", "account", "owner_email", "owner_name")},
            "lead": full_name(row["first_name"], row["last_name"]),
            "score": round(row["score"]),
            "reasons": [reason["text"] for reason in row["reasons"]],
            "offered_at": row["offered_at"],
            "due_at": row["due_at"],
            "decision": row["state"],
            "decided_at": row["decided_at"],
            "decided_why": row["decided_why"],
        }
        for row in rows
    ]


def _answers(session: Session, now: datetime) -> Iterator[dict[str, Any]]:
    """Somebody who got the letters, somebody held back, somebody who never qualified: asked as `nurture why` asks."""
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
                yield {"address": address, "campaign": slug, "status": said.status, "sentence": said.sentence}
                break


# --- on the screen -----------------------------------------------------------------------------------------------


def show(screen: Screen, end: Ending, place: Stage) -> None:
    zone = ZoneInfo(place.settings.sales_zone)
    _ledger(screen, end.report)
    _funnel(screen, end.report)
    screen.line("\n[bold]What the sale earned[/]")
    screen.line(f"  {end.lift.sentence()}")
    screen.line(f"\n[bold]The best of {len(end.handoffs)} leads that sales got[/]: {_answered(end.handoffs)}")
    for one in end.handoffs[:BEST]:
        _handoff(screen, one, zone)
    screen.line(f"  [dim]{escaped(end.scored_by)}; what the record would teach: {command(place)} train[/]")
    screen.line("\n[bold]Why did they get it, or not?[/]")
    for answer in end.why:
        screen.line(f"  [dim]$ {command(place)} why {answer['address']} {answer['campaign']}[/]")
        screen.line(f"  {escaped(answer['sentence'])}")


def _ledger(screen: Screen, found: Report) -> None:
    """Every step on a line, and under it why some did not get the letter: a column of sentences would not be read."""
    screen.line("[bold]The ledger[/]: planned = accepted + skipped + refused + unknown + waiting")
    width = {group: len(group) + 1 for group in GROUPS}
    screen.line(f"[dim]  {'':<27}" + "".join(f"{group:>{width[group]}}" for group in GROUPS) + "[/]")
    for line in found.lines:
        name = title(line.campaign) if line.campaign == SALES else f"{line.campaign} / {line.letter}"
        screen.line(f"  {name:<27}" + "".join(f"{getattr(line, group):>{width[group]},}" for group in GROUPS))
        if line.reasons:
            screen.line(f"    [dim]{escaped(because(line.reasons))}[/]")
    sums = "".join(f"{sum(getattr(line, group) for line in found.lines):>{width[group]},}" for group in GROUPS)
    screen.line(f"  [bold]{'all':<27}{sums}[/]")
    screen.line("  [green]✓ adds up, line by line[/]" if found.adds_up else "  [red]✗ does not add up[/]")


def _funnel(screen: Screen, found: Report) -> None:
    """A stage on a line, a campaign in a column: it fits the narrowest terminal."""
    screen.line("\n[bold]The funnel[/]: people; from delivered to replied, letters")
    screen.line("[dim]  " + f"{'':<13}" + "".join(f"{row['campaign']:>18}" for row in found.funnel) + "[/]")
    for name in FUNNEL:
        figures = "".join(f"{row.get(name, 0):>18,}" for row in found.funnel)
        screen.line(f"  {name.replace('_', ' '):<13}{figures}")


def _answered(handoffs: list[dict[str, Any]]) -> str:
    """ "9 accepted, 2 not now, 1 no answer yet; 2 answered late"."""
    counts = Counter(Decision(one["decision"]) for one in handoffs)
    late = sum(bool(one["decided_at"]) and one["decided_at"] > one["due_at"] for one in handoffs)
    said = ", ".join(f"{counts[decision]} {word}" for decision, word in WORDS.items() if counts[decision])
    return said + (f"; {late} answered late" if late else "")


def _handoff(screen: Screen, one: dict[str, Any], zone: ZoneInfo) -> None:
    def moment(at: datetime) -> str:
        return f"{at.astimezone(zone):%a %-d %b %H:%M}"

    who = ", ".join(filter(None, (one["lead"], one["title"], one["account"])))
    screen.line(f"  [bold]{one['score']} {one['grade']}[/]  {escaped(who)}")
    said = WORDS[Decision(one["decision"])]
    if one["decided_at"]:
        code, _, note = (one["decided_why"] or "").partition(": ")
        reason = (NOT_NOW | NOT_A_FIT).get(code, code)
        told = ". ".join(part for part in (reason, note) if part)
        late = " (late)" if one["decided_at"] > one["due_at"] else ""
        said = f"{said} on {moment(one['decided_at'])}{late}" + (f": {told.rstrip('.')}" if told else "")
    owner = one["owner_name"] or one["owner_email"]
    screen.line(f"         [dim]{escaped(owner)}, answer due {moment(one['due_at'])}: {escaped(said)}[/]")
    screen.line(f"         {escaped('; '.join(one['reasons'][:4]))}")


def look_around(screen: Screen, end: Ending, place: Stage) -> None:
    """While everything is still up."""
    screen.line("[bold]Look around[/]")
    screen.line(f"  The letters    {end.addresses['mailbox']}")
    if "sales" in end.addresses:
        screen.line(f"  A salesperson  {end.addresses['sales']}")
        screen.line(f"  A lead         {end.addresses['lead']}")
    screen.line(f"  Prefect        {end.addresses['prefect']}")
    screen.line(f"  On the disk    {escaped(str(shown(place.folder)))}\n\nCtrl-C stops everything.")


def come_back(screen: Screen, end: Ending, place: Stage) -> None:
    """When everything has stopped."""
    screen.line("[bold]Look around[/] (everything has stopped)")
    screen.line(f"  {command(place, ports=True)} up")
    screen.line(
        f"      opens it again: the letters at {end.addresses['mailbox']}, Prefect at {end.addresses['prefect']}"
    )
    screen.line(f"  {program()} demo --stay\n      plays it again and leaves it open")
    screen.line(f"  {escaped(str(shown(place.folder)))}\n      has it all: database, mailbox, rejects, logs")


def command(place: Stage, ports: bool = False) -> str:
    """How to call nurture about the demo's folder, from here."""
    ours = place.settings
    given = [f"NURTURE_VAR={shown(place.folder)}"]
    if ports and ours.prefect_port != PREFECT_PORT:
        given.append(f"NURTURE_PREFECT_PORT={ours.prefect_port}")
    if ports and ours.web_port != WEB_PORT:
        given.append(f"NURTURE_WEB_PORT={ours.web_port}")
    return " ".join([*given, program()])


def program() -> str:
    """nurture, as it can be called here: by its name where the shell finds it, else by its path."""
    ours = Path(sys.argv[0]).absolute()
    found = shutil.which("nurture")
    if ours.name != "nurture" or (found and os.path.samefile(found, ours)):
        return "nurture"
    return str(shown(ours))
