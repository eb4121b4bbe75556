"""The buying group as it stands: an account's people, what they did, its open deals, and the letters on their way."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import case, func, or_, select
from sqlmodel import Session, col

from models.account import Account
from models.activity import Activity
from models.contact import Contact
from models.delivery_states import LEDGER
from models.message import SALES, Message
from models.opportunity import Opportunity, OpportunityOutcome
from models.score import AccountScore, Score
from models.segment import Segment
from models.types import Moment

MOST_PEOPLE = 200
MOST_ACTIVITIES = 5_000
LOOKED_BACK = timedelta(days=365)


class GroupAccount(NamedTuple):
    """The company whose buying group it is. `score` runs 0–100; `missing_why` says what the missing role costs."""

    id: int
    key: str
    name: str
    industry: str | None
    employees: int | None
    country: str | None
    owner_name: str | None
    owner_email: str | None
    stopped_at: datetime | None
    stopped_why: str | None
    score: float | None
    missing_role: str | None
    missing_why: str | None


class GroupMember(NamedTuple):
    """Somebody of the account: role, how sure we are of it (0–1), and score (0–100).

    `title_role` is what the title alone says: a champion by behaviour keeps it.
    """

    id: int
    first_name: str | None
    last_name: str | None
    title: str | None
    email: str
    stage: str
    role: str | None
    title_role: str | None
    role_confidence: float | None
    persona: str | None
    evidence: str | None
    score: float | None
    grade: str | None
    last_activity_at: datetime | None


class GroupActivity(NamedTuple):
    """Something a member did. `detail`: the page, paper or webinar; `campaign`: whose letter led there."""

    contact_id: int
    kind: str
    at: datetime
    detail: str | None
    campaign: str | None


class OpenDeal(NamedTuple):
    """An open opportunity of the account."""

    name: str
    stage: str | None
    solution: str | None
    tender_due_at: datetime | None
    decision_at: datetime | None
    criteria: str | None
    amount_cents: int | None
    currency: str
    opened_at: datetime


class MemberLetter(NamedTuple):
    """A letter to a member: `at` is when it was accepted, or the earliest moment it may leave."""

    campaign: str
    letter: str
    at: datetime


class MemberLetters(NamedTuple):
    """The last letter a member was sent and the next one planned."""

    last: MemberLetter | None = None
    next: MemberLetter | None = None


class ListedAccount(NamedTuple):
    """An account in the list of buying groups. `deals`: open ones; `soon`: the next date of one of them."""

    id: int
    name: str
    industry: str | None
    owner_name: str | None
    score: float | None
    completeness: float | None
    missing_role: str | None
    deals: int
    soon: datetime | None


def account(session: Session, account_id: int) -> GroupAccount | None:
    """The company with its score; None where there is no such account. By primary keys."""
    query = (
        select(
            col(Account.id), col(Account.key), col(Account.name), col(Account.industry), col(Account.employees),
            col(Account.country), col(Account.owner_name), col(Account.owner_email), col(Account.stopped_at),
            col(Account.stopped_why), col(AccountScore.score), col(AccountScore.missing_role),
            col(AccountScore.missing_why),
        )
        .outerjoin(AccountScore, col(AccountScore.account_id) == Account.id)
        .where(col(Account.id) == account_id)
    )  # fmt: skip
    row = session.execute(query).first()
    return GroupAccount._make(row) if row else None


def members(session: Session, account_id: int) -> list[GroupMember]:
    """The business contacts of an account with role, confidence and score, the warmest first."""
    rows = session.execute(
        select(
            col(Contact.id), col(Contact.first_name), col(Contact.last_name), col(Contact.title), col(Contact.email),
            col(Contact.stage), col(Segment.role), col(Segment.title_role), col(Segment.role_confidence),
            col(Segment.persona), col(Segment.evidence), col(Score.score), col(Score.grade),
            col(Score.last_activity_at),
        )
        .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
        .outerjoin(Score, col(Score.contact_id) == Contact.id)
        .where(col(Contact.account_id) == account_id)
        .order_by(func.coalesce(Score.score, 0.0).desc(), col(Contact.id))
        .limit(MOST_PEOPLE)
    )  # fmt: skip
    return [GroupMember._make(row) for row in rows]


def activities(session: Session, contact_ids: Sequence[int], now: datetime) -> list[GroupActivity]:
    """What these people did in the last year, newest first, at most a few thousand. By `activity_contact_at`."""
    rows = session.execute(
        select(col(Activity.contact_id), col(Activity.kind), col(Activity.at), col(Activity.detail),
               col(Activity.campaign))
        .where(col(Activity.contact_id).in_(contact_ids), col(Activity.at) > now - LOOKED_BACK, col(Activity.at) <= now)
        .order_by(col(Activity.at).desc(), col(Activity.id).desc())
        .limit(MOST_ACTIVITIES)
    ).all()  # fmt: skip  # all(): a loop would fetch them one by one
    return [GroupActivity._make(row) for row in rows]


def open_deals(session: Session, account_id: int, now: datetime) -> list[OpenDeal]:
    """The account's open opportunities, the next date first."""
    soon = func.coalesce(Opportunity.decision_at, Opportunity.tender_due_at, type_=Moment)
    rows = session.execute(
        select(
            col(Opportunity.name), col(Opportunity.stage), col(Opportunity.solution), col(Opportunity.tender_due_at),
            col(Opportunity.decision_at), col(Opportunity.criteria), col(Opportunity.amount_cents),
            col(Opportunity.currency), col(Opportunity.opened_at),
        )
        .where(
            col(Opportunity.account_id) == account_id,
            col(Opportunity.opened_at) <= now,
            or_(col(Opportunity.outcome) == OpportunityOutcome.OPEN, col(Opportunity.closed_at) > now),
        )
        .order_by(soon.is_(None), soon, col(Opportunity.id))
    )  # fmt: skip
    return [OpenDeal._make(row) for row in rows]


def letters(session: Session, contact_ids: Iterable[int]) -> dict[int, MemberLetters]:
    """The last letter sent to each contact and the next one planned, by contact id; nobody who has neither."""
    at = func.coalesce(Message.accepted_at, Message.not_before, type_=Moment).label("at")
    query = select(
        col(Message.contact_id), col(Message.state), col(Message.campaign), col(Message.letter), at
    ).where(
        col(Message.contact_id).in_(contact_ids),
        col(Message.campaign) != SALES,
        col(Message.state).in_([state for state, group in LEDGER.items() if group in ("waiting", "accepted")]),
    )  # fmt: skip
    found: dict[int, MemberLetters] = {}
    for contact_id, state, campaign, letter, when in session.execute(query.order_by(at)):
        one, so_far = MemberLetter(campaign, letter, when), found.get(contact_id, MemberLetters())
        if LEDGER[state] == "accepted":
            found[contact_id] = so_far._replace(last=one)
        elif so_far.next is None:
            found[contact_id] = so_far._replace(next=one)
    return found


def accounts(session: Session, now: datetime, most: int = 100, name: str = "") -> list[ListedAccount]:
    """Accounts worth a look: those with an open deal first, then by score. Reads the accounts, which are companies.

    `name`: only those whose name contains it.
    """
    soon = func.min(func.coalesce(Opportunity.decision_at, Opportunity.tender_due_at), type_=Moment).label("soon")
    deals_open = (
        select(col(Opportunity.account_id), func.count().label("deals"), soon)
        .where(col(Opportunity.opened_at) <= now,
               or_(col(Opportunity.outcome) == OpportunityOutcome.OPEN, col(Opportunity.closed_at) > now))
        .group_by(col(Opportunity.account_id))
        .subquery()
    )  # fmt: skip
    query = (
        select(col(Account.id), col(Account.name), col(Account.industry), col(Account.owner_name),
               col(AccountScore.score), col(AccountScore.completeness), col(AccountScore.missing_role),
               func.coalesce(deals_open.c.deals, 0), deals_open.c.soon)
        .outerjoin(AccountScore, col(AccountScore.account_id) == Account.id)
        .outerjoin(deals_open, deals_open.c.account_id == Account.id)
        .order_by(case((deals_open.c.deals > 0, 0), else_=1), func.coalesce(AccountScore.score, 0.0).desc(),
                  col(Account.id))
        .limit(most)
    )  # fmt: skip
    if name:
        query = query.where(col(Account.name).icontains(name, autoescape=True))
    return [ListedAccount._make(row) for row in session.execute(query)]
