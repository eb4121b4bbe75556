"""Simulated recipients: who opens, clicks, replies, leaves, complains and buys, and when. Values in, values out.

Everything is drawn from (seed, address, mail), so a letter gets the same reaction in every run. The rates are
plausible, not measured: keen people are few, most letters are never opened, some opens and clicks are machines'.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from models.event import EventKind
from nurture.rules.planning.hours import at, zone_of
from nurture.simulation.inbox import ReceivedMail
from nurture.simulation.seeded_random import SeededRandom

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECOND = timedelta(seconds=1)


class SimulatedAction(StrEnum):
    """What people do that no mail provider reports: it reaches us as files of the shop and the site, or over HTTP."""

    LOOKED = "looked"  # a scanner opens the unsubscribe page: nothing may come of it
    LEFT_BY_HEADER = "left by header"  # the mail program's button, RFC 8058
    LEFT_BY_PAGE = "left by page"
    VISITED = "visited"  # `detail` is the kind of activity
    BOUGHT = "bought"


@dataclass(frozen=True, slots=True)
class SimulatedPerson:
    """Somebody who gets our letters. `keen`, 0 to 1: how much they, or their company, want what we sell.

    `wakes`: the day on which a project begins at their company, and everybody there becomes keen.
    """

    address: str
    market: str
    key: str = ""  # their number in the shop's and the site's exports
    role: str = "unknown"
    language: str = "en"
    company: str = ""
    country: str = ""
    keen: float = 0.2
    wakes: date | None = None

    def on(self, day: date) -> "SimulatedPerson":
        """As they are on that day."""
        return replace(self, keen=max(self.keen, AWAKE)) if self.wakes and day >= self.wakes else self


@dataclass(frozen=True, slots=True)
class Reaction:
    """One thing somebody did at a moment."""

    at: datetime
    what: EventKind | SimulatedAction
    url: str = ""
    machine: bool = False
    detail: str = ""
    cents: int = 0


@dataclass(frozen=True, slots=True)
class Taste:
    """What letters are to a role: how likely it opens one, clicks in one it read, and asks for a demo on our site."""

    opens: float
    clicks: float
    asks: float


TASTES = {
    "champion": Taste(0.60, 0.55, 0.30),
    "specifier": Taste(0.52, 0.48, 0.24),
    "user": Taste(0.46, 0.38, 0.06),
    "authorizer": Taste(0.42, 0.32, 0.26),
    "purchaser": Taste(0.44, 0.36, 0.14),
    "finance": Taste(0.40, 0.34, 0.08),
    "gatekeeper": Taste(0.32, 0.08, 0.01),
}
NO_ROLE = Taste(0.35, 0.20, 0.05)
SHOPPER = Taste(0.42, 0.32, 0.0)
HEAT = (0.15, 0.72, 0.9)  # how keen the people of a cold, a warm and a hot company are
AWAKE = 0.85  # … and of one where a project has just begun
DEAD = {"b2b": 0.03, "b2c": 0.012}  # addresses that bounce, for good
PROXY = {"b2b": 0.12, "b2c": 0.30}  # readers whose mail program opens everything for them
SCANNED = 0.15  # companies whose firewall follows every link
WRONG_LANGUAGE = 0.5  # how much is left of the interest in a mail one can hardly read
REPLIES = {
    "en": "Thank you, this is timely. Could you call me next week?",
    "de": "Danke, das kommt gerade recht. Können Sie mich nächste Woche anrufen?",
    "es": "Gracias, llega en buen momento. ¿Puede llamarme la semana que viene?",
    "ro": "Mulțumesc, vine la momentul potrivit. Mă puteți suna săptămâna viitoare?",
    "zh": "谢谢，来得正好。下周能给我打个电话吗？",
}
PAGES = {
    "pricing_view": "/pricing/series-e",
    "download": "/data/series-e",
    "demo_request": "/demo",
    "form": "/quote",
    "webinar": "/webinars/curves",
}
GOODS = {"Regentonne 4": 14900, "Brise 12": 21900, "Tief 30": 38900, "Filter set": 3900, "Hose kit": 5900}


def keenness(seed: int, market: str, address: str, heat: int = 0, orders: int = 0) -> float:
    """How much somebody wants what we sell. `heat`: 2 for a company in the middle of a decision, 1 for one that begins
    to look; `orders`: what a shopper has bought before."""
    own = SeededRandom(seed, address, "keen")
    if market == "b2b":
        return HEAT[heat] * own.between("own", 0.6, 1.2)
    return 0.75 * own.roll("own") ** 2 + 0.25 * min(1.0, orders / 5)


def project_start(seed: int, company: str, first: date) -> date | None:
    """When a cold company's project begins: for a quarter of them within three weeks."""
    random = SeededRandom(seed, company, "project")
    return (
        first + timedelta(days=int(random.between("begins", 2, 16))) if random.happens("begins at all", 0.25) else None
    )


def reactions(seed: int, mail: ReceivedMail, who: SimulatedPerson) -> list[Reaction]:
    """All that comes of a mail, in order of time: first what mail servers do, then machines, then the reader."""
    return sorted(_reactions(seed, mail, who.on(mail.sent_at.date())), key=lambda reaction: reaction.at)


def _reactions(seed: int, mail: ReceivedMail, who: SimulatedPerson) -> Iterator[Reaction]:
    always, random = SeededRandom(seed, who.address), SeededRandom(seed, who.address, mail.subject)
    moment = mail.sent_at + SECOND
    yield Reaction(moment, EventKind.PROCESSED)
    if random.happens("greylisted", 0.04):
        yield Reaction(moment + SECOND, EventKind.DEFERRED)
        moment += random.between("greylisted for", 5, 40) * MINUTE
    if always.happens("dead", DEAD[who.market]):
        yield Reaction(moment + SECOND, EventKind.BOUNCED)
        return
    if random.happens("full", 0.006):
        yield Reaction(moment + SECOND, EventKind.BLOCKED)
        return
    delivered = moment + 2 * SECOND
    yield Reaction(delivered, EventKind.DELIVERED)
    if who.market == "b2b" and SeededRandom(seed, who.company).happens("scanned", SCANNED):
        yield from _scanner(mail, delivered)
    if always.happens("proxy", PROXY[who.market]):
        yield Reaction(delivered + random.wait("proxy opens", 20 * SECOND), EventKind.OPENED, machine=True)
    yield from _reader(random, mail, who, delivered)


def _scanner(mail: ReceivedMail, delivered: datetime) -> Iterator[Reaction]:
    """A firewall opens the mail and follows every link within two seconds, also the unsubscribe link."""
    for number, link in enumerate(mail.tracked):
        yield Reaction(delivered + (1 + number % 2) * SECOND, EventKind.CLICKED, link, machine=True)
    if mail.leave_page:
        yield Reaction(delivered + 2 * SECOND, SimulatedAction.LOOKED, mail.leave_page)


def _reader(random: SeededRandom, mail: ReceivedMail, who: SimulatedPerson, delivered: datetime) -> Iterator[Reaction]:
    taste = SHOPPER if who.market == "b2c" else TASTES.get(who.role, NO_ROLE)
    readable = 1.0 if mail.language.partition("-")[0] == who.language else WRONG_LANGUAGE
    opens = taste.opens * (0.6 + 0.8 * who.keen) * readable
    if not random.happens("opens", opens):
        return
    reads = delivered + random.wait("opens", 4 * HOUR)
    yield Reaction(reads, EventKind.OPENED)
    if random.happens("again", 0.25):
        yield Reaction(reads + random.wait("again", 20 * HOUR), EventKind.OPENED)
    if random.happens("complains", 0.0008):
        yield Reaction(reads + MINUTE, EventKind.COMPLAINED)
        return
    if random.happens("leaves", 0.03 * (1.2 - who.keen)):
        how = SimulatedAction.LEFT_BY_HEADER if random.happens("by header", 0.6) else SimulatedAction.LEFT_BY_PAGE
        url = mail.one_click if how is SimulatedAction.LEFT_BY_HEADER else mail.leave_page
        if url:
            yield Reaction(reads + MINUTE, how, url)
        return
    if mail.tracked and random.happens("clicks", taste.clicks * (0.5 + who.keen) * readable):
        clicks = reads + random.wait("clicks", 2 * MINUTE)
        yield Reaction(clicks, EventKind.CLICKED, mail.tracked[0])
        if len(mail.tracked) > 1 and random.happens("second link", 0.2):
            yield Reaction(
                clicks + random.wait("second link", 5 * MINUTE) + 10 * SECOND, EventKind.CLICKED, mail.tracked[1]
            )
        yield from (
            _shopping(random, mail, who, clicks) if who.market == "b2c" else _looking(random, mail, who, clicks, taste)
        )
    if who.market == "b2b" and random.happens("replies", 0.01 + 0.08 * who.keen**2):
        words = REPLIES.get(mail.language.partition("-")[0], REPLIES["en"])
        yield Reaction(reads + random.wait("replies", 3 * HOUR), EventKind.REPLIED, detail=words)


def _looking(
    random: SeededRandom, mail: ReceivedMail, who: SimulatedPerson, since: datetime, taste: Taste
) -> Iterator[Reaction]:
    """What somebody at work does on our site after a click: today, and if it interests them, again in a few days."""
    moment = since
    for visit in range(1 + int(who.keen * random.roll("visits") * 4)):
        moment += random.wait(f"visit {visit}", 40 * HOUR) if visit else 30 * SECOND
        yield from _visit(random, who, mail.tracked[0], moment, taste, str(visit))


def _visit(
    random: SeededRandom, who: SimulatedPerson, page: str, moment: datetime, taste: Taste, name: str
) -> Iterator[Reaction]:
    yield Reaction(moment, SimulatedAction.VISITED, page, detail="page_view")
    for kind, likely, later in (("download", 0.55, 4), ("pricing_view", 0.75, 7), ("webinar", 0.10, 600),
                                ("form", 0.12, 12), ("demo_request", taste.asks, 20)):  # fmt: skip
        if random.happens(f"{kind} {name}", likely * who.keen):
            yield Reaction(moment + later * MINUTE, SimulatedAction.VISITED, PAGES.get(kind, page), detail=kind)


def site_visits(seed: int, who: SimulatedPerson, day: date) -> list[Reaction]:
    """What somebody at work looks at on a weekday with or without a mail, because their project needs a pump."""
    random, who = SeededRandom(seed, who.address, day, "browses"), who.on(day)
    if who.market != "b2b" or day.isoweekday() > 5 or not random.happens("browses", 0.15 * who.keen**2):
        return []
    moment = at(day, time(9), zone_of(who.country or None)) + random.between("when", 0, 8) * HOUR
    return list(
        _visit(random, who, "/products/series-e", moment.replace(microsecond=0), TASTES.get(who.role, NO_ROLE), "")
    )


def _shopping(random: SeededRandom, mail: ReceivedMail, who: SimulatedPerson, since: datetime) -> Iterator[Reaction]:
    """What a shopper does after a click: looks at prices, fills a basket, buys with the mail's code."""
    for number in range(1 + int(random.roll("looks") * 3)):
        yield Reaction(
            since + (1 + 3 * number) * MINUTE, SimulatedAction.VISITED, mail.tracked[0], detail="pricing_view"
        )
    if random.happens("basket", 0.55 + 0.4 * who.keen):
        yield Reaction(since + 12 * MINUTE, SimulatedAction.VISITED, mail.tracked[0], detail="cart")
        if random.happens("buys", 0.5 + 0.35 * who.keen):
            yield _order(random, since + 15 * MINUTE + random.wait("thinks it over", 8 * HOUR), mail.code or "")


def shop_order(seed: int, who: SimulatedPerson, day: date) -> Reaction | None:
    """What a shopper buys on a day with or without a mail: without this, whoever got none would never buy."""
    random = SeededRandom(seed, who.address, day)
    if who.market != "b2c" or not random.happens("shops", 0.0008 + 0.003 * who.keen):
        return None
    evening = at(day, time(18), zone_of(who.country or None)) + random.between("when", 0, 4) * HOUR
    return _order(random, evening.replace(microsecond=0), "")


def _order(random: SeededRandom, moment: datetime, code: str) -> Reaction:
    goods = random.one_of("goods", *GOODS)
    return Reaction(moment, SimulatedAction.BOUGHT, code, detail=goods, cents=GOODS[goods])
