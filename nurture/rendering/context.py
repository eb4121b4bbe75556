"""What a letter may speak about: plain words, numbers and dates, made from a row of the audience."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from nurture.rules.intake.names import full_name
from nurture.rules.planning.campaign import Campaign

LONGEST_NAME = 60


def _name(value: Any) -> str:
    """A name as people write it: one line, no blanks around, not all of a novel."""
    return " ".join(str(value).split())[:LONGEST_NAME] if value else ""


def letter_values(
    row: Mapping[str, Any],
    *,
    campaign: Campaign,
    sender: Mapping[str, str],
    company: Mapping[str, str],
    unsubscribe_url: str,
    web_url: str,
    today: date,
    handoff: Mapping[str, Any] | None = None,
    of_house: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A letter's values from a row of the audience view (or any row with some of its columns).

    Everything a template may name is there; what we do not know is the empty text, so that `{% if person.first_name %}`
    asks the question. `sender` has name and email, `company` has name and postal_address.
    Who writes to thousands gives `of_house`, made once: the press knows it again without looking.
    """
    first, last = _name(row.get("first_name")), _name(row.get("last_name"))
    return {
        "person": {
            "first_name": first,
            "last_name": last,
            "name": full_name(first, last),
            "title": _name(row.get("title")),
            "locale": row.get("locale") or "en",
            "country": row.get("country") or "",
            "role": row.get("role") or "",
            "persona": row.get("persona") or "",
            "shopper": row.get("shopper") or "",
        },
        "account": {
            "name": _name(row.get("account_name")),
            "industry": row.get("industry") or "",
            "country": row.get("country") or "",
            "employees": row.get("employees") or 0,
            "tier": row.get("tier") or "",
            "channel": row.get("channel") or "",
            "volume": row.get("volume") or 0,
            "group_volume": row.get("group_volume") or 0,
            "growth": row.get("growth") or 0,
        },
        "owner": {"name": _name(row.get("owner_name")), "email": row.get("owner_email") or ""},
        **(of_house or campaign_values(campaign, sender, company, web_url)),
        "unsubscribe_url": unsubscribe_url,
        "today": today,
        "handoff": dict(handoff) if handoff else None,
        "pieces": row.get("pieces"),  # kind asked for → piece: what the letter carries, decided when it was planned
    }  # fmt: skip


def campaign_values(
    campaign: Campaign, sender: Mapping[str, str], company: Mapping[str, str], web_url: str
) -> dict[str, Any]:
    """What is the same for every reader of a campaign: who writes, and what is offered."""
    offer, by = campaign.offer, campaign.sender
    return {
        "campaign": {"slug": campaign.slug, "name": campaign.name, "market": campaign.market},
        "offer": offer and {
            "code": offer.code,
            "percent": offer.percent or 0,
            "ends_on": offer.ends_on,
            "url": offer.url or web_url,
        },
        "sender": {"name": by.name if by else sender["name"], "email": by.email if by else sender["email"]},
        "company": {"name": company["name"], "postal_address": company["postal_address"]},
        "web_url": web_url,
    }  # fmt: skip
