"""How much longer does a letter live that a send pause kept?"""

from collections.abc import Sequence
from datetime import datetime, timedelta


def longer_by(not_before: datetime, since: datetime, others: Sequence[datetime], now: datetime) -> timedelta:
    """The time from which on the letter could have left, as far as this pause alone kept it.

    `since`: when the pause that ends now began. `others`: when those began that go on and keep the letter too; they
    count the rest when they end, so that no hour is counted twice.
    """
    return max(min([now, *others]) - max(since, not_before), timedelta(0))
