"""The holdout: who is kept unmailed on purpose, so that what a campaign earns can be measured."""

import hashlib


def held_out(address: str, slug: str, share: float) -> bool:
    """Is this person in the campaign's holdout (a share from 0 to 1)?

    By a hash of both: always the same answer, and fair to every list.
    """
    draw = int.from_bytes(hashlib.blake2b(f"{slug}\0{address}".encode(), digest_size=8).digest(), "big")
    return draw / 2**64 < share
