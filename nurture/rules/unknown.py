"""Unknown: what evidence is enough to say that a request was taken, or that it was not."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

SETTLED = timedelta(minutes=30)  # the provider's own log may be behind by minutes
KEPT = timedelta(days=29)  # it forgets after thirty days
NEAR = timedelta(hours=6)  # how far a control may be from what it vouches for
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
