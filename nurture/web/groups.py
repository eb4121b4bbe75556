"""The buying group of an account on a phone: who decides, who has been reached, who is missing, what comes next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from sqlmodel import Session

from models import confirmation, handoff
from models.account_pause import ActivePause
from models.confirmation import Confirmed
from models.queries import buying_group
from models.queries.buying_group import (
    GroupAccount,
    GroupActivity,
    GroupMember,
    ListedAccount,
    MemberLetters,
    OpenDeal,
)
from models.segment import ROLES
from nurture.config import solutions
from nurture.rendering.links import GROUP, HANDOFF
from nurture.rules.intake.names import full_name
from nurture.rules.segmentation.segments import not_to_be_confirmed
from nurture.rules.segmentation.solution_group import Solution, SolutionGroup, solution_group
from nurture.web.account_pause import Speaker, change_pause, pause_in_force
from nurture.web.dependencies import Dependencies
from nurture.web.middleware import is_local
from nurture.web.request_body import form_of, read_body

MOST_BYTES = 16_000
AT_THIS_MACHINE = "somebody at this machine"  # who speaks on a page that marketing opened
EVERYTHING = Solution("", "Everything", ())


class GroupLink(NamedTuple):
    """The link a group's page was opened by: "g" from our own list, "h" from the mail about a lead."""

    kind: str
    token: str

    @property
    def here(self) -> str:
        """The page's own path."""
        return f"/h/{self.token}/group" if self.kind == "h" else f"/g/{self.token}"

    @property
    def back(self) -> str:
        """The path of the page before it."""
        return f"/h/{self.token}" if self.kind == "h" else "/groups"


@dataclass(frozen=True, slots=True)
class ShownMember:
    """One of the people on the page. `seen`: the last thing they did about the solution."""

    member: GroupMember
    name: str
    seen: GroupActivity | None
    confirmed: Confirmed | None  # what a person said of the role
    letters: MemberLetters


@dataclass(frozen=True, slots=True)
class GroupView:
    """What the record says of an account's group and one solution."""

    solutions: Sequence[Solution]
    chosen: Solution
    group: SolutionGroup
    deals: list[OpenDeal]
    names: dict[int, str]
    people: list[ShownMember]


@dataclass(frozen=True, slots=True)
class GroupPage:
    """What group.html shows. `tomorrow`: the first day a pause may end on."""

    view: GroupView
    account: GroupAccount
    pause: ActivePause | None
    tomorrow: date
    link: GroupLink
    complaint: str
    roles: tuple[str, ...]
    now: datetime


class ListedGroup(NamedTuple):
    """An account in the list, and where its group's page is."""

    account: ListedAccount
    link: str


@dataclass(frozen=True, slots=True)
class GroupsPage:
    """What groups.html shows. `name`: what was searched for."""

    groups: list[ListedGroup]
    name: str
    now: datetime


def routes(web: Dependencies) -> APIRouter:
    """`/groups`, `/g/{token}` and `/h/{token}/group`: the list, and a group's page by either of its two links."""
    router = APIRouter()

    @router.api_route("/g/{token}", methods=["GET", "HEAD"])
    def show_group(token: str, solution: str = "") -> Response:
        return _show(web, GroupLink("g", token), solution)

    @router.api_route("/h/{token}/group", methods=["GET", "HEAD"])
    def show_group_of_lead(token: str, solution: str = "") -> Response:
        return _show(web, GroupLink("h", token), solution)

    @router.post("/g/{token}")
    async def say(token: str, request: Request) -> Response:
        return await _answer(web, GroupLink("g", token), request)

    @router.post("/h/{token}/group")
    async def say_from_lead(token: str, request: Request) -> Response:
        return await _answer(web, GroupLink("h", token), request)

    @router.api_route("/groups", methods=["GET", "HEAD"])
    def groups(request: Request, name: str = "") -> Response:
        if not is_local(request):
            raise HTTPException(403, "This list can only be read on the machine it is on, at http://127.0.0.1.")
        name = name.replace("\0", "").strip()[:100]
        with web.reading() as session:
            accounts = buying_group.accounts(session, web.now(), name=name)
        listed = [ListedGroup(one, web.path(web.links.group(one.id, web.now()))) for one in accounts]
        return web.pages.page("groups.html", GroupsPage(listed, name, web.now()))

    return router


def _gone(web: Dependencies) -> Response:
    return web.pages.page("sales_gone.html", status=404)


def _speaker(web: Dependencies, link: GroupLink) -> Speaker | None:
    """The account a link opens, and in whose name it speaks; None where the link opens nothing."""
    if link.kind == "g":
        account_id = web.links.read(GROUP, link.token, web.now())
        return Speaker(account_id, AT_THIS_MACHINE) if account_id else None
    handoff_id = web.links.read(HANDOFF, link.token, web.now())
    with web.reading() as session:
        lead = handoff.handoff_lead(session, handoff_id) if handoff_id else None
    return Speaker(lead.account_id, lead.owner_email) if lead and lead.account_id else None


def _show(web: Dependencies, link: GroupLink, wanted: str, complaint: str = "", status: int = 200) -> Response:
    """The page of a group. `wanted`: the slug of a solution; `complaint`: what was wrong with the last answer."""
    by, now = _speaker(web, link), web.now()
    with web.reading() as session:
        account = buying_group.account(session, by.account_id) if by else None
        if account is None:
            return _gone(web)
        view = group_view(session, account.id, solutions.read(web.settings.rules), wanted, now)
        pause = pause_in_force(session, account.id, now)
    tomorrow = (now + timedelta(days=1)).date()
    values = GroupPage(view, account, pause, tomorrow, link, complaint, ROLES, now)
    return web.pages.page("group.html", values, status)


async def _answer(web: Dependencies, link: GroupLink, request: Request) -> Response:
    body = await read_body(request, MOST_BYTES)
    return Response(status_code=413) if body is None else await run_in_threadpool(_write, web, link, body)


def _write(web: Dependencies, link: GroupLink, body: bytes) -> Response:
    """Do what a form of the page says: pause or resume the account's letters, or confirm somebody's role."""
    by, form = _speaker(web, link), form_of(body)
    if by is None:
        return _gone(web)
    if "do" in form:
        zone = ZoneInfo(web.settings.sales_zone)
        wrong = web.write(lambda session: change_pause(session, form, by, zone, web.now()))
        return _unchanged(web, link, "", wrong) if wrong else RedirectResponse(link.here, 303)
    contact, said, wanted = form.get("contact", ""), {"role": form.get("role", "")}, form.get("solution", "")
    if wrong := not_to_be_confirmed(said, ()) or "":
        return _unchanged(web, link, wanted, wrong)

    def write(session: Session) -> bool:
        known = {str(member.id): member.id for member in buying_group.members(session, by.account_id)}
        if contact in known:
            confirmation.confirm(session, known[contact], said, by.name, web.now())
        return contact in known

    if not web.write(write):
        return _unchanged(web, link, wanted, "this person is not at this account any more")
    known = {one.slug for one in solutions.read(web.settings.rules)}
    return RedirectResponse(link.here + (f"?solution={wanted}" if wanted in known else "") + f"#p{contact}", 303)


def _unchanged(web: Dependencies, link: GroupLink, wanted: str, wrong: str) -> Response:
    return _show(web, link, wanted, f"Nothing was changed: {wrong}.", 422)


def group_view(session: Session, account_id: int, known: Sequence[Solution], wanted: str, now: datetime) -> GroupView:
    """What the record says of an account and one solution: the wanted one, else the one most of it is about."""
    members = buying_group.members(session, account_id)
    ids = [member.id for member in members]
    activities, letters = buying_group.activities(session, ids, now), buying_group.letters(session, ids)
    deals, words = buying_group.open_deals(session, account_id, now), confirmation.confirmed_fields(session, ids)
    chosen = _chosen(known, wanted, deals, activities)
    seen: dict[int, GroupActivity] = {}
    for activity in activities:  # newest first
        if chosen.concerns(activity):
            seen.setdefault(activity.contact_id, activity)
    names = {member.id: full_name(member.first_name, member.last_name) or member.email for member in members}
    people = [
        ShownMember(
            member, names[member.id], seen.get(member.id), words.get(member.id, {}).get("role"),
            letters.get(member.id, MemberLetters()),
        )
        for member in members
    ]  # fmt: skip
    return GroupView(known, chosen, solution_group(members, activities, chosen, now), deals, names, people)


def _chosen(
    known: Sequence[Solution], wanted: str, deals: Sequence[OpenDeal], activities: Sequence[GroupActivity]
) -> Solution:
    """The solution with the slug `wanted`, else that of a deal, else the one most activities are about."""
    for one in known:
        if one.slug == wanted:
            return one
    dealt = next((one for deal in deals for one in known if one.is_meant_by(deal.solution)), None)
    if dealt or not known:
        return dealt or EVERYTHING
    return max(known, key=lambda one: sum(map(one.concerns, activities)))
