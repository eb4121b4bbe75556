"""What a campaign is: steps, roles, waits, hours, caps, offer. Plain values; nurture.campaigns reads them."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta


@dataclass(frozen=True, slots=True)
class Span:
    """A wait: business days of the recipient's country, or plain time. "P4BD" is Span(business_days=4)."""

    business_days: int = 0
    time: timedelta = timedelta(0)


IF_LATE = ("skip", "send")  # what a step does with a letter that could not leave in time
COLLEAGUES_DID = ("sent", "opened", "clicked", "replied")  # what a step may wait for; each means those before


@dataclass(frozen=True, slots=True)
class After:
    """A thread that waits for another one: a colleague in one of these roles has been sent, or has opened, clicked or
    replied to, a letter of this campaign."""

    roles: tuple[str, ...]
    did: str = "clicked"


@dataclass(frozen=True, slots=True)
class Reentry:
    """May a lead whose run has ended begin again? Neither: never. Whoever comes back gets what they have not had."""

    after: timedelta | None = None  # so long after the run ended
    on_version: bool = False  # once for every version published since

    def allows(self, ended_at: datetime, is_older_version: bool, now: datetime) -> bool:
        """May somebody begin again whose run ended at a moment, with an older version than the one that runs now?"""
        long_ago = self.after is not None and ended_at <= now - self.after
        return long_ago or (self.on_version and is_older_version)


@dataclass(frozen=True, slots=True)
class Step:
    letter: str
    roles: tuple[str, ...] = ()  # nobody named: everybody
    wait: Span = Span()  # after this lead's last letter, or after entering
    when: str | None = None  # a predicate over the audience view
    patience: timedelta = timedelta(days=30)  # how long `when` and `after` may stay false before the step is skipped
    after: After | None = None
    if_late: str = "skip"  # a letter that could not leave within `expires_after`: passed over, or sent late ("send")


@dataclass(frozen=True, slots=True)
class Hours:
    """When a letter may leave, in the recipient's zone. `days` are ISO weekdays, Monday = 1."""

    start: time = time(9, 0)
    end: time = time(17, 0)
    days: tuple[int, ...] = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class AccountPolicy:
    max_contacts_per_day: int = 2
    stop_all_on: tuple[str, ...] = ("reply", "opportunity_open", "meeting_booked", "contract")
    needs_roles: tuple[str, ...] = ()
    exclusive: bool = True  # one such sequence at a time has the account
    outranked: str = "wait"  # what members do while another one has it: "wait" or "leave"


@dataclass(frozen=True, slots=True)
class Offer:
    """A promotion's code. The day `ends_on` is the last on which a letter may leave, in the recipient's zone."""

    code: str
    ends_on: date
    percent: int | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    name: str
    email: str
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    slug: str
    name: str
    market: str  # Market
    goal: str
    audience: str  # a predicate over the audience view
    steps: tuple[Step, ...]
    sender: Sender | None = None  # None: the company's own, from the settings
    account: AccountPolicy = AccountPolicy()
    hours: Hours = Hours()
    offer: Offer | None = None
    priority: int = 50  # 0–100: which of two sequences has the account
    stays_if: str | None = None  # a predicate that keeps a lead inside; "always"; None: the audience
    exit_when: str | None = None  # a predicate: who it becomes true for leaves
    goal_when: str | None = None  # a predicate: for them the goal is reached
    reentry: Reentry = Reentry()
    holdout: float = 0.0  # share kept unmailed on purpose, 0–1
    max_per_person: int = 3  # letters per person, all campaigns together …
    per_days: int = 7  # … in this many days
    expires_after: timedelta = timedelta(days=7)  # a planned letter that could not leave by then is late
    hold_for: timedelta = timedelta(0)  # so long before its time the provider has a letter, which can be cancelled
    extras: dict[str, str] = field(default_factory=dict)  # [words] of the file, for the letters
