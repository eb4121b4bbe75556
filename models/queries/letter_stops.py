"""Stop: what ends letters that still wait. A suppressed address, an account that answered, a lead who left early.

Stops are heard late, twice and out of order, so their effect is worked out from all that is known, never from what was
heard last: the earliest stop is the one that counts.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, or_, select, update
from sqlmodel import Session, col

from models.account import Account
from models.address import LIFTED, Address, SuppressedBy, Suppression
from models.bulk_upsert import add_new
from models.contact import Contact
from models.enrolment import Enrolment, EnrolmentState
from models.message import SALES, Message, State

ACCOUNT_STOPPED = "account_stopped"  # these are Reasons of nurture.rules.reasons; a test holds the two together
SKIPS = {
    SuppressedBy.UNSUBSCRIBE: "unsubscribed",
    SuppressedBy.COMPLAINT: "complained",
    SuppressedBy.BOUNCE: "bounced",
    SuppressedBy.PERSON: "stopped_by_person",
}
AT_A_TIME = 1_000
A_MOMENT = timedelta(microseconds=1)


class Stop(NamedTuple):
    """One line of the suppression record."""

    address: str
    at: datetime
    why: str
    heard_from: str
    campaign: str | None = None


def suppress(session: Session, stops: Iterable[Stop]) -> int:
    """Write no more to these addresses, from this commit on; their waiting messages are skipped with the reason.

    Every stop is recorded once. Returns how many addresses were free before.
    """
    by_address: dict[str, set[Stop]] = defaultdict(set)
    for stop in stops:
        by_address[stop.address].add(stop)
    return sum(_suppress(session, {a: by_address[a] for a in some}) for some in _chunks(sorted(by_address)))


class Reader(NamedTuple):
    """Whom a letter was written to, as far as its unsubscribe link needs to know."""

    address: str
    campaign: str
    locale: str | None


def reader(session: Session, message_id: int) -> Reader | None:
    row = session.execute(
        select(col(Message.address), col(Message.campaign), col(Contact.locale))
        .outerjoin(Contact, col(Contact.id) == Message.contact_id)
        .where(col(Message.id) == message_id)
    ).first()
    return Reader(*row) if row else None


def suppress_once(session: Session, stop: Stop) -> bool:
    """The same for a click on our own page: the second click finds it done and adds no line to the record.

    Whoever leaves after coming back has left, also where the clock stood still or went back meanwhile.
    """
    _hold(session, [stop.address])
    record = [Stop(*row) for row in session.execute(_record([stop.address]))]
    after = [earlier.at + A_MOMENT for earlier in record if earlier.why == LIFTED]
    stop = stop._replace(at=max([stop.at, *after]))
    said = active(record)
    return stop.why not in {s.why for s in said} and bool(suppress(session, [stop]))


def lift(session: Session, address: str, heard_from: str, now: datetime) -> bool:
    """They took their unsubscribe back; a bounce, a complaint or our own word stays. Returns whether mail may go."""
    held = _hold(session, [address])
    if held.get(address) is not None:
        stop = Stop(address, now, LIFTED, heard_from)
        session.execute(Suppression.__table__.insert(), [stop._asdict()])  # type: ignore[attr-defined]
        _settle(session, [address], held)
    return session.execute(select(col(Address.suppressed_at)).where(col(Address.address) == address)).first() == (None,)


def stop_accounts(session: Session, stops: Mapping[int, tuple[datetime, str]]) -> int:
    """Leave everybody at these accounts alone since a moment, for a reason. Returns how many were running before."""
    query = select(col(Account.id), col(Account.stopped_at)).where(col(Account.id).in_(stops)).order_by(col(Account.id))
    held = {row.id: row.stopped_at for row in session.execute(query.with_for_update())}
    earlier = sorted(i for i, at in held.items() if at is None or stops[i][0] < at)
    if not earlier:
        return 0
    session.connection().execute(
        update(Account.__table__)  # type: ignore[attr-defined]
        .where(Account.__table__.c.id == bindparam("b_id"))  # type: ignore[attr-defined]
        .values(stopped_at=bindparam("b_at"), stopped_why=bindparam("b_why")),
        [{"b_id": i, "b_at": stops[i][0], "b_why": stops[i][1]} for i in earlier],
    )
    for account_id in earlier:
        _leave(session, col(Enrolment.account_id) == account_id, stops[account_id][0])
    _skip(session, col(Message.account_id).in_(earlier))
    return sum(held[i] is None for i in earlier)


def stop_contacts(session: Session, stops: Mapping[int, datetime]) -> None:
    """The same for leads without an account: only they themselves leave their campaigns."""
    for contact_id, at in sorted(stops.items()):
        _leave(session, col(Enrolment.contact_id) == contact_id, at)
    if stops:
        _skip(session, col(Message.contact_id).in_(sorted(stops)))


def _suppress(session: Session, stops: Mapping[str, set[Stop]]) -> int:
    add_new(session, Address, [{"address": address} for address in stops])
    held = _hold(session, list(stops))
    known = {Stop(*row) for row in session.execute(_record(list(stops)))}
    new = sorted(stop for said in stops.values() for stop in said - known)
    if not new:
        return 0
    session.execute(Suppression.__table__.insert(), [stop._asdict() for stop in new])  # type: ignore[attr-defined]
    _settle(session, sorted({stop.address for stop in new}), held)
    return sum(held[address] is None for address in {stop.address for stop in new})


def _hold(session: Session, addresses: Sequence[str]) -> dict[str, datetime | None]:
    """Lock the rows that arming looks at, in one order for everybody. Address → suppressed since."""
    query = select(col(Address.address), col(Address.suppressed_at)).where(col(Address.address).in_(addresses))
    rows = session.execute(query.order_by(col(Address.address)).with_for_update())
    return {row.address: row.suppressed_at for row in rows}


def _record(addresses: Sequence[str]) -> Any:
    columns = (Suppression.address, Suppression.at, Suppression.why, Suppression.heard_from, Suppression.campaign)
    return select(*map(col, columns)).where(col(Suppression.address).in_(addresses))


def _settle(session: Session, addresses: Sequence[str], held: Mapping[str, datetime | None]) -> None:
    """Work out from the whole record what stands for each address, write it down, and skip what waits."""
    record: dict[str, list[Stop]] = defaultdict(list)
    for row in session.execute(_record(addresses)):
        record[row.address].append(Stop(*row))
    now_stands = {address: next(iter(active(record[address])), None) for address in addresses}
    session.connection().execute(
        update(Address.__table__)  # type: ignore[attr-defined]
        .where(Address.__table__.c.address == bindparam("b_address"))  # type: ignore[attr-defined]
        .values(suppressed_at=bindparam("b_at"), suppressed_why=bindparam("b_why")),
        [{"b_address": a, "b_at": s and s.at, "b_why": s and s.why} for a, s in now_stands.items()],
    )
    _skip(session, col(Message.address).in_([a for a, s in now_stands.items() if s]))


def active(record: Iterable[Stop]) -> list[Stop]:
    """The stops nobody has taken back, earliest first. Only an unsubscribe can be taken back."""
    stands: list[Stop] = []
    for stop in sorted(record, key=lambda s: (s.at, s.why == LIFTED, s.why)):
        if stop.why == LIFTED:
            stands = [s for s in stands if s.why != SuppressedBy.UNSUBSCRIBE]
        else:
            stands.append(stop)
    return stands


def _leave(session: Session, whose: ColumnElement[bool], at: datetime) -> None:
    """Enrolments end early. One that ended later for the same reason ended at `at` already: we only hear of it now."""
    later = and_(col(Enrolment.why) == ACCOUNT_STOPPED, col(Enrolment.ended_at) > at)
    session.execute(
        update(Enrolment)
        .where(whose, or_(col(Enrolment.state) == EnrolmentState.ACTIVE, later))
        .values(state=EnrolmentState.EXITED, why=ACCOUNT_STOPPED, ended_at=at)
        .execution_options(synchronize_session=False)
    )


def _skip(session: Session, whose: ColumnElement[bool]) -> None:
    """Waiting messages are skipped. One skipped by a later stop gets the earlier one's reason, if it still waited then.

    Found by message_address, or by the index on account or contact: a lead has a few dozen messages. One that
    a sender is claiming this moment is passed over: the claim holds it and waits for our address, and looks at it then.
    """
    gone = and_(
        col(Enrolment.campaign) == Message.campaign,
        col(Enrolment.address) == Message.address,
        col(Enrolment.why) == ACCOUNT_STOPPED,
    )
    reasons = (*SKIPS.values(), ACCOUNT_STOPPED)
    rows = session.execute(
        select(
            col(Message.id), col(Message.state), col(Message.reason), col(Message.not_after), col(Message.campaign),
            col(Address.suppressed_at), col(Address.suppressed_why), col(Account.stopped_at), col(Enrolment.ended_at),
        )
        .join(Address, col(Address.address) == Message.address)
        .outerjoin(Account, col(Account.id) == Message.account_id)
        .outerjoin(Enrolment, gone)
        .where(whose, or_(col(Message.state) == State.WAITING,
                          and_(col(Message.state) == State.SKIPPED, col(Message.reason).in_(reasons))))
        .order_by(col(Message.id))
        .with_for_update(of=Message, skip_locked=True)
    )  # fmt: skip
    skipped: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        reason = _first_reason(row)
        if reason and (row.state, row.reason) != (State.SKIPPED, reason):
            skipped[reason].append(row.id)
    for reason, ids in sorted(skipped.items()):
        for some in _chunks(ids):
            session.execute(
                update(Message)
                .where(col(Message.id).in_(some))
                .values(state=State.SKIPPED, reason=reason, detail=None)
                .execution_options(synchronize_session=False)
            )


def _first_reason(row: Any) -> str | None:
    stops = []
    if row.suppressed_at:
        stops.append((row.suppressed_at, SKIPS[row.suppressed_why]))
    if row.campaign != SALES:  # a mail to sales about the account is what an answer calls for
        stops += [(at, ACCOUNT_STOPPED) for at in (row.stopped_at, row.ended_at) if at]
    in_time = [stop for stop in stops if row.state == State.WAITING or stop[0] <= row.not_after]
    return min(in_time)[1] if in_time else None


def _chunks(items: Collection[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while some := list(islice(rest, AT_A_TIME)):
        yield some
