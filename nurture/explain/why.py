"""Why did this person get this letter, or why not, or not yet? One sentence, from the same rules that decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session

from models import campaign as campaigns_kept
from models.delivery_states import State
from models.enrolment import EnrolmentState
from models.queries import active_enrolments, lead_history
from models.queries.active_enrolments import PastLetter
from models.queries.lead_history import EnrolmentAt, KnownContact, LetterAt
from models.queries.lifecycle import stage_at
from nurture.config import audience_predicate
from nurture.planning.load import input_of_one, lead_of, published_terms
from nurture.rules.eligibility.facts import EnrolledLead
from nurture.rules.intake.addresses import normalise
from nurture.rules.intake.names import full_name
from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.hours import zone_of
from nurture.rules.planning.sequences import next_letter
from nurture.rules.reasons import Decision, Exit, Reason, Send, Skip, Wait, sentence_of


class NotKnown(LookupError):
    """There is no such person or campaign. The text says which, and what to try."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """`status`: sent, waiting, held_back, refused, unknown, left, not_yet or never_qualified.

    `next`: what the next run would decide about somebody whose enrolment is active; None for everybody else.
    `enters`: whether somebody else would enter, or begin again, at the next run.
    """

    status: str
    sentence: str
    facts: dict[str, Any] = field(default_factory=dict)  # for --json
    next: Decision | None = None
    enters: bool = False


@dataclass(frozen=True, slots=True)
class _Question:
    """Who is asked about, in which campaign, and when."""

    session: Session
    now: datetime
    campaign: Campaign
    person: KnownContact

    @property
    def name(self) -> str:
        return full_name(self.person.first_name, self.person.last_name) or self.person.address

    def day(self, moment: datetime) -> str:
        """A moment's date where the person lives."""
        return f"{moment.astimezone(zone_of(self.person.country, self.person.time_zone)):%-d %B %Y}"


def why(session: Session, now: datetime, address: str, slug: str) -> Explanation:
    """What happened, or will happen, between one person and one campaign, at `now`.

    `now` may lie in the past: what came later is left out as far as the records tell when it came. Scores, segments and
    consent are kept as they are today only; `facts["as_of_today"]` names them then. Raises NotKnown.
    """
    published = {row.slug: row for row in campaigns_kept.published(session)}
    if slug not in published:
        known = ", ".join(sorted(published)) or "none yet: nurture apply"
        raise NotKnown(f"there is no published campaign {slug!r} (published: {known})")
    version: int = published[slug].version_id
    campaign = published_terms(session, slug, version)
    asked = _Question(session, now, campaign, _person(session, address, campaign.market))
    newest = asked
    enrolment = lead_history.enrolment_at(session, slug, asked.person.address, now)
    if enrolment is None:
        return _outside(asked)
    if enrolment.version_id != version:
        campaign = published_terms(session, slug, enrolment.version_id)
        asked = _Question(session, now, campaign, asked.person)
    letters = lead_history.letters_at(session, slug, asked.person.address, now)
    decision = _decision(asked, enrolment, letters)
    status, sentence = _what_comes(asked, enrolment, letters, decision)
    again = _begins_again(newest, enrolment, version)
    told = [_told(asked, letter) for letter in letters] + ([sentence] if sentence else [])
    told += [f"{asked.name} begins again at the next run"] if again else []
    facts = {
        "address": asked.person.address,
        "campaign": slug,
        "version": enrolment.version_id,
        "enrolment": enrolment.state,
        "letters": [letter._asdict() for letter in letters],
        **_only_today(asked),
    }
    return Explanation(_status(letters[-1]) if letters else status, f"{'; '.join(told)}.", facts, decision, again)


def why_everywhere(session: Session, now: datetime, address: str) -> list[tuple[str, Explanation]]:
    """The same for every published campaign of the person's market, or markets: (campaign, answer)."""
    person = _person(session, address, "")
    markets = {one.market for one in lead_history.contacts_at(session, person.address)}
    slugs = [row.slug for row in campaigns_kept.published(session) if row.market in markets]
    return [(slug, why(session, now, address, slug)) for slug in slugs]


def _person(session: Session, address: str, market: str) -> KnownContact:
    """The contact record of a market, else any. Raises NotKnown."""
    found = lead_history.contacts_at(session, normalise(address) or "")
    if not found:
        raise NotKnown(f"nobody with the address {address!r} is known: check the spelling, or import them first")
    return next((one for one in found if one.market == market), found[0])


def _only_today(asked: _Question) -> dict[str, list[str]]:
    scored = lead_history.scored_at(asked.session, asked.person.id)
    return {"as_of_today": ["score", "segment", "consent"]} if scored and scored > asked.now else {}


STATUS = {State.ACCEPTED: "sent", State.SKIPPED: "held_back", State.REFUSED: "refused", State.UNKNOWN: "unknown"}


def _status(letter: LetterAt) -> str:
    return STATUS.get(State(letter.state), "waiting")


def _reason(letter: LetterAt) -> str:
    return letter.detail or sentence_of(letter.reason)


def _told(asked: _Question, row: LetterAt) -> str:
    """One letter's story in words."""
    letter, name = f"{row.letter!r}", asked.name
    match row.state:
        case State.ACCEPTED:
            then = f" ({row.outcome})" if row.outcome else ""
            return f"{name} was sent {letter} on {asked.day(row.accepted_at or row.planned_at)}{then}"
        case State.SKIPPED:
            return f"{name} was not sent {letter} on {asked.day(row.planned_at)}: {_reason(row)}"
        case State.REFUSED:
            return f"the provider refused {letter} to {name}: {_reason(row)}"
        case State.SCHEDULED:
            return f"the provider holds {letter} to {name} until its time; a stop still cancels it"
        case State.UNKNOWN | State.ARMED:
            return f"nobody knows yet whether {letter} to {name} left; it is held until there is proof"
        case _:
            waits = f" ({_reason(row)})" if row.reason else ""
            return f"{letter} to {name} waits for {asked.day(row.not_before)}{waits}"


def _decision(asked: _Question, enrolment: EnrolmentAt, letters: Sequence[LetterAt]) -> Decision | None:
    """What the next run would decide; None for somebody who has left."""
    if enrolment.state != EnrolmentState.ACTIVE:
        return None
    return next_letter(_lead(asked, enrolment, letters), asked.campaign, asked.now)


def _what_comes(
    asked: _Question, enrolment: EnrolmentAt, letters: Sequence[LetterAt], decision: Decision | None
) -> tuple[str, str]:
    """Status and words of what comes next; no words where the letters have said all."""
    name = asked.name
    match decision:
        case Send():
            return "waiting", f"{decision.letter!r} is planned for {name} at the next run"
        case Skip():
            return "held_back", f"{decision.letter!r} will not be sent to {name}: {decision.sentence()}"
        case Exit():
            finished = letters and decision.reason is Reason.FINISHED
            return "left", "" if finished else f"{name} leaves the campaign: {decision.sentence()}"
        case Wait(reason=Reason.EARLIER_LETTER_OPEN):
            return "waiting", ""
        case Wait():
            return "not_yet", f"the next letter to {name} waits: {decision.sentence()}"
        case None:
            said = enrolment.why == Reason.FINISHED.sentence or (letters and letters[-1].state == State.SKIPPED)
            left = f"{'then ' if letters else name + ' '}left the campaign: {sentence_of(enrolment.why)}"
            return "left", "" if said else left


def _begins_again(newest: _Question, enrolment: EnrolmentAt, version: int) -> bool:
    """Whether somebody who has left would begin again, by the campaign's re-entry terms and its audience."""
    if enrolment.ended_at is None:
        return False
    older = enrolment.version_id != version
    return newest.campaign.reentry.allows(enrolment.ended_at, older, newest.now) and _outside(newest).enters


def _lead(asked: _Question, enrolment: EnrolmentAt, letters: Sequence[LetterAt]) -> EnrolledLead:
    """The lead as planning would see them at `now`."""
    session, now = asked.session, asked.now
    row = active_enrolments.one(session, enrolment.id)
    suppressed_at, stopped_at = lead_history.stopped_since(session, row.address, row.account_id)
    row = row._replace(
        entered_at=enrolment.entered_at,
        stage=stage_at(session, row.contact_id, now) or row.stage,
        suppressed_why=None if suppressed_at and suppressed_at > now else row.suppressed_why,
        account_stopped_why=None if stopped_at and stopped_at > now else row.account_stopped_why,
    )
    past = [PastLetter(one.letter, one.state, one.accepted_at or one.planned_at, one.reason) for one in letters]
    return lead_of(input_of_one(session, asked.campaign, enrolment.version_id, row.contact_id, now), row, past)


def _outside(asked: _Question) -> Explanation:
    """Why somebody who never entered did not, or that they will."""
    name, campaign, person = asked.name, asked.campaign, asked.person
    facts: dict[str, Any] = {"address": person.address, "campaign": campaign.slug}
    if person.market != campaign.market:
        return Explanation(
            "never_qualified",
            f"{name} never qualified: {campaign.slug} is for {campaign.market}, "
            f"and {name} is known as a {person.market} lead only.",
            facts,
        )
    missing = audience_predicate.failing(asked.session, asked.now, campaign.audience, person.id)
    if missing:
        said = "; ".join(
            f"{_values(values)} (the audience wants {text})" if values else text for text, values in missing
        )
        facts["missing"] = [text for text, _ in missing]
        return Explanation("never_qualified", f"{name} never qualified: {said}.", facts)
    roles = {role for step in campaign.steps for role in step.roles}
    row = asked.session.execute(
        audience_predicate.matching(asked.session, asked.now, f"contact_id = {person.id}", "role", "title_role")
    ).one()
    if all(step.roles for step in campaign.steps) and not roles & set(row):
        whom = f"the role {row.role}" if row.role else "somebody of unknown role"
        sentence = f"{name} never qualified: no letter of {campaign.slug} is meant for {whom}."
        return Explanation("never_qualified", sentence, facts)
    return Explanation("not_yet", f"{name} qualifies and enters {campaign.slug} at its next run.", facts, enters=True)


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} is {'unknown' if value is None else value}" for name, value in values.items())
