"""Story: everything the record knows of one account in a span of time, as plain rows for the timeline."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlmodel import Session, SQLModel, col

from models.account import Account
from models.activity import Activity
from models.address import Suppression
from models.campaign import Campaign
from models.confirmation import Confirmation
from models.contact import Contact
from models.enrolment import Enrolment
from models.handoff import Handoff
from models.message import SALES, Message, State
from models.opportunity import Opportunity
from models.score import AccountScore, Score
from models.segment import Segment

Rows = list[dict[str, Any]]


def account(session: Session, account_id: int) -> dict[str, Any]:
    """The account with its score."""
    a, s = _columns(Account), _columns(AccountScore)
    row = session.execute(
        select(a.id, a.key, a.name, a.industry, a.employees, a.country, a.owner_name, a.owner_email, a.stopped_at,
               a.stopped_why, s.score, s.completeness, s.missing_role)
        .outerjoin(AccountScore, s.account_id == a.id)
        .where(a.id == account_id)
    )  # fmt: skip
    return dict(row.mappings().one())


def find(session: Session, words: str) -> Rows:
    """Accounts by key, else by domain or name, else by a part of the name: id, key, name."""
    a = _columns(Account)
    for which in (a.key == words, or_(a.domain == words.lower(), a.name == words),
                  a.name.icontains(words, autoescape=True)):  # fmt: skip
        found = session.execute(select(a.id, a.key, a.name).where(which).order_by(a.name).limit(6)).mappings().all()
        if found:
            return [dict(row) for row in found]
    return []


def people(session: Session, account_id: int) -> Rows:
    """The buying group as it is now."""
    c, g, s = _columns(Contact), _columns(Segment), _columns(Score)
    rows = session.execute(
        select(c.id, c.address, c.first_name, c.last_name, c.title, c.stage, g.role, g.evidence, s.score, s.grade)
        .outerjoin(Segment, g.contact_id == c.id)
        .outerjoin(Score, s.contact_id == c.id)
        .where(c.account_id == account_id)
        .order_by(s.score.desc(), c.id)
    )
    return [dict(row) for row in rows.mappings()]


def letters(session: Session, account_id: int, since: datetime, until: datetime) -> Rows:
    """Letters sent, and letters decided against, by the index on the message's account."""
    m = _columns(Message)
    rows = session.execute(
        select(m.contact_id, m.campaign, m.letter, m.state, m.reason, m.detail, m.planned_at, m.accepted_at)
        .where(m.account_id == account_id, m.campaign != SALES, m.planned_at <= until,
               or_(m.accepted_at > since, m.planned_at > since),
               m.state.in_((State.ACCEPTED, State.SKIPPED, State.REFUSED, State.UNKNOWN)))
        .order_by(m.id)
    )  # fmt: skip
    return [dict(row) for row in rows.mappings()]


def planned(session: Session, account_id: int) -> Rows:
    """Letters that wait to leave, the next one first."""
    m = _columns(Message)
    return _all(session, select(m.contact_id, m.campaign, m.letter, m.reason, m.detail, m.not_before)
                .where(m.account_id == account_id, m.campaign != SALES, m.state == State.WAITING)
                .order_by(m.not_before, m.id))  # fmt: skip


def deeds(session: Session, contact_ids: Sequence[int], since: datetime, until: datetime) -> Rows:
    """What people did. By `activity_contact_at`."""
    a = _columns(Activity)
    rows = session.execute(
        select(a.contact_id, a.kind, a.at, a.detail)
        .where(a.contact_id.in_(contact_ids), a.at > since, a.at <= until)
        .order_by(a.at, a.id)
    )
    return [dict(row) for row in rows.mappings()]


def runs(session: Session, account_id: int) -> Rows:
    """Enrolments of the account's people."""
    e = _columns(Enrolment)
    return _all(session, select(e.campaign, e.contact_id, e.state, e.why, e.entered_at, e.ended_at, e.run)
                .where(e.account_id == account_id).order_by(e.id))  # fmt: skip


def handoffs(session: Session, account_id: int) -> Rows:
    h = _columns(Handoff)
    return _all(session, select(h.contact_id, h.owner_email, h.state, h.score, h.grade, h.reasons, h.offered_at,
                                h.due_at, h.decided_at, h.decided_why)
                .where(h.account_id == account_id).order_by(h.id))  # fmt: skip


def deals(session: Session, account_id: int) -> Rows:
    o = _columns(Opportunity)
    return _all(session, select(o.name, o.outcome, o.amount_cents, o.currency, o.opened_at, o.closed_at)
                .where(o.account_id == account_id).order_by(o.opened_at))  # fmt: skip


def goodbyes(session: Session, addresses: Sequence[str], since: datetime, until: datetime) -> Rows:
    s = _columns(Suppression)
    return _all(session, select(s.address, s.at, s.why)
                .where(s.address.in_(addresses), s.at > since, s.at <= until).order_by(s.id))  # fmt: skip


def corrections(session: Session, contact_ids: Sequence[int], since: datetime, until: datetime) -> Rows:
    c = _columns(Confirmation)
    return _all(session, select(c.contact_id, c.at, c.by, c.field, c.was, c.said)
                .where(c.contact_id.in_(contact_ids), c.at > since, c.at <= until).order_by(c.id))  # fmt: skip


def campaign_names(session: Session) -> dict[str, str]:
    return dict(session.execute(select(col(Campaign.slug), col(Campaign.name))).tuples().all())


def _all(session: Session, question: Any) -> Rows:
    return [dict(row) for row in session.execute(question).mappings()]


def _columns(table: type[SQLModel]) -> Any:
    return table.__table__.c  # type: ignore[attr-defined]
