"""SendGrid as a carrier: envelopes go out in one request, its answer comes back in our words."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from math import ceil
from typing import Any
from urllib.parse import quote, urlsplit

from sendgrid import SendGridAPIClient

from nurture.channels import base
from nurture.channels.base import Envelope, Hold, Parcel
from nurture.channels.sendgrid import answers, mail
from nurture.channels.sendgrid.batches import Batches
from nurture.channels.sendgrid.shared import Unfit
from nurture.channels.sendgrid.wire import Doubtful, NotSent, Reply, Wire
from nurture.rules.delivery.states import Answer, Verdict
from nurture.runtime.settings import Settings

REGIONS = {"us": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Misconfigured(ValueError):
    """SendGrid cannot be reached with these settings. The text names the setting and never its secret."""


class SendGrid:
    """A transport. Safe to use from several threads."""

    name = "sendgrid"

    def __init__(self, settings: Settings, *, deadline: float | None = None) -> None:
        key = settings.sendgrid_api_key.get_secret_value().strip()
        if not re.fullmatch(r"[!-~]+", key):
            raise Misconfigured("SENDGRID_API_KEY is empty or contains blanks: copy it again from SendGrid, API Keys")
        self.most, self.at_once = settings.sendgrid_batch, settings.sendgrid_requests
        self.sandbox = settings.sendgrid_sandbox
        self.host = host(settings.sendgrid_host)
        self._key = key
        # the client knows headers and paths; its own way to ask has no timeout and prints the key when debugging
        self._client = SendGridAPIClient(key, host=self.host).client
        self._headers = {**self._client.request_headers, "Content-Type": "application/json"}
        self.batches: base.Batches | None = None if self.sandbox else Batches(self)
        self._wire = Wire(self.host, **({} if deadline is None else {"deadline": deadline}))

    def __repr__(self) -> str:
        return f"SendGrid({self.host})"

    def parcels(self, envelopes: Sequence[Envelope]) -> list[Parcel]:
        return mail.parcels(envelopes, self.most)

    def send(
        self, envelopes: Sequence[Envelope], still_armed: Callable[[], bool], now: datetime, hold: Hold | None = None
    ) -> Answer:
        """Offer all envelopes in one request."""
        more: dict[str, Any] = {"mail_settings": {"sandbox_mode": {"enable": True}}} if self.sandbox else {}
        if hold:
            more |= {"batch_id": hold.batch_id, "send_at": ceil(hold.until.timestamp())}
        try:
            body = mail.written(envelopes, **more)
        except mail.Wrong as wrong:
            return Answer(Verdict.REFUSED, detail=str(wrong), refused=wrong.whose)
        except Unfit as unfit:
            return Answer(Verdict.REFUSED, detail=f"not to be sent in one request: {unfit}")
        try:
            # a connection that was kept blurs the line between "not sent" and "nobody knows": many people, a fresh one
            reply = self.ask("POST", self._client.mail.send, body, still_armed, keep=len(envelopes) == 1)
        except NotSent as error:
            return Answer(Verdict.BUSY, detail=self._said(error))
        except Doubtful as error:
            return Answer(Verdict.UNKNOWN, detail=f"the request left, but no answer came: {self._said(error)}")
        return self._clean(
            answers.read(reply.status, reply.headers, reply.body, len(envelopes), now, sandbox=self.sandbox)
        )

    def taken(self, message_ids: Sequence[int]) -> set[int] | None:
        return None

    def ask(
        self,
        method: str,
        page: object,
        body: bytes = b"",
        ready: Callable[[], bool] = lambda: True,
        *,
        keep: bool = True,
    ) -> Reply:
        """One call of SendGrid's API; `page` is the client's name for it. Raises NotSent or Doubtful."""
        path = page._build_url(None).removeprefix(self.host)  # type: ignore[attr-defined]
        return self._wire.ask(method, path, self._headers, body, ready, keep=keep)

    def page(self, *words: str) -> object:
        """The client's name for a page of the API: page("logs", "abc") is /v3/logs/abc."""
        page = self._client
        for word in words:
            page = page._(quote(word, safe=""))
        return page

    def _said(self, error: Exception) -> str:
        return str(error).replace(self._key, "…")

    def _clean(self, answer: Answer) -> Answer:
        """A server that repeats our headers to us does not get the key into our database."""
        if self._key not in f"{answer.detail}{answer.refused}":
            return answer
        refused = {i: why.replace(self._key, "…") for i, why in answer.refused.items()}
        return Answer(answer.verdict, answer.status, answer.provider_id, answer.detail.replace(self._key, "…"), refused,
                      answer.retry_at, answer.campaign_only)  # fmt: skip


def host(given: str) -> str:
    """SENDGRID_HOST: "us", "eu" or an address. The key goes over https, or no farther than this machine."""
    found = REGIONS.get(given.strip().lower(), given.strip().rstrip("/"))
    where = urlsplit(found)
    if where.scheme == "https" and where.hostname and not where.path:
        return found
    if where.scheme == "http" and where.hostname in LOOPBACK and not where.path:
        return found
    raise Misconfigured(f"SENDGRID_HOST is “{given}”: use us, eu or https://…")
