"""Is there a reason to call this lead now? Whose lead is it, and until when must they answer?"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from models.contact import Stage
from models.handoff import Decision
from models.queries.call_list import LastHandoff, RecycledLead, WarmLead
from nurture.rules.feedback.reactions import NOT_A_FIT
from nurture.rules.intake.addresses import normalise
from nurture.rules.planning.campaign import Hours
from nurture.rules.planning.hours import at, next_in_hours, zone_of
from nurture.rules.scoring.score_reasons import ago

WORKING_HOURS = Hours()


@dataclass(frozen=True, slots=True)
class HandoffTerms:
    """What marketing and sales have agreed on."""

    threshold: float = 70.0  # an MQL from this score on
    mqa: float = 70.0  # an account from this score on is an MQA
    sla: timedelta = timedelta(hours=8)  # working hours until the salesperson must have answered
    hours: Hours = WORKING_HOURS  # Monday to Friday, 9 to 17 …
    zone: str = "Europe/Berlin"  # … where sales work
    country: str = "DE"  # whose holidays they keep
    after_rejection: timedelta = timedelta(days=90)  # a "no" holds so long …
    after_recycling: timedelta = timedelta(days=30)  # … and a "not now" so long
    after_acceptance: timedelta = timedelta(days=90)  # colleagues of somebody sales work on are left to them
    per_owner: int = 20  # open leads a salesperson can have
    default_owner: str = "sales@brunnhold.example"


class NoCallReason(StrEnum):
    """The closed list of reasons against a call."""

    BELOW_THRESHOLD = "below_threshold"
    SUPPRESSED = "suppressed"
    CUSTOMER = "customer"
    OPPORTUNITY = "opportunity"
    WITH_SALES = "with_sales"
    COLLEAGUE_WITH_SALES = "colleague_with_sales"
    REJECTED = "rejected"
    RECYCLED = "recycled"
    OWNER_BUSY = "owner_busy"
    COLLEAGUE_FIRST = "colleague_first"
    COMPANY_REJECTED = "company_rejected"


@dataclass(frozen=True, slots=True)
class NoCall:
    """No: sales should not call this lead now. `sentence` goes on from the lead's name: "is a customer already"."""

    reason: NoCallReason
    sentence: str


@dataclass(frozen=True, slots=True)
class SalesCall:
    """Yes: this lead, to this salesperson, to be answered until then. `why`: what its move to MQL is logged with."""

    contact_id: int
    account_id: int | None
    owner_email: str
    score: float
    due_at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class AccountSituation:
    """What the record says of the lead's account, as far as it speaks against a call."""

    open: int = 0  # opportunities
    won: int = 0
    with_sales: bool = False  # a colleague is
    turned_down: str | None = None  # the code of a no that sales said to the company: one of ABOUT_THE_COMPANY


NO_ACCOUNT = AccountSituation()
ABOUT_THE_COMPANY = ("wrong_company", "too_small", "competitor")  # a no of this kind is one to every colleague

WITH_SALES: dict[str, NoCall] = {  # stage → why a lead there is not offered again
    Stage.CUSTOMER: NoCall(NoCallReason.CUSTOMER, "is a customer already"),
    Stage.OPPORTUNITY: NoCall(NoCallReason.OPPORTUNITY, "has an open opportunity"),
    Stage.SAL: NoCall(NoCallReason.WITH_SALES, "is with sales: accepted"),
    Stage.SQL: NoCall(NoCallReason.WITH_SALES, "is with sales: qualified"),
}


def reason_to_call(
    lead: WarmLead, last: LastHandoff | None, account: AccountSituation, terms: HandoffTerms, now: datetime
) -> SalesCall | NoCall:
    """Should sales call this lead now? `last`: their latest handoff, if there was one."""
    score = lead.score or 0.0
    if lead.score is None or score < terms.threshold:
        sentence = f"scores {score:g}; sales get leads from {terms.threshold:g} on"
        return NoCall(NoCallReason.BELOW_THRESHOLD, sentence)
    if lead.suppressed_why:
        return NoCall(NoCallReason.SUPPRESSED, f"must not be contacted: {lead.suppressed_why}")
    if no := WITH_SALES.get(lead.stage):
        return no
    if account.won:
        return NoCall(NoCallReason.CUSTOMER, "the account is a customer already")
    if account.open:
        return NoCall(NoCallReason.OPPORTUNITY, "the account has an open opportunity")
    if no := _said_before(last, terms, now):
        return no
    if said := account.turned_down:
        return NoCall(NoCallReason.COMPANY_REJECTED, f"sales said no to the company ({NOT_A_FIT[said].lower()})")
    if account.with_sales:
        return NoCall(NoCallReason.COLLEAGUE_WITH_SALES, "sales are at work on a colleague")
    return SalesCall(
        contact_id=lead.contact_id,
        account_id=lead.account_id,
        owner_email=normalise(lead.owner_email or "") or terms.default_owner,
        score=score,
        due_at=due(now, terms.sla, terms),
        why=f"score {score:.0f} reached {terms.threshold:.0f}",
    )


def _said_before(last: LastHandoff | None, terms: HandoffTerms, now: datetime) -> NoCall | None:
    """What sales said of this lead, while it still holds."""
    if last is None:
        return None
    if last.state == Decision.OFFERED:
        return NoCall(NoCallReason.WITH_SALES, "is offered to sales already")
    holds = {Decision.REJECTED: terms.after_rejection, Decision.RECYCLED: terms.after_recycling,
             Decision.ACCEPTED: terms.after_acceptance}[Decision(last.state)]  # fmt: skip
    since = now - (last.decided_at or now)
    if since >= holds:
        return None
    why = f" ({last.decided_why.replace('_', ' ')})" if last.decided_why else ""
    until = f"{ago(since.days)}, not before {holds.days} days are over"
    if last.state == Decision.REJECTED:
        return NoCall(NoCallReason.REJECTED, f"was rejected by sales{why} {until}")
    if last.state == Decision.RECYCLED:
        return NoCall(NoCallReason.RECYCLED, f"sales said not now{why} {until}")
    return NoCall(NoCallReason.WITH_SALES, f"was accepted by sales {ago(since.days)}")


def share_out_calls(
    calls: Iterable[SalesCall], open_by_owner: Mapping[str, int], terms: HandoffTerms
) -> tuple[list[SalesCall], dict[int, NoCall]]:
    """The warmest first, one lead of an account, and nobody gets more than they can answer.

    `open_by_owner`: leads that each salesperson has to answer already. Returns the calls, and by contact id why the
    others must wait.
    """
    busy = Counter(open_by_owner)
    taken: set[int] = set()
    chosen: list[SalesCall] = []
    left: dict[int, NoCall] = {}
    for call in sorted(calls, key=lambda call: (-call.score, call.contact_id)):
        if call.account_id in taken:
            left[call.contact_id] = NoCall(NoCallReason.COLLEAGUE_FIRST, "a warmer colleague is offered first")
        elif busy[call.owner_email] >= terms.per_owner:
            left[call.contact_id] = NoCall(
                NoCallReason.OWNER_BUSY, f"the owner has {terms.per_owner} leads to answer already"
            )
        else:
            chosen.append(call)
            busy[call.owner_email] += 1
            if call.account_id is not None:
                taken.add(call.account_id)
    return chosen, left


def due(since: datetime, span: timedelta, terms: HandoffTerms) -> datetime:
    """`since` plus so many working hours of the salesperson."""
    zone = _zone(terms)
    while True:
        opens = next_in_hours(since, terms.hours, zone, terms.country)
        closes = at(opens.astimezone(zone).date(), terms.hours.end, zone)
        if opens + span <= closes:
            return opens + span
        span, since = span - (closes - opens), closes


def back_to_nurture(lead: RecycledLead, terms: HandoffTerms, now: datetime) -> bool:
    """May campaigns write to a recycled lead again? Later after a rejection than after "not now" or a lost deal."""
    wait = terms.after_rejection if lead.decision == Decision.REJECTED else terms.after_recycling
    return now - lead.since >= wait


def _zone(terms: HandoffTerms) -> ZoneInfo:
    return zone_of(terms.country, terms.zone)
