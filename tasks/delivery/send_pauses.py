"""Going on after a send pause: what would leave, what would be passed over, and lives as much longer as it lasted."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.account_pause import LaterExpiry
from models.queries import paused_letters
from models.queries.paused_letters import DueLetterFacts, DueVersion
from models.send_pause import PauseScope, ScopeKind, resume_sending
from nurture.rendering.composer import Composer, PublishedLetters
from nurture.rules.delivery.send_pauses import longer_by
from nurture.rules.eligibility.facts import MessageFacts
from nurture.rules.eligibility.messages import final_objection
from nurture.runtime import database

AT_A_TIME = 5_000
Published = Callable[[Session, DueVersion], PublishedLetters]


class DueLetterCount(NamedTuple):
    """Letters of one name that are due."""

    campaign: str
    letter: str


class PassedOver(NamedTuple):
    """Letters of one name that would not leave any more, and why: a code of nurture.rules.reasons."""

    campaign: str
    letter: str
    reason: str


@dataclass(slots=True)
class ResumeForecast:
    """What would happen to the letters that are due if a pause ended now, in letters."""

    leave: Counter[DueLetterCount] = field(default_factory=Counter)  # at once, or at their next hour
    pass_over: Counter[PassedOver] = field(default_factory=Counter)
    still_paused: int = 0  # by another pause


class _Part(NamedTuple):
    """Some due letters of a version that a pause keeps, and how much longer each lives by it."""

    published: PublishedLetters
    letters: list[DueLetterFacts]
    longer: list[LaterExpiry]
    still_paused: bool


def forecast(engine: Engine, scope: PauseScope, composer: Composer, now: datetime) -> ResumeForecast:
    """What would leave and what would be passed over if this pause ended now. Writes nothing."""
    found = ResumeForecast()
    with database.reading(engine) as session:
        for part in _kept_by(session, scope, composer, now):
            if part.still_paused:
                found.still_paused += len(part.letters)
                continue
            slug = part.published.slug
            for one, later in zip(part.letters, part.longer, strict=True):
                facts = MessageFacts(*one.facts)._replace(not_after=later.not_after)
                if no := final_objection(facts, part.published.campaign, now):
                    found.pass_over[PassedOver(slug, one.letter, no.reason)] += 1
                else:
                    found.leave[DueLetterCount(slug, one.letter)] += 1
    return found


def resume(engine: Engine, scope: PauseScope, composer: Composer, now: datetime) -> bool:
    """Go on; what was due meanwhile lives as much longer as the pause kept it. False when nothing was paused."""
    with database.writing(engine) as session:
        for part in _kept_by(session, scope, composer, now):
            paused_letters.lengthen_lives(session, part.longer)
        return resume_sending(session, scope)


def _kept_by(session: Session, scope: PauseScope, composer: Composer, now: datetime) -> Iterator[_Part]:
    """The due letters that a pause keeps, some thousands at a time."""
    since = paused_letters.paused_since(session)
    if scope not in since:
        return
    for version in paused_letters.due_versions(session, now):
        published = composer.published_version(session, version.campaign, version.version_id)
        if not _is_in(scope, published):
            continue
        others = [at for other, at in since.items() if other != scope and _is_in(other, published)]
        last = 0
        while letters := paused_letters.due_letters(session, version, now, last, AT_A_TIME):
            longer = [
                LaterExpiry(one.facts.message_id, one.facts.not_after + longer_by(one.not_before, since[scope], others,
                                                                                  now))
                for one in letters
            ]  # fmt: skip
            yield _Part(published, letters, longer, bool(others))
            last = letters[-1].facts.message_id


def _is_in(scope: PauseScope, published: PublishedLetters) -> bool:
    """Whether a pause stops these letters."""
    match scope.kind:
        case ScopeKind.CAMPAIGN:
            return scope.name == published.slug
        case ScopeKind.DOMAIN:
            return scope.name == published.domain
        case _:
            return True
