"""Who is who: titles become roles, behaviour earns a champion, orders make shoppers, deals and orders move stages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from models import Account, Activity, Address, Contact, Opportunity, Order, Segment, Transition
from models import segment as stored
from models.confirmation import Confirmed, NewConfirmation, confirm, confirmed_fields
from models.order import Purchases
from nurture.config import segments as segment_rules
from nurture.rules.scoring.lead_score import Deeds
from nurture.rules.segmentation import segments as segmentation
from nurture.rules.segmentation.titles import load_tables, read_title
from nurture.runtime import database
from tasks.segmentation import Segmented, segment
from tests.support.people import add

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAY = timedelta(days=1)


def bought(last: int, lately: int = 1, ever: int = 1) -> Purchases:
    return Purchases(1, NOW - 700 * DAY, NOW - last * DAY, ever, lately, lately * 5_000)


@pytest.mark.parametrize(
    ("orders", "kind"),
    [
        (None, "prospect"),
        (bought(0), "new"),
        (bought(90), "new"),
        (bought(91), "lapsing"),
        (bought(180, lately=9), "lapsing"),
        (bought(181, lately=9), "lapsed"),
        (bought(20, lately=2), "loyal"),
        (bought(20, lately=4), "champion"),
        (bought(20, lately=1, ever=30), "new"),  # back after a year: to be won again
    ],
)
def test_a_shopper_is_what_the_last_year_says(orders: Purchases | None, kind: str) -> None:
    assert segmentation.shopper_kind(orders, NOW) == kind


def deeds(kind: str, this_month: int, days: float = 1) -> Deeds:
    return Deeds(1, kind, 0.0, this_month or 1, 0, this_month, NOW - days * DAY)


def test_a_champion_is_made_by_many_deeds_of_several_kinds() -> None:
    many = [deeds("pricing_view", 3), deeds("download", 2), deeds("email_click", 1)]
    assert "6 activities in 30 days (prices, downloads, links in letters), 4 different pieces" in (
        segmentation.champion_evidence(many, None, NOW, pieces=4) or ""
    )
    assert segmentation.champion_evidence(many, None, NOW, pieces=3) is None  # the same page again and again
    assert segmentation.champion_evidence([*many, deeds("forward", 1)], None, NOW)  # but they told somebody
    assert segmentation.champion_evidence(many[:2], None, NOW, pieces=9) is None
    assert segmentation.champion_evidence([deeds("page_view", 50)], None, NOW, pieces=9) is None
    assert segmentation.champion_evidence([deeds("email_open", 50), *many[:2]], None, NOW, pieces=9) is None


def test_a_champion_stays_one_while_seen() -> None:
    quiet, gone = [deeds("page_view", 0, days=59)], [deeds("page_view", 0, days=61)]
    assert segmentation.champion_evidence(quiet, "champion", NOW)
    assert segmentation.champion_evidence(quiet, "user", NOW) is None
    assert segmentation.champion_evidence(gone, "champion", NOW) is None


@pytest.mark.parametrize(
    ("stage", "deals", "to"),
    [
        ("lead", {"open": 1}, "opportunity"),
        ("mql", {"open": 1, "lost": 3}, "opportunity"),
        ("opportunity", {"open": 1}, None),
        ("opportunity", {"won": 1, "open": 1}, "customer"),
        ("opportunity", {"lost": 1}, "recycled"),
        ("lead", {"lost": 1}, None),
        ("customer", {"open": 1}, None),
        ("lead", {}, None),
    ],
)
def test_deals_move_the_people_of_an_account(stage: str, deals: dict[str, int], to: str | None) -> None:
    move = segmentation.deal_stage(stage, deals)
    assert (move.to if move else None) == to


@pytest.mark.parametrize(
    ("stage", "kind", "browses", "to"),
    [
        ("aware", "prospect", False, None),
        ("aware", "prospect", True, "considering"),
        ("considering", "new", False, "buyer"),
        ("buyer", "loyal", False, "member"),
        ("member", "champion", False, None),
        ("member", "lapsing", False, None),
        ("aware", "lapsing", False, "buyer"),
        ("member", "lapsed", True, "lapsed"),
        ("lapsed", "new", True, "buyer"),
    ],
)
def test_orders_move_a_shopper(stage: str, kind: str, browses: bool, to: str | None) -> None:
    move = segmentation.shopper_stage(stage, kind, browses)
    assert (move.to if move else None) == to


# in the database


def settle_contacts(engine: Engine) -> None:
    """Contact 1 Zoë, 2 her CFO, 3 the assistant, 4 a title nobody knows (all of account 7), 5 and 6 shoppers."""
    made = {"traits": {}, "created_at": NOW - 400 * DAY, "updated_at": NOW - 400 * DAY}
    add(engine, Account, {"id": 7, "key": "foo", "name": "Foo & Søns <GmbH>", **made})
    titles = {1: "Head of Maintenance", 2: "CFO", 3: "Assistant to the CEO", 4: "Zyx", 5: None, 6: None}
    for one, title in titles.items():
        address = f"lead{one}@foo.example"
        market, stage, account = ("b2b", "lead", 7) if one < 5 else ("b2c", "aware", None)
        add(engine, Address, {"address": address})
        add(engine, Contact, {"id": one, "market": market, "key": address, "address": address, "email": address,
                              "account_id": account, "title": title, "stage": stage, **made})  # fmt: skip


def act(engine: Engine, contact: int, *kinds: str, at: datetime = NOW - DAY) -> None:
    for place, kind in enumerate(kinds):
        moment = at - timedelta(minutes=place)
        key = contact * 10**9 + int(moment.timestamp())
        add(engine, Activity, {"dedupe": key, "contact_id": contact, "kind": kind, "at": moment})


def segments(engine: Engine) -> dict[int, dict[str, Any]]:
    with database.reading(engine) as session:
        return {row["contact_id"]: dict(row) for row in session.execute(select(Segment.__table__)).mappings()}


def stages(engine: Engine) -> dict[int, str]:
    with database.reading(engine) as session:
        return {row.id: row.stage for row in session.execute(select(Contact.id, Contact.stage))}


def test_titles_become_roles_with_how_sure_and_why(engine: Engine) -> None:
    settle_contacts(engine)
    assert segment(engine, NOW).contacts == 6
    found = segments(engine)
    assert [found[one]["role"] for one in (1, 2, 3, 4)] == ["specifier", "finance", "gatekeeper", None]
    assert found[1]["role_confidence"] > 0.5
    assert found[1]["persona"] == "maintenance-lead"
    assert "maintenance" in found[1]["evidence"]
    assert found[4]["title_role"] is None


def test_a_champion_is_no_gatekeeper_and_keeps_the_titles_role(engine: Engine) -> None:
    settle_contacts(engine)
    for one in (1, 2, 3, 4):
        act(engine, one, "pricing_view", "download", "webinar", "form", "email_click", "page_view")
    segment(engine, NOW)
    found = segments(engine)
    assert [found[one]["role"] for one in (1, 2, 3, 4)] == ["champion", "finance", "gatekeeper", "champion"]
    assert found[1]["title_role"] == "specifier"


def test_what_happens_later_makes_no_champion_today(engine: Engine) -> None:
    settle_contacts(engine)
    act(engine, 1, "pricing_view", "download", "webinar", "form", "email_click", "page_view", at=NOW + DAY)
    segment(engine, NOW)
    assert segments(engine)[1]["role"] == "specifier"


def says(engine: Engine, contact: int, at: datetime = NOW, **what: str) -> list[NewConfirmation]:
    with database.writing(engine) as session:
        return confirm(session, contact, what, "sam@seller.example", at)


def test_a_persons_word_wins_for_good_and_what_was_believed_is_kept(engine: Engine) -> None:
    settle_contacts(engine)
    segment(engine, NOW)
    assert [(row.was, row.said) for row in says(engine, 1, role="authorizer")] == [("specifier", "authorizer")]
    assert says(engine, 1, role="authorizer") == []  # said twice, written down once
    with database.writing(engine) as session:
        session.execute(update(Contact).where(Contact.id == 1).values(title="Assistant to the CEO"))
    act(engine, 1, "pricing_view", "download", "webinar", "reply", "email_click", "page_view")
    assert segment(engine, NOW + DAY).confirmed == 1
    now = segments(engine)[1]
    assert (now["role"], now["role_confidence"], now["title_role"]) == ("authorizer", 1.0, "authorizer")
    assert now["persona"] == "assistant"  # what nobody spoke of follows the title
    says(engine, 1, NOW + DAY, role="champion", seniority="Lead")
    segment(engine, NOW + 90 * DAY)
    now = segments(engine)[1]
    assert (now["role"], now["title_role"], now["seniority"]) == ("champion", "gatekeeper", "Lead")
    with database.reading(engine) as session:
        told = confirmed_fields(session, [1])[1]
    assert told["role"] == Confirmed("sam@seller.example", NOW + DAY, "authorizer", "champion")


def test_a_word_spoken_while_the_rules_were_looking_is_not_overwritten(engine: Engine) -> None:
    settle_contacts(engine)
    segment(engine, NOW)
    with database.reading(engine) as session:
        [zoe] = stored.segment_people(session, 1, 1, 1, NOW)
    says(engine, 1, role="finance")
    found = segmentation.segment(read_title("Assistant to the CEO", load_tables()), [], zoe, NOW)
    with database.writing(engine) as session:
        stored.save_segments(session, [stored.NewSegment(1, zoe.confirmed_at, NOW, found)])
    assert segments(engine)[1]["role"] == "finance"


def test_what_is_no_role_cannot_be_confirmed() -> None:
    wrong = segmentation.not_to_be_confirmed
    assert wrong({"role": "autorizer"}, ()) == "'autorizer' is no role; did you mean 'authorizer'?"
    assert "say what is true" in (wrong({}, ()) or "")
    assert wrong({"persona": "plant-engineer", "department": "Sales", "seniority": "Lead"}, ["plant-engineer"]) is None


def test_the_thresholds_are_read_from_a_file_and_mistakes_have_a_line() -> None:
    rules = segment_rules.read_text('[champion]\nactivities = 2\nkinds = 1\npieces = 1\n[shopper]\nlapsed = "P99D"')
    assert (rules.champion.times, rules.shopper.lapsed) == (2, 99 * DAY)
    assert segmentation.champion_evidence([deeds("page_view", 2)], None, NOW, rules.champion, pieces=1)
    with pytest.raises(segment_rules.SegmentRulesError) as wrong:
        segment_rules.read_text('[champion]\nspeaks = ["repy"]\nkinds = 0\n[shopper]\nlapsing = "P1Y"')
    assert sorted(problem.line or 0 for problem in wrong.value.problems) == [2, 3, 5]
    assert "did you mean reply?" in str(wrong.value)


def test_different_pieces_make_a_champion_one_page_does_not(engine: Engine) -> None:
    settle_contacts(engine)
    for contact, details in ((1, "abcdef"), (2, "aaaaaa"), (4, "aaaaaa")):
        for place, (kind, detail) in enumerate(zip(["page_view", "download", "email_click"] * 2, details, strict=True)):
            add(engine, Activity, {"dedupe": contact * 100 + place, "contact_id": contact, "kind": kind,
                                   "at": NOW - DAY, "detail": detail})  # fmt: skip
    segment(engine, NOW)
    found = segments(engine)
    assert (found[1]["role"], found[4]["role"]) == ("champion", None)
    assert "6 different pieces" in found[1]["evidence"]


def test_segmenting_twice_changes_nothing(engine: Engine) -> None:
    settle_contacts(engine)
    first = segment(engine, NOW)
    assert (first.changed, first.contacts) == (6, 6)
    before = segments(engine)
    assert segment(engine, NOW) == Segmented(contacts=6, changed=0, confirmed=0, moved=0)
    assert segments(engine) == before


def test_shoppers_and_their_stages_follow_their_orders(engine: Engine) -> None:
    settle_contacts(engine)
    for number, days in enumerate((5, 50, 100, 150)):
        add(engine, Order, {"key": f"o{number}", "contact_id": 5, "at": NOW - days * DAY, "amount_cents": 2_500})
    act(engine, 6, "page_view")
    assert segment(engine, NOW).moved == 2
    found = segments(engine)
    assert (found[5]["shopper"], found[6]["shopper"]) == ("champion", "prospect")
    assert (found[5]["recency_days"], found[5]["frequency"], found[5]["monetary_cents"]) == (5, 4, 10_000)
    assert (stages(engine)[5], stages(engine)[6]) == ("member", "considering")
    segment(engine, NOW + 200 * DAY)
    assert (segments(engine)[5]["shopper"], stages(engine)[5]) == ("lapsed", "lapsed")


def test_a_deal_moves_everybody_of_the_account_and_is_logged(engine: Engine) -> None:
    settle_contacts(engine)
    deal = {"key": "d1", "account_id": 7, "name": "Pumps", "outcome": "won", "traits": {}}
    add(engine, Opportunity, {**deal, "opened_at": NOW - DAY, "closed_at": NOW + 2 * DAY})
    assert segment(engine, NOW - 2 * DAY).moved == 0
    assert segment(engine, NOW).moved == 4  # it is open until it is won
    assert set(stages(engine).values()) == {"opportunity", "aware"}
    assert segment(engine, NOW + 3 * DAY).moved == 4
    with database.reading(engine) as session:
        moves = session.execute(
            select(Transition.stage_from, Transition.stage_to, Transition.why)
            .where(Transition.contact_id == 1)
            .order_by(Transition.id)
        ).all()
    assert [tuple(move) for move in moves] == [
        ("lead", "opportunity", "an opportunity is open"),
        ("opportunity", "customer", "the account has bought"),
    ]


def test_shards_together_are_the_whole(engine: Engine) -> None:
    settle_contacts(engine)
    parts = [segment(engine, NOW, shard, 4) for shard in range(4)]
    assert sum(part.contacts for part in parts) == len(segments(engine)) == 6
