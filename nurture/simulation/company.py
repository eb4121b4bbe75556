"""Brunnhold Pumps, a company that does not exist: its accounts, their people, and its shop's customers.

One seed makes the same files byte for byte, so `examples/data` can be made again and compared. The CSVs are what such
a company would export: two systems, two styles, and a handful of rows that are wrong, because every file has some.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from nurture.simulation.companies import COMPANIES, HOT, LANGUAGE, REPS, WARM, Company
from nurture.simulation.names import SimulatedName, somebody
from nurture.simulation.titles import TITLES

SEED = 2026
TODAY = datetime(2026, 3, 2, tzinfo=UTC)  # the demo's first morning; nothing in the files is later
ZONE = {
    "DE": "Europe/Berlin", "AT": "Europe/Vienna", "CH": "Europe/Zurich", "GB": "Europe/London", "IE": "Europe/Dublin",
    "US": "America/New_York", "ES": "Europe/Madrid", "MX": "America/Mexico_City", "RO": "Europe/Bucharest",
    "CN": "Asia/Shanghai",
}  # fmt: skip
COMMA, NO_ADDRESS, NO_ANSWER, NOBODY = 41, 88, 207, 255  # rows of contacts.csv that are wrong, and how
TWO_SIGNS, UNKNOWN, COUPLE = 512, 1777, (1200, 1203)  # and of consumers.csv; a couple shares a mailbox
GROUP = ("specifier", "authorizer", "user", "purchaser", "finance")


@dataclass
class SimulatedContact:
    key: str
    account: str
    company: Company
    person: SimulatedName
    email: str
    title: str
    role: str
    language: str
    consent: str = "yes"
    since: datetime = TODAY

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.company.zone or ZONE[self.company.country])


@dataclass
class Shopper:
    key: str
    person: SimulatedName
    email: str
    language: str
    country: str
    zone: str
    newsletter: str
    since: datetime
    habit: str  # prospect, once, regular, devoted
    garden: int
    source: str


@dataclass
class World:
    accounts: list[tuple[str, Company, int]] = field(default_factory=list)  # key, company, heat 0–2
    contacts: list[SimulatedContact] = field(default_factory=list)
    shoppers: list[Shopper] = field(default_factory=list)
    mistyped: frozenset[str] = frozenset()  # keys of people whose rows cannot be imported: nothing is heard of them


def people_of(seed: int = SEED) -> World:
    """Everybody there is, before they do anything."""
    world = World()
    chance = Random(f"{seed} accounts")
    for n, company in enumerate(COMPANIES, 1001):
        heat = 2 if company.domain in HOT else 1 if company.domain in WARM else 0
        key = f"A-{n}"
        world.accounts.append((key, company, heat))
        world.contacts += _buying_group(chance, key, company, heat)
    world.shoppers = _shoppers(Random(f"{seed} shoppers"), world.contacts)
    lost = [world.contacts[n].key for n in (COMMA, NO_ADDRESS, NO_ANSWER, NOBODY)]
    world.mistyped = frozenset(lost + [world.shoppers[n].key for n in (TWO_SIGNS, COUPLE[1], UNKNOWN)])
    return world


def _buying_group(chance: Random, key: str, company: Company, heat: int) -> list[SimulatedContact]:
    language = LANGUAGE[company.country]
    roles = [*GROUP, *chance.sample(["specifier", "user", "gatekeeper", "authorizer"], chance.choice([0, 1, 1, 2, 2]))]
    if not heat and chance.random() < 0.5:  # often somebody is still unknown to us
        roles.remove(chance.choice(["finance", "purchaser", "authorizer"]))
        roles += ["gatekeeper"] if len(roles) < 5 else []
    group: list[SimulatedContact] = []
    for role in roles:
        person = somebody(chance, language)
        while any(c.person.mailbox == person.mailbox for c in group):
            person = somebody(chance, language)
        titles = [t.split("|")[-1 if person.hers else 0] for t in TITLES[language][role]]
        title = chance.choice([t for t in titles if t not in {c.title for c in group}])
        consent = chance.choices(["yes", "unknown", "withdrawn"], [90, 6, 4])[0]
        since = _day(chance, 700, 90)
        email = f"{person.mailbox}@{company.domain}"
        number = f"{key}-{len(group) + 1}"
        group.append(SimulatedContact(number, key, company, person, email, title, role, language, consent, since))
    if company.domain == "foo-soens.example":
        zoe = group[0]
        zoe.person, zoe.email = SimulatedName("Zoë", "O'Brien", "zoe.obrien"), "zoe.obrien@foo-soens.example"
        zoe.title, zoe.language, zoe.consent = "Head of Maintenance", "en", "yes"
    return group


SHOP_COUNTRIES = (  # language, country, zone, weight
    ("de", "DE", "Europe/Berlin", 26), ("de", "AT", "Europe/Vienna", 6), ("de", "CH", "Europe/Zurich", 4),
    ("en", "GB", "Europe/London", 12), ("en", "US", "America/New_York", 6), ("en", "US", "America/Chicago", 4),
    ("en", "US", "America/Los_Angeles", 4), ("es", "ES", "Europe/Madrid", 11), ("es", "MX", "America/Mexico_City", 6),
    ("ro", "RO", "Europe/Bucharest", 12), ("zh", "CN", "Asia/Shanghai", 9),
)  # fmt: skip
POST = {
    "de": "post.example",
    "en": "mail.example",
    "es": "correo.example",
    "ro": "posta.example",
    "zh": "youjian.example",
}


def _shoppers(chance: Random, contacts: Sequence[SimulatedContact]) -> list[Shopper]:
    shoppers: list[Shopper] = []
    taken: set[str] = set()
    while len(shoppers) < 2000:
        language, country, zone, _ = chance.choices(SHOP_COUNTRIES, [c[3] for c in SHOP_COUNTRIES])[0]
        person = somebody(chance, language)
        mailbox = person.mailbox if person.mailbox not in taken else f"{person.mailbox}{chance.randrange(50, 100)}"
        if mailbox in taken:
            continue
        taken.add(mailbox)
        habit = chance.choices(["prospect", "once", "regular", "devoted"], [30, 38, 25, 7])[0]
        newsletter = chance.choices(["yes", "", "no"], [84, 11, 5])[0]
        since, garden = _day(chance, 720, 20), chance.randrange(20, 900, 10)
        source = chance.choice(["shop", "garden fair", "friend", "competition", "search"])
        key, email = f"S{20000 + len(shoppers)}", f"{mailbox}@{POST[language]}"
        shoppers.append(Shopper(key, person, email, language, country, zone, newsletter, since, habit, garden, source))
    hats = [c for c in contacts if c.role in ("user", "specifier") and c.consent == "yes"]
    for place, two_hats in zip(
        (77, 640, 1311), (hats[0], hats[20], hats[-3]), strict=True
    ):  # at work and at home: one address
        s = shoppers[place]
        s.person, s.email, s.language, s.newsletter = two_hats.person, two_hats.email, two_hats.language, "yes"
        s.country, s.zone, s.habit = two_hats.company.country, str(two_hats.zone), "regular"
    return shoppers


def _day(chance: Random, longest: int, shortest: int) -> datetime:
    return TODAY - timedelta(days=chance.randrange(shortest, longest))


# the files


def write(folder: Path, seed: int = SEED) -> list[Path]:
    """Write every file of the example. The same seed writes the same bytes."""
    from nurture.simulation import histories

    world = people_of(seed)
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, Callable[[], str]] = {
        "accounts.csv": lambda: _accounts(world, Random(f"{seed} channels")),
        "contacts.csv": lambda: _contacts(world, Random(f"{seed} phones")),
        "consumers.csv": lambda: _consumers(world),
        "activities.csv": lambda: histories.activities(world, Random(f"{seed} activities")),
        "orders.csv": lambda: histories.orders(world, Random(f"{seed} orders")),
        "opportunities.csv": lambda: histories.opportunities(world, Random(f"{seed} opportunities")),
    }
    paths = []
    for name, made in tables.items():
        path = folder / name
        path.write_bytes(made().encode())
        paths.append(path)
    return paths


def table(header: Sequence[str], rows: Iterable[Sequence[object]], separator: str = ",") -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _accounts(world: World, chance: Random) -> str:
    header = ("Account no", "Company", "Website", "Industry", "Country", "City", "Employees", "Tier", "Channel",
              "Owner", "Owner e-mail", "Pumps installed")  # fmt: skip
    rows = []
    for key, c, heat in world.accounts:
        rep = ("", "") if heat == 0 and chance.random() < 0.1 else REPS[c.country]  # a few belong to nobody yet
        tier = "A" if c.employees >= 800 or heat == 2 else "B" if c.employees >= 250 else "C"
        channel = chance.choices(["direct", "distributor", "online"], [5, 3, 1])[0]
        pumps = chance.randrange(4, 160)
        rows.append((key, c.name, c.domain, c.industry, c.country, c.city, c.employees, tier, channel, *rep, pumps))
    return table(header, rows)


def _contacts(world: World, chance: Random) -> str:
    """As the CRM exports it: a mark in front, semicolons, and what people mistyped."""
    header = ("Contact no", "Account no", "First name", "Last name", "E-mail", "Job title", "Language", "Country",
              "Phone", "Time zone", "Mailing", "Created", "Source")  # fmt: skip
    rows: list[list[object]] = []
    for c in world.contacts:
        country = c.company.country
        abroad = c.language != LANGUAGE[country]
        phone = f"+{PREFIX[country]} {chance.randrange(10, 99)} {chance.randrange(100000, 9999999)}"
        source = chance.choice(["trade fair", "web form", "distributor", "phone", "webinar"])
        rows.append([c.key, c.account, c.person.first, c.person.last, c.email, c.title,
                     "en-GB" if abroad else f"{c.language}-{country}", country, phone, c.company.zone, c.consent,
                     f"{c.since:%d.%m.%Y}", source])  # fmt: skip
    _mistyped(rows)
    return "\ufeff" + table(header, rows, ";")


PREFIX = {"DE": 49, "AT": 43, "CH": 41, "GB": 44, "IE": 353, "US": 1, "ES": 34, "MX": 52, "RO": 40, "CN": 86}


def _mistyped(rows: list[list[object]]) -> None:
    """What nobody noticed for years. The import says where each of them is."""
    number, first, email, country, mailing, created = 0, 2, 4, 7, 10, 11
    rows[COMMA][email] = str(rows[COMMA][email]).replace(".example", ",example")
    rows[NO_ADDRESS][email] = ""
    rows[133][created] = "31.02.2025"  # imported all the same, without it
    rows[170][country] = "Deutschlan"
    rows[NO_ANSWER][mailing] = "ask Miriam"
    rows[NOBODY][email] = "noreply@" + str(rows[NOBODY][email]).partition("@")[2]
    again = list(rows[12])  # one person entered twice, under two numbers
    again[number], again[first] = f"{again[1]}-9", f"{str(again[first])[0]}."
    rows.insert(301, again)


def _consumers(world: World) -> str:
    """As the shop exports it."""
    header = ("customer_id", "email", "first_name", "last_name", "language", "country", "time_zone", "newsletter",
              "registered", "garden_m2", "found_us_by")  # fmt: skip
    rows: list[list[object]] = [
        [s.key, s.email, s.person.first, s.person.last, f"{s.language}-{s.country}", s.country, s.zone, s.newsletter,
         f"{s.since:%Y-%m-%d}", s.garden, s.source]
        for s in world.shoppers
    ]  # fmt: skip
    rows[TWO_SIGNS][1] = "kein@@post.example"
    rows[COUPLE[1]][1] = rows[COUPLE[0]][1]
    rows[UNKNOWN][1] = "unknown"
    return table(header, rows)
