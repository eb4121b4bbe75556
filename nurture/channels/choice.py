"""Which carrier takes the mail: the mailbox on this machine, or SendGrid, as the settings say."""

from typing import TYPE_CHECKING

from nurture.channels.base import Transport
from nurture.channels.mailbox import Mailbox
from nurture.runtime.settings import Settings

if TYPE_CHECKING:
    from nurture.channels.sendgrid.logs import Logs


class NoCarrier(RuntimeError):
    """The chosen carrier cannot work. The text says which setting is missing."""


def transport(settings: Settings) -> Transport:
    if settings.transport == "mailbox":
        return Mailbox(settings.var / "mailbox")
    if not settings.sendgrid_api_key.get_secret_value():
        raise NoCarrier("NURTURE_TRANSPORT is sendgrid, but SENDGRID_API_KEY is empty: set it, or use the mailbox")
    from nurture.channels.sendgrid.channel import SendGrid

    return SendGrid(settings)


def log(settings: Settings) -> "Logs | None":
    """The carrier's own memory of what it took; None where there is none that could be asked."""
    if settings.transport == "mailbox" or not settings.sendgrid_api_key.get_secret_value():
        return None
    from nurture.channels.sendgrid.channel import SendGrid
    from nurture.channels.sendgrid.logs import Logs

    return Logs(SendGrid(settings))
