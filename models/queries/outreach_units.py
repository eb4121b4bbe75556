"""Units of outreach: what a holdout draws and its lift counts, by the customer's keys of accounts and people."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from models.account import Account
from models.address import Address
from models.contact import Contact


class ContactKey(NamedTuple):
    """A contact's own key, and whose address theirs is, where somebody has confirmed several addresses."""

    contact_id: int
    key: str
    person: str | None


def account_keys(session: Session, ids: Collection[int]) -> dict[int, str]:
    """The keys of accounts, by their ids. By the primary key."""
    if not ids:
        return {}
    rows = session.execute(select(col(Account.id), col(Account.key)).where(col(Account.id).in_(sorted(ids))))
    return {account_id: key for account_id, key in rows if account_id is not None}


def person_keys(session: Session, market: str, contact_ids: Sequence[int]) -> dict[int, str]:
    """The key of the person behind each contact, by contact id: of several records of a market the one known first.

    So an address that is confirmed later to be the same person's does not draw them anew. By the primary key, and
    `ix_address_person` for those with several addresses.
    """
    if not contact_ids:
        return {}
    rows = session.execute(
        select(col(Contact.id), col(Contact.key), col(Address.person))
        .join(Address, col(Address.address) == Contact.address)
        .where(col(Contact.id).in_(contact_ids))
    )
    contacts = list(map(ContactKey._make, rows))
    first = _first_keys(session, market, {one.person for one in contacts if one.person})
    return {one.contact_id: first.get(one.person or "", one.key) for one in contacts}


def _first_keys(session: Session, market: str, persons: Collection[str]) -> dict[str, str]:
    if not persons:
        return {}
    rows = session.execute(
        select(col(Address.person), col(Contact.key))
        .join(Contact, col(Contact.address) == Address.address)
        .where(col(Address.person).in_(sorted(persons)), col(Contact.market) == market)
        .order_by(col(Contact.id).desc())  # the first one known is put down last, and stands
    )
    return {person: key for person, key in rows if person}
