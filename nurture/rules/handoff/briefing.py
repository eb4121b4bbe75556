"""What must sales know about a lead? The account as they see it on that day: people, reasons, what was read."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from models.activity import ContactActivity
from models.handoff import ActivityCard, HandoffContext, MemberCard
from models.queries.call_list import Colleague, LeadDetails
from models.score import StoredReason
from nurture.rules.handoff.qualification import HandoffTerms
from nurture.rules.intake.names import full_name
from nurture.rules.scoring.score_reasons import ago

MOST_REASONS = 6  # a mail is read in ten seconds
MOST_MEMBERS = 12


def briefing(
    lead: LeadDetails,
    colleagues: Sequence[Colleague],
    activities: Iterable[ContactActivity],
    terms: HandoffTerms,
    now: datetime,
) -> HandoffContext:
    """The account as sales see it on that day: who decides, how warm each is, who is missing, what the lead read.

    `colleagues`: the people of the account, the lead among them, the warmest first.
    """
    account_score = lead.account_score or 0.0
    return {
        "contact": {
            "name": full_name(lead.first_name, lead.last_name), "title": lead.title or "", "role": lead.role or "",
            "phone": lead.phone or "", "email": lead.email,
        },
        "account": {
            "name": lead.account or "", "industry": lead.industry or "", "employees": lead.employees or 0,
            "country": lead.country or "", "tier": lead.tier or "", "score": round(account_score, 1),
            "completeness": lead.completeness or 0.0, "missing_role": lead.missing_role or "",
            "missing_why": lead.missing_why or "",
            "mqa": account_score >= terms.mqa,
            "reasons": [reason["text"] for reason in lead.account_reasons or ()],
            "members": [_member_card(colleague, now) for colleague in colleagues[:MOST_MEMBERS]],
        },
        "lately": [_activity_card(one, now) for one in activities],
        "owner_zone": terms.zone,
    }  # fmt: skip


def strongest_reasons(reasons: Iterable[StoredReason]) -> list[StoredReason]:
    """What a mail has room for: the reasons that weigh something, the strongest first."""
    return [reason for reason in reasons if reason["points"]][:MOST_REASONS]


def _member_card(colleague: Colleague, now: datetime) -> MemberCard:
    seen = colleague.last_activity_at
    return {
        "name": full_name(colleague.first_name, colleague.last_name), "title": colleague.title or "",
        "role": colleague.role or "", "grade": colleague.grade or "",
        "last_seen": ago((now - seen).days) if seen else "",
    }  # fmt: skip


def _activity_card(activity: ContactActivity, now: datetime) -> ActivityCard:
    return {"kind": activity.kind, "detail": activity.detail or "", "when": ago((now - activity.at).days)}
