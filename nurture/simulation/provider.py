"""The simulated mail provider: tells what became of letters as SendGrid does, signed, in batches, untidily.

A post is `[{…},CRLF{…}]CRLF`, signed with ECDSA P-256 and SHA-256 over the timestamp header and the raw body.
"""

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from models.event import Kind
from nurture.channels.sendgrid.events import SIGNATURE, TIMESTAMP
from nurture.simulation.inbox import Letter
from nurture.simulation.recipients import Reaction
from nurture.simulation.seeded_random import Dice

MOST = 500  # events in a post
REPEATED = 0.06  # told again, mostly in another post, under another id
LATE = 0.05  # told one post later than the others
TOLD = {
    Kind.PROCESSED: {"event": "processed"},
    Kind.DEFERRED: {"event": "deferred", "response": "450 4.2.0 greylisted, try again", "attempt": "1"},
    Kind.DELIVERED: {"event": "delivered", "response": "250 2.0.0 OK"},
    Kind.BOUNCED: {"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 no such mailbox"},
    Kind.BLOCKED: {"event": "bounce", "type": "blocked", "status": "4.2.2", "reason": "452 4.2.2 mailbox full"},
    Kind.OPENED: {"event": "open"},
    Kind.CLICKED: {"event": "click"},
    Kind.COMPLAINED: {"event": "spamreport"},
}
READER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"
MACHINES: dict[Kind, dict[str, Any]] = {  # a privacy proxy is marked by the provider; a scanner does not say what it is
    Kind.OPENED: {"useragent": "Mozilla/5.0", "sg_machine_open": True},
    Kind.CLICKED: {"useragent": READER},
}


class Provider:
    """Collects what happened and posts it. `public_key` is what SENDGRID_WEBHOOK_KEY must hold."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._now: list[dict[str, Any]] = []
        self._later: list[dict[str, Any]] = []
        self._told = 0

    @property
    def public_key(self) -> str:
        der = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    def hears(self, letter: Letter, reaction: Reaction) -> None:
        """Note down one happening, to be told in the next post, or the one after, or in both."""
        dice = Dice(self.seed, letter.message_id, reaction.at, reaction.what, reaction.url)
        event = told(letter, reaction)
        (self._later if dice.happens("late", LATE) else self._now).append(self._numbered(event))
        if dice.happens("repeated", REPEATED):
            self._later.append(self._numbered(event))

    def posts(self, now: datetime) -> Iterator[tuple[Mapping[str, str], bytes]]:
        """(headers, body) of each post that is due now, its events in any order."""
        events = sorted(self._now, key=lambda event: Dice(self.seed, event["sg_event_id"]).roll("order"))
        self._now, self._later = self._later, []
        for start in range(0, len(events), MOST):
            body = b"[" + b",\r\n".join(orjson.dumps(event) for event in events[start : start + MOST]) + b"]\r\n"
            moment = str(int(now.timestamp()))
            signature = self._key.sign(moment.encode() + body, ec.ECDSA(hashes.SHA256()))
            yield (
                {
                    "Content-Type": "application/json",
                    "User-Agent": "SendGrid Event API",
                    SIGNATURE: base64.b64encode(signature).decode(),
                    TIMESTAMP: moment,
                },
                body,
            )

    def _numbered(self, event: Mapping[str, Any]) -> dict[str, Any]:
        self._told += 1
        number = base64.urlsafe_b64encode(f"{event['event']}-{self._told}".encode()).rstrip(b"=").decode()
        return {**event, "sg_event_id": number}


def told(letter: Letter, reaction: Reaction) -> dict[str, Any]:
    """A reaction in SendGrid's words: flat, our own ids at the top level."""
    event: dict[str, Any] = {
        "email": letter.to,
        "timestamp": int(reaction.at.timestamp()),
        "sg_message_id": f"mailbox-{letter.message_id}.0",
        "smtp-id": f"<{letter.message_id}@mailbox>",
        "category": [letter.category],
        "nt_message": str(letter.message_id),
        "nt_attempt": letter.attempt_id,
        **TOLD[Kind(reaction.what)],
    }
    if machine := MACHINES.get(Kind(reaction.what)):
        event |= machine if reaction.machine else {"useragent": READER}
    if reaction.url:
        event |= {"url": reaction.url, "url_offset": {"index": 0, "type": "html"}}
    return event
