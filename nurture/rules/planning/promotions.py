"""Offers to consumers: who gets which, who is kept unmailed on purpose, and until when it may leave."""

import hashlib
from dataclasses import replace
from datetime import datetime

from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.hours import end_of, zone_of
from nurture.rules.planning.sequences import Member, next_letter
from nurture.rules.reasons import Exit, Reason, Send, Skip, Wait


def held_out(address: str, slug: str, share: float) -> bool:
    """Is this person in the campaign's holdout? By a hash of both: always the same answer, and fair to every list."""
    draw = int.from_bytes(hashlib.blake2b(f"{slug}\0{address}".encode(), digest_size=8).digest(), "big")
    return draw / 2**64 < share


def next_offer(member: Member, campaign: Campaign, now: datetime) -> Send | Skip | Wait | Exit:
    """The next letter of a promotion: nobody of the holdout, and nothing after the offer's last day where they live."""
    decision = next_letter(member, campaign, now)
    if isinstance(decision, Send) and held_out(member.address, campaign.slug, campaign.holdout):
        return Skip(Reason.HOLDOUT, "", decision.letter, decision.step)
    if not isinstance(decision, Send) or campaign.offer is None:
        return decision
    last = end_of(campaign.offer.ends_on, zone_of(member.country, member.time_zone))
    if decision.not_before > last:
        return Skip(
            Reason.EXPIRED, f"the offer ended on {campaign.offer.ends_on:%-d %B}", decision.letter, decision.step
        )
    return replace(decision, not_after=min(decision.not_after, last))
