"""How many who got a promotion bought, and how many who were held out of it: the figures behind its lift."""

from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlmodel import Session, col

from models.delivery_states import State
from models.message import Message
from models.order import Order

HOLDOUT = "holdout"  # a Reason of nurture.rules.reasons


class HoldoutArms(NamedTuple):
    """People in the two arms of a campaign, and how many of each bought."""

    treated: int = 0
    treated_bought: int = 0
    held_out: int = 0
    held_out_bought: int = 0


def holdout_arms(session: Session, campaign: str) -> HoldoutArms:
    """People in both arms of a campaign, and how many of each bought after it was decided whether they get it.

    Both are counted from the first letter's decision, so that nobody has more time to buy than the others. Walks
    `message_ledger` to the campaign's first step; `orders_contact_at` answers for each contact.
    """
    held = func.coalesce(Message.reason, "") == HOLDOUT  # no reason is not the holdout's
    bought = (
        select(col(Order.id))
        .where(col(Order.contact_id) == Message.contact_id, col(Order.at) > Message.planned_at)
        .exists()
    )
    rows = session.execute(
        select(
            func.count(case((~held, 1))), func.count(case((~held & bought, 1))),
            func.count(case((held, 1))), func.count(case((held & bought, 1))),
        )
        .where(
            col(Message.campaign) == campaign, col(Message.step) == 0,
            (col(Message.state) == State.ACCEPTED) | ((col(Message.state) == State.SKIPPED) & held),
        )
    ).one()  # fmt: skip
    return HoldoutArms._make(rows)
