"""SendGrid as a channel: emails go out in one request, its answer comes back in our words."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from nurture.channels.base import (
    AddressKind,
    ChannelLimits,
    OutboundEmail,
    ProviderLog,
    RequestBatch,
    ScheduledSend,
    ScheduledSends,
)
from nurture.channels.parts import EMAIL_PARTS
from nurture.channels.sendgrid import answers, mail
from nurture.channels.sendgrid.api import SendGridApi
from nurture.channels.sendgrid.provider_log import SendGridLog
from nurture.channels.sendgrid.scheduled_sends import SendGridScheduledSends
from nurture.channels.sendgrid.shared import Unfit
from nurture.channels.sendgrid.wire import DEADLINE, Doubtful, NotSent
from nurture.rules.delivery.states import Answer, Verdict
from nurture.runtime.settings import Settings

AHEAD = timedelta(hours=72)  # SendGrid takes letters three days ahead at most


class SendGrid:
    """A channel. Safe to use from several threads."""

    name = "sendgrid"
    address_kind = AddressKind.EMAIL
    parts = EMAIL_PARTS

    def __init__(self, settings: Settings, *, deadline: float = DEADLINE) -> None:
        self.api = SendGridApi(settings.sendgrid_api_key.get_secret_value(), settings.sendgrid_host, deadline)
        self.limits = ChannelLimits(settings.sendgrid_batch, settings.sendgrid_requests, AHEAD)
        self.sandbox = settings.sendgrid_sandbox
        self.scheduled_sends: ScheduledSends | None = None if self.sandbox else SendGridScheduledSends(self.api)
        self.provider_log: ProviderLog | None = SendGridLog(self.api)

    @classmethod
    def from_settings(cls, settings: Settings) -> "SendGrid":
        """The account of SENDGRID_API_KEY. Raises Misconfigured."""
        if not settings.sendgrid_api_key.get_secret_value():
            raise ValueError("SENDGRID_API_KEY is empty: set it, or use the mailbox")
        return cls(settings)

    def __repr__(self) -> str:
        return f"SendGrid({self.api.host})"

    def __str__(self) -> str:
        return f"SendGrid at {self.api.host}" + (", sandbox: nothing is delivered" if self.sandbox else "")

    def request_batches(self, emails: Sequence[OutboundEmail]) -> list[RequestBatch]:
        """The emails in as few requests as can be: those whose words are the same share one."""
        return mail.request_batches(emails, self.limits.per_request)

    def send(
        self,
        emails: Sequence[OutboundEmail],
        still_armed: Callable[[], bool],
        now: datetime,
        scheduled: ScheduledSend | None = None,
    ) -> Answer:
        """Offer all emails in one request."""
        try:
            body = mail.request_body(emails, scheduled, sandbox=self.sandbox)
        except mail.Wrong as wrong:
            return Answer(Verdict.REFUSED, detail=str(wrong), refused=wrong.whose)
        except Unfit as unfit:
            return Answer(Verdict.REFUSED, detail=f"not to be sent in one request: {unfit}")
        try:
            # a connection that was kept blurs the line between "not sent" and "nobody knows": many people, a fresh one
            reply = self.api.ask("POST", self.api.mail_send, body, still_armed, keep=len(emails) == 1)
        except NotSent as error:
            return Answer(Verdict.BUSY, detail=self.api.without_key(str(error)))
        except Doubtful as error:
            said = self.api.without_key(str(error))
            return Answer(Verdict.UNKNOWN, detail=f"the request left, but no answer came: {said}")
        return self._without_key(answers.read(reply, len(emails), now, sandbox=self.sandbox))

    def accepted(self, message_ids: Sequence[int]) -> set[int] | None:
        """None: SendGrid answers this only in its log, which may be behind."""
        return None

    def _without_key(self, answer: Answer) -> Answer:
        refused = {i: self.api.without_key(why) for i, why in answer.refused.items()}
        return replace(answer, detail=self.api.without_key(answer.detail), refused=refused)
