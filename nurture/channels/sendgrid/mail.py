"""A request to SendGrid: plain dicts, looked through before they leave, and which letters go into one."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from math import ceil
from typing import NotRequired, TypedDict

import orjson

from nurture.channels.base import OutboundEmail, RequestBatch, ScheduledSend
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


def request_batches(emails: Sequence[OutboundEmail], most: int = MOST_PEOPLE) -> list[RequestBatch]:
    """The emails in as few requests as can be, and why one has a request of its own. Largest first."""
    kinds: dict[Hashable, dict[str | None, list[OutboundEmail]]] = defaultdict(lambda: defaultdict(list))
    for email in emails:
        kinds[_kind(email)][email.reply_to].append(email)
    found: list[RequestBatch] = []
    for groups in kinds.values():
        for group in groups.values():
            if len(group) > 1:
                found += _fitting(group, most)
            else:
                found.append(RequestBatch(group, "its Reply-To is its own" if len(groups) > 1 else ""))
    return sorted(found, key=lambda batch: -len(batch.emails))


def _kind(email: OutboundEmail) -> Hashable:
    """What letters of one request have in common, besides the Reply-To."""
    return (id(email.text_part.form), id(email.html_part.form), email.from_email, email.from_name, email.category)


def _fitting(group: list[OutboundEmail], most: int) -> Iterator[RequestBatch]:
    for chunk in _chunks(group, most):
        whole: list[OutboundEmail] = chunk
        try:
            share(whole)
        except Unfit as unfit:
            for i, why in sorted(unfit.whose.items()):
                yield RequestBatch([whole[i]], why)
            whole = [email for i, email in enumerate(chunk) if i not in unfit.whose]
        if whole:
            yield RequestBatch(whole)


def _chunks(group: Iterable[OutboundEmail], most: int) -> list[list[OutboundEmail]]:
    """At most `most` to a chunk, and no address twice in one."""
    chunks: list[tuple[set[str], list[OutboundEmail]]] = []
    for email in group:
        address = email.to_email.lower()
        for addresses, chunk in chunks[-3:]:
            if len(chunk) < most and address not in addresses:
                break
        else:
            addresses, chunk = set(), []
            chunks.append((addresses, chunk))
        addresses.add(address)
        chunk.append(email)
    return [chunk for _, chunk in chunks]


class NamedAddress(TypedDict):
    """Somebody as SendGrid writes them."""

    email: str
    name: NotRequired[str]


class Personalization(TypedDict):
    """What a request says of one reader alone."""

    to: list[NamedAddress]
    custom_args: dict[str, str]
    headers: NotRequired[dict[str, str]]
    subject: NotRequired[str]
    substitutions: NotRequired[dict[str, str]]


MailSend = TypedDict(
    "MailSend",
    {
        "from": NamedAddress,
        "content": list[dict[str, str]],
        "categories": list[str],
        "tracking_settings": dict[str, dict[str, bool]],
        "personalizations": list[Personalization],
        "subject": NotRequired[str],
        "reply_to": NotRequired[NamedAddress],
        "mail_settings": NotRequired[dict[str, dict[str, bool]]],
        "batch_id": NotRequired[str],
        "send_at": NotRequired[int],
    },
)


def request_body(
    emails: Sequence[OutboundEmail], scheduled: ScheduledSend | None = None, *, sandbox: bool = False
) -> bytes:
    """The body of POST /v3/mail/send as JSON. Raises Unfit or Wrong before anything leaves."""
    if wrong := _wrong(emails):
        raise Wrong(wrong)
    first = emails[0]
    alone = len(emails) == 1
    words = Shared([first.subject], first.text, first.html, [{}]) if alone else share(emails)
    same = len(set(words.subjects)) == 1
    mail: MailSend = {
        "from": {"email": first.from_email, "name": ODD_IN_NAMES.sub(" ", first.from_name)},
        "content": [{"type": "text/plain", "value": words.text}, {"type": "text/html", "value": words.html}],
        "categories": [first.category],
        "tracking_settings": {"subscription_tracking": {"enable": False}},  # our own List-Unsubscribe is in the headers
        "personalizations": [
            _person(email, None if same else subject, substitutions)
            for email, subject, substitutions in zip(emails, words.subjects, words.substitutions, strict=True)
        ],
    }
    if same:
        mail["subject"] = first.subject
    if first.reply_to:
        mail["reply_to"] = {"email": first.reply_to}
    if sandbox:
        mail["mail_settings"] = {"sandbox_mode": {"enable": True}}
    if scheduled:
        mail["batch_id"], mail["send_at"] = scheduled.batch_id, ceil(scheduled.send_at.timestamp())
    body = orjson.dumps(mail)
    if len(body) > MOST_BYTES:
        raise Unfit(dict.fromkeys(range(len(emails)), f"the request would have {len(body):,} bytes"))
    return body


def _person(email: OutboundEmail, subject: str | None, substitutions: dict[str, str]) -> Personalization:
    to: NamedAddress = {"email": email.to_email}
    if name := ODD_IN_NAMES.sub(" ", email.to_name)[:LONGEST_NAME].strip():
        to["name"] = name
    person: Personalization = {"to": [to], "custom_args": email.custom_args}
    if email.headers:
        person["headers"] = email.headers
    if subject is not None:
        person["subject"] = subject
    if substitutions:
        person["substitutions"] = substitutions
    return person


def _wrong(emails: Sequence[OutboundEmail]) -> dict[int, str]:
    """Our own schema: what SendGrid would refuse the whole request for, found before it is asked."""
    first, everybody = emails[0], range(len(emails))
    if len(emails) > MOST_PEOPLE:
        raise Unfit(dict.fromkeys(everybody, f"more than {MOST_PEOPLE:,} readers in one request"))
    if len({(e.reply_to, e.from_email, e.from_name, e.category) for e in emails}) > 1:
        raise Unfit(dict.fromkeys(everybody, "their sender or Reply-To differ"))
    if len({e.to_email.lower() for e in emails}) < len(emails):
        raise Unfit(dict.fromkeys(everybody, "an address is in the request twice"))
    if not first.category.isascii() or not 0 < len(first.category) <= 255:
        return dict.fromkeys(everybody, f"the campaign's name “{first.category}” is not ASCII")
    return {i: why for i, email in enumerate(emails) if (why := _why_wrong(email))}


def _why_wrong(email: OutboundEmail) -> str:
    headers = email.headers
    if not ADDRESS.fullmatch(email.to_email) or len(email.to_email) > 254:
        return "this is no address SendGrid takes"
    if not email.subject or len(email.subject) > LONGEST_SUBJECT or CONTROLS.search(email.subject):
        return "the subject is empty, too long, or contains a line break"
    if email.text_part.empty or email.html_part.empty:
        return "a part of the letter is empty"
    if headers and (CONTROLS.search("".join(headers.values())) or not _known(tuple(headers))):
        return "a header has a reserved name or a line break"
    return ""


@lru_cache(256)
def _known(names: tuple[str, ...]) -> bool:
    return all(HEADER.fullmatch(name) and name.lower() not in RESERVED for name in names)
