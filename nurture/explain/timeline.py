"""The timeline of one account: letters, clicks, roles, stages, handoffs, pauses, as a salesperson would tell them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import TypedDict
from zoneinfo import ZoneInfo

from sqlmodel import Session

from models.account_pause import AWAY, pause_history
from models.queries import account_timeline, lifecycle
from models.queries.account_timeline import FoundAccount, TimelineAccount, TimelineLetter, TimelinePerson
from models.queries.letter_stops import ACCOUNT_STOPPED
from models.role_change import role_changes
from nurture.rules.intake.names import full_name
from nurture.rules.reporting import timeline as words
from nurture.rules.reporting.timeline import TimelineDay, TimelineEntry, TimelineEntryBody, TimelineNames

Scalar = str | int | float | datetime | None


class NoSuchAccount(LookupError):
    """There is no such account, or several. The text says which there are."""


class TimelineDayBody(TypedDict):
    """A TimelineDay as JSON."""

    day: date
    lines: list[TimelineEntryBody]


class TimelineBody(TypedDict):
    """The documented document of `nurture timeline --json`."""

    account: dict[str, Scalar]  # the fields of TimelineAccount
    people: list[dict[str, Scalar]]  # the fields of TimelinePerson, and `name`
    days: list[TimelineDayBody]
    ahead: list[str]


@dataclass(frozen=True, slots=True)
class Timeline:
    """`account`: who they are today. `people`: the buying group today, `names` by contact id. `days`: what happened,
    oldest first. `ahead`: letters that wait to leave now, in sentences."""

    account: TimelineAccount
    people: list[TimelinePerson]
    names: dict[int, str]
    days: list[TimelineDay]
    ahead: list[str]

    def as_json(self) -> TimelineBody:
        """The documented document of `nurture timeline --json`."""
        return {
            "account": self.account._asdict(),
            "people": [{**one._asdict(), "name": self.names[one.id]} for one in self.people],
            "days": [{"day": day, "lines": [entry.as_json() for entry in entries]} for day, entries in self.days],
            "ahead": self.ahead,
        }


def account_named(session: Session, words: str) -> FoundAccount:
    """The one account with this key, domain or name. Raises NoSuchAccount where there is none, or several."""
    found = account_timeline.find_accounts(session, words)
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoSuchAccount(f"no account has the key, the domain or the name {words!r}: check the spelling")
    keys = ", ".join(f"{one.key} ({one.name})" for one in found)
    raise NoSuchAccount(f"{words!r} may mean several accounts: {keys}. Say which by its key")


def timeline(session: Session, named: str, since: datetime, until: datetime, zone: ZoneInfo) -> Timeline:
    """Everything the record tells of an account between two moments, day by day in `zone`."""
    account = account_timeline.account(session, account_named(session, named).id)
    people = account_timeline.people(session, account.id)
    by_id = {one.id: full_name(one.first_name, one.last_name) or one.address for one in people}
    names = TimelineNames(
        people=by_id,
        addresses={one.address: by_id[one.id] for one in people},
        owners={account.owner_email: account.owner_name or account.owner_email} if account.owner_email else {},
        campaigns=account_timeline.campaign_names(session),
        zone=zone,
    )
    entries = _entries(session, account, names, since, until)
    ahead = words.planned_sentences(account_timeline.planned_letters(session, account.id), names)
    return Timeline(account, people, by_id, words.by_day(entries, since, until, names), ahead)


def _entries(
    session: Session, account: TimelineAccount, names: TimelineNames, since: datetime, until: datetime
) -> list[TimelineEntry]:
    """Everything that happened, in no order; what lies outside of the span may be among it."""
    ids, addresses, span = list(names.people), list(names.addresses), (since, until)
    letters = [_stopped_when(letter, account) for letter in account_timeline.letters(session, account.id, *span)]
    activities = [did for did in account_timeline.activities(session, ids, *span) if did.kind != AWAY]
    entries = [
        *words.enrolment_entries(account_timeline.enrolments(session, account.id), names),
        *words.letter_entries(letters, names),
        *words.activity_entries(activities, names),
        *words.stage_entries(lifecycle.moves(session, ids, *span), names),
        *words.handoff_entries(account_timeline.handoffs(session, account.id), names),
        *words.pause_entries(pause_history(session, account.id, addresses), names),
        *words.deal_entries(account_timeline.deals(session, account.id)),
        *words.suppression_entries(account_timeline.suppressions(session, addresses, *span), names),
        *words.role_change_entries(role_changes(session, ids, *span), names),
        *words.confirmation_entries(account_timeline.confirmations(session, ids, *span), names),
    ]
    if account.stopped_at:
        entries.append(words.account_stop_entry(account.stopped_at, account.stopped_why))
    return entries


def _stopped_when(letter: TimelineLetter, account: TimelineAccount) -> TimelineLetter:
    """A letter that the account's stop skipped is told at the moment of the stop: it was planned before it."""
    stop = account.stopped_at
    if letter.reason == ACCOUNT_STOPPED and stop and letter.planned_at < stop:
        return letter._replace(planned_at=stop)
    return letter
