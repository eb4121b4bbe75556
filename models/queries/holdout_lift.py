"""How many who were mailed did what the letters are for, and how many who were held out: the figures behind the lift.

Counted are units of outreach: accounts in B2B, where a deal was opened; people with all their addresses in B2C, who
bought something.
"""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Subquery, case, func, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from models.address import Address
from models.campaign import PublishedCampaign
from models.contact import Contact, Market
from models.delivery_states import State
from models.message import Message
from models.opportunity import Opportunity
from models.order import Order
from models.types import Moment

HOLDOUT, GLOBAL_HOLDOUT = "holdout", "global_holdout"  # Reasons of nurture.rules.reasons


class HoldoutArms(NamedTuple):
    """Accounts or people in the two arms, and how many of each bought (people) or opened a deal (accounts)."""

    treated: int = 0
    treated_bought: int = 0
    held_out: int = 0
    held_out_bought: int = 0


def holdout_arms(session: Session, campaign: str, market: str) -> HoldoutArms:
    """Both arms of a campaign, and how many of each bought after it was decided whether they get its first letter.

    Both are counted from that decision, so that nobody has more time to buy than the others. A unit that has had a
    letter is among the mailed. Walks `message_ledger` through the campaign.
    """
    accepted, kept = col(Message.state) == State.ACCEPTED, _kept(HOLDOUT)
    mailed = func.max(case((accepted, 1), else_=0))
    units = _units(market).where(col(Message.campaign) == campaign, accepted | kept)
    return _arms(session, market, units.add_columns((mailed == 0).label("held_out")).subquery())


def global_holdout_arms(session: Session, market: str) -> HoldoutArms:
    """The same for everything that a market's campaigns sent since somebody was first kept out of all of them."""
    kept = _kept(GLOBAL_HOLDOUT)
    began = select(func.min(Message.planned_at, type_=Moment)).where(kept).scalar_subquery()
    accepted = (col(Message.state) == State.ACCEPTED) & (col(Message.planned_at) >= began)
    units = (
        _units(market)
        .join(PublishedCampaign, col(PublishedCampaign.slug) == Message.campaign)
        .where(col(PublishedCampaign.market) == market, accepted | kept)
    )
    return _arms(session, market, units.add_columns((func.max(case((kept, 1), else_=0)) == 1).label("held_out"))
                 .subquery())  # fmt: skip


def _kept(reason: str) -> ColumnElement[bool]:
    return (col(Message.state) == State.SKIPPED) & (func.coalesce(Message.reason, "") == reason)


def _units(market: str) -> Select[Any]:
    """Messages by the unit of outreach, each with the moment of its first decision."""
    since = func.min(Message.planned_at, type_=Moment).label("since")
    if market == Market.B2B:
        account = col(Message.account_id)
        return select(account.label("unit"), since).where(account.is_not(None)).group_by(account)
    person = func.coalesce(Address.person, Address.address)
    return (
        select(person.label("unit"), since)
        .select_from(Message)
        .join(Address, col(Address.address) == Message.address)
        .group_by(person)
    )


def _arms(session: Session, market: str, units: Subquery) -> HoldoutArms:
    held_out, bought = units.c.held_out, _bought(market, units)
    counted = session.execute(
        select(
            func.count(case((~held_out, 1))), func.count(case((~held_out & bought, 1))),
            func.count(case((held_out, 1))), func.count(case((held_out & bought, 1))),
        ).select_from(units)
    ).one()  # fmt: skip
    return HoldoutArms._make(counted)


def _bought(market: str, units: Subquery) -> ColumnElement[bool]:
    """Whether the account opened a deal since, or the person bought something, whichever record of theirs it was."""
    if market == Market.B2B:
        opened = select(col(Opportunity.id)).where(
            col(Opportunity.account_id) == units.c.unit, col(Opportunity.opened_at) > units.c.since
        )
        return opened.exists()
    return (
        select(col(Order.id))
        .join(Contact, col(Contact.id) == Order.contact_id)
        .join(Address, col(Address.address) == Contact.address)
        .where(
            or_(col(Address.address) == units.c.unit, col(Address.person) == units.c.unit),
            col(Order.at) > units.c.since,
        )
        .exists()
    )
