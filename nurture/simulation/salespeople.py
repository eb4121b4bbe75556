"""Simulated salespeople: they read the mail about a lead, look at its page and say yes, not now or no, some late."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.handoff import Decision
from nurture.rules.feedback.reactions import NOT_A_FIT, NOT_NOW
from nurture.rules.planning.campaign import Hours
from nurture.rules.planning.hours import next_in_hours, zone_of
from nurture.simulation.inbox import ReceivedMail
from nurture.simulation.seeded_random import SeededRandom

DESK_HOURS = Hours()  # Monday to Friday, 9 to 17
HOME = ("DE", "Europe/Berlin")
NOTES = {
    "no_budget": "Asked me to come back in autumn.",
    "in_contract": "Service contract runs for another year.",
    "no_answer": "Tried twice, voicemail only.",
    "wrong_person": "Says the plant manager decides.",
}
_PAGE = re.compile(r"https?://\S+/h/[^\s?]+")
_LEAD = re.compile(r"^Mail\s+(\S+@\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SimulatedOffer:
    """What a salesperson takes from the mail about a lead."""

    to: str
    page: str
    lead: str  # the lead's address
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class SimulatedAnswer:
    """What they will say, and when."""

    at: datetime
    decision: Decision
    reason: str = ""
    note: str = ""
    deal_at: datetime | None = None  # an accepted lead became an opportunity
    cents: int = 0


def read_offer(mail: ReceivedMail) -> SimulatedOffer | None:
    """The lead that a mail to a salesperson offers; None where it offers none."""
    page, lead = _PAGE.search(mail.text), _LEAD.search(mail.text)
    return SimulatedOffer(mail.to, page[0], lead[1].lower() if lead else "", mail.sent_at) if page else None


def decide(seed: int, about: SimulatedOffer, keen: float) -> SimulatedAnswer | None:
    """What a salesperson answers about a lead, and when in their working hours. None: they forget it."""
    random = SeededRandom(seed, about.to, about.lead, "offer")
    if random.happens("forgets", 0.1):
        return None
    takes = (
        timedelta(hours=random.between("late", 11, 30))
        if random.happens("is late", 0.2)
        else timedelta(hours=random.between("quick", 0.3, 5))
    )
    moment = _at_the_desk(_at_the_desk(about.sent_at) + takes)
    if random.happens("accepts", 0.5 + 0.35 * keen):
        deal = random.happens("deal", 0.2 + 0.4 * keen)
        deal_at = _at_the_desk(moment + timedelta(hours=random.between("deal", 20, 110))) if deal else None
        return SimulatedAnswer(
            moment, Decision.ACCEPTED, deal_at=deal_at, cents=int(random.between("worth", 8, 90)) * 100_000
        )
    if random.happens("not now", 0.55):
        reason = random.one_of("why not now", *NOT_NOW)
        return SimulatedAnswer(moment, Decision.RECYCLED, reason, NOTES.get(reason, ""))
    reason = random.one_of("why not", *NOT_A_FIT)
    return SimulatedAnswer(moment, Decision.REJECTED, reason, NOTES.get(reason, ""))


def _at_the_desk(moment: datetime) -> datetime:
    country, zone = HOME
    return next_in_hours(moment.replace(microsecond=0), DESK_HOURS, zone_of(country, zone), country)
