"""The one list of channels: a name for NURTURE_CHANNEL, and the class that takes the mail."""

from pkgutil import resolve_name
from typing import Protocol

from nurture.channels.base import Channel, ProviderLog
from nurture.channels.logged import LoggedChannel
from nurture.channels.parts import PartFile
from nurture.runtime.settings import Settings

CHANNELS = {  # NURTURE_CHANNEL → its class, imported when it is asked for
    "mailbox": "nurture.channels.mailbox:MailboxChannel",
    "sendgrid": "nurture.channels.sendgrid.channel:SendGrid",
}


class ChannelNotConfigured(RuntimeError):
    """The chosen channel cannot work. The text says which setting is missing or wrong."""


class ChannelClass(Protocol):
    """What the registry knows of a channel before it is made."""

    name: str
    parts: tuple[PartFile, ...]

    def from_settings(self, settings: Settings) -> Channel:
        """The channel as the settings want it. Raises ValueError naming the setting that is missing or wrong."""
        ...


def channel_class(name: str) -> ChannelClass:
    """The class of a channel. Raises ChannelNotConfigured where the list does not have the name."""
    if name not in CHANNELS:
        raise ChannelNotConfigured(f"NURTURE_CHANNEL is “{name}”: write {' or '.join(CHANNELS)}")
    found: ChannelClass = resolve_name(CHANNELS[name])
    return found


def channel(settings: Settings) -> Channel:
    """The channel that takes the mail of this installation. Raises ChannelNotConfigured."""
    try:
        return LoggedChannel(channel_class(settings.channel).from_settings(settings))
    except ValueError as error:
        raise ChannelNotConfigured(f"NURTURE_CHANNEL is {settings.channel}, but {error}") from error


def provider_log(settings: Settings) -> ProviderLog | None:
    """The log of the channel in use; None where there is none that could be asked."""
    try:
        return channel(settings).provider_log
    except ChannelNotConfigured:
        return None


def needed_parts(settings: Settings) -> tuple[PartFile, ...]:
    """The parts that a letter must have for the channel in use."""
    return channel_class(settings.channel).parts
