"""The promise about sending, walked at random: workers die and freeze anywhere, the provider does anything.

Each walk is a few hundred steps from a seed; tests/walks says what can happen in one. A failure prints its seed and
its last steps. Longer: `python -m tests.walks --walks 1000`.
"""

import pytest

from nurture.rules.delivery import ATTEMPT_NEXT, MESSAGE_NEXT, Verdict
from tests.walks.walk import Walk, walk

SEEDS = range(30)


@pytest.fixture(scope="module")
def walks() -> list[Walk]:
    return [walk(seed) for seed in SEEDS]


@pytest.mark.slow
def test_never_twice_never_after_a_stop_never_lost(walks: list[Walk]) -> None:
    """Every invariant is checked after every commit of every walk; see tests/walks/witness.py."""
    assert sum(len(w.log) for w in walks) > 100  # letters that the provider took


def test_a_walk_goes_everywhere(walks: list[Walk]) -> None:
    """What a walk never does it cannot find fault with: all of the table is walked, but for the two steps that our
    provider takes no part in: a sandbox's look, and an event for a request that it had refused."""
    seen = {step for w in walks for step in w.seen}
    for name, table in (("message", MESSAGE_NEXT), ("attempt", ATTEMPT_NEXT)):
        never = {
            (name, before, after)
            for (before, what), after in table.items()
            if what != Verdict.TRIED and (what != "event" or before in ("armed", "unknown"))
        } - seen
        assert not never, f"no walk of these seeds saw {sorted(never)}"
    assert {move for w in walks for move in w.moves} >= {"crash", "wake", "database fails", "look up", "leave"}


def test_a_seed_tells_the_same_story_again() -> None:
    assert walk(3, 150) == walk(3, 150)
