"""A whole installation in a test: database, composer, mailbox, web app, and the people who write, read and click."""

import email
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from nurture.channels.mailbox import MailboxChannel
from nurture.channels.sendgrid.events import SIGNATURE, TIMESTAMP
from nurture.config import scoring as scoring_rules
from nurture.explain.why import why
from nurture.files import mapping
from nurture.rendering.composer import Composer
from nurture.runtime import database
from nurture.runtime.settings import PROJECT, Settings
from nurture.web import create_app
from tasks import feedback, handoff, intake, publish, reporting, segmentation
from tasks.delivery import outbox
from tasks.planning import sequences
from tasks.scoring import scores as scoring
from tests.doubles.sendgrid.webhook import Signer, wire_form

PROVIDER = Signer("the installation's provider")
MAPPINGS = {
    "accounts": """
        kind = "accounts"
        [columns]
        key = "account"
        name = "name"
        industry = "industry"
        employees = "employees"
        country = "country"
        owner_email = "owner"
    """,
    "contacts": """
        kind = "contacts"
        columns = {key="email", email="email", account="account", first_name="first", last_name="last", title="title"}
        constants = {market="b2b", consent="granted"}
    """,
    "activities": """
        kind = "activities"
        columns = {contact="email", kind="what", at="when"}
        constants = {market="b2b"}
    """,
}


@dataclass
class Installation:
    """nurture on one database and in one folder. Marketing's verbs come first, then those of everybody outside."""

    engine: Engine
    folder: Path
    now: datetime
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        clock = self.folder / "clock"
        clock.write_text(self.now.isoformat())
        self.settings = Settings(
            var=self.folder,
            clock_file=clock,
            web_url="http://testserver",
            sendgrid_webhook_key=PROVIDER.public_key,
            _env_file=None,
        )  # type: ignore[call-arg]
        self.composer, self.mailbox = Composer(self.settings), MailboxChannel(self.folder / "mailbox")
        self.web = TestClient(create_app(self.settings, self.engine))

    def set_time(self, moment: datetime) -> None:
        """Make it this moment for everything here, the web app too."""
        self.now = moment
        (self.folder / "clock").write_text(moment.isoformat())

    # --- what marketing and sales do
    def import_csv(self, kind: str, csv: str) -> intake.Imported:
        """Import a file of this kind, given as its text."""
        file = self.folder / f"{kind}.csv"
        file.write_text(csv, "utf-8")
        return intake.import_file(self.engine, self.now, file, mapping.parse(MAPPINGS[kind]), self.folder / "rejects")

    def score(self) -> None:
        """Segment and score every lead and account, as the nightly flows do."""
        rules = scoring_rules.read(PROJECT / "templates" / "scoring.toml")
        segmentation.segment(self.engine, self.now)
        scoring.score(self.engine, self.now, rules)
        scoring.score_accounts(self.engine, self.now, rules)

    def publish(self, slug: str) -> None:
        """Publish a campaign of templates/ as it is."""
        publish.publish(self.engine, PROJECT / "templates", slug, "Mia of marketing", self.now)

    def plan(self, slug: str) -> Any:
        """Let the audience enter a published campaign, and decide everybody's next letter."""
        with database.reading(self.engine) as session:
            from models import campaign

            version = next(row.version_id for row in campaign.published(session) if row.slug == slug)
        entered = sequences.enrol(self.engine, self.now, slug, version)
        return entered + sequences.plan(self.engine, self.now, slug)

    def deliver(self) -> outbox.Delivered:
        """Let the outbox leave, into the mailbox."""
        return outbox.deliver(self.engine, lambda: self.now, self.mailbox, self.composer)

    def hand_over(self) -> handoff.Offered:
        """Offer the leads that are ready to their salespeople."""
        return handoff.offer(self.engine, self.now)

    def ledger(self) -> reporting.LedgerReport:
        """The ledger and the funnel as they are now."""
        return reporting.report(self.engine, self.now)

    def why(self, address: str, slug: str) -> str:
        """The answer of `nurture why`."""
        with database.reading(self.engine) as session:
            return why(session, self.now, address, slug).sentence

    # --- what everybody else does
    def inbox(self, address: str) -> list[EmailMessage]:
        """The mails that reached an address, oldest first."""
        files = sorted(self.mailbox.folder.glob("*/*.eml"), key=lambda file: int(file.stem))
        mails = [email.message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
        return [mail for mail in mails if address in mail["To"]]  # type: ignore[misc]

    def post_event(self, what: str, mail: EmailMessage, **more: Any) -> int:
        """SendGrid posts a signed event about a mail, and feedback applies it. Returns the answer's status."""
        said = {
            "event": what,
            "email": mail["To"].addresses[0].addr_spec,
            "timestamp": int(self.now.timestamp()),
            "sg_event_id": f"{what}-{self.now:%d%H%M}",
            "sg_message_id": "m.1",
            "nt_message": mail["X-Nt-Message"],
            "nt_attempt": mail["X-Nt-Attempt"],
            "useragent": "Mozilla/5.0",
        } | more
        body, stamp = wire_form([said]), str(int(datetime.now(UTC).timestamp()))
        answer = self.web.post(
            "/events/sendgrid", content=body, headers={SIGNATURE: PROVIDER.sign(stamp, body), TIMESTAMP: stamp}
        )
        feedback.apply(self.engine, self.now)
        return answer.status_code

    def open_page(self, link: str) -> str:
        """Somebody follows a link of ours. Returns the page."""
        return self.web.get(link).raise_for_status().text

    def press_button(self, link: str, **form: str) -> str:
        """Somebody presses a button on a page of ours, which posts this form."""
        return self.web.post(link, data=form).raise_for_status().text


def link(mail: EmailMessage, containing: str) -> str:
    """The first link in a mail's text that contains these letters."""
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    return next(url for url in re.findall(r"https?://\S+", text) if containing in url)
