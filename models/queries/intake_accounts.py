"""Accounts from a file: those it lists, and those that its contacts name."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session, col

from models.account import Account
from models.bulk_insert import bulk_insert
from models.queries.intake_changes import Change, SavedRows, TraitValues, merge, merge_traits, save_changes


class AccountRow(NamedTuple):
    """An account as a file describes it; None where it says nothing. The fields are columns of `account`."""

    key: str
    name: str
    domain: str | None = None
    industry: str | None = None
    country: str | None = None
    employees: int | None = None
    tier: str | None = None
    channel: str | None = None
    volume: int | None = None
    group_volume: int | None = None
    growth: float | None = None
    owner_email: str | None = None
    owner_name: str | None = None
    traits: TraitValues = {}  # noqa: RUF012  nobody changes it


class NewAccount(NamedTuple):
    """A row to insert into `account`."""

    key: str
    name: str
    domain: str | None
    industry: str | None
    country: str | None
    employees: int | None
    tier: str | None
    channel: str | None
    volume: int | None
    group_volume: int | None
    growth: float | None
    owner_email: str | None
    owner_name: str | None
    traits: TraitValues
    created_at: datetime
    updated_at: datetime


def save_accounts(session: Session, rows: Sequence[AccountRow], now: datetime) -> SavedRows:
    """Insert or change accounts by their key. The rows name each key once."""
    known = _known_accounts(session, [row.key for row in rows])
    new, changed = [], []
    for row in rows:
        found = known.get(row.key)
        if found is None:
            new.append(NewAccount(*row, now, now))
            continue
        id, old = found
        after = merge(old, row._replace(traits=merge_traits(old.traits, row.traits)))
        if after != old:
            changed.append(Change(id, after))
    bulk_insert(session, Account, new)
    save_changes(session, Account, changed, now)
    return SavedRows(len(new), len(changed), len(rows) - len(new) - len(changed))


def find_or_create_accounts(session: Session, names: Mapping[str, str], now: datetime) -> dict[str, int]:
    """The ids of accounts by key; one that nobody told us of is created with its name in `names`."""
    ids = account_ids(session, names)
    if missing := [key for key in names if key not in ids]:
        new = [AccountRow(key, names[key], domain=key if _is_domain(key) else None) for key in missing]
        bulk_insert(session, Account, [NewAccount(*row, now, now) for row in new])
        ids |= account_ids(session, missing)
    return ids


def accounts_by_domain(session: Session, domains: Collection[str]) -> dict[str, int]:
    """The ids of accounts by the domain of their mail; a domain that two accounts share tells nothing."""
    if not domains:
        return {}
    query = select(col(Account.domain), func.min(Account.id).label("id")).where(col(Account.domain).in_(domains))
    found = session.execute(query.group_by(col(Account.domain)).having(func.count() == 1))
    return {row.domain: row.id for row in found}


def account_ids(session: Session, keys: Collection[str]) -> dict[str, int]:
    """The ids of the accounts that exist, by key."""
    query = select(col(Account.key), col(Account.id)).where(col(Account.key).in_(list(keys)))
    return {row.key: row.id for row in session.execute(query)} if keys else {}


def _known_accounts(session: Session, keys: Sequence[str]) -> dict[str, tuple[int, AccountRow]]:
    """key → (id, the account as it stands), locked until the transaction ends."""
    columns = [col(getattr(Account, name)) for name in ("id", *AccountRow._fields)]
    query = select(*columns).where(col(Account.key).in_(keys)).with_for_update()
    return {row.key: (row.id, AccountRow._make(row[1:])) for row in session.execute(query)} if keys else {}


def _is_domain(key: str) -> bool:
    return "." in key and " " not in key and key == key.lower()
