"""Intake: what arrived, and how a set of rows from a file becomes accounts, activities, orders and opportunities.

Each `take_…` gets rows as nurture.rules.intake reads them and says for each what became of it. A row is compared with
what is there, so that a file imported twice changes nothing. An empty cell never erases what is known.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from sqlalchemy import Select, bindparam, func, select, text, update
from sqlmodel import Field, Session, SQLModel, col

from models.account import Account
from models.activity import Activity
from models.bulk_insert import bulk_insert
from models.bulk_upsert import Row, add_new
from models.contact import Contact, Market
from models.opportunity import Opportunity, OpportunityOutcome
from models.order import Order
from models.types import Id, Moment


class Import(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    file: str  # its name, not its folder
    kind: str  # accounts, contacts, activities, orders, opportunities
    sha256: str
    rows: int
    good: int
    rejected: int
    rejects_file: str | None = None
    at: datetime = Field(sa_type=Moment)


@dataclass
class Taken:
    """What became of a set of rows. `refused` says of a row, by its place in the set, why it could not be taken."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: dict[int, tuple[str, str]] = field(default_factory=dict)  # place → (field, why)


def one_at_a_time(session: Session) -> None:
    """Two imports write one after the other: SQLite has it so anyway, PostgreSQL needs a word all of them know."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtext('nurture intake'))"))


def take_accounts(session: Session, rows: Sequence[Row], now: datetime) -> Taken:
    """Accounts by their key."""
    columns = ("name", "domain", "industry", "country", "employees", "tier", "channel", "volume", "group_volume",
               "growth", "owner_email", "owner_name")  # fmt: skip
    known = _by_key(session, Account, [r["key"] for r in rows], ("id", "key", *columns, "traits"))
    taken = Taken()
    new, changed = [], []
    for row in rows:
        old = known.get(row["key"])
        if old is None:
            new.append({"key": row["key"], **{c: row.get(c) for c in columns}, "traits": row.get("traits", {}),
                        "created_at": now, "updated_at": now})  # fmt: skip
        elif after := difference(old, row, columns):
            changed.append({"b_id": old["id"], **after, "updated_at": now})
    return _saved(session, Account, taken, new, changed, len(rows))


def accounts_of(session: Session, names: Mapping[str, str], now: datetime) -> dict[str, int]:
    """The ids of accounts by key; one that nobody told us of is created with the name it is called by."""
    ids = _ids(session, names)
    if new := [key for key in names if key not in ids]:
        made = {"traits": {}, "created_at": now, "updated_at": now}
        bulk_insert(
            session,
            Account,
            [{"key": k, "name": names[k], "domain": k if _is_domain(k) else None, **made} for k in new],
        )
        ids |= _ids(session, new)
    return ids


def accounts_at(session: Session, domains: Collection[str]) -> dict[str, int]:
    """The ids of accounts by the domain of their mail; a domain that two accounts share tells nothing."""
    if not domains:
        return {}
    query = select(col(Account.domain), func.min(Account.id).label("id")).where(col(Account.domain).in_(domains))
    found = session.execute(query.group_by(col(Account.domain)).having(func.count() == 1))
    return {row.domain: row.id for row in found}


def take_activities(session: Session, rows: Sequence[Row], now: datetime) -> Taken:
    """Activities are only ever added; the hash of what they say finds one that is there already."""
    whose = contacts_of(session, rows, Market.B2B)
    taken, new = Taken(), []
    for place, row in enumerate(rows):
        found = whose.get(place)
        if found is None or isinstance(found, str):
            taken.refused[place] = ("contact", found or UNKNOWN_CONTACT)
        elif row["at"] > now + TOMORROW:
            taken.refused[place] = ("at", "lies in the future")
        else:
            contact_id, account_id = found
            said = row.get("key") or f"{contact_id}|{row['kind']}|{row['at'].isoformat()}|{row.get('detail') or ''}"
            new.append({"dedupe": fingerprint(said), "contact_id": contact_id, "account_id": account_id,
                        "kind": row["kind"], "at": row["at"], "detail": row.get("detail"),
                        "campaign": row.get("campaign")})  # fmt: skip
    taken.created = add_new(session, Activity, new)
    taken.unchanged = len(new) - taken.created
    return taken


def take_orders(session: Session, rows: Sequence[Row], now: datetime) -> Taken:
    """Orders by their number, or, where a file has none, by everything they say."""
    columns = ("contact_id", "at", "amount_cents", "currency", "product", "code")
    whose = contacts_of(session, rows, Market.B2C)
    orders: list[Row] = []
    taken = Taken()
    for place, row in enumerate(rows):
        found = whose.get(place)
        if found is None or isinstance(found, str):
            taken.refused[place] = ("contact", found or UNKNOWN_CONTACT)
        elif row["at"] > now + TOMORROW:
            taken.refused[place] = ("at", "lies in the future")
        else:
            order: Row = {c: row.get(c) for c in ("at", "currency", "product", "code")}
            order |= {"contact_id": found[0], "amount_cents": row["amount"]}
            orders.append({"key": row.get("key") or f"#{fingerprint(repr(order)):x}", **order})
    known = _by_key(session, Order, [o["key"] for o in orders], ("id", "key", *columns))
    new, changed, seen = [], [], set()
    for order in orders:
        old = known.get(order["key"])
        if old is None:
            if order["key"] not in seen:  # a file without numbers may say the same twice
                seen.add(order["key"])
                new.append({**order, "currency": order["currency"] or "EUR"})
        elif after := difference(old, order, columns):
            changed.append({"b_id": old["id"], **after})
    return _saved(session, Order, taken, new, changed, len(orders))


def take_opportunities(session: Session, rows: Sequence[Row], now: datetime) -> Taken:
    """Opportunities by their key; the account must be known, the contact may be."""
    columns = ("account_id", "contact_id", "name", "outcome", "amount_cents", "currency", "opened_at", "closed_at",
               *ON_ITS_WAY)  # fmt: skip
    accounts = _ids(session, {r["account"] for r in rows})
    whose = contacts_of(session, rows, Market.B2B)
    known = _by_key(session, Opportunity, [r["key"] for r in rows], ("id", "key", *columns, "traits"))
    taken, new, changed = Taken(), [], []
    for place, row in enumerate(rows):
        found = whose.get(place)
        account_id = accounts.get(row["account"])
        if account_id is None:
            taken.refused[place] = ("account", "no account has this key: import the accounts first")
            continue
        if row.get("contact") and not isinstance(found, tuple):
            taken.refused[place] = ("contact", found or UNKNOWN_CONTACT)
            continue
        deal = {"account_id": account_id, "contact_id": found[0] if isinstance(found, tuple) else None,
                "name": row.get("name"), "outcome": row.get("outcome"), "amount_cents": row.get("amount"),
                "currency": row.get("currency"), "opened_at": row["opened_at"], "closed_at": row.get("closed_at"),
                **{c: row.get(c) for c in ON_ITS_WAY}, "traits": row.get("traits", {})}  # fmt: skip
        old = known.get(row["key"])
        if old is None:
            said = {c: value for c, value in deal.items() if value is not None}
            unsaid = {"name": row["key"], "currency": "EUR", "outcome": OpportunityOutcome.OPEN.value}
            new.append({"key": row["key"]} | dict.fromkeys(columns) | unsaid | said)
        elif after := difference(old, deal, columns):
            changed.append({"b_id": old["id"], **after})
    return _saved(session, Opportunity, taken, new, changed, len(rows) - len(taken.refused))


ON_ITS_WAY = ("stage", "solution", "tender_due_at", "decision_at", "criteria")  # of an open opportunity
TOMORROW = timedelta(days=1)  # clocks and time zones of other systems may be a little ahead
UNKNOWN_CONTACT = "no contact has this key or address: import the contacts first"
Whose = dict[int, tuple[int, int | None] | str]


def contacts_of(session: Session, rows: Sequence[Row], rather: Market) -> Whose:
    """Place of the row → (contact, account), or why it cannot be told. A key comes before an address.

    Somebody with two hats is found in the market that the row names; where it names none, `rather`.
    """
    said = {r["contact"] for r in rows if r.get("contact")}
    addresses = {r["contact_address"] for r in rows if r.get("contact_address")}
    columns = (col(Contact.market), col(Contact.key), col(Contact.address), col(Contact.id), col(Contact.account_id))
    found: dict[tuple[str, str], dict[str, tuple[int, int | None]]] = {}
    for by, column, wanted in (("key", columns[1], said), ("address", columns[2], addresses)):
        if not wanted:
            continue
        for market, key, address, id, account_id in session.execute(select(*columns).where(column.in_(wanted))):
            found.setdefault((by, key if by == "key" else address), {})[market] = (id, account_id)
    whose: Whose = {}
    for place, row in enumerate(rows):
        hats = found.get(("key", row.get("contact", ""))) or found.get(("address", row.get("contact_address") or ""))
        if not hats:
            continue
        market = row.get("market")
        if market:
            whose[place] = hats.get(market, f"no {market} contact has this key or address: import the contacts first")
        else:
            whose[place] = hats.get(rather.value) or next(iter(hats.values()))
    return whose


def fingerprint(said: str) -> int:
    """64 bits of what was said, signed as both databases keep them."""
    return int.from_bytes(blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)


def difference(old: Mapping[str, Any], new: Row, columns: Collection[str]) -> Row | None:
    """The row as it should stand, all columns; None when that is how it stands. What is not said stays."""
    changed = False
    after: Row = {}
    for column in columns:
        value = new.get(column)
        after[column] = old[column] if value is None else value
        changed = changed or after[column] != old[column]
    if "traits" in old:
        after["traits"] = {**(old["traits"] or {}), **(new.get("traits") or {})}
        changed = changed or after["traits"] != old["traits"]
    return after if changed else None


def save_changes(session: Session, model: type[SQLModel], changed: Sequence[Row]) -> None:
    """Rows with `b_id` and every column to be written."""
    if changed:
        table: Any = model.__table__  # type: ignore[attr-defined]
        values = {c: bindparam(f"b_{c}", type_=table.c[c].type) for c in changed[0] if c != "b_id"}
        statement = update(table).where(table.c.id == bindparam("b_id")).values(values)
        session.connection().execute(
            statement, [{"b_id": r["b_id"], **{f"b_{c}": r[c] for c in values}} for r in changed]
        )


def _saved(
    session: Session, model: type[SQLModel], taken: Taken, new: list[Row], changed: list[Row], rows: int
) -> Taken:
    bulk_insert(session, model, new)
    save_changes(session, model, changed)
    taken.created, taken.changed = len(new), len(changed)
    taken.unchanged = rows - len(new) - len(changed)
    return taken


def _by_key(session: Session, model: Any, keys: Collection[str], columns: Sequence[str]) -> dict[str, Any]:
    query: Select[Any] = select(*(col(getattr(model, c)) for c in columns)).where(col(model.key).in_(keys))
    return {row["key"]: row for row in session.execute(query.with_for_update()).mappings()} if keys else {}


def _ids(session: Session, keys: Collection[str]) -> dict[str, int]:
    query = select(col(Account.key), col(Account.id)).where(col(Account.key).in_(list(keys)))
    return {row.key: row.id for row in session.execute(query)} if keys else {}


def _is_domain(key: str) -> bool:
    return "." in key and " " not in key and key == key.lower()
