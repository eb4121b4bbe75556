"""The sample lead, Zoë O'Brien of Foo & Søns <GmbH>, whose names break what is not escaped; and one we hardly know."""

from datetime import date

from models.queries.recipients import Recipient
from nurture.rendering.context import SenderDetails, campaign_values, letter_values
from nurture.rendering.values import Value
from nurture.rules.planning.campaign import Campaign, Step

SENDER = SenderDetails(
    "Nora at Brunnhold Pumps", "nora@mail.brunnhold.example", "Brunnhold Pumps",
    "Brunnhold Pumps GmbH, Am Wehr 7, 21335 Lüneburg, Germany", "https://go.brunnhold.example",
)  # fmt: skip
UNSUBSCRIBE = "https://go.brunnhold.example/u/sampletoken"
TODAY = date(2026, 3, 2)
CAMPAIGN = Campaign("_sales", "Mails to sales", "b2b", "handoff", "", (Step("handoff"),))

ZOE = Recipient(
    message_id=1, letter="", address="zoe.obrien@foo.example", email="zoe.obrien@foo.example", first_name="Zoë",
    last_name="O'Brien", title="Head of Maintenance", country="DE", role="specifier", persona="maintenance-lead",
    shopper="loyal", account_name="Foo & Søns <GmbH>", industry="Manufacturing", employees=420, tier="A",
    channel="direct", volume=6, owner_name="Anna Lind", owner_email="anna.lind@brunnhold.example",
)  # fmt: skip
BIG = ZOE._replace(volume=1_000_000, group_volume=1_000_000, growth=1_000.0)  # nobody writes a price to them
NOBODY = Recipient(2, "", "info@foo.example", "info@foo.example", shopper="prospect")

HANDOFF: dict[str, Value] = {
    "reasons": ["3 pricing-page visits this week", "Series E curves downloaded", "4 of 5 colleagues clicked lately"],
    "score": 82.4,
    "grade": "A1",
    "due_at_text": "Tue 3 March, 10:00",
    "accept_url": "https://go.brunnhold.example/h/accept",
    "reject_url": "https://go.brunnhold.example/h/reject",
    "recycle_url": "https://go.brunnhold.example/h/recycle",
    "page_url": "https://go.brunnhold.example/h/page",
    "contact": {
        "name": "Zoë O'Brien", "title": "Head of Maintenance", "role": "specifier",
        "phone": "+49 40 1234567", "email": "zoe.obrien@foo.example",
    },
    "account": {
        "name": "Foo & Søns <GmbH>", "industry": "Manufacturing", "employees": 1420, "country": "Germany",
        "score": 74.0, "completeness": 0.67, "missing_role": "finance",
        "missing_why": "No finance yet: groups with one won 2.1× as often as like groups without (38 deals with, 51 "
        "without).",
        "members": [
            {"name": name, "title": title, "role": role, "grade": grade, "last_seen": seen}
            for name, title, role, grade, seen in (
                ("Bo Lund", "Managing Director", "authorizer", "B1", "yesterday"),
                ("Zoë O'Brien", "Head of Maintenance", "specifier", "A1", "today"),
                ("Ana Ruiz", "Buyer", "purchaser", "C2", "9 days ago"),
            )
        ],
    },
}  # fmt: skip


def values(campaign: Campaign, reader: Recipient = ZOE, today: date = TODAY) -> dict[str, Value]:
    """What a letter of this campaign would be written from, for the sample lead or another reader."""
    handoff = HANDOFF if campaign.slug == CAMPAIGN.slug else None
    return letter_values(reader, campaign_values(campaign, SENDER), UNSUBSCRIBE, today, handoff)
