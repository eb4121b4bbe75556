"""How tests ask the double: small mails, changed where it matters, over a plain HTTP client."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from .double import SendGridDouble
from .limits import Json
from .timeline import FrozenClock

LOCAL: Json = {"trust_env": False, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}  # no proxy, no CA bundle to read


def mail(*people: Json, **changes: Json | Any) -> Json:
    """A mail SendGrid takes, with what a test wants changed; `None` takes a field out."""
    whole: Json = {
        "personalizations": list(people) or [person()],
        "from": {"email": "zoe@news.example.com", "name": "Zoë O'Brien"},
        "subject": "Foo & Søns <GmbH>",
        "content": [{"type": "text/plain", "value": "Hello"}, {"type": "text/html", "value": "<p>Hello</p>"}],
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def person(address: str = "lead@example.com", **more: Any) -> Json:
    return {"to": [{"email": address}]} | more


def crowd(size: int) -> list[Json]:
    return [person(f"lead{n}@example.com", custom_args={"nt_message": str(n)}) for n in range(size)]


def post(sg: SendGridDouble, body: Any, path: str = "/v3/mail/send", **options: Any) -> httpx.Response:
    """One request of our own, with the right key unless `headers` says otherwise."""
    headers = {"Authorization": f"Bearer {sg.api_key}"} | options.pop("headers", {})
    return httpx.post(sg.url + path, json=body, headers=headers, **LOCAL, **options)


def get(sg: SendGridDouble, path: str, method: str = "GET") -> httpx.Response:
    return httpx.request(method, sg.url + path, headers={"Authorization": f"Bearer {sg.api_key}"}, **LOCAL)


def fields(response: httpx.Response) -> list[str | None]:
    assert all(error.keys() == {"message", "field", "help"} for error in response.json()["errors"])
    return [error["field"] for error in response.json()["errors"]]


class Ear:
    """A receiver that remembers; `statuses` are its next answers, 200 when there are none."""

    def __init__(self) -> None:
        self.heard: list[tuple[Mapping[str, str], bytes]] = []
        self.statuses: list[int] = []

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        self.heard.append((headers, body))
        return self.statuses.pop(0) if self.statuses else 200

    @property
    def events(self) -> list[Json]:
        return [event for _, body in self.heard for event in json.loads(body)]


def listening(ear: Ear, **options: Any) -> SendGridDouble:
    """A double on a frozen clock whose events land in the ear, without a network between."""
    return SendGridDouble(clock=FrozenClock(), webhook="http://127.0.0.1:1/events", poster=ear, **options)
