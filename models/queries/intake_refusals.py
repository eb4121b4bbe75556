"""Refusals from a file: addresses that say no are suppressed for good, whether we know them or not."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlmodel import Session, col

from models.address import SuppressedBy
from models.contact import Consent, Contact
from models.queries.intake_changes import Change, SavedRows, save_changes
from models.queries.suppression import SuppressionEntry, reasons_in_force, record

HEARD_FROM = "import"


class Refusal(NamedTuple):
    """An address that must not be mailed, and why."""

    address: str  # normalised
    why: str  # SuppressedBy
    at: datetime | None = None  # None: now


class SuppressionRow(NamedTuple):
    """A line of a list of addresses that must not be mailed."""

    address: str  # normalised
    reason: str  # SuppressedBy
    at: datetime | None = None  # when they said so


class ConsentWithdrawn(NamedTuple):
    """The columns of `contact` that a no changes."""

    consent: str
    consent_at: datetime
    consent_source: str


def save_refusals(session: Session, refusals: Sequence[Refusal], now: datetime) -> int:
    """Suppress addresses, known or unknown, and withdraw the consent of their contacts; a bounce withdraws nothing.

    One that is suppressed for the same reason already stays as it is. Returns how many addresses were free before.
    """
    if not refusals:
        return 0
    known = reasons_in_force(session, sorted({refusal.address for refusal in refusals}))
    first = {(one.address, one.why): one for one in reversed(refusals)}
    new = [one for one in first.values() if one.why not in known.get(one.address, ())]
    freed = record(
        session, [SuppressionEntry(one.address, min(one.at or now, now), one.why, HEARD_FROM) for one in new]
    )
    withdraw_consent(session, {one.address for one in refusals if one.why != SuppressedBy.BOUNCE}, now)
    return freed


def save_suppressions(session: Session, rows: Sequence[SuppressionRow], now: datetime) -> SavedRows:
    """Suppress the addresses of a list; nobody becomes a lead by standing in it."""
    created = save_refusals(session, [Refusal(row.address, row.reason, row.at) for row in rows], now)
    return SavedRows(created=created, unchanged=len(rows) - created)


def withdraw_consent(session: Session, addresses: Collection[str], now: datetime) -> None:
    """Withdraw the consent of every contact at these addresses."""
    no = ConsentWithdrawn(Consent.WITHDRAWN.value, now, HEARD_FROM)
    some = sorted(addresses)
    for start in range(0, len(some), 1_000):
        query = select(col(Contact.id)).where(
            col(Contact.address).in_(some[start : start + 1_000]), col(Contact.consent) != Consent.WITHDRAWN
        )
        ids = session.execute(query.order_by(col(Contact.id)).with_for_update()).scalars()
        save_changes(session, Contact, [Change(id, no) for id in ids if id is not None], now)
