"""POST /v3/mail/send: refuse what SendGrid refuses, take the rest, and fail the way it was told to fail."""

from __future__ import annotations

import gzip
import math
import zlib
from typing import TYPE_CHECKING, Any

import orjson

from . import error_texts as say
from .faults import MAIL_SEND, Fault
from .limits import Json, Problem, domain, problem
from .refusals import problems
from .substitutions import Disagreement, render
from .wire import Answer, Request

if TYPE_CHECKING:
    from .double import SendGridDouble

SLOW = 0.2  # seconds, where a script does not say
RESET_AFTER = 1.0


def errors(status: int, found: list[Problem] | None = None, **more: Any) -> Answer:
    body = orjson.dumps({"errors": found or [{"message": say.STATUS[status], "field": None, "help": None}]})
    return Answer(status, body, {"Content-Type": "application/json"}, **more)


def json_body(request: Request) -> Any:
    """The parsed body, or the Answer that refuses it: 415 for another type, 400 for what is not JSON."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return errors(415)
    body = request.body
    encoding = request.headers.get("content-encoding", "")
    if encoding not in ("", "identity", "gzip"):  # gzip is [documented], nothing else is
        return errors(415)
    try:
        return orjson.loads(gzip.decompress(body) if encoding == "gzip" else body)
    except (orjson.JSONDecodeError, OSError, EOFError, zlib.error):
        return errors(400)


def mail_send(sg: SendGridDouble, request: Request) -> Answer:
    """Validate, take, answer: in this order, so that what the answer hides has really happened."""
    if request.too_large:
        return errors(413)
    fault = sg.faults.next(MAIL_SEND)
    if not fault.behaviour.takes:
        return failing(sg, fault)
    mail = json_body(request)
    if isinstance(mail, Answer):
        return mail
    found = problems(mail, sg.clock().timestamp(), sg.batches.known) or poisoned(sg, mail)
    if found:
        sg.refused += 1
        return errors(400, found)
    if sg.senders is not None and not any(verified(sg.senders, who) for who in senders_of(mail)):
        return errors(403)
    parts, unsure = rendered(sg, mail)
    if unsure:
        sg.disagreements += unsure
        return errors(400, [doubted(d) for d in unsure])
    if mail.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"):
        sg.sandboxed += len(mail["personalizations"])
        return Answer(200)  # valid, not queued, no message id [documented]
    message_id = sg.accept(mail, parts)
    return Answer(
        fault.behaviour.status or 202,
        headers={} if fault.behaviour.status else {"X-Message-Id": message_id},
        then=fault.behaviour.then,
        after=(SLOW if fault.seconds is None else fault.seconds) if fault.name == "slow" else 0.0,
    )


def failing(sg: SendGridDouble, fault: Fault) -> Answer:
    """The mail is not taken, and the answer says so, lies, or never comes."""
    if fault.name == "stop_listening":
        sg.server.vanish(fault.seconds)
    if fault.name == "refuse_recipient":
        return errors(400, [problem(f"personalizations.{fault.index}.to", say.NOT_AN_ADDRESS)])
    if fault.name == "429":
        reset_at = sg.clock().timestamp() + (RESET_AFTER if fault.seconds is None else fault.seconds)
        answer = errors(429)
        answer.headers |= {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(math.ceil(reset_at))}
        return answer
    return errors(fault.behaviour.status or 500, then=fault.behaviour.then)


def poisoned(sg: SendGridDouble, mail: Json) -> list[Problem]:
    if not sg.poison:
        return []
    return [
        problem(f"personalizations.{index}.to", say.NOT_AN_ADDRESS) if named else problem(None, say.STATUS[400])
        for index, person in enumerate(mail["personalizations"])
        for someone in person["to"]
        if (named := sg.poison.get(someone["email"].lower())) is not None
    ]


def senders_of(mail: Json) -> list[Json]:
    return [mail["from"]]  # a personalization's own from has the same domain, or was refused


def verified(senders: frozenset[str], who: Json) -> bool:
    return domain(who) in senders or who["email"].lower() in senders


def rendered(sg: SendGridDouble, mail: Json) -> tuple[dict[int, dict[str, str]], list[Disagreement]]:
    """The final parts by personalization, for those that are kept or checked, and every doubt about them."""
    people = mail["personalizations"]
    tags = frozenset[str]().union(*(person.get("substitutions", ()) for person in people))
    chosen: Any = range(len(people))
    if sg.keep != "full":
        chosen = {"all": chosen, "sample": sorted({0, len(people) // 2, len(people) - 1}), "off": ()}[sg.substitute]
        chosen = chosen if tags else ()
    shared = {block["type"]: block["value"] for block in mail.get("content", ())}
    final, unsure = {}, []
    for index in chosen:
        person = people[index]
        parts = {
            "subject": person.get("subject") or mail.get("subject", ""),
            "text": shared.get("text/plain", ""),
            "html": shared.get("text/html", ""),
            "reply_to": mail.get("reply_to", {}).get("email", ""),
        }
        if tags:
            parts, more = render(index, parts, person.get("substitutions", {}), tags)
            unsure += more
        final[index] = parts
    return final, unsure


def doubted(doubt: Disagreement) -> Problem:
    return problem(
        f"personalizations.{doubt.personalization}.substitutions",
        f"The double refuses this: the {doubt.part} depends on the order of replacement ({', '.join(doubt.results)}).",
    )
