"""The buying group of an account on a phone: who decides, who has been reached, who is missing, what comes next."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from sqlmodel import Session

from models import confirmation, handoff
from models.queries import buying_group
from models.segment import ROLES
from nurture.config import solutions
from nurture.rendering.links import GROUP, HANDOFF
from nurture.rules.intake.names import full_name
from nurture.rules.segmentation.segments import not_to_be_confirmed
from nurture.rules.segmentation.solution_group import Solution
from nurture.rules.segmentation.solution_group import buying_group as seated
from nurture.web import account_pause
from nurture.web.dependencies import Dependencies
from nurture.web.middleware import is_local
from nurture.web.request_body import form_of, read_body

MOST_BYTES = 16_000
HERE = "somebody at this machine"  # who speaks on a page that marketing opened
EVERYTHING = Solution("", "Everything", ())


def routes(web: Dependencies) -> APIRouter:
    router = APIRouter()

    def gone() -> Response:
        return web.pages.page("sales_gone.html", {}, 404)

    def whose(door: str, token: str) -> tuple[int, str] | None:
        """The account a link opens, and in whose name it speaks."""
        if door == "g":
            account_id = web.links.read(GROUP, token, web.now())
            return (account_id, HERE) if account_id else None
        handoff_id = web.links.read(HANDOFF, token, web.now())
        with web.reading() as session:
            lead = handoff.lead(session, handoff_id) if handoff_id else None
        return (lead["account_id"], lead["owner_email"]) if lead and lead["account_id"] else None

    def show(door: str, token: str, wanted: str, complaint: str = "", status: int = 200) -> Response:
        of = whose(door, token)
        with web.reading() as session:
            account = buying_group.account(session, of[0]) if of else None
            if account is None:
                return gone()
            known = solutions.read(web.settings.rules)
            context = group_page(session, account["id"], known, wanted, web.now())
            context |= account_pause.standing(session, account["id"], web.now())
        here = f"/h/{token}/group" if door == "h" else f"/g/{token}"
        back = f"/h/{token}" if door == "h" else "/groups"
        return web.pages.page(
            "group.html",
            context | {"account": account, "here": here, "back": back, "door": door, "complaint": complaint,
                       "roles": ROLES, "now": web.now()},
            status,
        )  # fmt: skip

    def rest(door: str, token: str, form: Mapping[str, str], of: tuple[int, str]) -> Response:
        zone = ZoneInfo(web.settings.sales_zone)
        wrong = web.write(lambda session: account_pause.do(session, form, *of, zone, web.now()))
        if wrong:
            return show(door, token, "", f"Nothing was changed: {wrong}.", 422)
        return RedirectResponse(f"/h/{token}/group" if door == "h" else f"/g/{token}", 303)

    def confirm(door: str, token: str, body: bytes) -> Response:
        of = whose(door, token)
        if of is None:
            return gone()
        form = form_of(body)
        if "do" in form:
            return rest(door, token, form, of)
        contact, said, wanted = form.get("contact", ""), {"role": form.get("role", "")}, form.get("solution", "")
        if wrong := not_to_be_confirmed(said, ()):
            return show(door, token, wanted, f"Nothing was changed: {wrong}.", 422)

        def write(session: Session) -> bool:
            mine = {str(person["id"]): person["id"] for person in buying_group.people(session, of[0])}
            if contact in mine:
                confirmation.confirm(session, mine[contact], said, of[1], web.now())
            return contact in mine

        if not web.write(write):
            return show(door, token, wanted, "Nothing was changed: this person is not at this account any more.", 422)
        here = f"/h/{token}/group" if door == "h" else f"/g/{token}"
        known = {one.slug for one in solutions.read(web.settings.rules)}
        return RedirectResponse(here + (f"?solution={wanted}" if wanted in known else "") + f"#p{contact}", 303)

    @router.api_route("/g/{token}", methods=["GET", "HEAD"])
    def look(token: str, solution: str = "") -> Response:
        return show("g", token, solution)

    @router.api_route("/h/{token}/group", methods=["GET", "HEAD"])
    def look_from_lead(token: str, solution: str = "") -> Response:
        return show("h", token, solution)

    @router.post("/g/{token}")
    async def say(token: str, request: Request) -> Response:
        body = await read_body(request, MOST_BYTES)
        return Response(status_code=413) if body is None else await run_in_threadpool(confirm, "g", token, body)

    @router.post("/h/{token}/group")
    async def say_from_lead(token: str, request: Request) -> Response:
        body = await read_body(request, MOST_BYTES)
        return Response(status_code=413) if body is None else await run_in_threadpool(confirm, "h", token, body)

    @router.api_route("/groups", methods=["GET", "HEAD"])
    def groups(request: Request, name: str = "") -> Response:
        if not is_local(request):
            raise HTTPException(403, "This list can only be read on the machine it is on, at http://127.0.0.1.")
        name = name.replace("\0", "").strip()[:100]
        with web.reading() as session:
            rows = [dict(row) for row in buying_group.accounts(session, web.now(), name=name)]
        for row in rows:
            row["link"] = "/" + web.links.group(row["id"], web.now()).split("/", 3)[3]
        return web.pages.page("groups.html", {"accounts": rows, "name": name, "now": web.now()})

    return router


def group_page(
    session: Session, account_id: int, known: Sequence[Solution], wanted: str, now: datetime
) -> dict[str, Any]:
    """Everything the page says about an account and one solution: the wanted one, else the one most in hand."""
    people = buying_group.people(session, account_id)
    ids = [person["id"] for person in people]
    deeds, letters = buying_group.deeds(session, ids, now), buying_group.letters(session, ids)
    deals, words = buying_group.deals(session, account_id, now), confirmation.record(session, ids)
    chosen = _chosen(known, wanted, deals, deeds)
    group = seated(people, deeds, chosen, now)
    seen: dict[int, Mapping[str, Any]] = {}
    for deed in deeds:  # newest first
        if chosen.concerns(deed):
            seen.setdefault(deed["contact_id"], deed)
    named = {person["id"]: full_name(person["first_name"], person["last_name"]) or person["email"] for person in people}
    return {
        "solutions": known,
        "chosen": chosen,
        "group": group,
        "deals": deals,
        "names": named,
        "people": [
            {**person, "name": named[person["id"]], "seen": seen.get(person["id"]),
             "confirmed": words.get(person["id"], {}).get("role"), "last": None, "next": None,
             **letters.get(person["id"], {})}
            for person in people
        ],
    }  # fmt: skip


def _chosen(
    known: Sequence[Solution], wanted: str, deals: Sequence[Mapping[str, Any]], deeds: Sequence[Mapping[str, Any]]
) -> Solution:
    for one in known:
        if one.slug == wanted:
            return one
    dealt = next((one for deal in deals for one in known if one.is_meant_by(deal["solution"])), None)
    if dealt or not known:
        return dealt or EVERYTHING
    return max(known, key=lambda one: sum(map(one.concerns, deeds)))
