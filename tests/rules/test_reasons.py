"""Every reason is a row of one table, some code can produce it, and the page of reasons is made from it."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models import account_pause
from models.account_pause import AUTOMATIC, ActivePause
from models.address import SuppressedBy
from models.delivery_states import State
from models.queries import active_enrolments, eligibility, holdout_lift, letter_stops
from models.queries.active_enrolments import PastLetter
from models.queries.sales_answers import REJECTED_BY_SALES, SalesNo
from nurture.rules.eligibility.facts import ContentChoice, EnrolledLead, LeadsTurn, MessageFacts
from nurture.rules.eligibility.messages import may_leave_until, objection
from nurture.rules.planning.campaign import AccountPolicy, After, Campaign, Hours, Offer, Span, Step
from nurture.rules.planning.sequences import next_letter, next_step
from nurture.rules.reasons import (
    ASK_ANEW,
    ENDS_RUN,
    RARE_FACTS,
    RETIRED,
    SUPPRESSED,
    Asked,
    Exit,
    Reason,
    Skip,
    Wait,
    asked_of_lead,
    asked_of_message,
    sentence_of,
)

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)
PUMPS = Campaign(
    "pumps", "Pumps", "b2b", "opportunity", "1 = 1",
    (Step("why", (), Span(time=DAY)), Step("roi", when="clicks_30d >= 1", after=After(("user",)))), max_per_person=3,
)  # fmt: skip
SALE = Campaign("sale", "Sale", "b2c", "order", "1 = 1", (Step("offer"),), hours=Hours(days=(1, 2, 3, 4, 5, 6, 7)))
ZOE = "zoe@foo.example"
LEAD = EnrolledLead(1, 1, ZOE, 7, NOW - 9 * DAY, "user", "user", "lead", "granted", None, None, "GB", None)
MESSAGE = MessageFacts(1, ZOE, 7, None, "granted", None, "GB", None, NOW + DAY)
HAD_WHY = (PastLetter("why", State.ACCEPTED, NOW - 2 * DAY),)
OVER = replace(SALE, offer=Offer("X", date(2026, 3, 1)))
HELD_OUT = replace(SALE, holdout=1.0)
LEAVES = replace(PUMPS, account=AccountPolicy(outranked="leave"))
TENDER, ABSENT = ActivePause(NOW + DAY, "tender", "Sam"), ActivePause(NOW + DAY, "is out of office", AUTOMATIC)

LEADS: list[tuple[Reason, dict[str, Any], Campaign]] = [  # what planning says to whom
    (Reason.GOAL_REACHED, {"conditions_met": frozenset({":goal"})}, PUMPS),
    (Reason.EXIT_CONDITION, {"conditions_met": frozenset({":exit"})}, PUMPS),
    (Reason.ACCOUNT_STOPPED, {"open_opportunities": 1}, PUMPS),
    (Reason.ALREADY_CUSTOMER, {"stage": "customer"}, PUMPS),
    (Reason.REJECTED_BY_SALES, {"sales_said_no": SalesNo(NOW - DAY, "no_need")}, PUMPS),
    (Reason.REJECTED_BY_SALES, {"sales_said_no": SalesNo(NOW - 99 * DAY, "competitor", of_company=True)}, PUMPS),
    *((Reason(by.skip_reason), {"suppressed_why": by}, PUMPS) for by in SuppressedBy),
    (Reason.NO_CONSENT, {"consent": "unknown"}, PUMPS),
    (Reason.OFFER_OVER, {}, OVER),
    (Reason.WITH_SALES, {"stage": "mql"}, PUMPS),
    (Reason.EARLIER_LETTER_OPEN, {"past": (PastLetter("why", State.UNKNOWN, NOW - DAY),)}, PUMPS),
    (Reason.FINISHED, {"past": (*HAD_WHY, PastLetter("roi", State.ACCEPTED, NOW - DAY))}, PUMPS),
    (Reason.WAIT_NOT_OVER, {"entered_at": NOW}, PUMPS),
    (Reason.AWAY, {"pause": ABSENT}, PUMPS),
    (Reason.ACCOUNT_PAUSED, {"pause": TENDER}, PUMPS),
    (Reason.NOT_IN_AUDIENCE, {"left_audience": True}, PUMPS),
    (Reason.OUTRANKED, {"outranked_by": "b has the account"}, PUMPS),
    (Reason.OUTRANKED, {"outranked_by": "b has the account"}, LEAVES),
    (Reason.CONDITION_NOT_MET, {"past": HAD_WHY}, PUMPS),
    (Reason.GLOBAL_HOLDOUT, {"in_global_holdout": True}, PUMPS),
    (Reason.HOLDOUT, {}, HELD_OUT),
    (Reason.NO_CONTENT_LEFT, {"content": ContentChoice(lacking="case study")}, PUMPS),
]
BOTH, CLAIM = (Asked.CLAIM, Asked.ARMING), (Asked.CLAIM,)
MESSAGES: list[tuple[Reason, dict[str, Any], tuple[Asked, ...]]] = [  # what is said of a message before it is sent
    (Reason.ACCOUNT_STOPPED, {"account_stopped_why": "reply"}, BOTH),
    *((Reason(by.skip_reason), {"suppressed_why": by}, BOTH) for by in SuppressedBy),
    (Reason.NO_CONSENT, {"consent": "withdrawn"}, BOTH),
    (Reason.OFFER_OVER, {}, BOTH),
    (Reason.EXPIRED, {"not_after": NOW - DAY}, BOTH),
    (Reason.HAD_ELSEWHERE, {"had_at": "zoe@home.example"}, CLAIM),
    (Reason.PAUSED, {"send_pause": "Mia said so"}, BOTH),
    (Reason.AWAY, {"pause": ABSENT}, BOTH),
    (Reason.ACCOUNT_PAUSED, {"pause": TENDER}, BOTH),
    (Reason.OUTSIDE_HOURS, {"country": "NZ"}, BOTH),
    (Reason.FREQUENCY_CAP, {"letters_lately": 3}, CLAIM),
    (Reason.ACCOUNT_CAP, {"colleagues_today": 2}, CLAIM),
]


@pytest.mark.parametrize(("reason", "change", "terms"), LEADS)
def test_planning_says_each_of_its_reasons(reason: Reason, change: dict[str, Any], terms: Campaign) -> None:
    said = next_letter(LEAD._replace(**change), terms, NOW)
    assert isinstance(said, Skip | Wait | Exit)
    assert said.reason is reason


@pytest.mark.parametrize(("reason", "change", "when"), MESSAGES)
def test_claim_and_arming_say_each_of_their_reasons(
    reason: Reason, change: dict[str, Any], when: tuple[Asked, ...]
) -> None:
    terms = OVER if reason is Reason.OFFER_OVER else PUMPS
    for moment in BOTH:
        said = objection(MESSAGE._replace(**change), terms, NOW, moment)
        assert (said.reason if said else None) == (reason if moment in when else None)


def test_no_reason_stands_in_the_table_that_no_code_can_produce() -> None:
    assert {reason for reason, _, _ in asked_of_lead()} == {reason for reason, _, _ in LEADS}
    asked = {reason for when in BOTH for reason, _, _ in asked_of_message(when)}
    assert asked == {reason for reason, _, _ in MESSAGES}
    said = {name for room in ("nurture", "tasks") for name in _reasons_said(ROOT / room)}
    assert {reason.name for reason in Reason if reason.policy.asked is Asked.AFTERWARDS} <= said


def _reasons_said(room: Path) -> Iterator[str]:
    """The names of reasons that code gives: Reason.SANDBOX within a call."""
    for file in room.rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text("utf-8"))):
            for said in call.args if isinstance(call, ast.Call) else ():
                if isinstance(said, ast.Attribute) and isinstance(said.value, ast.Name) and said.value.id == "Reason":
                    yield said.attr


class _Watched:
    """A row that remembers which of its fields were read."""

    def __init__(self, row: EnrolledLead | MessageFacts) -> None:
        self.row, self.read = row, set[str]()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self.row, name)


def test_a_policy_reads_no_facts_but_those_its_row_names() -> None:
    for example, change, terms in LEADS:
        lead = LEAD._replace(**change)
        watched: Any = _Watched(lead)
        for reason, _, check in asked_of_lead():
            watched.read.clear()
            check(LeadsTurn(watched, *next_step(lead, terms), NOW), terms)
            assert watched.read <= {*reason.policy.facts, *PLACE}, f"{reason}, asked of the lead of {example}"
    for example, change, _ in MESSAGES:
        watched = _Watched(MESSAGE._replace(**change))
        for reason, _, check in asked_of_message(Asked.CLAIM):
            watched.read.clear()
            check(watched, PUMPS, NOW)
            assert watched.read <= {*reason.policy.facts, *PLACE}, f"{reason}, asked of the message of {example}"


def test_a_policy_that_names_rare_facts_cannot_object_without_one() -> None:
    nothing = {fact: LEAD._asdict()[fact] for fact in RARE_FACTS}  # whoever has none of them
    assert not any(nothing.values())
    for _, change, terms in LEADS:
        lead = LEAD._replace(**change)
        for reason, _, check in asked_of_lead():
            if rare := reason.policy.only_with:
                assert set(rare) <= set(reason.policy.facts)
                without = lead._replace(**{fact: nothing[fact] for fact in rare})
                assert check(LeadsTurn(without, *next_step(without, terms), NOW), terms) is None, reason
    assert {reason for reason, _, _ in asked_of_lead(())} == {
        reason for reason, _, _ in asked_of_lead() if not reason.policy.only_with
    }


PLACE = ("country", "time_zone")


def test_what_is_asked_at_the_arming_is_known_there() -> None:
    given = {"send_pause", "pause"}  # asked separately: there is hardly ever one
    needed = {fact for reason, _, _ in asked_of_message(Asked.ARMING) for fact in reason.policy.facts}
    needed &= set(MessageFacts._fields)
    assert needed - given <= set(eligibility.EligibilityGroup._fields)
    assert eligibility.EligibilityRow._fields == MessageFacts._fields[: len(eligibility.EligibilityRow._fields)]
    assert MessageFacts._fields[3:9] == eligibility.EligibilityGroup._fields
    assert active_enrolments.Candidate._fields == EnrolledLead._fields[: len(active_enrolments.Candidate._fields)]


def test_what_is_final_about_the_person_is_asked_before_waits_and_conditions() -> None:
    gone = LEAD._replace(suppressed_why="unsubscribe")
    for change in ({"entered_at": NOW}, {"past": HAD_WHY}, {"pause": TENDER}, {"stage": "mql"}, {"outranked_by": "b"}):
        said = next_letter(gone._replace(**change), PUMPS, NOW)
        assert isinstance(said, Skip)
        assert said.reason is Reason.UNSUBSCRIBED
    late = LEAD._replace(past=HAD_WHY, consent="unknown")
    assert next_letter(late, PUMPS, NOW + 99 * DAY) == Skip(Reason.NO_CONSENT, "", "roi", 1)  # not "never met"


def test_policies_of_each_time_stand_in_one_order() -> None:
    order = list(Reason)
    for rows in (asked_of_lead(), asked_of_message(Asked.CLAIM), asked_of_message(Asked.ARMING)):
        places = [order.index(row[0]) for row in rows]
        assert places == sorted(places)
    final = [r for r in Reason if r.policy.of_message and r.policy.final]
    assert max(map(order.index, final)) < min(order.index(r) for r in Reason if r.policy.asked and not r.policy.final)


def test_the_sets_beside_the_table_follow_from_it() -> None:
    assert set(SUPPRESSED) == set(SuppressedBy) == set(letter_stops.REASON_OF)
    left = {Reason.HOLDOUT, Reason.GLOBAL_HOLDOUT, Reason.REFUSED_BY_PROVIDER, Reason.OFFER_OVER}
    assert {*SUPPRESSED.values(), *left} < ENDS_RUN
    assert Reason.EXPIRED not in ENDS_RUN
    assert Reason.CONDITION_NOT_MET not in ENDS_RUN
    assert Reason.NO_CONTENT_LEFT not in ENDS_RUN
    assert set(ASK_ANEW) == {
        *SUPPRESSED.values(), Reason.NO_CONSENT, Reason.ACCOUNT_STOPPED, Reason.OFFER_OVER, Reason.EXPIRED,
        Reason.NOT_RENDERED, Reason.REFUSED_BY_PROVIDER, Reason.SANDBOX,
    }  # fmt: skip
    held_out = {holdout_lift.HOLDOUT, holdout_lift.GLOBAL_HOLDOUT}
    assert {*account_pause.WAIT_REASONS, letter_stops.ACCOUNT_STOPPED, REJECTED_BY_SALES, *held_out} <= set(Reason)


def test_a_resend_asks_what_is_final_and_minds_no_wait() -> None:
    assert may_leave_until(MESSAGE._replace(not_after=NOW - DAY), PUMPS, NOW) == NOW + PUMPS.expires_after
    assert may_leave_until(MESSAGE._replace(send_pause="Mia", country="NZ"), PUMPS, NOW)
    assert may_leave_until(MESSAGE._replace(consent="unknown"), PUMPS, NOW) is None
    assert may_leave_until(MESSAGE, OVER, NOW) is None


def test_mails_to_sales_know_neither_consent_nor_hours() -> None:
    mail = MESSAGE._replace(consent=None, country="NZ", letters_lately=99)
    assert objection(mail, None, NOW, Asked.CLAIM) is None
    assert objection(mail._replace(suppressed_why="bounce"), None, NOW, Asked.ARMING) == Skip(Reason.BOUNCED)


def test_what_older_versions_wrote_can_still_be_told() -> None:
    assert not set(RETIRED) & set(Reason)
    assert sentence_of("no_step_for_role") == "no letter is meant for this role"
    assert sentence_of("of a version to come") == "of a version to come"
    assert sentence_of(None) == "no reason was kept"


WHEN = {Asked.PLANNING: "planning", Asked.CLAIM: "claim", Asked.ARMING: "arming", Asked.AFTERWARDS: "afterwards"}
HEAD = "| reason | in words | then | asked at |\n|---|---|---|---|\n"


def test_the_page_of_reasons_is_made_from_the_table(pytestconfig: pytest.Config) -> None:
    page = ROOT / "docs" / "reasons.md"
    before, _, _ = page.read_text("utf-8").partition("| reason |")
    rows = [
        f"| `{reason}` | {reason.sentence} | {reason.policy.follows or reason.policy.then.value} | "
        f"{', '.join(word for when, word in WHEN.items() if when in reason.policy.asked)} |\n"
        for reason in Reason
    ]
    made = before + HEAD + "".join(rows)
    if pytestconfig.getoption("--record"):
        page.write_text(made, "utf-8")
    assert page.read_text("utf-8") == made, "docs/reasons.md is not what the table says: pytest --record writes it anew"
