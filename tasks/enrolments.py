"""Who enters a campaign, and what happens to each of them now: shared by sequences and promotions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine, RowMapping
from sqlalchemy.orm import Session

from models import campaign as campaigns_kept
from models import enrolment as enrolments
from models import message as messages
from models.enrolment import EnrolmentState
from models.message import State
from nurture import audience, campaigns, db
from nurture.rules.campaign import Campaign
from nurture.rules.hours import zone_of
from nurture.rules.reasons import Exit, Reason, Send, Skip, Wait
from nurture.rules.sequences import Member, Past, stagger

Decide = Callable[[Member, Campaign, datetime], Send | Skip | Wait | Exit]


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


def enter(engine: Engine, now: datetime, slug: str, version_id: int) -> Planned:
    """Everybody of the audience who is not in the campaign yet begins with this version."""
    with db.reading(engine) as session:
        campaign = edition(session, slug, version_id)
    roles = () if any(not step.roles for step in campaign.steps) else {r for step in campaign.steps for r in step.roles}
    with db.writing(engine) as session:
        who = audience.condition(campaign.audience, session)
        return Planned(entered=enrolments.enrol(session, slug, version_id, campaign.market, who, sorted(roles), now))


def edition(session: Session, slug: str, version_id: int) -> Campaign:
    """A published version's terms."""
    return campaigns.read_files(campaigns_kept.version(session, version_id)["files"], slug)


def decide_all(engine: Engine, now: datetime, slug: str, decide: Decide, shard: int, shards: int) -> Planned:
    """Ask the rule about every lead under way in any version of the campaign, and write down what it said."""
    done = Planned()
    with db.reading(engine) as session:
        for version_id in enrolments.versions(session, slug):
            campaign = edition(session, slug, version_id)
            whens = {step.letter: step.when for step in campaign.steps if step.when}
            holding = audience.answers(session, now, whens, enrolments.enrolled(slug, version_id))
            for rows in enrolments.active(session, slug, version_id, shard, shards):
                members = _members(session, slug, rows, holding)
                decisions = [(member, decide(member, campaign, now)) for member in members]
                sends = [(member, said) for member, said in decisions if isinstance(said, Send)]
                sends = _spread(session, sends, campaign, now)
                done += _save(engine, slug, version_id, sends, decisions, now)
    return done


def _members(session: Session, slug: str, rows: Iterable[RowMapping], holding: dict[str, set[int]]) -> list[Member]:
    rows = list(rows)
    had = enrolments.letters_had(session, slug, [row["address"] for row in rows])
    return [
        Member(
            **row,
            past=tuple(Past(p["letter"], p["state"], p["at"], p["reason"]) for p in had.get(row["address"], ())),
            holds=frozenset(letter for letter, who in holding.items() if row["contact_id"] in who),
        )
        for row in rows
    ]


def _spread(
    session: Session, sends: list[tuple[Member, Send]], campaign: Campaign, now: datetime
) -> list[tuple[Member, Send]]:
    if campaign.market != "b2b" or not sends:
        return sends
    accounts = sorted({member.account_id for member, _ in sends if member.account_id is not None})
    taken: dict[tuple[int, date], int] = {}
    for row in enrolments.booked(session, accounts, now):
        key = (row["account_id"], row["at"].astimezone(zone_of(row["country"], row["time_zone"])).date())
        taken[key] = taken.get(key, 0) + 1
    return stagger(sends, taken, campaign)


def _save(
    engine: Engine, slug: str, version_id: int, sends: list[tuple[Member, Send]],
    decisions: list[tuple[Member, Send | Skip | Wait | Exit]], now: datetime,
) -> Planned:  # fmt: skip
    """One bulk write: messages waiting, skips with their reasons, enrolments that end."""
    planned = [
        _row(slug, version_id, member, send.letter, send.step, State.WAITING, now, send.not_before, send.not_after)
        for member, send in sends
    ]
    skipped = [
        _row(slug, version_id, member, said.letter, said.step, State.SKIPPED, now, now, now, said)
        for member, said in decisions
        if isinstance(said, Skip) and said.letter is not None
    ]
    ended = [
        {"id": member.enrolment_id, "why": said.sentence(), "at": now,
         "state": EnrolmentState.COMPLETED if said.reason is Reason.FINISHED else EnrolmentState.EXITED}
        for member, said in decisions
        if isinstance(said, Exit)
    ]  # fmt: skip
    if planned or skipped or ended:
        with db.writing(engine) as session:
            new = messages.plan(session, planned)
            messages.plan(session, skipped)
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
