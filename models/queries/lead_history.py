"""Lead history: one person, their enrolment in one campaign and its letters to them, as they stood at a moment."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session, col

from models.account import Account
from models.address import Address
from models.contact import Contact
from models.delivery_states import State
from models.enrolment import TABLE as ENROLMENT
from models.enrolment import EnrolmentState
from models.message import TABLE as MESSAGE
from models.score import Score


class KnownContact(NamedTuple):
    """A contact record, as far as a sentence about the person needs it."""

    id: int
    address: str
    market: str
    first_name: str | None
    last_name: str | None
    country: str | None
    time_zone: str | None


class EnrolmentAt(NamedTuple):
    """An enrolment as it stood at a moment."""

    id: int
    version_id: int
    state: str
    why: str | None
    entered_at: datetime
    ended_at: datetime | None


class LetterAt(NamedTuple):
    """A letter as far as it had come at a moment."""

    letter: str
    step: int
    state: str
    reason: str | None
    detail: str | None
    planned_at: datetime
    not_before: datetime
    accepted_at: datetime | None
    outcome: str | None


def contacts_at(session: Session, address: str) -> list[KnownContact]:
    """The contact records with a (normalised) address: one for each market the person is known in."""
    columns = (Contact.id, Contact.address, Contact.market, Contact.first_name, Contact.last_name, Contact.country,
               Contact.time_zone)  # fmt: skip
    rows = session.execute(select(*map(col, columns)).where(col(Contact.address) == address).order_by(col(Contact.id)))
    return list(map(KnownContact._make, rows))


def enrolment_at(session: Session, slug: str, address: str, now: datetime) -> EnrolmentAt | None:
    """The person's enrolment in a campaign as it stood at `now`; None: they had not entered."""
    e = ENROLMENT.c
    columns = (e.id, e.version_id, e.state, e.why, e.entered_at, e.ended_at)
    row = session.execute(select(*columns).where(e.campaign == slug, e.address == address)).first()
    if row is None or row.entered_at > now:
        return None
    found = EnrolmentAt._make(row)
    if found.ended_at and found.ended_at > now:
        return found._replace(state=EnrolmentState.ACTIVE.value, why=None, ended_at=None)
    return found


def letters_at(session: Session, slug: str, address: str, now: datetime) -> list[LetterAt]:
    """The campaign's letters to somebody, as far as they were planned by `now`, in the order they left."""
    m = MESSAGE.c
    rows = session.execute(
        select(m.letter, m.step, m.state, m.reason, m.detail, m.planned_at, m.not_before, m.accepted_at, m.outcome,
               m.outcome_at)
        .where(m.campaign == slug, m.address == address, m.planned_at <= now)
        .order_by(func.coalesce(m.accepted_at, m.planned_at), m.step)
    )  # fmt: skip
    found = []
    for *row, outcome_at in rows:
        letter = LetterAt(*row)
        if letter.accepted_at and letter.accepted_at > now:
            letter = letter._replace(state=State.WAITING, accepted_at=None, reason=None, detail=None)
        found.append(letter._replace(outcome=None) if (outcome_at or now) > now else letter)
    return found


def stopped_since(session: Session, address: str, account_id: int | None) -> tuple[datetime | None, datetime | None]:
    """Since when an address is suppressed, and an account stopped; None where it is not."""
    row = session.execute(
        select(col(Address.suppressed_at), col(Account.stopped_at))
        .select_from(Address)
        .outerjoin(Account, col(Account.id) == account_id)
        .where(col(Address.address) == address)
    ).one()
    return row[0], row[1]


def scored_at(session: Session, contact_id: int) -> datetime | None:
    """When the contact was last scored."""
    return session.execute(select(col(Score.scored_at)).where(col(Score.contact_id) == contact_id)).scalar()
