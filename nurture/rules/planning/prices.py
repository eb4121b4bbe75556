"""What an account pays: instant discount, group purchase, back-end rebate; or a person instead of a price."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

INSTANT, GROUP = "instant discount", "group purchase"


class Buyer(NamedTuple):
    """What the price list looks at. What we do not know earns nothing and calls nobody."""

    channel: str = ""
    tier: str = ""
    volume: int = 0  # units a year
    group_volume: int = 0  # units a year of their purchasing group
    growth: float = 0.0  # percent over the year before


@dataclass(frozen=True, slots=True)
class Discount:
    """Percent for whom all of it holds; nobody named in channels or tiers: everybody."""

    percent: Decimal
    channels: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    from_volume: int = 0

    def is_for(self, buyer: Buyer) -> bool:
        """Do channel and tier fit? The volume is asked where the discount is chosen."""
        return _among(buyer.channel, self.channels) and _among(buyer.tier, self.tiers)


@dataclass(frozen=True, slots=True)
class Rep:
    """From where on a person talks about the price. One of the two is enough."""

    from_volume: int | None = None
    from_growth: float | None = None
    tiers: tuple[str, ...] = ()

    def why(self, buyer: Buyer) -> str | None:
        """Why a person talks with this buyer about the price; None where the list is enough."""
        if not _among(buyer.tier, self.tiers):
            return None
        if self.from_volume is not None and max(buyer.volume, buyer.group_volume) >= self.from_volume:
            return f"buys {max(buyer.volume, buyer.group_volume):,} units a year"
        if self.from_growth is not None and buyer.growth >= self.from_growth:
            return f"buys {buyer.growth:g} % more than the year before"
        return None


@dataclass(frozen=True, slots=True)
class PriceList:
    currency: str = "EUR"
    products: Mapping[str, Decimal] = field(default_factory=dict)  # product → list price
    instant: tuple[Discount, ...] = ()  # off the invoice, for what this account buys itself
    group: tuple[Discount, ...] = ()  # off the invoice, for what the purchasing group buys together
    rebate: tuple[Discount, ...] = ()  # paid back when the year is over
    rep: Rep = Rep()


class Price(NamedTuple):
    """A product's price for one account, in the list's currency."""

    list: Decimal
    net: Decimal  # what the invoice says


class Quote(NamedTuple):
    """What a letter may say about prices. With a rep there is no price: nothing to compute with, nothing to leak."""

    rep: bool = False
    why: str = ""  # why a person: for us, not for the letter
    percent: Decimal = Decimal(0)  # off the invoice
    by: str = ""  # INSTANT or GROUP: where it comes from
    rebate: Decimal = Decimal(0)  # percent paid back when the year is over
    next_volume: int = 0  # from so many units a year …
    next_percent: Decimal = Decimal(0)  # … it would be so much; 0: there is no next step
    products: Mapping[str, Price] = {}


def quote(buyer: Buyer, prices: PriceList) -> Quote:
    """The terms of one account. Instant discount and group purchase are not added: the better one counts.

    Of two that are alike, the account's own. The rebate comes on top, later.
    """
    if why := prices.rep.why(buyer):
        return Quote(rep=True, why=why)
    own, together = _best(prices.instant, buyer, buyer.volume), _best(prices.group, buyer, buyer.group_volume)
    percent, by = (together, GROUP) if together > own else (own, INSTANT if own else "")
    steps = [one for one in prices.instant
             if one.is_for(buyer) and one.from_volume > buyer.volume and one.percent > percent]  # fmt: skip
    step = min(steps, key=lambda one: (one.from_volume, -one.percent), default=None)
    return Quote(
        percent=percent, by=by, rebate=_best(prices.rebate, buyer, buyer.volume),
        next_volume=step.from_volume if step else 0, next_percent=step.percent if step else Decimal(0),
        products={name: Price(whole, _off(whole, percent)) for name, whole in prices.products.items()},
    )  # fmt: skip


def _best(discounts: Iterable[Discount], buyer: Buyer, volume: int) -> Decimal:
    fitting = (one.percent for one in discounts if one.is_for(buyer) and volume >= one.from_volume)
    return max(fitting, default=Decimal(0))


def _off(price: Decimal, percent: Decimal) -> Decimal:
    return (price * (100 - percent) / 100).quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def _among(value: str, named: tuple[str, ...]) -> bool:
    return not named or value.casefold() in named
