"""The composer writes letters: a published version and its readers in, emails out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, cast

from sqlalchemy.orm import Session

from models import campaign as campaigns_kept
from models.message import SALES
from models.queries.recipients import MailedHandoff, Recipient
from nurture.channels.base import OutboundEmail
from nurture.channels.registry import needed_parts
from nurture.config import campaigns
from nurture.rendering import LetterError, TemplateSet
from nurture.rendering.context import SenderDetails, campaign_values, letter_values
from nurture.rendering.links import Links, links_for
from nurture.rendering.template_set import LetterFiles
from nurture.rendering.values import Value, Values, dict_in, text_in
from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.hours import zone_of
from nurture.runtime.settings import Settings

SALES_LETTER = "handoff"
SALES_MAIL = Campaign(slug=SALES, name="Leads for sales", market="b2b", goal="", audience="", steps=())


@dataclass(frozen=True, slots=True)
class PublishedLetters:
    """A campaign as it was published: its terms and its letters. `campaign` is None for mails to sales."""

    slug: str
    version_id: int
    campaign: Campaign | None
    templates: TemplateSet
    domain: str = ""  # of its sender: the one whose good name its letters use


class Composer:
    """Writes emails. Keeps every published version it has opened: a version never changes."""

    def __init__(self, settings: Settings, links: Links | None = None) -> None:
        self.settings = settings
        self.links = links or links_for(settings)
        self.parts = needed_parts(settings)
        self.database_name = ""  # the database's name, for every email
        self._versions: dict[int, PublishedLetters] = {}
        self._campaign_values: dict[tuple[str, int], Values] = {}

    def published_version(self, session: Session, slug: str, version_id: int) -> PublishedLetters:
        """The version a message was planned with. Mails to sales are written from today's templates."""
        if version_id not in self._versions:
            if slug == SALES:
                templates = TemplateSet(campaigns.files(self.settings.templates, SALES), self.parts)
                self._versions[version_id] = PublishedLetters(
                    slug, version_id, None, templates, domain_of(self.settings.sender_email)
                )
            else:
                files = campaigns_kept.version(session, version_id).files
                campaign = campaigns.read_files(files, slug)
                domain = domain_of(campaign.sender.email if campaign.sender else self.settings.sender_email)
                self._versions[version_id] = PublishedLetters(
                    slug, version_id, campaign, TemplateSet(files, self.parts), domain
                )
        return self._versions[version_id]

    def by_variant(self, published: PublishedLetters, readers: Sequence[Recipient]) -> list[list[Recipient]]:
        """Those together who get the same variant of a letter: they are likely to share a request."""
        kinds: dict[_Asked, list[Recipient]] = {}
        for reader in readers:
            kinds.setdefault(_Asked(reader.handoff_id is None, reader.letter, reader.role, reader.locale), []).append(
                reader
            )
        variants: dict[LetterFiles | None, list[Recipient]] = {}
        for asked, those in kinds.items():
            variants.setdefault(self._variant(published, asked), []).extend(those)
        return list(variants.values())

    def _variant(self, published: PublishedLetters, asked: "_Asked") -> LetterFiles | None:
        try:
            name = (asked.letter, asked.role, asked.locale) if asked.marketing else (SALES_LETTER, None, "en")
            return published.templates.files_for(published.slug, *name)
        except LetterError:
            return None  # said when it is written

    def write_emails(
        self, published: PublishedLetters, readers: Sequence[Recipient], handoffs: Mapping[int, MailedHandoff],
        attempt_id: str, now: datetime,
    ) -> tuple[list[OutboundEmail], dict[int, str]]:  # fmt: skip
        """Emails in the readers' order, and for those whose letter cannot be written, why."""
        emails: list[OutboundEmail] = []
        failures: dict[int, str] = {}
        for reader in readers:
            try:
                handoff = handoffs.get(reader.handoff_id or 0)
                emails.append(self._email(published, reader, handoff, attempt_id, now))
            except LetterError as error:
                failures[reader.message_id] = str(error)
        return emails, failures

    def _email(
        self, published: PublishedLetters, reader: Recipient, handoff: MailedHandoff | None, attempt_id: str,
        now: datetime,
    ) -> OutboundEmail:  # fmt: skip
        ours, campaign = self.settings, published.campaign or SALES_MAIL
        unsubscribe = self.links.unsubscribe(reader.message_id)
        today = now.astimezone(zone_of(reader.country, reader.time_zone)).date()
        about = self._handoff_values(handoff, now) if handoff else None
        values = letter_values(reader, self._values_of(published), unsubscribe, today, about)
        name, role, locale = (SALES_LETTER, None, "en") if handoff else (reader.letter, reader.role, reader.locale)
        letter = published.templates.compose(published.slug, name, role, locale, values)
        by = campaign.sender
        return OutboundEmail(
            message_id=reader.message_id, attempt_id=attempt_id,
            to_email=reader.address if handoff else reader.email,
            to_name=text_in(dict_in(values, "owner" if handoff else "person"), "name"),
            from_email=by.email if by else ours.sender_email, from_name=by.name if by else ours.sender_name,
            reply_to=(by.reply_to if by else None) or ours.reply_to,
            subject=str(letter.part("subject")).strip(), text_part=letter.part("text"), html_part=letter.part("html"),
            category=published.slug, database_name=self.database_name,
            headers={} if handoff else {
                "List-Unsubscribe": f"<{unsubscribe}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
        )  # fmt: skip

    def _values_of(self, published: PublishedLetters) -> Values:
        """What is the same in all letters of a version; made once."""
        key = (published.slug, published.version_id)
        found = self._campaign_values.get(key)
        if found is None:
            ours = self.settings
            sender = SenderDetails(ours.sender_name, ours.sender_email, ours.company, ours.postal_address, ours.web_url)
            found = self._campaign_values[key] = campaign_values(published.campaign or SALES_MAIL, sender)
        return found

    def _handoff_values(self, handoff: MailedHandoff, now: datetime) -> dict[str, Value]:
        """What the mail to a salesperson says: the handoff as it was offered, and the links to answer it."""
        shown = cast("dict[str, Value]", handoff.context)  # JSON: texts, numbers, lists and dicts of these
        page = self.links.handoff(handoff.id, now)
        zone = zone_of(None, text_in(shown, "owner_zone") or None)
        return {
            **shown,
            "score": round(handoff.score), "grade": handoff.grade,
            "reasons": [reason["text"] for reason in handoff.reasons],
            "due_at_text": f"{handoff.due_at.astimezone(zone):%A %-d %B, %H:%M}",
            "page_url": page, "accept_url": f"{page}?choice=accept", "reject_url": f"{page}?choice=reject",
            "recycle_url": f"{page}?choice=recycle",
        }  # fmt: skip


class _Asked(NamedTuple):
    """Which letter somebody is to get: a campaign's, or the one to sales."""

    marketing: bool
    letter: str
    role: str | None
    locale: str


def domain_of(address: str) -> str:
    """The domain of an address, in lower case."""
    return address.rpartition("@")[2].lower()
