"""SendGrid's own log: is a letter of ours in it? Asked only about requests whose answer was lost."""

from datetime import UTC, datetime, timedelta
from typing import TypedDict, cast

import orjson

from nurture.channels.base import LogUnavailable
from nurture.channels.sendgrid.api import ApiPage, SendGridApi
from nurture.channels.sendgrid.wire import Doubtful, NotSent, Reply

AROUND = timedelta(minutes=15)  # a request is logged at its acceptance, by a clock that is not ours
MOST = 100  # letters to one person within that time


class LogEntry(TypedDict):
    """A letter in an answer of the log, as far as we read it."""

    sg_message_id: str


class LogPage(TypedDict, total=False):
    """An answer of the log: letters found, or one letter's own page."""

    messages: list[LogEntry] | None
    custom_args: dict[str, str] | None


class SendGridLog:
    """The account's Email Logs, asked with the key that sends."""

    def __init__(self, api: SendGridApi) -> None:
        self.api = api

    def has(self, email: str, attempt_id: str, at: datetime) -> bool:
        """Is a letter of this attempt to this person in the log? Raises LogUnavailable."""
        if '"' in email or "\\" in email:
            raise LogUnavailable("an address with quotes cannot be looked up")
        begin, end = (f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for moment in (at - AROUND, at + AROUND))
        stamp = "sg_message_id_created_at"
        query = f'to_email = "{email}" AND {stamp} >= TIMESTAMP "{begin}" AND {stamp} <= TIMESTAMP "{end}"'
        found = self._ask("POST", self.api.page("logs"), {"query": query, "limit": MOST}).get("messages") or []
        return any(self._attempt(letter["sg_message_id"]) == attempt_id for letter in found)

    def _attempt(self, sg_message_id: str) -> str | None:
        """Only a letter's own page shows our ids."""
        letter = self._ask("GET", self.api.page("logs", sg_message_id))
        return (letter.get("custom_args") or {}).get("nt_attempt")

    def _ask(self, method: str, page: ApiPage, question: dict[str, str | int] | None = None) -> LogPage:
        body = orjson.dumps(question) if question else b""
        try:
            reply: Reply = self.api.ask(method, page, body)
        except (NotSent, Doubtful) as error:
            raise LogUnavailable(f"SendGrid's log does not answer: {error}") from None
        if reply.status != 200:
            hint = ""
            if reply.status in (401, 403):
                hint = ": the account needs the add-on “Email Logs”, and the key the scope “Email Activity”"
            raise LogUnavailable(f"SendGrid's log answers {reply.status}{hint}")
        try:
            told = orjson.loads(reply.body)
        except orjson.JSONDecodeError:
            raise LogUnavailable("SendGrid's log answers something that is no JSON") from None
        return cast("LogPage", told) if isinstance(told, dict) else {}
