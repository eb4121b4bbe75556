"""The call list: who is warm enough for sales, what stands against it, and what a salesperson must know about them."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlmodel import Session, col

from models.account import Account
from models.address import Address
from models.bulk_upsert import add_new
from models.contact import Contact, Market, Stage, Transition
from models.handoff import Decision, Handoff
from models.message import SALES, Message
from models.score import AccountScore, Score
from models.segment import Segment

AT_ONCE = 5_000  # elements of an IN-list


def candidates(session: Session, threshold: float, now: datetime) -> list[dict[str, Any]]:
    """Business leads who reach the threshold and are not with sales, by their id.

    `ix_score_score` finds them. PostgreSQL holds their rows, so that a second offer waits here and then sees the first.
    """
    rows = session.execute(
        select(
            col(Contact.id).label("contact_id"),
            col(Contact.account_id),
            col(Contact.stage),
            col(Score.score),
            col(Score.grade),
            col(Score.version),
            col(Address.suppressed_why),
            col(Account.owner_email),
            col(Account.owner_name),
            col(AccountScore.score).label("account_score"),
        )
        .join(Score, col(Score.contact_id) == Contact.id)
        .join(Address, col(Address.address) == Contact.address)
        .outerjoin(Account, col(Account.id) == Contact.account_id)
        .outerjoin(AccountScore, col(AccountScore.account_id) == Contact.account_id)
        .where(
            col(Score.score) >= threshold,
            col(Score.scored_at) <= now,
            col(Contact.market) == Market.B2B,
            col(Contact.stage).in_((Stage.LEAD, Stage.MQL, Stage.RECYCLED)),
        )
        .order_by(col(Contact.id))
        .with_for_update(of=Contact)
    )
    return [dict(row) for row in rows.mappings()]


def last_handoffs(session: Session, contact_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Each lead's latest handoff: state, decided_at, decided_why. By the index on contact_id."""
    found: dict[int, dict[str, Any]] = {}
    for some in _chunks(contact_ids):
        rows = session.execute(
            select(col(Handoff.contact_id), col(Handoff.state), col(Handoff.decided_at), col(Handoff.decided_why))
            .where(col(Handoff.contact_id).in_(some))
            .order_by(col(Handoff.id))
        )
        found |= {row["contact_id"]: dict(row) for row in rows.mappings()}
    return found


def accounts_with_sales(session: Session, since: datetime) -> set[int]:
    """Accounts with a lead offered to sales, or accepted after `since`. Reads all handoffs, which are few."""
    rows = session.execute(
        select(col(Handoff.account_id))
        .where(
            col(Handoff.account_id).is_not(None),
            or_(col(Handoff.state) == Decision.OFFERED,
                and_(col(Handoff.state) == Decision.ACCEPTED, col(Handoff.decided_at) > since)),
        )
        .distinct()
    )  # fmt: skip
    return set(rows.scalars())


def accounts_turned_down(session: Session, codes: Collection[str], since: datetime) -> dict[int, str]:
    """Accounts of which sales said, after `since`, a no that is about the company, with its code."""
    rows = session.execute(
        select(col(Handoff.account_id), col(Handoff.decided_why))
        .where(
            col(Handoff.account_id).is_not(None),
            col(Handoff.state) == Decision.REJECTED,
            col(Handoff.decided_at) > since,
        )
        .order_by(col(Handoff.id))
    )
    said = {account_id: (why or "").partition(":")[0] for account_id, why in rows}
    return {account_id: code for account_id, code in said.items() if code in codes}


def open_by_owner(session: Session) -> dict[str, int]:
    """How many leads each salesperson still has to answer."""
    rows = session.execute(
        select(col(Handoff.owner_email), func.count().label("times"))
        .where(col(Handoff.state) == Decision.OFFERED)
        .group_by(col(Handoff.owner_email))
    )
    return {row.owner_email: row.times for row in rows}


def whom_to_call(session: Session, contact_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The lead, the account and the reasons, as sales will see them. Primary keys only."""
    rows = session.execute(
        select(
            col(Contact.id),
            col(Contact.first_name),
            col(Contact.last_name),
            col(Contact.title),
            col(Contact.email),
            col(Contact.phone),
            col(Segment.role),
            col(Score.reasons),
            col(Score.last_activity_at),
            col(Account.name).label("account"),
            col(Account.industry),
            col(Account.employees),
            col(Account.tier),
            func.coalesce(Account.country, Contact.country).label("country"),
            col(AccountScore.score).label("account_score"),
            col(AccountScore.completeness),
            col(AccountScore.missing_role),
            col(AccountScore.missing_why),
            col(AccountScore.reasons).label("account_reasons"),
        )
        .join(Score, col(Score.contact_id) == Contact.id)
        .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
        .outerjoin(Account, col(Account.id) == Contact.account_id)
        .outerjoin(AccountScore, col(AccountScore.account_id) == Contact.account_id)
        .where(col(Contact.id).in_(contact_ids))
    )
    return {row["id"]: dict(row) for row in rows.mappings()}


def members(session: Session, account_ids: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    """The people of each account, the warmest first. By the index on the contacts' account."""
    found: dict[int, list[dict[str, Any]]] = {}
    for some in _chunks(account_ids):
        rows = session.execute(
            select(
                col(Contact.account_id),
                col(Contact.id),
                col(Contact.first_name),
                col(Contact.last_name),
                col(Contact.title),
                col(Segment.role),
                col(Score.score),
                col(Score.grade),
                col(Score.last_activity_at),
            )
            .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
            .outerjoin(Score, col(Score.contact_id) == Contact.id)
            .where(col(Contact.account_id).in_(some))
            .order_by(col(Contact.account_id), func.coalesce(Score.score, 0.0).desc(), col(Contact.id))
        )
        for row in rows.mappings():
            found.setdefault(row["account_id"], []).append(dict(row))
    return found


def offer(session: Session, handoffs: Sequence[dict[str, Any]]) -> int:
    """Write handoffs; the database forbids a second open one of the same lead. Returns how many are new."""
    add_new(session, Address, [{"address": address} for address in sorted({row["owner_email"] for row in handoffs})])
    return add_new(session, Handoff, handoffs)


def untold(session: Session) -> list[dict[str, Any]]:
    """Open handoffs of which no mail has been written to their owner. Reads the open ones, which are few."""
    told = select(col(Message.id)).where(col(Message.campaign) == SALES, col(Message.handoff_id) == Handoff.id)
    rows = session.execute(
        select(col(Handoff.id), col(Handoff.owner_email), col(Handoff.contact_id), col(Handoff.account_id))
        .where(col(Handoff.state) == Decision.OFFERED, ~told.exists())
        .order_by(col(Handoff.id))
    )
    return [dict(row) for row in rows.mappings()]


def unanswered(session: Session, now: datetime) -> list[dict[str, Any]]:
    """Handoffs whose due time is over and nobody has said anything, the oldest first."""
    rows = session.execute(
        select(col(Handoff.id), col(Handoff.owner_email), col(Handoff.contact_id), col(Handoff.account_id),
               col(Handoff.offered_at), col(Handoff.due_at), col(Handoff.score), col(Handoff.grade))
        .where(col(Handoff.state) == Decision.OFFERED, col(Handoff.due_at) < now)
        .order_by(col(Handoff.due_at), col(Handoff.id))
    )  # fmt: skip
    return [dict(row) for row in rows.mappings()]


def recycled(session: Session) -> list[dict[str, Any]]:
    """Leads who rest in stage recycled, since when, and what sales said last. By the index on stage."""
    since = (
        select(col(Transition.contact_id), func.max(col(Transition.at)).label("at"))
        .where(col(Transition.stage_to) == Stage.RECYCLED)
        .group_by(col(Transition.contact_id))
        .subquery()
    )
    began = func.coalesce(since.c.at, Contact.updated_at, type_=since.c.at.type)
    people = session.execute(
        select(col(Contact.id).label("contact_id"), began.label("since"))
        .outerjoin(since, since.c.contact_id == Contact.id)
        .where(col(Contact.stage) == Stage.RECYCLED)
        .order_by(col(Contact.id))
    ).mappings()
    resting = [dict(row) for row in people]
    said = last_handoffs(session, [row["contact_id"] for row in resting])
    return [row | {"decision": said.get(row["contact_id"], {}).get("state")} for row in resting]


def _chunks(ids: Iterable[int]) -> Iterable[list[int]]:
    every = sorted(set(ids))
    return (every[start : start + AT_ONCE] for start in range(0, len(every), AT_ONCE))
