"""Scheduled letters, and the batch ids that can still call them back.

`send_at` holds a letter until its time on the double's clock. A batch that is cancelled or paused
at least ten minutes before keeps it back; later than that SendGrid promises nothing, so the double
lets it go [documented as "not guaranteed"; strict].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from . import error_texts as say
from .accepted import Letter
from .limits import Json, Problem, problem

MOST_OPEN_STATUSES = 10  # [documented] different batches cancelled or paused at one time
LAST_CALL = timedelta(minutes=10)  # [documented] before send_at
PAUSE_ENDS_AFTER = timedelta(hours=72)  # [documented] a paused letter is then discarded as Expired


@dataclass(slots=True)
class Batches:
    most_open: int = MOST_OPEN_STATUSES
    known: set[str] = field(default_factory=set)
    status: dict[str, tuple[str, datetime]] = field(default_factory=dict)  # batch id -> (cancel | pause, since)
    held: list[Letter] = field(default_factory=list)  # paused past their time
    discarded: list[Letter] = field(default_factory=list)  # cancelled, or paused for too long

    def refusal(self, batch_id: object, status: object, new: bool) -> list[Problem]:
        if batch_id not in self.known:
            return [problem("batch_id", say.UNKNOWN_BATCH)]
        if status not in ("cancel", "pause"):
            return [problem("status", "status must be either cancel or pause")]
        if new and batch_id in self.status:
            return [problem("batch_id", "a status for this batch id exists, try PATCH to update the status")]
        if new and len(self.status) >= self.most_open:
            return [problem(None, "the maximum number of cancellations and pauses has been reached")]
        return []

    def verdict(self, letter: Letter, due_at: datetime) -> str:
        """At its time: does the letter "leave", is it "held" or "discarded"?"""
        status, since = self.status.get(letter.batch_id or "", ("", due_at))
        if not status or due_at - since < LAST_CALL:
            return "leave"
        return "held" if status == "pause" else "discarded"

    def release(self, batch_id: str) -> list[Letter]:
        """The letters a pause was holding back, now free."""
        free = [letter for letter in self.held if letter.batch_id == batch_id]
        self.held = [letter for letter in self.held if letter.batch_id != batch_id]
        return free

    def expire(self, letter: Letter) -> None:
        if any(held is letter for held in self.held):
            self.held = [held for held in self.held if held is not letter]
            self.discarded.append(letter)

    def shown(self, batch_id: str | None = None) -> list[Json]:
        return [
            {"batch_id": known, "status": status}
            for known, (status, _) in self.status.items()
            if batch_id in (None, known)
        ]
