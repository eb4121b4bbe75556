"""The ledger: every planned message in exactly one of five groups, with its reason, and the funnel behind it."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Subquery, case, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from models.address import SuppressedBy, Suppression
from models.campaign import CampaignVersion
from models.contact import Contact
from models.delivery_states import LEDGER, State
from models.enrolment import Enrolment
from models.event import Event
from models.handoff import Decision, Handoff
from models.message import SALES, Message
from models.opportunity import Opportunity
from models.order import Order


class MessageCount(NamedTuple):
    """How many messages of one step are in one state for one reason. `version` 0: of no published version."""

    campaign: str
    version: int
    step: int
    letter: str
    state: str
    reason: str | None
    n: int


class LedgerPerson(NamedTuple):
    """One message of a person: what became of it, when, and why."""

    id: int
    letter: str
    address: str
    state: str
    reason: str | None
    detail: str | None
    planned_at: datetime
    not_before: datetime
    accepted_at: datetime | None
    outcome: str | None


class FunnelCount(NamedTuple):
    """One figure of a campaign's funnel: `stage` is a field of rules.reporting.ledger.CampaignFunnel."""

    campaign: str
    stage: str
    n: int


def count_messages(session: Session, campaign: str | None = None) -> list[MessageCount]:
    """How many messages of each version, step and letter are in each state for each reason. Walks `message_ledger`."""
    # every handoff mail has a letter of its own (its key is what forbids a second one): here they are one step
    letter = case((col(Message.handoff_id).is_not(None), "handoff"), else_=col(Message.letter)).label("letter")
    messages = select(
        col(Message.campaign),
        func.coalesce(CampaignVersion.number, 0).label("version"),
        col(Message.step),
        letter,
        col(Message.state),
        col(Message.reason),
    ).outerjoin(CampaignVersion, col(CampaignVersion.id) == Message.version_id)
    if campaign:
        messages = messages.where(col(Message.campaign) == campaign)
    each = messages.subquery()
    counted = session.execute(
        select(*each.c, func.count().label("n"))
        .group_by(*each.c)
        .order_by(each.c.campaign, each.c.version, each.c.step, each.c.letter)
    )
    return [MessageCount._make(row) for row in counted]


def list_people(session: Session, campaign: str, group: str | None = None) -> list[LedgerPerson]:
    """Each person behind a campaign's figures, by step and address. `group`: only one of the ledger's five groups."""
    question = (
        select(*(col(getattr(Message, field)) for field in LedgerPerson._fields))
        .where(col(Message.campaign) == campaign)
        .order_by(col(Message.step), col(Message.address))
    )
    if group:
        question = question.where(col(Message.state).in_([state for state, where in LEDGER.items() if where == group]))
    return [LedgerPerson._make(row) for row in session.execute(question)]


def count_reactions(session: Session) -> list[FunnelCount]:
    """Per campaign: how many messages were delivered, opened, clicked, … by a person at least once."""
    counted = session.execute(
        select(col(Message.campaign), col(Event.kind), func.count(col(Event.message_id).distinct()))
        .join(Message, col(Message.id) == Event.message_id)
        .where(col(Event.machine).is_(False))
        .group_by(col(Message.campaign), col(Event.kind))
    )
    return [FunnelCount._make(row) for row in counted]


def count_people(session: Session) -> Iterator[FunnelCount]:
    """Per campaign, in people: entered, mailed, unsubscribed, handed over to sales after a letter, taken by them,
    bought; in cents what they bought for; and in deals those that began after the account's first letter."""
    for campaign, n in session.execute(select(col(Enrolment.campaign), func.count()).group_by(col(Enrolment.campaign))):
        yield FunnelCount(campaign, "entered", n)
    first = (  # when each contact got the campaign's first letter
        select(col(Message.campaign), col(Message.contact_id), func.min(Message.accepted_at).label("at"))
        .where(
            col(Message.state) == State.ACCEPTED, col(Message.campaign) != SALES, col(Message.contact_id).is_not(None)
        )
        .group_by(col(Message.campaign), col(Message.contact_id))
        .subquery()
    )
    for campaign, n in session.execute(select(first.c.campaign, func.count()).group_by(first.c.campaign)):
        yield FunnelCount(campaign, "mailed", n)
    for campaign, n in session.execute(  # by the page, the mail program's button or the provider
        select(col(Suppression.campaign), func.count(col(Suppression.address).distinct()))
        .where(col(Suppression.why) == SuppressedBy.UNSUBSCRIBE, col(Suppression.campaign).is_not(None))
        .group_by(col(Suppression.campaign))
    ):
        yield FunnelCount(campaign, "unsubscribed", n)
    yield from _count_outcomes(session, first)


def _count_outcomes(session: Session, first: Subquery) -> Iterator[FunnelCount]:
    """What came after a contact's first letter: deals of their account, handoffs, orders."""
    for campaign, n in session.execute(
        select(first.c.campaign, func.count(col(Opportunity.id).distinct()))
        .join(Contact, col(Contact.id) == first.c.contact_id)
        .join(Opportunity, col(Opportunity.account_id) == Contact.account_id)
        .where(col(Opportunity.opened_at) > first.c.at)
        .group_by(first.c.campaign)
    ):
        yield FunnelCount(campaign, "deals", n)
    for campaign, n, taken in session.execute(
        select(
            first.c.campaign,
            func.count(col(Handoff.contact_id).distinct()),
            func.count(case((col(Handoff.state) == Decision.ACCEPTED, col(Handoff.contact_id))).distinct()),
        )
        .join(Handoff, col(Handoff.contact_id) == first.c.contact_id)
        .where(col(Handoff.offered_at) >= first.c.at)
        .group_by(first.c.campaign)
    ):
        yield FunnelCount(campaign, "handed_over", n)
        yield FunnelCount(campaign, "taken", taken)
    for campaign, n, cents in session.execute(
        select(first.c.campaign, func.count(col(Order.contact_id).distinct()), func.sum(Order.amount_cents))
        .join(Order, col(Order.contact_id) == first.c.contact_id)
        .where(col(Order.at) > first.c.at)
        .group_by(first.c.campaign)
    ):
        yield FunnelCount(campaign, "bought", n)
        yield FunnelCount(campaign, "earned_cents", int(cents))
