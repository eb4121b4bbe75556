"""What SendGrid refuses: the figures, the names it knows, and the checks that many fields share.

Each limit says where it comes from: [documented] in SendGrid's API reference or OpenAPI file, [observed]
in public issues, [strict] our own reading where the documents disagree or are silent: the double
must never be kinder than the real thing, so it takes the stricter one.
"""

from __future__ import annotations

import json
import re
from typing import Any

from . import error_texts as say

Json = dict[str, Any]
Problem = dict[str, str | None]

MOST_PERSONALIZATIONS = 1_000  # [documented] per request
MOST_RECIPIENTS = 1_000  # [documented] to + cc + bcc, per request
MOST_CUSTOM_ARGS = 10_000  # [documented] bytes; [strict] escaped JSON, keys included, message + personalization
MOST_SUBSTITUTIONS = 10_000  # [documented] bytes in the OpenAPI file (a page says 50,000); [strict] escaped JSON
MOST_CATEGORIES = 10  # [documented]
LONGEST_CATEGORY = 255  # [documented] characters; [documented] ASCII only
FARTHEST_SEND_AT = 72 * 3600  # [documented] seconds
LONGEST_UNBROKEN_LIST_UNSUBSCRIBE = 77  # [observed] longer ones arrive MIME-encoded and the button is gone

RESERVED_HEADERS = frozenset({  # [documented]
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding",
    "to", "from", "subject", "reply-to", "cc", "bcc",
})  # fmt: skip

TOP: dict[str, type] = {  # [documented]; anything else is an "additional property" [observed]
    "personalizations": list, "from": dict, "reply_to": dict, "reply_to_list": list, "subject": str,
    "content": list, "attachments": list, "template_id": str, "sections": dict, "headers": dict,
    "categories": list, "custom_args": dict, "send_at": int, "batch_id": str, "asm": dict,
    "ip_pool_name": str, "mail_settings": dict, "tracking_settings": dict,
}  # fmt: skip
PERSONAL: dict[str, type] = {  # [documented]
    "to": list, "cc": list, "bcc": list, "from": dict, "subject": str, "headers": dict,
    "substitutions": dict, "dynamic_template_data": dict, "custom_args": dict, "send_at": int,
}  # fmt: skip
SWITCHES = {  # [documented]; enable is a boolean, "true" is a string and a 400 [observed]
    "mail_settings": ("sandbox_mode", "bypass_list_management", "footer"),
    "tracking_settings": ("click_tracking", "open_tracking", "subscription_tracking", "ganalytics"),
}
JSON_NAMES = {
    str: "string", int: "integer", float: "number", bool: "boolean",
    dict: "object", list: "array", type(None): "null",
}  # fmt: skip
HELP = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html#message."
LONGEST_ADDRESS = 254
ADDRESS = re.compile(
    r"(?=[^@]{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]"
)  # [strict] ASCII dot-atoms: what every mail server takes


HEADER_NAME = re.compile(r"[!-9;-~]+")


def problem(field: str | None, message: str) -> Problem:
    anchor = re.sub(r"\.\d+", "", field or "")
    return {"message": message, "field": field, "help": HELP + anchor if field else None}


def wrong_type(field: str, expected: type, given: object) -> Problem:
    return problem(field, say.WRONG_TYPE.format(JSON_NAMES[expected], JSON_NAMES[type(given)]))


def is_address(text: object) -> bool:
    return isinstance(text, str) and len(text) <= LONGEST_ADDRESS and bool(ADDRESS.fullmatch(text))


def escaped_size(words: Json) -> int:
    """Bytes of the object as ASCII JSON."""
    return len(json.dumps(words, separators=(",", ":")))


def shape(given: Json, known: dict[str, type], under: str) -> list[Problem]:
    """Unknown names and wrong types, the two ways of misspelling a field."""
    found = []
    for name, value in given.items():
        expected = known.get(name)
        if expected is None:
            found.append(problem(under.rstrip(".") or None, say.UNKNOWN_PROPERTY.format(name)))
        elif type(value) is not expected:
            found.append(wrong_type(under + name, expected, value))
    return found


def one_address(path: str, someone: Json, found: list[Problem]) -> None:
    if not is_address(someone.get("email")):
        found.append(problem(path + ".email", say.NOT_AN_ADDRESS))
    if "name" in someone and type(someone["name"]) is not str:
        found.append(wrong_type(path + ".name", str, someone["name"]))
        someone.pop("name")
    if len(someone) > 2 or not someone.keys() <= {"email", "name"}:
        found.append(problem(path, say.ODD_EMAIL_OBJECT))


def domain(someone: Json | None) -> str:
    return str((someone or {}).get("email", "")).rpartition("@")[2].lower()


def headers(path: str, given: Json, found: list[Problem]) -> None:
    for name, value in given.items():
        if type(value) is not str:
            found.append(wrong_type(f"{path}.{name}", str, value))
        elif name.lower() in RESERVED_HEADERS:
            found.append(problem(f"{path}.{name}", say.RESERVED_HEADER.format(name)))
        elif not HEADER_NAME.fullmatch(name) or "\r" in value or "\n" in value:
            found.append(problem(f"{path}.{name}", say.ODD_HEADER))


def texts(path: str, given: Json, most: int, found: list[Problem], and_these: Json | None = None) -> None:
    """Names and string values, with a size in bytes. A number gives a 400 [observed]."""
    for name, value in given.items():
        if type(value) is not str:
            found.append(wrong_type(f"{path}.{name}", str, value))
            return
    together = given if not and_these else {**and_these, **given}
    if any(type(v) is not str for v in together.values()):
        return  # named at message level already
    if (size := escaped_size(together)) > most:
        found.append(problem(path, say.TOO_BIG.format(most, size)))


def send_at(path: str, when: Any, now: float, found: list[Problem]) -> None:
    if when is not None and when > now + FARTHEST_SEND_AT:
        found.append(problem(path, say.TOO_FAR))
