"""The wire to SendGrid: one request, one reply, and the exact moment from which nobody can say it was not taken.

Everything that goes wrong before the first byte of the request means: surely not taken. Everything after it, until a
whole reply has been read, means: nobody knows. Nothing is tried again, no redirect is followed, no proxy is asked.
"""

import http.client
import io
import select
import socket
import ssl
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

CONNECT = 10.0  # seconds for the connection and the handshake
DEADLINE = 60.0  # seconds for everything from the first byte to the last. Well below rules.delivery.ARMED_LEASE
IDLE = 15.0  # a kept connection that was quiet for longer is not trusted
LONGEST_HEAD = 65_536
LONGEST_BODY = 1_000_000


class NotSent(Exception):
    """Not a byte of the request left this machine. Offering it again later is safe."""


class Doubtful(Exception):
    """The request, or a part of it, left; no whole reply came back. Nobody knows whether it was taken."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class _Incoming(io.RawIOBase):
    """What comes from a socket, after what was read from it already, until a moment."""

    def __init__(self, sock: socket.socket, until: float, first: bytes) -> None:
        self.sock, self.until, self.first = sock, until, memoryview(first)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self.first:
            n = min(len(self.first), len(buffer))
            buffer[:n] = self.first[:n]
            self.first = self.first[n:]
            return n
        _allow(self.sock, self.until)
        return self.sock.recv_into(buffer)

    def makefile(self, mode: str = "rb") -> io.BufferedReader:
        return io.BufferedReader(self)


class Wire:
    """Talks to one host. Thread-safe."""

    def __init__(self, host: str, deadline: float = DEADLINE, connect: float = CONNECT) -> None:
        where = urlsplit(host)
        self.https = where.scheme == "https"
        self.name = where.hostname or ""
        self.port = where.port or (443 if self.https else 80)
        self.deadline, self.connect = deadline, connect
        self.trust = ssl.create_default_context() if self.https else None
        self.kept: deque[tuple[socket.socket, float]] = deque()  # open connections and since when they are quiet
        self.close = weakref.finalize(self, _hang_up, self.kept)

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes,
        ready: Callable[[], bool] = lambda: True, *, keep: bool = False,
    ) -> Reply:  # fmt: skip
        """One request on a connection of its own, or with `keep` on an open one, looked at before use.

        `ready` is asked when the connection stands and before the first byte: False means do not.
        """
        sock = (self._kept() if keep else None) or self._connected()
        lead = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self.name}" + (f":{where}" if (where := self.port) not in (80, 443) else ""),
            f"Content-Length: {len(body)}",
        ]
        lead += [f"{name}: {value}" for name, value in headers.items()]
        lead.append("Connection: " + ("keep-alive" if keep else "close"))
        request = "\r\n".join([*lead, "", ""]).encode("ascii") + body
        try:
            if not ready():
                raise NotSent("this worker stood still for too long: the request was no longer its own")
        except BaseException as error:
            sock.close()
            if isinstance(error, NotSent) or not isinstance(error, Exception):
                raise
            raise NotSent(f"the last look at the database failed: {type(error).__name__}") from error
        try:
            reply = self._exchange(sock, request, method)
        except BaseException as error:
            sock.close()
            if isinstance(error, (OSError, http.client.HTTPException, ValueError)):
                raise Doubtful(_words(error)) from error
            raise
        if keep and reply.headers.get("connection", "").lower() != "close":
            self.kept.append((sock, time.monotonic()))
        else:
            sock.close()
        return reply

    def _connected(self) -> socket.socket:
        try:
            sock = socket.create_connection((self.name, self.port), self.connect)
        except OSError as error:
            raise NotSent(f"no connection to {self.name}:{self.port}: {_words(error)}") from error
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self.trust.wrap_socket(sock, server_hostname=self.name) if self.trust else sock
        except OSError as error:  # every error of TLS is one
            sock.close()
            raise NotSent(f"no secure connection to {self.name}:{self.port}: {_words(error)}") from error

    def _kept(self) -> socket.socket | None:
        while True:
            try:
                sock, since = self.kept.pop()  # the one used last, so that the others may grow old
            except IndexError:
                return None
            with suppress(OSError):
                watch = select.poll()  # not select: it fails above 1,024 open files
                watch.register(sock, select.POLLIN)
                if time.monotonic() - since < IDLE and not watch.poll(0):  # readable: it hung up, or speaks unasked
                    return sock
            sock.close()

    def _exchange(self, sock: socket.socket, request: bytes, method: str) -> Reply:
        until = time.monotonic() + self.deadline
        _allow(sock, until)
        sock.sendall(request)
        head = b""
        while b"\r\n\r\n" not in head:  # read here: http.client takes a reply that was cut in its head for a whole one
            _allow(sock, until)
            more = sock.recv(16_384)
            if not more or len(head) > LONGEST_HEAD:
                raise ConnectionError("the reply was cut")
            head += more
        response = http.client.HTTPResponse(_Incoming(sock, until, head), method=method)  # type: ignore[arg-type]
        response.begin()
        taken = response.status == 202 and response.headers.get("X-Message-Id")
        try:
            body = response.read(LONGEST_BODY)
            if response.length:
                raise ConnectionError("the reply was cut")
        except (OSError, http.client.HTTPException):
            if not taken:  # its head says all that matters
                raise
            body = b""
        return Reply(response.status, response.headers, body)


def _hang_up(kept: deque[tuple[socket.socket, float]]) -> None:
    while kept:
        kept.pop()[0].close()


def _allow(sock: socket.socket, until: float) -> None:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    sock.settimeout(left)


def _words(error: BaseException) -> str:
    """An error in a few words of its own; never the request, which carries the key."""
    said = getattr(error, "strerror", None) or (str(error) if isinstance(error, OSError) else "")
    return said[:200] or type(error).__name__
