"""A lead as it was known at a moment: what happens later changes nothing, and what became of it is told honestly."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sqlalchemy import Engine, delete, update

from models import Activity, Address, Handoff, Message, Opportunity, Order
from models.queries import training_history
from nurture.config import scoring
from nurture.learning.training_data.lead_record import DAY, LeadRecord, known, read_record
from nurture.learning.training_data.point_in_time import FeaturePlan, leads_at
from nurture.learning.training_data.record_labels import labels_at, points_in_time
from nurture.runtime import database
from tests.support.learnable_record import build
from tests.support.people import a_message, add

RULES = scoring.read(Path(__file__).parents[2] / "templates" / "scoring.toml")
SHEET = RULES.markets["b2b"]
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
T = NOW - timedelta(days=100)
PLAN = FeaturePlan("b2b", ("page_view", "pricing_view", "download"))


def records(
    engine: Engine, before: datetime = NOW, kinds: tuple[str, ...] = PLAN.kinds, every: int = 1
) -> list[LeadRecord]:
    with database.reading(engine) as session:
        stretches = training_history.stretches(session, "b2b", 0, 1, every)
        return [found for one in stretches if (found := read_record(session, one, kinds, before)) is not None]


def looks(engine: Engine, t: datetime, before: datetime = NOW) -> pl.DataFrame:
    """Every lead as it was known at `t`."""
    at = int(t.timestamp())
    found = []
    for record in records(engine, before):
        looked = leads_at(record, at, PLAN, SHEET).frame
        found.append(looked.with_columns(lead=record.ids, known=known(record, at)))
    return pl.concat(found)


def act(engine: Engine, contact: int, kind: str, at: datetime) -> None:
    add(engine, Activity, {"dedupe": hash((contact, kind, at)) % 2**60, "contact_id": contact, "kind": kind, "at": at})


def say(engine: Engine, *statements: Any) -> None:
    with database.writing(engine) as session:
        for statement in statements:
            session.execute(statement)


def order(at: datetime, key: str = "1", contact: int = 30) -> dict[str, Any]:
    return {"key": key, "contact_id": contact, "at": at, "amount_cents": 9_900}


def deal(at: datetime, key: str, account: int, **more: Any) -> dict[str, Any]:
    return {"key": key, "account_id": account, "name": "Pumps", "outcome": "open", "opened_at": at} | more


def handoff(at: datetime, contact: int, state: str = "rejected") -> dict[str, Any]:
    return {"contact_id": contact, "account_id": contact // 3, "owner_email": "sam@seller.example", "state": state,
            "score": 80.0, "grade": "A1", "score_version": "v", "reasons": [], "context": {}, "offered_at": at,
            "due_at": at, "decided_at": at, "decided_why": "wrong_person"}  # fmt: skip


def letter(id: int, at: datetime, contact: int) -> dict[str, Any]:
    return a_message(id, at, contact_id=contact, account_id=contact // 3, address=f"p{contact}@c{contact // 3}.example",
                     state="accepted", accepted_at=at, letter=f"letter-{id}")  # fmt: skip


SOON = T + timedelta(seconds=1)
LATER: dict[str, Callable[[Engine], None]] = {
    "what they did is gone": lambda e: say(e, delete(Activity).where(Activity.at >= T)),  # type: ignore[arg-type]
    "they do more": lambda e: act(e, 30, "pricing_view", SOON),
    "a colleague does": lambda e: act(e, 31, "download", SOON),
    "they buy": lambda e: add(e, Order, order(SOON)),
    "a deal is opened": lambda e: add(e, Opportunity, deal(SOON, "new", 10)),
    "an open deal is won": lambda e: say(
        e, update(Opportunity).where(Opportunity.key == "old").values(outcome="won", closed_at=SOON)  # type: ignore[arg-type]
    ),
    "sales say no": lambda e: add(e, Handoff, handoff(SOON, 30)),
    "a letter leaves": lambda e: add(e, Message, letter(900, SOON, 30)),
    "all deals of later are forgotten": lambda e: say(e, delete(Opportunity).where(Opportunity.opened_at > T)),  # type: ignore[arg-type]
}  # fmt: skip
EARLIER: dict[str, tuple[Callable[[Engine], None], str]] = {
    "they did more": (lambda e: act(e, 30, "pricing_view", T - timedelta(days=1)), "pricing_view 7d"),
    "a colleague did": (lambda e: act(e, 31, "download", T - timedelta(days=1)), "colleagues 30d"),
    "they bought": (lambda e: add(e, Order, order(T - timedelta(days=9), "2")), "orders days ago"),
    "a deal was lost": (lambda e: add(e, Opportunity, deal(T - timedelta(days=90), "lost", 10, outcome="lost",
                                                           closed_at=T - timedelta(days=3))), "deals lost"),
    "sales said no": (lambda e: add(e, Handoff, handoff(T - timedelta(days=9), 30)), "rejected by sales"),
    "a letter left": (lambda e: add(e, Message, letter(901, T - timedelta(days=2), 30)), "letters 7d"),
}  # fmt: skip


def test_what_happens_later_changes_nothing_and_what_happened_earlier_does(engine: Engine) -> None:
    build(engine, NOW, companies=20, days=300)
    add(engine, Opportunity, deal(T - timedelta(days=5), "old", 10))
    before = looks(engine, T)
    for what, happens in LATER.items():
        happens(engine)
        assert looks(engine, T).equals(before), what
    assert looks(engine, T, before=T).equals(before)  # read without what came later at all
    for what, (happens, name) in EARLIER.items():
        happens(engine)
        after = looks(engine, T)
        row = after["lead"].to_list().index(30)
        assert after[name][row] != before[name][row], what


def test_activities_fade_by_half_and_colleagues_do_not_count_themselves(engine: Engine) -> None:
    build(engine, NOW, companies=2, days=300, each=0)
    say(engine, delete(Activity))
    for days, contact in ((7, 3), (30, 3), (1, 4)):
        act(engine, contact, "pricing_view", T - timedelta(days=days))
    found = {row["lead"]: row for row in looks(engine, T).to_dicts()}
    assert found[3]["pricing_view 7d"] == pytest.approx(0.5 + 0.5 ** (30 / 7))
    assert found[3]["pricing_view 90d"] == pytest.approx(0.5 ** (7 / 90) + 0.5 ** (1 / 3))
    assert found[3]["days since the last activity"] == pytest.approx(7)
    assert np.isnan(found[5]["days since the last activity"])
    assert [found[lead]["colleagues active"] for lead in (3, 4, 5, 6)] == [1, 1, 2, 0]
    assert found[4]["colleagues 30d"] == pytest.approx(found[3]["pricing_view 30d"])


def test_before_anybody_did_anything_leads_look_the_same_way(engine: Engine) -> None:
    build(engine, NOW, companies=3, days=100, each=2)
    early, late = looks(engine, NOW - timedelta(days=900)), looks(engine, NOW)
    assert early.schema == late.schema
    assert early["known"].sum() == 0


def test_shards_and_samples_hold_every_lead_once(engine: Engine) -> None:
    build(engine, NOW, companies=40, days=100, each=1)
    alone = {"market": "b2b", "stage": "lead", "traits": {}, "created_at": T, "updated_at": T}
    add(engine, Address, *({"address": f"{one}@x.example"} for one in range(200, 205)))
    from models import Contact

    add(engine, Contact, *({"id": one, "key": str(one), "address": f"{one}@x.example", "email": "x", **alone}
                           for one in range(200, 205)))  # fmt: skip
    with database.reading(engine) as session:
        parts = [one for shard in range(3) for one in training_history.stretches(session, "b2b", shard, 3)]
        ids = [lead for one in parts if (people := training_history.people(session, one)) for lead in people.contact_id]
        assert training_history.counted(session, "b2b") == len(ids) == len(set(ids)) == 125
    assert 0 < sum(len(one) for one in records(engine, every=4)) < 60


def test_what_became_of_a_lead(engine: Engine) -> None:
    build(engine, NOW, companies=9, days=300, each=1)
    say(engine, delete(Opportunity), delete(Handoff))
    after = T + timedelta(days=10)
    add(
        engine,
        Opportunity,
        deal(after, "named", 1, contact_id=3),
        deal(after, "company", 2),
        deal(after, "despite", 3),
        deal(T - timedelta(days=3), "open", 4),
        deal(T + timedelta(days=61), "late", 5),
    )
    add(engine, Handoff, handoff(after, 9), handoff(after, 18, "accepted"), handoff(after, 21, "recycled"))
    add(engine, Order, order(T - timedelta(days=1), "before", 24), order(after, "after", 27))
    [record] = records(engine)
    t, cut = int(T.timestamp()), int(NOW.timestamp())
    said = dict(zip(record.ids.tolist(), labels_at(record, t, 60, cut).tolist(), strict=True))
    yes, no = {3, 6, 7, 8, 10, 11, 18, 27}, {9, 15, 16, 17, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29}
    assert {lead for lead, y in said.items() if y == 1} == yes
    assert {lead for lead, y in said.items() if y == 0} == no  # 9: sales said no, though the company opened a deal
    assert {lead for lead, y in said.items() if np.isnan(y)} == {
        4,
        5,
        12,
        13,
        14,
    }  # a colleague's deal; one open already
    assert np.isnan(labels_at(record, t, 101, cut)).all()  # nobody can know yet: no reason to call it a no


def test_moments_lie_so_far_apart_that_no_outcome_is_told_twice() -> None:
    now = int(NOW.timestamp())
    found = points_in_time(now - 400 * DAY, now, 90, 12)
    assert [found[0] - one for one in found] == [0, 90 * DAY, 180 * DAY, 270 * DAY]
    assert found[0] + 90 * DAY <= now
    assert points_in_time(now - 100 * DAY, now, 90, 12) == []
