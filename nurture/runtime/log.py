"""The log of what happened: one line an event, with ids and counts and never a person.

    request sent: attempt=0199… channel=sendgrid campaign=spring-sale emails=1000 scheduled=no

With NURTURE_LOG=json the same line is an object with the event's fields as keys. Services always write it; a command
does so when NURTURE_LOG is set. Inside a flow the lines stand in Prefect's log of that run as well.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TextIO

import orjson

LOGGER = logging.getLogger("nurture.delivery")
OURS = logging.getLogger("nurture")
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@dataclass(frozen=True, slots=True)
class LogEvent:
    """Something that happened. Its fields are ids, names of ours, and counts: what could name a person has no place."""

    @property
    def name(self) -> str:
        """The event in JSON: RequestSent is "request_sent"."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()

    @property
    def values(self) -> dict[str, str | int | None]:
        """The fields in their order."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __str__(self) -> str:
        words = " ".join(f"{key}={_in_words(value)}" for key, value in self.values.items())
        return f"{self.name.replace('_', ' ')}: {words}"


@dataclass(frozen=True, slots=True)
class RequestSent(LogEvent):
    """A request is about to leave; from here on its emails are possibly sent."""

    attempt: str
    channel: str
    campaign: str
    emails: int
    scheduled: bool = False


@dataclass(frozen=True, slots=True)
class RequestAnswered(LogEvent):
    """What is known after a request. `refused`: emails that the provider named as the reason of a no."""

    attempt: str
    channel: str
    campaign: str
    emails: int
    verdict: str
    status: int | None
    refused: int = 0


@dataclass(frozen=True, slots=True)
class ClaimReturned(LogEvent):
    """Claimed messages wait again without having been offered. `why`: one of our own words, such as "lease over"."""

    requests: int
    why: str
    emails: int | None = None


@dataclass(frozen=True, slots=True)
class ScheduledSendCancelled(LogEvent):
    """The provider was asked to throw away what it keeps. `outcome`: done, full (later) or failed."""

    channel: str
    batch: str
    outcome: str


@dataclass(frozen=True, slots=True)
class SendPauseSet(LogEvent):
    """Sending is paused, for everything, a campaign or a sending domain."""

    scope: str
    by: str


def _in_words(value: str | int | None) -> str:
    if value is None:
        return "-"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def write(event: LogEvent) -> None:
    """Write one event to the log."""
    if LOGGER.isEnabledFor(logging.INFO):
        LOGGER.info("%s", event, extra={"event": event})


class JsonFormatter(logging.Formatter):
    """A record as one JSON object; an event's fields are keys of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said: dict[str, str | int | None] = {"at": at, "level": record.levelname.lower(), "logger": record.name}
        event = getattr(record, "event", None)
        if isinstance(event, LogEvent):
            said |= {"event": event.name, **event.values}
        else:
            said["message"] = record.getMessage()
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(said).decode()


def formatter(form: str) -> logging.Formatter:
    """How lines look: for a machine where `form` is "json", else for a person."""
    return JsonFormatter() if form == "json" else logging.Formatter(TEXT)


class _Stderr(logging.StreamHandler[TextIO]):
    """Ours, so that it is known again."""


def configure(form: str) -> None:
    """Write our lines to stderr, for a person ("text") or a machine ("json"); nothing changes where `form` is empty.

    Asked twice, the second form counts.
    """
    if not form:
        return
    for handler in [handler for handler in OURS.handlers if isinstance(handler, _Stderr)]:
        OURS.removeHandler(handler)
    handler = _Stderr()
    handler.setFormatter(formatter(form))
    OURS.addHandler(handler)
    OURS.setLevel(logging.INFO)
    OURS.propagate = False  # whoever configures the root logger, too, would say each line twice


def configure_service(form: str) -> None:
    """The same for a process of its own, with what its libraries say; for a person where `form` is empty."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(form))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class _Forwarder(logging.Handler):
    """Says every line again in another logger. Events carry no threads' context, so the other one is given."""

    def __init__(self, to: "logging.Logger | logging.LoggerAdapter[logging.Logger]") -> None:
        super().__init__(logging.INFO)
        self.to = to

    def emit(self, record: logging.LogRecord) -> None:
        self.to.log(record.levelno, "%s", record.getMessage(), exc_info=record.exc_info)


@contextmanager
def forwarded(to: "logging.Logger | logging.LoggerAdapter[logging.Logger]") -> Iterator[None]:
    """While this lasts, our lines go to another logger too: the log of a Prefect run, from whatever thread they come.

    Runs within runs: the innermost one has the lines.
    """
    forwarder, level, propagate = _Forwarder(to), OURS.level, OURS.propagate
    outer = [handler for handler in OURS.handlers if isinstance(handler, _Forwarder)]
    for handler in outer:
        OURS.removeHandler(handler)
    OURS.addHandler(forwarder)
    OURS.setLevel(logging.INFO)
    OURS.propagate = False  # the other logger says it where this one would
    try:
        yield
    finally:
        OURS.removeHandler(forwarder)
        OURS.setLevel(level)
        OURS.propagate = propagate
        for handler in outer:
            OURS.addHandler(handler)
