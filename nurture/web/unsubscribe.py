"""Unsubscribe: a page with one button, and the click of a mail program (RFC 8058). Looking changes nothing."""

from fastapi import APIRouter, Request, Response

from models.address import SuppressedBy
from models.queries import letter_stops
from nurture.rendering.links import UNSUBSCRIBE
from nurture.web.dependencies import Hall
from nurture.web.pages import language_of


def routes(hall: Hall) -> APIRouter:
    router = APIRouter()

    def reader(token: str) -> letter_stops.Reader | None:
        """Whose letter this link came in. All links we cannot follow are alike to whoever tries them."""
        message_id = hall.links.read(UNSUBSCRIBE, token, hall.now())
        if message_id is None:
            return None
        with hall.reading() as session:
            return letter_stops.reader(session, message_id)

    def page(request: Request, who: letter_stops.Reader | None, state: str, token: str, status: int = 200) -> Response:
        language = language_of(who and who.locale, request.headers.get("accept-language"))
        words = hall.pages.words[language]
        context = {"words": words, "state": state, "here": f"/u/{token}"}
        return hall.pages.page("unsubscribe.html", context, status, language)

    @router.api_route("/u/{token}", methods=["GET", "HEAD"])
    def ask(token: str, request: Request) -> Response:
        """Mail scanners open every link: this only shows the button."""
        who = reader(token)
        return page(request, who, "ask", token) if who else page(request, None, "unknown", "", 404)

    @router.post("/u/{token}")
    def leave(token: str, request: Request) -> Response:
        """Always 200, at once, any number of times. The body is not read: the POST itself is the wish."""
        who, now = reader(token), hall.now()
        if who is None:
            return page(request, None, "unknown", "")
        said = letter_stops.Stop(who.address, now, SuppressedBy.UNSUBSCRIBE, "unsubscribe page", who.campaign)
        hall.write(lambda session: letter_stops.suppress_once(session, said))
        return page(request, who, "gone", token)

    @router.post("/u/{token}/back")
    def come_back(token: str, request: Request) -> Response:
        """It was a mistake: recorded, and mail may go again, unless something else forbids it."""
        who, now = reader(token), hall.now()
        if who is None:
            return page(request, None, "unknown", "")
        free = hall.write(lambda session: letter_stops.lift(session, who.address, "unsubscribe page", now))
        return page(request, who, "back" if free else "stays", token)

    return router
