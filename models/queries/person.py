"""Person: several addresses that somebody has confirmed to be one reader's. Pressure is counted per person.

A row of `address` has one `person`: the first of the person's addresses by name, for all of them; NULL where nobody
has said anything. An unsubscribe, a bounce and a complaint stay with the address they came from.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, bindparam, or_, select, update
from sqlmodel import Session, col

from models.address import Address
from models.bulk_insert import bulk_insert_names
from models.bulk_upsert import among
from models.message import SALES, TAKEN_UP, State
from models.message import TABLE as MESSAGE
from models.types import Moment


def are_one(session: Session, pairs: Iterable[tuple[str, str]]) -> int:
    """Two (normalised) addresses each are one person's; with what was confirmed before, a person may have many.

    Returns how many addresses belong to somebody else than before. Said twice, it changes nothing.
    """
    wanted = [(one, other) for one, other in pairs if one != other]
    if not wanted:
        return 0
    named = {address for pair in wanted for address in pair}
    bulk_insert_names(session, Address, "address", named)
    now = _held(session, named)
    now = _held(session, named, [person for person in now.values() if person])
    group = {address: address for address in now}

    def first(address: str) -> str:
        while group[address] != address:
            address = group[address]
        return address

    for one, other in [*wanted, *((address, person) for address, person in now.items() if person in group)]:
        low, high = sorted((first(one), first(other)))
        group[high] = low
    return _write(session, {address: first(address) for address in now}, now)


def is_apart(session: Session, address: str) -> bool:
    """Take an address out of its person again: it was somebody else's. False when it was nobody else's."""
    person = session.execute(select(col(Address.person)).where(col(Address.address) == address)).scalar()
    if person is None:
        return False
    now = _held(session, [address], [person])
    rest = sorted(one for one in now if one != address)
    _write(session, {address: None} | dict.fromkeys(rest, rest[0] if len(rest) > 1 else None), now)
    return True


def addresses(session: Session, address: str) -> list[str]:
    """All addresses of the person behind one of them."""
    person = select(col(Address.person)).where(col(Address.address) == address).scalar_subquery()
    found = session.execute(select(col(Address.address)).where(col(Address.person) == person)).scalars()
    return sorted({address, *found})


def any_known(session: Session) -> bool:
    """Has anybody more than one address? One look into the index."""
    return (
        session.execute(select(col(Address.person)).where(col(Address.person).is_not(None)).limit(1)).first()
        is not None
    )


def count_together(session: Session, rows: Sequence[dict[str, Any]], since: datetime) -> None:
    """Letters at a person's other addresses count too: they are added to `person_lately` of one letter's readers.

    Each such row learns whose it is (`person`) and at which other address the same letter was had (`elsewhere`).
    By the primary key of the addresses, `ix_address_person` and `message_address_accepted`.
    """
    asked = {"these": [row["address"] for row in rows]}
    persons = dict(session.execute(WHOSE, asked).tuples().all())
    if not persons:
        return
    found = session.execute(TOGETHER, {"persons": sorted(set(persons.values())), "lately": since,
                                       "campaign": rows[0]["campaign"], "letter": rows[0]["letter"]})  # fmt: skip
    had: dict[str, list[Any]] = {}
    for letter in found:
        had.setdefault(letter.person, []).append(letter)
    for row in rows:
        if person := persons.get(row["address"]):
            others = [letter for letter in had.get(person, ()) if letter.address != row["address"]]
            same = (letter.address for letter in others
                    if letter.campaign == row["campaign"] and letter.letter == row["letter"])  # fmt: skip
            row["person"], row["elsewhere"] = person, next(same, None)
            row["person_lately"] += sum(letter.taken_up or letter.accepted_at > since for letter in others)


def _held(session: Session, named: Iterable[str], persons: Iterable[str] = ()) -> dict[str, str | None]:
    """Address → person, of these and of everybody who belongs to these persons; locked in one order for everybody."""
    query = select(col(Address.address), col(Address.person)).where(
        or_(col(Address.address).in_(list(named)), col(Address.person).in_(list(persons)))
    )
    rows = session.execute(query.order_by(col(Address.address)).with_for_update())
    return {row.address: row.person for row in rows}


def _write(session: Session, after: dict[str, str | None], before: dict[str, str | None]) -> int:
    changed = [{"b_address": one, "b_person": person} for one, person in after.items() if before[one] != person]
    if changed:
        session.connection().execute(
            update(ADDRESS).where(ADDRESS.c.address == bindparam("b_address")).values(person=bindparam("b_person")),
            changed,
        )
    return len(changed)


ADDRESS: Table = Address.__table__  # type: ignore[attr-defined]
WHOSE = select(ADDRESS.c.address, ADDRESS.c.person).where(
    among(ADDRESS.c.address, "these"), ADDRESS.c.person.is_not(None)
)
TOGETHER = (
    select(
        ADDRESS.c.person, MESSAGE.c.address, MESSAGE.c.campaign, MESSAGE.c.letter, MESSAGE.c.accepted_at,
        MESSAGE.c.state.in_(TAKEN_UP).label("taken_up"),
    )
    .join(ADDRESS, ADDRESS.c.address == MESSAGE.c.address)
    .where(
        among(ADDRESS.c.person, "persons"),
        MESSAGE.c.campaign != SALES,
        or_(
            MESSAGE.c.accepted_at > bindparam("lately", type_=Moment),
            MESSAGE.c.state.in_(TAKEN_UP),
            (MESSAGE.c.campaign == bindparam("campaign"))
            & (MESSAGE.c.letter == bindparam("letter"))
            & (MESSAGE.c.state == State.ACCEPTED),
        ),
    )
)  # fmt: skip
