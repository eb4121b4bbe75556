"""What everybody did until the demo's first morning: visits, downloads and webinars, orders, deals won and lost."""

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from nurture.simulation.company import TODAY, Cell, ExampleCompany, Shopper, SimulatedContact, csv_text

Did = tuple[str, str, str, str, str]  # contact, market, kind, at, detail

HABITS: dict[str, tuple[tuple[str, str, int], ...]] = {  # what each role looks at: kind, page, weight
    "specifier": (("page_view", "/products/series-e", 8), ("page_view", "/notes/speed-and-power", 6),
                  ("download", "selection-data", 4), ("download", "speed-curve", 3), ("webinar",
                  "Speed, head and power", 2),
                  ("page_view", "/guides/pump-check", 4), ("pricing_view", "/pricing/series-e", 1)),
    "authorizer": (("page_view", "/cases/dairy-cooling-water", 5), ("pricing_view", "/pricing/series-e", 4),
                   ("form", "roi-sheet", 2), ("download", "dairy-case", 3), ("webinar", "What pumps cost a plant",
                   1)),
    "user": (("page_view", "/guides/pump-check", 6), ("download", "maintenance-card", 3), ("page_view", "/support",
             5),
             ("page_view", "/careers", 1)),
    "purchaser": (("pricing_view", "/pricing/series-e", 5), ("download", "tender-text", 3), ("page_view",
                  "/purchasing", 4),
                  ("form", "quote", 1)),
    "finance": (("pricing_view", "/pricing/series-e", 2), ("download", "roi-sheet", 3), ("page_view", "/funding", 4)),
    "gatekeeper": (("page_view", "/contact", 3), ("page_view", "/", 2)),
}  # fmt: skip
VISITS = (
    (0, 0, 0, 1, 1, 2),
    (1, 2, 2, 3, 4, 5),
    (4, 5, 6, 8, 9, 11),
)  # of one contact in 120 days, by the account's heat
DAYS = 120


def activities(example: ExampleCompany, rng: Random) -> str:
    """activities.csv: what everybody looked at, downloaded and attended in 120 days, oldest first."""
    heat = {key: warmth for key, _, warmth in example.accounts}
    did: list[Did] = []
    for contact in [c for c in example.contacts if c.key not in example.mistyped]:
        did += _at_work(rng, contact, heat[contact.account])
    for shopper in [s for s in example.shoppers if s.key not in example.mistyped]:
        did += _at_home(rng, shopper)
    did.sort(key=lambda row: (row[3], row[0], row[2], row[4]))
    did[len(did) // 3] = (
        "A-1999-1",
        "b2b",
        "webinar",
        did[len(did) // 3][3],
        "What pumps cost a plant",
    )  # who is that?
    broken = did[len(did) // 2]
    did[len(did) // 2] = (*broken[:3], "2026-02-30T09:00:00Z", broken[4])
    return csv_text(("contact", "market", "what", "when", "detail"), did)


def _at_work(rng: Random, contact: SimulatedContact, heat: int) -> list[Did]:
    did: list[Did] = []
    habit = HABITS[contact.role]
    for _ in range(rng.choice(VISITS[heat]) // (3 if contact.role == "gatekeeper" else 1)):
        # who decides comes more often towards the end; the quiet ones came once, long ago
        ago = rng.triangular(0, DAYS, 6 if heat == 2 else 60) if heat else rng.uniform(20, DAYS)
        at = _working_hour(rng, TODAY - timedelta(days=ago), contact.zone)
        for kind, page, _ in rng.choices(habit, [w for *_, w in habit], k=rng.choice([1, 2, 2, 3])):
            did.append((contact.key, "b2b", _careers(kind, page), _iso(at), page))
            at += timedelta(seconds=rng.randrange(25, 400))
    if heat == 2 and contact.role in ("authorizer", "specifier") and rng.random() < 0.22:
        at = _working_hour(rng, TODAY - timedelta(days=rng.uniform(1, 12)), contact.zone)
        did.append((contact.key, "b2b", "demo_request", _iso(at), "pump survey"))
    return did


def _careers(kind: str, page: str) -> str:
    return "careers_view" if page == "/careers" else kind


SHOP_PAGES = ("/garden-pumps", "/rain-barrel", "/pond", "/hoses", "/spare-parts", "/pump-finder")


def _at_home(rng: Random, shopper: Shopper) -> list[Did]:
    visits = {"prospect": (0, 0, 0, 1), "once": (0, 0, 0, 1), "regular": (0, 0, 1, 2), "devoted": (1, 1, 2, 4)}[
        shopper.habit
    ]
    did: list[Did] = []
    for _ in range(rng.choice(visits)):
        at = _evening(rng, TODAY - timedelta(days=rng.uniform(0, DAYS)), ZoneInfo(shopper.zone))
        for kind in rng.choice([("page_view",), ("page_view", "page_view"), ("page_view", "pricing_view"),
                                   ("page_view", "pricing_view", "cart")]):  # fmt: skip
            did.append((shopper.key, "b2c", kind, _iso(at), rng.choice(SHOP_PAGES)))
            at += timedelta(seconds=rng.randrange(15, 300))
    return did


def _working_hour(rng: Random, day: datetime, zone: ZoneInfo) -> datetime:
    local = day.astimezone(zone).date()
    while local.weekday() > 4:
        local -= timedelta(days=1)
    return _not_later(_moment(rng, local, zone, 8, 17))


def _evening(rng: Random, day: datetime, zone: ZoneInfo) -> datetime:
    return _not_later(_moment(rng, day.astimezone(zone).date(), zone, 17, 22))


def _moment(rng: Random, day: date, zone: ZoneInfo, first: int, last: int) -> datetime:
    return datetime.combine(day, time(rng.randrange(first, last), rng.randrange(60), rng.randrange(60)), zone)


def _not_later(at: datetime) -> datetime:
    return at if at < TODAY - timedelta(hours=2) else at - timedelta(days=7)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


GOODS: tuple[tuple[str, int], ...] = (
    ("Garden pump GP 300", 129), ("Garden pump GP 500", 189), ("Rain barrel pump RB 1", 79),
    ("Pond filter PF 20", 149), ("Hose set 20 m", 39), ("Hose reel", 59), ("Pressure switch", 34),
    ("Filter cartridges, 3", 24), ("Seal kit", 14), ("Drip line 50 m", 45), ("Winter cover", 19),
    ("Sprinkler", 29),
)  # fmt: skip
CURRENCY = {
    "GB": ("GBP", 0.86), "US": ("USD", 1.1), "MX": ("MXN", 19.5), "RO": ("RON", 5.0), "CN": ("CNY", 7.8),
    "CH": ("CHF", 1.0),
}  # fmt: skip
SEASON = (1, 1, 3, 5, 6, 5, 4, 3, 2, 2, 1, 2)  # who buys garden pumps in January?
ORDERS = {"prospect": (0, 0), "once": (1, 1), "regular": (2, 5), "devoted": (5, 12)}  # by habit, fewest and most
CODES = ("", "", "", "", "", "WELCOME10", "SUMMER25", "AUTUMN25")


def orders(example: ExampleCompany, rng: Random) -> str:
    """Two years of the shop, in UTC and without saying so, as the shop writes it."""
    bought: list[tuple[datetime, Shopper, str, float, str]] = []
    for shopper in [s for s in example.shoppers if s.key not in example.mistyped]:
        fewest, most = ORDERS[shopper.habit]
        known = (TODAY - shopper.since).days
        for _ in range(rng.randint(fewest, most)):
            day = _in_season(rng, min(90, known) if shopper.habit == "devoted" and rng.random() < 0.35 else known)
            at = _evening(rng, day, ZoneInfo(shopper.zone))
            name, price = rng.choice(GOODS)
            pieces = rng.choice([1, 1, 1, 1, 2])
            bought.append((at, shopper, name, float(price * pieces), rng.choice(CODES)))
    bought.sort(key=lambda row: (row[0], row[1].key, row[2]))
    rows: list[list[Cell]] = []
    for n, (at, shopper, name, worth, code) in enumerate(bought, 100001):
        unit, rate = CURRENCY.get(shopper.country, ("EUR", 1.0))
        paid = worth * rate * (0.9 if code == "WELCOME10" else 0.85 if code else 1)
        rows.append([f"B{n}", shopper.key, f"{at.astimezone(UTC):%Y-%m-%d %H:%M}", f"{paid:.2f}", unit, name, code])
    rows[333][3] = "see invoice"
    rows[2222][1] = "S99999"
    return csv_text(("order_no", "customer_id", "ordered", "total", "currency", "product", "voucher"), rows)


def _in_season(rng: Random, longest: int) -> datetime:
    while True:
        day = TODAY - timedelta(days=rng.uniform(1, longest))
        if rng.random() * 6 < SEASON[day.month - 1]:
            return day


DEALS = ("Replacement of cooling-water pumps", "Pump survey, whole site", "Series E for the new line",
"Booster station",
         "Service contract, 3 years", "Speed drives for 6 pumps", "Effluent pumps", "CIP pumps")  # fmt: skip
ON_ITS_WAY = (  # stage, days until the tender's answers are due, days until the decision, criteria
    ("tender", 12, 40, "energy 40, price 40, delivery 20"), ("evaluation", None, 21, ""), ("quote", None, 9, ""),
    ("contract", None, 4, ""), ("evaluation", -6, 15, "price 60, service 40"),
)  # fmt: skip
LOST = ("price", "project postponed", "other maker", "no answer", "no budget")


def opportunities(example: ExampleCompany, rng: Random) -> str:
    """As sales keep them, in a spreadsheet: days before months, a comma for the decimals."""
    buyers = {c.account: c.key for c in example.contacts if c.role in ("specifier", "authorizer")}
    cool = [a for a in example.accounts if a[2] < 2]
    outcomes = ["won"] * 14 + ["lost"] * 15 + ["open"] * 5
    rows: list[list[Cell]] = []
    for n, (outcome, (account, company, _)) in enumerate(
        zip(outcomes, rng.sample(cool, len(outcomes)), strict=True), 501
    ):
        opened = TODAY - timedelta(days=rng.randrange(25, 90) if outcome == "open" else rng.randrange(150, 700))
        closed = "" if outcome == "open" else f"{opened + timedelta(days=rng.randrange(30, 140)):%d.%m.%Y}"
        amount = rng.randrange(60, 1800) * 100 + rng.choice([0, 0, 50])
        money = f"{amount:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")
        subject = f"{rng.choice(DEALS)}, {company.city}"
        why = rng.choice(LOST) if outcome == "lost" else ""
        buyer = buyers.get(account, "")
        rows.append([f"D-{n}", account, buyer, subject, outcome, money, "EUR", f"{opened:%d.%m.%Y}", closed, why,
                     *_on_its_way(n, subject, outcome)])  # fmt: skip
    header = (
        "Deal",
        "Account no",
        "Contact no",
        "Subject",
        "Status",
        "Value",
        "Currency",
        "Opened",
        "Closed",
        "Lost because",
        *("Deal stage", "Solution", "Tender due", "Decision", "Criteria"),
    )
    return csv_text(header, rows, ";")


def _on_its_way(n: int, subject: str, outcome: str) -> list[str]:
    """How far an open deal is: the last five columns, empty for a closed one."""
    if outcome != "open":
        return [""] * 5
    stage, due, decision, criteria = ON_ITS_WAY[n % len(ON_ITS_WAY)]
    solution = "Service contract" if subject.startswith("Service") else "Pump efficiency"
    days = [f"{TODAY + timedelta(days=d):%d.%m.%Y}" if d is not None else "" for d in (due, decision)]
    return [stage, solution, *days, criteria]
