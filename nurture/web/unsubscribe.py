"""Unsubscribe: a page with one button, and the click of a mail program (RFC 8058). Looking changes nothing."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from models.address import SuppressedBy
from models.queries import letter_stops, suppression
from models.queries.letter_stops import LetterRecipient
from models.queries.suppression import SuppressionEntry
from nurture.rendering.links import UNSUBSCRIBE
from nurture.web.dependencies import Dependencies
from nurture.web.pages import language_to_speak

HEARD_FROM = "unsubscribe page"


@dataclass(frozen=True, slots=True)
class UnsubscribePage:
    """What unsubscribe.html shows: `words` in the recipient's language, `here` is where its buttons post to."""

    words: dict[str, str]
    state: str
    here: str


def routes(web: Dependencies) -> APIRouter:
    """`/u/{token}`: the question, the answer, and the way back."""
    router = APIRouter()

    @router.api_route("/u/{token}", methods=["GET", "HEAD"])
    def ask(token: str, request: Request) -> Response:
        """Mail scanners open every link: this only shows the button."""
        recipient = _recipient(web, token)
        if recipient is None:
            return _page(web, request, None, "unknown", "", 404)
        return _page(web, request, recipient, "ask", token)

    @router.post("/u/{token}")
    def leave(token: str, request: Request) -> Response:
        """Always 200, at once, any number of times. The body is not read: the POST itself is the wish."""
        recipient, now = _recipient(web, token), web.now()
        if recipient is None:
            return _page(web, request, None, "unknown", "")
        entry = SuppressionEntry(recipient.address, now, SuppressedBy.UNSUBSCRIBE, HEARD_FROM, recipient.campaign)
        web.write(lambda session: suppression.record_once(session, entry))
        return _page(web, request, recipient, "gone", token)

    @router.post("/u/{token}/back")
    def come_back(token: str, request: Request) -> Response:
        """It was a mistake: recorded, and mail may go again, unless something else forbids it."""
        recipient, now = _recipient(web, token), web.now()
        if recipient is None:
            return _page(web, request, None, "unknown", "")
        free = web.write(lambda session: suppression.resubscribe(session, recipient.address, HEARD_FROM, now))
        return _page(web, request, recipient, "back" if free else "stays", token)

    return router


def _recipient(web: Dependencies, token: str) -> LetterRecipient | None:
    """Whose letter this link came in. All links we cannot follow are alike to whoever tries them."""
    message_id = web.links.read(UNSUBSCRIBE, token, web.now())
    if message_id is None:
        return None
    with web.reading() as session:
        return letter_stops.recipient_of(session, message_id)


def _page(
    web: Dependencies, request: Request, recipient: LetterRecipient | None, state: str, token: str, status: int = 200
) -> Response:
    """The page in the recipient's language. `state`: ask, gone, back, stays or unknown; its words are in words.toml."""
    words = web.pages.words
    language = language_to_speak(words, recipient and recipient.locale, request.headers.get("accept-language"))
    values = UnsubscribePage(words[language], state, f"/u/{token}")
    return web.pages.page("unsubscribe.html", values, status, language)
