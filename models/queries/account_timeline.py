"""Account timeline: everything the record knows of one account in a span of time, row by row."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlmodel import Session, col

from models.account import Account
from models.activity import Activity, ContactActivity
from models.address import Suppression
from models.campaign import PublishedCampaign
from models.confirmation import Confirmation
from models.contact import Contact
from models.delivery_states import State
from models.enrolment import Enrolment
from models.handoff import Handoff
from models.message import SALES, Message
from models.opportunity import Opportunity
from models.score import AccountScore, Score, StoredReason
from models.segment import Segment

MOST_FOUND = 6


class FoundAccount(NamedTuple):
    """An account that somebody's words may mean."""

    id: int
    key: str
    name: str


class TimelineAccount(NamedTuple):
    """The account with its score (0–100) and the share of needed roles that are known (0–1)."""

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
    completeness: float | None
    missing_role: str | None


class TimelinePerson(NamedTuple):
    """Somebody of the account, as they are today."""

    id: int
    address: str
    first_name: str | None
    last_name: str | None
    title: str | None
    stage: str
    role: str | None
    evidence: str | None
    score: float | None
    grade: str | None


class TimelineLetter(NamedTuple):
    """A letter that was sent, or decided against for a reason."""

    contact_id: int
    campaign: str
    letter: str
    state: str
    reason: str | None
    detail: str | None
    planned_at: datetime
    accepted_at: datetime | None


class PlannedLetter(NamedTuple):
    """A letter that waits to leave, from `not_before` on."""

    contact_id: int
    campaign: str
    letter: str
    reason: str | None
    detail: str | None
    not_before: datetime


class TimelineEnrolment(NamedTuple):
    """A contact's run through a campaign. `run`: 1 for the first time."""

    campaign: str
    contact_id: int
    why: str | None
    entered_at: datetime
    ended_at: datetime | None
    run: int


class TimelineHandoff(NamedTuple):
    """A lead offered to sales, and what they said."""

    contact_id: int
    owner_email: str
    state: str
    score: float
    grade: str
    reasons: list[StoredReason]
    offered_at: datetime
    due_at: datetime
    decided_at: datetime | None
    decided_why: str | None


class TimelineDeal(NamedTuple):
    """An opportunity of the account."""

    name: str
    outcome: str
    amount_cents: int | None
    currency: str
    opened_at: datetime
    closed_at: datetime | None


class TimelineSuppression(NamedTuple):
    """A line of the suppression record. `why`: a SuppressedBy, or LIFTED."""

    address: str
    at: datetime
    why: str


class TimelineConfirmation(NamedTuple):
    """What a person said of a contact, and what we had believed."""

    contact_id: int
    at: datetime
    by: str
    field: str
    was: str | None
    said: str


def account(session: Session, account_id: int) -> TimelineAccount:
    """The account with its score. Raises NoResultFound where there is none."""
    row = session.execute(
        select(
            col(Account.id), col(Account.key), col(Account.name), col(Account.industry), col(Account.employees),
            col(Account.country), col(Account.owner_name), col(Account.owner_email), col(Account.stopped_at),
            col(Account.stopped_why), col(AccountScore.score), col(AccountScore.completeness),
            col(AccountScore.missing_role),
        )
        .outerjoin(AccountScore, col(AccountScore.account_id) == Account.id)
        .where(col(Account.id) == account_id)
    ).one()  # fmt: skip
    return TimelineAccount._make(row)


def find_accounts(session: Session, words: str) -> list[FoundAccount]:
    """Accounts by key, else by domain or name, else by a part of the name: at most a handful."""
    wholly = or_(col(Account.domain) == words.lower(), col(Account.name) == words)
    for which in (col(Account.key) == words, wholly, col(Account.name).icontains(words, autoescape=True)):
        query = select(col(Account.id), col(Account.key), col(Account.name)).where(which)
        found = session.execute(query.order_by(col(Account.name)).limit(MOST_FOUND)).all()
        if found:
            return [FoundAccount._make(row) for row in found]
    return []


def people(session: Session, account_id: int) -> list[TimelinePerson]:
    """The buying group as it is now."""
    rows = session.execute(
        select(
            col(Contact.id), col(Contact.address), col(Contact.first_name), col(Contact.last_name), col(Contact.title),
            col(Contact.stage), col(Segment.role), col(Segment.evidence), col(Score.score), col(Score.grade),
        )
        .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
        .outerjoin(Score, col(Score.contact_id) == Contact.id)
        .where(col(Contact.account_id) == account_id)
        .order_by(col(Score.score).desc(), col(Contact.id))
    )  # fmt: skip
    return [TimelinePerson._make(row) for row in rows]


def letters(session: Session, account_id: int, since: datetime, until: datetime) -> list[TimelineLetter]:
    """Letters sent, and letters decided against, by the index on the message's account."""
    rows = session.execute(
        select(
            col(Message.contact_id), col(Message.campaign), col(Message.letter), col(Message.state),
            col(Message.reason), col(Message.detail), col(Message.planned_at), col(Message.accepted_at),
        )
        .where(
            col(Message.account_id) == account_id,
            col(Message.campaign) != SALES,
            col(Message.planned_at) <= until,
            or_(col(Message.accepted_at) > since, col(Message.planned_at) > since),
            col(Message.state).in_((State.ACCEPTED, State.SKIPPED, State.REFUSED, State.UNKNOWN)),
        )
        .order_by(col(Message.id))
    )  # fmt: skip
    return [TimelineLetter._make(row) for row in rows]


def planned_letters(session: Session, account_id: int) -> list[PlannedLetter]:
    """Letters that wait to leave, the next one first."""
    rows = session.execute(
        select(
            col(Message.contact_id), col(Message.campaign), col(Message.letter), col(Message.reason),
            col(Message.detail), col(Message.not_before),
        )
        .where(
            col(Message.account_id) == account_id,
            col(Message.campaign) != SALES,
            col(Message.state) == State.WAITING,
        )
        .order_by(col(Message.not_before), col(Message.id))
    )  # fmt: skip
    return [PlannedLetter._make(row) for row in rows]


def activities(session: Session, contact_ids: Sequence[int], since: datetime, until: datetime) -> list[ContactActivity]:
    """What people did. By `activity_contact_at`."""
    rows = session.execute(
        select(col(Activity.contact_id), col(Activity.kind), col(Activity.at), col(Activity.detail))
        .where(col(Activity.contact_id).in_(contact_ids), col(Activity.at) > since, col(Activity.at) <= until)
        .order_by(col(Activity.at), col(Activity.id))
    )
    return [ContactActivity._make(row) for row in rows]


def enrolments(session: Session, account_id: int) -> list[TimelineEnrolment]:
    """Enrolments of the account's people, in the order they were written."""
    rows = session.execute(
        select(
            col(Enrolment.campaign), col(Enrolment.contact_id), col(Enrolment.why), col(Enrolment.entered_at),
            col(Enrolment.ended_at), col(Enrolment.run),
        )
        .where(col(Enrolment.account_id) == account_id)
        .order_by(col(Enrolment.id))
    )  # fmt: skip
    return [TimelineEnrolment._make(row) for row in rows]


def handoffs(session: Session, account_id: int) -> list[TimelineHandoff]:
    """Every lead of the account that was offered to sales, in the order they were offered."""
    rows = session.execute(
        select(
            col(Handoff.contact_id), col(Handoff.owner_email), col(Handoff.state), col(Handoff.score),
            col(Handoff.grade), col(Handoff.reasons), col(Handoff.offered_at), col(Handoff.due_at),
            col(Handoff.decided_at), col(Handoff.decided_why),
        )
        .where(col(Handoff.account_id) == account_id)
        .order_by(col(Handoff.id))
    )  # fmt: skip
    return [TimelineHandoff._make(row) for row in rows]


def deals(session: Session, account_id: int) -> list[TimelineDeal]:
    """The account's opportunities, the oldest first."""
    rows = session.execute(
        select(
            col(Opportunity.name), col(Opportunity.outcome), col(Opportunity.amount_cents), col(Opportunity.currency),
            col(Opportunity.opened_at), col(Opportunity.closed_at),
        )
        .where(col(Opportunity.account_id) == account_id)
        .order_by(col(Opportunity.opened_at))
    )  # fmt: skip
    return [TimelineDeal._make(row) for row in rows]


def suppressions(
    session: Session, addresses: Sequence[str], since: datetime, until: datetime
) -> list[TimelineSuppression]:
    """Who of these addresses said stop, and who took it back, in the order it was written."""
    rows = session.execute(
        select(col(Suppression.address), col(Suppression.at), col(Suppression.why))
        .where(col(Suppression.address).in_(addresses), col(Suppression.at) > since, col(Suppression.at) <= until)
        .order_by(col(Suppression.id))
    )
    return [TimelineSuppression._make(row) for row in rows]


def confirmations(
    session: Session, contact_ids: Sequence[int], since: datetime, until: datetime
) -> list[TimelineConfirmation]:
    """What people said of these contacts, in the order it was written."""
    rows = session.execute(
        select(
            col(Confirmation.contact_id), col(Confirmation.at), col(Confirmation.by), col(Confirmation.field),
            col(Confirmation.was), col(Confirmation.said),
        )
        .where(
            col(Confirmation.contact_id).in_(contact_ids), col(Confirmation.at) > since, col(Confirmation.at) <= until
        )
        .order_by(col(Confirmation.id))
    )  # fmt: skip
    return [TimelineConfirmation._make(row) for row in rows]


def campaign_names(session: Session) -> dict[str, str]:
    """Slug → name of every campaign."""
    return dict(session.execute(select(col(PublishedCampaign.slug), col(PublishedCampaign.name))).tuples().all())
