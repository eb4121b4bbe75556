"""What the next planning run would do, by the same decisions, to those inside and to those who would enter."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from sqlmodel import Session

from models.queries import campaign_entry
from models.queries.campaign_entry import Newcomer
from nurture.planning.content import UNPUBLISHED, TemplateSets
from nurture.planning.load import entering_batches, foresee_absences, input_of_version
from nurture.rules.planning.campaign import Campaign
from nurture.rules.planning.hours import zone_of
from nurture.rules.planning.sequences import Decided, decide
from nurture.rules.reasons import Exit, Send, Skip, Wait
from tasks.planning.enrolments import decided_batches, entry_of, highest_contact, may_return


class LetterOnDay(NamedTuple):
    """A letter and the day on which it may leave, where its reader lives."""

    letter: str
    day: date


class ForeseenLetter(NamedTuple):
    """A letter that somebody would get: not before `at`."""

    address: str
    letter: str
    at: datetime


class ForeseenLeaver(NamedTuple):
    """Somebody who would leave a campaign, and why."""

    address: str
    why: str


@dataclass(slots=True)
class PlanForecast:
    """What a run would do, in letters and leads; the reasons are codes of nurture.rules.reasons."""

    most: int  # people named
    sends: Counter[str] = field(default_factory=Counter)  # by letter
    days: Counter[LetterOnDay] = field(default_factory=Counter)
    skips: Counter[tuple[str, str]] = field(default_factory=Counter)  # by letter and reason
    waits: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    letters: list[ForeseenLetter] = field(default_factory=list)  # the first of those who would get one
    leaving: list[ForeseenLeaver] = field(default_factory=list)  # the first who would leave
    booked: Counter[tuple[int, date]] = field(default_factory=Counter)  # letters by account and local day

    def count(self, decided: Sequence[Decided]) -> None:
        """Add what was decided about some leads."""
        for lead, said in decided:
            match said:
                case Send():
                    day = said.not_before.astimezone(zone_of(lead.country, lead.time_zone)).date()
                    self.sends[said.letter] += 1
                    self.days[LetterOnDay(said.letter, day)] += 1
                    if lead.account_id is not None:
                        self.booked[lead.account_id, day] += 1
                    if len(self.letters) < self.most:
                        self.letters.append(ForeseenLetter(lead.address, said.letter, said.not_before))
                case Skip():
                    self.skips[said.letter or "", said.reason] += 1
                case Wait():
                    self.waits[said.reason] += 1
                case Exit():
                    self.ends[said.reason] += 1
                    if len(self.leaving) < self.most:
                        self.leaving.append(ForeseenLeaver(lead.address, said.sentence()))


class CampaignFiles(NamedTuple):
    """A campaign as its folder describes it. `version_id`: the published version that it is; None: it would be new."""

    terms: Campaign
    files: Mapping[str, str]
    version_id: int | None


class EntryForecast(NamedTuple):
    """How many would enter a campaign, the first of them by address, and what their first run would do."""

    n: int
    first: list[Newcomer]
    run: PlanForecast


def foresee(session: Session, now: datetime, slug: str, most: int) -> PlanForecast:
    """What the next run would do to those inside. Writes nothing."""
    found = PlanForecast(most)
    for _, decided in decided_batches(session, now, slug, foreseen=True):
        found.count(decided)
    return found


def foresee_entry(
    session: Session, now: datetime, campaign: CampaignFiles, most: int, inside: PlanForecast | None
) -> EntryForecast:
    """Who would enter, and which letter each of them would get when. Writes nothing.

    `inside`: what the same run would do to those inside; their letters fill the days of their accounts first.
    """
    terms, version_id = campaign.terms, UNPUBLISHED if campaign.version_id is None else campaign.version_id
    entry, again = entry_of(session, terms, version_id), may_return(terms, version_id, now)
    n, first = campaign_entry.newcomers(session, entry, again, now, most)
    whom, sets = campaign_entry.entering(entry, again, now), TemplateSets(session, campaign.files)
    given = input_of_version(session, terms, version_id, now, highest_contact(session), sets, whom)
    found, booked = PlanForecast(most), inside.booked if inside else Counter[tuple[int, date]]()
    given = foresee_absences(given)
    for batch in entering_batches(given, whom):
        found.count(decide(batch.leads, Counter(batch.booked) + booked, terms, now))
    return EntryForecast(n, first, found)
