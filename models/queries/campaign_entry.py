"""Campaign entry: who of the audience enters a campaign, who may begin again, and who would. One statement each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, literal, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from models.account import Account
from models.address import Address
from models.bulk_upsert import insert_into
from models.contact import Contact
from models.enrolment import TABLE, Enrolment, EnrolmentState
from models.queries.active_enrolments import Candidate
from models.queries.audience import audience
from models.segment import Segment
from models.types import Moment

T = TABLE.c


@dataclass(frozen=True, slots=True)
class CampaignEntry:
    """Who may enter a campaign, and the version they begin with."""

    slug: str
    version_id: int
    market: str
    who: ColumnElement[bool]  # over the audience view: nurture.config.audience_predicate.condition
    roles: tuple[str, ...] = ()  # that some step is meant for; none named: everybody


class Newcomer(NamedTuple):
    """Somebody who would enter a campaign."""

    address: str
    first_name: str | None
    last_name: str | None
    role: str | None
    account_name: str | None


class Entrant(NamedTuple):
    """A contact who would enter a campaign, and where they work."""

    account_id: int | None
    contact_id: int


def enrol(session: Session, entry: CampaignEntry, now: datetime) -> int:
    """Everybody of the audience who is not in this campaign yet enters it, in one statement. Returns how many."""
    view = audience(now).subquery("audience")
    those = select(
        literal(entry.slug),
        literal(entry.version_id),
        view.c.contact_id,
        view.c.account_id,
        view.c.address,
        literal(EnrolmentState.ACTIVE.value),
        literal(now, Moment),
        literal(1),
    ).where(*_qualifies(view, entry))
    names = ["campaign", "version_id", "contact_id", "account_id", "address", "state", "entered_at", "run"]
    done = session.execute(insert_into(session, Enrolment).from_select(names, those).on_conflict_do_nothing())
    return max(int(done.rowcount), 0)  # type: ignore[attr-defined]


def _qualifies(view: Subquery, entry: CampaignEntry) -> list[ColumnElement[bool]]:
    conditions = [entry.who, view.c.market == entry.market]
    if entry.roles:
        conditions.append(or_(view.c.role.in_(entry.roles), view.c.title_role.in_(entry.roles)))
    return conditions


def may_return(
    slug: str, version_id: int, ended_before: datetime | None, on_version: bool
) -> ColumnElement[bool] | None:
    """Whose run has ended and who may begin again: those who left long enough ago, or with an older version."""
    allowed = []
    if ended_before is not None:
        allowed.append(T.ended_at <= ended_before)
    if on_version:
        allowed.append(T.version_id != version_id)
    return and_(T.campaign == slug, T.state != EnrolmentState.ACTIVE, or_(*allowed)) if allowed else None


def enrol_again(session: Session, entry: CampaignEntry, whose: ColumnElement[bool], now: datetime) -> int:
    """Of those who may return (`may_return`), everybody whom the audience wants begins a new run, with this version."""
    view = audience(now).subquery("audience")
    wanted = select(view.c.address).where(*_qualifies(view, entry))
    done = session.execute(
        update(TABLE)
        .where(whose, T.address.in_(wanted))
        .values(state=EnrolmentState.ACTIVE, version_id=entry.version_id, entered_at=now, ended_at=None, why=None,
                run=T.run + 1)
    )  # fmt: skip
    return max(int(done.rowcount), 0)  # type: ignore[attr-defined]


def newcomers(
    session: Session, entry: CampaignEntry, again: ColumnElement[bool] | None, now: datetime, most: int
) -> tuple[int, list[Newcomer]]:
    """Who would enter now, or begin again: how many, and the first of them by address. Writes nothing."""
    view = audience(now).subquery("audience")
    those = _would_enter(view, entry, again)
    found = session.execute(select(func.count()).select_from(view).where(*those)).scalar_one()
    first = select(view.c.address, view.c.first_name, view.c.last_name, view.c.role, view.c.account_name)
    rows = session.execute(first.where(*those).order_by(view.c.address).limit(most))
    return found, list(map(Newcomer._make, rows))


def _would_enter(view: Subquery, entry: CampaignEntry, again: ColumnElement[bool] | None) -> list[ColumnElement[bool]]:
    new: ColumnElement[bool] = view.c.address.not_in(select(T.address).where(T.campaign == entry.slug))
    if again is not None:
        new = or_(new, view.c.address.in_(select(T.address).where(again)))
    return [*_qualifies(view, entry), new]


def entering(entry: CampaignEntry, again: ColumnElement[bool] | None, now: datetime) -> Select[tuple[int]]:
    """The contacts who would enter now, or begin again, as a subquery."""
    view = audience(now).subquery("audience")
    return select(view.c.contact_id).where(*_would_enter(view, entry, again))


def entrants(session: Session, whom: Select[tuple[int]]) -> list[Entrant]:
    """These contacts in the order in which a run decides about them: account by account, then those without one."""
    contact, account = col(Contact.id), col(Contact.account_id)
    rows = session.execute(
        select(account, contact).where(contact.in_(whom)).order_by(account.is_(None), account, contact)
    )
    return list(map(Entrant._make, rows))


def entering_candidates(session: Session, contact_ids: Sequence[int], now: datetime) -> list[Candidate]:
    """Contacts as planning would see them if they had entered now; with 0 for the enrolment that is not there yet."""
    rows = session.execute(
        select(
            literal(0), col(Contact.id), col(Contact.address), col(Contact.account_id), literal(now, Moment),
            col(Segment.role), col(Segment.title_role), col(Contact.stage), col(Contact.consent),
            col(Address.suppressed_why), col(Account.stopped_why), func.coalesce(Contact.country, Account.country),
            col(Contact.time_zone),
        )
        .join(Address, col(Address.address) == Contact.address)
        .outerjoin(Segment, col(Segment.contact_id) == Contact.id)
        .outerjoin(Account, col(Account.id) == Contact.account_id)
        .where(col(Contact.id).in_(contact_ids))
        .order_by(col(Contact.account_id).is_(None), col(Contact.account_id), col(Contact.id))
    )  # fmt: skip
    return list(map(Candidate._make, rows))
