"""Account-based letters: which letter does this member of a buying group get next, and when?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from models.contact import Consent, Market, Stage
from models.message import State
from nurture.rules.campaign import Campaign, Step
from nurture.rules.hours import at, next_in_hours, wait_over, zone_of
from nurture.rules.reasons import SUPPRESSED, Exit, Reason, Send, Skip, Wait

OPEN = {State.WAITING, State.CLAIMED, State.ARMED, State.UNKNOWN}  # not decided yet: the next letter waits for it
GOODBYE = {  # after a letter was skipped for one of these, no later letter is planned
    *SUPPRESSED.values(),
    Reason.NO_CONSENT,
    Reason.HOLDOUT,
    Reason.REFUSED_BY_PROVIDER,
    Reason.ACCOUNT_STOPPED,
    Reason.EXPIRED,
}
WITH_SALES = {Stage.MQL, Stage.SAL, Stage.SQL}


@dataclass(frozen=True, slots=True)
class Past:
    """A letter already decided or on its way. `at`: when it was accepted, else when it was decided."""

    letter: str
    state: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One enrolled lead as the rules see it. `holds` names the letters whose `when` is true for them now."""

    enrolment_id: int
    contact_id: int
    address: str
    account_id: int | None
    role: str | None
    stage: str
    consent: str
    suppressed_why: str | None
    account_stopped_why: str | None
    open_opportunities: int
    country: str | None
    time_zone: str | None
    entered_at: datetime
    title_role: str | None = None  # what the title alone says: a champion is still a specifier
    past: tuple[Past, ...] = ()
    holds: frozenset[str] = frozenset()


def next_letter(member: Member, campaign: Campaign, now: datetime) -> Send | Skip | Wait | Exit:
    """What happens to this lead now. Asked every morning, and by dry run, replay and `why` with other clocks."""
    over = _over(member, campaign)
    if over:
        return over
    if campaign.market == Market.B2B and member.stage in WITH_SALES:
        return Wait(Reason.WITH_SALES)
    decided = {past.letter: past for past in member.past}
    for number, step in enumerate(campaign.steps):
        if step.letter in decided or not _meant_for(step, member):
            continue
        if any(past.state in OPEN for past in member.past):
            return Wait(Reason.EARLIER_LETTER_OPEN)
        return _due(member, campaign, number, step, now)
    if any(past.state in OPEN for past in member.past):
        return Wait(Reason.EARLIER_LETTER_OPEN)
    return Exit(Reason.FINISHED)


def _over(member: Member, campaign: Campaign) -> Exit | None:
    """What ends an enrolment early."""
    for past in member.past:
        if past.state == State.REFUSED:
            return Exit(Reason.REFUSED_BY_PROVIDER)
        if past.state == State.SKIPPED and past.reason in GOODBYE:
            return Exit(Reason(past.reason))
    if campaign.market == Market.B2B:
        stops = campaign.account.stop_all_on
        if member.account_stopped_why in (*stops, "owner"):
            return Exit(
                Reason.ACCOUNT_STOPPED, f"the account's sequence was stopped ({_words(member.account_stopped_why)})"
            )
        if "opportunity_open" in stops and member.open_opportunities:
            return Exit(Reason.ACCOUNT_STOPPED, "the account has an open opportunity")
        if member.stage == Stage.CUSTOMER and campaign.goal == "opportunity":
            return Exit(Reason.ALREADY_CUSTOMER)
    return None


def _words(why: str | None) -> str:
    return (why or "").replace("_", " ")


def _meant_for(step: Step, member: Member) -> bool:
    return not step.roles or bool({member.role, member.title_role} & set(step.roles))


def _due(member: Member, campaign: Campaign, number: int, step: Step, now: datetime) -> Send | Skip | Wait:
    zone = zone_of(member.country, member.time_zone)
    country = (member.country or "") if campaign.market == Market.B2B else None
    since = max((past.at for past in member.past), default=member.entered_at)
    ready = wait_over(since, step.wait, zone, country)
    if ready > now:
        return Wait(Reason.WAIT_NOT_OVER, f"the letter {step.letter} is due on {ready.astimezone(zone):%-d %B}", ready)
    if step.when and step.letter not in member.holds:
        if now < ready + step.patience:
            return Wait(Reason.CONDITION_NOT_MET, f"waits until: {step.when}")
        return Skip(Reason.CONDITION_NOT_MET, f"never in {step.patience.days} days: {step.when}", step.letter, number)
    if member.suppressed_why:
        return Skip(SUPPRESSED.get(member.suppressed_why, Reason.STOPPED_BY_PERSON), "", step.letter, number)
    if member.consent != Consent.GRANTED:
        return Skip(Reason.NO_CONSENT, "", step.letter, number)
    leaves = next_in_hours(now, campaign.hours, zone, country)
    return Send(step.letter, number, leaves, leaves + campaign.expires_after)


def stagger(
    sends: Iterable[tuple[Member, Send]], booked: Mapping[tuple[int, date], int], campaign: Campaign
) -> list[tuple[Member, Send]]:
    """Colleagues are not written to on one morning: at most `max_contacts_per_day` of an account each local day, the
    others on their next working day. `booked` counts what is planned already, by account and day."""
    taken, placed = dict(booked), []
    for member, send in sends:
        zone, moment = zone_of(member.country, member.time_zone), send.not_before
        while member.account_id is not None:
            day = moment.astimezone(zone).date()
            if taken.get((member.account_id, day), 0) < campaign.account.max_contacts_per_day:
                taken[member.account_id, day] = taken.get((member.account_id, day), 0) + 1
                break
            tomorrow = at(day + timedelta(days=1), time(0), zone)
            moment = next_in_hours(tomorrow, campaign.hours, zone, member.country or "")
        placed.append((member, replace(send, not_before=moment, not_after=moment + campaign.expires_after)))
    return placed
