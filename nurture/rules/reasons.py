"""Why not: every reason a letter is held back, skipped or refused, with the sentence a person reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Reason(StrEnum):
    """The closed list. A skip, a wait or a refusal has exactly one of these; `docs/reasons.md` shows them all."""

    # the person said no, or never said yes
    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"
    BOUNCED = "bounced"
    STOPPED_BY_PERSON = "stopped_by_person"
    NO_CONSENT = "no_consent"
    # the account or the person has moved on
    ACCOUNT_STOPPED = "account_stopped"
    ALREADY_CUSTOMER = "already_customer"
    WITH_SALES = "with_sales"
    GOAL_REACHED = "goal_reached"
    EXIT_CONDITION = "exit_condition"
    AWAY = "away"
    ACCOUNT_PAUSED = "account_paused"
    OUTRANKED = "outranked"
    # the campaign's own terms
    NOT_IN_AUDIENCE = "not_in_audience"
    NO_STEP_FOR_ROLE = "no_step_for_role"
    CONDITION_NOT_MET = "condition_not_met"
    NO_PIECE_LEFT = "no_piece_left"
    HAD_ELSEWHERE = "had_elsewhere"
    HOLDOUT = "holdout"
    EXPIRED = "expired"
    FINISHED = "finished"
    # not now
    WAIT_NOT_OVER = "wait_not_over"
    EARLIER_LETTER_OPEN = "earlier_letter_open"
    FREQUENCY_CAP = "frequency_cap"
    ACCOUNT_CAP = "account_cap"
    OUTSIDE_HOURS = "outside_hours"
    PAUSED = "paused"
    PROVIDER_BUSY = "provider_busy"
    # the provider's word
    REFUSED_BY_PROVIDER = "refused_by_provider"
    NOT_RENDERED = "not_rendered"
    SANDBOX = "sandbox"


SENTENCES = {
    Reason.UNSUBSCRIBED: "unsubscribed",
    Reason.COMPLAINED: "marked a letter as spam",
    Reason.BOUNCED: "the mailbox does not exist",
    Reason.STOPPED_BY_PERSON: "was put on the do-not-mail list by one of us",
    Reason.NO_CONSENT: "has not agreed to be mailed",
    Reason.ACCOUNT_STOPPED: "the account's sequence was stopped",
    Reason.ALREADY_CUSTOMER: "is a customer already",
    Reason.WITH_SALES: "is with sales now",
    Reason.GOAL_REACHED: "the campaign's goal is reached",
    Reason.EXIT_CONDITION: "the campaign's exit condition is true",
    Reason.AWAY: "is out of office",
    Reason.ACCOUNT_PAUSED: "the account's owner has paused it",
    Reason.OUTRANKED: "another sequence has the account",
    Reason.NOT_IN_AUDIENCE: "is not in the campaign's audience",
    Reason.NO_STEP_FOR_ROLE: "no letter is meant for this role",
    Reason.CONDITION_NOT_MET: "the step's condition was never met",
    Reason.NO_PIECE_LEFT: "has had every piece that this letter could bring",
    Reason.HAD_ELSEWHERE: "has had this letter at another address of theirs",
    Reason.HOLDOUT: "is in the holdout, kept unmailed on purpose",
    Reason.EXPIRED: "the offer was over before the letter could leave",
    Reason.FINISHED: "has had every letter",
    Reason.WAIT_NOT_OVER: "the wait after the last letter is not over",
    Reason.EARLIER_LETTER_OPEN: "an earlier letter is still on its way",
    Reason.FREQUENCY_CAP: "has had enough mail lately",
    Reason.ACCOUNT_CAP: "enough colleagues are written to that day",
    Reason.OUTSIDE_HOURS: "it is outside the hours of the recipient",
    Reason.PAUSED: "sending is paused",
    Reason.PROVIDER_BUSY: "the provider was busy",
    Reason.REFUSED_BY_PROVIDER: "the provider refused the address",
    Reason.NOT_RENDERED: "the letter could not be written",
    Reason.SANDBOX: "was only tried out in the provider's sandbox; nothing was sent",
}

SUPPRESSED = {  # what an address row says → why a letter to it is skipped
    "unsubscribe": Reason.UNSUBSCRIBED,
    "complaint": Reason.COMPLAINED,
    "bounce": Reason.BOUNCED,
    "person": Reason.STOPPED_BY_PERSON,
}


@dataclass(frozen=True, slots=True)
class Send:
    """Yes: this letter, not before one moment and not after another."""

    letter: str
    step: int
    not_before: datetime
    not_after: datetime
    pieces: Mapping[str, str] | None = None  # kind asked for → piece of the library; None: the letter asks for none


@dataclass(frozen=True, slots=True)
class Skip:
    """No, and that is final for this letter."""

    reason: Reason
    detail: str = ""
    letter: str | None = None
    step: int | None = None

    def sentence(self) -> str:
        return self.detail or SENTENCES[self.reason]


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet. Nothing is written; the question is asked again at the next run."""

    reason: Reason
    detail: str = ""
    until: datetime | None = None

    def sentence(self) -> str:
        return self.detail or SENTENCES[self.reason]


@dataclass(frozen=True, slots=True)
class Exit:
    """The enrolment ends here, early or because every letter is decided."""

    reason: Reason
    detail: str = ""

    def sentence(self) -> str:
        return self.detail or SENTENCES[self.reason]
