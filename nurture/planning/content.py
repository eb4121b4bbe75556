"""Content for planning: the best asset of the library for each lead's next letter, that they have not had yet."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from sqlmodel import Session

from models import campaign as campaigns_kept
from models.queries import content_assets
from models.queries.content_assets import ContentReader
from nurture.rendering import LetterError, TemplateSet
from nurture.rules.eligibility.facts import ContentChoice, EnrolledLead
from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.content_assets import AssetReader, ContentRequest, choose, stage_of
from nurture.rules.planning.sequences import letter_wanted

ASKS = "best["  # a letter that asks the library says this; one that does not costs nothing here


UNPUBLISHED = 0  # in the place of the id that a version will have when it is published


class TemplateSets:
    """The template sets of published versions, opened once each. `unpublished`: the files of a version to come."""

    def __init__(self, session: Session, unpublished: Mapping[str, str] | None = None) -> None:
        self.session, self.unpublished = session, unpublished
        self.open = lru_cache(64)(self._open)
        self.asking = lru_cache(64)(self._asking)

    def _open(self, version_id: int) -> TemplateSet:
        if version_id == UNPUBLISHED and self.unpublished is not None:
            return TemplateSet(self.unpublished)
        return TemplateSet(campaigns_kept.version(self.session, version_id).files)

    def _asking(self, version_id: int, slug: str) -> frozenset[str]:
        """The letters of a campaign that ask the library for the best content asset."""
        paths = [path for path, text in self.open(version_id).files.items() if ASKS in text]
        if any(path.startswith("_") for path in paths):  # a frame asks: all its letters may
            return frozenset(path.split("/")[1] for path in self.open(version_id).files if path.startswith(f"{slug}/"))
        return frozenset(path.split("/")[1] for path in paths if path.startswith(f"{slug}/") and path.count("/") == 2)

    def asks(self, version_id: int, slug: str, letter: str, reader: ContentReader) -> tuple[ContentRequest, str]:
        """What a letter wants, as this reader gets it, and its language."""
        templates = self.open(version_id)
        try:
            choice = templates.files_for(slug, letter, reader.role, reader.locale)
        except LetterError:
            return ContentRequest(), templates.words.default  # said when it is written
        return templates.asks(choice), choice.language


def with_content(
    session: Session, sets: TemplateSets, version_id: int, campaign: Campaign, leads: Sequence[EnrolledLead],
    now: datetime,
) -> list[EnrolledLead]:  # fmt: skip
    """The leads, each whose letter asks for content with what the library has for them.

    Loaded only for leads whom nothing else keeps from their letter: a lead that waits costs nothing here.
    """
    asking = sets.asking(version_id, campaign.slug)
    if not asking:
        return list(leads)
    wanted = {lead.contact_id: letter for lead in leads if (letter := letter_wanted(lead, campaign, now, asking))}
    if not wanted:
        return list(leads)
    templates, readers = sets.open(version_id), content_assets.readers(session, list(wanted), now)
    had = content_had(session, sets, templates, readers, now)
    found = {}
    for contact_id, letter in wanted.items():
        reader = readers[contact_id]
        asks, language = sets.asks(version_id, campaign.slug, letter or "", reader)
        found[contact_id] = _choice(templates, asks, language, campaign.market, reader, had[contact_id])
    return [lead._replace(content=found[lead.contact_id]) if lead.contact_id in found else lead for lead in leads]


def _choice(
    templates: TemplateSet,
    asks: ContentRequest,
    language: str,
    market: str,
    reader: ContentReader,
    had: Collection[str],
) -> ContentChoice:
    who = AssetReader(
        stage_of(market, reader.stage, reader.phase), language, (reader.role, reader.title_role), reader.persona
    )
    chosen = choose(templates.library, asks, who, had, templates.words.default)
    return ContentChoice(chosen.assets if asks.kinds else None, chosen.lacking)


def content_had(
    session: Session, sets: TemplateSets, templates: TemplateSet, readers: Mapping[int, ContentReader], now: datetime
) -> dict[int, set[str]]:
    """The content assets these readers have had: carried by a letter, named in one, or found by themselves."""
    had: dict[int, set[str]] = {contact_id: set() for contact_id in readers}
    for letter in content_assets.letters_had(session, list(readers)):
        mine = had[letter.contact_id]
        mine.update((letter.assets or {}).values())
        asks, _ = sets.asks(letter.version_id, letter.campaign, letter.letter, readers[letter.contact_id])
        mine.update(asks.named)
    for contact_id, details in content_assets.found_themselves(session, list(readers), now).items():
        had[contact_id].update(slug for detail in details if (slug := templates.asset_of(detail)))
    return had
