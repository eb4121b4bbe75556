"""Zoë O'Brien of Foo & Søns <GmbH>, her colleagues and the letters they got: rows for tests of feedback and pages."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, select
from sqlmodel import SQLModel

from models import (
    Account,
    Address,
    Attempt,
    AttemptItem,
    CampaignVersion,
    Contact,
    Enrolment,
    Handoff,
    Message,
    PublishedCampaign,
)
from models.message import SALES
from nurture.runtime import database

ZOE, RUTH, IVAN, NOBODY = "zoe@foo.example", "ruth@foo.example", "ivan@home.example", "nobody@foo.example"
OWNER = "sam@seller.example"
ATTEMPT = "018f-zoe"


def add(engine: Engine, table: type[SQLModel], *rows: dict[str, Any]) -> None:
    with database.writing(engine) as session:
        for row in rows:
            session.execute(insert(table), [row])


def settle_in(engine: Engine, now: datetime) -> None:
    """Account 1 with Zoë (contact 1) and Ruth (2), Ivan (3) for himself; each has had `why-now`, awaits `roi-case`.

    Messages 1, 2, 3 are their first; 11, 12, 13 the waiting ones; 21 is a mail to sales about account 1.
    """
    made = {"created_at": now, "updated_at": now}
    add(engine, Address, *({"address": a} for a in (ZOE, RUTH, IVAN, OWNER)))
    company = {"industry": "Manufacturing", "employees": 420, "country": "DE", "traits": {}}
    owner = {"owner_email": OWNER, "owner_name": "Sam Seller"}
    add(engine, Account, {"id": 1, "key": "foo", "name": "Foo & Søns <GmbH>", **company, **owner, **made})
    people = [
        (1, "Zoë", "O'Brien", ZOE, 1, "Head of Maintenance", "de-DE"),
        (2, "Ruth", "Sánchez", RUTH, 1, "CFO", "es-MX"),
        (3, "Ivan", "Popescu", IVAN, None, None, "ro"),
    ]
    for id, first, last, address, account, title, locale in people:
        name = {"first_name": first, "last_name": last, "title": title, "locale": locale, "phone": "+49 40 1234"}
        rest = {"market": "b2b", "consent": "granted", "stage": "lead", "traits": {}, "account_id": account}
        add(engine, Contact, {"id": id, "key": address, "address": address, "email": address, **name, **rest, **made})
    add(
        engine,
        PublishedCampaign,
        {"slug": "pumps", "name": "Pumps", "market": "b2b", "version_id": 1, "created_at": now},
    )
    version = {"number": 1, "digest": "d", "files": {}, "published_at": now, "published_by": "test"}
    add(engine, CampaignVersion, {"id": 1, "campaign": "pumps", **version})
    of = {"campaign": "pumps", "version_id": 1}
    lease = {"owner": "worker", "state": "unknown", "channel": "sendgrid", "claimed_at": now, "lease_until": now}
    add(engine, Attempt, {"id": ATTEMPT, "letter": "why-now", "n": 3, **of, **lease})
    for id, _first, _last, address, account, _title, _locale in people:
        to = {"contact_id": id, "account_id": account, "address": address}
        add(engine, Enrolment, {**of, **to, "state": "active", "entered_at": now})
        add(engine, Message, a_message(id, now, **to, state="unknown", attempt_id=ATTEMPT))
        add(engine, Message, a_message(10 + id, now, **to, letter="roi-case", step=1))
        add(engine, AttemptItem, {"attempt_id": ATTEMPT, "message_id": id, "live": 1})
    about = {"contact_id": 1, "account_id": 1, "handoff_id": 1, "version_id": 0}
    add(engine, Message, a_message(21, now, campaign=SALES, letter="handoff-1", address=OWNER, **about))


def a_message(id: int, now: datetime, **more: Any) -> dict[str, Any]:
    row = {"id": id, "campaign": "pumps", "version_id": 1, "step": 0, "letter": "why-now", "state": "waiting",
           "planned_at": now, "not_before": now, "not_after": now + timedelta(days=7), "tries": 0}  # fmt: skip
    return row | more


def a_handoff(engine: Engine, now: datetime, id: int = 1, contact_id: int = 1, **more: Any) -> None:
    row = {"id": id, "contact_id": contact_id, "account_id": 1, "owner_email": OWNER, "state": "offered", "score": 82.0,
           "grade": "A1", "score_version": "v", "reasons": [{"text": "3 pricing-page visits this week", "points": 12}],
           "context": {}, "offered_at": now, "due_at": now + timedelta(days=1)}  # fmt: skip
    add(engine, Handoff, row | more)


def dump(engine: Engine, but: Iterable[str] = ()) -> dict[str, list[Any]]:
    """Every row of every table, in an order that does not depend on when it was written."""
    with database.reading(engine) as session:
        return {
            name: sorted(
                (tuple(row) for row in session.execute(select(*(c for c in table.c if c.name not in but)))), key=repr
            )
            for name, table in SQLModel.metadata.tables.items()
        }
