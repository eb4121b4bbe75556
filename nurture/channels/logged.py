"""A channel whose requests are in the log: what leaves, what is answered, what is cancelled; ids and counts only."""

from collections.abc import Callable, Sequence
from datetime import datetime

from nurture.channels.base import (
    Cancellation,
    Channel,
    OutboundEmail,
    RequestBatch,
    ScheduledSend,
    ScheduledSends,
)
from nurture.rules.delivery.states import Answer
from nurture.runtime import log


class LoggedChannel:
    """Does what the channel within does, and writes a line about it. The registry hands out no other."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.name, self.address_kind, self.parts = channel.name, channel.address_kind, channel.parts
        self.limits, self.provider_log = channel.limits, channel.provider_log
        kept = channel.scheduled_sends
        self.scheduled_sends: ScheduledSends | None = _LoggedScheduledSends(kept, self.name) if kept else None

    def __str__(self) -> str:
        return str(self.channel)

    def request_batches(self, emails: Sequence[OutboundEmail]) -> list[RequestBatch]:
        """As the channel within puts them together."""
        return self.channel.request_batches(emails)

    def send(
        self,
        emails: Sequence[OutboundEmail],
        still_armed: Callable[[], bool],
        now: datetime,
        scheduled: ScheduledSend | None = None,
    ) -> Answer:
        """Offer all emails in one request: a line when the first byte is about to leave, and one with the answer."""
        attempt, campaign, n = emails[0].attempt_id, emails[0].category, len(emails)

        def leaves() -> bool:
            armed = still_armed()
            if armed:
                log.write(log.RequestSent(attempt, self.name, campaign, n, scheduled is not None))
            return armed

        answer = self.channel.send(emails, leaves, now, scheduled)
        verdict, refused = answer.verdict.value, len(answer.refused)
        log.write(log.RequestAnswered(attempt, self.name, campaign, n, verdict, answer.status, refused))
        return answer

    def accepted(self, message_ids: Sequence[int]) -> set[int] | None:
        """As the channel within knows it."""
        return self.channel.accepted(message_ids)


class _LoggedScheduledSends:
    """Scheduled sends whose cancellations are in the log."""

    def __init__(self, within: ScheduledSends, channel: str) -> None:
        self.within, self.channel = within, channel
        self.new, self.cancelled, self.forget = within.new, within.cancelled, within.forget

    def cancel(self, batch_id: str) -> tuple[Cancellation, str]:
        """Ask the provider to throw the emails away, and write what became of that."""
        outcome, said = self.within.cancel(batch_id)
        log.write(log.ScheduledSendCancelled(self.channel, batch_id, outcome.value))
        return outcome, said
