"""The promise about sending: which states follow which, what a provider's answer means, what forbids a letter now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from models.account_pause import AUTOMATIC
from models.contact import Consent, Market
from models.delivery_states import State, Trigger, next_message_state
from nurture.rules.planning.campaign import Campaign, Hours
from nurture.rules.planning.hours import end_of, next_in_hours, zone_of
from nurture.rules.reasons import SUPPRESSED, Reason, Skip, Wait

CLAIM_LEASE = timedelta(seconds=60)  # claimed and silent for longer: the rows go back to waiting
ARMED_LEASE = timedelta(seconds=90)  # armed and silent for longer: unknown. Longer than any request may take
BUSY_WAIT = timedelta(minutes=1)  # the provider is busy and did not say until when
MOST_TRIES = 10  # 1,000 halved ten times is one: whoever is still refused then is refused alone


class Verdict(StrEnum):
    """What is known after a request."""

    TAKEN = "taken"
    BUSY = "busy"  # surely not taken, nobody's fault: 429, no connection
    REFUSED = "refused"  # surely not taken because of someone in it: 400, 413
    STOP = "stop"  # surely not taken and nothing will be until a person acts: 401, 403, 404 …
    UNKNOWN = "unknown"  # nobody knows
    TRIED = "tried"  # surely not taken: the provider's sandbox only looked at it


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer in our words. `refused` maps positions in the request to the provider's reason."""

    verdict: Verdict
    status: int | None = None
    provider_id: str | None = None
    detail: str = ""
    refused: Mapping[int, str] = field(default_factory=dict)
    retry_at: datetime | None = None
    campaign_only: bool = False  # of a STOP: the other campaigns may go on


@dataclass(frozen=True, slots=True)
class Consequence:
    """What an answer means for one message. `more_tries`: how many refusals are added to those it had."""

    trigger: Trigger
    reason: Reason | None = None
    detail: str = ""
    not_before: datetime | None = None
    more_tries: int = 0

    @property
    def state(self) -> State:
        """The state the message has then."""
        return next_message_state(self.trigger)


def trigger_of(answer: Answer, *, scheduled: bool) -> Trigger:
    """What the answer is for the request as a whole. `scheduled`: the provider was asked to keep the letters."""
    if scheduled and answer.verdict is Verdict.TAKEN:
        return Trigger.TAKEN_FOR_LATER
    return Trigger(answer.verdict)


def consequences(
    answer: Answer, n: int, tries: int, now: datetime, *, scheduled: bool = False
) -> Sequence[Consequence]:
    """What becomes of each of the `n` messages of a request that had been refused `tries` times before.

    `scheduled`: the provider was asked to keep them until their time.
    """
    trigger, detail = trigger_of(answer, scheduled=scheduled), answer.detail
    match answer.verdict:
        case Verdict.TAKEN:
            return [Consequence(trigger)] * n
        case Verdict.UNKNOWN:
            return [Consequence(trigger, detail=detail)] * n
        case Verdict.TRIED:
            return [Consequence(trigger, Reason.SANDBOX, detail)] * n
        case Verdict.BUSY | Verdict.STOP:
            again = answer.retry_at or now + BUSY_WAIT
            return [Consequence(trigger, Reason.PROVIDER_BUSY, detail, again)] * n
        case Verdict.REFUSED:
            return _after_refusal(answer, n, tries, now)


def _after_refusal(answer: Answer, n: int, tries: int, now: datetime) -> Sequence[Consequence]:
    """The provider named whom it refuses: the others are offered again at once. It named nobody: everybody waits for a
    request half as large, so that the one it minds is alone at last."""
    if answer.refused:
        return [
            Consequence(Trigger.REFUSED, Reason.REFUSED_BY_PROVIDER, answer.refused[i])
            if i in answer.refused
            else Consequence(Trigger.REFUSED_BESIDE_OTHERS, not_before=now)
            for i in range(n)
        ]
    if n == 1 or tries >= MOST_TRIES:
        return [Consequence(Trigger.REFUSED, Reason.REFUSED_BY_PROVIDER, answer.detail)] * n
    return [Consequence(Trigger.REFUSED_BESIDE_OTHERS, not_before=now, more_tries=1)] * n


def batch_size(most: int, tries: int) -> int:
    """How many messages the next request carries after `tries` refusals: half each time, at least one."""
    return max(1, most >> tries)


@lru_cache(4096)
def _opens(now: datetime, hours: Hours, zone: ZoneInfo, country: str | None) -> datetime:
    """Asked for a thousand readers of a few zones at a time."""
    return next_in_hours(now, hours, zone, country)


def objection(row: Mapping[str, Any], campaign: Campaign | None, now: datetime, *, caps: bool) -> Skip | Wait | None:
    """What forbids this message at this moment? The last look before it leaves, and `nurture why`.

    `row`: address, market, not_after, suppressed_why, consent, account_stopped_why, country, time_zone, brake (why
    sending is paused, or None), where there is one the `rest` of a pause in force (why, by, until) and, with `caps`,
    person_lately and account_today (messages already taken up); `elsewhere` where the same letter was had at another
    address of the same person.
    `campaign` is None for mails to sales: they know no hours, caps or consent. With a lead, it is about the moment at
    which the provider lets the letter go.
    """
    if row["suppressed_why"]:
        return Skip(SUPPRESSED.get(row["suppressed_why"], Reason.STOPPED_BY_PERSON))
    leaves = now + campaign.hold_for if campaign else now
    if leaves > row["not_after"]:
        return Skip(Reason.EXPIRED)
    if row["brake"]:
        return Wait(Reason.PAUSED, f"sending is paused: {row['brake']}", now + BUSY_WAIT)
    if campaign is None:
        return None
    if rest := row.get("rest"):
        reason = Reason.AWAY if rest.by == AUTOMATIC else Reason.ACCOUNT_PAUSED
        return Wait(reason, f"{rest.why} ({rest.by})", rest.until)
    if row["consent"] != Consent.GRANTED:
        return Skip(Reason.NO_CONSENT)
    stopped = row["account_stopped_why"]
    if stopped and campaign.market == Market.B2B and stopped in (*campaign.account.stop_all_on, "owner"):
        return Skip(Reason.ACCOUNT_STOPPED, f"the account's sequence was stopped ({stopped.replace('_', ' ')})")
    if row.get("elsewhere"):
        return Skip(Reason.HAD_ELSEWHERE)
    zone = zone_of(row["country"], row["time_zone"])
    country = (row["country"] or "") if campaign.market == Market.B2B else None
    opens = _opens(leaves, campaign.hours, zone, country)
    if opens > leaves:
        return Wait(Reason.OUTSIDE_HOURS, until=opens - campaign.hold_for)
    if caps and row["person_lately"] >= campaign.max_per_person:
        detail = f"has had {row['person_lately']} letters in {campaign.per_days} days"
        return Wait(Reason.FREQUENCY_CAP, detail, next_in_hours(now + timedelta(days=1), campaign.hours, zone, country))
    if caps and campaign.market == Market.B2B and row["account_today"] >= campaign.account.max_contacts_per_day:
        detail = f"{row['account_today']} colleagues are written to today already"
        tomorrow = next_in_hours(now + timedelta(days=1), campaign.hours, zone, country)
        return Wait(Reason.ACCOUNT_CAP, detail, tomorrow)
    return None


AGAIN = (  # reasons that may no longer hold; the others were the planner's decision and stay
    Reason.UNSUBSCRIBED, Reason.COMPLAINED, Reason.BOUNCED, Reason.STOPPED_BY_PERSON, Reason.NO_CONSENT,
    Reason.ACCOUNT_STOPPED, Reason.EXPIRED, Reason.NOT_RENDERED, Reason.REFUSED_BY_PROVIDER, Reason.SANDBOX,
)  # fmt: skip


def second_chance(row: Mapping[str, Any], campaign: Campaign, now: datetime) -> datetime | None:
    """Until when a letter that was skipped or refused may leave after all; None if what forbade it still does.

    Whoever asks for this does so knowingly, so an expired letter counts anew; but nobody gets an offer that is over.
    """
    until = now + campaign.expires_after
    if campaign.offer:
        until = min(until, end_of(campaign.offer.ends_on, zone_of(row["country"], row["time_zone"])))
    if until <= now or isinstance(
        objection({**row, "not_after": until, "brake": None}, campaign, now, caps=False), Skip
    ):
        return None
    return until


@dataclass(frozen=True, slots=True)
class Sorted:
    """A claimed batch after the last look."""

    go: list[int]
    skip: dict[int, Skip]
    wait: dict[int, Wait]


def sort_out(
    rows: Sequence[Mapping[str, Any]], campaign: Campaign | None, now: datetime, *, caps: bool = True
) -> Sorted:
    """Ask `objection` of every row of a batch, counting the ones let through against the caps of those after them."""
    result = Sorted([], {}, {})
    people: dict[str, int] = {}
    accounts: dict[int, set[str]] = {}
    for row in rows:
        counted, person = row, row.get("person") or row["address"]
        if caps:
            again, colleagues = (
                people.get(person, 0),
                accounts.get(row["account_id"] or 0, set()) - {row["address"]},
            )
            if again or colleagues:
                more = {"person_lately": again, "account_today": len(colleagues)}
                counted = {**row, **{key: row[key] + n for key, n in more.items()}}
                if again and row.get("person"):
                    counted["elsewhere"] = person  # a batch is one letter, and they have two addresses in it
        match objection(counted, campaign, now, caps=caps):
            case Skip() as no:
                result.skip[row["id"]] = no
            case Wait() as later:
                result.wait[row["id"]] = later
            case None:
                result.go.append(row["id"])
                people[person] = people.get(person, 0) + 1
                if row["account_id"]:
                    accounts.setdefault(row["account_id"], set()).add(row["address"])
    return result
