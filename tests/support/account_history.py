"""An invented past: companies whose people stir before an opportunity opens, and deals that finance helps to win."""

import random
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert
from sqlmodel import SQLModel

from models import Account, Activity, Address, Contact, Opportunity, Segment
from nurture.runtime import database

ROLES = ("authorizer", "specifier", "purchaser", "user", "finance")
DAY = timedelta(days=1)
Rows = dict[type[SQLModel], list[dict[str, Any]]]


def a_past(engine: Engine, now: datetime, accounts: int = 240, quarters: int = 8, seed: int = 1) -> None:
    """`quarters` of 90 days before `now`. Each account stirs before one of them, before `now`, or never; who stirs
    opens an opportunity in two of three cases, another hardly ever. With somebody from finance more of them are won.
    """
    chance = random.Random(seed)
    begun = now - (quarters * 90 + 40) * DAY
    rows: Rows = {one: [] for one in (Address, Account, Contact, Segment, Activity, Opportunity)}
    for account in range(1, accounts + 1):
        made = {"created_at": begun, "updated_at": begun}
        rows[Account].append({"id": account, "key": f"a{account}", "name": f"Company {account}", "country": "DE",
                              "employees": chance.choice([20, 200, 2_000]), "traits": {}, **made})  # fmt: skip
        people = []
        for role in ROLES:
            if chance.random() < 0.5:
                people.append(_somebody(rows, account, role, made))
        people = people or [_somebody(rows, account, "user", made)]
        warm = chance.randrange(quarters + 1) if chance.random() < 0.5 else None
        for quarter in range(quarters + 1):
            begins = now - (quarters - quarter) * 90 * DAY
            hot = quarter == warm
            for _ in range(chance.randint(5, 12) if hot else chance.choice([0, 0, 1, 2])):
                at = begins - chance.uniform(0, 60) * DAY
                kind = chance.choice(["webinar", "pricing_view", "page_view"] if hot else ["page_view", "download"])
                _did(rows, chance.choice(people), account, kind, at)
            if quarter < quarters and chance.random() < (0.66 if hot else 0.02):
                _opened(rows, chance, account, people, begins + chance.uniform(5, 85) * DAY, now)
                break
    with database.writing(engine) as session:
        for table, found in rows.items():
            session.execute(insert(table), found)


def _somebody(rows: Rows, account: int, role: str, made: dict[str, Any]) -> int:
    number = len(rows[Contact]) + 1
    address = f"p{number}@a{account}.example"
    rows[Address].append({"address": address})
    rows[Contact].append({"id": number, "market": "b2b", "key": address, "address": address, "email": address,
                          "account_id": account, "locale": "en", "consent": "granted", "stage": "lead", "traits": {},
                          **made})  # fmt: skip
    rows[Segment].append({"contact_id": number, "role": role, "role_confidence": 0.9, "title_role": role,
                          "persona_confidence": 0.0, "segmented_at": made["created_at"]})  # fmt: skip
    return number


def _did(rows: Rows, contact: int, account: int, kind: str, at: datetime) -> None:
    rows[Activity].append({"dedupe": len(rows[Activity]), "contact_id": contact, "account_id": account, "kind": kind,
                           "at": at})  # fmt: skip


def _opened(rows: Rows, chance: random.Random, account: int, people: list[int], at: datetime, now: datetime) -> None:
    finance = any(rows[Segment][one - 1]["title_role"] == "finance" for one in people)
    closed = at + 60 * DAY
    won = chance.random() < (0.75 if finance else 0.25)
    outcome = ("won" if won else "lost") if closed <= now else "open"
    rows[Opportunity].append({"key": f"o{len(rows[Opportunity])}", "account_id": account, "name": "Pumps",
                              "outcome": outcome, "currency": "EUR", "opened_at": at, "traits": {},
                              "closed_at": closed if closed <= now else None})  # fmt: skip
