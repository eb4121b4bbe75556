"""The middleware: which headers every answer carries, what the access log may know, and who is on this machine."""

import logging
import re
import time

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",  # where a page does not say its own
    "Referrer-Policy": "no-referrer",  # a token in an address must not travel on
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_TOKEN = re.compile(r"^/(u|h|g|sales)/[^/]+")
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)
log = logging.getLogger("nurture.web")


def masked(path: str) -> str:
    """A path as the log may keep it: without anybody's token, and on one line."""
    return _TOKEN.sub(r"/\1/…", path.encode("unicode_escape").decode("ascii"))


def is_local(request: Request) -> bool:
    """Is this somebody at this very machine? A name that points here from outside, or a proxy, is not."""
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-forwarded-host", "via"))
    return not forwarded and bool(_LOOPBACK.fullmatch(request.headers.get("host", "")))


class SecurityHeadersMiddleware:
    """Adds our security headers to every answer and writes the access log. Pure ASGI, so that no body is held up."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                there = {name.lower() for name, _ in message["headers"]}
                missing = ((name.lower().encode(), value.encode()) for name, value in HEADERS.items())
                message["headers"] = [*message["headers"], *(pair for pair in missing if pair[0] not in there)]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            took = (time.perf_counter() - began) * 1000
            log.info("%s %s %d %.0f ms", scope["method"], masked(scope["path"]), status, took)
