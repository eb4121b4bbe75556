"""Account pause: an account that its owner wants left alone for a while, or a person who is away. Ends by itself."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, UniqueConstraint, bindparam, or_, select, true, update
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel, col

from models.activity import Activity
from models.bulk_upsert import add_new
from models.contact import Contact
from models.delivery_states import State
from models.message import SALES, Message
from models.types import Id, Moment

AWAY = "out_of_office"  # the kind of activity that an automatic reply is kept as; its detail is what the reply says
AUTOMATIC = "automatic reply"  # whose word it is then
WAIT_REASONS = (
    "account_paused",
    "away",
)  # of nurture.rules.reasons: messages that wait for a pause to end


class AccountPause(SQLModel, table=True):
    """Append-only. Of an account, or of a person (`address`), the row that was written last counts.

    One whose `until` is not after its `at` ends the pause before it.
    """

    __tablename__ = "account_pause"
    __table_args__ = (UniqueConstraint("address", "at"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    account_id: int | None = Field(default=None, foreign_key="account.id", index=True, sa_type=Id)
    address: str | None = Field(default=None, foreign_key="address.address")
    at: datetime = Field(sa_type=Moment)
    until: datetime = Field(index=True, sa_type=Moment)
    why: str
    by: str  # a person, or AUTOMATIC


class ActivePause(NamedTuple):
    """A pause as it stands: until when, why, whose word."""

    until: datetime
    why: str
    by: str


class AutoReply(NamedTuple):
    """An automatic reply that nobody has noted yet. `detail`: what it says."""

    address: str
    at: datetime
    detail: str | None
    country: str | None
    time_zone: str | None


class NotedAbsence(NamedTuple):
    """A person is away until a moment, by an automatic reply received at another."""

    address: str
    at: datetime
    until: datetime
    why: str
    by: str


class LaterExpiry(NamedTuple):
    """A letter that expires later, since a pause keeps it."""

    message_id: int
    not_after: datetime


class PauseRecord(NamedTuple):
    """A pause that an account (`address` is None) or a person had."""

    address: str | None
    at: datetime
    until: datetime
    why: str
    by: str


class _NewPause(NamedTuple):
    account_id: int | None
    address: str | None
    at: datetime
    until: datetime
    why: str
    by: str


class ActivePauses(NamedTuple):
    """The pauses in force, and those that ended lately: by account and by address."""

    accounts: Mapping[int, ActivePause]
    people: Mapping[str, ActivePause]

    def of(self, account_id: int | None, address: str) -> ActivePause | None:
        """The one that lasts longer."""
        accounts, persons = self.accounts.get(account_id or 0), self.people.get(address)
        return max(accounts, persons) if accounts and persons else accounts or persons


def active_pauses(session: Session, now: datetime, lately: timedelta = timedelta(0)) -> ActivePauses:
    """The pauses in force at `now`, and those that ended within `lately`. By the index on `until`: a handful of rows.

    Every row of whoever has one is read, for an earlier end is a later row.
    """
    p = AccountPause.__table__.c  # type: ignore[attr-defined]
    running = select(p.account_id, p.address).where(p.until > now - lately, p.at <= now).subquery()
    rows = session.execute(
        select(p.account_id, p.address, p.at, p.until, p.why, p.by)
        .where(p.at <= now, or_(p.account_id.in_(select(running.c.account_id).where(running.c.account_id.is_not(None))),
                                p.address.in_(select(running.c.address).where(running.c.address.is_not(None)))))
        .order_by(p.id)
    ).all()  # fmt: skip
    accounts: dict[int, ActivePause] = {}
    people: dict[str, ActivePause] = {}
    for row in rows:
        pause = ActivePause(max(row.until, row.at), row.why, row.by)
        if row.account_id is not None:
            accounts[row.account_id] = pause
        else:
            people[row.address] = pause
    return ActivePauses(accounts, people)


def pause_account(session: Session, account_id: int, until: datetime, why: str, by: str, now: datetime) -> int:
    """Leave an account alone until a moment. Returns how many letters that waited now wait for it.

    They expire as much later as they leave later: a pause loses nothing.
    """
    add_new(session, AccountPause, [_NewPause(account_id, None, now, until, why, by)])
    return _keep_waiting(
        session, col(Message.account_id) == account_id, until, WAIT_REASONS[0], f"paused by {by}: {why}"
    )


def resume_account(session: Session, account_id: int, by: str, now: datetime) -> bool:
    """Go on before the pause is over. False: nothing was paused."""
    if active_pauses(session, now).accounts.get(account_id, ActivePause(now, "", "")).until <= now:
        return False
    add_new(session, AccountPause, [_NewPause(account_id, None, now, now, "resumed", by)])
    session.execute(
        update(Message)
        .where(col(Message.account_id) == account_id, col(Message.state) == State.WAITING,
               col(Message.reason) == WAIT_REASONS[0])
        .values(not_before=now, reason=None, detail=None)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    return True


def unnoted_auto_replies(
    session: Session, since: datetime, now: datetime, contact_id: int | None = None
) -> list[AutoReply]:
    """Automatic replies nobody has noted yet, oldest first; of one contact, or of everybody. Walks `activity_at`."""
    whose = true() if contact_id is None else col(Activity.contact_id) == contact_id
    noted = select(col(AccountPause.id)).where(
        col(AccountPause.address) == Contact.address, col(AccountPause.at) == Activity.at
    )
    rows = session.execute(
        select(col(Contact.address), col(Activity.at), col(Activity.detail), col(Contact.country),
               col(Contact.time_zone))
        .join(Contact, col(Contact.id) == Activity.contact_id)
        .where(col(Activity.at) > since, col(Activity.at) <= now, col(Activity.kind) == AWAY, whose, ~noted.exists())
        .order_by(col(Activity.at))
    )  # fmt: skip
    return [AutoReply._make(row) for row in rows]


def note_absences(session: Session, absences: Sequence[NotedAbsence], now: datetime) -> int:
    """People are away: what waits for them waits until they are back. Returns how many absences are new."""
    new = add_new(session, AccountPause, [_NewPause(None, *absence) for absence in absences])
    for one in absences:
        if one.until > now:
            _keep_waiting(session, col(Message.address) == one.address, one.until, WAIT_REASONS[1], one.why)
    return new


def any_paused(session: Session, attempt_ids: Sequence[str], now: datetime) -> bool:
    """Does a pause in force concern a message of these requests? Without any, one look at the index on `until`."""
    pauses = active_pauses(session, now)
    accounts = [key for key, pause in pauses.accounts.items() if pause.until > now]
    people = [key for key, pause in pauses.people.items() if pause.until > now]
    if not accounts and not people:
        return False
    whose = or_(col(Message.account_id).in_(accounts), col(Message.address).in_(people))
    question = select(col(Message.id)).where(col(Message.attempt_id).in_(attempt_ids), whose).limit(1)
    return session.execute(question).first() is not None


def extend_expiry(session: Session, rows: Sequence[LaterExpiry]) -> None:
    """Letters that a pause keeps waiting live longer by it."""
    if rows:
        table = Message.__table__  # type: ignore[attr-defined]
        session.connection().execute(
            update(table).where(table.c.id == bindparam("b_id")).values(not_after=bindparam("b_not_after")),
            [{"b_id": row.message_id, "b_not_after": row.not_after} for row in rows],
        )


def pause_history(session: Session, account_id: int, addresses: Collection[str]) -> list[PauseRecord]:
    """Every pause an account or one of its people had, oldest first."""
    p = AccountPause.__table__.c  # type: ignore[attr-defined]
    question = select(p.address, p.at, p.until, p.why, p.by).order_by(p.id)
    whose = or_(p.account_id == account_id, p.address.in_(addresses))
    return [PauseRecord._make(row) for row in session.execute(question.where(whose))]


def _keep_waiting(session: Session, whose: ColumnElement[bool], until: datetime, reason: str, detail: str) -> int:
    """Letters that wait and would leave before `until` wait for it, and live as long after it as they would have."""
    rows = session.execute(
        select(col(Message.id), col(Message.not_before), col(Message.not_after))
        .where(whose, col(Message.state) == State.WAITING, col(Message.campaign) != SALES,
               col(Message.not_before) < until)
        .with_for_update(skip_locked=True)
    ).all()  # fmt: skip
    for row in rows:
        session.execute(
            update(Message)
            .where(col(Message.id) == row.id, col(Message.state) == State.WAITING)
            .values(not_before=until, not_after=until + (row.not_after - row.not_before), reason=reason, detail=detail)
            .execution_options(synchronize_session=False)
        )
    return len(rows)
