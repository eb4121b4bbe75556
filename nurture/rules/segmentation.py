"""Which kind of person is this: a role in a buying group, or a kind of shopper? And has their stage moved on?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from models.activity import Deeds
from models.contact import Stage
from models.order import Purchases
from models.segment import Role
from nurture.rules.titles import UNKNOWN, TitleReading

READ = MappingProxyType({  # what shows that somebody works with our content; machines open letters too, so not that
    "page_view": "pages", "pricing_view": "prices", "download": "downloads", "webinar": "webinars", "form": "forms",
    "demo_request": "demos", "email_click": "links in letters", "reply": "replies", "meeting": "meetings",
})  # fmt: skip
RISES = frozenset({Role.USER, Role.SPECIFIER, None})  # who decides, pays or buys is needed as what they are
BELIEVED = 0.5  # from this confidence on the title's role stands beside the champion's


@dataclass(frozen=True, slots=True)
class ChampionRules:
    """Champion is earned: so many activities of so many kinds within a month; kept while they are seen now and then."""

    times: int = 6
    kinds: int = 3
    keeps: timedelta = timedelta(days=60)
    confidence: float = 0.8


@dataclass(frozen=True, slots=True)
class ShopperRules:
    """Where one kind of shopper ends and the next begins. The first that holds, from top to bottom of `shopper`."""

    lapsed: timedelta = timedelta(days=180)  # no order for longer than this
    lapsing: timedelta = timedelta(days=90)  # no order for longer than this
    champion_orders: int = 4  # in the last 365 days
    loyal_orders: int = 2


CHAMPIONS, SHOPPERS = ChampionRules(), ShopperRules()


class Move(NamedTuple):
    """A lead goes to another stage, and why."""

    to: Stage
    why: str


def segment(
    reading: TitleReading, done: Iterable[Deeds], was: str | None, now: datetime, rules: ChampionRules = CHAMPIONS
) -> dict[str, Any]:
    """A business contact's segment: what the title says, and champion when the behaviour says so."""
    role = None if reading.role == UNKNOWN else reading.role
    said = [f"{one.phrase!r} → {one.says}" for one in reading.evidence]
    found: dict[str, Any] = {
        "role": role,
        "title_role": role if reading.role_confidence >= BELIEVED else None,
        "role_confidence": reading.role_confidence,
        "persona": None if reading.persona == UNKNOWN else reading.persona,
        "persona_confidence": reading.persona_confidence,
        "department": reading.department if reading.department_confidence >= BELIEVED else None,
        "seniority": reading.seniority,
        "shopper": None, "recency_days": None, "frequency": None, "monetary_cents": None,
    }  # fmt: skip
    if role in RISES and (earned := champion(done, was, now, rules)):
        found |= {"role": Role.CHAMPION.value, "role_confidence": rules.confidence}
        said.insert(0, earned)
    return found | {"evidence": "; ".join(said) or None}


def champion(done: Iterable[Deeds], was: str | None, now: datetime, rules: ChampionRules = CHAMPIONS) -> str | None:
    """Why this behaviour makes a champion, or None. Who `was` one stays one as long as they are seen now and then."""
    done = [deeds for deeds in done if deeds.kind in READ]
    lately = {deeds.kind: deeds.this_month for deeds in done if deeds.this_month}
    if sum(lately.values()) >= rules.times and len(lately) >= rules.kinds:
        named = ", ".join(READ[kind] for kind in READ if kind in lately)
        return f"{sum(lately.values())} activities in 30 days ({named}) → role champion"
    if was == Role.CHAMPION and any(deeds.last_at > now - rules.keeps for deeds in done):
        return "was a champion and is still seen → role champion"
    return None


def shopper(bought: Purchases | None, now: datetime, rules: ShopperRules = SHOPPERS) -> str:
    """prospect, lapsed, lapsing, champion, loyal or new: by the last order and the orders of a year."""
    if bought is None:
        return "prospect"
    since = now - bought.last_at
    if since > rules.lapsed:
        return "lapsed"
    if since > rules.lapsing:
        return "lapsing"
    if bought.lately >= rules.champion_orders:
        return "champion"
    return "loyal" if bought.lately >= rules.loyal_orders else "new"


def shopper_segment(bought: Purchases | None, now: datetime, rules: ShopperRules = SHOPPERS) -> dict[str, Any]:
    kind = shopper(bought, now, rules)
    if bought is None:
        evidence, rfm = "no order yet", {"recency_days": None, "frequency": 0, "monetary_cents": 0}
    else:
        days = (now - bought.last_at).days
        orders = "1 order" if bought.lately == 1 else f"{bought.lately} orders"
        evidence = f"last order {days} days ago, {orders} in 365 days"
        rfm = {"recency_days": days, "frequency": bought.lately, "monetary_cents": bought.cents}
    return {
        "role": None, "title_role": None, "role_confidence": 0.0, "persona": None, "persona_confidence": 0.0,
        "department": None, "seniority": None, "shopper": kind, **rfm, "evidence": evidence,
    }  # fmt: skip


SHOPPER_STAGE = {  # kind of shopper → stage; a lapsing one keeps the stage they have
    "new": Stage.BUYER, "loyal": Stage.MEMBER, "champion": Stage.MEMBER, "lapsed": Stage.LAPSED,
}  # fmt: skip


def shopper_move(stage: str, kind: str, browses: bool) -> Move | None:
    """Where a consumer's orders (or looking around without one) take them."""
    if kind == "prospect":
        return (
            Move(Stage.CONSIDERING, "looked around in the last 30 days") if stage == Stage.AWARE and browses else None
        )
    to = SHOPPER_STAGE.get(kind)
    if to is None and kind == "lapsing" and stage in (Stage.AWARE, Stage.CONSIDERING):
        to = Stage.BUYER
    return (
        Move(to, f"is a {kind} shopper" if kind != "lapsed" else "has not ordered for long")
        if to and to != stage
        else None
    )


def deal_move(stage: str, deals: Mapping[str, int]) -> Move | None:
    """Where the account's opportunities (counts of "open", "won", "lost") take a business contact."""
    if stage == Stage.CUSTOMER:
        return None
    if deals.get("won"):
        return Move(Stage.CUSTOMER, "the account has bought")
    if deals.get("open"):
        return Move(Stage.OPPORTUNITY, "an opportunity is open") if stage != Stage.OPPORTUNITY else None
    if deals.get("lost") and stage == Stage.OPPORTUNITY:
        return Move(Stage.RECYCLED, "the opportunity was lost")
    return None
