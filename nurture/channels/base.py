"""What a channel is: something that takes rendered letters to people and says what it knows about each of them.

A new channel is a class that satisfies `Channel`, named in nurture/channels/registry.py; docs/extending.md walks
through one. What a provider calls things stays in its own module: statuses, header names and limits become the types
below.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Protocol

from nurture.channels.parts import PartFile, RenderedPart
from nurture.rules.delivery.states import Answer


class AddressKind(StrEnum):
    """What kind of address a channel writes to."""

    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class OutboundEmail:
    """One rendered letter with everything a provider needs to take it to one person."""

    message_id: int
    attempt_id: str
    to_email: str
    to_name: str
    from_email: str
    from_name: str
    reply_to: str | None
    subject: str
    text_part: RenderedPart  # as words and values: what a channel may share among readers
    html_part: RenderedPart
    category: str  # the campaign's slug: never an id, the provider keeps about a hundred
    headers: dict[str, str] = field(default_factory=dict)
    database_name: str = ""  # where the database has one: after a restore, events of another database are told apart

    @property
    def text(self) -> str:
        """The plain text part, whole."""
        return str(self.text_part)

    @property
    def html(self) -> str:
        """The html part, whole."""
        return str(self.html_part)

    @property
    def custom_args(self) -> dict[str, str]:
        """Comes back in every event about this message. Ids only, strings only."""
        ids = {"nt_message": str(self.message_id), "nt_attempt": self.attempt_id}
        return ids | {"nt_epoch": self.database_name} if self.database_name else ids


@dataclass(frozen=True, slots=True)
class RequestBatch:
    """Emails that leave in one request. `alone` says why one has a request of its own although others have not."""

    emails: Sequence[OutboundEmail]
    alone: str = ""


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """How much a channel takes: emails in one request, requests at the same time, and how far ahead of their time."""

    per_request: int
    at_once: int = 1
    ahead: timedelta | None = None  # None: it cannot schedule


@dataclass(frozen=True, slots=True)
class ScheduledSend:
    """The provider shall keep the emails of a request until `send_at`; under `batch_id` they can be cancelled."""

    batch_id: str
    send_at: datetime


class Cancellation(Enum):
    """What became of the attempt to cancel a scheduled send."""

    DONE = "done"
    FULL = "full"  # the provider cancels no more at present
    FAILED = "failed"


class ScheduledSends(Protocol):
    """How sends that the provider keeps are named beforehand and cancelled. Nothing here raises."""

    def new(self, now: datetime) -> str | Answer:
        """A name for the next scheduled send; or the answer its emails get: without a name they are not offered."""
        ...

    def cancel(self, batch_id: str) -> tuple[Cancellation, str]:
        """Ask the provider to throw the emails away. With what went wrong, in words."""
        ...

    def cancelled(self, batch_id: str) -> bool | None:
        """Does the provider have it noted as cancelled? None: it could not be asked."""
        ...

    def forget(self, batch_id: str) -> bool:
        """Make room for another cancellation, when the time of this send is long over. False: try again later."""
        ...


class LogUnavailable(RuntimeError):
    """The provider's log cannot be asked now, or not by this key. Nothing follows from that; ask again later."""


class ProviderLog(Protocol):
    """The provider's own log of what it took. Asked only about requests whose answer was lost."""

    def has(self, email: str, attempt_id: str, at: datetime) -> bool:
        """Is an email of this attempt to this address, taken about this time, in the log? Raises LogUnavailable."""
        ...


class Channel(Protocol):
    """Something that takes emails. It opens no database session and raises nothing: every end is an `Answer`."""

    name: str  # as NURTURE_CHANNEL and the attempts in the database say it
    address_kind: AddressKind
    parts: tuple[PartFile, ...]  # what a letter must have; `nurture check` asks for these files
    limits: ChannelLimits
    scheduled_sends: ScheduledSends | None  # None: it keeps nothing, so nothing can be cancelled
    provider_log: ProviderLog | None  # None: there is no log that could be asked

    def request_batches(self, emails: Sequence[OutboundEmail]) -> list[RequestBatch]:
        """The emails in as few requests as can be; each email in exactly one."""
        ...

    def send(
        self,
        emails: Sequence[OutboundEmail],
        still_armed: Callable[[], bool],
        now: datetime,
        scheduled: ScheduledSend | None = None,
    ) -> Answer:
        """Offer all emails in one request. Asks `still_armed` after connecting, before the first byte."""
        ...

    def accepted(self, message_ids: Sequence[int]) -> set[int] | None:
        """Which of these the channel surely has, the others it surely has not; None where it cannot tell."""
        ...
