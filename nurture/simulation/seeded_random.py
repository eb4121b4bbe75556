"""Random numbers that can be repeated: the same seed and names always draw the same, whatever was asked before."""

import math
from datetime import date, timedelta
from hashlib import blake2b


class SeededRandom:
    """A number per name. `SeededRandom(7, "zoe@foo.example", "Spring sale").roll("opens")` is always the same number.

    Not a stream: a new question does not change the answers to the others, and the order of asking plays no part.
    """

    def __init__(self, *about: str | int | date) -> None:
        self._about = blake2b("\0".join(map(str, about)).encode(), digest_size=16)

    def roll(self, name: str) -> float:
        """A number from 0 up to, not including, 1."""
        drawn = self._about.copy()
        drawn.update(b"\1" + name.encode())
        return int.from_bytes(drawn.digest()[:7], "big") / 2**56

    def happens(self, name: str, likely: float) -> bool:
        """True in a share `likely` of all cases, 0 to 1."""
        return self.roll(name) < likely

    def one_of(self, name: str, *choices: str) -> str:
        """One of these, each as likely as the others."""
        return choices[int(self.roll(name) * len(choices))]

    def between(self, name: str, least: float, most: float) -> float:
        """A number from `least` up to, not including, `most`."""
        return least + self.roll(name) * (most - least)

    def wait(self, name: str, usual: timedelta) -> timedelta:
        """How long somebody takes who usually takes so long: mostly less, now and then days. In whole seconds."""
        return timedelta(seconds=1 + int(-math.log(1 - self.roll(name)) * usual.total_seconds()))
