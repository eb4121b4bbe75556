"""Who enters a campaign, and what happens to each lead now: shared by sequences and promotions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Engine, func, select
from sqlmodel import Session, col

from models import enrolment as enrolments
from models import message as messages
from models.contact import Contact
from models.delivery_states import State
from models.enrolment import EnrolmentEnd, EnrolmentState, WithdrawnLetters
from models.message import PlannedMessage
from models.queries import campaign_entry
from models.queries.active_enrolments import WHOLE, Shard
from models.queries.campaign_entry import CampaignEntry
from nurture.config import audience_predicate
from nurture.planning.content import TemplateSets
from nurture.planning.load import batches, foresee_absences, input_of_version, published_terms
from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.sequences import Decided, decide
from nurture.rules.reasons import Exit, Reason, Send, Skip, Wait
from nurture.runtime import database

ENDS = {Reason.FINISHED: EnrolmentState.COMPLETED, Reason.GOAL_REACHED: EnrolmentState.REACHED}


@dataclass(frozen=True, slots=True)
class Planned:
    """One campaign's morning, in leads."""

    entered: int = 0
    planned: int = 0
    skipped: int = 0
    waiting: int = 0
    ended: int = 0

    def __add__(self, other: "Planned") -> "Planned":
        return Planned(self.entered + other.entered, self.planned + other.planned, self.skipped + other.skipped,
                       self.waiting + other.waiting, self.ended + other.ended)  # fmt: skip


class DecidedBatch(NamedTuple):
    """Some leads of a version with what was decided about each."""

    version_id: int
    decided: list[Decided]


def enter(engine: Engine, now: datetime, slug: str, version_id: int) -> Planned:
    """Everybody of the audience who is not in the campaign yet begins with this version; who may return, returns."""
    with database.reading(engine) as session:
        campaign = published_terms(session, slug, version_id)
    with database.writing(engine) as session:
        entry = entry_of(session, campaign, version_id)
        whose = may_return(campaign, version_id, now)
        again = 0 if whose is None else campaign_entry.enrol_again(session, entry, whose, now)
        return Planned(entered=again + campaign_entry.enrol(session, entry, now))


def entry_of(session: Session, campaign: Campaign, version_id: int) -> CampaignEntry:
    """Who may enter a campaign: its audience, in the roles that some step is meant for."""
    everybody = any(not step.roles for step in campaign.steps)
    roles = () if everybody else tuple(sorted({role for step in campaign.steps for role in step.roles}))
    who = audience_predicate.condition(campaign.audience, session)
    return CampaignEntry(campaign.slug, version_id, campaign.market, who, roles)


def may_return(campaign: Campaign, version_id: int, now: datetime) -> ColumnElement[bool] | None:
    """The campaign's re-entry policy as a condition on enrolments that have ended; None where nobody may."""
    after = campaign.reentry.after
    ended_before = now - after if after else None
    return campaign_entry.may_return(campaign.slug, version_id, ended_before, campaign.reentry.on_version)


def decide_all(engine: Engine, now: datetime, slug: str, part: Shard = WHOLE) -> Planned:
    """Decide about every lead with an active enrolment, in whatever version, and write down what was decided."""
    done = Planned()
    with database.reading(engine) as session:
        for version_id, decided in decided_batches(session, now, slug, part):
            session.rollback()  # the next part sees what is written now
            done += _save(engine, slug, version_id, decided, now)
    return done


def decided_batches(
    session: Session, now: datetime, slug: str, part: Shard = WHOLE, *, foreseen: bool = False
) -> Iterator[DecidedBatch]:
    """Load, then decide: version by version and part by part. `foreseen`: a run to come, which notes absences first."""
    top = highest_contact(session)
    sets = TemplateSets(session)
    for version_id in enrolments.versions(session, slug):
        campaign = published_terms(session, slug, version_id)
        given = input_of_version(session, campaign, version_id, now, top, sets)
        given = foresee_absences(given) if foreseen else given
        for batch in batches(given, part):
            yield DecidedBatch(version_id, decide(batch.leads, batch.booked, campaign, now))


def highest_contact(session: Session) -> int:
    """The highest contact id there is."""
    return session.execute(select(func.max(col(Contact.id)))).scalar() or 0


def _save(engine: Engine, slug: str, version_id: int, decided: Sequence[Decided], now: datetime) -> Planned:
    """One bulk write: messages waiting, skips with their reasons, enrolments that end and take with them what waits."""
    rows = [row for one in decided if (row := _message(slug, version_id, one, now))]
    planned = [row for row in rows if row.state == State.WAITING]
    skipped = [row for row in rows if row.state == State.SKIPPED]
    leaving = [(lead, said) for lead, said in decided if isinstance(said, Exit)]
    ended = [EnrolmentEnd(lead.enrolment_id, ENDS.get(said.reason, EnrolmentState.EXITED), said.sentence(), now)
             for lead, said in leaving]  # fmt: skip
    withdrawn = [
        WithdrawnLetters(lead.address, said.reason, said.detail or None)
        for lead, said in leaving
        if any(past.state == State.WAITING for past in lead.past)
    ]
    new = 0
    if rows or ended:
        with database.writing(engine) as session:
            new = messages.plan(session, planned)
            messages.plan(session, skipped)
            enrolments.withdraw(session, slug, withdrawn)
            enrolments.leave(session, ended)
    waiting = sum(isinstance(said, Wait) for _, said in decided)
    return Planned(planned=new, skipped=len(skipped), waiting=waiting, ended=len(ended))


def _message(slug: str, version_id: int, one: Decided, now: datetime) -> PlannedMessage | None:
    """The row of a letter that is planned or skipped; None for a lead who waits or leaves."""
    lead, said = one
    match said:
        case Send():
            return PlannedMessage(
                slug, version_id, said.step, said.letter, lead.address, lead.contact_id, lead.account_id, State.WAITING,
                now, said.not_before, said.not_after, content_assets=said.content,
            )  # fmt: skip
        case Skip(letter=str(letter), step=int(step)):
            return PlannedMessage(
                slug, version_id, step, letter, lead.address, lead.contact_id, lead.account_id, State.SKIPPED,
                now, now, now, said.reason, said.detail or None,
            )  # fmt: skip
        case _:
            return None
