"""Holdouts: which accounts and people are kept unmailed on purpose, to measure what the letters earn.

What is drawn is the unit of outreach, known by the customer's own key: in B2B the account, with everybody there; in B2C
the person, with all their addresses. A person without an account counts by themselves.
"""

import hashlib
from typing import NamedTuple


class GlobalHoldout(NamedTuple):
    """The share of all accounts and people whom no campaign mails. Another key draws others."""

    share: float = 0.0
    key: str = "global"


def held_out(unit: str, key: str, share: float) -> bool:
    """Is this unit of outreach in the holdout that a key draws (a share from 0 to 1)? A campaign's key is its slug.

    By a hash of both: always the same answer, fair to every list, and another draw for every key. The unit is in it
    where the first 8 bytes of BLAKE2b(key, NUL, unit), as a number from 0 to 1, are below the share. So a larger share
    keeps whom a smaller one keeps.
    """
    draw = int.from_bytes(hashlib.blake2b(f"{key}\0{unit}".encode(), digest_size=8).digest(), "big")
    return draw / 2**64 < share
