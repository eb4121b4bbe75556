"""The facts that decide whether a letter may go: of a lead when it is planned, of a message when it leaves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from models.account_pause import ActivePause
from models.queries.active_enrolments import PastLetter
from models.queries.sales_answers import SalesNo
from nurture.rules.planning.campaign import Step


class PersonFacts(Protocol):
    """What is known of a person whenever it is asked: at planning (EnrolledLead), before sending (MessageFacts)."""

    @property
    def suppressed_why(self) -> str | None:
        """Why the address must never be mailed (SuppressedBy); None: it may be."""

    @property
    def consent(self) -> str | None:
        """Consent of models.contact; None: a mail to sales, which knows none."""

    @property
    def account_stopped_why(self) -> str | None:
        """What stopped the account's sequences: a reply, a meeting …; None: nothing did."""

    @property
    def pause(self) -> ActivePause | None:
        """The account's pause or the person's absence: in force, or (at planning) over since lately."""

    @property
    def country(self) -> str | None:
        """ISO code, upper case."""

    @property
    def time_zone(self) -> str | None:
        """IANA name, where it is known."""


@dataclass(frozen=True, slots=True)
class ContentChoice:
    """What the content library has for a lead's next letter: kind asked for → slug of a content asset."""

    assets: Mapping[str, str] | None = None  # None: the letter asks for none
    lacking: str | None = None  # a kind the letter cannot do without and of which nothing is left


class EnrolledLead(NamedTuple):
    """One enrolled lead as the planning policies see it. The first fields are those of a Candidate row, in order."""

    enrolment_id: int
    contact_id: int
    address: str
    account_id: int | None
    entered_at: datetime
    role: str | None
    title_role: str | None  # what the title alone says: a champion is still a specifier
    stage: str
    consent: str
    suppressed_why: str | None
    account_stopped_why: str | None
    country: str | None
    time_zone: str | None
    open_opportunities: int = 0
    contract_at: datetime | None = None  # the account's last deal won
    goal_at: datetime | None = None  # the account's last deal not lost, or the person's last order
    past: tuple[PastLetter, ...] = ()
    conditions_met: frozenset[str] = frozenset()  # letters whose `when` is true now; and EXIT_WHEN, GOAL_WHEN
    pause: ActivePause | None = None
    sales_said_no: SalesNo | None = None  # to the person, or to their company
    left_audience: bool = False  # what keeps leads in the campaign is no longer true of them
    outranked_by: str | None = None  # in words: which sequence has the account instead, and why
    colleagues_did: frozenset[tuple[str, str]] = frozenset()  # (role, what its people at the account did here)
    content: ContentChoice = ContentChoice()
    unit: str = ""  # what a holdout draws: the account's key, else the person's; loaded where there is a holdout
    in_global_holdout: bool = False


class LeadsTurn(NamedTuple):
    """A lead and the step that comes next for them: what a planning policy is asked about."""

    lead: EnrolledLead
    number: int | None  # of the step, from 0; None: no step is left
    step: Step | None
    now: datetime


class MessageFacts(NamedTuple):
    """One planned message as the policies before sending see it."""

    message_id: int
    address: str
    account_id: int | None
    suppressed_why: str | None
    consent: str | None  # None: a mail to sales, which knows none
    account_stopped_why: str | None
    country: str | None
    time_zone: str | None
    not_after: datetime
    send_pause: str | None = None  # why sending is paused
    pause: ActivePause | None = None
    person: str | None = None  # who has this and other addresses, where somebody has confirmed that
    had_at: str | None = None  # the person's other address at which they had this very letter
    letters_lately: int = 0  # to this person, in the campaign's `per_days`
    colleagues_today: int = 0  # at the account who are written to today already


EXIT_WHEN, GOAL_WHEN = ":exit", ":goal"  # stand in `conditions_met` beside the letters whose `when` is true
