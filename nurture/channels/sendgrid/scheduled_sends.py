"""Scheduled sends at SendGrid: a batch id for a request that waits for its time, and the ways to cancel it before."""

from datetime import datetime
from typing import TypeVar

import orjson

from nurture.channels.base import Cancellation
from nurture.channels.sendgrid import answers
from nurture.channels.sendgrid.api import SendGridApi
from nurture.channels.sendgrid.wire import Doubtful, NotSent, Reply
from nurture.rules.delivery.states import Answer, Verdict

Told = TypeVar("Told", dict, list)  # type: ignore[type-arg]  # JSON begins here
NEEDED = "the key needs the scopes “Mail Send” and “Scheduled Sends”"


class SendGridScheduledSends:
    """Names and cancels sends. At most ten batches may be cancelled at a time, so what is over is forgotten."""

    def __init__(self, api: SendGridApi) -> None:
        self.api = api

    def new(self, now: datetime) -> str | Answer:
        """A name for the next request; or the answer that its letters get: without a name they are not offered."""
        try:
            reply = self.api.ask("POST", self.api.page("mail", "batch"))
        except (NotSent, Doubtful) as error:
            return Answer(Verdict.BUSY, detail=f"SendGrid gave no name for the batch: {error}")
        if reply.status == 201 and isinstance(name := _told(reply, dict).get("batch_id"), str):
            return name
        if reply.status in (401, 403):
            detail = f"SendGrid gives this key no batches ({reply.status}): {NEEDED}; or take lead out of campaign.toml"
            return Answer(Verdict.STOP, reply.status, detail=detail, campaign_only=True)
        retry_at = answers.retry_at(reply, now)
        return Answer(Verdict.BUSY, reply.status, detail=f"SendGrid gave no batch ({reply.status})", retry_at=retry_at)

    def cancel(self, batch_id: str) -> tuple[Cancellation, str]:
        """Throw its letters away at their time. A second call is a 400, and so is an eleventh batch: which is it?"""
        body = orjson.dumps({"batch_id": batch_id, "status": "cancel"})
        try:
            reply = self.api.ask("POST", self.api.page("user", "scheduled_sends"), body)
        except (NotSent, Doubtful) as error:
            return Cancellation.FAILED, f"SendGrid does not answer: {error}"
        if reply.status == 201 or (reply.status == 400 and self.cancelled(batch_id)):
            return Cancellation.DONE, ""
        if reply.status == 400 and b"maximum" in reply.body:
            return Cancellation.FULL, "SendGrid cancels ten requests at a time"
        hint = f": {NEEDED}" if reply.status in (401, 403) else ""
        return Cancellation.FAILED, f"SendGrid answers {reply.status}{hint}"

    def cancelled(self, batch_id: str) -> bool | None:
        """Is it noted there as cancelled? None: it could not be asked."""
        try:
            reply = self.api.ask("GET", self.api.page("user", "scheduled_sends", batch_id))
        except (NotSent, Doubtful):
            return None
        if reply.status == 404:
            return False
        if reply.status != 200:
            return None
        noted = [one for one in _told(reply, list) if isinstance(one, dict) and one.get("batch_id") == batch_id]
        return any(one.get("status") == "cancel" for one in noted)

    def forget(self, batch_id: str) -> bool:
        """Make room for another one. Only when its time is long over: a cancellation can be taken back until then."""
        try:
            reply = self.api.ask("DELETE", self.api.page("user", "scheduled_sends", batch_id))
        except (NotSent, Doubtful):
            return False
        return reply.status in (204, 404)


def _told(reply: Reply, kind: type[Told]) -> Told:
    """The JSON of a reply, where it is of this kind; else an empty one."""
    try:
        told = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return kind()
    return told if isinstance(told, kind) else kind()
