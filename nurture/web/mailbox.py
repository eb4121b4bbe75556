"""The mailbox: read every letter as its recipient would. Only on this machine, only while nothing leaves it."""

import re
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import default
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from models.queries.mailbox import MailboxFilter, PostedLetter, accepted_letters, campaigns_in_mailbox
from nurture.channels.mailbox import path
from nurture.rules.languages import own_name
from nurture.web.dependencies import Dependencies
from nurture.web.middleware import is_local

A_PAGE = 50
LETTERS_POLICY = (  # a letter may be styled and show pictures; it runs nothing, and its links open beside it
    "default-src 'none'; style-src 'unsafe-inline'; img-src data: https:; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
SHOWN = ("From", "To", "Reply-To", "Date", "List-Unsubscribe", "List-Unsubscribe-Post", "Message-ID", "X-Category")


def only_here(request: Request) -> None:
    """Refuse everybody who is not at this machine: these pages show people's mail."""
    if not is_local(request):
        raise HTTPException(
            403, "The mailbox can only be read on the machine it is on, at http://127.0.0.1, without a proxy."
        )


class LetterHead(NamedTuple):
    """What a list shows of a letter: its subject, and its recipient as the letter names them."""

    subject: str
    to: str


@dataclass(frozen=True, slots=True)
class ShownLetter:
    """A line of the mailbox: what the record and the letter's own head say of it."""

    posted: PostedLetter
    head: LetterHead


@dataclass(frozen=True, slots=True)
class MailboxPage:
    """What mailbox.html shows. `wanted`: what was searched for; `newer`, `older`: links to the pages beside it."""

    letters: list[ShownLetter]
    total: int
    wanted: MailboxFilter
    campaigns: list[str]
    languages: dict[str, str]
    newer: str | None
    older: str | None


@dataclass(frozen=True, slots=True)
class LetterPage:
    """What letter.html shows."""

    id: int
    subject: str
    headers: list[tuple[str, str]]
    text: str


def routes(web: Dependencies) -> APIRouter:
    """`/mailbox` and below: the list, a letter, its html and its file."""
    router = APIRouter(dependencies=[Depends(only_here)])
    folder = web.settings.var / "mailbox"

    @router.api_route("/mailbox", methods=["GET", "HEAD"])
    def letters(campaign: str = "", address: str = "", language: str = "", text: str = "", page: str = "1") -> Response:
        given = (campaign, address.strip().lower(), language, text)
        wanted = MailboxFilter._make(value.replace("\0", "")[:254] for value in given)
        number = int(page) if re.fullmatch(r"[1-9][0-9]{0,5}", page) else 1
        return web.pages.page("mailbox.html", _list(web, folder, wanted, number))

    @router.api_route("/mailbox/{message_id}", methods=["GET", "HEAD"])
    def letter(message_id: str) -> Response:
        mail = _read(_file_of(folder, message_id))
        headers = [(name, str(mail[name])) for name in SHOWN if mail[name]]
        subject = str(mail["Subject"] or "(no subject)")
        return web.pages.page("letter.html", LetterPage(int(message_id), subject, headers, _part(mail, "plain")))

    @router.api_route("/mailbox/{message_id}/html", methods=["GET", "HEAD"])
    def html(message_id: str) -> Response:
        policy = {"Content-Security-Policy": LETTERS_POLICY}
        return HTMLResponse(_links_beside(_part(_read(_file_of(folder, message_id)), "html")), headers=policy)

    @router.api_route("/mailbox/{message_id}/raw", methods=["GET", "HEAD"])
    def raw(message_id: str) -> Response:
        file = _file_of(folder, message_id)
        headers = {"Content-Disposition": f'attachment; filename="letter-{file.name}"'}
        return Response(file.read_bytes(), media_type="message/rfc822", headers=headers)

    return router


def _list(web: Dependencies, folder: Path, wanted: MailboxFilter, number: int) -> MailboxPage:
    """One page of the letters that were accepted, the newest first."""
    with web.reading() as session:
        rows, total = accepted_letters(session, wanted, (number - 1) * A_PAGE, A_PAGE)
        campaigns = campaigns_in_mailbox(session)
    return MailboxPage(
        letters=[ShownLetter(row, _letter_head(path(folder, row.id))) for row in rows],
        total=total,
        wanted=wanted,
        campaigns=campaigns,
        languages={language: own_name(language) for language in web.pages.words},
        newer=_page(wanted, number - 1) if number > 1 else None,
        older=_page(wanted, number + 1) if number * A_PAGE < total else None,
    )


def _file_of(folder: Path, message_id: str) -> Path:
    file = path(folder, int(message_id)) if re.fullmatch(r"[1-9][0-9]{0,17}", message_id) else None
    if file is None or not file.exists():
        raise HTTPException(404, "There is no such letter in the mailbox.")
    return file


def _letter_head(file: Path) -> LetterHead:
    try:
        with file.open("rb") as lines:
            mail = BytesHeaderParser(policy=default).parse(lines)
    except FileNotFoundError:
        return LetterHead("(its file is gone)", "")
    return LetterHead(str(mail["Subject"] or "(no subject)"), str(mail["To"] or ""))


def _read(file: Path) -> EmailMessage:
    return message_from_bytes(file.read_bytes(), policy=default)


def _part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    return str(body.get_content()) if body else ""


def _links_beside(html: str) -> str:
    """The letter's links open in a tab of their own. Within its head: before its doctype it would change the layout."""
    base = '<base target="_blank">'
    within, times = re.subn(r"(<head\b[^>]*>)", rf"\1{base}", html, count=1, flags=re.IGNORECASE)
    return within if times else html + base


def _page(wanted: MailboxFilter, number: int) -> str:
    return "/mailbox?" + urlencode(
        {**{name: value for name, value in wanted._asdict().items() if value}, "page": number}
    )
