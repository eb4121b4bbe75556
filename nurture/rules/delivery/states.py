"""The promise about sending: which states follow which, what a provider's answer means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from models.delivery_states import State, Trigger, next_message_state
from nurture.rules.eligibility.objections import BUSY_WAIT as BUSY_WAIT
from nurture.rules.reasons import Reason

CLAIM_LEASE = timedelta(seconds=60)  # claimed and silent for longer: the rows go back to waiting
ARMED_LEASE = timedelta(seconds=90)  # armed and silent for longer: unknown. Longer than any request may take
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
