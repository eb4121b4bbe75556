"""The timeline of one account: letters, clicks, roles, stages, handoffs, pauses, as a salesperson would tell them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from models import account_pause, role_change
from models.queries import account_timeline, lifecycle
from models.queries.letter_stops import ACCOUNT_STOPPED
from nurture.rules.intake.names import full_name
from nurture.rules.reporting import timeline as words
from nurture.rules.reporting.timeline import Line


class NoSuchAccount(LookupError):
    """There is no such account, or several. The text says which there are."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """`account`: who they are today. `people`: the buying group today. `days`: what happened, oldest
    first. `ahead`: letters that wait to leave now, in sentences."""

    account: dict[str, Any]
    people: list[dict[str, Any]]
    days: list[tuple[date, list[Line]]]
    ahead: list[str]

    def as_json(self) -> dict[str, Any]:
        """The documented document of `nurture timeline --json`."""
        return {
            "account": self.account,
            "people": self.people,
            "days": [{"day": day, "lines": [line.as_json() for line in lines]} for day, lines in self.days],
            "ahead": self.ahead,
        }


def account_named(session: Session, words: str) -> dict[str, Any]:
    """The one account with this key, domain or name: id, key, name."""
    found = account_timeline.find(session, words)
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoSuchAccount(f"no account has the key, the domain or the name {words!r}: check the spelling")
    keys = ", ".join(f"{row['key']} ({row['name']})" for row in found)
    raise NoSuchAccount(f"{words!r} may mean several accounts: {keys}. Say which by its key")


def timeline(session: Session, named: str, since: datetime, until: datetime, zone: ZoneInfo) -> Timeline:
    """Everything the record tells of an account between two moments, day by day in `zone`."""
    account = account_timeline.account(session, account_named(session, named)["id"])
    people = account_timeline.people(session, account["id"])
    for person in people:
        person["name"] = full_name(person["first_name"], person["last_name"]) or person["address"]
    names = {person["id"]: person["name"] for person in people}
    by_address = {person["address"]: person["name"] for person in people}
    campaigns = account_timeline.campaign_names(session)
    ids, span = list(names), (since, until)
    letters = account_timeline.letters(session, account["id"], *span)
    for row in letters:  # what the stop took back was planned before it
        if row["reason"] == ACCOUNT_STOPPED and account["stopped_at"] and row["planned_at"] < account["stopped_at"]:
            row["planned_at"] = account["stopped_at"]
    owners = {account["owner_email"]: account["owner_name"] or account["owner_email"]}
    lines = [
        *words.runs(account_timeline.runs(session, account["id"]), names, campaigns, zone),
        *words.letters(letters, names, campaigns, zone),
        *words.deeds(
            (did for did in account_timeline.deeds(session, ids, *span) if did["kind"] != account_pause.AWAY),
            names,
            zone,
        ),
        *words.stages(lifecycle.moves(session, ids, *span), names, zone),
        *words.sales(account_timeline.handoffs(session, account["id"]), names, owners),
        *words.pauses(account_pause.history(session, account["id"], list(by_address)), by_address, zone),
        *words.deals(account_timeline.deals(session, account["id"])),
        *words.goodbyes(account_timeline.goodbyes(session, list(by_address), *span), by_address),
        *words.role_changes(role_change.of(session, ids, *span), names),
        *words.roles(account_timeline.corrections(session, ids, *span), names),
    ]
    if account["stopped_at"]:
        lines.append(words.stopped(account["stopped_at"], account["stopped_why"]))
    ahead = words.ahead(account_timeline.planned(session, account["id"]), names, campaigns, zone)
    return Timeline(account, people, words.in_order(lines, since, until, zone), ahead)
