"""Why not: the one ordered table of policies, from which plan, claim, arming, resend and `why` all work.

docs/reasons.md is made from it. A new reason is a row here, and the function that asks (eligibility/objections.py).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Flag, StrEnum, auto

from models.address import SuppressedBy
from nurture.rules.eligibility import objections as o
from nurture.rules.eligibility.facts import LeadsTurn
from nurture.rules.eligibility.objections import LeadCheck, MessageCheck, Objection, PersonCheck, Then
from nurture.rules.planning.campaign import Campaign

WAIT, SKIP, LEAVE, EXIT = Then.WAIT, Then.SKIP, Then.LEAVE, Then.EXIT


class Asked(Flag):
    """When a policy is asked. All are asked in the order of the table each time; the first objection counts."""

    PLANNING = auto()  # of every enrolled lead, each morning
    CLAIM = auto()  # of every message that is due, when a worker claims it
    ARMING = auto()  # of every claimed message, in the transaction just before the request
    AFTERWARDS = auto()  # not asked: the provider's answer, or the letter that could not be written, says it


PLANNING, CLAIM, ARMING, AFTERWARDS = Asked.PLANNING, Asked.CLAIM, Asked.ARMING, Asked.AFTERWARDS


@dataclass(frozen=True, slots=True)
class Policy:
    """What may hold a letter back: in which words, what follows, from which facts it is decided, and when."""

    sentence: str
    then: Then
    asked: Asked
    of_lead: LeadCheck | None = None  # asked at planning
    of_message: MessageCheck | None = None  # asked at the claim and the arming
    facts: tuple[str, ...] = ()  # the fields of EnrolledLead or MessageFacts that it reads
    only_with: tuple[str, ...] = ()  # it cannot object to a lead who has none of these facts; (): it always can
    to_sales: bool = False  # asked of mails to our own salespeople, too
    follows: str = ""  # what follows, in words, where `then` does not say all

    @property
    def final(self) -> bool:
        """Whether an objection decides about the letter for good; else it is asked again."""
        return self.then is not WAIT


def _of_person(sentence: str, then: Then, check: PersonCheck, *facts: str, only_with: tuple[str, ...] = (),
               to_sales: bool = False, follows: str = "") -> Policy:  # fmt: skip
    """A policy about the person or the account, asked at planning, claim and arming alike."""

    def of_lead(turn: LeadsTurn, campaign: Campaign) -> Objection | None:
        return check(turn.lead, campaign, turn.now)

    return Policy(sentence, then, PLANNING | CLAIM | ARMING, of_lead, check, facts, only_with, to_sales, follows)


def _of_lead(sentence: str, then: Then, check: LeadCheck, *facts: str, only_with: tuple[str, ...] = (),
             follows: str = "") -> Policy:  # fmt: skip
    return Policy(sentence, then, PLANNING, of_lead=check, facts=facts, only_with=only_with, follows=follows)


def _of_message(sentence: str, then: Then, asked: Asked, check: MessageCheck, *facts: str, to_sales: bool = False,
                follows: str = "") -> Policy:  # fmt: skip
    return Policy(sentence, then, asked, of_message=check, facts=facts, to_sales=to_sales, follows=follows)


def _afterwards(sentence: str, then: Then, follows: str = "") -> Policy:
    return Policy(sentence, then, AFTERWARDS, follows=follows)


class Reason(StrEnum):
    """The closed list, and the order in which is asked: first what ends a lead's run, then what is final about the
    person, then what is final about the letter, then what only has to wait. Every skip, wait and exit has one."""

    policy: Policy

    def __new__(cls, code: str, policy: Policy = Policy("", WAIT, AFTERWARDS)) -> "Reason":
        member = str.__new__(cls, code)
        member._value_ = code
        member.policy = policy
        return member

    # fmt: off
    # the lead, or the account, has moved on
    GOAL_REACHED = "goal_reached", _of_lead(
        "the campaign's goal is reached", EXIT, o.goal_reached, "conditions_met", "goal_at", "entered_at",
        only_with=("conditions_met", "goal_at"))
    EXIT_CONDITION = "exit_condition", _of_lead(
        "the campaign's exit condition is true", EXIT, o.exit_condition, "conditions_met",
        only_with=("conditions_met",))
    ACCOUNT_STOPPED = "account_stopped", Policy(
        "the account's sequence was stopped", EXIT, PLANNING | CLAIM | ARMING, o.account_moved_on, o.account_stopped,
        ("account_stopped_why", "open_opportunities", "contract_at", "entered_at"),
        only_with=("account_stopped_why", "open_opportunities", "contract_at"))
    ALREADY_CUSTOMER = "already_customer", _of_lead(
        "is a customer already", EXIT, o.already_customer, "stage")
    REJECTED_BY_SALES = "rejected_by_sales", _of_lead(
        "was rejected by sales", EXIT, o.rejected_by_sales, "sales_said_no", "entered_at", only_with=("sales_said_no",),
        follows="the lead leaves the campaign, what waited is skipped; who enters later waits until the no is over")
    # the person said no, or never said yes
    UNSUBSCRIBED = "unsubscribed", _of_person(
        "unsubscribed", LEAVE, o.suppressed(SuppressedBy.UNSUBSCRIBE), "suppressed_why",
        only_with=("suppressed_why",), to_sales=True)
    COMPLAINED = "complained", _of_person(
        "marked a letter as spam", LEAVE, o.suppressed(SuppressedBy.COMPLAINT), "suppressed_why",
        only_with=("suppressed_why",), to_sales=True)
    BOUNCED = "bounced", _of_person(
        "the mailbox does not exist", LEAVE, o.suppressed(SuppressedBy.BOUNCE), "suppressed_why",
        only_with=("suppressed_why",), to_sales=True)
    STOPPED_BY_PERSON = "stopped_by_person", _of_person(
        "was put on the do-not-mail list by one of us", LEAVE, o.suppressed_by_us, "suppressed_why",
        only_with=("suppressed_why",), to_sales=True)
    NO_CONSENT = "no_consent", _of_person(
        "has not agreed to be mailed", LEAVE, o.no_consent, "consent")
    # the letter can no longer leave
    OFFER_OVER = "offer_over", Policy(
        "the offer was over before the letter could leave", LEAVE, PLANNING | CLAIM | ARMING, o.offer_is_over,
        o.offer_has_ended, ("country", "time_zone"))
    EXPIRED = "expired", _of_message(
        "it could not leave in time", SKIP, CLAIM | ARMING, o.time_is_over, "not_after", "send_pause", to_sales=True,
        follows="this letter is passed over, unless its step says `if_late = \"send\"`; the sequence goes on")
    HAD_ELSEWHERE = "had_elsewhere", _of_message(
        "has had this letter at another address of theirs", SKIP, CLAIM, o.had_elsewhere, "had_at")
    # not now
    PAUSED = "paused", _of_message(
        "sending is paused", WAIT, CLAIM | ARMING, o.sending_is_paused, "send_pause", to_sales=True)
    WITH_SALES = "with_sales", _of_lead(
        "is with sales now", WAIT, o.with_sales, "stage")
    EARLIER_LETTER_OPEN = "earlier_letter_open", _of_lead(
        "an earlier letter is still on its way", WAIT, o.earlier_letter_open, "past", only_with=("past",))
    FINISHED = "finished", _of_lead(
        "has had every letter", EXIT, o.no_step_left, follows="the lead leaves the campaign")
    WAIT_NOT_OVER = "wait_not_over", _of_lead(
        "the wait after the last letter is not over", WAIT, o.wait_not_over, "past", "entered_at", "country",
        "time_zone")
    AWAY = "away", _of_person(
        "is out of office", WAIT, o.away, "pause", "country", "time_zone", only_with=("pause",),
        follows="it waits until the day their automatic reply names, else a week")
    ACCOUNT_PAUSED = "account_paused", _of_person(
        "the account's owner has paused it", WAIT, o.account_paused, "pause", "country", "time_zone",
        only_with=("pause",),
        follows="it waits until the pause is over")
    # the campaign's own terms
    NOT_IN_AUDIENCE = "not_in_audience", _of_lead(
        "is no longer in the campaign's audience", EXIT, o.no_longer_fits, "left_audience",
        only_with=("left_audience",),
        follows="the lead leaves the campaign, unless `stays_if` says otherwise")
    OUTRANKED = "outranked", _of_lead(
        "another sequence has the account", EXIT, o.outranked, "outranked_by", only_with=("outranked_by",),
        follows="it is asked again at the next run, or the lead leaves (`outranked`)")
    CONDITION_NOT_MET = "condition_not_met", _of_lead(
        "the step's condition was never met", SKIP, o.condition_not_met, "conditions_met", "colleagues_did", "past",
        "entered_at", "pause", "country", "time_zone",
        follows="it is asked again at the next run; after the step's `patience` this letter is never sent to them")
    GLOBAL_HOLDOUT = "global_holdout", _of_lead(
        "is in the global holdout, which no campaign mails", LEAVE, o.in_global_holdout, "in_global_holdout",
        "account_id", only_with=("in_global_holdout",))
    HOLDOUT = "holdout", _of_lead(
        "is in the holdout, kept unmailed on purpose", LEAVE, o.in_holdout, "unit", "past", "account_id")
    NO_CONTENT_LEFT = "no_content_left", _of_lead(
        "has had every content asset that this letter could bring", SKIP, o.no_content_left, "content")
    # not at this hour
    OUTSIDE_HOURS = "outside_hours", _of_message(
        "it is outside the hours of the recipient", WAIT, CLAIM | ARMING, o.outside_hours, "country", "time_zone")
    FREQUENCY_CAP = "frequency_cap", _of_message(
        "has had enough mail lately", WAIT, CLAIM, o.person_cap, "letters_lately", "country", "time_zone")
    ACCOUNT_CAP = "account_cap", _of_message(
        "enough colleagues are written to that day", WAIT, CLAIM, o.account_cap, "colleagues_today", "country",
        "time_zone")
    # known only afterwards
    PROVIDER_BUSY = "provider_busy", _afterwards("the provider was busy", WAIT)
    REFUSED_BY_PROVIDER = "refused_by_provider", _afterwards("the provider refused the address", LEAVE)
    NOT_RENDERED = "not_rendered", _afterwards("the letter could not be written", SKIP)
    SANDBOX = "sandbox", _afterwards(
        "was only tried out in the provider's sandbox; nothing was sent", SKIP,
        "it can be planned again when the sandbox is off")
    # fmt: on

    @property
    def sentence(self) -> str:
        """What a person reads."""
        return self.policy.sentence


RETIRED = {  # reasons that older versions wrote, and that stored rows may still have
    "no_step_for_role": "no letter is meant for this role",
    "no_piece_left": "has had every content asset that this letter could bring",
}
SENTENCES: Mapping[str, str] = {reason.value: reason.sentence for reason in Reason}
ALL_SENTENCES: Mapping[str, str] = {**RETIRED, **SENTENCES}
SUPPRESSED = {by: Reason(by.skip_reason) for by in SuppressedBy}  # what an address row says → why a letter is skipped
ENDS_RUN = frozenset(r for r in Reason if r.policy.then in (LEAVE, EXIT))  # after it no later letter is planned
ASK_ANEW = tuple(r for r in Reason if r.policy.final and r.policy.asked & (ARMING | AFTERWARDS))  # by a resend


def sentence_of(code: str | None) -> str:
    """What a stored reason says, also one that only older versions knew. An unknown one is told as it is."""
    return ALL_SENTENCES.get(code, code) if code else "no reason was kept"


RARE_FACTS = tuple(sorted({fact for r in Reason if r.policy.of_lead for fact in r.policy.only_with}))


def asked_of_lead(has: Collection[str] = RARE_FACTS) -> tuple[tuple[Reason, Then, LeadCheck], ...]:
    """The policies of planning, in their order: those that can object to a lead of whose RARE_FACTS these are known."""
    return tuple(
        (r, r.policy.then, check)
        for r in Reason
        if (check := r.policy.of_lead) and (not r.policy.only_with or any(fact in has for fact in r.policy.only_with))
    )


def asked_of_message(
    when: Asked, *, to_sales: bool = False, only_final: bool = False
) -> tuple[tuple[Reason, Then, MessageCheck], ...]:
    """The policies of the claim or the arming, in their order.

    `to_sales`: those of mails to our salespeople. `only_final`: those that decide for good.
    """
    return tuple(
        (r, r.policy.then, check)
        for r in Reason
        if (check := r.policy.of_message) and when & r.policy.asked
        and (r.policy.to_sales or not to_sales) and (r.policy.final or not only_final)
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Send:
    """Yes: this letter, not before one moment and not after another."""

    letter: str
    step: int
    not_before: datetime
    not_after: datetime
    content: Mapping[str, str] | None = None  # kind asked for → content asset; None: the letter asks for none


@dataclass(frozen=True, slots=True)
class Skip:
    """No, and that is final for this letter."""

    reason: Reason
    detail: str = ""
    letter: str | None = None
    step: int | None = None

    def sentence(self) -> str:
        """The decision in words: its own, else those of its reason."""
        return self.detail or self.reason.sentence


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet. Nothing is written; the question is asked again at the next run."""

    reason: Reason
    detail: str = ""
    until: datetime | None = None

    def sentence(self) -> str:
        """The decision in words: its own, else those of its reason."""
        return self.detail or self.reason.sentence


@dataclass(frozen=True, slots=True)
class Exit:
    """The enrolment ends here, early or because every letter is decided."""

    reason: Reason
    detail: str = ""

    def sentence(self) -> str:
        """The decision in words: its own, else those of its reason."""
        return self.detail or self.reason.sentence


Decision = Send | Skip | Wait | Exit  # about a lead's next letter
