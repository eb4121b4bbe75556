"""Why did this person get this letter, or why not, or not yet? One sentence, from the same rules that decided."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, func, select
from sqlmodel import Session, col

from models import campaign as campaigns_kept
from models.account import Account
from models.address import Address
from models.contact import Contact
from models.enrolment import Enrolment, EnrolmentState
from models.message import Message, State
from models.queries import active_enrolments
from models.queries.lifecycle import stage_at
from models.score import Score
from nurture.config import audience_predicate
from nurture.explain.planning_input import edition, members, scene_of_one
from nurture.rules.intake.addresses import normalise
from nurture.rules.intake.names import full_name
from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.hours import zone_of
from nurture.rules.planning.promotions import next_offer
from nurture.rules.planning.sequences import Member, Past, next_letter
from nurture.rules.reasons import SENTENCES, Exit, Reason, Send, Skip, Wait


class NotKnown(LookupError):
    """There is no such person or campaign. The text says which, and what to try."""


@dataclass(frozen=True, slots=True)
class Because:
    """`status`: sent, waiting, held_back, refused, unknown, left, not_yet or never_qualified."""

    status: str
    sentence: str
    facts: dict[str, Any]


def why(session: Session, now: datetime, address: str, slug: str) -> Because:
    """What happened, or will happen, between one person and one campaign, at `now`.

    `now` may lie in the past: what came later is left out as far as the records tell when it came. Scores, segments and
    consent are kept as they are today only; `facts["as_of_today"]` names them then.
    """
    published = {row["slug"]: row for row in campaigns_kept.published(session)}
    if slug not in published:
        known = ", ".join(sorted(published)) or "none yet: nurture apply"
        raise NotKnown(f"there is no published campaign {slug!r} (published: {known})")
    version = published[slug]["version_id"]
    campaign = edition(session, slug, version)
    person = _person(session, address, campaign.market)
    letters = _letters(session, slug, person["address"], now)
    entered = _entered(session, slug, person["address"], now)
    name = full_name(person["first_name"], person["last_name"]) or person["address"]
    if entered is None:
        return _outside(session, now, campaign, person, name)
    if entered["version_id"] != version:
        campaign = edition(session, slug, entered["version_id"])
    parts = [_told(row, name, person) for row in letters]
    status, sentence = _now(session, now, campaign, entered, letters, name)
    last = _status(letters[-1]) if letters else status
    told = "; ".join([*parts, sentence]) if sentence else "; ".join(parts)
    return Because(
        last,
        f"{told}.",
        {
            "address": person["address"],
            "campaign": slug,
            "version": entered["version_id"],
            "enrolment": entered["state"],
            "letters": letters,
            **_only_today(session, person["id"], now),
        },
    )


def why_everywhere(session: Session, now: datetime, address: str) -> list[tuple[str, Because]]:
    """The same for every published campaign of the person's market, or markets: (campaign, answer)."""
    person = _person(session, address, "")
    rows = session.execute(select(col(Contact.market)).where(col(Contact.address) == person["address"])).scalars()
    markets = set(rows)
    slugs = [row["slug"] for row in campaigns_kept.published(session) if row["market"] in markets]
    return [(slug, why(session, now, address, slug)) for slug in slugs]


def _entered(session: Session, slug: str, address: str, now: datetime) -> dict[str, Any] | None:
    """The person's enrolment as it stood at `now`."""
    e = Enrolment.__table__.c  # type: ignore[attr-defined]
    row = session.execute(select(*e).where(e.campaign == slug, e.address == address)).mappings().first()
    if row is None or row["entered_at"] > now:
        return None
    if row["ended_at"] and row["ended_at"] > now:
        return {**row, "state": EnrolmentState.ACTIVE.value, "why": None, "ended_at": None}
    return dict(row)


def _only_today(session: Session, contact_id: int, now: datetime) -> dict[str, Any]:
    scored = session.execute(select(col(Score.scored_at)).where(col(Score.contact_id) == contact_id)).scalar()
    return {"as_of_today": ["score", "segment", "consent"]} if scored and scored > now else {}


def _person(session: Session, address: str, market: str) -> RowMapping:
    normal = normalise(address)
    rows = session.execute(select(*Contact.__table__.c).where(col(Contact.address) == normal)).mappings().all()  # type: ignore[attr-defined]
    if not rows:
        raise NotKnown(f"nobody with the address {address!r} is known: check the spelling, or import them first")
    return next((row for row in rows if row["market"] == market), rows[0])


def _letters(session: Session, slug: str, address: str, now: datetime) -> list[dict[str, Any]]:
    """The campaign's letters to somebody, as far as they were planned by `now`."""
    m = Message.__table__.c  # type: ignore[attr-defined]
    rows = session.execute(
        select(m.letter, m.step, m.state, m.reason, m.detail, m.planned_at, m.not_before, m.accepted_at, m.outcome,
               m.outcome_at)
        .where(m.campaign == slug, m.address == address, m.planned_at <= now)
        .order_by(func.coalesce(m.accepted_at, m.planned_at), m.step)
    ).mappings()  # fmt: skip
    found = []
    for row in rows:
        letter = dict(row)
        if letter["accepted_at"] and letter["accepted_at"] > now:
            letter |= {"state": State.WAITING, "accepted_at": None, "reason": None, "detail": None}
        if (letter.pop("outcome_at") or now) > now:
            letter["outcome"] = None
        found.append(letter)
    return found


def _day(moment: datetime, person: Mapping[Any, Any]) -> str:
    return f"{moment.astimezone(zone_of(person['country'], person['time_zone'])):%-d %B %Y}"


def _because(row: Mapping[Any, Any]) -> str:
    return row["detail"] or (SENTENCES[Reason(row["reason"])] if row["reason"] else "no reason was kept")


STATUS = {State.ACCEPTED: "sent", State.SKIPPED: "held_back", State.REFUSED: "refused", State.UNKNOWN: "unknown"}


def _status(row: Mapping[Any, Any]) -> str:
    return STATUS.get(row["state"], "waiting")


def _told(row: Mapping[Any, Any], name: str, person: Mapping[Any, Any]) -> str:
    letter = f"{row['letter']!r}"
    match row["state"]:
        case State.ACCEPTED:
            then = f" ({row['outcome']})" if row["outcome"] else ""
            return f"{name} was sent {letter} on {_day(row['accepted_at'], person)}{then}"
        case State.SKIPPED:
            return f"{name} was not sent {letter} on {_day(row['planned_at'], person)}: {_because(row)}"
        case State.REFUSED:
            return f"the provider refused {letter} to {name}: {_because(row)}"
        case State.SCHEDULED:
            return f"the provider holds {letter} to {name} until its time; a stop still calls it back"
        case State.UNKNOWN | State.ARMED:
            return f"nobody knows yet whether {letter} to {name} left; it is held until there is proof"
        case _:
            waits = f" ({_because(row)})" if row["reason"] else ""
            return f"{letter} to {name} waits for {_day(row['not_before'], person)}{waits}"


def _now(
    session: Session,
    now: datetime,
    campaign: Campaign,
    entered: Mapping[Any, Any],
    letters: list[dict[str, Any]],
    name: str,
) -> tuple[str, str]:
    if entered["state"] != EnrolmentState.ACTIVE:
        if entered["why"] == SENTENCES[Reason.FINISHED] or (letters and letters[-1]["state"] == State.SKIPPED):
            return "left", ""
        return "left", f"{'then ' if letters else name + ' '}left the campaign: {entered['why']}"
    member = _member(session, now, campaign, entered, letters)
    said = (next_offer if campaign.market == "b2c" else next_letter)(member, campaign, now)
    match said:
        case Send():
            return "waiting", f"{said.letter!r} is planned for {name} at the next run"
        case Skip():
            return "held_back", f"{said.letter!r} will not be sent to {name}: {said.sentence()}"
        case Exit():
            return (
                "left",
                "" if letters and said.reason is Reason.FINISHED else f"{name} leaves the campaign: {said.sentence()}",
            )
        case Wait(reason=Reason.EARLIER_LETTER_OPEN):
            return "waiting", ""
        case Wait():
            return "not_yet", f"the next letter to {name} waits: {said.sentence()}"


def _member(
    session: Session, now: datetime, campaign: Campaign, entered: Mapping[Any, Any], letters: list[dict[str, Any]]
) -> Member:
    """The lead as the planner would see them at `now`."""
    row = active_enrolments.one(session, entered["id"])
    stops = session.execute(
        select(col(Address.suppressed_at), col(Account.stopped_at))
        .select_from(Address)
        .outerjoin(Account, col(Account.id) == row["account_id"])
        .where(col(Address.address) == row["address"])
    ).one()
    if stops.suppressed_at and stops.suppressed_at > now:
        row["suppressed_why"] = None
    if stops.stopped_at and stops.stopped_at > now:
        row["account_stopped_why"] = None
    row["stage"] = stage_at(session, row["contact_id"], now) or row["stage"]
    row["entered_at"] = entered["entered_at"]
    [member] = members(session, scene_of_one(session, campaign, row["contact_id"], now), [row])
    past = (
        Past(one["letter"], one["state"], one["accepted_at"] or one["planned_at"], one["reason"]) for one in letters
    )
    return replace(member, past=tuple(past))


def _outside(session: Session, now: datetime, campaign: Campaign, person: RowMapping, name: str) -> Because:
    facts: dict[str, Any] = {"address": person["address"], "campaign": campaign.slug}
    if person["market"] != campaign.market:
        return Because(
            "never_qualified",
            f"{name} never qualified: {campaign.slug} is for {campaign.market}, "
            f"and {name} is known as a {person['market']} lead only.",
            facts,
        )
    missing = audience_predicate.failing(session, now, campaign.audience, person["id"])
    if missing:
        said = "; ".join(
            f"{_values(values)} (the audience wants {text})" if values else text for text, values in missing
        )
        return Because(
            "never_qualified", f"{name} never qualified: {said}.", facts | {"missing": [text for text, _ in missing]}
        )
    roles = {role for step in campaign.steps for role in step.roles}
    row = session.execute(
        audience_predicate.matching(session, now, f"contact_id = {person['id']}", "role", "title_role")
    ).one()
    if all(step.roles for step in campaign.steps) and not roles & set(row):
        whom = f"the role {row.role}" if row.role else "somebody of unknown role"
        sentence = f"{name} never qualified: no letter of {campaign.slug} is meant for {whom}."
        return Because("never_qualified", sentence, facts)
    return Because("not_yet", f"{name} qualifies and enters {campaign.slug} at its next run.", facts)


def _values(values: Mapping[Any, Any]) -> str:
    return ", ".join(f"{name} is {'unknown' if value is None else value}" for name, value in values.items())
