"""Handoff: warm leads go to their salesperson with reasons and a due time; what sales send back rests and returns."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from models import activity, contact, learned_parameter, message, opportunity
from models.contact import Stage
from models.handoff import Decision
from models.learned_parameter import About
from models.queries import call_list
from nurture.config import sales
from nurture.rules.handoff import qualification
from nurture.rules.handoff.qualification import Call, Skip, Terms, WhyNot
from nurture.rules.intake.addresses import normalise
from nurture.runtime import database
from nurture.runtime.settings import settings
from tasks.task import task

MAIL_HOLDS = timedelta(days=7)  # a mail to sales that could not leave for so long says nothing new any more


@dataclass(frozen=True)
class Offered:
    warm: int  # reached the threshold
    offered: int
    cooling_down: int  # rejected or "not now" lately
    with_sales: int  # they or a colleague of theirs
    customers: int  # or with an open opportunity
    suppressed: int
    owner_busy: int


@dataclass(frozen=True)
class Overdue:
    late: int  # the due time is over
    very_late: int  # … by as much working time again: somebody should ask


@dataclass(frozen=True)
class Recycled:
    resting: int
    returned: int  # back among the leads that campaigns may write to


def terms() -> Terms:
    """What the settings say was agreed on."""
    ours = settings()
    return Terms(
        threshold=ours.mql_score, mqa=ours.mql_score, sla=ours.sla, zone=ours.sales_zone, country=ours.sales_country,
        per_owner=ours.handoffs_per_owner, default_owner=ours.default_owner,
    )  # fmt: skip


def in_force(session: Session, now: datetime) -> dict[str, Any] | None:
    """The threshold last set for sales' week: version, made_at, words, body; None where there is no sales.toml."""
    return learned_parameter.newest(session, About.THRESHOLD, now) if sales.there(settings().rules) else None


def _agreed(session: Session, now: datetime) -> Terms:
    """What the settings say, with the threshold that sales have time for."""
    week = in_force(session, now)
    return replace(terms(), threshold=week["body"]["threshold"]) if week else terms()


@task(run_name="offer leads to sales")
def offer(engine: Engine, now: datetime, agreed: Terms | None = None) -> Offered:
    """Offer every lead worth a call to its owner, once: a handoff, a mail in the outbox, the stage mql."""
    with database.writing(engine) as session:
        agreed = agreed or _agreed(session, now)
        warm = call_list.candidates(session, agreed.threshold, now)
        by_id = {row["contact_id"]: row for row in warm}
        calls, skips = worth_a_call(session, warm, agreed, now)
        chosen, left = qualification.share_out(calls, call_list.open_by_owner(session), agreed)
        offered = call_list.offer(session, _handoffs(session, chosen, by_id, agreed, now))
        _tell(session, now)
        moves = [
            {"contact_id": call.contact_id, "stage_from": was, "stage_to": Stage.MQL, "why": call.why}
            for call in chosen
            if (was := by_id[call.contact_id]["stage"]) != Stage.MQL
        ]
        contact.move(session, moves, now)
    why = Counter(skip.reason for skip in (*skips, *left.values()))
    return Offered(
        warm=len(warm),
        offered=offered,
        cooling_down=why[WhyNot.REJECTED] + why[WhyNot.RECYCLED] + why[WhyNot.COMPANY_REJECTED],
        with_sales=why[WhyNot.WITH_SALES] + why[WhyNot.COLLEAGUE_WITH_SALES] + why[WhyNot.COLLEAGUE_FIRST],
        customers=why[WhyNot.CUSTOMER] + why[WhyNot.OPPORTUNITY],
        suppressed=why[WhyNot.SUPPRESSED],
        owner_busy=why[WhyNot.OWNER_BUSY],
    )


@task(run_name="count overdue handoffs")
def overdue(engine: Engine, now: datetime, agreed: Terms | None = None) -> Overdue:
    """How many handoffs nobody has answered in time. They stay offered: only a person can take a lead from a person."""
    agreed = agreed or terms()
    with database.reading(engine) as session:
        late = call_list.unanswered(session, now)
    very = sum(qualification.due(row["due_at"], agreed.sla, agreed) <= now for row in late)
    return Overdue(len(late), very)


@task(run_name="return rested leads")
def recycle(engine: Engine, now: datetime, agreed: Terms | None = None) -> Recycled:
    """Leads whom sales sent back become leads again when their rest is over, so that campaigns may write to them."""
    agreed = agreed or terms()
    with database.writing(engine) as session:
        resting = call_list.recycled(session)
        moves = [
            {"contact_id": row["contact_id"], "stage_from": Stage.RECYCLED, "stage_to": Stage.LEAD,
             "why": "rested after a rejection" if row["decision"] == Decision.REJECTED else "rested"}
            for row in resting if qualification.back_to_nurture(row, agreed, now)
        ]  # fmt: skip
        return Recycled(len(resting), contact.move(session, moves, now))


def worth_a_call(
    session: Session, warm: Sequence[dict[str, Any]], agreed: Terms, now: datetime
) -> tuple[list[Call], list[Skip]]:
    """Whom to call of these leads (rows of call_list.candidates), and what stands against the others."""
    last = call_list.last_handoffs(session, [row["contact_id"] for row in warm])
    deals = opportunity.deals(session, {row["account_id"] for row in warm}, now)
    with_sales = call_list.accounts_with_sales(session, now - agreed.after_acceptance)
    turned_down = call_list.accounts_turned_down(session, qualification.ABOUT_THE_COMPANY, now - agreed.after_rejection)
    calls: list[Call] = []
    skips: list[Skip] = []
    for row in warm:
        account_id = row["account_id"]
        account = {
            **deals.get(account_id, {}),
            "with_sales": account_id in with_sales,
            "turned_down": turned_down.get(account_id),
        }
        owner = normalise(row["owner_email"] or "")
        lead = row | {"last": last.get(row["contact_id"]), "owner_email": owner}
        answer = qualification.reason_to_call(lead, account, agreed, now)
        if isinstance(answer, Call):
            calls.append(answer)
        else:
            skips.append(answer)
    return calls, skips


def _handoffs(
    session: Session, chosen: Sequence[Call], rows: dict[int, dict[str, Any]], agreed: Terms, now: datetime
) -> list[dict[str, Any]]:
    called = [call.contact_id for call in chosen]
    people, lately = call_list.whom_to_call(session, called), activity.latest(session, called, now)
    members = call_list.members(session, [call.account_id for call in chosen if call.account_id])
    found = []
    for call in chosen:
        lead, row = people[call.contact_id], rows[call.contact_id]
        group, did = members.get(call.account_id or 0, []), lately.get(call.contact_id, [])
        found.append({
            "contact_id": call.contact_id, "account_id": call.account_id, "owner_email": call.owner_email,
            "state": Decision.OFFERED, "score": call.score, "grade": row["grade"], "score_version": row["version"],
            "reasons": qualification.strongest(lead["reasons"]),
            "context": qualification.context(lead, group, did, agreed, now),
            "offered_at": now, "due_at": call.due_at,
        })  # fmt: skip
    return found


def _tell(session: Session, now: datetime) -> None:
    """A mail to the owner of every open handoff that has none yet: also one that an earlier run left without."""
    untold = call_list.untold(session)
    message.plan(session, [
        {
            "campaign": message.SALES, "version_id": 0, "step": 0, "letter": f"handoff-{row['id']}",
            "address": row["owner_email"], "contact_id": row["contact_id"], "account_id": row["account_id"],
            "handoff_id": row["id"], "state": message.State.WAITING, "planned_at": now, "not_before": now,
            "not_after": now + MAIL_HOLDS,
        }
        for row in untold
    ])  # fmt: skip
