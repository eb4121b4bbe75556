"""Members: rows of the database become the leads that the rules decide about. For the planner, dry runs and `why`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from models import account_pause as pauses
from models import campaign as campaigns_kept
from models import order as orders
from models.account_pause import ActivePauses
from models.contact import Market
from models.queries import active_enrolments
from nurture.config import audience_predicate, campaigns
from nurture.rules.planning.arbitration import Claim, why_not, winner
from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.sequences import EXIT_WHEN, GOAL_WHEN, Member, Past

Row = dict[str, Any]
LATELY = timedelta(days=60)  # a pause that ended so long ago still stretches a step's patience
DEALS, ORDERS = ("opportunity",), ("purchase", "order")  # goals that we recognise ourselves
REACHES = {  # an outcome → what a thread may wait for
    "opened": ("sent", "opened"), "clicked": ("sent", "opened", "clicked"),
    "replied": ("sent", "opened", "clicked", "replied"),
}  # fmt: skip


def edition(session: Session, slug: str, version_id: int) -> Campaign:
    """A published version's terms."""
    return campaigns.read_files(campaigns_kept.version(session, version_id)["files"], slug)


@dataclass(slots=True)
class Scene:
    """What is the same for all leads of a campaign version at a moment: asked once, however many leads there are."""

    campaign: Campaign
    now: datetime
    rests: ActivePauses
    rivals: Mapping[str, int] = field(default_factory=dict)  # sequences that may want the same account: slug → priority
    holds: Callable[[str, int], bool] = lambda name, contact_id: False  # does a step's `when` hold for this contact?
    predicates: Mapping[str, str] = field(default_factory=dict)


def predicates(campaign: Campaign) -> dict[str, str]:
    """Everything a version asks about those inside: letters' `when`, and its own exit and goal."""
    asked = {step.letter: step.when for step in campaign.steps if step.when}
    asked |= {EXIT_WHEN: campaign.exit_when} if campaign.exit_when else {}
    return asked | ({GOAL_WHEN: campaign.goal_when} if campaign.goal_when else {})


def scene(session: Session, campaign: Campaign, version_id: int, now: datetime, most: int) -> Scene:
    """The scene for everybody under way in a version. `most`: the highest contact id."""
    asked = predicates(campaign)
    whom = active_enrolments.enrolled(campaign.slug, version_id)
    found = {name: audience_predicate.marks(session, now, text, whom, most) for name, text in asked.items()}
    return Scene(
        campaign, now, pauses.active_pauses(session, now, LATELY), rivals(session, campaign),
        lambda name, contact_id: contact_id <= most and bool(found[name][contact_id]), asked,
    )  # fmt: skip


def scene_of_one(session: Session, campaign: Campaign, contact_id: int, now: datetime) -> Scene:
    """The scene for one lead."""
    asked = predicates(campaign)
    found = audience_predicate.answers(session, now, asked, [contact_id])
    return Scene(
        campaign, now, pauses.active_pauses(session, now, LATELY), rivals(session, campaign),
        lambda name, contact_id: contact_id in found[name], asked,
    )  # fmt: skip


def rivals(session: Session, campaign: Campaign) -> dict[str, int]:
    """The other sequences that share no account with anybody, with their priority. Empty where this one does."""
    if campaign.market != Market.B2B or not campaign.account.exclusive:
        return {}
    others = [row for row in campaigns_kept.published(session, Market.B2B) if row["slug"] != campaign.slug]
    terms = [edition(session, row["slug"], row["version_id"]) for row in others]
    return {other.slug: other.priority for other in terms if other.account.exclusive}


def members(session: Session, scene: Scene, rows: Sequence[Row]) -> list[Member]:
    """The leads of some rows of `under_way`: bulk questions, however many there are."""
    campaign, now = scene.campaign, scene.now
    b2b = campaign.market == Market.B2B
    had = active_enrolments.letters_had(session, campaign.slug, [row["address"] for row in rows])
    accounts = [row["account_id"] for row in rows if row["account_id"] is not None]
    first, last = (min(accounts), max(accounts)) if accounts else (0, 0)
    deals = active_enrolments.deals(session, first, last, now) if accounts and b2b else {}
    seen = _seen(session, scene, first, last) if accounts and any(step.after for step in campaign.steps) else {}
    bought = {}
    if campaign.goal in ORDERS and not b2b:
        contacts = [row["contact_id"] for row in rows]
        bought = orders.purchases(session, min(contacts), max(contacts), now)
    outranked = _outranked(session, scene, rows, first, last) if scene.rivals else {}
    found = []
    nothing: frozenset[Any] = frozenset()
    for row in rows:
        account_id, contact_id, address = row["account_id"], row["contact_id"], row["address"]
        dealt = deals.get(account_id, active_enrolments.Deals())
        goal_at = dealt.opened_at if campaign.goal in DEALS else None
        if contact_id in bought:
            goal_at = bought[contact_id].last_at
        rest = scene.rests.of(account_id, address)
        found.append(
            Member(
                **row,
                open_opportunities=dealt.open,
                contract_at=dealt.won_at,
                past=tuple([Past(*letter[1:]) for letter in had.get(address, ())]),
                holds=frozenset([name for name in scene.predicates if scene.holds(name, contact_id)])
                if scene.predicates
                else nothing,
                goal_at=goal_at,
                rests_until=rest.until if rest else None,
                rests_why=(f"{rest.why} ({rest.by})" if rest.by else rest.why) if rest else "",
                account_rests=bool(rest and address not in scene.rests.people),
                rival=outranked.get(address if account_id is None else account_id),
                seen=seen.get(account_id, nothing),
            )
        )
    return found


def _seen(session: Session, scene: Scene, first: int, last: int) -> dict[int | None, frozenset[tuple[str, str]]]:
    found = active_enrolments.seen(session, scene.campaign.slug, first, last, scene.now)
    return {
        account_id: frozenset((role, did) for role, outcome in things for did in REACHES.get(outcome or "", ("sent",)))
        for account_id, things in found.items()
    }


def _outranked(session: Session, scene: Scene, rows: Sequence[Row], first: int, last: int) -> dict[Any, str]:
    """For accounts, and for people without one, that another sequence has: why, in words."""
    mine = scene.campaign
    slugs = [mine.slug, *scene.rivals]
    alone = [row["address"] for row in rows if row["account_id"] is None]
    wanted: dict[Any, dict[str, datetime]] = active_enrolments.rivals(session, slugs, first, last) if last else {}
    wanted |= active_enrolments.personal_rivals(session, slugs, alone) if alone else {}
    contested = {key: since for key, since in wanted.items() if mine.slug in since and len(since) > 1}
    if not contested:
        return {}
    begun = active_enrolments.begun(
        session, slugs, [key for key in contested if isinstance(key, int)],
        [key for key in contested if isinstance(key, str)],
    )  # fmt: skip
    priority = {mine.slug: mine.priority, **scene.rivals}
    lost = {}
    for key, since in contested.items():
        claims = {slug: Claim(slug, priority[slug], begun.get(key, {}).get(slug), at) for slug, at in since.items()}
        best = winner(claims.values())
        if best.slug != mine.slug:
            lost[key] = why_not(claims[mine.slug], best)
    return lost
