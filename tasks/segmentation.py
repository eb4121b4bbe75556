"""Segmentation: titles become roles and personas, orders become kinds of shoppers, deals and orders move stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import Engine
from sqlmodel import Session

from models import activity, opportunity
from models import order as orders
from models.activity import Deeds
from models.bulk_upsert import share
from models.contact import Contact, Market, StageMove, move_stages
from models.order import Purchases
from models.role_change import RoleChangeRow, add_role_changes
from models.segment import NewSegment, SegmentPerson, SegmentValues, save_segments, says_otherwise, segment_people
from nurture.config import segments as segment_rules
from nurture.rules.segmentation import lifecycle
from nurture.rules.segmentation import segments as segmentation
from nurture.rules.segmentation.segments import NextStage, SegmentRules
from nurture.rules.segmentation.titles import TitleTables, load_tables, read_title
from nurture.runtime import database
from tasks.task import task

CHUNK = 4_000
MONTH = timedelta(days=30)
CONTENT_KINDS = {market.value: dict.fromkeys(segmentation.ENGAGED_KINDS) for market in Market}


@dataclass(frozen=True)
class Segmented:
    """What a run did, in contacts."""

    contacts: int
    changed: int  # segments written: new ones and those that say something else than yesterday
    confirmed: int  # of whom a person has confirmed something
    moved: int  # stages


@dataclass(frozen=True, slots=True)
class SegmentationInput:
    """Some contacts with everything the rules look at, by contact id, or by account id for deals."""

    people: Sequence[SegmentPerson]
    activities: Mapping[int, Sequence[Deeds]]
    purchases: Mapping[int, Purchases]
    deals: Mapping[int, Mapping[str, int]]
    read: Mapping[int, int]  # how many different things they read in 30 days


@dataclass(frozen=True, slots=True)
class SegmentationOutput:
    """What the rules said of some contacts, to be saved."""

    segments: list[NewSegment] = field(default_factory=list)
    moves: list[StageMove] = field(default_factory=list)
    role_changes: list[RoleChangeRow] = field(default_factory=list)


@lru_cache(1)
def titles() -> TitleTables:
    """The shipped tables of job titles, loaded once."""
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
            found = _load(session, start, last, now, rules)
        if not found.people:
            break
        result = _decide(found, tables, rules, now)
        with database.writing(engine) as session:
            save_segments(session, result.segments)
            add_role_changes(session, result.role_changes)
            moved += move_stages(session, result.moves, now)
        contacts, changed = contacts + len(found.people), changed + len(result.segments)
        confirmed += sum(bool(person.confirmed_by) for person in found.people)
        start = found.people[-1].id + 1
    return Segmented(contacts, changed, confirmed, moved)


def _load(session: Session, start: int, last: int, now: datetime, rules: SegmentRules) -> SegmentationInput:
    people = segment_people(session, start, last, CHUNK, now)
    if not people:
        return SegmentationInput([], {}, {}, {}, {})
    done = activity.deeds(session, {person.id: person.market for person in people}, CONTENT_KINDS, now)
    rising = [one for one, theirs in done.items() if segmentation.may_be_champion(theirs, rules.champion)]
    return SegmentationInput(
        people,
        done,
        orders.purchases(session, people[0].id, people[-1].id, now),
        opportunity.deals(session, {person.account_id for person in people}, now),
        activity.contents_read(session, rising, now - MONTH, now) if rising else {},
    )


def _decide(found: SegmentationInput, tables: TitleTables, rules: SegmentRules, now: datetime) -> SegmentationOutput:
    result = SegmentationOutput()
    for person in found.people:
        if person.market == Market.B2B:
            values, next_stage = _business_contact(person, found, tables, rules, now)
        else:
            values, next_stage = _shopper(person, found, rules, now)
        if next_stage:
            result.moves.append(StageMove(person.id, person.stage, next_stage.to, next_stage.why))
        if person.segmented_at is not None and values.role != person.role:
            result.role_changes.append(RoleChangeRow(person.id, now, person.role, values.role, values.evidence))
        if says_otherwise(person, values):
            result.segments.append(NewSegment(person.id, person.confirmed_at, now, values))
    return result


def _business_contact(
    person: SegmentPerson, found: SegmentationInput, tables: TitleTables, rules: SegmentRules, now: datetime
) -> tuple[SegmentValues, NextStage | None]:
    done = found.activities.get(person.id, ())
    deals = found.deals.get(person.account_id, {}) if person.account_id is not None else {}
    next_stage = segmentation.deal_stage(person.stage, deals) or lifecycle.stage_by_behaviour(person.stage, done)
    reading = read_title(person.title or "", tables)
    return segmentation.segment(reading, done, person, now, rules.champion, found.read.get(person.id, 0)), next_stage


def _shopper(
    person: SegmentPerson, found: SegmentationInput, rules: SegmentRules, now: datetime
) -> tuple[SegmentValues, NextStage | None]:
    values = segmentation.shopper_segment(found.purchases.get(person.id), now, rules.shopper)
    browses = any(deeds.this_month for deeds in found.activities.get(person.id, ()))
    return values, segmentation.shopper_stage(person.stage, values.shopper or "", browses)
