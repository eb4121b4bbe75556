"""The Email Logs: what SendGrid itself remembers of a letter, for when its answer was lost.

`POST /v3/logs {"query": …, "limit": …}` answers summaries; `GET /v3/logs/{sg_message_id}` answers one letter
with its events and custom_args (there nested, not flattened) [documented in the OpenAPI file tsg_logs_v3].
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime

from .accepted import Letter
from .limits import Json

KEPT_DAYS = 30  # [documented]
MOST = 1_000  # [documented] 1 to 1000, default 10, no pagination
USUAL_LIMIT = 10
MOST_EVENTS = 100  # [documented] per letter

CONDITION = re.compile(
    r"""(?P<field>\w+)\s*(?:(?P<op>>=|<=|=|>|<)\s*(?P<stamp>TIMESTAMP\s+)?(?P<quote>["'])(?P<value>[^"']*)(?P=quote)"""
    r"""|IN\s*\((?P<values>[^)]*)\))"""
)
STATUS = {  # [documented]
    "processed": "processed", "dropped": "dropped", "deferred": "deferred", "bounce": "bounced",
    "delivered": "delivered", "open": "delivered", "click": "delivered",
}  # fmt: skip
FIELDS: dict[str, Callable[[Letter], str]] = {
    "sg_message_id": lambda letter: letter.sg_message_id,
    "subject": lambda letter: letter.subject,
    "to_email": lambda letter: letter.to,
    "reason": lambda letter: reason(letter) or "",
}


class BadQuery(ValueError):
    """The query is not one SendGrid would take (400). The message says which part."""


def matcher(query: str) -> Callable[[Letter], bool]:
    """Conditions joined by AND; no nesting, no OR [documented]."""
    tests = [condition(part.strip()) for part in query.split(" AND ")] if query.strip() else []
    return lambda letter: all(test(letter) for test in tests)


def condition(text: str) -> Callable[[Letter], bool]:
    found = CONDITION.fullmatch(text)
    if not found:
        raise BadQuery(f"invalid query near: {text}")
    name, op = found["field"], found["op"]
    if name in FIELDS and op == "=" and not found["stamp"]:
        ask, value = FIELDS[name], found["value"]
        return lambda letter: ask(letter) == value
    if name in ("status", "categories") and op is None:
        wanted = set(re.findall(r"""["']([^"']*)["']""", found["values"]))
        if name == "status":
            return lambda letter: status(letter) in wanted
        return lambda letter: bool(wanted.intersection(letter.categories))
    if name == "sg_message_id_created_at" and op and op != "=" and found["stamp"]:
        return when(op, datetime.fromisoformat(found["value"]))
    raise BadQuery(f"field or operator not allowed: {text}")


def when(op: str, moment: datetime) -> Callable[[Letter], bool]:
    compare = {">": datetime.__gt__, "<": datetime.__lt__, ">=": datetime.__ge__, "<=": datetime.__le__}[op]
    return lambda letter: compare(letter.accepted_at, moment)


def status(letter: Letter) -> str:
    known = [e for e in letter.events if e["event"] in STATUS]
    if not known:
        return "processed"
    last = known[-1]
    return "blocked" if last.get("type") == "blocked" else STATUS[last["event"]]


def reason(letter: Letter) -> str | None:
    return next((e[k] for e in reversed(letter.events) for k in ("reason", "response") if k in e), None)


def summary(letter: Letter) -> Json:
    shown = {
        "from_email": letter.from_email,
        "sg_message_id": letter.sg_message_id,
        "subject": letter.subject,
        "to_email": letter.to,
        "status": status(letter),
        "sg_message_id_created_at": letter.accepted_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return shown | ({"reason": said} if (said := reason(letter)) else {})


def details(letter: Letter) -> Json:
    shown = summary(letter)
    del shown["sg_message_id_created_at"]
    return shown | {
        "api_key_id": "double",
        "client_ip": "127.0.0.1",
        "category": list(letter.categories),
        "custom_args": letter.custom_args,
        "events": [nested(e, letter) for e in letter.events[-MOST_EVENTS:]],
    }


def nested(event: Json, letter: Letter) -> Json:
    kept = {k: v for k, v in event.items() if k not in letter.custom_args}
    if not kept.get("sg_machine_open", True):
        del kept["sg_machine_open"]  # left out when false [documented]
    return kept | {"custom_args": letter.custom_args}


def search(letters: Iterable[Letter], query: str, limit: int) -> list[Json]:
    matches = matcher(query)
    found = [letter for letter in letters if matches(letter)]
    return [summary(letter) for letter in reversed(found)][:limit]
