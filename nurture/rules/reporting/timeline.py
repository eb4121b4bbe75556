"""One account's timeline in plain words: rows of the record become sentences, day by day, as sales would tell them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import NamedTuple, TypedDict
from zoneinfo import ZoneInfo

from models.account_pause import PauseRecord
from models.activity import ContactActivity
from models.contact import Stage
from models.delivery_states import State
from models.queries.account_timeline import (
    PlannedLetter,
    TimelineConfirmation,
    TimelineDeal,
    TimelineEnrolment,
    TimelineHandoff,
    TimelineLetter,
    TimelineSuppression,
)
from models.queries.lifecycle import LoggedMove
from models.role_change import RoleChangeRow
from nurture.rules.feedback.reactions import NOT_A_FIT, NOT_NOW
from nurture.rules.reasons import sentence_of

ACTIVITY_WORDS = {  # kind of activity → what one says once, and several times
    "page_view": ("visited our site", "visited {n} of our pages"),
    "pricing_view": ("looked at prices", "looked at prices {n} times"),
    "download": ("downloaded {what}", "downloaded {n} papers"),
    "webinar": ("attended the webinar {what}", "attended {n} webinars"),
    "form": ("filled in a form", "filled in {n} forms"),
    "demo_request": ("asked for a demo", "asked for a demo {n} times"),
    "email_open": ("opened a letter", "opened letters {n} times"),
    "email_click": ("followed a link", "followed {n} links"),
    "reply": ("replied", "replied {n} times"),
    "meeting": ("met us", "met us {n} times"),
    "careers_view": ("looked at our jobs", "looked at our jobs {n} times"),
}
UNLESS_ALONE = {"email_open"}  # told only when nothing louder happened that day: who clicks has opened
STAGE_WORDS = {
    Stage.LEAD: "is a lead", Stage.MQL: "is ready for sales (MQL)", Stage.SAL: "is accepted by sales (SAL)",
    Stage.SQL: "is qualified by sales (SQL)", Stage.OPPORTUNITY: "is part of an opportunity",
    Stage.CUSTOMER: "is a customer", Stage.RECYCLED: "goes back to nurture",
}  # fmt: skip
STOP_WORDS = {
    "reply": "somebody replied", "meeting_booked": "a meeting is booked", "opportunity_open": "an opportunity is open",
    "owner": "the owner said so",
}  # fmt: skip
SUPPRESSION_WORDS = {
    "unsubscribe": "unsubscribed", "complaint": "marked a letter as spam", "bounce": "can no longer be reached by mail",
    "person": "was put on the do-not-mail list", "lifted": "wants our letters again",
}  # fmt: skip
KINDS = ("campaign", "pause", "letter", "held back", "deed", "goodbye", "role", "stage", "sales", "deal", "stop")


class TimelineEntryBody(TypedDict):
    """A TimelineEntry as JSON."""

    at: datetime
    kind: str
    sentence: str
    who: list[str]


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened. `kind`: one of KINDS; `who`: the people it is about, by name."""

    at: datetime
    kind: str
    sentence: str
    who: tuple[str, ...] = ()

    def as_json(self) -> TimelineEntryBody:
        """The same as the documented document has it."""
        return {"at": self.at, "kind": self.kind, "sentence": self.sentence, "who": list(self.who)}


@dataclass(frozen=True, slots=True)
class TimelineNames:
    """How the timeline calls people, salespeople and campaigns, and the zone whose days it has."""

    people: Mapping[int, str]  # by contact id
    addresses: Mapping[str, str]  # people by their address
    owners: Mapping[str, str]  # salespeople by their address
    campaigns: Mapping[str, str]  # by slug
    zone: ZoneInfo

    def person(self, contact_id: int) -> str:
        """A contact's name; "somebody" where they are not at the account any more."""
        return self.people.get(contact_id, "somebody")

    def reader(self, address: str) -> str:
        """The name of whose address it is."""
        return self.addresses.get(address, "somebody")

    def campaign(self, slug: str) -> str:
        """The campaign's name; its slug where it has none."""
        return self.campaigns.get(slug, slug)

    def day(self, at: datetime) -> date:
        """The day it was where sales work."""
        return at.astimezone(self.zone).date()


class _LetterGroup(NamedTuple):
    """Letters that stand on one line."""

    day: date
    campaign: str
    letter: str
    state: str
    reason: str


def letter_entries(letters: Iterable[TimelineLetter], names: TimelineNames) -> list[TimelineEntry]:
    """One line for a letter that went to several colleagues on one day."""

    def key(row: TimelineLetter) -> _LetterGroup:
        why = "" if row.state == State.ACCEPTED else _reason(row)
        return _LetterGroup(names.day(row.accepted_at or row.planned_at), row.campaign, row.letter, row.state, why)

    entries = []
    for one, group in groupby(sorted(letters, key=key), key):
        some = list(group)
        who = tuple(sorted(names.person(row.contact_id) for row in some))
        at = min(row.accepted_at or row.planned_at for row in some)
        what = f"“{one.letter}” ({names.campaign(one.campaign)})"
        if one.state == State.ACCEPTED:
            entries.append(TimelineEntry(at, "letter", f"Letter {what} to {listed(who)}", who))
        elif one.state == State.UNKNOWN:
            sentence = f"Nobody knows yet whether {what} reached {listed(who)}"
            entries.append(TimelineEntry(at, "held back", sentence, who))
        else:
            entries.append(TimelineEntry(at, "held back", f"No {what} for {listed(who)}: {one.reason}", who))
    return entries


def _reason(letter: TimelineLetter | PlannedLetter) -> str:
    return letter.detail or sentence_of(letter.reason)


def activity_entries(activities: Iterable[ContactActivity], names: TimelineNames) -> list[TimelineEntry]:
    """One line per person and day: "Zoë O'Brien followed 2 links and looked at prices"."""

    def key(row: ContactActivity) -> tuple[date, int]:
        return names.day(row.at), row.contact_id

    entries = []
    for (_, contact_id), group in groupby(sorted(activities, key=key), key):
        some = sorted(group, key=lambda row: row.at)
        kinds: dict[str, list[ContactActivity]] = {}
        for row in some:
            kinds.setdefault(row.kind, []).append(row)
        if len(kinds) > 1:
            kinds = {kind: found for kind, found in kinds.items() if kind not in UNLESS_ALONE}
        name, did = names.person(contact_id), [_activity_words(kind, found) for kind, found in kinds.items()]
        entries.append(TimelineEntry(some[0].at, "deed", f"{name} {listed(did)}", (name,)))
    return entries


def _activity_words(kind: str, activities: Sequence[ContactActivity]) -> str:
    plain = kind.replace("_", " ")
    once, often = ACTIVITY_WORDS.get(kind, (plain, plain + " ({n} times)"))
    named = sorted({one.detail for one in activities if one.detail and "://" not in one.detail})
    if kind in ("download", "webinar") and named:
        return once.format(what=listed([f"“{what}”" for what in named]))
    if len(activities) == 1:
        return once.format(what="a paper" if kind == "download" else "").strip()
    return often.format(n=len(activities))


class _RunGroup(NamedTuple):
    """Enrolments that begin, or end, on one line. `label`: which time it is, or why they end."""

    day: date
    campaign: str
    label: int | str | None


def enrolment_entries(enrolments: Iterable[TimelineEnrolment], names: TimelineNames) -> list[TimelineEntry]:
    """Who entered a campaign and who left it, several people of one day on one line."""
    began: dict[_RunGroup, list[TimelineEnrolment]] = {}
    ended: dict[_RunGroup, list[TimelineEnrolment]] = {}
    for row in enrolments:
        began.setdefault(_RunGroup(names.day(row.entered_at), row.campaign, row.run), []).append(row)
        if row.ended_at:
            ended.setdefault(_RunGroup(names.day(row.ended_at), row.campaign, row.why), []).append(row)
    entries = []
    for group, some in began.items():
        who = tuple(sorted(names.person(row.contact_id) for row in some))
        again = f", for the {ordinal(some[0].run)} time" if some[0].run > 1 else ""
        sentence = f"The sequence {names.campaign(group.campaign)} begins for {listed(who)}{again}"
        entries.append(TimelineEntry(min(row.entered_at for row in some), "campaign", sentence, who))
    for group, some in ended.items():
        who = tuple(sorted(names.person(row.contact_id) for row in some))
        said = sentence_of(str(group.label))
        sentence = f"The sequence {names.campaign(group.campaign)} ends for {listed(who)}: {said}"
        last = max(row.ended_at for row in some if row.ended_at)
        entries.append(TimelineEntry(last, "campaign", sentence, who))
    return entries


def stage_entries(moves: Iterable[LoggedMove], names: TimelineNames) -> list[TimelineEntry]:
    """Lifecycle moves; colleagues who move together stand on one line."""
    together: dict[tuple[date, str, str], list[LoggedMove]] = {}
    for move in moves:
        if not move.why.startswith("sales:"):  # what sales said stands in a line of its own
            together.setdefault((names.day(move.at), move.stage_to, move.why), []).append(move)
    entries = []
    for (_, to, why), some in together.items():
        who = tuple(sorted(names.person(move.contact_id) for move in some))
        words = STAGE_WORDS.get(Stage(to), f"is {to}")
        if len(who) > 1:
            words = words.replace("is a ", "are each a ", 1).replace("is ", "are ", 1).replace("goes ", "go ", 1)
        sentence = f"{listed(who)} {words}{f': {why}' if why else ''}"
        entries.append(TimelineEntry(some[0].at, "stage", sentence, who))
    return entries


def handoff_entries(handoffs: Iterable[TimelineHandoff], names: TimelineNames) -> list[TimelineEntry]:
    """What was offered to sales, and what they said."""
    entries = []
    for row in handoffs:
        name, owner = names.person(row.contact_id), names.owners.get(row.owner_email, row.owner_email)
        reasons = "; ".join(reason["text"] for reason in row.reasons[:3])
        why = f". Why: {reasons}" if reasons else ""
        offered = f"{name} is offered to {owner}, score {row.score:.0f} ({row.grade}){why}"
        entries.append(TimelineEntry(row.offered_at, "sales", offered, (name,)))
        if row.decided_at:
            code, _, note = (row.decided_why or "").partition(": ")
            said = {"accepted": f"{owner} takes {name}", "recycled": f"{owner}: not now with {name}",
                    "rejected": f"{owner}: {name} is not a fit"}[row.state]  # fmt: skip
            told = "; ".join(part for part in ((NOT_NOW | NOT_A_FIT).get(code, code), note) if part)
            late = ", after the due time" if row.decided_at > row.due_at else ""
            sentence = f"{said}{late}{f' ({told})' if told else ''}"
            entries.append(TimelineEntry(row.decided_at, "sales", sentence, (name,)))
    return entries


def pause_entries(pauses: Iterable[PauseRecord], names: TimelineNames) -> list[TimelineEntry]:
    """Pauses of the account and absences of its people."""
    entries = []
    for row in pauses:
        until = f"{row.until.astimezone(names.zone):%-d %B}"
        if row.address is not None:
            name = names.reader(row.address)
            entries.append(TimelineEntry(row.at, "pause", f"{name} {row.why}: no letters until {until}", (name,)))
        elif row.until <= row.at:
            entries.append(TimelineEntry(row.at, "pause", f"{row.by} lets the account's letters go on"))
        else:
            entries.append(TimelineEntry(row.at, "pause", f"{row.by} pauses the account until {until}: {row.why}"))
    return entries


def deal_entries(deals: Iterable[TimelineDeal]) -> list[TimelineEntry]:
    """Opportunities when they were opened and when they were closed."""
    entries = []
    for row in deals:
        worth = f", {row.amount_cents / 100:,.0f} {row.currency}" if row.amount_cents else ""
        entries.append(TimelineEntry(row.opened_at, "deal", f"An opportunity is opened: {row.name}{worth}"))
        if row.closed_at:
            entries.append(TimelineEntry(row.closed_at, "deal", f"The opportunity {row.name} is {row.outcome}"))
    return entries


def suppression_entries(suppressions: Iterable[TimelineSuppression], names: TimelineNames) -> list[TimelineEntry]:
    """Who must never be mailed from then on, and who took it back."""
    entries = []
    for row in suppressions:
        name = names.reader(row.address)
        entries.append(TimelineEntry(row.at, "goodbye", f"{name} {SUPPRESSION_WORDS.get(row.why, row.why)}", (name,)))
    return entries


def confirmation_entries(confirmations: Iterable[TimelineConfirmation], names: TimelineNames) -> list[TimelineEntry]:
    """What people said of somebody's role, persona, department or seniority."""
    entries = []
    for row in confirmations:
        name = names.person(row.contact_id)
        was = f" (we thought: {row.was})" if row.was and row.was != row.said else ""
        sentence = f"{row.by} says: the {row.field} of {name} is {row.said}{was}"
        entries.append(TimelineEntry(row.at, "role", sentence, (name,)))
    return entries


def role_change_entries(changes: Iterable[RoleChangeRow], names: TimelineNames) -> list[TimelineEntry]:
    """What the rules made of a new title, or of somebody's behaviour."""
    entries = []
    for row in changes:
        name = names.person(row.contact_id)
        was = f", no longer as {row.was}" if row.was else ""
        why = f": {row.why.partition(' → ')[0]}" if row.why else ""
        seen = f"is now seen as {row.becomes}" if row.becomes else "has a role that we do not know any more"
        entries.append(TimelineEntry(row.at, "role", f"{name} {seen}{was}{why}", (name,)))
    return entries


def account_stop_entry(at: datetime, why: str | None) -> TimelineEntry:
    """That the account gets no further letters, and why. `why`: a value of `Account.stopped_why`."""
    return TimelineEntry(at, "stop", f"All sequences to the account stop: {STOP_WORDS.get(why or '', why)}")


def planned_sentences(letters: Iterable[PlannedLetter], names: TimelineNames) -> list[str]:
    """Letters that are planned and have not left."""
    return [
        f"“{row.letter}” ({names.campaign(row.campaign)}) to {names.person(row.contact_id)}, "
        f"from {row.not_before.astimezone(names.zone):%a %-d %b %H:%M} on" + (f": {_reason(row)}" if row.reason else "")
        for row in letters
    ]


class TimelineDay(NamedTuple):
    """What happened on one day, in its order."""

    day: date
    entries: list[TimelineEntry]


def by_day(
    entries: Iterable[TimelineEntry], since: datetime, until: datetime, names: TimelineNames
) -> list[TimelineDay]:
    """Day by day where sales work; of one moment, the cause before what follows from it."""
    rank = {kind: place for place, kind in enumerate(KINDS)}
    kept = sorted((one for one in entries if since < one.at <= until), key=lambda one: (one.at, rank[one.kind]))
    return [TimelineDay(day, list(group)) for day, group in groupby(kept, lambda one: names.day(one.at))]


def listed(parts: Sequence[str]) -> str:
    """ "Zoë, Ruth and Ivan"; more than four are counted."""
    if len(parts) > 4:
        parts = [*parts[:3], f"{len(parts) - 3} others"]
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def ordinal(n: int) -> str:
    """ "1st", "2nd", "11th"."""
    return f"{n}{'th' if 10 <= n % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"
