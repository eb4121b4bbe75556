"""SendGrid's events: is this really SendGrid speaking, and what does it say in our words?"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import JsonValue

from models.address import SuppressedBy
from models.event import EventKind, NewEvent
from nurture.rules.feedback.reactions import machine_agent
from nurture.rules.intake.addresses import normalise

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"

KINDS = {
    "processed": EventKind.PROCESSED,
    "dropped": EventKind.DROPPED,
    "delivered": EventKind.DELIVERED,
    "deferred": EventKind.DEFERRED,
    "bounce": EventKind.BOUNCED,
    "blocked": EventKind.BLOCKED,  # told as a bounce of type "blocked"; named by itself in older accounts
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "spamreport": EventKind.COMPLAINED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.UNSUBSCRIBED,
    "group_resubscribe": EventKind.RESUBSCRIBED,
}
DROPS = {  # SendGrid's own lists, as the reason of a drop names them → why we do not write there any more either
    "bounced address": SuppressedBy.BOUNCE,
    "invalid": SuppressedBy.BOUNCE,
    "unsubscribed address": SuppressedBy.UNSUBSCRIBE,
    "spam reporting address": SuppressedBy.COMPLAINT,
}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # PostgreSQL refuses NUL and half characters in a text
_MOST_ID = 2**63 - 1


class NotEvents(ValueError):
    """This body is not a JSON array of objects. Answer 400: sending it again cannot help."""


Keys = Sequence[ec.EllipticCurvePublicKey]


def public_keys(text: str) -> list[ec.EllipticCurvePublicKey]:
    """The keys in SENDGRID_WEBHOOK_KEY, comma separated: the new one and the old one while keys change."""
    keys = []
    for number, word in enumerate((w.strip() for w in text.split(",") if w.strip()), 1):
        try:
            key = load_der_public_key(base64.b64decode(word, validate=True))
        except ValueError:
            key = None
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError(
                f"SENDGRID_WEBHOOK_KEY, key {number}: this is not a public key for events. "
                "Copy it from SendGrid: Settings, Mail Settings, Event Webhook, Signature Verification"
            )
        keys.append(key)
    return keys


def genuine(keys: Keys, signature: str | None, timestamp: str | None, body: bytes) -> bool:
    """Signed by one of the keys over the timestamp and the body exactly as it came, to the last CRLF.

    An old timestamp is no reason to refuse: SendGrid tries for a day, and hearing an event again changes nothing.
    """
    if not signature or not timestamp:
        return False
    try:
        der, said = base64.b64decode(signature, validate=True), timestamp.encode("ascii") + body
    except (binascii.Error, ValueError):
        return False
    return any(_signed(key, der, said) for key in keys)


def _signed(key: ec.EllipticCurvePublicKey, der: bytes, said: bytes) -> bool:
    try:
        key.verify(der, said, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def read_events(body: bytes, received_at: datetime) -> list[NewEvent]:
    """The events of one post. Nothing is dropped: what has no word of ours is kept as UNKNOWN, with its raw text."""
    return [_new_event(event, received_at) for event in _objects(body)]


def _objects(body: bytes) -> Iterable[dict[str, JsonValue]]:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:  # stricter than others about huge numbers and half characters: ask again
        try:
            told = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise NotEvents("not JSON") from error
    if not isinstance(told, list) or not all(isinstance(event, dict) for event in told):
        raise NotEvents("not an array of objects")
    return told


def _new_event(event: dict[str, JsonValue], received_at: datetime) -> NewEvent:
    kind = KINDS.get(_text(event.get("event")) or "", EventKind.UNKNOWN)
    if kind is EventKind.BOUNCED and event.get("type") == "blocked":
        kind = EventKind.BLOCKED
    attempt_id = _text(event.get("nt_attempt"))
    reason = (_text(event.get("reason")) or "").strip().lower() if kind is EventKind.DROPPED else ""
    return NewEvent(
        key=_key(event, kind),
        kind=kind.value,
        at=_moment(event.get("timestamp")) or received_at,
        received_at=received_at,
        address=normalise(_text(event.get("email")) or ""),
        message_id=_number(event.get("nt_message")),
        attempt_id=attempt_id,
        provider_id=None if attempt_id else _text(event.get("sg_message_id")),
        stop=DROPS.get(reason),
        database_name=_text(event.get("nt_epoch")),
        url=_text(event.get("url")),
        machine=kind in (EventKind.OPENED, EventKind.CLICKED) and _by_machine(event),
        raw=_dump(event),
    )


def _by_machine(event: dict[str, JsonValue]) -> bool:
    return _true(event.get("sg_machine_open")) or machine_agent(_text(event.get("useragent")))


def _key(event: dict[str, JsonValue], kind: EventKind) -> str:
    """The same happening has the same key, however often and under however many sg_event_ids it is told.

    sg_event_id alone is no key: repeats were seen with new ones, and one seen for two attempts. It only tells apart
    what nothing else does: kinds we do not know, and events without a time.
    """
    names = ("nt_attempt", "nt_message", "sg_message_id", "email", "timestamp", "url", "type", "sg_machine_open")
    parts: list[JsonValue] = [event.get("event"), *(event.get(name) for name in names)]
    if kind is EventKind.UNKNOWN or _moment(event.get("timestamp")) is None:
        parts.append(event.get("sg_event_id") or event)
    return hashlib.sha256(_dump(parts).encode()).hexdigest()[:40]


def _dump(value: JsonValue) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # numbers beyond 64 bits, half characters
        return json.dumps(value, sort_keys=True)


def _text(value: JsonValue) -> str | None:
    return (_CONTROLS.sub("", value) or None) if isinstance(value, str) else None


def _number(value: JsonValue) -> int | None:
    """A row number: custom args are always strings."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        return int(value) if int(value) <= _MOST_ID else None
    return None


def _moment(value: JsonValue) -> datetime | None:
    """Unix seconds, as a number or (seen) as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:15])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _true(value: JsonValue) -> bool:
    return value is True or value == "true"
