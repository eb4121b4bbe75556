"""Person: several addresses that somebody has confirmed to be one reader's. Pressure is counted per person.

A row of `address` has one `person`: the first of the person's addresses by name, for all of them; NULL where nobody
has said anything. An unsubscribe, a bounce and a complaint stay with the address they came from.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Table, bindparam, or_, select, update
from sqlmodel import Session, col

from models.address import Address
from models.bulk_insert import bulk_insert_names
from models.bulk_upsert import among
from models.delivery_states import TAKEN_UP, State
from models.message import SALES
from models.message import TABLE as MESSAGE
from models.queries.outbox import DueLetter
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


class PersonLetters(NamedTuple):
    """What somebody had at their other addresses, seen from one of them."""

    person: str  # the address that stands for all of theirs
    had_at: str | None  # the other address at which they had this very letter
    letters: int  # at their other addresses: taken up, or accepted since the moment asked for


class _Had(NamedTuple):
    """A letter at one of a person's addresses."""

    person: str
    address: str
    campaign: str
    letter: str
    accepted_at: datetime | None
    taken_up: bool


def letters_elsewhere(
    session: Session, addresses: Iterable[str], letter: DueLetter, since: datetime
) -> Mapping[str, PersonLetters]:
    """Letters at a person's other addresses count too: address → what its owner had there, where somebody has confirmed
    that they have others. `letter`: the one that is about to be claimed.

    By the primary key of the addresses, `ix_address_person` and `message_address_accepted`.
    """
    persons = dict(session.execute(WHOSE, {"these": list(addresses)}).tuples().all())
    if not persons:
        return {}
    found = session.execute(TOGETHER, {"persons": sorted(set(persons.values())), "lately": since,
                                       "campaign": letter.campaign, "letter": letter.letter})  # fmt: skip
    had: dict[str, list[_Had]] = {}
    for one in map(_Had._make, found):
        had.setdefault(one.person, []).append(one)
    result = {}
    for address, person in persons.items():
        others = [one for one in had.get(person, ()) if one.address != address]
        same = (one.address for one in others if (one.campaign, one.letter) == (letter.campaign, letter.letter))
        lately = sum(one.taken_up or (one.accepted_at is not None and one.accepted_at > since) for one in others)
        result[address] = PersonLetters(person, next(same, None), lately)
    return result


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
