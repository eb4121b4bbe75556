"""Where walks take place: a SQLite database in memory with a few people in it, put back to its beginning each time."""

import gc
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, insert, select
from sqlalchemy.pool import StaticPool
from sqlmodel import col

from models import Account, Address, Contact, metadata
from models import campaign as kept
from nurture.config import campaigns
from nurture.rendering.composer import Composer
from nurture.rendering.links import Links
from nurture.runtime import database
from nurture.runtime.settings import Settings
from tests.walks.provider import NAMED, POISON

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
SHOP, PUMPS = "shop", "pumps"  # a promotion for people, a sequence for accounts
LETTERS = {SHOP: ("offer", "reminder"), PUMPS: ("why-now", "roi-case")}
TERMS = """
name = "{name}"
market = "{market}"
goal = "{goal}"
audience = "market = '{market}'"
max_per_person = 3
{account}
{send}
[hours]
start = "00:00"
end = "23:59"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
[[steps]]
letter = "{first}"
[[steps]]
letter = "{second}"
"""
LINES = "Hello {{ person.first_name }}\n{{ company.postal_address }}\n{{ unsubscribe_url }}"


LEAD = """[send]
hold_for = "{lead}"
"""


def letters(slug: str, **terms: str) -> dict[str, str]:
    files = {f"{slug}/campaign.toml": TERMS.format(**terms, first=LETTERS[slug][0], second=LETTERS[slug][1])}
    for letter in LETTERS[slug]:
        files |= {f"{slug}/{letter}/subject.txt": f"{letter} for {{{{ person.name }}}}",
                  f"{slug}/{letter}/body.txt": LINES, f"{slug}/{letter}/body.html": f"<p>{LINES}</p>"}  # fmt: skip
    return files


def files(shop: str = "", pumps: str = "") -> dict[str, dict[str, str]]:
    """Both campaigns. `shop`, `pumps`: what they say about sending."""
    caps = "[account]\nmax_contacts_per_day = 2"
    return {
        SHOP: letters(SHOP, name="Shop", market="b2c", goal="order", account="", send=shop),
        PUMPS: letters(PUMPS, name="Pumps", market="b2b", goal="deal", account=caps, send=pumps),
    }


AT_ONCE = files()
SCHEDULED = files(LEAD.format(lead="PT30M"), LEAD.format(lead="PT20M"))  # at the provider, until their time
SETTINGS = {"SENDGRID_API_KEY": "SG.walk", "SENDGRID_HOST": "http://127.0.0.1:1", "sendgrid_batch": 4}


class WalkDatabase:
    """One database for all walks of a process: statements are compiled once, and a new beginning costs a copy."""

    def __init__(
        self,
        create: Callable[[sqlite3.Connection], None] | None = None,
        campaigns: Mapping[str, Mapping[str, str]] = AT_ONCE,
    ) -> None:
        self.engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        event.listen(self.engine, "connect", database._configure_sqlite)
        event.listen(self.engine, "begin", database._sqlite_begin)
        self.raw: Any = self.engine.raw_connection().dbapi_connection
        metadata.create_all(self.engine)
        if create:
            create(self.raw)
        self.settings = Settings(var=Path(tempfile.gettempdir()), _env_file=None, **SETTINGS)  # type: ignore[arg-type,call-arg]
        self.composer = Composer(self.settings, Links(["a secret for tests only"], "http://127.0.0.1:1"))
        self.versions = settle(self.engine, campaigns)
        self.beginning = sqlite3.connect(":memory:", check_same_thread=False)
        self.raw.backup(self.beginning)

    def reset(self) -> None:
        if self.raw.in_transaction:
            self.raw.rollback()
        self.beginning.backup(self.raw)


@lru_cache(1)
def walk_database() -> WalkDatabase:
    made = WalkDatabase()
    gc.freeze()  # else what is there already is looked through again and again: a fifth of a walk's time
    return made


@lru_cache(1)
def scheduling_database() -> WalkDatabase:
    """Where the provider keeps every letter for a while."""
    made = WalkDatabase(campaigns=SCHEDULED)
    gc.freeze()
    return made


def settle(engine: Engine, files: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """Nine shoppers, five colleagues at two companies, one of them a shopper too; both campaigns published."""
    shoppers = [f"p{i}@home.example" for i in range(7)] + [NAMED, POISON]
    colleagues = [(f"c{i}@works.example", "one" if i < 3 else "two") for i in range(4)] + [("p0@home.example", "two")]
    at = {"created_at": START, "updated_at": START}
    person = {"first_name": "Zoë", "last_name": "O'Brien", "country": "DE", "locale": "en", "consent": "granted",
              "traits": {}, **at}  # fmt: skip
    with database.writing(engine) as session:
        session.execute(insert(Address), [{"address": a} for a in {*shoppers, *(a for a, _ in colleagues)}])
        session.execute(insert(Account), [{"key": k, "name": f"Foo & Søns {k}", "country": "DE", "traits": {}, **at}
                                   for k in ("one", "two")])  # fmt: skip
        accounts = dict(session.execute(select(col(Account.key), col(Account.id))).all())
        session.execute(insert(Contact), [
            {"market": "b2c", "key": a, "address": a, "email": a, "stage": "aware", "account_id": None, **person}
            for a in shoppers])  # fmt: skip
        session.execute(insert(Contact), [
            {"market": "b2b", "key": a, "address": a, "email": a, "stage": "lead", "account_id": accounts[k], **person}
            for a, k in colleagues])  # fmt: skip
        return {
            slug: kept.publish(session, kept.CampaignTerms(slug, slug, market), campaigns.digest(files[slug]),
                               files[slug], "me", START)[0]
            for slug, market in ((SHOP, "b2c"), (PUMPS, "b2b"))
        }  # fmt: skip


def rows_to_plan(raw: Any, slug: str, letter: str, version: int, now: datetime, lasts: int) -> list[dict[str, Any]]:
    """A letter for everybody of a campaign's market, as a planner writes it: due now, for some days."""
    market = "b2c" if slug == SHOP else "b2b"
    people = raw.execute("SELECT id, address, account_id FROM contact WHERE market = ?", [market]).fetchall()
    return [{"campaign": slug, "version_id": version, "step": LETTERS[slug].index(letter), "letter": letter,
             "address": address, "contact_id": contact, "account_id": account, "state": "waiting",
             "planned_at": now, "not_before": now, "not_after": now + timedelta(days=lasts)}
            for contact, address, account in people]  # fmt: skip
