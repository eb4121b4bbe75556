"""Account-based letters: which letter does this member of a buying group get next, and when?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from models.contact import Consent, Market, Stage
from models.message import LEDGER, State
from nurture.rules.planning.campaign import After, Campaign, Step
from nurture.rules.planning.hours import at, next_in_hours, wait_over, zone_of
from nurture.rules.reasons import SUPPRESSED, Exit, Reason, Send, Skip, Wait

OPEN = frozenset(state for state, group in LEDGER.items() if group in ("waiting", "unknown"))  # the next waits for it
GOODBYE = {  # after a letter was skipped for one of these, no later letter is planned
    *SUPPRESSED.values(),
    Reason.NO_CONSENT,
    Reason.HOLDOUT,
    Reason.REFUSED_BY_PROVIDER,
    Reason.ACCOUNT_STOPPED,
    Reason.GOAL_REACHED,
    Reason.EXIT_CONDITION,
    Reason.OUTRANKED,
    Reason.EXPIRED,
}
WITH_SALES = frozenset({Stage.MQL, Stage.SAL, Stage.SQL})
EXIT_WHEN, GOAL_WHEN = ":exit", ":goal"  # stand in Member.holds beside the letters whose `when` is true
DID = ("sent", "opened", "clicked", "replied")  # what a thread may wait for; who did a later one did those before it


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
    goal_at: datetime | None = None  # the account's last deal not lost, or the person's last order
    contract_at: datetime | None = None  # the account's last deal won
    rests_until: datetime | None = None  # the end of a pause or an absence, also one that is over
    rests_why: str = ""
    account_rests: bool = False  # it is the account that is paused, not the person who is away
    rival: str | None = None  # in words: which sequence has the account instead, and why
    seen: frozenset[tuple[str, str]] = frozenset()  # (role, what its people at the account did) in this campaign


def next_letter(member: Member, campaign: Campaign, now: datetime) -> Send | Skip | Wait | Exit:
    """What happens to this lead now. Asked every morning, and by dry run, replay and `why` with other clocks."""
    over = _over(member, campaign)
    if over:
        return over
    if campaign.market == Market.B2B and member.stage in WITH_SALES:
        return Wait(Reason.WITH_SALES)
    decided = {past.letter for past in member.past}
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
    """What ends an enrolment early. What was before the lead entered (again) does not."""
    for past in member.past:
        if past.at < member.entered_at:
            continue
        if past.state == State.REFUSED:
            return Exit(Reason.REFUSED_BY_PROVIDER)
        if past.state == State.SKIPPED and past.reason in GOODBYE:
            return Exit(Reason(past.reason))
    if GOAL_WHEN in member.holds:
        return Exit(Reason.GOAL_REACHED, f"the goal is reached: {campaign.goal_when}")
    if member.goal_at and member.goal_at >= member.entered_at:
        did = "an opportunity was opened" if campaign.market == Market.B2B else "they bought"
        return Exit(Reason.GOAL_REACHED, f"the goal is reached: {did} on {member.goal_at:%-d %B}")
    if EXIT_WHEN in member.holds:
        return Exit(Reason.EXIT_CONDITION, f"the exit condition is true: {campaign.exit_when}")
    if campaign.market == Market.B2B:
        stops = campaign.account.stop_all_on
        if member.account_stopped_why in (*stops, "owner"):
            return Exit(
                Reason.ACCOUNT_STOPPED, f"the account's sequence was stopped ({_words(member.account_stopped_why)})"
            )
        if "opportunity_open" in stops and member.open_opportunities:
            return Exit(Reason.ACCOUNT_STOPPED, "the account has an open opportunity")
        if "contract" in stops and member.contract_at and member.contract_at >= member.entered_at:
            return Exit(Reason.ACCOUNT_STOPPED, f"the account has signed a contract on {member.contract_at:%-d %B}")
        if member.stage == Stage.CUSTOMER and campaign.goal == "opportunity":
            return Exit(Reason.ALREADY_CUSTOMER)
    return None


def _words(why: str | None) -> str:
    return (why or "").replace("_", " ")


def _meant_for(step: Step, member: Member) -> bool:
    return not step.roles or member.role in step.roles or member.title_role in step.roles


def _due(member: Member, campaign: Campaign, number: int, step: Step, now: datetime) -> Send | Skip | Wait | Exit:
    zone = zone_of(member.country, member.time_zone)
    country = (member.country or "") if campaign.market == Market.B2B else None
    since = max((past.at for past in member.past), default=member.entered_at)
    ready = wait_over(max(since, member.entered_at), step.wait, zone, country)
    if ready > now:
        return Wait(Reason.WAIT_NOT_OVER, f"the letter {step.letter} is due on {ready.astimezone(zone):%-d %B}", ready)
    if rest := member.rests_until:
        if rest > now:
            reason = Reason.ACCOUNT_PAUSED if member.account_rests else Reason.AWAY
            return Wait(reason, f"{member.rests_why}, until {rest.astimezone(zone):%-d %B}", rest)
        ready = max(ready, rest)  # a pause uses up nobody's patience
    if member.rival:
        return (Exit if campaign.account.outranked == "leave" else Wait)(Reason.OUTRANKED, member.rival)
    if waits_for := _not_met(step, member):
        if now < ready + step.patience:
            return Wait(Reason.CONDITION_NOT_MET, f"waits until: {waits_for}")
        return Skip(Reason.CONDITION_NOT_MET, f"never in {step.patience.days} days: {waits_for}", step.letter, number)
    if member.suppressed_why:
        return Skip(SUPPRESSED.get(member.suppressed_why, Reason.STOPPED_BY_PERSON), "", step.letter, number)
    if member.consent != Consent.GRANTED:
        return Skip(Reason.NO_CONSENT, "", step.letter, number)
    leaves = next_in_hours(now, campaign.hours, zone, country)
    return Send(step.letter, number, leaves, leaves + campaign.expires_after)


def _not_met(step: Step, member: Member) -> str | None:
    """What the step still waits for, in words."""
    if step.when and step.letter not in member.holds:
        return step.when
    if step.after and not any((role, step.after.did) in member.seen for role in step.after.roles):
        return waits_for(step.after)
    return None


def waits_for(after: After) -> str:
    """ "a specifier or user there has clicked"."""
    did = {"sent": "been sent a letter", "opened": "opened one", "clicked": "clicked", "replied": "replied"}
    return f"a {' or '.join(after.roles)} there has {did[after.did]}"


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
