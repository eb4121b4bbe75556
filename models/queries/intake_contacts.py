"""Contacts from a file: who is new, who is known, whose mailbox is somebody else's, and who must never be mailed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlmodel import Session, col

from models.address import Address, SuppressedBy
from models.bulk_insert import bulk_insert, bulk_insert_names
from models.contact import Consent, Contact, Market, Stage
from models.queries.intake_accounts import accounts_by_domain, find_or_create_accounts
from models.queries.intake_changes import Change, SavedRows, TraitValues, merge, merge_traits, save_changes
from models.queries.intake_refusals import HEARD_FROM
from models.queries.person import are_one
from models.queries.suppression import suppress

FIRST_STAGE = {Market.B2B: Stage.LEAD.value, Market.B2C: Stage.AWARE.value}
STRONGER: dict[str | None, int] = {
    None: 0,
    Consent.UNKNOWN: 1,
    Consent.GRANTED: 2,
    Consent.WITHDRAWN: 3,
}  # a no outlasts every yes
GOES_ALONG = (SuppressedBy.UNSUBSCRIBE, SuppressedBy.COMPLAINT, SuppressedBy.PERSON)  # a bounce is the mailbox's own


class ContactRow(NamedTuple):
    """A contact as a file describes it; None where it says nothing."""

    market: str
    key: str | None
    address: str  # normalised
    email: str  # as it was given
    account: str | None = None  # the account's key
    account_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    title: str | None = None
    phone: str | None = None
    locale: str | None = None
    country: str | None = None
    time_zone: str | None = None
    consent: str | None = None
    consent_at: datetime | None = None
    consent_source: str | None = None
    stage: str | None = None
    created_at: datetime | None = None
    alias: str | None = None  # other (normalised) addresses of the same person, separated by spaces
    traits: TraitValues = {}  # noqa: RUF012  nobody changes it


class ContactDetails(NamedTuple):
    """The columns of `contact` that every later file may change; None where a file says nothing."""

    key: str
    address: str
    email: str
    account_id: int | None
    first_name: str | None
    last_name: str | None
    title: str | None
    phone: str | None
    locale: str | None
    country: str | None
    time_zone: str | None
    consent: str | None
    consent_at: datetime | None
    consent_source: str | None
    traits: TraitValues


class StoredContact(NamedTuple):
    """A contact as it stands in the database."""

    id: int
    market: str
    details: ContactDetails


class NewContact(NamedTuple):
    """A row to insert into `contact`."""

    market: str
    key: str
    address: str
    email: str
    account_id: int | None
    first_name: str | None
    last_name: str | None
    title: str | None
    phone: str | None
    locale: str | None
    country: str | None
    time_zone: str | None
    consent: str | None
    consent_at: datetime | None
    consent_source: str | None
    traits: TraitValues
    stage: str
    created_at: datetime
    updated_at: datetime


@dataclass
class _KnownContacts:
    """The contacts that a set of rows may mean, by (market, address) and by (market, key)."""

    by_address: dict[tuple[str, str], StoredContact] = field(default_factory=dict)
    by_key: dict[tuple[str, str], StoredContact] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)  # ids that a row of the set changes already

    def find(self, row: ContactRow) -> tuple[StoredContact | None, str]:
        """The contact that a row means, if there is one; or why the row cannot be saved."""
        by_address = self.by_address.get((row.market, row.address))
        by_key = self.by_key.get((row.market, row.key or row.address))
        if row.key and by_address and by_address.details.key != row.key:
            key = by_address.details.key
            if by_key or key != by_address.details.address:
                return None, f"is the address of contact {key} already; is one of the two keys wrong?"
        found = by_address or by_key
        if found and found.id in self.changed:
            return None, f"is contact {found.details.key}, whom another row of this file changes already"
        return found, ""


def save_contacts(session: Session, rows: Sequence[ContactRow], now: datetime) -> SavedRows:
    """Insert or change contacts by key and address within their market. The rows name each key and each address once.

    A key with a new address: the person has moved, and a stop they said moves with them. An address under another
    key: two people cannot share a mailbox here, so the row is refused. A contact that came without a key, under its
    address, gets the key that a later file gives it.
    """
    accounts = _account_ids(session, rows, now)
    known = _known_contacts(session, rows)
    saved = SavedRows()
    new: list[NewContact] = []
    changed: list[Change] = []
    moved: dict[str, str] = {}
    for place, row in enumerate(rows):
        found, why = known.find(row)
        if why:
            saved.refused[place] = ("email", why)
        elif found is None:
            new.append(_new_contact(row, accounts.get(place), now))
        else:
            known.changed.add(found.id)
            saved.no_stays += row.consent == Consent.GRANTED and found.details.consent == Consent.WITHDRAWN
            after = _changed_details(found.details, row, accounts.get(place), now)
            if after != found.details:
                changed.append(Change(found.id, after))
                if after.address != found.details.address:
                    moved[found.details.address] = after.address
    bulk_insert_names(session, Address, "address", [*(one.address for one in new), *moved.values()])
    bulk_insert(session, Contact, new)
    save_changes(session, Contact, changed, now)
    kept = [row for place, row in enumerate(rows) if place not in saved.refused]
    _move_suppressions(session, moved, now)
    are_one(session, [(row.address, alias) for row in kept if row.alias for alias in row.alias.split()])
    saved.created, saved.changed = len(new), len(changed)
    saved.unchanged = len(kept) - len(new) - len(changed)
    return saved


def _account_ids(session: Session, rows: Sequence[ContactRow], now: datetime) -> dict[int, int]:
    """Place of the row → its account: the one it names, else the one whose mail comes from the same domain."""
    named = {place: key for place, row in enumerate(rows) if (key := row.account or row.account_name)}
    ids = find_or_create_accounts(session, {key: rows[p].account_name or key for p, key in named.items()}, now)
    domains = {place: row.address.partition("@")[2] for place, row in enumerate(rows)
               if row.market == Market.B2B and place not in named}  # fmt: skip
    of_domain = accounts_by_domain(session, set(domains.values()))
    found = {place: ids[key] for place, key in named.items()}
    return found | {place: of_domain[domain] for place, domain in domains.items() if domain in of_domain}


def _known_contacts(session: Session, rows: Sequence[ContactRow]) -> _KnownContacts:
    """The contacts that the rows may mean, locked until the transaction ends.

    First by address, then by key those whom that did not find: each an index lookup by a unique constraint.
    """
    known = _KnownContacts()
    columns = [col(getattr(Contact, name)) for name in ("id", "market", *ContactDetails._fields)]
    for market in sorted({row.market for row in rows}):
        keys = {row.address: row.key or row.address for row in rows if row.market == market}

        def ask(name: str, wanted: Collection[str], market: str = market) -> None:
            column = col(getattr(Contact, name))
            query = select(*columns).where(col(Contact.market) == market, column.in_(wanted)).order_by(col(Contact.id))
            for row in session.connection().execute(query.with_for_update()):
                one = StoredContact(row[0], row[1], ContactDetails._make(row[2:]))
                known.by_address[market, one.details.address] = known.by_key[market, one.details.key] = one

        ask("address", list(keys))
        if unmet := [key for key in keys.values() if (market, key) not in known.by_key]:
            ask("key", unmet)
    return known


def _new_contact(row: ContactRow, account_id: int | None, now: datetime) -> NewContact:
    consent = row.consent or Consent.UNKNOWN.value
    said = consent != Consent.UNKNOWN
    return NewContact(
        row.market, row.key or row.address, row.address, row.email, account_id, row.first_name, row.last_name,
        row.title, row.phone, row.locale or "en", row.country, row.time_zone, consent,
        row.consent_at or (now if said else None), row.consent_source or (HEARD_FROM if said else None), row.traits,
        row.stage or FIRST_STAGE[Market(row.market)], row.created_at or now, now,
    )  # fmt: skip


def _changed_details(old: ContactDetails, row: ContactRow, account_id: int | None, now: datetime) -> ContactDetails:
    """The contact as it should stand. A consent changes only into a stronger one."""
    consent, consent_at, source = None, None, None
    if STRONGER[row.consent] > STRONGER[old.consent]:
        consent, consent_at, source = row.consent, row.consent_at or now, row.consent_source or HEARD_FROM
    said = ContactDetails(
        row.key or old.key, row.address, row.email, account_id, row.first_name, row.last_name, row.title, row.phone,
        row.locale, row.country, row.time_zone, consent, consent_at, source, merge_traits(old.traits, row.traits),
    )  # fmt: skip
    return merge(old, said)


def _move_suppressions(session: Session, moved: Mapping[str, str], now: datetime) -> None:
    """A no goes along to a new address (old → new); a bounce is the old mailbox's own."""
    if moved:
        suppressed = select(col(Address.address), col(Address.suppressed_why)).where(
            col(Address.address).in_(list(moved)), col(Address.suppressed_why).in_(GOES_ALONG)
        )
        for old, why in session.execute(suppressed).all():
            suppress(session, [moved[old]], why, f"{HEARD_FROM}: the same contact under a new address", now)
