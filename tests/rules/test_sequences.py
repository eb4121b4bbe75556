"""Which letter a member of a buying group gets next: plain values in, a decision out."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.account_pause import AUTOMATIC, ActivePause
from models.delivery_states import State
from models.queries.active_enrolments import PastLetter
from nurture.rules.eligibility.facts import EnrolledLead
from nurture.rules.planning.campaign import AccountPolicy, Campaign, Offer, Span, Step
from nurture.rules.planning.sequences import next_letter, stagger
from nurture.rules.reasons import Exit, Reason, Send, Skip, Wait

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PUMPS = Campaign(
    slug="pumps",
    name="Pumps",
    market="b2b",
    goal="opportunity",
    audience="1 = 1",
    account=AccountPolicy(max_contacts_per_day=2),
    steps=(
        Step("why-now", ("specifier", "user")),
        Step("roi-case", ("authorizer", "specifier"), Span(business_days=4), when="account_clicks_30d >= 1"),
        Step("next-step", (), Span(time=timedelta(days=3))),
    ),
)
ZOE = EnrolledLead(
    enrolment_id=1,
    contact_id=1,
    address="zoe@foo.example",
    account_id=7,
    role="specifier",
    title_role=None,
    stage="lead",
    consent="granted",
    suppressed_why=None,
    account_stopped_why=None,
    open_opportunities=0,
    country="DE",
    time_zone=None,
    entered_at=NOW,
)
HAD_WHY = ZOE._replace(past=(PastLetter("why-now", State.ACCEPTED, NOW),))


def test_the_first_letter_goes_at_once_when_it_is_her_hour() -> None:
    assert next_letter(ZOE, PUMPS, NOW) == Send("why-now", 0, NOW, NOW + PUMPS.expires_after)


def test_in_the_night_it_is_planned_for_the_morning() -> None:
    night = datetime(2026, 3, 6, 22, tzinfo=UTC)  # Friday
    assert next_letter(ZOE, PUMPS, night).not_before == datetime(2026, 3, 9, 8, tzinfo=UTC)


def test_a_letter_meant_for_other_roles_is_passed_over() -> None:
    assert next_letter(ZOE._replace(role="purchaser"), PUMPS, NOW + timedelta(days=3)).letter == "next-step"


def test_a_champion_still_gets_what_is_meant_for_her_title() -> None:
    champion = ZOE._replace(role="champion", title_role="specifier")
    assert next_letter(champion, PUMPS, NOW).letter == "why-now"


def test_the_second_letter_waits_for_the_first() -> None:
    on_its_way = ZOE._replace(past=(PastLetter("why-now", State.WAITING, NOW),))
    assert next_letter(on_its_way, PUMPS, NOW + timedelta(days=30)) == Wait(Reason.EARLIER_LETTER_OPEN)
    nobody_knows = ZOE._replace(past=(PastLetter("why-now", State.UNKNOWN, NOW),))
    assert next_letter(nobody_knows, PUMPS, NOW + timedelta(days=30)) == Wait(Reason.EARLIER_LETTER_OPEN)


def test_the_wait_is_counted_in_her_business_days() -> None:
    wait = next_letter(HAD_WHY, PUMPS, NOW + timedelta(days=3))
    assert (wait.reason, wait.until) == (Reason.WAIT_NOT_OVER, datetime(2026, 3, 5, 23, tzinfo=UTC))  # Friday begins
    assert (
        next_letter(HAD_WHY._replace(conditions_met=frozenset({"roi-case"})), PUMPS, NOW + timedelta(days=4)).letter
        == "roi-case"
    )


def test_a_condition_is_waited_for_with_patience_and_then_passed_over_for_good() -> None:
    assert next_letter(HAD_WHY, PUMPS, NOW + timedelta(days=20)).reason is Reason.CONDITION_NOT_MET
    skip = next_letter(HAD_WHY, PUMPS, NOW + timedelta(days=40))
    assert isinstance(skip, Skip)
    assert (skip.reason, skip.letter, skip.step) == (Reason.CONDITION_NOT_MET, "roi-case", 1)


@pytest.mark.parametrize(
    ("change", "decision"),
    [
        ({"suppressed_why": "unsubscribe"}, Skip(Reason.UNSUBSCRIBED, "", "why-now", 0)),
        ({"suppressed_why": "complaint"}, Skip(Reason.COMPLAINED, "", "why-now", 0)),
        ({"consent": "unknown"}, Skip(Reason.NO_CONSENT, "", "why-now", 0)),
        ({"consent": "withdrawn"}, Skip(Reason.NO_CONSENT, "", "why-now", 0)),
        ({"stage": "mql"}, Wait(Reason.WITH_SALES)),
        ({"stage": "customer"}, Exit(Reason.ALREADY_CUSTOMER)),
        ({"account_stopped_why": "reply"}, Exit(Reason.ACCOUNT_STOPPED, "the account's sequence was stopped (reply)")),
        ({"account_stopped_why": "owner"}, Exit(Reason.ACCOUNT_STOPPED, "the account's sequence was stopped (owner)")),
        ({"contract_at": NOW - timedelta(days=1)}, Send("why-now", 0, NOW, NOW + PUMPS.expires_after)),
        ({"contract_at": NOW}, Exit(Reason.ACCOUNT_STOPPED, "the account has signed a contract on 2 March")),
        (
            {"pause": ActivePause(NOW + timedelta(days=2), "tender", "Sam")},
            Wait(Reason.ACCOUNT_PAUSED, "tender (Sam), until 4 March", NOW + timedelta(days=2)),
        ),
        (
            {"pause": ActivePause(NOW + timedelta(days=2), "is out of office", AUTOMATIC)},
            Wait(Reason.AWAY, "is out of office (automatic reply), until 4 March", NOW + timedelta(days=2)),
        ),
        (
            {"outranked_by": "b has the account: it began there first"},
            Wait(Reason.OUTRANKED, "b has the account: it began there first"),
        ),
        ({"goal_at": NOW}, Exit(Reason.GOAL_REACHED, "the goal is reached: an opportunity was opened on 2 March")),
        ({"conditions_met": frozenset({":exit"})}, Exit(Reason.EXIT_CONDITION, "the exit condition is true: None")),
        ({"open_opportunities": 1}, Exit(Reason.ACCOUNT_STOPPED, "the account has an open opportunity")),
    ],
)
def test_what_holds_a_letter_back(change: dict, decision: object) -> None:
    assert next_letter(ZOE._replace(**change), PUMPS, NOW) == decision


def test_a_pause_adds_to_the_steps_patience() -> None:
    paused = HAD_WHY._replace(pause=ActivePause(NOW + timedelta(days=35), "tender", "Sam"))
    assert next_letter(paused, PUMPS, NOW + timedelta(days=40)).reason is Reason.CONDITION_NOT_MET
    assert isinstance(next_letter(paused, PUMPS, NOW + timedelta(days=40)), Wait)
    assert isinstance(next_letter(HAD_WHY, PUMPS, NOW + timedelta(days=40)), Skip)


def test_what_was_before_a_second_run_does_not_end_it() -> None:
    before = PastLetter("next-step", State.SKIPPED, NOW - timedelta(days=9), "unsubscribed")
    again = ZOE._replace(past=(before,))
    assert next_letter(again, PUMPS, NOW).letter == "why-now"


def test_an_account_that_stopped_for_something_the_campaign_does_not_mind_goes_on() -> None:
    patient = replace(PUMPS, account=AccountPolicy(stop_all_on=("meeting_booked",)))
    assert isinstance(next_letter(ZOE._replace(account_stopped_why="reply", open_opportunities=1), patient, NOW), Send)


@pytest.mark.parametrize("reason", ["unsubscribed", "no_consent", "account_stopped", "holdout", "offer_over"])
def test_after_a_goodbye_the_enrolment_ends(reason: str) -> None:
    gone = ZOE._replace(past=(PastLetter("why-now", State.SKIPPED, NOW, reason),))
    assert next_letter(gone, PUMPS, NOW) == Exit(Reason(reason))


def test_whoever_has_had_everything_is_finished() -> None:
    done = tuple(PastLetter(step.letter, State.ACCEPTED, NOW) for step in PUMPS.steps)
    assert next_letter(ZOE._replace(past=done), PUMPS, NOW) == Exit(Reason.FINISHED)


def test_colleagues_are_not_written_to_on_one_morning() -> None:
    group = [(ZOE._replace(contact_id=i, address=f"{i}@foo.example"), next_letter(ZOE, PUMPS, NOW)) for i in range(5)]
    days = [send.not_before.date() for _, send in stagger(group, {(7, date(2026, 3, 2)): 1}, PUMPS)]
    assert days == [date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 3), date(2026, 3, 4), date(2026, 3, 4)]


PASTS = st.lists(
    st.builds(
        PastLetter,
        letter=st.sampled_from(["why-now", "roi-case", "next-step"]),
        state=st.sampled_from(list(State)),
        at=st.datetimes(datetime(2026, 1, 1), datetime(2026, 6, 1), timezones=st.just(UTC)),
        reason=st.sampled_from([None, "unsubscribed", "condition_not_met"]),
    ),
    unique_by=lambda past: past.letter,
)


@given(
    past=PASTS,
    holds=st.frozensets(st.sampled_from(["roi-case"])),
    role=st.sampled_from([None, "specifier", "authorizer", "purchaser"]),
    suppressed=st.sampled_from([None, "unsubscribe"]),
    now=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),
)
def test_whatever_happened_no_letter_twice_none_out_of_order_none_to_the_suppressed(
    past: list[PastLetter], holds: frozenset[str], role: str | None, suppressed: str | None, now: datetime
) -> None:
    lead = ZOE._replace(past=tuple(past), conditions_met=holds, role=role, suppressed_why=suppressed)
    decision = next_letter(lead, PUMPS, now)
    if isinstance(decision, Send):
        had = {p.letter for p in past}
        assert suppressed is None
        assert decision.letter not in had
        assert not any(p.state in ("waiting", "claimed", "armed", "unknown") for p in past)
        meant = [step.letter for step in PUMPS.steps if not step.roles or role in step.roles]
        assert all(letter in had for letter in meant[: meant.index(decision.letter)])
        assert decision.not_before >= now


def test_a_letter_that_came_too_late_is_passed_over_and_the_sequence_goes_on() -> None:
    late = ZOE._replace(past=(PastLetter("why-now", State.SKIPPED, NOW, "expired"),))
    assert next_letter(late, PUMPS, NOW + timedelta(days=1)).reason is Reason.WAIT_NOT_OVER  # of the second letter
    met = late._replace(conditions_met=frozenset({"roi-case"}))
    assert next_letter(met, PUMPS, NOW + timedelta(days=4)).letter == "roi-case"


def test_a_step_may_send_its_letter_late_but_never_after_the_offer() -> None:
    late = replace(PUMPS, steps=(Step("why-now", if_late="send"),))
    said = next_letter(ZOE, late, NOW)
    assert isinstance(said, Send)
    assert said.not_after > NOW + timedelta(days=3_000)
    over = replace(late, offer=Offer("X", date(2026, 3, 20)))
    assert next_letter(ZOE, over, NOW).not_after == datetime(2026, 3, 20, 22, 59, 59, tzinfo=UTC)
    [(_, staggered)] = stagger([(ZOE, said)], {(7, date(2026, 3, 2)): 2}, late)
    assert staggered.not_before.date() == date(2026, 3, 3)
    assert staggered.not_after > NOW + timedelta(days=3_000)
