"""The composer writes letters: a published version and its readers in, emails out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from models import campaign as campaigns_kept
from models.message import SALES
from nurture.channels.base import OutboundEmail
from nurture.channels.registry import needed_parts
from nurture.config import campaigns
from nurture.rendering import LetterError, TemplateSet, campaign_values, letter_values
from nurture.rendering.links import Links, links_for
from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.hours import zone_of
from nurture.runtime.settings import Settings

SALES_LETTER = "handoff"
SALES_MAIL = Campaign(slug=SALES, name="Leads for sales", market="b2b", goal="", audience="", steps=())


@dataclass(frozen=True, slots=True)
class PublishedVersion:
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
        self._versions: dict[int, PublishedVersion] = {}
        self._campaign_values: dict[tuple[str, int], dict[str, Any]] = {}

    def published_version(self, session: Session, slug: str, version_id: int) -> PublishedVersion:
        """The version a message was planned with. Mails to sales are written from today's templates."""
        if version_id not in self._versions:
            if slug == SALES:
                templates = TemplateSet(campaigns.files(self.settings.templates, SALES), self.parts)
                self._versions[version_id] = PublishedVersion(
                    slug, version_id, None, templates, domain_of(self.settings.sender_email)
                )
            else:
                files = campaigns_kept.version(session, version_id)["files"]
                campaign = campaigns.read_files(files, slug)
                domain = domain_of(campaign.sender.email if campaign.sender else self.settings.sender_email)
                self._versions[version_id] = PublishedVersion(
                    slug, version_id, campaign, TemplateSet(files, self.parts), domain
                )
        return self._versions[version_id]

    def by_variant(
        self, published: PublishedVersion, readers: Sequence[Mapping[str, Any]]
    ) -> list[list[Mapping[str, Any]]]:
        """Those together who get the same variant of a letter: they are likely to share a request."""
        kinds: dict[Any, list[Mapping[str, Any]]] = {}
        for reader in readers:
            kinds.setdefault(
                (reader["handoff_id"] is None, reader["letter"], reader["role"], reader["locale"]), []
            ).append(reader)
        variants: dict[Any, list[Mapping[str, Any]]] = {}
        for kind, those in kinds.items():
            variants.setdefault(self._variant(published, *kind), []).extend(those)
        return list(variants.values())

    def _variant(self, published: PublishedVersion, marketing: bool, letter: str, role: str | None, locale: str) -> Any:
        try:
            name = (letter, role, locale) if marketing else (SALES_LETTER, None, "en")
            return published.templates.files_for(published.slug, *name)
        except LetterError:
            return None  # said when it is written

    def write_emails(
        self, published: PublishedVersion, readers: Sequence[Mapping[str, Any]],
        handoffs: Mapping[int, Mapping[str, Any]], attempt_id: str, now: datetime,
    ) -> tuple[list[OutboundEmail], dict[int, str]]:  # fmt: skip
        """Emails in the readers' order, and for those whose letter cannot be written, why."""
        emails: list[OutboundEmail] = []
        failures: dict[int, str] = {}
        for reader in readers:
            try:
                emails.append(self._email(published, reader, handoffs, attempt_id, now))
            except LetterError as error:
                failures[reader["message_id"]] = str(error)
        return emails, failures

    def _email(
        self, published: PublishedVersion, reader: Mapping[str, Any], handoffs: Mapping[int, Mapping[str, Any]],
        attempt_id: str, now: datetime,
    ) -> OutboundEmail:  # fmt: skip
        ours, campaign = self.settings, published.campaign or SALES_MAIL
        unsubscribe = self.links.unsubscribe(reader["message_id"])
        handoff = handoffs.get(reader["handoff_id"] or 0)
        sender, company = self._names()
        key = (published.slug, published.version_id)
        if (of_house := self._campaign_values.get(key)) is None:
            of_house = self._campaign_values[key] = campaign_values(campaign, sender, company, ours.web_url)
        values = letter_values(
            reader, campaign=campaign, sender=sender, company=company, of_house=of_house,
            unsubscribe_url=unsubscribe, web_url=ours.web_url,
            today=now.astimezone(zone_of(reader["country"], reader["time_zone"])).date(),
            handoff=self._handoff(handoff, now) if handoff else None,
        )  # fmt: skip
        name = SALES_LETTER if handoff else reader["letter"]
        role = None if handoff else reader["role"]
        letter = published.templates.compose(published.slug, name, role, "en" if handoff else reader["locale"], values)
        by, to_name = campaign.sender, values["owner" if handoff else "person"]["name"]
        return OutboundEmail(
            message_id=reader["message_id"], attempt_id=attempt_id,
            to_email=reader["address"] if handoff else reader["email"], to_name=to_name,
            from_email=by.email if by else ours.sender_email, from_name=by.name if by else ours.sender_name,
            reply_to=(by.reply_to if by else None) or ours.reply_to,
            subject=str(letter.part("subject")).strip(), text_part=letter.part("text"), html_part=letter.part("html"),
            category=published.slug,
            database_name=self.database_name,
            headers={} if handoff else {
                "List-Unsubscribe": f"<{unsubscribe}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
        )  # fmt: skip

    def _names(self) -> tuple[dict[str, str], dict[str, str]]:
        ours = self.settings
        sender = {"name": ours.sender_name, "email": ours.sender_email}
        return sender, {"name": ours.company, "postal_address": ours.postal_address}

    def _handoff(self, row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """What the mail to a salesperson says: the handoff as it was offered, and the links to answer it."""
        page = self.links.handoff(row["id"], now)
        zone = zone_of(None, row["context"].get("owner_zone"))
        return {
            **row["context"],
            "score": round(row["score"]), "grade": row["grade"],
            "reasons": [reason["text"] for reason in row["reasons"]],
            "due_at_text": f"{row['due_at'].astimezone(zone):%A %-d %B, %H:%M}",
            "page_url": page, "accept_url": f"{page}?choice=accept", "reject_url": f"{page}?choice=reject",
            "recycle_url": f"{page}?choice=recycle",
        }  # fmt: skip


def domain_of(address: str) -> str:
    """The domain of an address, in lower case."""
    return address.rpartition("@")[2].lower()
