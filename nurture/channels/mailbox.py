"""The mailbox: every message as a real .eml file, for trying things out before anything is sent."""

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from nurture.channels.base import (
    AddressKind,
    ChannelLimits,
    OutboundEmail,
    ProviderLog,
    RequestBatch,
    ScheduledSend,
    ScheduledSends,
)
from nurture.channels.parts import EMAIL_PARTS
from nurture.rules.delivery.states import Answer, Verdict
from nurture.runtime.settings import Settings


def path(folder: Path, message_id: int) -> Path:
    """Where a message's file is. A thousand to a folder, so that no folder grows without end."""
    return folder / f"{message_id // 1000:06d}" / f"{message_id}.eml"


def eml(email: OutboundEmail, now: datetime) -> bytes:
    """The file's bytes: the mail a recipient's server would get: multipart/alternative, text first."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _address(email.from_name, email.from_email)
    mail["To"] = _address(email.to_name, email.to_email)
    if email.reply_to:
        mail["Reply-To"] = email.reply_to
    mail["Subject"] = email.subject
    mail["Date"] = now
    for name, value in email.headers.items():
        mail[name] = value
    for name, value in email.custom_args.items():
        mail[f"X-{name.replace('_', '-').title()}"] = value
    mail["X-Category"] = email.category
    mail.set_content(email.text)
    mail.add_alternative(email.html, subtype="html")
    return mail.as_bytes()


def _address(name: str, email: str) -> Address | str:
    try:
        return Address(name, addr_spec=email)
    except ValueError:  # an address the standard library finds odd is still shown as it is
        return email


class MailboxChannel:
    """A channel that writes files. A file appears whole or not at all, so it can always tell what it took."""

    name = "mailbox"
    address_kind = AddressKind.EMAIL
    parts = EMAIL_PARTS
    limits = ChannelLimits(200)
    scheduled_sends: ScheduledSends | None = None
    provider_log: ProviderLog | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def from_settings(cls, settings: Settings) -> "MailboxChannel":
        """The folder `mailbox` below NURTURE_VAR."""
        return cls(settings.var / "mailbox")

    def request_batches(self, emails: Sequence[OutboundEmail]) -> list[RequestBatch]:
        """All in one: files have nothing in common that could be said once."""
        return [RequestBatch(emails)] if emails else []

    def send(
        self,
        emails: Sequence[OutboundEmail],
        still_armed: Callable[[], bool],
        now: datetime,
        scheduled: ScheduledSend | None = None,
    ) -> Answer:
        """Write a file for each email. Where the disk fails in between, `accepted` knows which are there."""
        if not still_armed():
            return Answer(Verdict.UNKNOWN, detail="no longer armed when it was this request's turn")
        try:
            for email in emails:
                file = path(self.folder, email.message_id)
                file.parent.mkdir(parents=True, exist_ok=True)
                draft = file.with_suffix(".part")
                draft.write_bytes(eml(email, now))
                os.replace(draft, file)
        except OSError as error:
            return Answer(Verdict.UNKNOWN, detail=f"cannot write to {self.folder}: {error.strerror}")
        return Answer(Verdict.TAKEN, status=202, provider_id=f"mailbox-{emails[0].attempt_id}")

    def accepted(self, message_ids: Sequence[int]) -> set[int] | None:
        """Those whose file is there."""
        return {i for i in message_ids if path(self.folder, i).exists()}
