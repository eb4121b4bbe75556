"""The HTTP under the double: small, fast and able to misbehave on purpose.

A framework would hide exactly what the tests need: a connection that resets after the mail was
taken, an answer cut in half, a listener that is gone. So this speaks HTTP/1.1 on an asyncio protocol:
keep-alive, `Content-Length` bodies, `Expect: 100-continue`, one request at a time per connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus

BODY_LIMIT = 30_000_000  # documented as "less than 30MB"; the smaller of the two readings of MB
HEAD_LIMIT = 64_000
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER 0: the peer sees a reset, not an orderly end
TURNS_TO_ACCEPT = 6  # of the event loop, from the kernel's handshake to `connection_made`, with room to spare


class Then(Enum):
    """What happens on the wire once the double has made up its mind."""

    REPLY = "reply"  # the whole answer, connection kept
    CUT = "cut"  # connection reset, not a byte of answer
    HALF = "half"  # status line, then the end: no X-Message-Id ever arrives
    HANG = "hang"  # nothing, and the connection stays open


@dataclass(slots=True, frozen=True)
class Request:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    too_large: bool = False  # the body was read and thrown away


@dataclass(slots=True)
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    then: Then = Then.REPLY
    after: float = 0.0  # seconds of real time before the answer leaves


STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}


def written(answer: Answer) -> bytes:
    lines = [STATUS_LINES[answer.status], b"Server: nginx\r\n"]
    lines += [f"{name}: {value}\r\n".encode("latin-1") for name, value in answer.headers.items()]
    lines.append(b"Content-Length: %d\r\n\r\n" % len(answer.body))
    return b"".join((*lines, answer.body))


class Connection(asyncio.Protocol):
    """One client connection: bytes in, requests to `handle`, answers out in order."""

    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = bytearray()
        self.head: tuple[str, str, str, dict[str, str], int] | None = None
        self.wasted = 0  # bytes of a body too large to keep
        self.busy = False  # an answer is owed; what follows waits in the buffer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.connections.add(self)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.read_on()

    def read_on(self) -> None:
        while not self.busy and (self.head is not None or self.read_head()):
            request = self.read_body()
            if request is None:
                return
            self.busy = True
            self.head, self.wasted = None, 0
            answer = self.server.answer(request)
            if answer.after > 0:
                asyncio.get_running_loop().call_later(answer.after, self.reply, answer, True)
            else:
                self.reply(answer)

    def read_head(self) -> bool:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > HEAD_LIMIT:
                self.give_up(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return False
        lines = bytes(self.buffer[:end]).decode("latin-1").split("\r\n")
        del self.buffer[: end + 4]
        try:
            method, target, _ = lines[0].split(" ")
            headers = {
                name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])
            }
            length = int(headers.get("content-length", "0"))
        except ValueError:
            self.give_up(HTTPStatus.BAD_REQUEST)
            return False
        if "transfer-encoding" in headers:  # we never send chunks, so a chunk is a bug of ours
            self.give_up(HTTPStatus.LENGTH_REQUIRED)
            return False
        if headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        path, _, query = target.partition("?")
        self.head = (method, path, query, headers, length)
        return True

    def read_body(self) -> Request | None:
        assert self.head is not None
        method, path, query, headers, length = self.head
        if length >= self.server.body_limit:  # read it all, or the client sees a reset instead of the 413
            self.wasted += len(self.buffer)
            left_over = max(0, self.wasted - length)
            self.buffer = self.buffer[len(self.buffer) - left_over :]
            if self.wasted < length:
                return None
            return Request(method, path, query, headers, b"", too_large=True)
        if len(self.buffer) < length:
            return None
        body = bytes(memoryview(self.buffer)[:length])
        del self.buffer[:length]
        return Request(method, path, query, headers, body)

    def reply(self, answer: Answer, later: bool = False) -> None:
        if self.transport.is_closing():
            return  # the client did not wait; what was accepted stays accepted
        if answer.then is Then.HANG:
            return
        if answer.then is Then.CUT:
            self.reset()
            return
        if answer.then is Then.HALF:
            self.transport.write(STATUS_LINES[answer.status])
            self.transport.close()
            return
        self.transport.write(written(answer))
        self.busy = False
        if later:
            self.read_on()

    def reset(self) -> None:
        sock = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.transport.abort()

    def give_up(self, status: HTTPStatus) -> None:
        self.transport.write(written(Answer(status, headers={"Connection": "close"})))
        self.transport.close()
        self.busy = True


class Server:
    """A listener on loopback in a thread of its own. `answer` runs on that thread and must not block."""

    def __init__(self, answer: Callable[[Request], Answer], port: int = 0, body_limit: int = BODY_LIMIT) -> None:
        self.answer = answer
        self.port = port
        self.body_limit = body_limit
        self.connections: set[Connection] = set()
        self.loop = asyncio.new_event_loop()
        self.listener: asyncio.Server | None = None
        self.thread = threading.Thread(target=self.run, name="sendgrid-double", daemon=True)

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def start(self) -> None:
        self.thread.start()
        self.on_loop(self.listen)

    def stop(self) -> None:
        self.on_loop(self.hang_up)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def stop_listening(self) -> None:
        """New connections are refused and open ones reset, as when the host goes away."""
        self.on_loop(self.hang_up)

    def resume(self) -> None:
        """Listen again, on the same port."""
        self.on_loop(self.listen)

    async def listen(self) -> None:
        if self.listener is None:
            self.listener = await self.loop.create_server(
                lambda: Connection(self), "127.0.0.1", self.port, backlog=1024, reuse_address=True
            )
            self.port = self.listener.sockets[0].getsockname()[1]

    async def hang_up(self) -> None:
        listener, self.listener = self.listener, None
        if listener is not None:  # asyncio trips over a connection half accepted when its listener closes
            for sock in listener.sockets:
                self.loop.remove_reader(sock.fileno())
            await self.turns()
            listener.close()
        for connection in list(self.connections):
            connection.reset()
        await self.turns()  # the transports close their sockets before anybody looks

    async def turns(self) -> None:
        for _ in range(TURNS_TO_ACCEPT):
            await asyncio.sleep(0)

    def vanish(self, seconds: float | None) -> None:
        """`stop_listening` from inside a request: the loop cannot wait for itself."""
        self.loop.create_task(self.hang_up())
        if seconds is not None:
            self.loop.call_later(seconds, lambda: self.loop.create_task(self.listen()))

    def on_loop(self, work: Callable[[], object]) -> None:
        asyncio.run_coroutine_threadsafe(work(), self.loop).result(10)  # type: ignore[arg-type]
