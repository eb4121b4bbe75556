"""What a reaction means: for the message, for the lead's score, for the address, for the account.

Tables, and one question that needs a message's whole history: was that a person, or a scanner that clicks every link?
All answers depend on what happened, never on the order in which we heard of it.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from models.address import SuppressedBy
from models.event import EventKind, MessageEvent

OUTCOMES = (  # what a message came to: the furthest of these. Whoever opened had it delivered, whatever came back
    EventKind.BLOCKED,
    EventKind.DELIVERED,
    EventKind.DROPPED,
    EventKind.BOUNCED,
    EventKind.OPENED,
    EventKind.CLICKED,
    EventKind.REPLIED,
    EventKind.UNSUBSCRIBED,
    EventKind.COMPLAINED,
)
ACTIVITIES = {EventKind.OPENED: "email_open", EventKind.CLICKED: "email_click", EventKind.REPLIED: "reply"}
SUPPRESSES = {
    EventKind.BOUNCED: SuppressedBy.BOUNCE,  # hard bounces only: BLOCKED may go through tomorrow
    EventKind.COMPLAINED: SuppressedBy.COMPLAINT,
    EventKind.UNSUBSCRIBED: SuppressedBy.UNSUBSCRIBE,
}
STOPS_ACCOUNT = {"reply": "reply", "meeting": "meeting_booked"}  # activity → Account.stopped_why

# --- what a salesperson may answer, and the words it is kept under: a rejection is a label for the score -----------
NOT_NOW = {
    "no_budget": "No budget this year",
    "in_contract": "Bound by a contract",
    "other_priority": "Other priorities first",
    "no_answer": "Could not be reached",
}
NOT_A_FIT = {
    "wrong_person": "Does not decide here",
    "wrong_company": "Not our kind of company",
    "too_small": "Too small",
    "no_need": "No need for it",
    "competitor": "A competitor, student or agency",
    "bad_data": "Wrong or outdated data",
}

# --- people and machines --------------------------------------------------------------------------------------------
VERSION = 1  # of the rule below; raw events are kept, so a better rule can read the past again
TOO_SOON = timedelta(seconds=5)  # after delivery: nobody has read anything yet
TOGETHER = timedelta(seconds=1)  # two different links at once: a scanner opens them all
_SCANNERS = re.compile(
    r"bot\b|crawl|spider|scan|proofpoint|mimecast|barracuda|safelinks|urldefense|trustwave|symantec|messagelabs|"
    r"fortimail|ironport|sophos|zscaler|headless|phantomjs|python-|curl/|wget/|go-http-client|okhttp|java/|libwww|"
    r"preview|monitor|virustotal",
    re.IGNORECASE,
)


def machine_agent(user_agent: str | None) -> bool:
    """Does this browser name itself as a scanner, a proxy or a script?"""
    return bool(user_agent and _SCANNERS.search(user_agent))


def machines(history: Sequence[MessageEvent]) -> set[str]:
    """Which opens and clicks of one message were no person: the keys of those events.

    The more we hear, the more may turn out to be machines; never the other way round.
    """
    delivered = [event.at for event in history if event.kind == EventKind.DELIVERED]
    clicks = [event for event in history if event.kind == EventKind.CLICKED]
    found = {event.key for event in history if event.machine}
    for click in clicks:
        too_soon = any(timedelta(0) <= click.at - at < TOO_SOON for at in delivered)
        at_once = any(abs(other.at - click.at) <= TOGETHER and other.url != click.url for other in clicks)
        if too_soon or at_once:
            found.add(click.key)
    return found


def outcome(history: Sequence[MessageEvent], machine: Collection[str]) -> tuple[str, datetime] | None:
    """What the message came to, and when for the first time. None: nothing yet."""
    counted = [event for event in history if event.kind in _RANK and event.key not in machine]
    if not counted:
        return None
    best = max(counted, key=lambda event: (_RANK[event.kind], -event.at.timestamp()))
    return best.kind, best.at


_RANK: Mapping[str, int] = {kind: rank for rank, kind in enumerate(OUTCOMES)}
