"""Unknown: what evidence is enough to say that a request was taken, or that it was not."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

SETTLED = timedelta(minutes=30)  # the provider's own log may be behind by minutes
KEPT = timedelta(days=29)  # it forgets after thirty days
NEAR = timedelta(hours=6)  # how far a control may be from what it vouches for
AGAIN = timedelta(minutes=30)  # between two questions about the same request
AT_ONCE = 100  # requests asked about in one run: the provider counts our questions too
ASKED = 5  # readers of one request that are looked up: it is taken as a whole or not at all


class Finding(StrEnum):
    SENT = "sent"
    NOT_SENT = "not sent"
    UNKNOWN = "unknown"


def finding(seen: Sequence[bool], before: bool, after: bool, armed_at: datetime, now: datetime) -> Finding:
    """What the provider's log proves. `seen`: for each reader who was looked up, is the letter there?

    `before`, `after`: positive controls. A letter surely taken shortly before and one shortly after are in the log too,
    so it was looked at in the right way and remembers that hour. Without both, silence proves nothing.
    """
    if any(seen):
        return Finding.SENT
    if seen and before and after and SETTLED <= now - armed_at <= KEPT:
        return Finding.NOT_SENT
    return Finding.UNKNOWN


def evidence(found: Finding, before: bool, after: bool) -> str:
    """What the log said, for the person who has to settle what it could not."""
    if found is Finding.SENT:
        return "its letters are in the provider's log"
    if found is Finding.NOT_SENT:
        return "its letters are not in the provider's log, and those taken before and after it are"
    lacking = " and ".join(side for side, there in (("before", before), ("after", after)) if not there)
    return "its letters are not in the provider's log, which proves nothing: " + (
        f"no letter taken shortly {lacking} it is there either" if lacking else "it is too early or too late to tell"
    )
