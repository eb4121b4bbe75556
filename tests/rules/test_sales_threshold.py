"""As many leads as the reps can call well, the best ones, and what that gains."""

import pytest

from nurture.rules.handoff.sales_threshold import calls_in, mql_threshold

SCORES = [0.9, 0.5, 0.5, 0.5, 0.2, 0.1]


def test_capacity_counts_working_weeks_only():
    assert calls_in(12.5, [4, 3.2, 0, -1]) == 90


@pytest.mark.parametrize(
    ("calls", "score", "leads"),
    [
        (6, 0.1, 6),
        (5, 0.2, 5),
        (4, 0.5, 4),
        (3, 0.9, 1),  # three alike would be one too many: luck does not choose among them
        (1, 0.9, 1),
        (0, 1.01, 0),
        (99, 0.1, 6),
    ],
)
def test_no_more_leads_than_calls(calls, score, leads):
    found = mql_threshold(SCORES, calls)
    assert (found.score, found.leads) == (score, leads)


def test_if_all_the_best_are_alike_they_all_go():
    assert mql_threshold([0.5, 0.5, 0.1], 1).leads == 2


def test_no_lead_is_called_that_is_not_worth_it():
    assert mql_threshold(SCORES, 6, least=0.4).leads == 4


def test_it_says_what_it_gains():
    found = mql_threshold(SCORES, 4)
    assert found.sales == pytest.approx(2.4)
    assert found.at_random == pytest.approx(2.7 * 4 / 6)
    assert found.next_lead == 0.2
    assert found.calls_per_sale == pytest.approx(4 / 2.4)
    assert found.sentence.startswith("From a score of 50% on, 4 of 6 leads go to sales.")
    assert mql_threshold([], 5).leads == 0
