"""Pause: an account that its owner asks us to leave alone for a while, or a person who is away. Ends by itself."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, UniqueConstraint, bindparam, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel, col

from models.activity import Activity
from models.bulk_upsert import add_new
from models.contact import Contact
from models.message import SALES, Message, State
from models.types import Id, Moment

AWAY = "out_of_office"  # the kind of activity that an automatic reply is kept as; its detail is what the reply says
AUTOMATIC = "automatic reply"  # whose word it is then
HELD = ("account_paused", "away")  # the reasons (nurture.rules.reasons) of messages that wait for a pause to end


class Pause(SQLModel, table=True):
    """Append-only. Of an account, or of a person (`address`), the row that was written last counts.

    One whose `until` is not after its `at` ends the pause before it.
    """

    __table_args__ = (UniqueConstraint("address", "at"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    account_id: int | None = Field(default=None, foreign_key="account.id", index=True, sa_type=Id)
    address: str | None = Field(default=None, foreign_key="address.address")
    at: datetime = Field(sa_type=Moment)
    until: datetime = Field(index=True, sa_type=Moment)
    why: str
    by: str  # a person, or AUTOMATIC


class Rest(NamedTuple):
    """A pause as it stands: until when, why, whose word."""

    until: datetime
    why: str
    by: str


class PauseRecord(NamedTuple):
    """A pause that an account (`address` is None) or a person had."""

    address: str | None
    at: datetime
    until: datetime
    why: str
    by: str


class Rests(NamedTuple):
    """Who rests now, or did until lately: by account and by address."""

    accounts: Mapping[int, Rest]
    people: Mapping[str, Rest]

    def of(self, account_id: int | None, address: str) -> Rest | None:
        """The one that lasts longer."""
        found = [rest for rest in (self.accounts.get(account_id or 0), self.people.get(address)) if rest]
        return max(found) if found else None


def rests(session: Session, now: datetime, lately: timedelta = timedelta(0)) -> Rests:
    """The pauses in force at `now`, and those that ended within `lately`. By the index on `until`: a handful of rows.

    Every row of whoever has one is read, for an earlier end is a later row.
    """
    p = Pause.__table__.c  # type: ignore[attr-defined]
    running = select(p.account_id, p.address).where(p.until > now - lately, p.at <= now).subquery()
    rows = session.execute(
        select(p.account_id, p.address, p.at, p.until, p.why, p.by)
        .where(p.at <= now, or_(p.account_id.in_(select(running.c.account_id).where(running.c.account_id.is_not(None))),
                                p.address.in_(select(running.c.address).where(running.c.address.is_not(None)))))
        .order_by(p.id)
    ).all()  # fmt: skip
    accounts: dict[int, Rest] = {}
    people: dict[str, Rest] = {}
    for row in rows:
        rest = Rest(max(row.until, row.at), row.why, row.by)
        if row.account_id is not None:
            accounts[row.account_id] = rest
        else:
            people[row.address] = rest
    return Rests(accounts, people)


def pause(session: Session, account_id: int, until: datetime, why: str, by: str, now: datetime) -> int:
    """Leave an account alone until a moment. Returns how many letters that waited now wait for it.

    They expire as much later as they leave later: a pause loses nothing.
    """
    row = {"account_id": account_id, "address": None, "at": now, "until": until, "why": why, "by": by}
    session.execute(Pause.__table__.insert(), [row])  # type: ignore[attr-defined]
    return _hold(session, col(Message.account_id) == account_id, until, HELD[0], f"paused by {by}: {why}")


def resume(session: Session, account_id: int, by: str, now: datetime) -> bool:
    """Go on before the pause is over. False: nothing was paused."""
    if rests(session, now).accounts.get(account_id, Rest(now, "", "")).until <= now:
        return False
    row = {"account_id": account_id, "address": None, "at": now, "until": now, "why": "resumed", "by": by}
    session.execute(Pause.__table__.insert(), [row])  # type: ignore[attr-defined]
    session.execute(
        update(Message)
        .where(col(Message.account_id) == account_id, col(Message.state) == State.WAITING,
               col(Message.reason) == HELD[0])
        .values(not_before=now, reason=None, detail=None)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    return True


def auto_replies(session: Session, since: datetime, now: datetime) -> list[dict[str, Any]]:
    """Automatic replies nobody has noted yet: address, at, detail, country, time_zone. Walks `activity_at`."""
    noted = select(col(Pause.id)).where(col(Pause.address) == Contact.address, col(Pause.at) == Activity.at)
    rows = session.execute(
        select(col(Contact.address), col(Activity.at), col(Activity.detail), col(Contact.country),
               col(Contact.time_zone))
        .join(Contact, col(Contact.id) == Activity.contact_id)
        .where(col(Activity.at) > since, col(Activity.at) <= now, col(Activity.kind) == AWAY, ~noted.exists())
        .order_by(col(Activity.at))
    )  # fmt: skip
    return [dict(row) for row in rows.mappings()]


def note_absences(session: Session, absences: Sequence[Mapping[str, Any]], now: datetime) -> int:
    """People are away. Rows: address, at, until, why, by. What waits for them waits until they are back."""
    new = add_new(session, Pause, [{"account_id": None, **row} for row in absences])
    for row in absences:
        if row["until"] > now:
            _hold(session, col(Message.address) == row["address"], row["until"], HELD[1], row["why"])
    return new


def touch(session: Session, attempt_ids: Sequence[str], now: datetime) -> bool:
    """Does a pause in force concern a message of these attempts? Without any, one look at the index on `until`."""
    resting = rests(session, now)
    accounts = [key for key, rest in resting.accounts.items() if rest.until > now]
    people = [key for key, rest in resting.people.items() if rest.until > now]
    if not accounts and not people:
        return False
    whose = or_(col(Message.account_id).in_(accounts), col(Message.address).in_(people))
    question = select(col(Message.id)).where(col(Message.attempt_id).in_(attempt_ids), whose).limit(1)
    return session.execute(question).first() is not None


def prolong(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Letters that a pause holds back live longer by it. Rows: id, not_after."""
    if rows:
        table = Message.__table__  # type: ignore[attr-defined]
        session.connection().execute(
            update(table).where(table.c.id == bindparam("b_id")).values(not_after=bindparam("b_not_after")),
            [{f"b_{key}": value for key, value in row.items()} for row in rows],
        )


def pause_history(session: Session, account_id: int, addresses: Collection[str]) -> list[PauseRecord]:
    """Every pause an account or one of its people had, oldest first."""
    p = Pause.__table__.c  # type: ignore[attr-defined]
    question = select(p.address, p.at, p.until, p.why, p.by).order_by(p.id)
    whose = or_(p.account_id == account_id, p.address.in_(addresses))
    return [PauseRecord._make(row) for row in session.execute(question.where(whose))]


def _hold(session: Session, whose: ColumnElement[bool], until: datetime, reason: str, detail: str) -> int:
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
