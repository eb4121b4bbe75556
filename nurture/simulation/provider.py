"""The simulated mail provider: posts what became of letters as SendGrid does: signed, in batches, late, repeated.

A post is `[{…},CRLF{…}]CRLF`, signed with ECDSA P-256 and SHA-256 over the timestamp header and the raw body.
"""

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from models.event import EventKind
from nurture.channels.sendgrid.events import SIGNATURE, TIMESTAMP
from nurture.simulation.inbox import ReceivedMail
from nurture.simulation.recipients import Reaction
from nurture.simulation.seeded_random import SeededRandom

SendGridEvent = dict[str, str | int | list[str] | dict[str, str | int]]  # a JSON object in SendGrid's words
MOST = 500  # events in a post
REPEATED = 0.06  # posted again, mostly with other events, under another id
LATE = 0.05  # posted once later than the others
EVENTS: dict[EventKind, SendGridEvent] = {
    EventKind.PROCESSED: {"event": "processed"},
    EventKind.DEFERRED: {"event": "deferred", "response": "450 4.2.0 greylisted, try again", "attempt": "1"},
    EventKind.DELIVERED: {"event": "delivered", "response": "250 2.0.0 OK"},
    EventKind.BOUNCED: {"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 no such mailbox"},
    EventKind.BLOCKED: {"event": "bounce", "type": "blocked", "status": "4.2.2", "reason": "452 4.2.2 mailbox full"},
    EventKind.OPENED: {"event": "open"},
    EventKind.CLICKED: {"event": "click"},
    EventKind.COMPLAINED: {"event": "spamreport"},
}
READER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"
MACHINES: dict[
    EventKind, SendGridEvent
] = {  # a privacy proxy is marked by the provider; a scanner does not say what it is
    EventKind.OPENED: {"useragent": "Mozilla/5.0", "sg_machine_open": True},
    EventKind.CLICKED: {"useragent": READER},
}


class SimulatedProvider:
    """Collects what happened to letters and posts it as SendGrid's event webhook would."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._now: list[SendGridEvent] = []
        self._later: list[SendGridEvent] = []
        self._told = 0

    @property
    def public_key(self) -> str:
        """What SENDGRID_WEBHOOK_KEY must hold so that the posts are believed."""
        der = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    def record(self, mail: ReceivedMail, reaction: Reaction) -> None:
        """Record one reaction, to be posted with the next events, or those after, or both."""
        random = SeededRandom(self.seed, mail.message_id, reaction.at, reaction.what, reaction.url)
        event = event_of(mail, reaction)
        (self._later if random.happens("late", LATE) else self._now).append(self._numbered(event))
        if random.happens("repeated", REPEATED):
            self._later.append(self._numbered(event))

    def due_posts(self, now: datetime) -> Iterator[tuple[Mapping[str, str], bytes]]:
        """(headers, body) of each post that is due now, its events in any order."""
        events = sorted(self._now, key=lambda event: SeededRandom(self.seed, str(event["sg_event_id"])).roll("order"))
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

    def _numbered(self, event: SendGridEvent) -> SendGridEvent:
        self._told += 1
        number = base64.urlsafe_b64encode(f"{event['event']}-{self._told}".encode()).rstrip(b"=").decode()
        return {**event, "sg_event_id": number}


def event_of(mail: ReceivedMail, reaction: Reaction) -> SendGridEvent:
    """A reaction in SendGrid's words: flat, our own ids at the top level."""
    event: SendGridEvent = {
        "email": mail.to,
        "timestamp": int(reaction.at.timestamp()),
        "sg_message_id": f"mailbox-{mail.message_id}.0",
        "smtp-id": f"<{mail.message_id}@mailbox>",
        "category": [mail.category],
        "nt_message": str(mail.message_id),
        "nt_attempt": mail.attempt_id,
        **EVENTS[EventKind(reaction.what)],
    }
    if machine := MACHINES.get(EventKind(reaction.what)):
        event |= machine if reaction.machine else {"useragent": READER}
    if reaction.url:
        event |= {"url": reaction.url, "url_offset": {"index": 0, "type": "html"}}
    return event
