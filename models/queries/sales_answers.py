"""Sales' answers: whom they have said no to, person or company, and what that stops in the same transaction."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Table, or_, select, update
from sqlmodel import Session, col

from models import handoff
from models.delivery_states import State, Trigger, change_state
from models.enrolment import Enrolment, EnrolmentState
from models.handoff import Decision, Handoff
from models.message import SALES
from models.message import TABLE as MESSAGE

REJECTED_BY_SALES = "rejected_by_sales"  # a Reason of nurture.rules.reasons; a test holds the two together


class SalesNo(NamedTuple):
    """Sales said no: when, the code of their reason, and whether it is one to the whole company."""

    at: datetime
    code: str
    of_company: bool = False


@dataclass(frozen=True, slots=True)
class SalesNos:
    """Every no that stands: by contact, and those to a company by account."""

    people: dict[int, SalesNo] = field(default_factory=dict)
    companies: dict[int, SalesNo] = field(default_factory=dict)

    def of(self, contact_id: int, account_id: int | None) -> SalesNo | None:
        """The no to somebody, else the one to their company."""
        return self.people.get(contact_id) or self.companies.get(account_id or 0)


def sales_nos(session: Session, of_company: Collection[str], now: datetime) -> SalesNos:
    """What sales have said no to by `now` and not taken up again since. Reads all rejections, which are few.

    `of_company`: the codes of reasons that are about the company.
    """
    later = Handoff.__table__.alias("later")  # type: ignore[attr-defined]
    again = select(later.c.id).where(
        later.c.contact_id == Handoff.contact_id, later.c.id > Handoff.id, later.c.offered_at <= now
    )
    rows = session.execute(
        select(col(Handoff.contact_id), col(Handoff.account_id), col(Handoff.decided_at), col(Handoff.decided_why))
        .where(col(Handoff.state) == Decision.REJECTED, col(Handoff.decided_at) <= now, ~again.exists())
        .order_by(col(Handoff.id))
    )
    found = SalesNos()
    for contact_id, account_id, at, why in rows:
        code = (why or "").partition(":")[0]
        found.people[contact_id] = SalesNo(at, code)
        if account_id is not None and code in of_company:
            found.companies[account_id] = SalesNo(at, code, of_company=True)
    return found


def answer(
    session: Session, handoff_id: int, decision: str, why: str | None, now: datetime, of_company: Collection[str]
) -> bool:
    """Write down what the salesperson said, and stop the letters that contradict it.

    After a no the lead's enrolments end and what waits for them is skipped; after one to the company those of all its
    people. False when somebody had answered before.
    """
    if not handoff.decide(session, handoff_id, decision, why, now):
        return False
    if decision == Decision.REJECTED:
        row = session.execute(
            select(col(Handoff.contact_id), col(Handoff.account_id)).where(col(Handoff.id) == handoff_id)
        ).one()
        whole = row.account_id if (why or "").partition(":")[0] in of_company else None
        _stop_letters(session, row.contact_id, whole, now)
    return True


def _stop_letters(session: Session, contact_id: int, account_id: int | None, now: datetime) -> None:
    mine: Table = Enrolment.__table__  # type: ignore[attr-defined]
    session.execute(
        update(mine)
        .where(or_(mine.c.contact_id == contact_id, mine.c.account_id == account_id),
               mine.c.state == EnrolmentState.ACTIVE)
        .values(state=EnrolmentState.EXITED, why=REJECTED_BY_SALES, ended_at=now)
    )  # fmt: skip
    theirs = or_(MESSAGE.c.contact_id == contact_id, MESSAGE.c.account_id == account_id)
    session.execute(
        change_state(MESSAGE, Trigger.FORBID, State.WAITING)
        .where(theirs, MESSAGE.c.campaign != SALES)
        .values(reason=REJECTED_BY_SALES, detail=None)
    )
