"""What SendGrid's answer means, in our words, and what a person has to do where it is a no."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import orjson

from nurture.channels.sendgrid.wire import Reply
from nurture.rules.delivery.states import BUSY_WAIT, Answer, Verdict

LONGEST_WAIT = timedelta(hours=1)  # no rate limit of SendGrid's lasts longer
PERSON = re.compile(r"personalizations[.\[](\d+)")
CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
VERDICTS = {  # status → what is known; what is not here is unknown
    400: Verdict.REFUSED, 413: Verdict.REFUSED, 429: Verdict.BUSY,
    401: Verdict.STOP, 403: Verdict.STOP, 404: Verdict.STOP, 405: Verdict.STOP, 406: Verdict.STOP,
    411: Verdict.STOP, 414: Verdict.STOP, 415: Verdict.STOP, 422: Verdict.STOP,
}  # fmt: skip
REMEDY = {
    401: "SendGrid does not take the key (401): it is wrong, lacks the scope “Mail Send”, or the account's credits are "
         "used up. Mend SENDGRID_API_KEY or the plan",
    403: "SendGrid does not know the sender (403): verify its domain at SendGrid, Settings, Sender Authentication; or "
         "the account is blocked: ask SendGrid why",
    404: "SendGrid has no such page (404): is SENDGRID_HOST right? https://api.sendgrid.com or https://api.eu.sendgrid.com",
}  # fmt: skip


def verdict(status: int, provider_id: str | None) -> Verdict:
    """The class of a complete HTTP answer. 202 counts only with SendGrid's own id: a cut reply has none."""
    if status == 202:
        return Verdict.TAKEN if provider_id else Verdict.UNKNOWN
    return VERDICTS.get(status, Verdict.UNKNOWN)


def read(reply: Reply, n: int, now: datetime, *, sandbox: bool = False) -> Answer:
    """The meaning of a whole reply to a request for `n` people."""
    status, provider_id = reply.status, reply.headers.get("X-Message-Id") or None
    if status == 200 and sandbox:
        return Answer(Verdict.TRIED, status, detail="SendGrid's sandbox found nothing wrong; nothing was sent")
    found = verdict(status, provider_id)
    errors = [] if found is Verdict.TAKEN else _errors(reply.body)
    said = "; ".join(dict.fromkeys(error.message for error in errors))[:300]
    match found:
        case Verdict.TAKEN:
            return Answer(found, status, provider_id)
        case Verdict.BUSY:
            return Answer(
                found, status, detail=f"SendGrid asks us to slow down ({status})", retry_at=retry_at(reply, now)
            )
        case Verdict.STOP:
            remedy = REMEDY.get(status, f"SendGrid refuses the way we ask ({status}); this is a mistake in the program")
            return Answer(found, status, detail=f"{remedy}. It said: {said or 'nothing'}")
        case Verdict.REFUSED if status == 400:
            return _refused(status, errors, said, n)
        case Verdict.REFUSED:
            return Answer(found, status, detail=f"the request is too large ({status})")
        case _:
            cut = " without its X-Message-Id" if status == 202 else ""
            return Answer(
                Verdict.UNKNOWN, status, detail=f"SendGrid answered {status}{cut}: it may have taken the letters"
            )


class SendGridError(NamedTuple):
    """One of the errors that a reply lists: which field of the request, and what is wrong with it."""

    field: str
    message: str


def _refused(status: int, errors: list[SendGridError], said: str, n: int) -> Answer:
    """Named recipients are refused alone. What is wrong for all of them stops the campaign: halving could not help."""
    named = {int(at[1]): message for field, message in errors if (at := PERSON.match(field)) and int(at[1]) < n}
    shared = sorted({field for field, _ in errors if field and not field.startswith("personalizations")})
    if shared:
        blamed = ", ".join(shared)
        detail = f"SendGrid refuses this campaign's letters for their {blamed} (400): {said}. Mend the campaign"
        return Answer(Verdict.STOP, status, detail=detail, campaign_only=True)
    return Answer(Verdict.REFUSED, status, detail=said or "refused without a reason (400)", refused=named)


def _errors(body: bytes) -> list[SendGridError]:
    try:
        listed = orjson.loads(body)["errors"]
        return [
            SendGridError(str(e.get("field") or ""), CONTROLS.sub(" ", str(e.get("message") or "")).strip())
            for e in listed
        ]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return []


def retry_at(reply: Reply, now: datetime) -> datetime:
    """When SendGrid may be asked again after it asked us to slow down: as it says, but soon."""
    try:
        reset = datetime.fromtimestamp(int(reply.headers.get("X-RateLimit-Reset") or ""), UTC)
    except (ValueError, OverflowError, OSError):
        return now + BUSY_WAIT
    return min(max(reset, now + timedelta(seconds=1)), now + LONGEST_WAIT)
