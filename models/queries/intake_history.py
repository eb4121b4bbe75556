"""What a file says that leads did, bought and negotiate: activities, orders and opportunities of contacts we know."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlmodel import Session, col

from models.activity import Activity
from models.bulk_insert import bulk_insert
from models.bulk_upsert import add_new
from models.contact import Contact, Market
from models.opportunity import Opportunity, OpportunityOutcome
from models.order import Order
from models.queries.intake_accounts import account_ids
from models.queries.intake_changes import Change, SavedRows, TraitValues, fingerprint, merge, merge_traits, save_changes

TOMORROW = timedelta(days=1)  # clocks and time zones of other systems may be a little ahead
UNKNOWN_CONTACT = "no contact has this key or address: import the contacts first"


class ActivityRow(NamedTuple):
    """Something a lead did, as a file tells it. `contact` is a contact's key or address."""

    contact: str
    market: str | None
    kind: str
    at: datetime
    detail: str | None = None
    campaign: str | None = None
    key: str | None = None
    contact_address: str | None = None  # `contact` as a normalised address, where it is one


class OrderRow(NamedTuple):
    """Something a lead bought, as a file tells it. `contact` is a contact's key or address."""

    contact: str
    market: str | None
    key: str | None
    at: datetime
    amount: int  # hundredths of the currency
    currency: str | None = None
    product: str | None = None
    code: str | None = None
    contact_address: str | None = None


class OpportunityRow(NamedTuple):
    """A deal, as a file tells it; None where it says nothing. `account` is the account's key."""

    key: str
    account: str
    contact: str | None
    name: str | None
    outcome: str | None
    amount: int | None  # hundredths of the currency
    currency: str | None
    opened_at: datetime
    closed_at: datetime | None = None
    stage: str | None = None
    solution: str | None = None
    tender_due_at: datetime | None = None
    decision_at: datetime | None = None
    criteria: str | None = None
    traits: TraitValues = {}  # noqa: RUF012  nobody changes it
    contact_address: str | None = None
    market: None = None  # opportunities name none


class ContactReference(NamedTuple):
    """How a row names a contact, and in which market where it says so."""

    contact: str | None
    address: str | None
    market: str | None


class FoundContact(NamedTuple):
    """A contact that a row names."""

    id: int
    account_id: int | None


class NewActivity(NamedTuple):
    """A row to insert into `activity`."""

    dedupe: int
    contact_id: int
    account_id: int | None
    kind: str
    at: datetime
    detail: str | None
    campaign: str | None


class OrderFacts(NamedTuple):
    """The columns of `orders`, but the id; None where a file says nothing."""

    key: str
    contact_id: int
    at: datetime
    amount_cents: int
    currency: str | None
    product: str | None
    code: str | None


class OpportunityFacts(NamedTuple):
    """The columns of `opportunity` that a file fills, but the id; None where it says nothing."""

    key: str
    account_id: int
    contact_id: int | None
    name: str | None
    outcome: str | None
    amount_cents: int | None
    currency: str | None
    opened_at: datetime
    closed_at: datetime | None
    stage: str | None
    solution: str | None
    tender_due_at: datetime | None
    decision_at: datetime | None
    criteria: str | None
    traits: TraitValues


def save_activities(session: Session, rows: Sequence[ActivityRow], now: datetime) -> SavedRows:
    """Insert activities that are not there yet; the hash of what a row says finds one that is."""
    contacts = find_contacts(session, [_reference(row) for row in rows], Market.B2B)
    saved = SavedRows()
    new: list[NewActivity] = []
    for place, (row, contact) in enumerate(zip(rows, contacts, strict=True)):
        if isinstance(contact, str):
            saved.refused[place] = ("contact", contact)
        elif row.at > now + TOMORROW:
            saved.refused[place] = ("at", "lies in the future")
        else:
            said = row.key or f"{contact.id}|{row.kind}|{row.at.isoformat()}|{row.detail or ''}"
            new.append(NewActivity(fingerprint(said), *contact, row.kind, row.at, row.detail, row.campaign))
    saved.created = add_new(session, Activity, new)
    saved.unchanged = len(new) - saved.created
    return saved


def save_orders(session: Session, rows: Sequence[OrderRow], now: datetime) -> SavedRows:
    """Insert or change orders by their number, or, where a file has none, by everything they say."""
    contacts = find_contacts(session, [_reference(row) for row in rows], Market.B2C)
    saved = SavedRows()
    orders: list[OrderFacts] = []
    for place, (row, contact) in enumerate(zip(rows, contacts, strict=True)):
        if isinstance(contact, str):
            saved.refused[place] = ("contact", contact)
        elif row.at > now + TOMORROW:
            saved.refused[place] = ("at", "lies in the future")
        else:
            facts = OrderFacts("", contact.id, row.at, row.amount, row.currency, row.product, row.code)
            orders.append(facts._replace(key=row.key or f"#{fingerprint(_said_by_order(facts)):x}"))
    known = _known_orders(session, [order.key for order in orders])
    new: dict[str, OrderFacts] = {}  # a file without numbers may say the same twice
    changed: list[Change] = []
    for order in orders:
        found = known.get(order.key)
        if found is None:
            new.setdefault(order.key, order._replace(currency=order.currency or "EUR"))
        elif (after := merge(found[1], order)) != found[1]:
            changed.append(Change(found[0], after))
    bulk_insert(session, Order, list(new.values()))
    save_changes(session, Order, changed)
    saved.created, saved.changed = len(new), len(changed)
    saved.unchanged = len(orders) - len(new) - len(changed)
    return saved


def _said_by_order(order: OrderFacts) -> str:
    """Everything an order without a number says. Never change how it is written: it is the key such orders have."""
    said = {name: getattr(order, name) for name in ("at", "currency", "product", "code", "contact_id", "amount_cents")}
    return repr(said)


def save_opportunities(session: Session, rows: Sequence[OpportunityRow], now: datetime) -> SavedRows:
    """Insert or change opportunities by their key; the account must be known, the contact may be."""
    accounts = account_ids(session, {row.account for row in rows})
    contacts = find_contacts(session, [_reference(row) for row in rows], Market.B2B)
    known = _known_opportunities(session, [row.key for row in rows])
    saved = SavedRows()
    new, changed = [], []
    for place, (row, contact) in enumerate(zip(rows, contacts, strict=True)):
        account_id = accounts.get(row.account)
        if account_id is None:
            saved.refused[place] = ("account", "no account has this key: import the accounts first")
            continue
        if row.contact and isinstance(contact, str):
            saved.refused[place] = ("contact", contact)
            continue
        facts = _opportunity_facts(row, account_id, None if isinstance(contact, str) else contact.id)
        found = known.get(row.key)
        if found is None:
            unsaid = OpportunityOutcome.OPEN.value
            new.append(facts._replace(name=facts.name or row.key, outcome=facts.outcome or unsaid,
                                      currency=facts.currency or "EUR"))  # fmt: skip
            continue
        id, old = found
        after = merge(old, facts._replace(traits=merge_traits(old.traits, facts.traits)))
        if after != old:
            changed.append(Change(id, after))
    bulk_insert(session, Opportunity, new)
    save_changes(session, Opportunity, changed)
    saved.created, saved.changed = len(new), len(changed)
    saved.unchanged = len(rows) - len(saved.refused) - len(new) - len(changed)
    return saved


def _opportunity_facts(row: OpportunityRow, account_id: int, contact_id: int | None) -> OpportunityFacts:
    return OpportunityFacts(
        row.key, account_id, contact_id, row.name, row.outcome, row.amount, row.currency, row.opened_at,
        row.closed_at, row.stage, row.solution, row.tender_due_at, row.decision_at, row.criteria, row.traits,
    )  # fmt: skip


def find_contacts(session: Session, references: Iterable[ContactReference], prefer: Market) -> list[FoundContact | str]:
    """For each reference the contact it names, or why it cannot be told. A key comes before an address.

    Somebody with two hats is found in the market that the row names; where it names none, in `prefer`.
    """
    wanted = list(references)
    keys = _found_by(session, "key", {one.contact for one in wanted if one.contact})
    addresses = _found_by(session, "address", {one.address for one in wanted if one.address})
    found: list[FoundContact | str] = []
    for one in wanted:
        hats = keys.get(one.contact or "") or addresses.get(one.address or "")
        if not hats:
            found.append(UNKNOWN_CONTACT)
        elif one.market:
            unknown = f"no {one.market} contact has this key or address: import the contacts first"
            found.append(hats.get(one.market, unknown))
        else:
            found.append(hats.get(prefer.value) or next(iter(hats.values())))
    return found


def _reference(row: ActivityRow | OrderRow | OpportunityRow) -> ContactReference:
    return ContactReference(row.contact, row.contact_address, row.market)


def _found_by(session: Session, name: str, wanted: set[str]) -> dict[str, dict[str, FoundContact]]:
    """Key or address → market → the contact."""
    found: dict[str, dict[str, FoundContact]] = {}
    if wanted:
        column = col(getattr(Contact, name))
        query = select(col(Contact.market), column, col(Contact.id), col(Contact.account_id)).where(column.in_(wanted))
        for market, value, id, account_id in session.execute(query):
            found.setdefault(value, {})[market] = FoundContact(id, account_id)
    return found


def _known_orders(session: Session, keys: Sequence[str]) -> dict[str, tuple[int, OrderFacts]]:
    """key → (id, the order as it stands), locked until the transaction ends."""
    columns = [col(getattr(Order, name)) for name in ("id", *OrderFacts._fields)]
    query = select(*columns).where(col(Order.key).in_(keys)).with_for_update()
    return {row.key: (row.id, OrderFacts._make(row[1:])) for row in session.execute(query)} if keys else {}


def _known_opportunities(session: Session, keys: Sequence[str]) -> dict[str, tuple[int, OpportunityFacts]]:
    """key → (id, the opportunity as it stands), locked until the transaction ends."""
    columns = [col(getattr(Opportunity, name)) for name in ("id", *OpportunityFacts._fields)]
    query = select(*columns).where(col(Opportunity.key).in_(keys)).with_for_update()
    return {row.key: (row.id, OpportunityFacts._make(row[1:])) for row in session.execute(query)} if keys else {}
