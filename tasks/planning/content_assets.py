"""Pieces of the library: the best one each reader has not had yet is put into their letter when it is planned."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlmodel import Session

from models import campaign as campaigns_kept
from models.queries import content_assets
from nurture.rendering import LetterError, TemplateSet
from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.content_assets import Asks, Reader, choose, stage_of
from nurture.rules.planning.sequences import Member
from nurture.rules.reasons import Exit, Reason, Send, Skip, Wait

Decision = Send | Skip | Wait | Exit
ASKS = "best["  # a letter that asks the library says this; one that does not costs nothing here


class Books:
    """The letterbooks of published versions, opened once each."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.open = lru_cache(64)(self._open)
        self.asking = lru_cache(64)(self._asking)

    def _open(self, version_id: int) -> TemplateSet:
        return TemplateSet(campaigns_kept.version(self.session, version_id)["files"])

    def _asking(self, version_id: int, slug: str) -> frozenset[str]:
        """The letters of a campaign that ask the library for the best piece."""
        paths = [path for path, text in self.open(version_id).files.items() if ASKS in text]
        if any(path.startswith("_") for path in paths):  # a frame asks: all its letters may
            return frozenset(path.split("/")[1] for path in self.open(version_id).files if path.startswith(f"{slug}/"))
        return frozenset(path.split("/")[1] for path in paths if path.startswith(f"{slug}/") and path.count("/") == 2)

    def asks(self, version_id: int, slug: str, letter: str, role: str | None, locale: str) -> tuple[Asks, str]:
        """What a letter wants, as this reader gets it, and its language."""
        book = self.open(version_id)
        try:
            choice = book.files_for(slug, letter, role, locale)
        except LetterError:
            return Asks(), book.words.default  # said when it is written
        return book.asks(choice), choice.language


def offered(
    session: Session, books: Books, version_id: int, campaign: Campaign,
    decisions: Sequence[tuple[Member, Decision]], now: datetime,
) -> list[tuple[Member, Decision]]:  # fmt: skip
    """The decisions with the pieces their letters carry; a letter that needs one and finds none is skipped."""
    asking = books.asking(version_id, campaign.slug)
    whom = [member.contact_id for member, said in decisions if isinstance(said, Send) and said.letter in asking]
    if not whom:
        return list(decisions)
    book, readers = books.open(version_id), content_assets.readers(session, whom, now)
    had = _had(session, books, book, readers, now)
    out: list[tuple[Member, Decision]] = []
    for member, said in decisions:
        if not isinstance(said, Send) or said.letter not in asking:
            out.append((member, said))
            continue
        row = readers[member.contact_id]
        asks, language = books.asks(version_id, campaign.slug, said.letter, row["role"], row["locale"])
        who = Reader(
            stage_of(campaign.market, row["stage"], row["phase"]), language, (row["role"], row["title_role"]),
            row["persona"],
        )  # fmt: skip
        found = choose(book.library, asks, who, had.get(member.contact_id, ()), book.words.default)
        if found.lacking:
            why = f"every {found.lacking} that fits was had already, or there is none for this reader"
            out.append((member, Skip(Reason.NO_PIECE_LEFT, why, said.letter, said.step)))
        else:
            out.append((member, replace(said, pieces=found.pieces if asks.kinds else None)))
    return out


def _had(
    session: Session, books: Books, book: TemplateSet, readers: Mapping[int, Mapping[str, Any]], now: datetime
) -> dict[int, set[str]]:
    """The pieces these readers have had: carried by a letter, named in one, or found by themselves."""
    had: dict[int, set[str]] = {contact_id: set() for contact_id in readers}
    for row in content_assets.letters_had(session, list(readers)):
        reader, mine = readers[row["contact_id"]], had[row["contact_id"]]
        mine.update((row["pieces"] or {}).values())
        asks, _ = books.asks(row["version_id"], row["campaign"], row["letter"], reader["role"], reader["locale"])
        mine.update(asks.named)
    for contact_id, details in content_assets.found_themselves(session, list(readers), now).items():
        had[contact_id].update(slug for detail in details if (slug := book.asset_of(detail)))
    return had
