"""May these planned messages leave? Asked when they are claimed, when they are armed, and when a step is sent again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from nurture.rules.eligibility.facts import MessageFacts
from nurture.rules.eligibility.objections import BUSY_WAIT
from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.promotions import offer_ends_at
from nurture.rules.reasons import Asked, Skip, Wait, asked_of_message

TO_SALES = Campaign(slug="", name="", market="", goal="", audience="", steps=())  # the terms of mails to salespeople
CLAIM, ARMING = Asked.CLAIM, Asked.ARMING
POLICIES = {(when, to_sales): asked_of_message(when, to_sales=to_sales)
            for when in (CLAIM, ARMING) for to_sales in (False, True)}  # fmt: skip
FINAL = {to_sales: asked_of_message(ARMING, to_sales=to_sales, only_final=True) for to_sales in (False, True)}


def objection(message: MessageFacts, campaign: Campaign | None, now: datetime, when: Asked) -> Skip | Wait | None:
    """What forbids this message at this moment? `when`: at the claim or at the arming. None: it may leave.

    `campaign` is None for mails to sales: they know no hours, caps or consent.
    """
    terms = campaign or TO_SALES
    for reason, _, check in POLICIES[when, campaign is None]:
        if no := check(message, terms, now):
            if reason.policy.final:
                return Skip(reason, no.detail)
            return Wait(reason, no.detail, no.until or now + BUSY_WAIT)
    return None


def final_objection(message: MessageFacts, campaign: Campaign | None, now: datetime) -> Skip | None:
    """What forbids this message for good, whatever it would have to wait for besides."""
    for reason, _, check in FINAL[campaign is None]:
        if no := check(message, campaign or TO_SALES, now):
            return Skip(reason, no.detail)
    return None


def may_leave_until(message: MessageFacts, campaign: Campaign, now: datetime) -> datetime | None:
    """Until when a letter that was skipped or refused may leave after all; None if what forbade it still does.

    Whoever asks for this does so knowingly, so an expired letter counts anew; but nobody gets an offer that is over.
    """
    until = now + campaign.expires_after
    until = min(until, offer_ends_at(campaign, message.country, message.time_zone) or until)
    if until <= now or final_objection(message._replace(not_after=until), campaign, now):
        return None
    return until


@dataclass(frozen=True, slots=True)
class CheckedBatch:
    """A claimed batch after its policies were asked, by message id."""

    go: list[int] = field(default_factory=list)
    skip: dict[int, Skip] = field(default_factory=dict)
    wait: dict[int, Wait] = field(default_factory=dict)


def check_batch(
    messages: Sequence[MessageFacts], campaign: Campaign | None, now: datetime, when: Asked
) -> CheckedBatch:
    """Ask about every message of a batch of one letter. At the claim, those let through count against the caps of those
    after them."""
    result = CheckedBatch()
    people: dict[str, int] = {}
    accounts: dict[int, set[str]] = {}
    count = when is CLAIM and campaign is not None
    for message in messages:
        whose = message.person or message.address
        counted = _counting(message, people.get(whose, 0), accounts) if count else message
        match objection(counted, campaign, now, when):
            case Skip() as no:
                result.skip[message.message_id] = no
            case Wait() as later:
                result.wait[message.message_id] = later
            case None:
                result.go.append(message.message_id)
                if count:
                    people[whose] = people.get(whose, 0) + 1
                    if message.account_id:
                        accounts.setdefault(message.account_id, set()).add(message.address)
    return result


def _counting(message: MessageFacts, again: int, accounts: dict[int, set[str]]) -> MessageFacts:
    """The facts with what this very batch brings to the person and to their account's other people."""
    colleagues = len(accounts.get(message.account_id or 0, set()) - {message.address})
    if not again and not colleagues:
        return message
    return message._replace(
        letters_lately=message.letters_lately + again,
        colleagues_today=message.colleagues_today + colleagues,
        had_at=message.person if again and message.person else message.had_at,  # they have two addresses in it
    )
