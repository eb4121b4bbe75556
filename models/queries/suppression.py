"""Suppression: addresses that must never be mailed, who said so, and how an unsubscribe is taken back.

What stands for an address is worked out from its whole record each time: word of a stop may come late, twice and out of
order, and the earliest one counts.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, select, update
from sqlmodel import Session, col

from models.address import LIFTED, Address, SuppressedBy, Suppression
from models.bulk_upsert import add_new
from models.message import Message
from models.queries.letter_stops import chunks, skip_stopped_letters

SHORTEST = timedelta(microseconds=1)  # between two lines of the record that are to be told apart


class SuppressionEntry(NamedTuple):
    """One line of an address's suppression record. `why`: a SuppressedBy, or LIFTED for an unsubscribe taken back."""

    address: str
    at: datetime
    why: str
    heard_from: str
    campaign: str | None = None


def suppress(session: Session, addresses: Iterable[str], why: str, heard_from: str, now: datetime) -> int:
    """Write no more to these (normalised) addresses, from this commit on; their waiting letters are skipped.

    Returns how many addresses were free before.
    """
    return record(session, [SuppressionEntry(address, now, why, heard_from) for address in addresses])


def record(session: Session, entries: Iterable[SuppressionEntry]) -> int:
    """Add lines to the suppression record; from this commit on nothing is written to their addresses.

    Waiting letters to them are skipped with the reason. A line that is there already changes nothing. Returns how many
    addresses were free before.
    """
    by_address: dict[str, set[SuppressionEntry]] = defaultdict(set)
    for entry in entries:
        by_address[entry.address].add(entry)
    return sum(_record(session, {a: by_address[a] for a in some}) for some in chunks(sorted(by_address)))


def record_once(session: Session, entry: SuppressionEntry) -> bool:
    """Suppress one address, unless it is suppressed for this very reason already: then no line is added.

    For a click on our own page, which may come twice. Whoever leaves after coming back has left, also where the clock
    stood still or went back meanwhile. Returns whether the address was free before.
    """
    _lock(session, [entry.address])
    known = _entries(session, [entry.address])
    after = [earlier.at + SHORTEST for earlier in known if earlier.why == LIFTED]
    entry = entry._replace(at=max([entry.at, *after]))
    return entry.why not in {one.why for one in in_force(known)} and bool(record(session, [entry]))


def resubscribe(session: Session, address: str, heard_from: str, now: datetime) -> bool:
    """Take back an unsubscribe; a bounce, a complaint or our own word stays. Returns whether mail may go."""
    since = _lock(session, [address])
    if since.get(address) is not None:
        entry = SuppressionEntry(address, now, LIFTED, heard_from)
        session.execute(Suppression.__table__.insert(), [entry._asdict()])  # type: ignore[attr-defined]
        _settle(session, [address])
    return session.execute(select(col(Address.suppressed_at)).where(col(Address.address) == address)).first() == (None,)


def in_force(entries: Iterable[SuppressionEntry]) -> list[SuppressionEntry]:
    """The lines of one address's record that nobody has taken back, earliest first.

    Only an unsubscribe can be taken back.
    """
    found: list[SuppressionEntry] = []
    for entry in sorted(entries, key=lambda one: (one.at, one.why == LIFTED, one.why)):
        if entry.why == LIFTED:
            found = [one for one in found if one.why != SuppressedBy.UNSUBSCRIBE]
        else:
            found.append(entry)
    return found


def reasons_in_force(session: Session, addresses: Sequence[str]) -> dict[str, set[str]]:
    """Why each of these addresses must not be mailed: every reason that nobody has taken back; free ones have none."""
    known: dict[str, list[SuppressionEntry]] = defaultdict(list)
    for some in chunks(addresses):
        for entry in _entries(session, some):
            known[entry.address].append(entry)
    return {address: {one.why for one in in_force(entries)} for address, entries in known.items()}


class _NewAddress(NamedTuple):
    address: str


def _record(session: Session, entries: Mapping[str, set[SuppressionEntry]]) -> int:
    add_new(session, Address, [_NewAddress(address) for address in entries])
    since = _lock(session, list(entries))
    known = set(_entries(session, list(entries)))
    new = sorted(entry for said in entries.values() for entry in said - known)
    if not new:
        return 0
    session.execute(Suppression.__table__.insert(), [entry._asdict() for entry in new])  # type: ignore[attr-defined]
    addresses = sorted({entry.address for entry in new})
    _settle(session, addresses)
    return sum(since[address] is None for address in addresses)


def _lock(session: Session, addresses: Sequence[str]) -> dict[str, datetime | None]:
    """Lock the address rows, which arming looks at too, in one order for everybody. Address → suppressed since."""
    query = select(col(Address.address), col(Address.suppressed_at)).where(col(Address.address).in_(addresses))
    rows = session.execute(query.order_by(col(Address.address)).with_for_update())
    return {row.address: row.suppressed_at for row in rows}


def _entries(session: Session, addresses: Sequence[str]) -> list[SuppressionEntry]:
    rows = session.execute(
        select(col(Suppression.address), col(Suppression.at), col(Suppression.why), col(Suppression.heard_from),
               col(Suppression.campaign))
        .where(col(Suppression.address).in_(addresses))
    )  # fmt: skip
    return [SuppressionEntry._make(row) for row in rows]


def _settle(session: Session, addresses: Sequence[str]) -> None:
    """Work out from the whole record what stands for each address, write it down, and skip what waits."""
    known: dict[str, list[SuppressionEntry]] = defaultdict(list)
    for entry in _entries(session, addresses):
        known[entry.address].append(entry)
    stands = {address: next(iter(in_force(known[address])), None) for address in addresses}
    table = Address.__table__  # type: ignore[attr-defined]
    session.connection().execute(
        update(table)
        .where(table.c.address == bindparam("b_address"))
        .values(suppressed_at=bindparam("b_at"), suppressed_why=bindparam("b_why")),
        [{"b_address": a, "b_at": one and one.at, "b_why": one and one.why} for a, one in stands.items()],
    )
    skip_stopped_letters(session, col(Message.address).in_([a for a, one in stands.items() if one]))
