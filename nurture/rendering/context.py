"""What a letter may speak about: plain words, numbers and dates, made from what we know of its reader."""

from datetime import date
from typing import NamedTuple

from models.queries.recipients import Recipient
from nurture.rendering.values import Value, Values
from nurture.rules.intake.names import full_name
from nurture.rules.planning.campaign import Campaign

LONGEST_NAME = 60


class SenderDetails(NamedTuple):
    """Who writes, where the campaign names nobody: on every letter, and by law."""

    name: str
    email: str
    company: str
    postal_address: str
    web_url: str  # where our pages are, and offers without an address of their own


def letter_values(
    reader: Recipient, campaign: Values, unsubscribe_url: str, today: date, handoff: dict[str, Value] | None = None
) -> dict[str, Value]:
    """A letter's values for one reader. `campaign`: what `campaign_values` made once for all of them.

    Everything a template may name is there; what we do not know is the empty text, so that `{% if person.first_name %}`
    asks the question. `today` is the reader's. `handoff`: of a mail to sales.
    """
    first, last = _name(reader.first_name), _name(reader.last_name)
    return {
        "person": {
            "first_name": first,
            "last_name": last,
            "name": full_name(first, last),
            "title": _name(reader.title),
            "locale": reader.locale or "en",
            "country": reader.country or "",
            "role": reader.role or "",
            "persona": reader.persona or "",
            "shopper": reader.shopper or "",
        },
        "account": {
            "name": _name(reader.account_name),
            "industry": reader.industry or "",
            "country": reader.country or "",
            "employees": reader.employees or 0,
            "tier": reader.tier or "",
            "channel": reader.channel or "",
            "volume": reader.volume or 0,
            "group_volume": reader.group_volume or 0,
            "growth": reader.growth or 0,
        },
        "owner": {"name": _name(reader.owner_name), "email": reader.owner_email or ""},
        **campaign,
        "unsubscribe_url": unsubscribe_url,
        "today": today,
        "handoff": handoff,
        # kind asked for → content asset: what the letter carries, decided when it was planned
        "content_assets": None if reader.content_assets is None else {**reader.content_assets},
    }  # fmt: skip


def campaign_values(campaign: Campaign, sender: SenderDetails) -> dict[str, Value]:
    """What is the same for every reader of a campaign: who writes, and what is offered. Made once: the batch renderer
    knows it again without looking."""
    offer, by = campaign.offer, campaign.sender
    return {
        "campaign": {"slug": campaign.slug, "name": campaign.name, "market": campaign.market},
        "offer": {
            "code": offer.code,
            "percent": offer.percent or 0,
            "ends_on": offer.ends_on,
            "url": offer.url or sender.web_url,
        } if offer else None,
        "sender": {"name": by.name if by else sender.name, "email": by.email if by else sender.email},
        "company": {"name": sender.company, "postal_address": sender.postal_address},
        "web_url": sender.web_url,
    }  # fmt: skip


def _name(value: str | None) -> str:
    """A name as people write it: one line, no blanks around, not all of a novel."""
    return " ".join(value.split())[:LONGEST_NAME] if value else ""
