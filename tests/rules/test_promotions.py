"""Offers: who is held out, and nothing after the last day where the person lives."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from models.delivery_states import State
from models.queries.active_enrolments import PastLetter
from nurture.rules.planning.campaign import Campaign, Hours, Offer, Step
from nurture.rules.planning.holdouts import held_out
from nurture.rules.planning.sequences import next_letter
from nurture.rules.reasons import Reason, Send, Skip
from tests.rules.test_sequences import PUMPS, ZOE

SALE = Campaign(
    slug="spring-sale", name="Spring", market="b2c", goal="order", audience="1 = 1", steps=(Step("offer"),),
    hours=Hours(time(18), time(21), (1, 2, 3, 4, 5, 6, 7)), offer=Offer("SPRING15", date(2026, 3, 20), 15),
)  # fmt: skip
ANA = ZOE._replace(account_id=None, role=None, stage="aware", country="RO")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_the_offer_leaves_in_the_evening_where_she_lives() -> None:
    send = next_letter(ANA, SALE, NOON)
    assert isinstance(send, Send)
    assert send.not_before == datetime(2026, 3, 2, 16, tzinfo=UTC)  # 18:00 in Bucharest


def test_it_never_leaves_after_its_last_day_there() -> None:
    last = next_letter(ANA, SALE, datetime(2026, 3, 20, 17, tzinfo=UTC))
    assert isinstance(last, Send)
    assert last.not_after == datetime(2026, 3, 20, 21, 59, 59, tzinfo=UTC)  # midnight in Bucharest
    late = next_letter(ANA, SALE, datetime(2026, 3, 20, 20, tzinfo=UTC))
    assert late == Skip(Reason.OFFER_OVER, "the offer ended on 20 March", "offer", 0)


def test_the_holdout_is_the_same_people_every_time_and_about_its_share() -> None:
    people = [f"{i}@home.example" for i in range(10_000)]
    held = {p for p in people if held_out(p, "spring-sale", 0.1)}
    assert held == {p for p in people if held_out(p, "spring-sale", 0.1)}
    assert 900 < len(held) < 1_100
    assert held <= {p for p in people if held_out(p, "spring-sale", 0.2)}  # a larger holdout keeps the smaller one
    assert held != {p for p in people if held_out(p, "autumn-sale", 0.1)}
    assert not any(held_out(p, "spring-sale", 0.0) for p in people)


def test_whoever_has_had_a_letter_of_the_campaign_is_not_held_out_of_the_next() -> None:
    two = replace(SALE, steps=(Step("offer"), Step("last-days")), holdout=1.0)
    had = ANA._replace(past=(PastLetter("offer", State.ACCEPTED, NOON - timedelta(days=3)),))
    assert isinstance(next_letter(had, two, NOON), Send)
    skipped = ANA._replace(past=(PastLetter("offer", State.SKIPPED, NOON - timedelta(days=3), "not_rendered"),))
    assert next_letter(skipped, two, NOON) == Skip(Reason.HOLDOUT, "", "last-days", 1)
    everywhere = next_letter(had._replace(in_global_holdout=True), two, NOON)
    assert everywhere == Skip(Reason.GLOBAL_HOLDOUT, "", "last-days", 1)  # no campaign mails them


def test_in_b2b_the_words_say_that_the_account_is_held_out() -> None:
    said = next_letter(ZOE, replace(PUMPS, holdout=1.0), NOON)
    assert isinstance(said, Skip)
    assert said.sentence() == "their account is in the holdout, kept unmailed on purpose"


def test_the_held_out_are_planned_and_skipped_so_that_the_ledger_can_name_them() -> None:
    whole = replace(SALE, holdout=1.0)
    assert next_letter(ANA, whole, NOON) == Skip(Reason.HOLDOUT, "", "offer", 0)
    gone = next_letter(ANA._replace(suppressed_why="unsubscribe"), whole, NOON)
    assert gone == Skip(
        Reason.UNSUBSCRIBED, "", "offer", 0
    )  # whoever could not be mailed anyway is not part of the comparison
