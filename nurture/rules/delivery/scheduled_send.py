"""Scheduled sends: letters that the provider keeps until their time can be cancelled, for a while."""

from datetime import datetime, timedelta

SHORTEST = timedelta(minutes=20)  # a hold that leaves time to notice, to ask, and to ask again
LONGEST = timedelta(days=2)  # SendGrid takes letters three days ahead at most
LAST_CALL = timedelta(minutes=12)  # before their time: the provider promises ten minutes, and clocks differ by two
SURELY_OVER = timedelta(minutes=5)  # after their time: by then the provider has thrown away what was cancelled


def in_time(send_at: datetime, now: datetime) -> bool:
    """Does a call at this moment still count?"""
    return send_at - now > LAST_CALL


def over(send_at: datetime, now: datetime) -> bool:
    """Is it certain that what was cancelled did not leave?"""
    return now - send_at >= SURELY_OVER
