"""Account stop: an account that answered (or a lead without one) gets no further letters of its campaigns."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, or_, select, update
from sqlmodel import Session, col

from models.account import Account
from models.enrolment import Enrolment, EnrolmentState
from models.message import Message
from models.queries.letter_stops import ACCOUNT_STOPPED, skip_stopped_letters


class AccountStop(NamedTuple):
    """Since when an account gets no further letters, and why: a value of `Account.stopped_why`."""

    at: datetime
    why: str


def stop_accounts(session: Session, stops: Mapping[int, AccountStop]) -> int:
    """Write to nobody at these accounts (id → stop) any more; the earliest stop of an account stands.

    Enrolments end and waiting letters are skipped. Returns how many accounts were not stopped before.
    """
    query = select(col(Account.id), col(Account.stopped_at)).where(col(Account.id).in_(stops)).order_by(col(Account.id))
    since = {row.id: row.stopped_at for row in session.execute(query.with_for_update())}
    earlier = sorted(i for i, at in since.items() if at is None or stops[i].at < at)
    if not earlier:
        return 0
    table = Account.__table__  # type: ignore[attr-defined]
    session.connection().execute(
        update(table)
        .where(table.c.id == bindparam("b_id"))
        .values(stopped_at=bindparam("b_at"), stopped_why=bindparam("b_why")),
        [{"b_id": i, "b_at": stops[i].at, "b_why": stops[i].why} for i in earlier],
    )
    for account_id in earlier:
        _end_enrolments(session, col(Enrolment.account_id) == account_id, stops[account_id].at)
    skip_stopped_letters(session, col(Message.account_id).in_(earlier))
    return sum(since[i] is None for i in earlier)


def stop_contacts(session: Session, stops: Mapping[int, datetime]) -> None:
    """The same for leads without an account (contact id → since when): only they themselves leave their campaigns."""
    for contact_id, at in sorted(stops.items()):
        _end_enrolments(session, col(Enrolment.contact_id) == contact_id, at)
    if stops:
        skip_stopped_letters(session, col(Message.contact_id).in_(sorted(stops)))


def _end_enrolments(session: Session, whose: ColumnElement[bool], at: datetime) -> None:
    """Enrolments end early. One that ended later for the same reason ended at `at` already: we only hear of it now."""
    later = and_(col(Enrolment.why) == ACCOUNT_STOPPED, col(Enrolment.ended_at) > at)
    session.execute(
        update(Enrolment)
        .where(whose, or_(col(Enrolment.state) == EnrolmentState.ACTIVE, later))
        .values(state=EnrolmentState.EXITED, why=ACCOUNT_STOPPED, ended_at=at)
        .execution_options(synchronize_session=False)
    )
