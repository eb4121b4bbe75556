"""What may speak against a letter: one function a policy. Which are asked when, in which order: rules/reasons.py."""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from models.account_pause import AUTOMATIC, ActivePause
from models.address import SuppressedBy
from models.contact import Consent, Market, Stage
from models.delivery_states import LEDGER, State
from nurture.rules.eligibility.facts import EXIT_WHEN, GOAL_WHEN, EnrolledLead, LeadsTurn, MessageFacts, PersonFacts
from nurture.rules.feedback.reactions import NOT_A_FIT
from nurture.rules.handoff.qualification import HandoffTerms
from nurture.rules.planning.campaign import After, Campaign, Hours, Step
from nurture.rules.planning.holdouts import held_out
from nurture.rules.planning.hours import next_in_hours, wait_over, zone_of
from nurture.rules.planning.promotions import offer_ends_at

ON_ITS_WAY = frozenset(state for state, group in LEDGER.items() if group in ("waiting", "unknown"))
BUSY_WAIT = timedelta(minutes=1)  # sending is paused, or the provider is busy and did not say until when
WITH_SALES = frozenset({Stage.MQL, Stage.SAL, Stage.SQL})
COMPETITOR = "competitor"  # the code of the reason for a no that never ends
AFTER_REJECTION = HandoffTerms().after_rejection
BY_OWNER = "owner"  # what an account's `stopped_why` says where its salesperson stopped it: obeyed by every campaign


class Then(Enum):
    """What follows from an objection, in the words of docs/reasons.md."""

    WAIT = "it is asked again at the next run"
    SKIP = "this letter is never sent to them"
    LEAVE = "this letter is never sent to them, and they leave the campaign"
    EXIT = "the lead leaves the campaign; what waited is skipped"


class Objection(NamedTuple):
    """What a policy says against a letter. Without words of its own the reason's sentence is told."""

    detail: str = ""
    until: datetime | None = None
    then: Then | None = None  # where it is not what the policy usually leads to


PersonCheck = Callable[[PersonFacts, Campaign, datetime], Objection | None]
LeadCheck = Callable[[LeadsTurn, Campaign], Objection | None]
MessageCheck = Callable[[MessageFacts, Campaign, datetime], Objection | None]
NO = Objection()


# ── of the person: asked at planning and before sending ──


def suppressed(by: SuppressedBy) -> PersonCheck:
    """The address must never be mailed, for this reason."""

    def check(facts: PersonFacts, campaign: Campaign, now: datetime) -> Objection | None:
        return NO if facts.suppressed_why == by else None

    return check


def suppressed_by_us(facts: PersonFacts, campaign: Campaign, now: datetime) -> Objection | None:
    """The address must never be mailed: by the word of one of us, or for a reason this version does not know."""
    return NO if facts.suppressed_why else None


def no_consent(facts: PersonFacts, campaign: Campaign, now: datetime) -> Objection | None:
    """The person has not agreed to be mailed, or no longer does."""
    return NO if facts.consent != Consent.GRANTED else None


def account_stopped(facts: PersonFacts, campaign: Campaign, now: datetime) -> Objection | None:
    """The account answered, or its owner stopped it, and the campaign minds."""
    why = facts.account_stopped_why
    if why and campaign.market == Market.B2B and (why == BY_OWNER or why in campaign.account.stop_all_on):
        return Objection(f"the account's sequence was stopped ({why.replace('_', ' ')})")
    return None


def away(facts: PersonFacts, campaign: Campaign, now: datetime) -> Objection | None:
    """The person is out of office, by their automatic reply."""
    pause = facts.pause
    return _paused_until(pause, facts) if pause and pause.by == AUTOMATIC and pause.until > now else None


def account_paused(facts: PersonFacts, campaign: Campaign, now: datetime) -> Objection | None:
    """The account's owner has paused it."""
    pause = facts.pause
    return _paused_until(pause, facts) if pause and pause.by != AUTOMATIC and pause.until > now else None


def _paused_until(pause: ActivePause, facts: PersonFacts) -> Objection:
    day = pause.until.astimezone(zone_of(facts.country, facts.time_zone))
    return Objection(f"{pause.why} ({pause.by}), until {day:%-d %B}", pause.until)


# ── of the lead: asked at planning ──


def goal_reached(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """The campaign's goal is reached, by its own condition or by a deal or an order since the lead entered."""
    lead = turn.lead
    if GOAL_WHEN in lead.conditions_met:
        return Objection(f"the goal is reached: {campaign.goal_when}")
    if lead.goal_at and lead.goal_at >= lead.entered_at:
        did = "an opportunity was opened" if campaign.market == Market.B2B else "they bought"
        return Objection(f"the goal is reached: {did} on {lead.goal_at:%-d %B}")
    return None


def exit_condition(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """The campaign's exit condition is true for the lead."""
    if EXIT_WHEN in turn.lead.conditions_met:
        return Objection(f"the exit condition is true: {campaign.exit_when}")
    return None


def account_moved_on(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """The account was stopped, negotiates a deal or has signed one, and the campaign minds."""
    if campaign.market != Market.B2B:
        return None
    lead, stops = turn.lead, campaign.account.stop_all_on
    if lead.account_stopped_why and (said := account_stopped(lead, campaign, turn.now)):
        return said
    if lead.open_opportunities and "opportunity_open" in stops:
        return Objection("the account has an open opportunity")
    if lead.contract_at and lead.contract_at >= lead.entered_at and "contract" in stops:
        return Objection(f"the account has signed a contract on {lead.contract_at:%-d %B}")
    return None


def already_customer(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """Who is a customer needs no letters that want to make one of them."""
    wins = campaign.market == Market.B2B and campaign.goal == "opportunity"
    return NO if turn.lead.stage == Stage.CUSTOMER and wins else None


def rejected_by_sales(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """Sales said no to the lead, or to their company: who was inside leaves; who entered afterwards waits until the no
    is over. A competitor never gets a letter."""
    no = turn.lead.sales_said_no
    if no is None or campaign.market != Market.B2B:
        return None
    whom = " to the company" if no.of_company else ""
    said = f"sales said no{whom} on {no.at:%-d %B} ({NOT_A_FIT.get(no.code, 'without a reason').lower()})"
    if no.code == COMPETITOR or no.at >= turn.lead.entered_at:
        return Objection(said)
    over = no.at + AFTER_REJECTION
    return Objection(said, over, Then.WAIT) if turn.now < over else None


def offer_is_over(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """The letter could leave only after the offer's last day where the lead lives."""
    if campaign.offer is None:
        return None
    lead = turn.lead
    last = offer_ends_at(campaign, lead.country, lead.time_zone)
    if last is None or leaves_at(turn, campaign) <= last:
        return None
    return Objection(f"the offer ended on {campaign.offer.ends_on:%-d %B}")


def with_sales(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """A salesperson speaks with the lead."""
    return NO if turn.lead.stage in WITH_SALES and campaign.market == Market.B2B else None


def earlier_letter_open(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """An earlier letter has not left yet, or nobody knows whether it did."""
    for past in turn.lead.past:
        if past.state in ON_ITS_WAY:
            return NO
    return None


def no_step_left(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """Every letter meant for the lead is decided."""
    return NO if turn.step is None else None


def wait_not_over(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """The step's wait after the last letter, or after entering, is not over."""
    if turn.step is None or (due := due_at(turn.lead, turn.step, campaign)) <= turn.now:
        return None
    day = due.astimezone(zone_of(turn.lead.country, turn.lead.time_zone))
    return Objection(f"the letter {turn.step.letter} is due on {day:%-d %B}", due)


def no_longer_fits(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """What keeps leads in the campaign, its audience or its `stays_if`, is no longer true of the lead."""
    if not turn.lead.left_audience:
        return None
    return Objection(f"what keeps them in the campaign is not true: {campaign.stays_if}") if campaign.stays_if else NO


def outranked(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """Another sequence has the account."""
    if turn.lead.outranked_by is None:
        return None
    leaves = campaign.account.outranked == "leave"
    return Objection(turn.lead.outranked_by, then=Then.EXIT if leaves else Then.WAIT)


def condition_not_met(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """The step's `when` or `after` is not true; after the step's patience it counts as never. A pause adds to it."""
    step, lead = turn.step, turn.lead
    if step is None or (lacking := _lacking(step, turn)) is None:
        return None
    since = due_at(lead, step, campaign)
    if lead.pause:
        since = max(since, lead.pause.until)
    if turn.now < since + step.patience:
        return Objection(f"waits until: {lacking}", then=Then.WAIT)
    return Objection(f"never in {step.patience.days} days: {lacking}")


def in_global_holdout(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """The lead's account, or the person, is kept unmailed by every campaign."""
    return _unit_kept(turn.lead, campaign, "the global holdout") if turn.lead.in_global_holdout else None


def in_holdout(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """The lead's account, or the person, is kept unmailed on purpose, to measure what the campaign earns.

    It is drawn before the first letter: who has had one of the campaign's letters stays among the mailed.
    """
    lead = turn.lead
    if not campaign.holdout or any(past.state != State.SKIPPED for past in lead.past):
        return None
    return _unit_kept(lead, campaign, "the holdout") if held_out(lead.unit, campaign.slug, campaign.holdout) else None


def _unit_kept(lead: EnrolledLead, campaign: Campaign, where: str) -> Objection:
    """In B2B the words say that it is the account with everybody there."""
    whole = campaign.market == Market.B2B and lead.account_id is not None
    return Objection(f"their account is in {where}, kept unmailed on purpose") if whole else NO


def no_content_left(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
    """The letter needs a content asset, and the lead has had every one that fits."""
    lacking = turn.lead.content.lacking
    if lacking is None:
        return None
    return Objection(f"every {lacking} that fits was had already, or there is none for this reader")


# ── of the message: asked before sending ──


def offer_has_ended(facts: MessageFacts, campaign: Campaign, now: datetime) -> Objection | None:
    """The letter would leave after the offer's last day where its reader lives."""
    if campaign.offer is None:
        return None
    last = offer_ends_at(campaign, facts.country, facts.time_zone)
    if last is None or now + campaign.hold_for <= last:
        return None
    return Objection(f"the offer ended on {campaign.offer.ends_on:%-d %B}")


def time_is_over(facts: MessageFacts, campaign: Campaign, now: datetime) -> Objection | None:
    """The letter would leave after the last moment at which it may. While sending is paused none is late: how much
    longer the letters live is known when it goes on."""
    return NO if not facts.send_pause and now + campaign.hold_for > facts.not_after else None


def had_elsewhere(facts: MessageFacts, campaign: Campaign, now: datetime) -> Objection | None:
    """The person has had this very letter at another address of theirs."""
    return NO if facts.had_at else None


def sending_is_paused(facts: MessageFacts, campaign: Campaign, now: datetime) -> Objection | None:
    """A person or the circuit breaker has paused sending: of everything, a campaign or a sender's domain."""
    return Objection(f"sending is paused: {facts.send_pause}", now + BUSY_WAIT) if facts.send_pause else None


def outside_hours(facts: MessageFacts, campaign: Campaign, now: datetime) -> Objection | None:
    """It is outside the campaign's hours where the reader lives, at the moment the provider would let the letter go."""
    leaves, (zone, country) = now + campaign.hold_for, _where(facts, campaign)
    opens = _opens(leaves, campaign.hours, zone, country)
    return Objection(until=opens - campaign.hold_for) if opens > leaves else None


def person_cap(facts: MessageFacts, campaign: Campaign, now: datetime) -> Objection | None:
    """The person has had as many letters as all campaigns together may send them for now."""
    if facts.letters_lately < campaign.max_per_person:
        return None
    detail = f"has had {facts.letters_lately} letters in {campaign.per_days} days"
    return Objection(detail, _tomorrow(facts, campaign, now))


def account_cap(facts: MessageFacts, campaign: Campaign, now: datetime) -> Objection | None:
    """As many colleagues are written to today as the campaign allows."""
    if campaign.market != Market.B2B or facts.colleagues_today < campaign.account.max_contacts_per_day:
        return None
    detail = f"{facts.colleagues_today} colleagues are written to today already"
    return Objection(detail, _tomorrow(facts, campaign, now))


# ── the moments of a letter ──


def due_at(lead: EnrolledLead, step: Step, campaign: Campaign) -> datetime:
    """When a step's wait is over: after the lead's last letter, or after they entered (again)."""
    since = lead.entered_at
    for past in lead.past:
        if past.at > since:
            since = past.at
    return wait_over(since, step.wait, zone_of(lead.country, lead.time_zone), calendar_of(lead.country, campaign))


def leaves_at(turn: LeadsTurn, campaign: Campaign) -> datetime:
    """The first moment from now on at which a letter to the lead may leave."""
    lead = turn.lead
    zone = zone_of(lead.country, lead.time_zone)
    return next_in_hours(turn.now, campaign.hours, zone, calendar_of(lead.country, campaign))


def calendar_of(country: str | None, campaign: Campaign) -> str | None:
    """The country whose business days count, "" where it is unknown; None for consumers, who have no such days."""
    return (country or "") if campaign.market == Market.B2B else None


def _lacking(step: Step, turn: LeadsTurn) -> str | None:
    """What the step still waits for, in words."""
    if step.when and step.letter not in turn.lead.conditions_met:
        return step.when
    if step.after and not any((role, step.after.did) in turn.lead.colleagues_did for role in step.after.roles):
        return waits_for(step.after)
    return None


def waits_for(after: After) -> str:
    """A step's `after` in words: "a specifier or user there has clicked"."""
    did = {"sent": "been sent a letter", "opened": "opened one", "clicked": "clicked", "replied": "replied"}
    return f"a {' or '.join(after.roles)} there has {did[after.did]}"


def _where(facts: MessageFacts, campaign: Campaign) -> tuple[ZoneInfo, str | None]:
    return zone_of(facts.country, facts.time_zone), calendar_of(facts.country, campaign)


def _tomorrow(facts: MessageFacts, campaign: Campaign, now: datetime) -> datetime:
    return next_in_hours(now + timedelta(days=1), campaign.hours, *_where(facts, campaign))


@lru_cache(4096)
def _opens(now: datetime, hours: Hours, zone: ZoneInfo, country: str | None) -> datetime:
    """Asked for a thousand readers of a few zones at a time."""
    return next_in_hours(now, hours, zone, country)
