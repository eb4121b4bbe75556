"""The event webhook: SendGrid calls us, signs what it says, and repeats itself until we answer 2xx.

A post is `[{…},CRLF{…}]CRLF`, signed with ECDSA P-256/SHA-256 over the timestamp header and the raw body.
"""

from __future__ import annotations

import base64
import http.client
import random
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .limits import Json
from .timeline import Clock, Timeline

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
MOST_BYTES = 768_000  # [documented] a post is 768 kB or 30 s of events
MOST_EVENTS = 1_600  # what fits into that
GIVES_UP_AFTER = timedelta(hours=24)  # [documented] then the events are lost
FIRST_GAP = timedelta(seconds=30)  # [strict] "growing intervals" is all that is written: doubling
LONGEST_GAP = timedelta(hours=4)
PATIENCE = 10.0  # [observed] seconds for an answer

Poster = Callable[[str, Mapping[str, str], bytes], int]  # (url, headers, body) -> status; 0 or OSError: nobody there


def wire_form(events: Sequence[Json]) -> bytes:
    return b"[" + b",\r\n".join(orjson.dumps(event) for event in events) + b"]\r\n"


class Signer:
    """The double's key pair. The same seed gives the same key, so a killed double comes back trusted."""

    def __init__(self, seed: int | str) -> None:
        self.key = ec.derive_private_key(random.Random(f"key {seed}").getrandbits(250) + 1, ec.SECP256R1())

    @property
    def public_key(self) -> str:
        """Base64 of the DER SubjectPublicKeyInfo, as SendGrid's settings page shows it."""
        der = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    def sign(self, timestamp: str, body: bytes) -> str:
        return base64.b64encode(self.key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()


def post_over_http(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """One post on a connection of its own. Redirects are not followed; they are not 2xx."""
    parts = urlsplit(url)
    if parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ValueError(f"the double talks to this machine only, not to {parts.hostname}; use a loopback address")
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=PATIENCE)
    try:
        connection.request("POST", parts.path + (f"?{parts.query}" if parts.query else ""), body, dict(headers))
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


@dataclass(slots=True)
class Post:
    """One signed body and what became of it."""

    body: bytes
    headers: dict[str, str]
    events: int
    first_at: datetime
    attempts: int = 0
    status: int = 0


class Webhook:
    """Collects events, posts them signed, tries again, and counts what was lost.

    `posted` events were answered with 2xx; `expired` events never were, within 24 h of the clock.
    """

    def __init__(
        self,
        url: str | None,
        signer: Signer,
        clock: Clock,
        timeline: Timeline,
        draw: random.Random,
        poster: Poster = post_over_http,
        shuffle: bool = False,
        connections: int = 1,
    ) -> None:
        self.url, self.signer, self.clock, self.timeline = url, signer, clock, timeline
        self.poster, self.shuffle, self.draw = poster, shuffle, draw
        self.connections = connections
        self.most_events = MOST_EVENTS
        self.lock = threading.Lock()
        self.pending: list[Json] = []
        self.flush_planned = False
        self.posts: deque[Post] = deque(maxlen=10_000)  # the last ones, for tests to look at
        self.posted = self.expired = self.failed_attempts = 0

    def add(self, event: Json) -> bool:
        """Keep an event for the next post; True if somebody must plan that post."""
        with self.lock:
            self.pending.append(event)
            planned, self.flush_planned = self.flush_planned, True
            return not planned

    def flush(self) -> None:
        """Post what is waiting. Without a URL the events stay where they are."""
        with self.lock:
            self.flush_planned = False
            if self.url is None:
                return
            events, self.pending = self.pending, []
        if self.shuffle:
            self.draw.shuffle(events)
        posts = [self.signed(batch) for batch in self.batches(events)]
        if self.connections > 1 and len(posts) > 1:
            with ThreadPoolExecutor(self.connections) as pool:
                list(pool.map(self.offer, posts))
        else:
            for post in posts:
                self.offer(post)

    def batches(self, events: Sequence[Json]) -> list[list[Json]]:
        batches: list[list[Json]] = []
        size = MOST_BYTES + 1
        for event in events:
            length = len(orjson.dumps(event)) + 3
            if size + length > MOST_BYTES or len(batches[-1]) >= self.most_events:
                batches.append([])
                size = 0
            batches[-1].append(event)
            size += length
        return batches

    def signed(self, events: Sequence[Json]) -> Post:
        """Signed once: a retry hours later carries the old timestamp [strict]."""
        body, now = wire_form(events), self.clock()
        timestamp = str(int(now.timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "SendGrid Event API",
            SIGNATURE: self.signer.sign(timestamp, body),
            TIMESTAMP: timestamp,
        }
        return Post(body, headers, len(events), now)

    def offer(self, post: Post) -> None:
        assert self.url is not None
        post.attempts += 1
        try:
            post.status = self.poster(self.url, post.headers, post.body)
        except OSError:
            post.status = 0
        with self.lock:
            if post.attempts == 1:
                self.posts.append(post)
            if 200 <= post.status < 300:
                self.posted += post.events
                return
            self.failed_attempts += 1
        again_at = self.clock() + min(FIRST_GAP * 2 ** (post.attempts - 1), LONGEST_GAP)
        last_chance = post.first_at + GIVES_UP_AFTER
        if self.clock() >= last_chance:
            with self.lock:
                self.expired += post.events
        else:
            self.timeline.at(min(again_at, last_chance), "retry", partial(self.offer, post))
