"""Handoff: warm leads go to their salesperson with reasons and a due time; what sales send back returns later."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session

from models import activity, learned_parameter, message, opportunity
from models.contact import Stage, StageMove, move_stages
from models.delivery_states import State
from models.handoff import Decision
from models.learned_parameter import LearnedInForce, LearnedSubject
from models.queries import call_list
from models.queries.call_list import NewHandoff, WarmLead
from nurture.config import sales
from nurture.rules.handoff import qualification
from nurture.rules.handoff.briefing import briefing, strongest_reasons
from nurture.rules.handoff.qualification import AccountSituation, HandoffTerms, NoCall, NoCallReason, SalesCall
from nurture.runtime import database
from nurture.runtime.settings import settings
from tasks.task import task

MAIL_EXPIRES_AFTER = timedelta(days=7)  # a mail to sales that could not leave for so long says nothing new any more


@dataclass(frozen=True)
class Offered:
    """What became of the warm leads: how many were offered to sales, and how many were not and why."""

    warm: int  # reached the threshold
    offered: int
    cooling_down: int  # rejected or "not now" lately
    with_sales: int  # they or a colleague of theirs
    customers: int  # or with an open opportunity
    suppressed: int
    owner_busy: int


@dataclass(frozen=True)
class Overdue:
    """Handoffs that nobody has answered in time."""

    late: int  # the due time is over
    very_late: int  # … by as much working time again: somebody should ask


@dataclass(frozen=True)
class Recycled:
    """Leads in stage recycled, and those of them who go back to nurture."""

    recycled: int
    returned: int  # back among the leads that campaigns may write to


def terms() -> HandoffTerms:
    """What the settings say was agreed on."""
    ours = settings()
    return HandoffTerms(
        threshold=ours.mql_score, mqa=ours.mql_score, sla=ours.sla, zone=ours.sales_zone, country=ours.sales_country,
        per_owner=ours.handoffs_per_owner, default_owner=ours.default_owner,
    )  # fmt: skip


def threshold_in_force(session: Session, now: datetime) -> LearnedInForce | None:
    """The threshold last set for sales' week; None where there is no sales.toml."""
    return (
        learned_parameter.newest(session, LearnedSubject.THRESHOLD, now) if sales.is_there(settings().rules) else None
    )


def _agreed(session: Session, now: datetime) -> HandoffTerms:
    """What the settings say, with the threshold that sales have time for."""
    week = threshold_in_force(session, now)
    return replace(terms(), threshold=week.body["threshold"]) if week else terms()


@task(run_name="offer leads to sales")
def offer(engine: Engine, now: datetime, agreed: HandoffTerms | None = None) -> Offered:
    """Offer every lead worth a call to its owner, once: a handoff, a mail in the outbox, the stage mql."""
    with database.writing(engine) as session:
        agreed = agreed or _agreed(session, now)
        warm = call_list.candidates(session, agreed.threshold, now)
        by_id = {lead.contact_id: lead for lead in warm}
        calls, against = worth_a_call(session, warm, agreed, now)
        chosen, left = qualification.share_out_calls(calls, call_list.open_by_owner(session), agreed)
        offered = call_list.add_handoffs(session, _handoffs(session, chosen, by_id, agreed, now))
        _mail_owners(session, now)
        moves = [
            StageMove(call.contact_id, stage, Stage.MQL, call.why)
            for call in chosen
            if (stage := by_id[call.contact_id].stage) != Stage.MQL
        ]
        move_stages(session, moves, now)
    why = Counter(no.reason for no in (*against, *left.values()))
    return Offered(
        warm=len(warm),
        offered=offered,
        cooling_down=why[NoCallReason.REJECTED] + why[NoCallReason.RECYCLED] + why[NoCallReason.COMPANY_REJECTED],
        with_sales=why[NoCallReason.WITH_SALES]
        + why[NoCallReason.COLLEAGUE_WITH_SALES]
        + why[NoCallReason.COLLEAGUE_FIRST],
        customers=why[NoCallReason.CUSTOMER] + why[NoCallReason.OPPORTUNITY],
        suppressed=why[NoCallReason.SUPPRESSED],
        owner_busy=why[NoCallReason.OWNER_BUSY],
    )


@task(run_name="count overdue handoffs")
def overdue(engine: Engine, now: datetime, agreed: HandoffTerms | None = None) -> Overdue:
    """How many handoffs nobody has answered in time. They stay offered: only a person can take a lead from a person."""
    agreed = agreed or terms()
    with database.reading(engine) as session:
        late = call_list.overdue_handoffs(session, now)
    very_late = sum(qualification.due(handoff.due_at, agreed.sla, agreed) <= now for handoff in late)
    return Overdue(len(late), very_late)


@task(run_name="return recycled leads")
def recycle(engine: Engine, now: datetime, agreed: HandoffTerms | None = None) -> Recycled:
    """Leads whom sales sent back become leads again when their time is over, so that campaigns may write to them."""
    agreed = agreed or terms()
    with database.writing(engine) as session:
        recycled = call_list.recycled_leads(session)
        moves = [
            StageMove(lead.contact_id, Stage.RECYCLED, Stage.LEAD, "time after a rejection is over"
                      if lead.decision == Decision.REJECTED else "time after recycling is over")
            for lead in recycled if qualification.back_to_nurture(lead, agreed, now)
        ]  # fmt: skip
        return Recycled(len(recycled), move_stages(session, moves, now))


def worth_a_call(
    session: Session, leads: Sequence[WarmLead], agreed: HandoffTerms, now: datetime
) -> tuple[list[SalesCall], list[NoCall]]:
    """Whom to call of these leads, and what stands against the others."""
    last = call_list.last_handoffs(session, [lead.contact_id for lead in leads])
    deals = opportunity.deals(session, {lead.account_id for lead in leads}, now)
    with_sales = call_list.accounts_with_sales(session, now - agreed.after_acceptance)
    turned_down = call_list.accounts_turned_down(session, qualification.ABOUT_THE_COMPANY, now - agreed.after_rejection)
    calls: list[SalesCall] = []
    against: list[NoCall] = []
    for lead in leads:
        account = qualification.NO_ACCOUNT
        if (one := lead.account_id) is not None:
            counts = deals.get(one, {})
            account = AccountSituation(
                counts.get("open", 0), counts.get("won", 0), one in with_sales, turned_down.get(one)
            )
        answer = qualification.reason_to_call(lead, last.get(lead.contact_id), account, agreed, now)
        if isinstance(answer, SalesCall):
            calls.append(answer)
        else:
            against.append(answer)
    return calls, against


def _handoffs(
    session: Session, chosen: Sequence[SalesCall], leads: dict[int, WarmLead], agreed: HandoffTerms, now: datetime
) -> list[NewHandoff]:
    called = [call.contact_id for call in chosen]
    details, activities = call_list.lead_details(session, called), activity.latest(session, called, now)
    colleagues = call_list.colleagues(session, [call.account_id for call in chosen if call.account_id])
    found = []
    for call in chosen:
        one, lead = details[call.contact_id], leads[call.contact_id]
        group, did = colleagues.get(call.account_id or 0, []), activities.get(call.contact_id, [])
        found.append(
            NewHandoff(
                contact_id=call.contact_id, account_id=call.account_id, owner_email=call.owner_email,
                state=Decision.OFFERED, score=call.score, grade=lead.grade, score_version=lead.score_version,
                reasons=strongest_reasons(one.reasons), context=briefing(one, group, did, agreed, now),
                offered_at=now, due_at=call.due_at,
            )
        )  # fmt: skip
    return found


def _mail_owners(session: Session, now: datetime) -> None:
    """A mail to the owner of every open handoff that has none yet: also one that an earlier run left without."""
    message.plan(session, [
        message.PlannedMessage(
            message.SALES, 0, 0, f"handoff-{handoff.id}", handoff.owner_email, handoff.contact_id, handoff.account_id,
            State.WAITING, planned_at=now, not_before=now, not_after=now + MAIL_EXPIRES_AFTER,
            handoff_id=handoff.id,
        )
        for handoff in call_list.unmailed_handoffs(session)
    ])  # fmt: skip
