"""SendGrid's web API: which page, with which key, over our own wire. Every other module here asks through it."""

import re
from collections.abc import Callable
from typing import Protocol
from urllib.parse import quote, urlsplit

from sendgrid import SendGridAPIClient

from nurture.channels.sendgrid.wire import DEADLINE, Reply, Wire

REGIONS = {"us": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Misconfigured(ValueError):
    """SendGrid cannot be reached with these settings. The text names the setting and never its secret."""


class ApiPage(Protocol):
    """A page of the API, as SendGrid's client names it."""

    def _(self, name: str) -> "ApiPage": ...

    def _build_url(self, query_params: None) -> str: ...


class SendGridApi:
    """Asks SendGrid with one key. Safe to use from several threads."""

    def __init__(self, key: str, host_setting: str, deadline: float = DEADLINE) -> None:
        """`deadline`: seconds for a whole request. Raises Misconfigured."""
        key = key.strip()
        if not re.fullmatch(r"[!-~]+", key):
            raise Misconfigured("SENDGRID_API_KEY is empty or contains blanks: copy it again from SendGrid, API Keys")
        self.host = host(host_setting)
        self._key = key
        # the client knows headers and paths; its own way to ask has no timeout and prints the key when debugging
        client = SendGridAPIClient(key, host=self.host).client
        self._headers = {**client.request_headers, "Content-Type": "application/json"}
        self._root: ApiPage = client
        self.mail_send: ApiPage = client.mail.send
        self.wire = Wire(self.host, deadline)

    def ask(
        self,
        method: str,
        page: ApiPage,
        body: bytes = b"",
        ready: Callable[[], bool] = lambda: True,
        *,
        keep: bool = True,
    ) -> Reply:
        """One call of the API; `keep`: the connection may be used again. Raises NotSent or Doubtful."""
        path = page._build_url(None).removeprefix(self.host)
        return self.wire.ask(method, path, self._headers, body, ready, keep=keep)

    def page(self, *words: str) -> ApiPage:
        """The client's name for a page of the API: page("logs", "abc") is /v3/logs/abc."""
        page = self._root
        for word in words:
            page = page._(quote(word, safe=""))
        return page

    def without_key(self, text: str) -> str:
        """The text with the key blotted out: a server that repeats our headers does not get it into our database."""
        return text.replace(self._key, "…")


def host(given: str) -> str:
    """SENDGRID_HOST: "us", "eu" or an address. The key goes over https, or no farther than this machine."""
    found = REGIONS.get(given.strip().lower(), given.strip().rstrip("/"))
    where = urlsplit(found)
    if where.scheme == "https" and where.hostname and not where.path:
        return found
    if where.scheme == "http" and where.hostname in LOOPBACK and not where.path:
        return found
    raise Misconfigured(f"SENDGRID_HOST is “{given}”: use us, eu or https://…")
