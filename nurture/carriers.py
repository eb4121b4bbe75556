"""Which carrier takes the mail: the mailbox on this machine, or SendGrid, as the settings say."""

from nurture.envelope import Transport
from nurture.mailbox import Mailbox
from nurture.settings import Settings


class NoCarrier(RuntimeError):
    """The chosen carrier cannot work. The text says which setting is missing."""


def transport(settings: Settings) -> Transport:
    if settings.transport == "mailbox":
        return Mailbox(settings.var / "mailbox")
    if not settings.sendgrid_api_key.get_secret_value():
        raise NoCarrier("NURTURE_TRANSPORT is sendgrid, but SENDGRID_API_KEY is empty: set it, or use the mailbox")
    from nurture.sendgrid.transport import SendGrid

    return SendGrid(settings)
