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
from nurture.simulation.names import SimulatedName, invent_name
from nurture.simulation.titles import TITLES

SEED = 2026
Cell = str | int | float
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
        """Where they work: the company's own time zone, else their country's."""
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
class ExampleCompany:
    accounts: list[tuple[str, Company, int]] = field(default_factory=list)  # key, company, heat 0–2
    contacts: list[SimulatedContact] = field(default_factory=list)
    shoppers: list[Shopper] = field(default_factory=list)
    mistyped: frozenset[str] = frozenset()  # keys of people whose rows cannot be imported: nothing is heard of them


def make_company(seed: int = SEED) -> ExampleCompany:
    """Everybody there is, before they do anything. The same seed makes the same people."""
    example = ExampleCompany()
    rng = Random(f"{seed} accounts")
    for n, company in enumerate(COMPANIES, 1001):
        heat = 2 if company.domain in HOT else 1 if company.domain in WARM else 0
        key = f"A-{n}"
        example.accounts.append((key, company, heat))
        example.contacts += _buying_group(rng, key, company, heat)
    example.shoppers = _shoppers(Random(f"{seed} shoppers"), example.contacts)
    lost = [example.contacts[n].key for n in (COMMA, NO_ADDRESS, NO_ANSWER, NOBODY)]
    example.mistyped = frozenset(lost + [example.shoppers[n].key for n in (TWO_SIGNS, COUPLE[1], UNKNOWN)])
    return example


def _buying_group(rng: Random, key: str, company: Company, heat: int) -> list[SimulatedContact]:
    language = LANGUAGE[company.country]
    roles = [*GROUP, *rng.sample(["specifier", "user", "gatekeeper", "authorizer"], rng.choice([0, 1, 1, 2, 2]))]
    if not heat and rng.random() < 0.5:  # often somebody is still unknown to us
        roles.remove(rng.choice(["finance", "purchaser", "authorizer"]))
        roles += ["gatekeeper"] if len(roles) < 5 else []
    group: list[SimulatedContact] = []
    for role in roles:
        person = invent_name(rng, language)
        while any(c.person.mailbox == person.mailbox for c in group):
            person = invent_name(rng, language)
        titles = [t.split("|")[-1 if person.hers else 0] for t in TITLES[language][role]]
        title = rng.choice([t for t in titles if t not in {c.title for c in group}])
        consent = rng.choices(["yes", "unknown", "withdrawn"], [90, 6, 4])[0]
        since = _day(rng, 700, 90)
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


def _shoppers(rng: Random, contacts: Sequence[SimulatedContact]) -> list[Shopper]:
    shoppers: list[Shopper] = []
    taken: set[str] = set()
    while len(shoppers) < 2000:
        language, country, zone, _ = rng.choices(SHOP_COUNTRIES, [c[3] for c in SHOP_COUNTRIES])[0]
        person = invent_name(rng, language)
        mailbox = person.mailbox if person.mailbox not in taken else f"{person.mailbox}{rng.randrange(50, 100)}"
        if mailbox in taken:
            continue
        taken.add(mailbox)
        habit = rng.choices(["prospect", "once", "regular", "devoted"], [30, 38, 25, 7])[0]
        newsletter = rng.choices(["yes", "", "no"], [84, 11, 5])[0]
        since, garden = _day(rng, 720, 20), rng.randrange(20, 900, 10)
        source = rng.choice(["shop", "garden fair", "friend", "competition", "search"])
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


def _day(rng: Random, longest: int, shortest: int) -> datetime:
    return TODAY - timedelta(days=rng.randrange(shortest, longest))


# the files


def write_files(folder: Path, seed: int = SEED) -> list[Path]:
    """Write every file of the example. The same seed writes the same bytes."""
    from nurture.simulation import histories

    example = make_company(seed)
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, Callable[[], str]] = {
        "accounts.csv": lambda: _accounts(example, Random(f"{seed} channels")),
        "contacts.csv": lambda: _contacts(example, Random(f"{seed} phones")),
        "consumers.csv": lambda: _consumers(example),
        "activities.csv": lambda: histories.activities(example, Random(f"{seed} activities")),
        "orders.csv": lambda: histories.orders(example, Random(f"{seed} orders")),
        "opportunities.csv": lambda: histories.opportunities(example, Random(f"{seed} opportunities")),
    }
    paths = []
    for name, made in tables.items():
        path = folder / name
        path.write_bytes(made().encode())
        paths.append(path)
    return paths


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Cell]], separator: str = ",") -> str:
    """A CSV file as text, with Unix line ends."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _accounts(example: ExampleCompany, rng: Random) -> str:
    header = ("Account no", "Company", "Website", "Industry", "Country", "City", "Employees", "Tier", "Channel",
              "Owner", "Owner e-mail", "Pumps installed")  # fmt: skip
    rows = []
    for key, c, heat in example.accounts:
        rep = ("", "") if heat == 0 and rng.random() < 0.1 else REPS[c.country]  # a few belong to nobody yet
        tier = "A" if c.employees >= 800 or heat == 2 else "B" if c.employees >= 250 else "C"
        channel = rng.choices(["direct", "distributor", "online"], [5, 3, 1])[0]
        pumps = rng.randrange(4, 160)
        rows.append((key, c.name, c.domain, c.industry, c.country, c.city, c.employees, tier, channel, *rep, pumps))
    return csv_text(header, rows)


def _contacts(example: ExampleCompany, rng: Random) -> str:
    """As the CRM exports it: a mark in front, semicolons, and what people mistyped."""
    header = ("Contact no", "Account no", "First name", "Last name", "E-mail", "Job title", "Language", "Country",
              "Phone", "Time zone", "Mailing", "Created", "Source")  # fmt: skip
    rows: list[list[Cell]] = []
    for c in example.contacts:
        country = c.company.country
        abroad = c.language != LANGUAGE[country]
        phone = f"+{PREFIX[country]} {rng.randrange(10, 99)} {rng.randrange(100000, 9999999)}"
        source = rng.choice(["trade fair", "web form", "distributor", "phone", "webinar"])
        rows.append([c.key, c.account, c.person.first, c.person.last, c.email, c.title,
                     "en-GB" if abroad else f"{c.language}-{country}", country, phone, c.company.zone, c.consent,
                     f"{c.since:%d.%m.%Y}", source])  # fmt: skip
    _add_mistakes(rows)
    return "\ufeff" + csv_text(header, rows, ";")


PREFIX = {"DE": 49, "AT": 43, "CH": 41, "GB": 44, "IE": 353, "US": 1, "ES": 34, "MX": 52, "RO": 40, "CN": 86}


def _add_mistakes(rows: list[list[Cell]]) -> None:
    """Put in what people mistyped; the import names the line of each."""
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


def _consumers(example: ExampleCompany) -> str:
    """As the shop exports it."""
    header = ("customer_id", "email", "first_name", "last_name", "language", "country", "time_zone", "newsletter",
              "registered", "garden_m2", "found_us_by")  # fmt: skip
    rows: list[list[Cell]] = [
        [s.key, s.email, s.person.first, s.person.last, f"{s.language}-{s.country}", s.country, s.zone, s.newsletter,
         f"{s.since:%Y-%m-%d}", s.garden, s.source]
        for s in example.shoppers
    ]  # fmt: skip
    rows[TWO_SIGNS][1] = "kein@@post.example"
    rows[COUPLE[1]][1] = rows[COUPLE[0]][1]
    rows[UNKNOWN][1] = "unknown"
    return csv_text(header, rows)
