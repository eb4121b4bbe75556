"""A mail as it lies in somebody's inbox: simulated people react to what the mail says, and to nothing else."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime
from pathlib import Path

from nurture.rules.intake.addresses import normalise

_LINK = re.compile(r'<a\b[^>]*?\bhref="(https?://[^"]+)"([^>]*)', re.IGNORECASE)
_CODE = re.compile(r'class="word"[^>]*>\s*([^<]+?)\s*<')
_LANGUAGE = re.compile(r'<html lang="([A-Za-z-]+)"')


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """What a reader and their mail server see. `tracked` are the links whose clicks the provider tells us."""

    message_id: int
    attempt_id: str
    to: str
    subject: str
    sent_at: datetime
    category: str
    language: str
    links: tuple[str, ...]
    tracked: tuple[str, ...]
    one_click: str | None  # the address of List-Unsubscribe, where the mail promises RFC 8058
    code: str | None
    text: str

    @property
    def leave_page(self) -> str | None:
        """The unsubscribe link in the mail itself."""
        return next((link for link in self.links if "/u/" in link), None)


def read_mail(raw: bytes) -> ReceivedMail:
    """A mail from the bytes of an .eml file."""
    mail = message_from_bytes(raw)
    page, text = _part(mail, "text/html"), _part(mail, "text/plain")
    found = [(html.unescape(link), "clicktracking" in rest) for link, rest in _LINK.findall(page)]
    code = _CODE.search(page)
    language = _LANGUAGE.search(page)
    one_click = mail["List-Unsubscribe"] if mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click" else None
    return ReceivedMail(
        message_id=int(mail["X-Nt-Message"]),
        attempt_id=mail["X-Nt-Attempt"],
        to=normalise(parseaddr(mail["To"])[1]) or mail["To"],
        subject=str(make_header(decode_header(mail["Subject"]))),
        sent_at=parsedate_to_datetime(mail["Date"]).astimezone(UTC),
        category=mail["X-Category"],
        language=language[1] if language else "en",
        links=tuple(dict.fromkeys(link for link, _ in found)),
        tracked=tuple(dict.fromkeys(link for link, untracked in found if not untracked)),
        one_click=one_click.strip(" <>") if one_click else None,
        code=html.unescape(code[1]) if code else None,
        text=text,
    )


def _part(mail: Message, kind: str) -> str:
    for part in mail.walk():
        if part.get_content_type() == kind:
            found = part.get_payload(decode=True)
            return found.decode(part.get_content_charset() or "utf-8") if isinstance(found, bytes) else ""
    return ""


class SimulatedInbox:
    """The folder that mails arrive in. Every mail is returned once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: set[str] = set()

    def new(self) -> Iterator[ReceivedMail]:
        """Mails that were not there the last time, in the order of their numbers."""
        found = {file.stem: file for file in self.folder.glob("*/*.eml") if file.stem not in self._seen}
        for name in sorted(found, key=int):
            self._seen.add(name)
            yield read_mail(found[name].read_bytes())
