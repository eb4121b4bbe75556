"""What a walk's provider holds until its time, and the names by which it can be told to throw it away.

A cancellation counts when it is noted ten minutes before the time; of a later one the provider promises nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

LAST_CALL = timedelta(minutes=10)
Letters = list[tuple[str, dict[str, str]]]  # address, our ids


@dataclass(frozen=True, slots=True)
class KeptRequest:
    """One request in the provider's hands. `handed`: when it came there."""

    handed: datetime
    send_at: datetime
    batch: str
    letters: Letters

    @property
    def attempt(self) -> str:
        return self.letters[0][1]["nt_attempt"]


@dataclass(slots=True)
class KeptSends:
    """`places`: batches that may be cancelled at a time."""

    chance: Random
    clock: Callable[[], datetime]
    places: int
    requests: list[KeptRequest] = field(default_factory=list)
    cancelled: dict[str, datetime] = field(default_factory=dict)  # name → since when
    undone: set[str] = field(default_factory=set)  # names whose cancellation somebody has undone
    names: int = 0

    def new(self) -> str:
        self.names += 1
        return f"b{self.names:04d}"

    def accept(self, mail: dict[str, Any], letters: Letters) -> None:
        send_at = datetime.fromtimestamp(mail["send_at"], self.clock().tzinfo)
        self.requests.append(KeptRequest(self.clock(), send_at, mail["batch_id"], letters))

    def cancel(self, name: str) -> str:
        """What is wrong with it, if anything is."""
        if name in self.cancelled:
            return "a status for this batch id exists, try PATCH to update the status"
        if len(self.cancelled) >= self.places:
            return "the maximum number of cancellations and pauses has been reached"
        self.cancelled[name] = self.clock()
        return ""

    def leaving(self) -> list[KeptRequest]:
        """Those whose time has come, but for what is thrown away."""
        due = [held for held in self.requests if held.send_at <= self.clock()]
        self.requests = [held for held in self.requests if held.send_at > self.clock()]
        return sorted((held for held in due if not self._counts(held)), key=lambda held: held.send_at)

    def _counts(self, held: KeptRequest) -> bool:
        since = self.cancelled.get(held.batch)
        return since is not None and (held.send_at - since >= LAST_CALL or self.chance.random() < 0.5)

    def undo_cancellation(self, name: str) -> None:
        del self.cancelled[name]
        self.undone.add(name)

    def has(self, attempt: str) -> KeptRequest | None:
        return next((held for held in self.requests if held.attempt == attempt), None)
