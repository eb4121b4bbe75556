"""Segmentation: titles become roles and personas, orders become kinds of shoppers, deals and orders move stages."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine

from models import activity, contact, opportunity
from models import order as orders
from models import segment as segments
from models.bulk import share
from models.contact import Contact, Market
from nurture import db
from nurture.rules import segmentation
from nurture.rules.segmentation import SHOPPERS, ShopperRules
from nurture.rules.titles import TitleTables, load_tables, read_title
from tasks.order import order

CHUNK = 4_000
CONTENT = {market.value: dict.fromkeys(segmentation.READ) for market in Market}


@dataclass(frozen=True)
class Segmented:
    contacts: int
    changed: int  # segments written: new ones and those that say something else than yesterday
    confirmed: int  # left as a person confirmed them
    moved: int  # stages


@lru_cache(1)
def titles() -> TitleTables:
    return load_tables()


@order(run_name="segment shard {shard} of {shards}")
def segment(
    engine: Engine,
    now: datetime,
    shard: int = 0,
    shards: int = 1,
    tables: TitleTables | None = None,
    shoppers: ShopperRules = SHOPPERS,
) -> Segmented:
    """Give one shard's contacts their segment and stage. What a person confirmed stays as it is."""
    tables = tables or titles()
    contacts = changed = confirmed = moved = 0
    with db.reading(engine) as session:
        start, last = share(session, Contact, shard, shards)
    while start <= last:
        with db.reading(engine) as session:
            people = segments.people(session, start, last, CHUNK, now)
            if not people:
                break
            done = activity.deeds(session, {person["id"]: person["market"] for person in people}, CONTENT, now)
            bought = orders.purchases(session, people[0]["id"], people[-1]["id"], now)
            deals = opportunity.deals(session, {person["account_id"] for person in people}, now)
        rows: list[dict[str, Any]] = []
        moves: list[dict[str, Any]] = []
        for person in people:
            hers = done.get(person["id"], [])
            if person["market"] == Market.B2B:
                move = segmentation.deal_move(person["stage"], deals.get(person["account_id"], {}))
                found = segmentation.segment(read_title(person["title"] or "", tables), hers, person["role"], now)
            else:
                found = segmentation.shopper_segment(bought.get(person["id"]), now, shoppers)
                browses = any(deeds.this_month for deeds in hers)
                move = segmentation.shopper_move(person["stage"], found["shopper"], browses)
            if move:
                moves.append(
                    {"contact_id": person["id"], "stage_from": person["stage"], "stage_to": move.to, "why": move.why}
                )
            if person["confirmed_by"]:
                confirmed += 1
            elif person["segmented_at"] is None or any(person[name] != value for name, value in found.items()):
                rows.append({"contact_id": person["id"], "segmented_at": now, **found})
        with db.writing(engine) as session:
            segments.write(session, rows)
            moved += contact.move(session, moves, now)
        contacts, changed, start = contacts + len(people), changed + len(rows), people[-1]["id"] + 1
    return Segmented(contacts, changed, confirmed, moved)
