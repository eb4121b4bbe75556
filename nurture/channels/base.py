"""An envelope: one rendered letter with everything a provider needs to carry it to one person."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol

from nurture.rendering import Filled
from nurture.rules.delivery.states import Answer


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
    pieces: tuple[Filled, Filled]  # text and html as words and values: what a carrier may share among readers
    category: str  # the campaign's slug: never an id, the provider keeps about a hundred
    headers: dict[str, str] = field(default_factory=dict)
    epoch: str = ""  # the name of the database, where it has one

    @property
    def text(self) -> str:
        return str(self.pieces[0])

    @property
    def html(self) -> str:
        return str(self.pieces[1])

    @property
    def custom_args(self) -> dict[str, str]:
        """Comes back in every event about this message. Ids only, strings only."""
        ids = {"nt_message": str(self.message_id), "nt_attempt": self.attempt_id}
        return ids | {"nt_epoch": self.epoch} if self.epoch else ids


@dataclass(frozen=True, slots=True)
class Parcel:
    """Envelopes that leave in one request. `alone` says why one has a request of its own although others have not."""

    envelopes: Sequence[Envelope]
    alone: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """Letters that the provider shall keep until a moment, and the name under which they can be called back."""

    batch_id: str
    until: datetime


class Call(Enum):
    """What became of an attempt to call letters back."""

    DONE = "done"
    FULL = "full"  # the provider calls back no more at present
    FAILED = "failed"


class Batches(Protocol):
    """How letters are called back that the provider holds. Nothing here raises."""

    def new(self, now: datetime) -> str | Answer: ...

    def cancel(self, batch_id: str) -> tuple[Call, str]: ...

    def cancelled(self, batch_id: str) -> bool | None: ...

    def forget(self, batch_id: str) -> bool: ...


class Transport(Protocol):
    """Something that carries envelopes. It opens no database session and raises nothing: every end is an Answer."""

    name: str
    most: int  # envelopes in one request
    at_once: int  # requests at the same time
    batches: Batches | None  # None: it holds nothing, so nothing can be called back

    def parcels(self, envelopes: Sequence[Envelope]) -> list[Parcel]:
        """The envelopes in as few requests as can be; each envelope in exactly one."""
        ...

    def send(
        self, envelopes: Sequence[Envelope], still_armed: Callable[[], bool], now: datetime, hold: Hold | None = None
    ) -> Answer:
        """Offer all envelopes in one request. Asks `still_armed` after connecting, before the first byte."""
        ...

    def taken(self, message_ids: Sequence[int]) -> set[int] | None:
        """Which of these are surely with the carrier, the others surely not; None where it cannot tell."""
        ...
