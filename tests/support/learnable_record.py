"""A town that can be learned from: companies whose people read prices before their company opens a deal."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Engine, insert

from models import Account, Activity, Address, Contact, Handoff, Opportunity, Segment
from nurture.runtime import database

ROLES = ("authorizer", "specifier", "user")
INDUSTRIES = ("Manufacturing", "Energy", "Retail")
KINDS = ("page_view", "page_view", "page_view", "download", "email_click", "careers_view")


def build(engine: Engine, now: datetime, companies: int, days: int = 400, each: int = 8, seed: int = 3) -> None:
    """`companies` of three people each with `days` of record. One in five opens a deal; before it, its authorizer reads
    prices; manufacturers do so twice as often. Every tenth person's name is a trap: sales turned them down."""
    chance = Random(seed)
    accounts, people, segments, did, deals, said = [], [], [], [], [], []
    made = {"traits": {}, "created_at": now - timedelta(days=days), "updated_at": now}

    def act(contact: int, company: int, kind: str, ago: float) -> None:
        did.append({"dedupe": len(did), "contact_id": contact, "account_id": company, "kind": kind,
                    "at": (now - timedelta(days=ago)).replace(microsecond=0)})  # fmt: skip

    for company in range(1, companies + 1):
        industry = chance.choice(INDUSTRIES)
        accounts.append({"id": company, "key": f"c{company}", "name": f"Company {company}", "industry": industry,
                         "employees": chance.choice((12, 500, 3_000)), "country": "DE", **made})  # fmt: skip
        ids = [company * 3 + place for place in range(3)]
        for contact, role in zip(ids, ROLES, strict=True):
            address = f"p{contact}@c{company}.example"
            people.append({"id": contact, "key": address, "address": address, "email": address, "market": "b2b",
                           "account_id": company, "title": role, "stage": "lead", "locale": "de", **made})  # fmt: skip
            segments.append({"contact_id": contact, "role": role, "title_role": role, "role_confidence": 0.9,
                             "segmented_at": now})  # fmt: skip
            for _ in range(each):
                act(contact, company, chance.choice(KINDS), chance.uniform(0, days))
        for _ in range(max(1, days // 200)):
            if chance.random() < (0.4 if industry == "Manufacturing" else 0.2):
                opened = chance.uniform(2, days - 40)
                for _ in range(chance.randint(2, 4)):
                    act(ids[0], company, "pricing_view", opened + chance.uniform(1, 25))
                at = now - timedelta(days=opened)
                won = chance.random() < 0.5 and opened > 60
                deals.append({"key": f"d{len(deals)}", "account_id": company, "contact_id": ids[0], "name": "Pumps",
                              "outcome": "won" if won else "lost", "opened_at": at,
                              "closed_at": at + timedelta(days=20)})  # fmt: skip
        if chance.random() < 0.1:
            at = now - timedelta(days=chance.uniform(1, days - 40))
            said.append({"contact_id": ids[2], "account_id": company, "owner_email": "sam@seller.example",
                         "state": "rejected", "score": 70.0, "grade": "B2", "score_version": "v", "reasons": [],
                         "context": {}, "offered_at": at, "due_at": at, "decided_at": at,
                         "decided_why": "wrong_person"})  # fmt: skip
    tables: tuple[tuple[Any, list[dict[str, Any]]], ...] = (
        (Address, [{"address": one["address"]} for one in people]), (Account, accounts), (Contact, people),
        (Segment, segments), (Activity, did), (Opportunity, deals), (Handoff, said),
    )  # fmt: skip
    with database.writing(engine) as session:
        for table, rows in tables:
            if rows:
                session.execute(insert(table), rows)
