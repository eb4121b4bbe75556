"""Segmentation: titles become roles and personas, orders become kinds of shoppers, deals and orders move stages."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine

from models import activity, opportunity
from models import order as orders
from models import segment as segments
from models.bulk_upsert import share
from models.confirmation import FIELDS
from models.contact import Contact, Market, StageMove, move_stages
from models.role_change import RoleChangeRow, add_role_changes
from nurture.config import segments as segment_rules
from nurture.rules.segmentation import lifecycle
from nurture.rules.segmentation import segments as segmentation
from nurture.rules.segmentation.segments import SegmentRules
from nurture.rules.segmentation.titles import TitleTables, load_tables, read_title
from nurture.runtime import database
from tasks.task import task

CHUNK = 4_000
MONTH = timedelta(days=30)
CONTENT = {market.value: dict.fromkeys(segmentation.READ) for market in Market}


@dataclass(frozen=True)
class Segmented:
    contacts: int
    changed: int  # segments written: new ones and those that say something else than yesterday
    confirmed: int  # of whom a person has confirmed something
    moved: int  # stages


@lru_cache(1)
def titles() -> TitleTables:
    return load_tables()


@task(run_name="segment shard {shard} of {shards}")
def segment(
    engine: Engine,
    now: datetime,
    shard: int = 0,
    shards: int = 1,
    tables: TitleTables | None = None,
    rules: SegmentRules | None = None,
) -> Segmented:
    """Give one shard's contacts their segment and stage. What a person confirmed stays as they said."""
    tables, rules = tables or titles(), rules or segment_rules.here()
    contacts = changed = confirmed = moved = 0
    with database.reading(engine) as session:
        start, last = share(session, Contact, shard, shards)
    while start <= last:
        with database.reading(engine) as session:
            people = segments.people(session, start, last, CHUNK, now)
            if not people:
                break
            done = activity.deeds(session, {person["id"]: person["market"] for person in people}, CONTENT, now)
            bought = orders.purchases(session, people[0]["id"], people[-1]["id"], now)
            deals = opportunity.deals(session, {person["account_id"] for person in people}, now)
            rising = [one for one, hers in done.items() if segmentation.may_rise(hers, rules.champion)]
            read = activity.pieces(session, rising, now - MONTH, now) if rising else {}
        rows: list[dict[str, Any]] = []
        moves: list[StageMove] = []
        roles: list[RoleChangeRow] = []
        for person in people:
            hers = done.get(person["id"], [])
            if person["market"] == Market.B2B:
                move = segmentation.deal_move(person["stage"], deals.get(person["account_id"], {}))
                move = move or lifecycle.sign_of_life(person["stage"], hers)
                if person["confirmed_by"] and person["confirmed"] is None:
                    person["confirmed"] = FIELDS
                reading = read_title(person["title"] or "", tables)
                found = segmentation.segment(reading, hers, person, now, rules.champion, read.get(person["id"], 0))
            else:
                found = segmentation.shopper_segment(bought.get(person["id"]), now, rules.shopper)
                browses = any(deeds.this_month for deeds in hers)
                move = segmentation.shopper_move(person["stage"], found["shopper"], browses)
            if move:
                moves.append(StageMove(person["id"], person["stage"], move.to, move.why))
            confirmed += bool(person["confirmed_by"])
            if person["segmented_at"] is not None and found["role"] != person["role"]:
                roles.append(RoleChangeRow(person["id"], now, person["role"], found["role"], found["evidence"]))
            if person["segmented_at"] is None or any(person[name] != value for name, value in found.items()):
                as_read = {"contact_id": person["id"], "confirmed_at": person["confirmed_at"]}
                rows.append({**as_read, "segmented_at": now, **found})
        with database.writing(engine) as session:
            segments.write(session, rows)
            add_role_changes(session, roles)
            moved += move_stages(session, moves, now)
        contacts, changed, start = contacts + len(people), changed + len(rows), people[-1]["id"] + 1
    return Segmented(contacts, changed, confirmed, moved)
