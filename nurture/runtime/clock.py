"""Time is a parameter: the one place that reads the wall clock, and the simulated day of the demo."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

Clock = Callable[[], datetime]


def wall() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def from_file(path: Path) -> Clock:
    """A clock that a file holds (one ISO moment): the demo turns it, every process of the demo reads it."""

    def now() -> datetime:
        try:
            return datetime.fromisoformat(path.read_text().strip()).astimezone(UTC)
        except FileNotFoundError:
            return wall()

    return now
