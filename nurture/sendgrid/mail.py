"""A request to SendGrid: plain dicts, looked through before they leave, and which letters go into one."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import orjson

from nurture.envelope import Envelope, Parcel
from nurture.sendgrid.shared import Shared, Unfit, share

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
    forms = tuple(id(piece.form) for piece in envelope.pieces) if envelope.pieces else envelope.message_id
    return (forms, envelope.from_email, envelope.from_name, envelope.category)


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
    first, seen, found = envelopes[0], set[str](), dict[int, str]()
    if len(envelopes) > MOST_PEOPLE:
        raise Unfit(dict.fromkeys(range(len(envelopes)), f"more than {MOST_PEOPLE:,} readers in one request"))
    shared = (first.reply_to, first.from_email, first.from_name, first.category)
    for i, envelope in enumerate(envelopes):
        address = envelope.to_email.lower()
        if (envelope.reply_to, envelope.from_email, envelope.from_name, envelope.category) != shared or address in seen:
            raise Unfit({i: "its sender or Reply-To is its own, or its address is in the request already"})
        seen.add(address)
        if not ADDRESS.fullmatch(envelope.to_email) or len(address) > 254:
            found[i] = "this is no address SendGrid takes"
        elif (
            not envelope.subject.strip() or len(envelope.subject) > LONGEST_SUBJECT or CONTROLS.search(envelope.subject)
        ):
            found[i] = "the subject is empty, too long, or contains a line break"
        elif not envelope.text or not envelope.html:
            found[i] = "a part of the letter is empty"
        elif any(
            not HEADER.fullmatch(k) or k.lower() in RESERVED or CONTROLS.search(v) for k, v in envelope.headers.items()
        ):
            found[i] = "a header has a reserved name or a line break"
    if not first.category.isascii() or not 0 < len(first.category) <= 255:
        return dict.fromkeys(range(len(envelopes)), f"the campaign's name “{first.category}” is not ASCII")
    return found
