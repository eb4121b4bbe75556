"""Sales: one lead on a phone, with its reasons, and three answers. Looking decides nothing; the first answer counts."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from sqlalchemy import RowMapping
from sqlmodel import Session

from models import activity, handoff
from models.handoff import Decision
from models.queries import call_list
from nurture.rendering.links import HANDOFF, SALES
from nurture.rules.feedback.reactions import NOT_A_FIT, NOT_NOW
from nurture.rules.intake.names import full_name
from nurture.web.dependencies import Dependencies
from nurture.web.request_body import form_of, read_body

MOST_BYTES = 64_000
LONGEST_NOTE = 500
LATELY = 8
MOST_MEMBERS = 12
WORDS_FOR = {Decision.RECYCLED: NOT_NOW, Decision.REJECTED: NOT_A_FIT, Decision.ACCEPTED: {"": ""}}
CHOICES = {
    "accept": Decision.ACCEPTED,
    "recycle": Decision.RECYCLED,
    "reject": Decision.REJECTED,
}  # in the mail's links
SAID = {Decision.ACCEPTED: "Accepted", Decision.RECYCLED: "Not now", Decision.REJECTED: "Not a fit"}
DEEDS = {
    "page_view": "Visited a page",
    "pricing_view": "Looked at prices",
    "download": "Downloaded",
    "webinar": "Attended a webinar",
    "form": "Filled in a form",
    "demo_request": "Asked for a demo",
    "email_open": "Opened a letter",
    "email_click": "Followed a link",
    "reply": "Replied",
    "meeting": "Met us",
}
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def routes(web: Dependencies) -> APIRouter:
    router = APIRouter()

    def gone() -> Response:
        return web.pages.page("sales_gone.html", {}, 404)

    def show(handoff_id: int, token: str, choice: str, complaint: str = "", status: int = 200) -> Response:
        now = web.now()
        with web.reading() as session:
            lead = handoff.lead(session, handoff_id)
            if lead is None:
                return gone()
            context = _lead(session, lead, now)
        answer = {
            "choice": choice,
            "complaint": complaint,
            "here": f"/h/{token}",
            "mine": _path(web.links.sales(handoff_id, now)),
        }
        return web.pages.page("lead.html", context | answer, status)

    @router.api_route("/h/{token}", methods=["GET", "HEAD"])
    def look(token: str, choice: str = "") -> Response:
        """Links in the mail bring their answer along as `choice`: it is preselected, never decided."""
        handoff_id = web.links.read(HANDOFF, token, web.now())
        return show(handoff_id, token, CHOICES.get(choice, "")) if handoff_id else gone()

    @router.post("/h/{token}")
    async def decide(token: str, request: Request) -> Response:
        body = await read_body(request, MOST_BYTES)
        if body is None:
            return Response(status_code=413)
        return await run_in_threadpool(_decide, token, body)

    def _decide(token: str, body: bytes) -> Response:
        handoff_id = web.links.read(HANDOFF, token, web.now())
        if not handoff_id:
            return gone()
        form = form_of(body)
        decision, reason = form.get("decision", ""), form.get("reason", "")
        if decision not in SAID:
            return show(handoff_id, token, "", "Please choose one of the three answers.", 422)
        if reason not in WORDS_FOR[Decision(decision)]:
            return show(handoff_id, token, decision, "Please say why: it teaches the score.", 422)
        note = _CONTROLS.sub(" ", form.get("note", "")).strip()[:LONGEST_NOTE]
        why = ": ".join(part for part in (reason, note) if part) or None
        web.write(lambda session: handoff.decide(session, handoff_id, decision, why, web.now()))
        return RedirectResponse(f"/h/{token}", 303)  # shows what stands, which may be an earlier answer

    @router.api_route("/sales/{token}", methods=["GET", "HEAD"])
    def mine(token: str) -> Response:
        now = web.now()
        handoff_id = web.links.read(SALES, token, now)
        with web.reading() as session:
            one = handoff.lead(session, handoff_id) if handoff_id else None
            if one is None:
                return gone()
            leads = [dict(lead) for lead in handoff.open_leads(session, one["owner_email"])]
        for lead in leads:
            lead |= {"name": _name(lead), "link": _path(web.links.handoff(lead["id"], now))}
        owner = one["owner_name"] or one["owner_email"]
        return web.pages.page("sales.html", {"leads": leads, "owner": owner, "now": now})

    return router


def _lead(session: Session, lead: RowMapping, now: datetime) -> dict[str, Any]:
    account = lead["account_id"]
    group = call_list.members(session, [account]).get(account, [])[:MOST_MEMBERS] if account else []
    did = activity.latest(session, [lead["contact_id"]], now, LATELY).get(lead["contact_id"], [])
    reason, _, note = (lead["decided_why"] or "").partition(": ")
    return {
        "now": now,
        "lead": lead,
        "name": _name(lead),
        "dial": re.sub(r"[^0-9+]", "", lead["phone"] or ""),
        "group": [{**member, "name": _name(member)} for member in group],
        "did": [
            {**deed, "words": DEEDS.get(deed["kind"], deed["kind"].replace("_", " ").capitalize())} for deed in did
        ],
        "said": SAID.get(lead["state"]),
        "said_why": (NOT_NOW | NOT_A_FIT).get(reason, lead["decided_why"] if not note else reason),
        "said_note": note,
        "not_now": NOT_NOW,
        "not_a_fit": NOT_A_FIT,
    }


def _name(row: Mapping[str, Any] | RowMapping) -> str:
    return full_name(row["first_name"], row["last_name"]) or row.get("email") or "Somebody"


def _path(url: str) -> str:
    """A link of ours without the host: the page works wherever it was opened."""
    return "/" + url.split("/", 3)[3]
