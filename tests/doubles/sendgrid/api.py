"""Which address of the v3 API answers what: a table, and one small function per line of it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson

from . import error_texts as say
from . import logs
from .faults import MAIL_SEND
from .limits import is_address, problem
from .sending import errors, failing, json_body, mail_send
from .wire import Answer, Request

if TYPE_CHECKING:
    from .double import SendGridDouble

Handler = Callable[..., Answer]
CONTROL = "/_double/"


@dataclass(slots=True)
class RateLimit:
    """`calls` per `seconds`, counted per window of the double's clock. SendGrid's own figures differ by endpoint."""

    calls: int
    seconds: float
    window: int = -1
    used: int = 0

    def count_call(self, now: float) -> tuple[bool, dict[str, str]]:
        window = math.floor(now / self.seconds)
        if window != self.window:
            self.window, self.used = window, 0
        allowed = self.used < self.calls
        self.used += allowed
        return allowed, {
            "X-RateLimit-Limit": str(self.calls),
            "X-RateLimit-Remaining": str(self.calls - self.used),
            "X-RateLimit-Reset": str(math.ceil((window + 1) * self.seconds)),
        }


def answer(sg: SendGridDouble, request: Request) -> Answer:
    """Control first, then: known? allowed? who are you? not too fast? Then the table."""
    if request.path.startswith(CONTROL) and sg.control:
        return control(sg, request)
    handlers, arguments = route(request.path)
    if not handlers:
        return errors(404)
    if request.method not in handlers:
        return errors(405)
    if request.headers.get("authorization") != f"Bearer {sg.api_key}":
        return errors(401)
    limit_headers: dict[str, str] = {}
    if sg.rate_limit is not None:
        allowed, limit_headers = sg.rate_limit.count_call(sg.clock().timestamp())
        if not allowed:
            refused = errors(429)
            refused.headers |= limit_headers
            return refused
    if request.path != MAIL_SEND:  # mail/send looks its own faults up, after the size and before the body
        fault = sg.faults.next(request.path)
        if not fault.behaviour.takes:
            return failing(sg, fault)
        result = handlers[request.method](sg, request, *arguments)
        result.then, result.status = fault.behaviour.then, fault.behaviour.status or result.status
    elif "mail.send" not in sg.scopes:
        return errors(401)  # a missing scope looks like a bad key [documented]
    else:
        result = mail_send(sg, request)
    result.headers = limit_headers | result.headers
    return result


def route(path: str) -> tuple[dict[str, Handler], tuple[str, ...]]:
    if path in EXACT:
        return EXACT[path], ()
    for pattern, handlers in PATTERNS:
        if found := pattern.fullmatch(path):
            return handlers, tuple(unquote(part) for part in found.groups())
    return {}, ()


def shown(status: int, value: object) -> Answer:
    return Answer(status, orjson.dumps(value), {"Content-Type": "application/json"})


def scopes(sg: SendGridDouble, request: Request) -> Answer:
    return shown(200, {"scopes": sorted(sg.scopes)})


def new_batch(sg: SendGridDouble, request: Request) -> Answer:
    batch_id = sg.new_id()
    sg.batches.known.add(batch_id)
    return shown(201, {"batch_id": batch_id})


def show_batch(sg: SendGridDouble, request: Request, batch_id: str) -> Answer:
    if batch_id not in sg.batches.known:
        return errors(400, [problem("batch_id", say.UNKNOWN_BATCH)])
    return shown(200, {"batch_id": batch_id})


def stop_batch(sg: SendGridDouble, request: Request) -> Answer:
    """Not idempotent: a batch that has a status already is a 400 and wants PATCH [documented]."""
    given = json_body(request)
    if isinstance(given, Answer):
        return given
    batch_id, status = given.get("batch_id"), given.get("status")
    if found := sg.batches.refusal(batch_id, status, new=True):
        return errors(400, found)
    sg.batches.status[batch_id] = (status, sg.clock())
    return shown(201, {"batch_id": batch_id, "status": status})


def change_batch(sg: SendGridDouble, request: Request, batch_id: str) -> Answer:
    given = json_body(request)
    if isinstance(given, Answer):
        return given
    if batch_id not in sg.batches.status:
        return errors(404)
    if found := sg.batches.refusal(batch_id, given.get("status"), new=False):
        return errors(400, found)
    sg.batches.status[batch_id] = (given["status"], sg.clock())
    return Answer(204)


def resume_batch(sg: SendGridDouble, request: Request, batch_id: str) -> Answer:
    if sg.batches.status.pop(batch_id, None) is None:
        return errors(404)
    sg.let_go(sg.batches.release(batch_id))
    return Answer(204)


def show_statuses(sg: SendGridDouble, request: Request, batch_id: str | None = None) -> Answer:
    return shown(200, sg.batches.shown(batch_id))


def suppress(sg: SendGridDouble, request: Request, group: str | None = None) -> Answer:
    given = json_body(request)
    if isinstance(given, Answer):
        return given
    addresses = given.get("recipient_emails")
    if type(addresses) is not list or not all(is_address(a) for a in addresses):
        return errors(400, [problem("recipient_emails", "recipient_emails must be a list of valid email addresses")])
    if group is None:
        sg.suppressed.update({address.lower(): "Unsubscribed Address" for address in addresses})
    else:
        sg.group_suppressed.setdefault(int(group), set()).update(a.lower() for a in addresses)
    return shown(201, {"recipient_emails": addresses})


def show_suppression(sg: SendGridDouble, request: Request, address: str) -> Answer:
    known = sg.suppressed.get(address.lower()) == "Unsubscribed Address"
    return shown(200, {"recipient_email": address} if known else {})


def unsuppress(sg: SendGridDouble, request: Request, address: str) -> Answer:
    sg.suppressed.pop(address.lower(), None)
    return Answer(204)


def search_logs(sg: SendGridDouble, request: Request) -> Answer:
    given = json_body(request)
    if isinstance(given, Answer):
        return given
    limit = given.get("limit", logs.USUAL_LIMIT)
    if type(limit) is not int or not 1 <= limit <= logs.MOST:
        return errors(400, [problem("limit", "limit must be between 1 and 1000")])
    try:
        return shown(200, {"messages": logs.search(sg.logged(), given.get("query", ""), limit)})
    except ValueError as wrong:
        return errors(400, [problem("query", str(wrong))])


def show_log(sg: SendGridDouble, request: Request, sg_message_id: str) -> Answer:
    found = next((letter for letter in sg.logged() if letter.sg_message_id == sg_message_id), None)
    return shown(200, logs.details(found)) if found else errors(404)


def control(sg: SendGridDouble, request: Request) -> Answer:
    """For the process form: what a test in the same process would do with an attribute."""
    what = request.path.removeprefix(CONTROL)
    given: dict[str, Any] = orjson.loads(request.body) if request.body else {}
    if what == "faults":
        if given.get("clear"):
            sg.faults.clear()
        try:
            sg.faults.script(given.get("script", ()), given.get("path", MAIL_SEND))
            if "mix" in given:
                sg.faults.mix(given["mix"], given.get("seconds"))
        except (ValueError, TypeError) as wrong:
            return shown(400, {"errors": [{"message": str(wrong), "field": None, "help": None}]})
    elif what == "poison":
        sg.poison[given["address"].lower()] = bool(given.get("named", True))
    elif what == "stop_listening":
        sg.server.loop.call_later(0.01, sg.server.vanish, given.get("seconds"))  # after this answer
    elif what != "state":
        return errors(404)
    return shown(200, sg.state())


EXACT: dict[str, dict[str, Handler]] = {
    MAIL_SEND: {"POST": mail_send},
    "/v3/mail/batch": {"POST": new_batch},
    "/v3/user/scheduled_sends": {"POST": stop_batch, "GET": show_statuses},
    "/v3/asm/suppressions/global": {"POST": suppress},
    "/v3/logs": {"POST": search_logs},
    "/v3/scopes": {"GET": scopes},
}
PATTERNS: list[tuple[re.Pattern[str], dict[str, Handler]]] = [
    (re.compile(r"/v3/mail/batch/([^/]+)"), {"GET": show_batch}),
    (
        re.compile(r"/v3/user/scheduled_sends/([^/]+)"),
        {"GET": show_statuses, "PATCH": change_batch, "DELETE": resume_batch},
    ),
    (re.compile(r"/v3/asm/suppressions/global/([^/]+)"), {"GET": show_suppression, "DELETE": unsuppress}),
    (re.compile(r"/v3/asm/groups/(\d+)/suppressions"), {"POST": suppress}),
    (re.compile(r"/v3/logs/([^/]+)"), {"GET": show_log}),
]
