"""Planning: which letter does an enrolled lead get next, and when? For sequences and promotions alike."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import compress
from operator import attrgetter
from typing import NamedTuple

from models.contact import Market
from models.delivery_states import State
from nurture.rules.eligibility.facts import EnrolledLead, LeadsTurn
from nurture.rules.eligibility.objections import LeadCheck, Then, calendar_of, leaves_at
from nurture.rules.planning.campaign import Campaign, Step
from nurture.rules.planning.hours import at, next_in_hours, zone_of
from nurture.rules.planning.promotions import offer_ends_at
from nurture.rules.reasons import ENDS_RUN, RARE_FACTS, Decision, Exit, Reason, Send, Skip, Wait, asked_of_lead

rare_facts = attrgetter(*RARE_FACTS)
SENT_LATE = timedelta(days=3_650)  # how long a letter waits whose step sends it however late it is


def next_letter(lead: EnrolledLead, campaign: Campaign, now: datetime) -> Decision:
    """What happens to this lead now. Asked every morning, and by dry run, replay and `why` with other clocks."""
    if ended := _ended_by_letter(lead):
        return ended
    number, step = next_step(lead, campaign)
    turn = LeadsTurn(lead, number, step, now)
    return _objection(turn, campaign) or _send(turn, campaign)


def letter_wanted(lead: EnrolledLead, campaign: Campaign, now: datetime, asking: Collection[str]) -> str | None:
    """Which of the letters that ask for content the lead would get now if it can be had; None: none of them.

    Asked of leads whose content is not loaded yet: it says for whom it has to be.
    """
    number, step = next_step(lead, campaign)
    if step is None or step.letter not in asking or _ended_by_letter(lead):
        return None
    return step.letter if _objection(LeadsTurn(lead, number, step, now), campaign) is None else None


def next_step(lead: EnrolledLead, campaign: Campaign) -> tuple[int, Step] | tuple[None, None]:
    """The first step for the lead's roles whose letter is not decided, with its number; (None, None): none is left."""
    decided = {past.letter for past in lead.past}
    for number, step in enumerate(campaign.steps):
        if step.letter not in decided and is_meant_for(step, lead):
            return number, step
    return None, None


def is_meant_for(step: Step, lead: EnrolledLead) -> bool:
    """Whether the step's letter is for somebody in the lead's role, or in the one their title says."""
    return not step.roles or lead.role in step.roles or lead.title_role in step.roles


def last_moment(leaves: datetime, lead: EnrolledLead, step: Step, campaign: Campaign) -> datetime:
    """Until when a letter planned for a moment may leave: before it expires, unless the step sends late letters too,
    and before the offer ends."""
    until = leaves + (SENT_LATE if step.if_late == "send" else campaign.expires_after)
    return min(until, offer_ends_at(campaign, lead.country, lead.time_zone) or until)


def _ended_by_letter(lead: EnrolledLead) -> Exit | None:
    """Whether an earlier letter of this run ended it. What was before the lead entered (again) does not."""
    for past in lead.past:
        if past.at < lead.entered_at:
            continue
        if past.state == State.REFUSED:
            return Exit(Reason.REFUSED_BY_PROVIDER)
        if past.state == State.SKIPPED and past.reason in ENDS_RUN:
            return Exit(Reason(past.reason))
    return None


def _objection(turn: LeadsTurn, campaign: Campaign) -> Skip | Wait | Exit | None:
    """What the first policy says that objects. Without a step left there is no letter that could be skipped."""
    for reason, usually, check in _policies(tuple(map(bool, rare_facts(turn.lead)))):
        if no := check(turn, campaign):
            match no.then or usually:
                case Then.EXIT:
                    return Exit(reason, no.detail)
                case Then.WAIT:
                    return Wait(reason, no.detail, no.until)
                case Then.SKIP | Then.LEAVE if turn.step is not None:
                    return Skip(reason, no.detail, turn.step.letter, turn.number)
    return None


@lru_cache
def _policies(known: tuple[bool, ...]) -> tuple[tuple[Reason, Then, LeadCheck], ...]:
    """The policies that can object to a lead of whom so much is known: most leads have few of the RARE_FACTS."""
    return asked_of_lead(set(compress(RARE_FACTS, known)))


def _send(turn: LeadsTurn, campaign: Campaign) -> Send:
    if turn.step is None or turn.number is None:
        raise ValueError("a letter without a step: Reason.FINISHED is no longer asked")
    leaves = leaves_at(turn, campaign)
    until = last_moment(leaves, turn.lead, turn.step, campaign)
    return Send(turn.step.letter, turn.number, leaves, until, turn.lead.content.assets)


class Decided(NamedTuple):
    """A lead and what was decided about their next letter."""

    lead: EnrolledLead
    said: Decision


def decide(
    leads: Sequence[EnrolledLead], booked: Mapping[tuple[int, date], int], campaign: Campaign, now: datetime
) -> list[Decided]:
    """One morning's decisions about some leads, whole accounts at a time. `booked` as for `stagger`."""
    said = [next_letter(lead, campaign, now) for lead in leads]
    if campaign.market == Market.B2B:
        places = [n for n, one in enumerate(said) if isinstance(one, Send)]
        sends = [(lead, one) for lead, one in zip(leads, said, strict=True) if isinstance(one, Send)]
        for n, (_, send) in zip(places, stagger(sends, booked, campaign), strict=True):
            said[n] = send
    return list(map(Decided, leads, said))


def stagger(
    sends: Iterable[tuple[EnrolledLead, Send]], booked: Mapping[tuple[int, date], int], campaign: Campaign
) -> list[tuple[EnrolledLead, Send]]:
    """Spreads the letters to colleagues: at most `max_contacts_per_day` of an account each local day, the others on
    their next working day. `booked` counts what is planned already, by account and day."""
    taken, placed = dict(booked), []
    for lead, send in sends:
        zone, moment = zone_of(lead.country, lead.time_zone), send.not_before
        while lead.account_id is not None:
            day = moment.astimezone(zone).date()
            if taken.get((lead.account_id, day), 0) < campaign.account.max_contacts_per_day:
                taken[lead.account_id, day] = taken.get((lead.account_id, day), 0) + 1
                break
            tomorrow = at(day + timedelta(days=1), time(0), zone)
            moment = next_in_hours(tomorrow, campaign.hours, zone, calendar_of(lead.country, campaign))
        if moment != send.not_before:
            until = last_moment(moment, lead, campaign.steps[send.step], campaign)
            send = replace(send, not_before=moment, not_after=until)
        placed.append((lead, send))
    return placed
