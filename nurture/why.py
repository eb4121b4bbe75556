"""Why did this person get this letter, or why not? One sentence, from the same rules that decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from models import campaign as campaigns_kept
from models import enrolment as enrolments
from models.contact import Contact
from models.enrolment import Enrolment, EnrolmentState
from models.message import Message, State
from nurture import audience, campaigns
from nurture.rules.address import normalise
from nurture.rules.campaign import Campaign
from nurture.rules.hours import zone_of
from nurture.rules.promotions import next_offer
from nurture.rules.reasons import SENTENCES, Exit, Reason, Send, Skip, Wait
from nurture.rules.sequences import Member, Past, next_letter


class NotKnown(LookupError):
    """There is no such person or campaign. The text says which, and what to try."""


@dataclass(frozen=True, slots=True)
class Because:
    """`status`: sent, waiting, held_back, refused, unknown, left, not_yet or never_qualified."""

    status: str
    sentence: str
    facts: dict[str, Any]


def why(session: Session, now: datetime, address: str, slug: str) -> Because:
    """What happened, or will happen, between one person and one campaign, at `now`."""
    published = {row["slug"]: row for row in campaigns_kept.published(session)}
    if slug not in published:
        known = ", ".join(sorted(published)) or "none yet: nurture apply"
        raise NotKnown(f"there is no published campaign {slug!r} (published: {known})")
    version = published[slug]["version_id"]
    campaign = campaigns.read_files(campaigns_kept.version(session, version)["files"], slug)
    person = _person(session, address, campaign.market)
    letters = _letters(session, slug, person["address"])
    entered = (
        session.execute(
            select(*Enrolment.__table__.c).where(  # type: ignore[attr-defined]
                col(Enrolment.campaign) == slug, col(Enrolment.address) == person["address"]
            )
        )
        .mappings()
        .first()
    )
    name = " ".join(filter(None, (person["first_name"], person["last_name"]))) or person["address"]
    if entered is None:
        return _outside(session, now, campaign, person, name)
    if entered["version_id"] != version:
        campaign = campaigns.read_files(campaigns_kept.version(session, entered["version_id"])["files"], slug)
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
            "letters": [dict(row) for row in letters],
        },
    )


def _person(session: Session, address: str, market: str) -> RowMapping:
    normal = normalise(address)
    rows = session.execute(select(*Contact.__table__.c).where(col(Contact.address) == normal)).mappings().all()  # type: ignore[attr-defined]
    if not rows:
        raise NotKnown(f"nobody with the address {address!r} is known: check the spelling, or import them first")
    return next((row for row in rows if row["market"] == market), rows[0])


def _letters(session: Session, slug: str, address: str) -> list[RowMapping]:
    return list(
        session.execute(
            select(
                col(Message.letter),
                col(Message.step),
                col(Message.state),
                col(Message.reason),
                col(Message.detail),
                col(Message.planned_at),
                col(Message.not_before),
                col(Message.accepted_at),
                col(Message.outcome),
            )
            .where(col(Message.campaign) == slug, col(Message.address) == address)
            .order_by(func.coalesce(Message.accepted_at, Message.planned_at), col(Message.step))
        ).mappings()
    )


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
    letters: list[RowMapping],
    name: str,
) -> tuple[str, str]:
    if entered["state"] != EnrolmentState.ACTIVE:
        if entered["why"] == SENTENCES[Reason.FINISHED] or (letters and letters[-1]["state"] == State.SKIPPED):
            return "left", ""
        return "left", f"{'then ' if letters else name + ' '}left the campaign: {entered['why']}"
    member = _member(session, now, campaign, entered)
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


def _member(session: Session, now: datetime, campaign: Campaign, entered: Mapping[Any, Any]) -> Member:
    row = next(
        part[0]
        for part in enrolments.active(session, campaign.slug, entered["version_id"], 0, 1, address=entered["address"])
    )
    had = enrolments.letters_had(session, campaign.slug, [entered["address"]]).get(entered["address"], [])
    whens = {step.letter: step.when for step in campaign.steps if step.when}
    holding = audience.answers(session, now, whens, [entered["contact_id"]])
    return Member(
        **row,
        past=tuple(Past(p["letter"], p["state"], p["at"], p["reason"]) for p in had),
        holds=frozenset(letter for letter, who in holding.items() if who),
    )


def _outside(session: Session, now: datetime, campaign: Campaign, person: RowMapping, name: str) -> Because:
    facts: dict[str, Any] = {"address": person["address"], "campaign": campaign.slug}
    if person["market"] != campaign.market:
        return Because(
            "never_qualified",
            f"{name} never qualified: {campaign.slug} is for {campaign.market}, "
            f"and {name} is known as a {person['market']} lead only.",
            facts,
        )
    missing = audience.failing(session, now, campaign.audience, person["id"])
    if missing:
        said = "; ".join(
            f"{_values(values)} (the audience wants {text})" if values else text for text, values in missing
        )
        return Because(
            "never_qualified", f"{name} never qualified: {said}.", facts | {"missing": [text for text, _ in missing]}
        )
    roles = {role for step in campaign.steps for role in step.roles}
    row = session.execute(audience.matching(session, now, f"contact_id = {person['id']}", "role", "title_role")).one()
    if all(step.roles for step in campaign.steps) and not roles & set(row):
        whom = f"the role {row.role}" if row.role else "somebody of unknown role"
        sentence = f"{name} never qualified: no letter of {campaign.slug} is meant for {whom}."
        return Because("never_qualified", sentence, facts)
    return Because("not_yet", f"{name} qualifies and enters {campaign.slug} at its next run.", facts)


def _values(values: Mapping[Any, Any]) -> str:
    return ", ".join(f"{name} is {'unknown' if value is None else value}" for name, value in values.items())
