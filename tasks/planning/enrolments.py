"""Who enters a campaign, and what happens to each of them now: shared by sequences and promotions."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine, func, select
from sqlmodel import Session, col

from models import enrolment as enrolments
from models import message as messages
from models.contact import Contact, Market
from models.enrolment import EnrolmentState
from models.message import State
from models.queries import active_enrolments
from nurture.config import audience_predicate
from nurture.explain.planning_input import edition, members, scene
from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.hours import zone_of
from nurture.rules.planning.sequences import Member, stagger
from nurture.rules.reasons import Exit, Reason, Send, Skip, Wait
from nurture.runtime import database
from tasks.planning.content_assets import Books, offered

Decision = Send | Skip | Wait | Exit
Decide = Callable[[Member, Campaign, datetime], Decision]
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


@dataclass(slots=True)
class Foreseen:
    """What the next run would do to those inside, in leads; the reasons are codes of nurture.rules.reasons."""

    sends: Counter[str] = field(default_factory=Counter)  # by letter
    skips: Counter[tuple[str, str]] = field(default_factory=Counter)  # by letter and reason
    waits: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    leaving: list[tuple[str, str]] = field(default_factory=list)  # the first who would leave: address, why


def enter(engine: Engine, now: datetime, slug: str, version_id: int) -> Planned:
    """Everybody of the audience who is not in the campaign yet begins with this version; who may return, returns."""
    with database.reading(engine) as session:
        campaign = edition(session, slug, version_id)
    roles = roles_wanted(campaign)
    with database.writing(engine) as session:
        who = audience_predicate.condition(campaign.audience, session)
        whose = may_return(campaign, version_id, now)
        again = 0
        if whose is not None:
            again = enrolments.enrol_again(session, whose, version_id, campaign.market, who, roles, now)
        return Planned(entered=again + enrolments.enrol(session, slug, version_id, campaign.market, who, roles, now))


def roles_wanted(campaign: Campaign) -> list[str]:
    """The roles some step is meant for; empty when a step is for everybody."""
    return (
        []
        if any(not step.roles for step in campaign.steps)
        else sorted({r for step in campaign.steps for r in step.roles})
    )


def may_return(campaign: Campaign, version_id: int, now: datetime) -> Any:
    """The campaign's re-entry policy as a condition on enrolments that have ended; None where nobody may."""
    after = campaign.reentry.after
    return enrolments.may_return(campaign.slug, version_id, now - after if after else None, campaign.reentry.on_version)


def decide_all(engine: Engine, now: datetime, slug: str, decide: Decide, shard: int, shards: int) -> Planned:
    """Ask the rule about every lead under way in any version of the campaign, and write down what it said."""
    done = Planned()
    with database.reading(engine) as session:
        for version_id, campaign, decisions in _decisions(session, now, slug, decide, shard, shards):
            sends = [(member, said) for member, said in decisions if isinstance(said, Send)]
            sends = _spread(session, sends, campaign, now)
            session.rollback()  # the next part sees what is written now
            done += _save(engine, slug, version_id, sends, decisions, now)
    return done


def foresee(engine: Engine, now: datetime, slug: str, decide: Decide, most: int = 20) -> Foreseen:
    """What `decide_all` would do at `now`. Writes nothing."""
    found = Foreseen()
    with database.reading(engine) as session:
        for _, _, decisions in _decisions(session, now, slug, decide, 0, 1):
            for member, said in decisions:
                match said:
                    case Send():
                        found.sends[said.letter] += 1
                    case Skip():
                        found.skips[said.letter or "", said.reason] += 1
                    case Wait():
                        found.waits[said.reason] += 1
                    case Exit():
                        found.ends[said.reason] += 1
                        if len(found.leaving) < most:
                            found.leaving.append((member.address, said.sentence()))
    return found


def _decisions(
    session: Session, now: datetime, slug: str, decide: Decide, shard: int, shards: int
) -> Iterator[tuple[int, Campaign, list[tuple[Member, Decision]]]]:
    """Version by version and part by part: each lead with the rule's word."""
    top = session.execute(select(func.max(col(Contact.id)))).scalar() or 0
    books = Books(session)
    for version_id in enrolments.versions(session, slug):
        campaign = edition(session, slug, version_id)
        here = scene(session, campaign, version_id, now, top)
        for rows in active_enrolments.groups(session, slug, version_id, shard, shards):
            said = [(member, decide(member, campaign, now)) for member in members(session, here, rows)]
            yield version_id, campaign, offered(session, books, version_id, campaign, said, now)


def _spread(
    session: Session, sends: list[tuple[Member, Send]], campaign: Campaign, now: datetime
) -> list[tuple[Member, Send]]:
    accounts = [member.account_id for member, _ in sends if member.account_id is not None]
    if campaign.market != Market.B2B or not accounts:
        return sends
    taken: dict[tuple[int, date], int] = {}
    for account_id, at, country, time_zone in active_enrolments.booked(session, min(accounts), max(accounts), now):
        key = (account_id, at.astimezone(zone_of(country, time_zone)).date())
        taken[key] = taken.get(key, 0) + 1
    return stagger(sends, taken, campaign)


def _save(
    engine: Engine, slug: str, version_id: int, sends: list[tuple[Member, Send]],
    decisions: list[tuple[Member, Decision]], now: datetime,
) -> Planned:  # fmt: skip
    """One bulk write: messages waiting, skips with their reasons, enrolments that end and take with them what waits."""
    planned = [
        _row(slug, version_id, member, send.letter, send.step, State.WAITING, now, send.not_before, send.not_after)
        | {"content_assets": None if send.pieces is None else dict(send.pieces)}
        for member, send in sends
    ]
    skipped = [
        _row(slug, version_id, member, said.letter, said.step, State.SKIPPED, now, now, now, said)
        for member, said in decisions
        if isinstance(said, Skip) and said.letter is not None
    ]
    leaving = [(member, said) for member, said in decisions if isinstance(said, Exit)]
    ended = [
        {"id": member.enrolment_id, "why": said.sentence(), "at": now,
         "state": ENDS.get(said.reason, EnrolmentState.EXITED)}
        for member, said in leaving
    ]  # fmt: skip
    withdrawn = [
        {"address": member.address, "reason": said.reason, "detail": said.detail or None}
        for member, said in leaving
        if any(past.state == State.WAITING for past in member.past)
    ]
    if planned or skipped or ended:
        with database.writing(engine) as session:
            new = messages.plan(session, planned)
            messages.plan(session, skipped)
            enrolments.withdraw(session, slug, withdrawn)
            enrolments.leave(session, ended)
    else:
        new = 0
    waiting = sum(isinstance(said, Wait) for _, said in decisions)
    return Planned(planned=new, skipped=len(skipped), waiting=waiting, ended=len(ended))


def _row(slug: str, version_id: int, member: Member, letter: str, step: int | None, state: State, now: datetime,
         not_before: datetime, not_after: datetime, no: Skip | None = None) -> dict[str, Any]:  # fmt: skip
    return {
        "campaign": slug, "version_id": version_id, "step": step, "letter": letter, "address": member.address,
        "contact_id": member.contact_id, "account_id": member.account_id, "state": state,
        "reason": no.reason if no else None, "detail": (no.detail or None) if no else None,
        "planned_at": now, "not_before": not_before, "not_after": not_after,
    }  # fmt: skip
