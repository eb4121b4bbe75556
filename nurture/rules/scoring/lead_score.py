"""How warm is a lead, and why? Points for who they are (fit) and what they did (engagement), from a readable file."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from math import floor
from typing import NamedTuple

from models.activity import Deeds
from models.score import LeadToScore, ScoreReason
from nurture.rules.scoring import score_reasons
from nurture.rules.scoring.score_reasons import tenths
from nurture.rules.segmentation.phrase_matcher import PhraseMatcher, words

WEEK, MONTH = timedelta(days=7), timedelta(days=30)
REMEMBERED = 100_000  # titles and answers kept, then forgotten together

ColumnValue = str | float | None
"""What a column or a trait says of a lead: text or a number."""


class Worth(NamedTuple):
    """What one value of a column is worth, and the word for it."""

    points: float
    say: str


class Band(NamedTuple):
    """Numbers from `low` to `high`, both included; what stands behind the comma does not count."""

    low: float
    high: float
    worth: Worth


@dataclass(frozen=True, slots=True)
class PointsTable:
    """Points by the value of one column: exact values (whatever their case), bands of numbers, "*" for any other."""

    column: str
    values: Mapping[str, Worth]
    bands: tuple[Band, ...] = ()
    otherwise: Worth | None = None

    def worth(self, value: ColumnValue) -> Worth | None:
        """What this value earns and how it is said; None where the table says nothing about it."""
        if value is None or value == "":
            return None
        if self.values and (found := self.values.get(plain(value))):
            return found
        if self.bands and (number := _number(value)) is not None:
            for band in self.bands:
                if band.low <= number <= band.high:
                    return band.worth
        return self.otherwise


@dataclass(frozen=True)
class TitleWords:
    """Points for words of a title: "student" is no buyer whatever the company. Compounds and slips are recognised."""

    phrases: tuple[tuple[str, Worth], ...] = ()
    known: dict[str, tuple[Worth, ...]] = field(default_factory=dict, compare=False, repr=False)

    def worth(self, title: str | None) -> tuple[Worth, ...]:
        """What every phrase found in the title earns, once each, in the order of the title."""
        if not title or not self.phrases:
            return ()
        found = self.known.get(title)
        if found is None:
            if len(self.known) > REMEMBERED:
                self.known.clear()
            hits = dict.fromkeys(self.book.find(words(title)))
            found = self.known[title] = tuple(self.phrases[hit][1] for hit in hits)
        return found

    @cached_property
    def book(self) -> PhraseMatcher:
        """The matcher over all phrases, built once."""
        return PhraseMatcher(phrase for phrase, _ in self.phrases)


@dataclass(frozen=True, slots=True)
class ActivityKind:
    """A kind of activity: points for a fresh one, halved every half-life, never more than `most` for all together."""

    name: str
    points: float
    half_life: float  # days
    most: float
    one: str  # "pricing-page visit"
    many: str


@dataclass(frozen=True, slots=True)
class MarketRules:
    """How one market's leads earn points. `fit_most` + `engagement_most` = 100."""

    fit_most: float
    tables: tuple[PointsTable, ...]
    title_words: TitleWords
    domains: Mapping[str, Worth]  # of the address: private mailboxes, competitors
    engagement_most: float
    kinds: Mapping[str, ActivityKind]
    silence: tuple[tuple[int, float], ...]  # (days without activity, points), longest first
    answers: dict[Hashable, tuple[int, tuple[ScoreReason, ...]]] = field(
        default_factory=dict, compare=False, repr=False
    )  # fit by everything the tables look at: see _fit_once


@dataclass(frozen=True, slots=True)
class Grades:
    """From how much fit (0–100) a lead is an A, B or C, and from how much engagement a 1, 2 or 3."""

    fit: tuple[float, float, float] = (75, 50, 25)
    engagement: tuple[float, float, float] = (60, 30, 10)

    def grade(self, fit: float, engagement: float) -> str:
        """The grade for a fit and an engagement of 0–100, e.g. "B2"."""
        return (
            "ABCD"[sum(fit < least for least in self.fit)]
            + "1234"[sum(engagement < least for least in self.engagement)]
        )


@dataclass(frozen=True, slots=True)
class AccountRules:
    """How members make an account's score; read by nurture.rules.buying_group."""

    needed_roles: tuple[str, ...] = (
        "authorizer",
        "specifier",
        "purchaser",
        "user",
        "finance",
    )  # what matters most first
    people: float = 55  # points for the members' own scores …
    group: float = 25  # … for needed roles filled …
    recency: float = 20  # … and for several people active lately
    active_days: int = 30
    active_people: int = 3  # from this many on, full points
    shares: tuple[float, ...] = (0.6, 0.25, 0.15)  # the best lead, the second, the third
    horizon_days: int = 90  # the learned chance is to open an opportunity within so many days


@dataclass(frozen=True, slots=True)
class Rules:
    """A whole scoring file. `version` is its digest: a score says which file made it."""

    version: str
    markets: Mapping[str, MarketRules]
    grades: Grades = Grades()
    account: AccountRules = AccountRules()


class LeadScore(NamedTuple):
    """What the rules say of a lead: fit, engagement and score run 0–100."""

    fit: float
    engagement: float
    score: float
    grade: str
    reasons: list[ScoreReason]  # strongest first; they add up to the score
    last_activity_at: datetime | None


def score(lead: LeadToScore, done: Iterable[Deeds], rules: Rules, now: datetime) -> LeadScore:
    """A lead's score and its reasons. `done` holds nothing later than `now`.

    Raises KeyError for a market that the rules do not have.
    """
    market = rules.markets[lead.market]
    fit, why_fit = _fit_once(lead, market)
    engagement, why_engaged, last_at = engage(done, market, now)
    fit_share = round(fit / market.fit_most * 10, 2) if market.fit_most else 0.0
    engagement_share = round(engagement / market.engagement_most * 10, 2) if market.engagement_most else 0.0
    return LeadScore(
        fit=fit_share,
        engagement=engagement_share,
        score=(fit + engagement) / 10,
        grade=rules.grades.grade(fit_share, engagement_share),
        reasons=score_reasons.ranked([*why_fit, *why_engaged]),
        last_activity_at=last_at,
    )


def fit(lead: LeadToScore, market: MarketRules) -> tuple[int, list[ScoreReason]]:
    """Who they are: tenths of points and why."""
    claims: list[ScoreReason] = []
    role = company = ""
    people = None
    who = 0
    for table in market.tables:
        column = table.column
        worth = table.worth(_value(lead, column))
        if worth is None or not worth.points:
            continue
        points = tenths(worth.points)
        if column == "role":
            sure = lead.role_confidence or 0.0
            points = tenths(worth.points * sure)
            if points > 0:
                role, who = score_reasons.likely(worth.say, sure), who + points
                continue
        elif column == "industry" and points > 0:
            company, who = worth.say, who + points
            continue
        elif column == "employees" and points > 0:
            people, who = lead.employees, who + points
            continue
        if points:
            claims.append(ScoreReason(worth.say, points, "fit"))
    if who:
        claims.append(ScoreReason(score_reasons.who(role, company, people), who, "fit"))
    claims += [ScoreReason(worth.say, tenths(worth.points), "fit") for worth in market.title_words.worth(lead.title)]
    if worth := market.domains.get(lead.address.rpartition("@")[2]):
        claims.append(ScoreReason(worth.say, tenths(worth.points), "fit"))
    return score_reasons.settle(claims, tenths(market.fit_most))


def engage(done: Iterable[Deeds], market: MarketRules, now: datetime) -> tuple[int, list[ScoreReason], datetime | None]:
    """What they did: tenths of points, why, and when they last did anything that counts."""
    claims: list[ScoreReason] = []
    last_at = None
    for deeds in done:
        kind = market.kinds.get(deeds.kind)
        if kind is None:
            continue
        if kind.points > 0 and (last_at is None or deeds.last_at > last_at):
            last_at = deeds.last_at
        points = kind.points * deeds.weight
        points = tenths(min(points, kind.most) if points > 0 else max(points, -kind.most))
        if points:
            days = (now - deeds.last_at).days
            said = score_reasons.activities_in_words(
                kind.one, kind.many, deeds.times, deeds.this_week, deeds.this_month, days
            )
            claims.append(ScoreReason(said, points, "engagement"))
    if last_at is None:
        claims.append(ScoreReason("no activity yet", 0, "engagement"))
    else:
        days = (now - last_at).days
        for silent, blame in market.silence:
            if days >= silent:
                claims.append(ScoreReason(f"no activity for {days} days", tenths(blame), "engagement"))
                break
    return *score_reasons.settle(claims, tenths(market.engagement_most)), last_at


def plain(value: ColumnValue) -> str:
    """A value as tables compare it: "Food & Beverage " is "food and beverage"."""
    return " ".join(str(value).casefold().replace("&", " and ").split())


def half_lives(market: MarketRules) -> dict[str, float]:
    """What the database must know to add up deeds: days by kind."""
    return {kind.name: kind.half_life for kind in market.kinds.values()}


def deeds_of(activities: Sequence[tuple[str, datetime]], market: MarketRules, now: datetime) -> list[Deeds]:
    """The same sums as models.activity.deeds, from single activities (kind, at): for explanations and tests."""
    found: dict[str, list[datetime]] = {}
    for kind, at in activities:
        if at <= now and kind in market.kinds:
            found.setdefault(kind, []).append(at)
    return [
        Deeds(
            0,
            kind,
            sum(0.5 ** ((now - at) / timedelta(days=market.kinds[kind].half_life)) for at in when),
            len(when),
            sum(at > now - WEEK for at in when),
            sum(at > now - MONTH for at in when),
            max(when),
        )
        for kind, when in found.items()
    ]


def _fit_once(lead: LeadToScore, market: MarketRules) -> tuple[int, tuple[ScoreReason, ...]]:
    """`fit`, remembered: colleagues with one title in one company are the same to the tables."""
    key = (
        *(_value(lead, table.column) for table in market.tables),
        lead.role_confidence,
        market.title_words.worth(lead.title),
        market.domains.get(lead.address.rpartition("@")[2]),
    )
    answer = market.answers.get(key)
    if answer is None:
        if len(market.answers) > REMEMBERED:
            market.answers.clear()
        points, why = fit(lead, market)
        answer = market.answers[key] = (points, tuple(why))
    return answer


def _value(lead: LeadToScore, column: str) -> ColumnValue:
    """A column, or a trait: one of the contact's own, else one of the account's."""
    if not column.startswith("traits."):
        value: ColumnValue = getattr(lead, column)
        return value
    name = column[7:]
    value = (lead.traits or {}).get(name, (lead.account_traits or {}).get(name))
    return str(value) if isinstance(value, (list, dict)) else value


def _number(value: str | float) -> int | None:
    try:
        return floor(float(value))
    except (ValueError, OverflowError):
        return None
