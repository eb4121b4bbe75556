"""Sales: one lead on a phone, with its reasons, and three answers. Looking decides nothing; the first answer counts."""

import re
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from sqlmodel import Session

from models import activity, handoff
from models.activity import ContactActivity
from models.handoff import Decision, HandoffLead
from models.queries import call_list, sales_answers
from models.queries.call_list import Colleague
from nurture.rendering.links import HANDOFF, SALES
from nurture.rules.feedback.reactions import NOT_A_FIT, NOT_NOW
from nurture.rules.handoff.qualification import ABOUT_THE_COMPANY
from nurture.rules.intake.names import full_name
from nurture.web.dependencies import Dependencies
from nurture.web.request_body import form_of, read_body

MOST_BYTES = 64_000
LONGEST_NOTE = 500
MOST_ACTIVITIES = 8
MOST_COLLEAGUES = 12
REASONS_FOR = {Decision.RECYCLED: NOT_NOW, Decision.REJECTED: NOT_A_FIT, Decision.ACCEPTED: {"": ""}}
CHOICES = {
    "accept": Decision.ACCEPTED,
    "recycle": Decision.RECYCLED,
    "reject": Decision.REJECTED,
}  # in the mail's links
SAID: dict[str, str] = {Decision.ACCEPTED: "Accepted", Decision.RECYCLED: "Not now", Decision.REJECTED: "Not a fit"}
ACTIVITY_WORDS = {
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


@dataclass(frozen=True, slots=True)
class ShownColleague:
    """Somebody of the account on the lead's page."""

    colleague: Colleague
    name: str


@dataclass(frozen=True, slots=True)
class ShownActivity:
    """Something the lead did, in words."""

    words: str
    at: datetime
    detail: str | None


@dataclass(frozen=True, slots=True)
class LeadView:
    """What the record says of a lead that was handed to sales. `said…`: what sales answered, if they did."""

    lead: HandoffLead
    name: str
    dial: str  # the phone number as a link needs it
    colleagues: list[ShownColleague]
    activities: list[ShownActivity]
    said: str | None
    said_why: str | None
    said_note: str


@dataclass(frozen=True, slots=True)
class LeadPage:
    """What lead.html shows. `choice`: the answer preselected; `complaint`: what was wrong with the last one."""

    view: LeadView
    choice: str
    complaint: str
    here: str
    mine: str
    not_now: dict[str, str]
    not_a_fit: dict[str, str]
    now: datetime


@dataclass(frozen=True, slots=True)
class ListedLead:
    """A lead in a salesperson's list, and where its page is."""

    lead: HandoffLead
    name: str
    link: str


@dataclass(frozen=True, slots=True)
class SalesPage:
    """What sales.html shows: the open leads of one salesperson, the most urgent first."""

    leads: list[ListedLead]
    owner: str
    now: datetime


def routes(web: Dependencies) -> APIRouter:
    """`/h/{token}`, one lead and the answer to it; `/sales/{token}`, all open leads of a salesperson."""
    router = APIRouter()

    @router.api_route("/h/{token}", methods=["GET", "HEAD"])
    def show_lead(token: str, choice: str = "") -> Response:
        """Links in the mail bring their answer along as `choice`: it is preselected, never decided."""
        handoff_id = web.links.read(HANDOFF, token, web.now())
        return _show(web, handoff_id, token, CHOICES.get(choice, "")) if handoff_id else _gone(web)

    @router.post("/h/{token}")
    async def decide(token: str, request: Request) -> Response:
        body = await read_body(request, MOST_BYTES)
        if body is None:
            return Response(status_code=413)
        return await run_in_threadpool(_decide, web, token, body)

    @router.api_route("/sales/{token}", methods=["GET", "HEAD"])
    def mine(token: str) -> Response:
        now = web.now()
        handoff_id = web.links.read(SALES, token, now)
        with web.reading() as session:
            one = handoff.handoff_lead(session, handoff_id) if handoff_id else None
            if one is None:
                return _gone(web)
            leads = handoff.open_leads(session, one.owner_email)
        listed = [ListedLead(lead, _name(lead), web.path(web.links.handoff(lead.id, now))) for lead in leads]
        return web.pages.page("sales.html", SalesPage(listed, one.owner_name or one.owner_email, now))

    return router


def _gone(web: Dependencies) -> Response:
    return web.pages.page("sales_gone.html", status=404)


def _show(
    web: Dependencies, handoff_id: int, token: str, choice: str, complaint: str = "", status: int = 200
) -> Response:
    now = web.now()
    with web.reading() as session:
        lead = handoff.handoff_lead(session, handoff_id)
        if lead is None:
            return _gone(web)
        view = _view(session, lead, now)
    mine = web.path(web.links.sales(handoff_id, now))
    values = LeadPage(view, choice, complaint, f"/h/{token}", mine, NOT_NOW, NOT_A_FIT, now)
    return web.pages.page("lead.html", values, status)


def _decide(web: Dependencies, token: str, body: bytes) -> Response:
    handoff_id = web.links.read(HANDOFF, token, web.now())
    if not handoff_id:
        return _gone(web)
    form = form_of(body)
    decision, reason = form.get("decision", ""), form.get("reason", "")
    if decision not in SAID:
        return _show(web, handoff_id, token, "", "Please choose one of the three answers.", 422)
    if reason not in REASONS_FOR[Decision(decision)]:
        return _show(web, handoff_id, token, decision, "Please say why: it teaches the score.", 422)
    note = _CONTROLS.sub(" ", form.get("note", "")).strip()[:LONGEST_NOTE]
    why = ": ".join(part for part in (reason, note) if part) or None
    web.write(lambda session: sales_answers.answer(session, handoff_id, decision, why, web.now(), ABOUT_THE_COMPANY))
    return RedirectResponse(f"/h/{token}", 303)  # shows what stands, which may be an earlier answer


def _view(session: Session, lead: HandoffLead, now: datetime) -> LeadView:
    group = call_list.colleagues(session, [lead.account_id]).get(lead.account_id, []) if lead.account_id else []
    did = activity.latest(session, [lead.contact_id], now, MOST_ACTIVITIES).get(lead.contact_id, [])
    reason, _, note = (lead.decided_why or "").partition(": ")
    return LeadView(
        lead=lead,
        name=_name(lead),
        dial=re.sub(r"[^0-9+]", "", lead.phone or ""),
        colleagues=[ShownColleague(one, _colleague_name(one)) for one in group[:MOST_COLLEAGUES]],
        activities=[ShownActivity(_words(one), one.at, one.detail) for one in did],
        said=SAID.get(lead.state),
        said_why=(NOT_NOW | NOT_A_FIT).get(reason, reason if note else lead.decided_why or ""),
        said_note=note,
    )


def _words(did: ContactActivity) -> str:
    return ACTIVITY_WORDS.get(did.kind, did.kind.replace("_", " ").capitalize())


def _name(lead: HandoffLead) -> str:
    return full_name(lead.first_name, lead.last_name) or lead.email or "Somebody"


def _colleague_name(colleague: Colleague) -> str:
    return full_name(colleague.first_name, colleague.last_name) or "Somebody"
