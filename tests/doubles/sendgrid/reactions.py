"""What readers and their mail servers do with a letter, and the events SendGrid tells about it.

A policy is asked once per accepted letter: `policy(letter, random) -> reactions`. `random` is seeded by the
double's seed and the letter's own ids, so the same letter meets the same fate whatever order the sender chose.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .accepted import Letter
from .limits import Json

USUAL: dict[str, Json] = {  # what SendGrid adds to an event of this kind [documented]
    "processed": {"send_at": 0},
    "deferred": {"response": "450 4.2.1 try again later", "attempt": "1", "ip": "127.0.0.1", "tls": 1},
    "delivered": {"response": "250 2.0.0 OK", "ip": "127.0.0.1", "tls": 1},
    "bounce": {"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 The email account does not exist",
               "bounce_classification": "Invalid Address", "ip": "127.0.0.1", "tls": 1},
    "dropped": {"reason": "Bounced Address"},
    "open": {"useragent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "ip": "127.0.0.1", "sg_machine_open": False},
    "click": {"useragent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "ip": "127.0.0.1",
              "url": "https://example.com/", "url_offset": {"index": 0, "type": "html"}},
}  # fmt: skip

SUPPRESSES = {  # after this event SendGrid itself drops later mail to the address, with this reason [documented]
    "bounce": "Bounced Address",
    "spamreport": "Spam Reporting Address",
    "unsubscribe": "Unsubscribed Address",
}


@dataclass(frozen=True, slots=True)
class Reaction:
    """`asynchronous`: a bounce long after delivery, without message id and custom_args [documented]."""

    event: str
    after: timedelta = timedelta(0)
    fields: Mapping[str, Any] = field(default_factory=dict)
    asynchronous: bool = False


Policy = Callable[[Letter, random.Random], Iterable[Reaction]]


def silent(letter: Letter, draw: random.Random) -> Iterable[Reaction]:
    """Accepted, and never a word about it."""
    return ()


def delivers(letter: Letter, draw: random.Random) -> Iterable[Reaction]:
    return Reaction("processed", timedelta(seconds=1)), Reaction("delivered", timedelta(seconds=3))


@dataclass(frozen=True, slots=True)
class RandomReaders:
    """A crowd: each probability is per letter, or per delivered letter from `machine_open` on."""

    silent: float = 0.0
    bounce: float = 0.03
    blocked: float = 0.01
    deferred: float = 0.05
    asynchronous_bounce: float = 0.005
    machine_open: float = 0.3
    open: float = 0.3
    click: float = 0.1
    unsubscribe: float = 0.005
    spamreport: float = 0.001

    def __call__(self, letter: Letter, draw: random.Random) -> Iterable[Reaction]:
        # every fate is drawn whether it matters or not, so that one probability does not change the others
        fates = {name: draw.random() < getattr(self, name) for name in self.__slots__}
        if fates["silent"]:
            return
        yield Reaction("processed", timedelta(seconds=1))
        at = timedelta(seconds=3)
        if fates["deferred"]:
            yield Reaction("deferred", at)
            at += timedelta(minutes=draw.randint(5, 60))
        if fates["bounce"]:
            yield Reaction("bounce", at)
            return
        if fates["blocked"]:
            full = {"type": "blocked", "status": "4.2.2", "bounce_classification": "Mailbox Unavailable"}
            yield Reaction("bounce", at, full)
            return
        yield Reaction("delivered", at)
        if fates["asynchronous_bounce"]:
            yield Reaction("bounce", at + timedelta(hours=draw.randint(1, 72)), asynchronous=True)
        if fates["machine_open"]:
            yield Reaction("open", at + timedelta(seconds=2), {"sg_machine_open": True})
        reads = at + timedelta(minutes=draw.expovariate(1 / 240))
        if fates["open"]:
            yield Reaction("open", reads)
        for name in ("click", "unsubscribe", "spamreport"):
            if fates[name]:
                yield Reaction(name, reads + timedelta(seconds=20))


POLICIES: dict[str, Policy] = {"silent": silent, "delivers": delivers, "random": RandomReaders()}


@dataclass(frozen=True, slots=True)
class Disorder:
    """How untidy the event webhook is. All are probabilities per event, seeded.

    repeats        the event is told again, up to `most_repeats` times [observed: 3 on average, 46 at worst]
    new_ids        a repeat carries another sg_event_id, so a receiver that trusts it alone counts twice [strict]
    late           the event is told up to `latest` later than it happened
    shuffle        events of one post come in any order [documented: order is not promised]
    """

    repeats: float = 0.0
    most_repeats: int = 3
    new_ids: bool = False
    late: float = 0.0
    latest: timedelta = timedelta(hours=6)
    shuffle: bool = False


def told(letter: Letter, reaction: Reaction, at: datetime, number: int) -> Json:
    """The event as the webhook posts it: flat, our custom_args at top level."""
    event: Json = {"email": letter.to, "timestamp": int(at.timestamp()), "event": reaction.event}
    event |= USUAL.get(reaction.event, {})
    event["sg_event_id"] = event_id(f"{reaction.event}-{number}-{letter.message_id}-{letter.index}")
    if not reaction.asynchronous:
        event["sg_message_id"] = letter.sg_message_id
        event["smtp-id"] = f"<{letter.message_id}@ismtpd-double>"
        if letter.categories:
            event["category"] = list(letter.categories)
        event |= letter.custom_args
    return event | dict(reaction.fields)


def event_id(readable: str) -> str:
    """Real ones are base64 too: "drop-10994919-LRzXl_NHStOGhQ4kofSm_A-0" [observed]."""
    return base64.urlsafe_b64encode(readable.encode()).rstrip(b"=").decode()
