"""Offers to consumers: until when one may leave."""

from datetime import datetime

from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.hours import end_of, zone_of


def offer_ends_at(campaign: Campaign, country: str | None, time_zone: str | None) -> datetime | None:
    """The last moment of the offer's last day where somebody lives; None: the campaign has no offer."""
    return end_of(campaign.offer.ends_on, zone_of(country, time_zone)) if campaign.offer else None
