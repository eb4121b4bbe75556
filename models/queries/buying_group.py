"""The buying group as it stands: an account's people, what they did, its open deals, and the letters on their way."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, case, func, or_, select
from sqlmodel import Session, col

from models.account import Account
from models.activity import Activity
from models.contact import Contact
from models.message import LEDGER, SALES, Message, plain
from models.opportunity import Opportunity, OpportunityOutcome
from models.score import AccountScore, Score
from models.segment import Segment
from models.types import Moment

MOST_PEOPLE = 200
MOST_DEEDS = 5_000
LOOKED_BACK = timedelta(days=365)


def account(session: Session, account_id: int) -> RowMapping | None:
    """The company with its score. By primary keys."""
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
    return session.execute(query).mappings().first()


def people(session: Session, account_id: int) -> list[dict[str, Any]]:
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
    return [dict(row) for row in rows.mappings()]


def deeds(session: Session, contact_ids: Sequence[int], now: datetime) -> list[dict[str, Any]]:
    """What these people did in the last year, newest first, at most a few thousand. By `activity_contact_at`."""
    query = (
        select(col(Activity.contact_id), col(Activity.kind), col(Activity.at), col(Activity.detail),
               col(Activity.campaign))
        .where(col(Activity.contact_id).in_(contact_ids), col(Activity.at) > now - LOOKED_BACK, col(Activity.at) <= now)
        .order_by(col(Activity.at).desc(), col(Activity.id).desc())
        .limit(MOST_DEEDS)
    )  # fmt: skip
    return plain(session.execute(query))


def deals(session: Session, account_id: int, now: datetime) -> list[dict[str, Any]]:
    """The account's open opportunities, the next date first."""
    soon = func.coalesce(Opportunity.decision_at, Opportunity.tender_due_at, type_=Moment)
    columns = ("name", "stage", "solution", "tender_due_at", "decision_at", "criteria", "amount_cents", "currency",
               "opened_at")  # fmt: skip
    query = (
        select(*(col(getattr(Opportunity, name)) for name in columns))
        .where(
            col(Opportunity.account_id) == account_id,
            col(Opportunity.opened_at) <= now,
            or_(col(Opportunity.outcome) == OpportunityOutcome.OPEN, col(Opportunity.closed_at) > now),
        )
        .order_by(soon.is_(None), soon, col(Opportunity.id))
    )
    return plain(session.execute(query))


def letters(session: Session, contact_ids: Sequence[int]) -> dict[int, dict[str, RowMapping]]:
    """The next letter planned for each contact and the last one taken: {contact: {"next": row, "last": row}}."""
    moment = func.coalesce(Message.accepted_at, Message.not_before, type_=Moment).label("at")
    query = select(
        col(Message.contact_id), col(Message.campaign), col(Message.letter), col(Message.state), col(Message.pieces),
        moment,
    ).where(
        col(Message.contact_id).in_(contact_ids),
        col(Message.campaign) != SALES,
        col(Message.state).in_([state for state, group in LEDGER.items() if group in ("waiting", "accepted")]),
    )  # fmt: skip
    found: dict[int, dict[str, RowMapping]] = {}
    for row in session.execute(query.order_by(moment)).mappings():
        mine = found.setdefault(row["contact_id"], {})
        if LEDGER[row["state"]] == "accepted":
            mine["last"] = row
        else:
            mine.setdefault("next", row)
    return found


def accounts(session: Session, now: datetime, most: int = 100, name: str = "") -> list[RowMapping]:
    """Accounts worth a look: those with an open deal first, then by score. Reads the accounts, which are companies."""
    deals_open = (
        select(col(Opportunity.account_id), func.count().label("deals"),
               func.min(func.coalesce(Opportunity.decision_at, Opportunity.tender_due_at), type_=Moment).label("soon"))
        .where(col(Opportunity.opened_at) <= now,
               or_(col(Opportunity.outcome) == OpportunityOutcome.OPEN, col(Opportunity.closed_at) > now))
        .group_by(col(Opportunity.account_id))
        .subquery()
    )  # fmt: skip
    query = (
        select(col(Account.id), col(Account.name), col(Account.industry), col(Account.owner_name),
               col(AccountScore.score), col(AccountScore.completeness), col(AccountScore.missing_role),
               func.coalesce(deals_open.c.deals, 0).label("deals"), deals_open.c.soon)
        .outerjoin(AccountScore, col(AccountScore.account_id) == Account.id)
        .outerjoin(deals_open, deals_open.c.account_id == Account.id)
        .order_by(case((deals_open.c.deals > 0, 0), else_=1), func.coalesce(AccountScore.score, 0.0).desc(),
                  col(Account.id))
        .limit(most)
    )  # fmt: skip
    if name:
        query = query.where(col(Account.name).icontains(name, autoescape=True))
    return list(session.execute(query).mappings())
