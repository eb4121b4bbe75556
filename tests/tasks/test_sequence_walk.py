"""An account lives through anything, with a clock that jumps: what must hold of its letters whatever happens."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from models.account_pause import ActivePause
from models.delivery_states import State
from models.message import WORKING_DAY
from models.queries.active_enrolments import PastLetter
from nurture.rules.eligibility.facts import EnrolledLead, MessageFacts
from nurture.rules.eligibility.messages import check_batch
from nurture.rules.planning.campaign import AccountPolicy, After, Campaign, Hours, Span, Step
from nurture.rules.planning.hours import is_business_day, zone_of
from nurture.rules.planning.sequences import next_letter, stagger
from nurture.rules.reasons import Asked, Exit, Send, Skip

START = datetime(2026, 3, 25, 7, tzinfo=UTC)  # a few days before Europe changes its clocks
CAP = 2
PUMPS = Campaign(
    slug="pumps", name="Pumps", market="b2b", goal="demo", audience="1 = 1", hours=Hours(),
    account=AccountPolicy(max_contacts_per_day=CAP),
    steps=(
        Step("why", ("specifier", "user")),
        Step("roi", ("authorizer",), after=After(("specifier",), "clicked"), patience=timedelta(days=12)),
        Step("proof", (), Span(business_days=2)),
        Step("last", (), Span(time=timedelta(days=3)), when="clicks_30d >= 1", patience=timedelta(days=5)),
    ),
)  # fmt: skip
GROUP = (
    ("zoe", "specifier", "DE"), ("ann", "user", "US"), ("ruth", "authorizer", "DE"), ("liu", "authorizer", "CN"),
    ("mel", "user", "AU"), ("bo", "specifier", "BR"),
)  # fmt: skip


@dataclass
class Letter:
    member: int
    letter: str
    state: State
    not_before: datetime
    not_after: datetime
    at: datetime
    reason: str | None = None
    outcome: str | None = None


@dataclass
class Account:
    """The planner and the outbox in memory, with the real rules."""

    now: datetime = START
    letters: list[Letter] = field(default_factory=list)
    left: set[int] = field(default_factory=set)
    stopped: str | None = None
    gone: set[int] = field(default_factory=set)
    rest: ActivePause | None = None
    clicked: set[int] = field(default_factory=set)

    def lead(self, n: int) -> EnrolledLead:
        _, role, country = GROUP[n]
        seen = {(GROUP[x.member][1], did) for x in self.letters if x.state is State.ACCEPTED
                for did in (("sent", "clicked") if x.outcome else ("sent",))}  # fmt: skip
        return EnrolledLead(
            n, n, GROUP[n][0], 1, START, role, None, "lead", "granted", "unsubscribe" if n in self.gone else None,
            self.stopped, country, None,
            past=tuple(PastLetter(x.letter, x.state, x.at, x.reason) for x in self.letters if x.member == n),
            conditions_met=frozenset({"last"} if n in self.clicked else ()),
            pause=self.rest,
            colleagues_did=frozenset(seen),
        )  # fmt: skip

    def plan(self) -> None:
        sends = []
        for n in range(len(GROUP)):
            if n in self.left:
                continue
            member = self.lead(n)
            said = next_letter(member, PUMPS, self.now)
            if isinstance(said, Send):
                assert said.not_before >= self.now
                sends.append((member, said))
            elif isinstance(said, Skip) and said.letter:
                self.letters.append(Letter(n, said.letter, State.SKIPPED, self.now, self.now, self.now, said.reason))
            elif isinstance(said, Exit):
                self.left.add(n)
        booked: dict[tuple[int, date], int] = {}
        for x in self.letters:
            if x.state in (State.WAITING, State.ACCEPTED):
                key = (1, (x.at if x.state is State.ACCEPTED else x.not_before).astimezone(self.zone(x)).date())
                booked[key] = booked.get(key, 0) + 1
        for member, send in stagger(sends, booked, PUMPS):
            assert in_window(send.not_before, member)
            self.letters.append(Letter(member.contact_id, send.letter, State.WAITING, send.not_before, send.not_after,
                                       self.now))  # fmt: skip

    def deliver(self) -> None:
        due = [x for x in self.letters if x.state is State.WAITING and x.not_before <= self.now]
        rows = [self.row(i, x) for i, x in enumerate(due)]
        result = check_batch(rows, PUMPS, self.now, Asked.CLAIM)
        for i in result.go:
            due[i].state, due[i].at = State.ACCEPTED, self.now
        for i, no in result.skip.items():
            due[i].state, due[i].reason = State.SKIPPED, no.reason
        for i, later in result.wait.items():
            due[i].not_before = later.until or due[i].not_before
            if self.rest:
                due[i].not_after += max(self.rest.until - self.now, timedelta(0))

    def row(self, i: int, x: Letter) -> MessageFacts:
        n, sent = x.member, [y for y in self.letters if y.state is State.ACCEPTED]
        today = {y.member for y in sent if y.at > self.now - WORKING_DAY} - {n}
        lately = sum(y.member == n and y.at > self.now - timedelta(days=7) for y in sent)
        pause = self.rest if self.rest and self.rest.until > self.now else None
        return MessageFacts(
            i, GROUP[n][0], 1, "unsubscribe" if n in self.gone else None, "granted", self.stopped, GROUP[n][2], None,
            x.not_after, pause=pause, letters_lately=lately, colleagues_today=len(today),
        )  # fmt: skip

    def zone(self, x: Letter) -> Any:
        return zone_of(GROUP[x.member][2])


def in_window(moment: datetime, lead: EnrolledLead) -> bool:
    there = moment.astimezone(zone_of(lead.country))
    return PUMPS.hours.start <= there.time() < PUMPS.hours.end and is_business_day(there.date(), lead.country)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from([-30, 0, 1, 3, 8, 9, 14, 20, 24, 25, 48, 72, 400]),  # hours pass, or a clock goes back
        st.sampled_from(["", "", "", "", "click", "click", "leave", "pause", "reply"]),
        st.integers(0, len(GROUP) - 1),
    ),
    min_size=20, max_size=60,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(EVENTS)
def test_whatever_happens_letters_leave_in_order_in_their_hours_and_never_too_many_a_day(
    events: Sequence[tuple[int, str, int]],
) -> None:
    account = Account()
    for hours, what, n in events:
        account.now += timedelta(hours=hours)
        match what:
            case "click":
                account.clicked.add(n)
                for x in account.letters:
                    if x.member == n and x.state is State.ACCEPTED:
                        x.outcome = "clicked"
            case "leave":
                account.gone.add(n)
            case "pause":
                account.rest = ActivePause(account.now + timedelta(days=n + 1), "tender", "Sam")
            case "reply" if hours == 400:
                account.stopped = "reply"
        before = [replace(x) for x in account.letters if x.state is State.ACCEPTED]
        account.plan()
        account.deliver()
        new = [x for x in account.letters if x.state is State.ACCEPTED and x.at == account.now and x not in before]
        for x in new:
            assert in_window(x.at, account.lead(x.member))
            assert x.member not in account.gone
            assert not account.stopped
            assert not (account.rest and account.rest.until > account.now)
    check(account)


def check(account: Account) -> None:
    order = [step.letter for step in PUMPS.steps]
    for n in range(len(GROUP)):
        mine = [x.letter for x in account.letters if x.member == n]
        assert len(mine) == len(set(mine))  # never twice
        assert mine == sorted(mine, key=order.index)  # in order
    sent = sorted((x.at, x.member) for x in account.letters if x.state is State.ACCEPTED)
    for moment, _ in sent:  # no more of them on one day, wherever on earth each of them is
        assert len({who for at, who in sent if moment - WORKING_DAY < at <= moment}) <= CAP
    days: dict[tuple[str, date], set[int]] = {}
    for x in account.letters:
        if x.state is State.ACCEPTED:
            key = (GROUP[x.member][2], x.at.astimezone(account.zone(x)).date())
            days.setdefault(key, set()).add(x.member)
    assert all(len(who) <= CAP for who in days.values())
