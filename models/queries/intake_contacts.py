"""Taking contacts in: who is new, who is known, whose mailbox is somebody else's, and who must never be written to."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from models.address import Address, SuppressedBy
from models.bulk_insert import bulk_insert, bulk_insert_names
from models.bulk_upsert import Row
from models.contact import Consent, Contact, Market, Stage
from models.import_file import Taken, accounts_at, accounts_of, difference, save_changes
from models.queries.person import are_one
from models.queries.suppression import suppress

HEARD_FROM = "import"
FIRST_STAGE = {Market.B2B: Stage.LEAD.value, Market.B2C: Stage.AWARE.value}
STRONGER = {None: 0, Consent.UNKNOWN: 1, Consent.GRANTED: 2, Consent.WITHDRAWN: 3}  # a no outlasts every yes
COLUMNS = ("key", "address", "email", "account_id", "first_name", "last_name", "title", "phone", "locale", "country",
           "time_zone", "consent", "consent_at", "consent_source")  # fmt: skip
GOES_ALONG = (SuppressedBy.UNSUBSCRIBE, SuppressedBy.COMPLAINT, SuppressedBy.PERSON)  # a bounce is the mailbox's own


def take_contacts(session: Session, rows: Sequence[Row], now: datetime) -> Taken:
    """Contacts by key and address within their market. The rows of one call name each key and each address once.

    A key with a new address: the person has moved, and a stop they said moves with them. An address under another
    key: two people cannot share a mailbox here, so the row is refused. A contact that came without a key, under its
    address, gets the key that a later file gives it.
    """
    accounts = _accounts(session, rows, now)
    known = _known(session, rows)
    taken = Taken()
    new: list[Row] = []
    changed: list[Row] = []
    withdrawn: list[str] = []
    moved: dict[str, str] = {}
    touched: set[int] = set()
    for place, row in enumerate(rows):
        market, address, key = row["market"], row["address"], row.get("key")
        by_address = known.get((market, "address", address))
        by_key = known.get((market, "key", key or address))
        old = by_address or by_key
        if key and by_address and by_address["key"] != key and (by_key or by_address["key"] != by_address["address"]):
            why = f"is the address of contact {by_address['key']} already; is one of the two keys wrong?"
            taken.refused[place] = ("email", why)
            continue
        if old and old["id"] in touched:
            taken.refused[place] = ("email", f"is contact {old['key']}, whom another row of this file changes already")
            continue
        row["account_id"] = accounts.get(place)
        if row.get("consent") == Consent.WITHDRAWN:
            withdrawn.append(address)
        if old is None:
            new.append(_new(row, now))
            continue
        if STRONGER[row.get("consent")] <= STRONGER[old["consent"]]:
            row.update(consent=None, consent_at=None, consent_source=None)
        else:
            row.update(consent_at=row.get("consent_at") or now, consent_source=row.get("consent_source") or HEARD_FROM)
        touched.add(old["id"])
        if after := difference(old, {**row, "key": key or old["key"]}, COLUMNS):
            changed.append({"b_id": old["id"], **after, "updated_at": now})
            if old["address"] != address:
                moved[old["address"]] = address
    _write(session, new, changed, [*(r["address"] for r in new), *moved.values()])
    _keep_stopped(session, withdrawn, moved, now)
    are_one(
        session, [(r["address"], r["alias"]) for p, r in enumerate(rows) if r.get("alias") and p not in taken.refused]
    )
    taken.created, taken.changed = len(new), len(changed)
    taken.unchanged = len(rows) - len(taken.refused) - len(new) - len(changed)
    return taken


def withdraw(session: Session, addresses: Collection[str], now: datetime) -> None:
    """A no that stands in a row we otherwise leave out is still a no."""
    if not addresses:
        return
    query = select(col(Contact.id)).where(
        col(Contact.address).in_(addresses), col(Contact.consent) != Consent.WITHDRAWN
    )
    no = {"consent": Consent.WITHDRAWN.value, "consent_at": now, "consent_source": HEARD_FROM, "updated_at": now}
    save_changes(session, Contact, [{"b_id": id, **no} for (id,) in session.execute(query.with_for_update())])
    _keep_stopped(session, addresses, {}, now)


def _accounts(session: Session, rows: Sequence[Row], now: datetime) -> dict[int, int]:
    """Place of the row → its account: the one it names, else the one whose mail comes from the same domain."""
    names = {
        key: row.get("account_name") or key for row in rows if (key := row.get("account") or row.get("account_name"))
    }
    ids = accounts_of(session, names, now)
    nameless = [
        p for p, r in enumerate(rows) if r["market"] == Market.B2B and not (r.get("account") or r.get("account_name"))
    ]
    at = accounts_at(session, {_domain(rows[p]) for p in nameless})
    found = {p: ids[key] for p, r in enumerate(rows) if (key := r.get("account") or r.get("account_name"))}
    return found | {p: at[d] for p in nameless if (d := _domain(rows[p])) in at}


def _domain(row: Row) -> str:
    return str(row["address"]).partition("@")[2]


def _known(session: Session, rows: Sequence[Row]) -> dict[tuple[str, str, str], Any]:
    """(market, "key" or "address", its value) → the contact.

    First by address, then by key those whom that did not find: each an index lookup by a unique constraint.
    """
    table: Any = Contact.__table__  # type: ignore[attr-defined]
    columns = [table.c[c] for c in ("id", "market", *COLUMNS, "traits")]
    found: dict[tuple[str, str, str], Any] = {}
    for market in sorted({r["market"] for r in rows}):
        of = {r["address"]: r.get("key") or r["address"] for r in rows if r["market"] == market}

        def ask(name: str, wanted: Collection[str], market: str = market) -> None:
            query = select(*columns).where(table.c.market == market, table.c[name].in_(wanted)).order_by(table.c.id)
            for row in session.connection().execute(query.with_for_update()).mappings():
                found[market, "address", row["address"]] = found[market, "key", row["key"]] = row

        ask("address", list(of))
        if unmet := [key for key in of.values() if (market, "key", key) not in found]:
            ask("key", unmet)
    return found


def _new(row: Row, now: datetime) -> Row:
    get = row.get
    consent = get("consent") or Consent.UNKNOWN.value
    return {
        "market": row["market"], "key": get("key") or row["address"], "address": row["address"], "email": row["email"],
        "account_id": row["account_id"], "first_name": get("first_name"), "last_name": get("last_name"),
        "title": get("title"), "phone": get("phone"), "locale": get("locale") or "en", "country": get("country"),
        "time_zone": get("time_zone"), "consent": consent,
        "consent_at": get("consent_at") or (now if consent != Consent.UNKNOWN else None),
        "consent_source": get("consent_source") or (HEARD_FROM if consent != Consent.UNKNOWN else None),
        "stage": get("stage") or FIRST_STAGE[row["market"]], "traits": get("traits", {}),
        "created_at": get("created_at") or now, "updated_at": now,
    }  # fmt: skip


def _write(session: Session, new: list[Row], changed: list[Row], addresses: Collection[str]) -> None:
    bulk_insert_names(session, Address, "address", addresses)
    bulk_insert(session, Contact, new)
    save_changes(session, Contact, changed)


def _keep_stopped(session: Session, withdrawn: Collection[str], moved: dict[str, str], now: datetime) -> None:
    """Addresses of people who said no are suppressed, unless they are; a no goes along to a new address."""
    if withdrawn:
        free = select(col(Address.address)).where(
            col(Address.address).in_(withdrawn), col(Address.suppressed_at).is_(None)
        )
        if stopping := [a for (a,) in session.execute(free)]:
            suppress(session, stopping, SuppressedBy.UNSUBSCRIBE, HEARD_FROM, now)
    if moved:
        held = select(col(Address.address), col(Address.suppressed_why)).where(
            col(Address.address).in_(list(moved)), col(Address.suppressed_why).in_(GOES_ALONG)
        )
        for old, why in session.execute(held).all():
            suppress(session, [moved[old]], why, f"{HEARD_FROM}: the same contact under a new address", now)
