"""Is there a reason to call this lead now? Whose lead is it, until when must they answer, and what must they know?"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from models.contact import Stage
from models.handoff import Decision
from nurture.rules.feedback.reactions import NOT_A_FIT
from nurture.rules.intake.names import full_name
from nurture.rules.planning.campaign import Hours
from nurture.rules.planning.hours import at, next_in_hours, zone_of
from nurture.rules.scoring.score_reasons import ago

WORKING_HOURS = Hours()
MOST_REASONS = 6  # a mail is read in ten seconds
MOST_MEMBERS = 12


@dataclass(frozen=True, slots=True)
class Terms:
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


class WhyNot(StrEnum):
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
class Skip:
    reason: WhyNot
    detail: str

    def sentence(self) -> str:
        return self.detail


@dataclass(frozen=True, slots=True)
class Call:
    """Yes: this lead, to this salesperson, to be answered until then."""

    contact_id: int
    account_id: int | None
    owner_email: str
    score: float
    due_at: datetime
    why: str


ABOUT_THE_COMPANY = ("wrong_company", "too_small", "competitor")  # a no of this kind is one to every colleague

WITH_SALES = {  # stage → why a lead there is not offered again
    Stage.CUSTOMER: (WhyNot.CUSTOMER, "is a customer already"),
    Stage.OPPORTUNITY: (WhyNot.OPPORTUNITY, "has an open opportunity"),
    Stage.SAL: (WhyNot.WITH_SALES, "is with sales: accepted"),
    Stage.SQL: (WhyNot.WITH_SALES, "is with sales: qualified"),
}


def reason_to_call(
    lead: Mapping[str, Any], account: Mapping[str, Any] | None, terms: Terms, now: datetime
) -> Call | Skip:
    """Should sales call this lead now?

    `lead`: contact_id, account_id, stage, score, suppressed_why, owner_email, last (the latest handoff: state,
    decided_at, decided_why; or None). `account`: open and won (opportunities), with_sales (a colleague is),
    turned_down (why sales said no to the company); or None.
    """
    account = account or {}
    if lead["score"] is None or lead["score"] < terms.threshold:
        return Skip(
            WhyNot.BELOW_THRESHOLD, f"scores {lead['score'] or 0:g}; sales get leads from {terms.threshold:g} on"
        )
    if lead["suppressed_why"]:
        return Skip(WhyNot.SUPPRESSED, f"must not be contacted: {lead['suppressed_why']}")
    if stage := WITH_SALES.get(lead["stage"]):
        return Skip(*stage)
    if account.get("won"):
        return Skip(WhyNot.CUSTOMER, "the account is a customer already")
    if account.get("open"):
        return Skip(WhyNot.OPPORTUNITY, "the account has an open opportunity")
    if against := _said_before(lead["last"], terms, now):
        return against
    if said := account.get("turned_down"):
        return Skip(WhyNot.COMPANY_REJECTED, f"sales said no to the company ({NOT_A_FIT[said].lower()})")
    if account.get("with_sales"):
        return Skip(WhyNot.COLLEAGUE_WITH_SALES, "sales are at work on a colleague")
    return Call(
        contact_id=lead["contact_id"],
        account_id=lead["account_id"],
        owner_email=lead["owner_email"] or terms.default_owner,
        score=lead["score"],
        due_at=due(now, terms.sla, terms),
        why=f"score {lead['score']:.0f} reached {terms.threshold:.0f}",
    )


def _said_before(last: Mapping[str, Any] | None, terms: Terms, now: datetime) -> Skip | None:
    if last is None:
        return None
    if last["state"] == Decision.OFFERED:
        return Skip(WhyNot.WITH_SALES, "is offered to sales already")
    rests = {Decision.REJECTED: terms.after_rejection, Decision.RECYCLED: terms.after_recycling,
             Decision.ACCEPTED: terms.after_acceptance}[last["state"]]  # fmt: skip
    since = now - (last["decided_at"] or now)
    if since >= rests:
        return None
    because = f" ({last['decided_why'].replace('_', ' ')})" if last["decided_why"] else ""
    until = f"{ago(since.days)}, not before {rests.days} days are over"
    if last["state"] == Decision.REJECTED:
        return Skip(WhyNot.REJECTED, f"was rejected by sales{because} {until}")
    if last["state"] == Decision.RECYCLED:
        return Skip(WhyNot.RECYCLED, f"sales said not now{because} {until}")
    return Skip(WhyNot.WITH_SALES, f"was accepted by sales {ago(since.days)}")


def share_out(
    calls: Iterable[Call], open_by_owner: Mapping[str, int], terms: Terms
) -> tuple[list[Call], dict[int, Skip]]:
    """The warmest first, one lead of an account, and nobody gets more than they can answer."""
    busy = Counter(open_by_owner)
    taken: set[int] = set()
    chosen: list[Call] = []
    left: dict[int, Skip] = {}
    for call in sorted(calls, key=lambda call: (-call.score, call.contact_id)):
        if call.account_id in taken:
            left[call.contact_id] = Skip(WhyNot.COLLEAGUE_FIRST, "a warmer colleague is offered first")
        elif busy[call.owner_email] >= terms.per_owner:
            left[call.contact_id] = Skip(WhyNot.OWNER_BUSY, f"the owner has {terms.per_owner} leads to answer already")
        else:
            chosen.append(call)
            busy[call.owner_email] += 1
            if call.account_id is not None:
                taken.add(call.account_id)
    return chosen, left


def due(since: datetime, span: timedelta, terms: Terms) -> datetime:
    """`since` plus so many working hours of the salesperson."""
    zone = _zone(terms)
    while True:
        opens = next_in_hours(since, terms.hours, zone, terms.country)
        closes = at(opens.astimezone(zone).date(), terms.hours.end, zone)
        if opens + span <= closes:
            return opens + span
        span, since = span - (closes - opens), closes


def back_to_nurture(resting: Mapping[str, Any], terms: Terms, now: datetime) -> bool:
    """Is the rest of a recycled lead over? A rejection rests longer than a "not now" or a lost opportunity."""
    rests = terms.after_rejection if resting["decision"] == Decision.REJECTED else terms.after_recycling
    return bool(now - resting["since"] >= rests)


def context(
    lead: Mapping[str, Any],
    members: Sequence[Mapping[str, Any]],
    lately: Sequence[Mapping[str, Any]],
    terms: Terms,
    now: datetime,
) -> dict[str, Any]:
    """The account as sales see it on that day: who decides, how warm each is, who is missing, what the lead read."""
    account_score = lead["account_score"] or 0.0
    return {
        "contact": {
            "name": _name(lead), "title": lead["title"] or "", "role": lead["role"] or "",
            "phone": lead["phone"] or "", "email": lead["email"],
        },
        "account": {
            "name": lead["account"] or "", "industry": lead["industry"] or "", "employees": lead["employees"] or 0,
            "country": lead["country"] or "", "tier": lead["tier"] or "", "score": round(account_score, 1),
            "completeness": lead["completeness"] or 0.0, "missing_role": lead["missing_role"] or "",
            "missing_why": lead["missing_why"] or "",
            "mqa": account_score >= terms.mqa,
            "reasons": [reason["text"] for reason in lead["account_reasons"] or ()],
            "members": [_member(member, now) for member in members[:MOST_MEMBERS]],
        },
        "lately": [
            {"kind": one["kind"], "detail": one["detail"] or "", "when": ago((now - one["at"]).days)} for one in lately
        ],
        "owner_zone": terms.zone,
    }  # fmt: skip


def strongest(reasons: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a mail has room for: the reasons that weigh something, the strongest first."""
    return [dict(reason) for reason in reasons if reason["points"]][:MOST_REASONS]


def _member(member: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    seen = member["last_activity_at"]
    return {
        "name": _name(member), "title": member["title"] or "", "role": member["role"] or "",
        "grade": member["grade"] or "", "last_seen": ago((now - seen).days) if seen else "",
    }  # fmt: skip


def _name(person: Mapping[str, Any]) -> str:
    return full_name(person["first_name"], person["last_name"])


def _zone(terms: Terms) -> ZoneInfo:
    return zone_of(terms.country, terms.zone)
