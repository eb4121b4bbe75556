"""A request to SendGrid: plain dicts, looked through before they leave, and which letters go into one."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import orjson

from nurture.channels.base import Envelope, Parcel
from nurture.channels.sendgrid.shared import Shared, Unfit, share

MOST_PEOPLE = 1_000
MOST_BYTES = 29_000_000  # SendGrid takes less than 30 MB
MOST_CUSTOM_ARGS = 10_000
LONGEST_SUBJECT = 2_000
LONGEST_NAME = 100
RESERVED = frozenset({
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding", "to", "from",
    "subject", "reply-to", "cc", "bcc",
})  # fmt: skip
_ODD = r"\s\x00-\x1f\x7f<>()\[\],;:\\\"@"
ADDRESS = re.compile(rf"[^{_ODD}]{{1,64}}@[^{_ODD}]+\.[^{_ODD}.]+")
HEADER = re.compile(r"[!-9;-~]+")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
ODD_IN_NAMES = re.compile(r"[;,\x00-\x1f\x7f-\x9f]+")


class Wrong(ValueError):
    """SendGrid would refuse these letters. `whose` says why, by position; nothing was sent."""

    def __init__(self, whose: dict[int, str]) -> None:
        self.whose = whose
        super().__init__(next(iter(whose.values())))


def parcels(envelopes: Sequence[Envelope], most: int = MOST_PEOPLE) -> list[Parcel]:
    """The envelopes in as few requests as can be, and why one has a request of its own. Largest first."""
    kinds: dict[Hashable, dict[str | None, list[Envelope]]] = defaultdict(lambda: defaultdict(list))
    for envelope in envelopes:
        kinds[_kind(envelope)][envelope.reply_to].append(envelope)
    found: list[Parcel] = []
    for groups in kinds.values():
        for group in groups.values():
            if len(group) > 1:
                found += _fitting(group, most)
            else:
                found.append(Parcel(group, "its Reply-To is its own" if len(groups) > 1 else ""))
    return sorted(found, key=lambda parcel: -len(parcel.envelopes))


def _kind(envelope: Envelope) -> Hashable:
    """What letters of one request have in common, besides the Reply-To."""
    text, html = envelope.pieces
    return (id(text.form), id(html.form), envelope.from_email, envelope.from_name, envelope.category)


def _fitting(group: list[Envelope], most: int) -> Iterator[Parcel]:
    for chunk in _chunks(group, most):
        whole: list[Envelope] = chunk
        try:
            share(whole)
        except Unfit as unfit:
            for i, why in sorted(unfit.whose.items()):
                yield Parcel([whole[i]], why)
            whole = [envelope for i, envelope in enumerate(chunk) if i not in unfit.whose]
        if whole:
            yield Parcel(whole)


def _chunks(group: Iterable[Envelope], most: int) -> list[list[Envelope]]:
    """At most `most` to a chunk, and no address twice in one."""
    chunks: list[tuple[set[str], list[Envelope]]] = []
    for envelope in group:
        address = envelope.to_email.lower()
        for addresses, chunk in chunks[-3:]:
            if len(chunk) < most and address not in addresses:
                break
        else:
            addresses, chunk = set(), []
            chunks.append((addresses, chunk))
        addresses.add(address)
        chunk.append(envelope)
    return [chunk for _, chunk in chunks]


def written(envelopes: Sequence[Envelope], **settings: Any) -> bytes:
    """The body of POST /v3/mail/send. Raises Unfit or Wrong before anything leaves."""
    if wrong := _wrong(envelopes):
        raise Wrong(wrong)
    first = envelopes[0]
    alone = len(envelopes) == 1
    words = Shared([first.subject], first.text, first.html, [{}]) if alone else share(envelopes)
    same = len(set(words.subjects)) == 1
    mail: dict[str, Any] = {
        "from": {"email": first.from_email, "name": ODD_IN_NAMES.sub(" ", first.from_name)},
        "content": [{"type": "text/plain", "value": words.text}, {"type": "text/html", "value": words.html}],
        "categories": [first.category],
        "tracking_settings": {"subscription_tracking": {"enable": False}},  # our own List-Unsubscribe is in the headers
        "personalizations": [
            _person(envelope, None if same else subject, substitutions)
            for envelope, subject, substitutions in zip(envelopes, words.subjects, words.substitutions, strict=True)
        ],
        **settings,
    }
    if same:
        mail["subject"] = first.subject
    if first.reply_to:
        mail["reply_to"] = {"email": first.reply_to}
    body = orjson.dumps(mail)
    if len(body) > MOST_BYTES:
        raise Unfit(dict.fromkeys(range(len(envelopes)), f"the request would have {len(body):,} bytes"))
    return body


def _person(envelope: Envelope, subject: str | None, substitutions: dict[str, str]) -> dict[str, Any]:
    to = {"email": envelope.to_email}
    if name := ODD_IN_NAMES.sub(" ", envelope.to_name)[:LONGEST_NAME].strip():
        to["name"] = name
    person: dict[str, Any] = {"to": [to], "custom_args": envelope.custom_args}
    if envelope.headers:
        person["headers"] = envelope.headers
    if subject is not None:
        person["subject"] = subject
    if substitutions:
        person["substitutions"] = substitutions
    return person


def _wrong(envelopes: Sequence[Envelope]) -> dict[int, str]:
    """Our own schema: what SendGrid would refuse the whole request for, found before it is asked."""
    first, everybody = envelopes[0], range(len(envelopes))
    if len(envelopes) > MOST_PEOPLE:
        raise Unfit(dict.fromkeys(everybody, f"more than {MOST_PEOPLE:,} readers in one request"))
    if len({(e.reply_to, e.from_email, e.from_name, e.category) for e in envelopes}) > 1:
        raise Unfit(dict.fromkeys(everybody, "their sender or Reply-To differ"))
    if len({e.to_email.lower() for e in envelopes}) < len(envelopes):
        raise Unfit(dict.fromkeys(everybody, "an address is in the request twice"))
    if not first.category.isascii() or not 0 < len(first.category) <= 255:
        return dict.fromkeys(everybody, f"the campaign's name “{first.category}” is not ASCII")
    return {i: why for i, envelope in enumerate(envelopes) if (why := _why_wrong(envelope))}


def _why_wrong(envelope: Envelope) -> str:
    text, html = envelope.pieces
    headers = envelope.headers
    if not ADDRESS.fullmatch(envelope.to_email) or len(envelope.to_email) > 254:
        return "this is no address SendGrid takes"
    if not envelope.subject or len(envelope.subject) > LONGEST_SUBJECT or CONTROLS.search(envelope.subject):
        return "the subject is empty, too long, or contains a line break"
    if text.empty or html.empty:
        return "a part of the letter is empty"
    if headers and (CONTROLS.search("".join(headers.values())) or not _known(tuple(headers))):
        return "a header has a reserved name or a line break"
    return ""


@lru_cache(256)
def _known(names: tuple[str, ...]) -> bool:
    return all(HEADER.fullmatch(name) and name.lower() not in RESERVED for name in names)
