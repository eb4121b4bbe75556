"""Offers to consumers: who is kept unmailed on purpose, and until when an offer may leave."""

import hashlib
from datetime import datetime

from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.hours import end_of, zone_of


def held_out(address: str, slug: str, share: float) -> bool:
    """Is this person in the campaign's holdout (a share from 0 to 1)?

    By a hash of both: always the same answer, and fair to every list.
    """
    draw = int.from_bytes(hashlib.blake2b(f"{slug}\0{address}".encode(), digest_size=8).digest(), "big")
    return draw / 2**64 < share


def offer_ends_at(campaign: Campaign, country: str | None, time_zone: str | None) -> datetime | None:
    """The last moment of the offer's last day where somebody lives; None: the campaign has no offer."""
    return end_of(campaign.offer.ends_on, zone_of(country, time_zone)) if campaign.offer else None
