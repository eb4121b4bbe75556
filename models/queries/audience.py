"""The audience: one documented view, a row per contact with its account, score, segment and what it did lately.

`audience` and `when` in campaign.toml are predicates over exactly these columns; docs/audience.md lists them.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Subquery, Table, case, func, literal, or_, select
from sqlalchemy.orm import Mapped
from sqlmodel import SQLModel, col

from models.account import Account
from models.activity import Activity
from models.address import Address
from models.contact import Contact
from models.opportunity import Opportunity, OpportunityOutcome, OpportunityStage
from models.score import AccountScore, Score
from models.segment import Segment
from models.types import Moment, days_between

LATELY = timedelta(days=30)


def _count(kind: str, *more: str) -> ColumnElement[int]:
    return func.sum(case((col(Activity.kind).in_((kind, *more)), 1), else_=0))


def _lately(by: Mapped[int] | Mapped[int | None], now: datetime) -> Subquery:
    """What each contact (or account) did in the last 30 days. The planner walks `activity_at` over that month only."""
    return (
        select(
            by.label("whose"),
            _count("email_open").label("opens"),
            _count("email_click").label("clicks"),
            _count("page_view", "pricing_view").label("visits"),
            _count("pricing_view").label("pricing_visits"),
            _count("reply").label("replies"),
            _count("meeting").label("meetings"),
            _count("download", "webinar", "form").label("downloads"),
        )
        .where(col(Activity.at) > now - LATELY, col(Activity.at) <= now, by.is_not(None))
        .group_by(by)
        .subquery()
    )


def _leading(now: datetime) -> Subquery:
    """Of each account's open opportunities the furthest; of two alike the one decided sooner. Reads the open ones."""
    at = {phase: place for place, phase in enumerate(OpportunityStage)}
    far = case(*((col(Opportunity.stage) == phase, place) for phase, place in at.items()), else_=-1)
    soon = func.coalesce(Opportunity.decision_at, Opportunity.tender_due_at)
    place = func.row_number().over(
        partition_by=col(Opportunity.account_id),
        order_by=(far.desc(), soon.is_(None), soon, col(Opportunity.id)),
    )
    return (
        select(
            col(Opportunity.account_id),
            col(Opportunity.stage),
            col(Opportunity.solution),
            col(Opportunity.criteria),
            days_between(literal(now, Moment), col(Opportunity.decision_at)).label("days_to_decision"),
            days_between(literal(now, Moment), col(Opportunity.tender_due_at)).label("tender_due_days"),
            place.label("place"),
        )
        .where(
            col(Opportunity.opened_at) <= now,
            or_(col(Opportunity.outcome) == OpportunityOutcome.OPEN, col(Opportunity.closed_at) > now),
        )
        .subquery()
    )


def audience(now: datetime, only: Collection[str] = ()) -> Select[Any]:
    """The view as it stands at `now`. Give it to `.subquery("audience")` and ask away.

    `only`: these columns, and the contact's id, from no more tables than they need; none named: all.
    """
    mine, theirs = _lately(col(Activity.contact_id), now), _lately(col(Activity.account_id), now)
    deals = (
        select(
            col(Opportunity.account_id),
            func.sum(case((col(Opportunity.outcome) == OpportunityOutcome.OPEN, 1), else_=0)).label("open"),
            func.sum(case((col(Opportunity.outcome) == OpportunityOutcome.WON, 1), else_=0)).label("won"),
        )
        .where(col(Opportunity.opened_at) <= now)
        .group_by(col(Opportunity.account_id))
        .subquery()
    )
    leading = _leading(now)
    zero = func.coalesce
    question: Select[Any] = select(
        # who
        col(Contact.id).label("contact_id"),
        col(Contact.key).label("contact_key"),
        col(Contact.market),
        col(Contact.address),
        col(Contact.first_name),
        col(Contact.last_name),
        col(Contact.title),
        col(Contact.locale),
        func.coalesce(Contact.country, Account.country).label("country"),
        col(Contact.time_zone),
        col(Contact.stage),
        col(Contact.consent),
        col(Address.suppressed_at),
        col(Address.suppressed_why),
        col(Contact.traits),
        # what kind of person
        col(Segment.role),
        col(Segment.title_role),
        zero(Segment.role_confidence, 0.0).label("role_confidence"),
        col(Segment.persona),
        col(Segment.department),
        col(Segment.seniority),
        col(Segment.shopper),
        col(Segment.recency_days),
        zero(Segment.frequency, 0).label("frequency"),
        (zero(Segment.monetary_cents, 0) / 100.0).label("monetary"),
        # how warm
        zero(Score.score, 0.0).label("score"),
        zero(Score.fit, 0.0).label("fit"),
        zero(Score.engagement, 0.0).label("engagement"),
        zero(Score.grade, "D4").label("full_grade"),
        func.substr(zero(Score.grade, "D4"), 1, 1).label("grade"),
        func.substr(zero(Score.grade, "D4"), 2, 1).label("engagement_grade"),
        days_between(Score.last_activity_at, literal(now, Moment)).label("days_since_activity"),
        days_between(Contact.created_at, literal(now, Moment)).label("days_known"),
        zero(mine.c.opens, 0).label("opens_30d"),
        zero(mine.c.clicks, 0).label("clicks_30d"),
        zero(mine.c.visits, 0).label("visits_30d"),
        zero(mine.c.pricing_visits, 0).label("pricing_visits_30d"),
        zero(mine.c.replies, 0).label("replies_30d"),
        zero(mine.c.downloads, 0).label("downloads_30d"),
        # the company
        col(Account.id).label("account_id"),
        col(Account.key).label("account_key"),
        col(Account.name).label("account_name"),
        col(Account.industry),
        col(Account.employees),
        col(Account.tier),
        col(Account.channel),
        col(Account.owner_email),
        col(Account.owner_name),
        col(Account.stopped_at).label("account_stopped_at"),
        col(Account.stopped_why).label("account_stopped_why"),
        zero(AccountScore.score, 0.0).label("account_score"),
        zero(AccountScore.completeness, 0.0).label("completeness"),
        col(AccountScore.missing_role),
        zero(theirs.c.opens, 0).label("account_opens_30d"),
        zero(theirs.c.clicks, 0).label("account_clicks_30d"),
        zero(theirs.c.visits, 0).label("account_visits_30d"),
        zero(theirs.c.pricing_visits, 0).label("account_pricing_visits_30d"),
        zero(theirs.c.replies, 0).label("account_replies_30d"),
        zero(theirs.c.meetings, 0).label("account_meetings_30d"),
        zero(theirs.c.downloads, 0).label("account_downloads_30d"),
        zero(deals.c.open, 0).label("open_opportunities"),
        zero(deals.c.won, 0).label("won_opportunities"),
        leading.c.stage.label("opportunity_stage"),
        leading.c.solution.label("opportunity_solution"),
        leading.c.days_to_decision,
        leading.c.tender_due_days,
        leading.c.criteria.label("scoring_criteria"),
        col(Account.volume),
        col(Account.group_volume),
        col(Account.growth),
        col(Account.traits).label("account_traits"),
    )
    if only:
        wanted = {"contact_id", *only}
        question = question.with_only_columns(*(one for one in question.selected_columns if one.name in wanted))
    needed = set(question.get_final_froms()) if only else None
    question = question.select_from(Contact).join(Address, col(Address.address) == Contact.address)
    joined: list[tuple[FromClause, ColumnElement[bool]]] = [
        (_table(Account), col(Account.id) == Contact.account_id),
        (_table(Segment), col(Segment.contact_id) == Contact.id),
        (_table(Score), col(Score.contact_id) == Contact.id),
        (_table(AccountScore), col(AccountScore.account_id) == Contact.account_id),
        (mine, mine.c.whose == Contact.id),
        (theirs, theirs.c.whose == Contact.account_id),
        (deals, deals.c.account_id == Contact.account_id),
        (leading, (leading.c.account_id == Contact.account_id) & (leading.c.place == 1)),
    ]
    for source, on in joined:
        if needed is None or source in needed:
            question = question.outerjoin(source, on)
    return question


def _table(of: type[SQLModel]) -> Table:
    table: Table = of.__table__  # type: ignore[attr-defined]
    return table


EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # any moment: the columns are the same at each
COLUMNS = tuple(column.name for column in audience(EPOCH).selected_columns)
