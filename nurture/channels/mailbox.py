"""The mailbox: every message as a real .eml file, for trying things out before anything leaves the house."""

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from nurture.channels.base import Batches, Envelope, Hold, Parcel
from nurture.rules.delivery.states import Answer, Verdict


def path(folder: Path, message_id: int) -> Path:
    """Where a message's file is. A thousand to a folder, so that no folder grows without end."""
    return folder / f"{message_id // 1000:06d}" / f"{message_id}.eml"


def eml(envelope: Envelope, now: datetime) -> bytes:
    """The envelope as the mail a recipient's server would get: multipart/alternative, text first."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _address(envelope.from_name, envelope.from_email)
    mail["To"] = _address(envelope.to_name, envelope.to_email)
    if envelope.reply_to:
        mail["Reply-To"] = envelope.reply_to
    mail["Subject"] = envelope.subject
    mail["Date"] = now
    for name, value in envelope.headers.items():
        mail[name] = value
    for name, value in envelope.custom_args.items():
        mail[f"X-{name.replace('_', '-').title()}"] = value
    mail["X-Category"] = envelope.category
    mail.set_content(envelope.text)
    mail.add_alternative(envelope.html, subtype="html")
    return mail.as_bytes()


def _address(name: str, email: str) -> Address | str:
    try:
        return Address(name, addr_spec=email)
    except ValueError:  # an address the standard library finds odd is still shown as it is
        return email


class Mailbox:
    """A transport that writes files. A file appears whole or not at all, so it can always tell what it took."""

    name = "mailbox"
    most = 200
    at_once = 1
    batches: Batches | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def parcels(self, envelopes: Sequence[Envelope]) -> list[Parcel]:
        return [Parcel(envelopes)] if envelopes else []

    def send(
        self, envelopes: Sequence[Envelope], still_armed: Callable[[], bool], now: datetime, hold: Hold | None = None
    ) -> Answer:
        if not still_armed():
            return Answer(Verdict.UNKNOWN, detail="no longer armed when it was this request's turn")
        try:
            for envelope in envelopes:
                file = path(self.folder, envelope.message_id)
                file.parent.mkdir(parents=True, exist_ok=True)
                draft = file.with_suffix(".part")
                draft.write_bytes(eml(envelope, now))
                os.replace(draft, file)
        except OSError as error:
            return Answer(Verdict.UNKNOWN, detail=f"cannot write to {self.folder}: {error.strerror}")
        return Answer(Verdict.TAKEN, status=202, provider_id=f"mailbox-{envelopes[0].attempt_id}")

    def taken(self, message_ids: Sequence[int]) -> set[int] | None:
        return {i for i in message_ids if path(self.folder, i).exists()}
