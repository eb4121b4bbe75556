"""The ledger: every planned message in exactly one of five groups, with its reason, and the funnel behind it."""

from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, case, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from models.address import SuppressedBy, Suppression
from models.campaign import CampaignVersion
from models.contact import Contact, Transition
from models.enrolment import Enrolment
from models.event import Event
from models.handoff import Decision, Handoff
from models.message import LEDGER, SALES, Message, State
from models.opportunity import Opportunity, OpportunityOutcome
from models.order import Order

GROUPS = ("accepted", "skipped", "refused", "unknown", "waiting")


def counts(session: Session, campaign: str | None = None) -> list[RowMapping]:
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
    return list(
        session.execute(
            select(*each.c, func.count().label("n"))
            .group_by(*each.c)
            .order_by(each.c.campaign, each.c.version, each.c.step, each.c.letter)
        ).mappings()
    )


def names(session: Session, campaign: str, group: str | None = None, letter: str | None = None) -> list[RowMapping]:
    """Each person behind the figures: who, which letter, which state and why, newest decision last."""
    question = (
        select(
            col(Message.id),
            col(Message.letter),
            col(Message.address),
            col(Message.state),
            col(Message.reason),
            col(Message.detail),
            col(Message.planned_at),
            col(Message.not_before),
            col(Message.accepted_at),
            col(Message.outcome),
        )
        .where(col(Message.campaign) == campaign)
        .order_by(col(Message.step), col(Message.address))
    )
    if group:
        question = question.where(col(Message.state).in_([state for state, where in LEDGER.items() if where == group]))
    if letter:
        question = question.where(col(Message.letter) == letter)
    return list(session.execute(question).mappings())


def reactions(session: Session) -> dict[str, dict[str, int]]:
    """Per campaign: how many messages were delivered, opened, clicked, … by a person at least once."""
    rows = session.execute(
        select(col(Message.campaign), col(Event.kind), func.count(col(Event.message_id).distinct()))
        .join(Message, col(Message.id) == Event.message_id)
        .where(col(Event.machine).is_(False))
        .group_by(col(Message.campaign), col(Event.kind))
    )
    found: dict[str, dict[str, int]] = {}
    for campaign, kind, n in rows:
        found.setdefault(campaign, {})[kind] = n
    return found


def people(session: Session) -> dict[str, dict[str, int]]:
    """Per campaign, in people: entered, mailed, gone, handed over to sales after a letter, taken; deals, in deals."""
    found: dict[str, dict[str, int]] = {}
    entered = select(col(Enrolment.campaign), func.count()).group_by(col(Enrolment.campaign))
    for campaign, n in session.execute(entered):
        found.setdefault(campaign, {})["entered"] = n
    first = (  # when each contact got the campaign's first letter
        select(col(Message.campaign), col(Message.contact_id), func.min(Message.accepted_at).label("at"))
        .where(
            col(Message.state) == State.ACCEPTED, col(Message.campaign) != SALES, col(Message.contact_id).is_not(None)
        )
        .group_by(col(Message.campaign), col(Message.contact_id))
        .subquery()
    )
    for campaign, n in session.execute(select(first.c.campaign, func.count()).group_by(first.c.campaign)):
        found.setdefault(campaign, {})["mailed"] = n
    goodbyes = (  # by the page, the mail program's button or the provider
        select(col(Suppression.campaign), func.count(col(Suppression.address).distinct()))
        .where(col(Suppression.why) == SuppressedBy.UNSUBSCRIBE, col(Suppression.campaign).is_not(None))
        .group_by(col(Suppression.campaign))
    )
    for campaign, n in session.execute(goodbyes):
        found.setdefault(campaign, {})["unsubscribed"] = n
    opened = (  # deals that began after the account's first letter
        select(first.c.campaign, func.count(col(Opportunity.id).distinct()))
        .join(Contact, col(Contact.id) == first.c.contact_id)
        .join(Opportunity, col(Opportunity.account_id) == Contact.account_id)
        .where(col(Opportunity.opened_at) > first.c.at)
        .group_by(first.c.campaign)
    )
    for campaign, n in session.execute(opened):
        found.setdefault(campaign, {})["deals"] = n
    handed = (
        select(
            first.c.campaign,
            func.count(col(Handoff.contact_id).distinct()),
            func.count(case((col(Handoff.state) == Decision.ACCEPTED, col(Handoff.contact_id))).distinct()),
        )
        .join(Handoff, col(Handoff.contact_id) == first.c.contact_id)
        .where(col(Handoff.offered_at) >= first.c.at)
        .group_by(first.c.campaign)
    )
    for campaign, n, taken in session.execute(handed):
        found.setdefault(campaign, {}).update(handed_over=n, taken=taken)
    bought = (
        select(first.c.campaign, func.count(col(Order.contact_id).distinct()), func.sum(Order.amount_cents))
        .join(Order, col(Order.contact_id) == first.c.contact_id)
        .where(col(Order.at) > first.c.at)
        .group_by(first.c.campaign)
    )
    for campaign, n, cents in session.execute(bought):
        found.setdefault(campaign, {}).update(bought=n, earned_cents=int(cents))
    return found


def stages(session: Session) -> list[RowMapping]:
    """How many contacts stand where, per market, and how many ever came there."""
    came = (
        select(col(Transition.stage_to), func.count(col(Transition.contact_id).distinct()).label("came"))
        .group_by(col(Transition.stage_to))
        .subquery()
    )
    return list(
        session.execute(
            select(
                col(Contact.market),
                col(Contact.stage),
                func.count().label("here"),
                func.coalesce(func.max(came.c.came), 0).label("came"),
            )
            .outerjoin(came, came.c.stage_to == Contact.stage)
            .group_by(col(Contact.market), col(Contact.stage))
            .order_by(col(Contact.market), func.count().desc())
        ).mappings()
    )


def deals(session: Session, now: datetime) -> dict[str, Any]:
    """Opportunities open and won, with their sum in cents."""
    rows = session.execute(
        select(col(Opportunity.outcome), func.count(), func.coalesce(func.sum(Opportunity.amount_cents), 0))
        .where(col(Opportunity.opened_at) <= now)
        .group_by(col(Opportunity.outcome))
    )
    return {
        outcome: {"n": n, "cents": int(cents)} for outcome, n, cents in rows if outcome in tuple(OpportunityOutcome)
    }
