"""The careful look at a mail/send body: everything that is wrong with it, in SendGrid's words.

`problems(mail, now, batch_ids)` answers `[{"message", "field", "help"}]`, empty when the mail is fine.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

from . import error_texts as say
from .limits import (
    LONGEST_CATEGORY,
    MOST_CATEGORIES,
    MOST_CUSTOM_ARGS,
    MOST_PERSONALIZATIONS,
    MOST_RECIPIENTS,
    MOST_SUBSTITUTIONS,
    PERSONAL,
    SWITCHES,
    TOP,
    Json,
    Problem,
    domain,
    headers,
    one_address,
    problem,
    send_at,
    shape,
    texts,
    wrong_type,
)
from .quick import surely_fine


def problems(mail: object, now: float, batch_ids: Container[str] = ()) -> list[Problem]:
    """Everything wrong with one mail/send body. `now` in unix seconds."""
    if type(mail) is not dict:
        return [problem(None, "Bad Request")]
    found = shape(mail, TOP, "")
    if found:
        return found
    found += message_level(mail, now, batch_ids)
    people = mail.get("personalizations") or []
    if not people:
        found.append(problem("personalizations", say.NO_PERSONALIZATION))
    if len(people) > MOST_PERSONALIZATIONS:
        found.append(problem("personalizations", say.TOO_MANY_PERSONALIZATIONS.format(len(people))))
        return found
    seen: dict[str, str] = {}
    for index, person in enumerate(() if surely_fine(mail, people) else people):
        personalization(f"personalizations.{index}", person, mail, now, seen, found)
    if len(seen) > MOST_RECIPIENTS:
        found.append(problem("personalizations", say.TOO_MANY_RECIPIENTS))
    if not mail.get("subject") and not mail.get("template_id") and not all(has_subject(person) for person in people):
        found.append(problem("subject", say.NO_SUBJECT))
    return found


def has_subject(person: object) -> bool:
    return type(person) is dict and bool(person.get("subject"))


def message_level(mail: Json, now: float, batch_ids: Container[str]) -> list[Problem]:
    found: list[Problem] = []
    sender = mail.get("from")
    if not sender or not sender.get("email"):
        found.append(problem("from.email", say.NO_FROM))
    else:
        one_address("from", sender, found)
    if "reply_to" in mail:
        one_address("reply_to", mail["reply_to"], found)
    if "reply_to" in mail and "reply_to_list" in mail:
        found.append(problem("reply_to_list", say.TWO_REPLY_TOS))
    content(mail, found)
    categories(mail.get("categories", []), found)
    headers("headers", mail.get("headers", {}), found)
    texts("custom_args", mail.get("custom_args", {}), MOST_CUSTOM_ARGS, found)
    send_at("send_at", mail.get("send_at"), now, found)
    if "batch_id" in mail and mail["batch_id"] not in batch_ids:
        found.append(problem("batch_id", say.UNKNOWN_BATCH))
    if "asm" in mail and type(mail["asm"].get("group_id")) is not int:
        found.append(problem("asm.group_id", say.NO_GROUP))
    for index, file in enumerate(mail.get("attachments", [])):
        for name in ("content", "filename"):
            value = file.get(name) if type(file) is dict else None
            if type(value) is not str or not value:
                found.append(problem(f"attachments.{index}.{name}", say.EMPTY_ATTACHMENT.format(name)))
    for settings, names in SWITCHES.items():
        for name in names:
            switch = mail.get(settings, {}).get(name, {})
            enable = switch.get("enable", False) if type(switch) is dict else switch
            if type(enable) is not bool:
                found.append(wrong_type(f"{settings}.{name}.enable", bool, enable))
    return found


def content(mail: Json, found: list[Problem]) -> None:
    blocks = mail.get("content", [])
    if not blocks and not mail.get("template_id"):
        found.append(problem("content", say.NO_CONTENT))
    kinds = []
    for index, block in enumerate(blocks):
        block = block if type(block) is dict else {}
        kind = block.get("type")
        kinds.append(kind)
        if type(kind) is not str or not re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", kind):
            found.append(problem(f"content.{index}.type", say.ODD_CONTENT_TYPE))
        if type(block.get("value")) is not str or not block["value"]:
            found.append(problem(f"content.{index}.value", say.EMPTY_CONTENT))
    order = [k for k in kinds if k in ("text/plain", "text/html")]
    if kinds[: len(order)] != order or order not in ([], ["text/plain"], ["text/html"], ["text/plain", "text/html"]):
        found.append(problem("content", say.CONTENT_ORDER))


def categories(given: list[Any], found: list[Problem]) -> None:
    if len(given) > MOST_CATEGORIES:
        found.append(problem("categories", say.TOO_MANY_CATEGORIES))
    if len({str(c) for c in given}) < len(given):
        found.append(problem("categories", say.CATEGORY_TWICE))
    for index, category in enumerate(given):
        if type(category) is not str:
            found.append(wrong_type(f"categories.{index}", str, category))
        elif not category.isascii() or not 0 < len(category) <= LONGEST_CATEGORY:
            found.append(problem(f"categories.{index}", say.ODD_CATEGORY))


def personalization(
    path: str, person: object, mail: Json, now: float, seen: dict[str, str], found: list[Problem]
) -> None:
    if type(person) is not dict:
        found.append(wrong_type(path, dict, person))
        return
    if wrong := shape(person, PERSONAL, path + "."):
        found += wrong
        return
    if not person.get("to"):
        found.append(problem(path + ".to", say.NO_TO))
    for kind in ("to", "cc", "bcc"):
        for index, someone in enumerate(person.get(kind, ())):
            recipient(f"{path}.{kind}.{index}", someone, seen, found)
    if "from" in person:
        one_address(path + ".from", person["from"], found)
        if domain(person["from"]) != domain(mail.get("from")):
            found.append(problem(path + ".from", say.OTHER_DOMAIN))
    if person.get("subject") == "":
        found.append(problem(path + ".subject", say.EMPTY_SUBJECT))
    if "headers" in person:
        headers(path + ".headers", person["headers"], found)
    if "custom_args" in person:
        texts(path + ".custom_args", person["custom_args"], MOST_CUSTOM_ARGS, found, mail.get("custom_args"))
    if "substitutions" in person:
        if mail.get("template_id", "").startswith("d-"):
            found.append(problem(path + ".substitutions", say.DYNAMIC_SUBSTITUTIONS))
        texts(path + ".substitutions", person["substitutions"], MOST_SUBSTITUTIONS, found)
    if "send_at" in person:
        send_at(path + ".send_at", person["send_at"], now, found)


def recipient(path: str, someone: object, seen: dict[str, str], found: list[Problem]) -> None:
    if type(someone) is not dict:
        found.append(wrong_type(path, dict, someone))
        return
    one_address(path, someone, found)
    name = someone.get("name")
    if name and (";" in name or "," in name):
        found.append(problem(path + ".name", say.NAME_WITH_COMMA))
    address = str(someone.get("email")).lower()  # [strict] case-insensitive: a reader has one mailbox, not two
    if address in seen:
        found.append(problem(path, say.TWICE.format(address)))
    seen.setdefault(address, path)
