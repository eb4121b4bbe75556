"""Loading for planning: rows of the database become the leads that the policies decide about, many at a time."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Select
from sqlmodel import Session

from models import account_pause as pauses
from models import campaign as campaigns_kept
from models import order as orders
from models.account_pause import ActivePauses
from models.contact import Market
from models.queries import active_enrolments, campaign_entry
from models.queries.active_enrolments import WHOLE, Candidate, Deals, PastLetter, Shard
from models.queries.campaign_entry import Entrant
from models.queries.sales_answers import SalesNos, sales_nos
from nurture.config import audience_predicate, campaigns
from nurture.config.staying import stays_condition
from nurture.planning.absences import unnoted_absences, with_absences
from nurture.planning.content import TemplateSets, with_content
from nurture.planning.holdouts import UNDRAWN, draws, global_holdout
from nurture.rules.eligibility.facts import EXIT_WHEN, GOAL_WHEN, EnrolledLead
from nurture.rules.handoff.qualification import ABOUT_THE_COMPANY
from nurture.rules.planning.arbitration import Claim, why_not, winner
from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.holdouts import GlobalHoldout
from nurture.rules.planning.hours import zone_of

PAUSES_COUNT = timedelta(days=60)  # a pause that ended so long ago still adds to a step's patience
DEALS, ORDERS = ("opportunity",), ("purchase", "order")  # goals that we recognise ourselves
REACHES = {  # an outcome → what a step's `after` may wait for
    "opened": ("sent", "opened"), "clicked": ("sent", "opened", "clicked"),
    "replied": ("sent", "opened", "clicked", "replied"),
}  # fmt: skip
STAYS = ":stays"  # the name under which it is asked what keeps leads in the campaign
NOTHING: frozenset[str] = frozenset()

Booked = Mapping[tuple[int, date], int]  # letters planned already, by account and local day
Contender = int | str  # who two sequences may both want: an account's id, or the address of somebody without one


class Batch(NamedTuple):
    """Leads of one version with all that is needed to decide about them; whole accounts at a time."""

    leads: list[EnrolledLead]
    booked: Booked


@dataclass(slots=True)
class PlanningInput:
    """What is the same for all leads of a campaign version at a moment: asked once, however many leads there are."""

    session: Session
    campaign: Campaign
    version_id: int
    now: datetime
    sets: TemplateSets
    pauses: ActivePauses
    rivals: Mapping[str, int] = field(default_factory=dict)  # sequences that may want the same account: slug → priority
    conditions_met: Callable[[int], frozenset[str]] = lambda contact_id: NOTHING  # which are true for this contact
    kept_unmailed: GlobalHoldout = field(default_factory=global_holdout)
    sales_nos: SalesNos = field(default_factory=SalesNos)
    has_left: Callable[[int], bool] = lambda contact_id: False  # is what keeps leads inside untrue of this contact?


def published_terms(session: Session, slug: str, version_id: int) -> Campaign:
    """A published version's terms."""
    return campaigns.read_files(campaigns_kept.version(session, version_id).files, slug)


def predicates(campaign: Campaign) -> dict[str, str]:
    """Everything a version asks about its leads: letters' `when`, and its own exit and goal."""
    asked = {step.letter: step.when for step in campaign.steps if step.when}
    asked |= {EXIT_WHEN: campaign.exit_when} if campaign.exit_when else {}
    return asked | ({GOAL_WHEN: campaign.goal_when} if campaign.goal_when else {})


def input_of_version(
    session: Session, campaign: Campaign, version_id: int, now: datetime, most: int, sets: TemplateSets | None = None,
    whom: Select[tuple[int]] | None = None,
) -> PlanningInput:  # fmt: skip
    """The input for everybody with an active enrolment in a version, or for these contacts who would enter it.

    `most`: the highest contact id.
    """
    asked = predicates(campaign)
    whom = active_enrolments.enrolled(campaign.slug, version_id) if whom is None else whom
    found = {name: audience_predicate.marks(session, now, text, whom, most) for name, text in asked.items()}
    marked = tuple(found.items())

    def conditions_met(contact_id: int) -> frozenset[str]:
        if contact_id > most:
            return NOTHING
        return frozenset([name for name, marks in marked if marks[contact_id]]) or NOTHING

    stays = stays_condition(campaign)
    fits = audience_predicate.marks(session, now, stays, whom, most) if stays else None
    return PlanningInput(
        session, campaign, version_id, now, sets or TemplateSets(session),
        pauses.active_pauses(session, now, PAUSES_COUNT),
        rivals(session, campaign), conditions_met,
        sales_nos=sales_nos_of(session, campaign, now),
        has_left=lambda contact_id: fits is not None and contact_id <= most and not fits[contact_id],
    )  # fmt: skip


def input_of_one(
    session: Session, campaign: Campaign, version_id: int, contact_id: int, now: datetime
) -> PlanningInput:
    """The input for one lead."""
    asked = predicates(campaign)
    stays = stays_condition(campaign)
    found = audience_predicate.answers(session, now, asked | ({STAYS: stays} if stays else {}), [contact_id])
    fits = found.pop(STAYS, {contact_id})
    in_force = pauses.active_pauses(session, now, PAUSES_COUNT)
    if campaign.market == Market.B2B:
        in_force = with_absences(in_force, unnoted_absences(session, now, contact_id))  # a run notes them first
    return PlanningInput(
        session, campaign, version_id, now, TemplateSets(session), in_force,
        rivals(session, campaign), lambda of: frozenset([name for name, whom in found.items() if of in whom]),
        sales_nos=sales_nos_of(session, campaign, now), has_left=lambda of: of not in fits,
    )  # fmt: skip


def sales_nos_of(session: Session, campaign: Campaign, now: datetime) -> SalesNos:
    """What sales have said no to, as far as the campaign's market has to do with sales."""
    return sales_nos(session, ABOUT_THE_COMPANY, now) if campaign.market == Market.B2B else SalesNos()


def rivals(session: Session, campaign: Campaign) -> dict[str, int]:
    """The other sequences that share no account with anybody, with their priority. Empty where this one does."""
    if campaign.market != Market.B2B or not campaign.account.exclusive:
        return {}
    others = [row for row in campaigns_kept.published(session, Market.B2B) if row.slug != campaign.slug]
    terms = [published_terms(session, row.slug, row.version_id) for row in others]
    return {other.slug: other.priority for other in terms if other.account.exclusive}


def batches(given: PlanningInput, part: Shard = WHOLE) -> Iterator[Batch]:
    """All active leads of the version, or a shard of them, some thousands at a time."""
    groups = active_enrolments.groups(given.session, given.campaign.slug, given.version_id, part)
    return (batch_of(given, candidates) for candidates in groups)


def entering_batches(given: PlanningInput, whom: Select[tuple[int]], many: int = 5_000) -> Iterator[Batch]:
    """Contacts who would enter, as if they had; whole accounts at a time, some thousands."""
    some: list[Entrant] = []
    for one in campaign_entry.entrants(given.session, whom):
        if len(some) >= many and (one.account_id is None or one.account_id != some[-1].account_id):
            yield _entering_batch(given, some)
            some = []
        some.append(one)
    if some:
        yield _entering_batch(given, some)


def _entering_batch(given: PlanningInput, some: Sequence[Entrant]) -> Batch:
    ids = [one.contact_id for one in some]
    return batch_of(given, campaign_entry.entering_candidates(given.session, ids, given.now))


def foresee_absences(given: PlanningInput) -> PlanningInput:
    """The same input with the automatic replies that the next run of a sequence will note before it plans."""
    if given.campaign.market != Market.B2B:
        return given
    absences = unnoted_absences(given.session, given.now)
    return replace(given, pauses=with_absences(given.pauses, absences)) if absences else given


def batch_of(given: PlanningInput, candidates: Sequence[Candidate]) -> Batch:
    """Some candidates as leads, with their content history and the days that are booked at their accounts."""
    leads = with_content(
        given.session, given.sets, given.version_id, given.campaign, _leads(given, candidates), given.now
    )
    return Batch(leads, _booked(given, candidates))


def lead_of(given: PlanningInput, candidate: Candidate, past: Sequence[PastLetter]) -> EnrolledLead:
    """One lead with another past than the database would tell: as it was at the input's moment."""
    [lead] = _leads(given, [candidate])
    lead = lead._replace(past=tuple(past))
    return with_content(given.session, given.sets, given.version_id, given.campaign, [lead], given.now)[0]


def _leads(given: PlanningInput, candidates: Sequence[Candidate]) -> list[EnrolledLead]:
    """Bulk questions, however many candidates there are."""
    session, campaign, now = given.session, given.campaign, given.now
    had = active_enrolments.letters_had(session, campaign.slug, [one.address for one in candidates])
    first, last = _accounts(candidates)
    deals = active_enrolments.deals(session, first, last, now) if last and campaign.market == Market.B2B else {}
    did = _colleagues_did(given, first, last) if last and any(step.after for step in campaign.steps) else {}
    bought = _bought(given, candidates)
    outranked = _outranked(given, candidates, first, last) if given.rivals else {}
    drawn = draws(session, campaign, given.kept_unmailed, candidates)
    nos = given.sales_nos
    none, nothing, in_force = Deals(), frozenset[tuple[str, str]](), given.pauses
    found = []
    for one in candidates:
        dealt = deals.get(one.account_id, none) if one.account_id is not None else none
        goal_at, draw = dealt.opened_at if campaign.goal in DEALS else None, drawn.get(one.contact_id, UNDRAWN)
        found.append(
            EnrolledLead(
                *one,
                open_opportunities=dealt.open,
                contract_at=dealt.won_at,
                goal_at=bought.get(one.contact_id, goal_at),
                past=tuple(had.get(one.address, ())),
                conditions_met=given.conditions_met(one.contact_id),
                pause=in_force.of(one.account_id, one.address),
                sales_said_no=nos.of(one.contact_id, one.account_id),
                left_audience=given.has_left(one.contact_id),
                outranked_by=outranked.get(one.address if one.account_id is None else one.account_id),
                colleagues_did=did.get(one.account_id or 0, nothing),
                unit=draw.unit,
                in_global_holdout=draw.in_global,
            )
        )
    return found


def _accounts(candidates: Sequence[Candidate]) -> tuple[int, int]:
    """The lowest and the highest account of some candidates; 0, 0 where none has one."""
    ids = [one.account_id for one in candidates if one.account_id is not None]
    return (min(ids), max(ids)) if ids else (0, 0)


def _bought(given: PlanningInput, candidates: Sequence[Candidate]) -> dict[int, datetime]:
    """When consumers last bought something, where that is the campaign's goal."""
    if given.campaign.goal not in ORDERS or given.campaign.market == Market.B2B or not candidates:
        return {}
    ids = [one.contact_id for one in candidates]
    bought = orders.purchases(given.session, min(ids), max(ids), given.now)
    return {contact_id: row.last_at for contact_id, row in bought.items()}


def _booked(given: PlanningInput, candidates: Sequence[Candidate]) -> Booked:
    """How many letters each account gets or got, by the local days of their readers."""
    first, last = _accounts(candidates)
    if given.campaign.market != Market.B2B or not last:
        return {}
    return Counter(
        (row.account_id, row.at.astimezone(zone_of(row.country, row.time_zone)).date())
        for row in active_enrolments.booked(given.session, first, last, given.now)
    )


def _colleagues_did(given: PlanningInput, first: int, last: int) -> dict[int, frozenset[tuple[str, str]]]:
    found = active_enrolments.outcomes(given.session, given.campaign.slug, first, last, given.now)
    return {
        account_id: frozenset((role, did) for role, outcome in things for did in REACHES.get(outcome or "", ("sent",)))
        for account_id, things in found.items()
    }


def _outranked(given: PlanningInput, candidates: Sequence[Candidate], first: int, last: int) -> dict[Contender, str]:
    """For accounts, and for people without one, that another sequence has: why, in words."""
    session, mine = given.session, given.campaign
    slugs = [mine.slug, *given.rivals]
    alone = [one.address for one in candidates if one.account_id is None]
    wanted: dict[Contender, dict[str, datetime]] = {}
    if last:
        wanted.update(active_enrolments.rivals(session, slugs, first, last))
    if alone:
        wanted.update(active_enrolments.personal_rivals(session, slugs, alone))
    for one in candidates:  # who would enter wants the account as well as who is inside
        key: Contender = one.address if one.account_id is None else one.account_id
        wanted.setdefault(key, {}).setdefault(mine.slug, one.entered_at)
    contested = {key: since for key, since in wanted.items() if mine.slug in since and len(since) > 1}
    if not contested:
        return {}
    begun = active_enrolments.begun(
        session, slugs, [key for key in contested if isinstance(key, int)],
        [key for key in contested if isinstance(key, str)],
    )  # fmt: skip
    priority = {mine.slug: mine.priority, **given.rivals}
    lost = {}
    for key, since in contested.items():
        claims = {slug: Claim(slug, priority[slug], begun.get(key, {}).get(slug), at) for slug, at in since.items()}
        best = winner(claims.values())
        if best.slug != mine.slug:
            lost[key] = why_not(claims[mine.slug], best)
    return lost
