"""The clock: the one place that reads the machine's time, or the demo's simulated time from a file."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

Clock = Callable[[], datetime]


def wall() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def from_file(path: Path) -> Clock:
    """A clock that reads the time from a file (one ISO datetime), which the demo writes; without it, the machine's."""

    def now() -> datetime:
        try:
            return datetime.fromisoformat(path.read_text().strip()).astimezone(UTC)
        except FileNotFoundError:
            return wall()

    return now
