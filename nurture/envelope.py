"""An envelope: one rendered letter with everything a provider needs to carry it to one person."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from nurture.rules.delivery import Answer


@dataclass(frozen=True, slots=True)
class Envelope:
    message_id: int
    attempt_id: str
    to_email: str
    to_name: str
    from_email: str
    from_name: str
    reply_to: str | None
    subject: str
    text: str
    html: str
    category: str  # the campaign's slug: never an id, the provider keeps about a hundred
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def custom_args(self) -> dict[str, str]:
        """Comes back in every event about this message. Ids only, strings only."""
        return {"nt_message": str(self.message_id), "nt_attempt": self.attempt_id}


class Transport(Protocol):
    """Something that carries envelopes. It opens no database session and raises nothing: every end is an Answer."""

    name: str
    most: int  # envelopes in one request

    def send(self, envelopes: Sequence[Envelope], still_armed: Callable[[], bool], now: datetime) -> Answer:
        """Offer all envelopes in one request. Asks `still_armed` after connecting, before the first byte."""
        ...

    def taken(self, message_ids: Sequence[int]) -> set[int] | None:
        """Which of these are surely with the carrier, the others surely not; None where it cannot tell."""
        ...
