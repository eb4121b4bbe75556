"""Which kind of person is this: a role in a buying group, or a kind of shopper? And has their stage moved on?"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from types import MappingProxyType
from typing import NamedTuple

from models.activity import Deeds
from models.contact import Stage
from models.order import Purchases
from models.segment import Role, SegmentPerson, SegmentValues
from nurture.rules.segmentation.titles import DEPARTMENTS, LEVELS, ROLES, UNKNOWN, TitleReading

ENGAGED_KINDS = MappingProxyType({  # what shows that somebody works with our content; machines open letters, too
    "page_view": "pages", "pricing_view": "prices", "download": "downloads", "webinar": "webinars", "form": "forms",
    "demo_request": "demos", "email_click": "links in letters", "forward": "forwards", "reply": "replies",
    "meeting": "meetings",
})  # fmt: skip
MAY_BECOME_CHAMPION = frozenset(
    {Role.USER, Role.SPECIFIER, None}
)  # who decides, pays or buys is needed as what they are
BELIEVED = 0.5  # from this confidence on the title's role stands beside the champion's


@dataclass(frozen=True, slots=True)
class ChampionRules:
    """Champion is earned: so many activities of so many kinds within a month, on so many different pieces or with a
    word of their own; kept while they are seen now and then."""

    times: int = 6
    kinds: int = 3
    pieces: int = 4  # different pages, papers, webinars …
    speaks: tuple[str, ...] = ("forward", "reply", "meeting", "demo_request", "form")  # … or one of these
    keeps: timedelta = timedelta(days=60)
    confidence: float = 0.8


@dataclass(frozen=True, slots=True)
class ShopperRules:
    """Where one kind of shopper ends and the next begins. The first that holds in `shopper_kind` counts."""

    lapsed: timedelta = timedelta(days=180)  # no order for longer than this
    lapsing: timedelta = timedelta(days=90)  # no order for longer than this
    champion_orders: int = 4  # in the last 365 days
    loyal_orders: int = 2


CHAMPIONS, SHOPPERS = ChampionRules(), ShopperRules()


class NextStage(NamedTuple):
    """A lead goes to another stage, and why."""

    to: Stage
    why: str


@dataclass(frozen=True, slots=True)
class SegmentRules:
    """What `segments.toml` says."""

    champion: ChampionRules = CHAMPIONS
    shopper: ShopperRules = SHOPPERS


def segment(
    reading: TitleReading, done: Iterable[Deeds], person: SegmentPerson, now: datetime,
    rules: ChampionRules = CHAMPIONS, pieces: int = 0,
) -> SegmentValues:  # fmt: skip
    """A business contact's segment: what a person confirmed, else what the title says; champion by behaviour.

    `person`: the contact with the segment that stands. `pieces`: how many different things they have read in 30 days.
    """
    role = None if reading.role == UNKNOWN else reading.role
    said = [f"{one.phrase!r} → {one.says}" for one in reading.evidence]
    found = SegmentValues(
        role=role,
        title_role=role if reading.role_confidence >= BELIEVED else None,
        role_confidence=reading.role_confidence,
        persona=None if reading.persona == UNKNOWN else reading.persona,
        persona_confidence=reading.persona_confidence,
        department=reading.department if reading.department_confidence >= BELIEVED else None,
        seniority=reading.seniority,
    )
    if "role" not in person.confirmed_fields and role in MAY_BECOME_CHAMPION:
        earned = champion_evidence(done, person.role, now, rules, pieces)
        if earned:
            found = found._replace(role=Role.CHAMPION.value, role_confidence=rules.confidence)
            said.insert(0, earned)
    return _as_confirmed(found, person)._replace(evidence="; ".join(said) or None)


def _as_confirmed(found: SegmentValues, person: SegmentPerson) -> SegmentValues:
    """What a person has spoken of stays as they said, with confidence 1."""
    fields = person.confirmed_fields
    if not fields:
        return found
    found = found._replace(**{name: getattr(person, name) for name in fields})
    if "persona" in fields:
        found = found._replace(persona_confidence=1.0)
    if "role" in fields:
        found = found._replace(role_confidence=1.0)
    if "role" in fields and found.role != Role.CHAMPION:
        return found._replace(title_role=found.role)  # the title was corrected; a champion is still what it says
    return found


def not_to_be_confirmed(said: Mapping[str, str], personas: Collection[str]) -> str | None:
    """Why a person cannot confirm this (field → value), with what to write instead; None when they can."""
    known = {"role": ROLES, "persona": personas, "department": DEPARTMENTS, "seniority": LEVELS}
    if not said:
        return f"say what is true: one of {', '.join(known)}"
    for name, value in said.items():
        if value not in known[name]:
            near = get_close_matches(value, known[name], 1)
            return f"{value!r} is no {name}; " + (
                f"did you mean {near[0]!r}?" if near else f"one of {', '.join(known[name])}"
            )
    return None


def may_be_champion(done: Iterable[Deeds], rules: ChampionRules = CHAMPIONS) -> bool:
    """Have they done enough of enough kinds, so that it matters what they read?"""
    lately = {deeds.kind: deeds.this_month for deeds in done if deeds.kind in ENGAGED_KINDS and deeds.this_month}
    return sum(lately.values()) >= rules.times and len(lately) >= rules.kinds


def champion_evidence(
    done: Iterable[Deeds], was: str | None, now: datetime, rules: ChampionRules = CHAMPIONS, pieces: int = 0
) -> str | None:
    """Why this behaviour makes a champion, or None. Who `was` one stays one as long as they are seen now and then."""
    done = [deeds for deeds in done if deeds.kind in ENGAGED_KINDS]
    lately = {deeds.kind: deeds.this_month for deeds in done if deeds.this_month}
    spoke = [ENGAGED_KINDS[kind] for kind in rules.speaks if kind in lately]
    if may_be_champion(done, rules) and (spoke or pieces >= rules.pieces):
        named = ", ".join(ENGAGED_KINDS[kind] for kind in ENGAGED_KINDS if kind in lately)
        on = f", {pieces} different pieces" if pieces >= rules.pieces else ""
        return f"{sum(lately.values())} activities in 30 days ({named}){on} → role champion"
    if was == Role.CHAMPION and any(deeds.last_at > now - rules.keeps for deeds in done):
        return "was a champion and is still seen → role champion"
    return None


def shopper_kind(bought: Purchases | None, now: datetime, rules: ShopperRules = SHOPPERS) -> str:
    """prospect, lapsed, lapsing, champion, loyal or new: by the last order and the orders of a year."""
    if bought is None:
        return "prospect"
    since = now - bought.last_at
    if since > rules.lapsed:
        return "lapsed"
    if since > rules.lapsing:
        return "lapsing"
    if bought.orders_in_year >= rules.champion_orders:
        return "champion"
    return "loyal" if bought.orders_in_year >= rules.loyal_orders else "new"


def shopper_segment(bought: Purchases | None, now: datetime, rules: ShopperRules = SHOPPERS) -> SegmentValues:
    """A consumer's segment, from what they have bought."""
    kind = shopper_kind(bought, now, rules)
    if bought is None:
        return SegmentValues(evidence="no order yet", shopper=kind, frequency=0, monetary_cents=0)
    days = (now - bought.last_at).days
    orders = "1 order" if bought.orders_in_year == 1 else f"{bought.orders_in_year} orders"
    return SegmentValues(
        evidence=f"last order {days} days ago, {orders} in 365 days",
        shopper=kind,
        recency_days=days,
        frequency=bought.orders_in_year,
        monetary_cents=bought.cents_in_year,
    )


SHOPPER_STAGE = {  # kind of shopper → stage; a lapsing one keeps the stage they have
    "new": Stage.BUYER, "loyal": Stage.MEMBER, "champion": Stage.MEMBER, "lapsed": Stage.LAPSED,
}  # fmt: skip


def shopper_stage(stage: str, kind: str, browses: bool) -> NextStage | None:
    """Where a consumer's orders (or looking around without one) take them."""
    if kind == "prospect":
        return (
            NextStage(Stage.CONSIDERING, "looked around in the last 30 days")
            if stage == Stage.AWARE and browses
            else None
        )
    to = SHOPPER_STAGE.get(kind)
    if to is None and kind == "lapsing" and stage in (Stage.AWARE, Stage.CONSIDERING):
        to = Stage.BUYER
    return (
        NextStage(to, f"is a {kind} shopper" if kind != "lapsed" else "has not ordered for long")
        if to and to != stage
        else None
    )


def deal_stage(stage: str, deals: Mapping[str, int]) -> NextStage | None:
    """Where the account's opportunities (counts of "open", "won", "lost") take a business contact."""
    if stage == Stage.CUSTOMER:
        return None
    if deals.get("won"):
        return NextStage(Stage.CUSTOMER, "the account has bought")
    if deals.get("open"):
        return NextStage(Stage.OPPORTUNITY, "an opportunity is open") if stage != Stage.OPPORTUNITY else None
    if deals.get("lost") and stage == Stage.OPPORTUNITY:
        return NextStage(Stage.RECYCLED, "the opportunity was lost")
    return None
