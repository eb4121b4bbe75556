"""Holdouts for planning: what each lead is drawn by, and whether the global holdout has them."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlmodel import Session

from models.contact import Market
from models.queries import outreach_units
from models.queries.active_enrolments import Candidate
from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.holdouts import GlobalHoldout, held_out
from nurture.runtime.settings import settings


class HoldoutDraw(NamedTuple):
    """What a holdout draws a lead by, and whether the global one has drawn them."""

    unit: str = ""
    in_global: bool = False


UNDRAWN = HoldoutDraw()


def global_holdout() -> GlobalHoldout:
    """The installation's own, by its settings."""
    return GlobalHoldout(settings().global_holdout, settings().global_holdout_key)


def draws(
    session: Session, campaign: Campaign, kept: GlobalHoldout, candidates: Sequence[Candidate]
) -> dict[int, HoldoutDraw]:
    """The draws of these candidates, by contact id. Nothing is asked where neither campaign nor settings hold out."""
    if not (campaign.holdout or kept.share):
        return {}
    sells_to_accounts = campaign.market == Market.B2B
    accounts = {one.account_id for one in candidates if one.account_id is not None and sells_to_accounts}
    keys = outreach_units.account_keys(session, accounts)
    alone = [one.contact_id for one in candidates if one.account_id not in keys]
    people = outreach_units.person_keys(session, campaign.market, alone)
    return {
        one.contact_id: HoldoutDraw(unit, held_out(unit, kept.key, kept.share))
        for one in candidates
        if (unit := keys.get(one.account_id or 0) or people[one.contact_id])
    }
