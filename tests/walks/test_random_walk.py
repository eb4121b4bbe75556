"""The promise about sending, walked at random: workers die and freeze anywhere, the provider does anything.

Each walk is a few hundred steps from a seed; tests/walks says what can happen in one. A failure prints its seed and
its last steps. Longer: `python -m tests.walks --walks 1000`.
"""

from itertools import chain

import pytest

from models.delivery_states import ATTEMPT_NEXT, MESSAGE_NEXT, AttemptState, Trigger
from tests.walks.outbox_model import CANCEL_WEIGHTS
from tests.walks.walk import Walk, walk

TOGETHER = True  # one worker: what the file makes once is costly

SEEDS = [(seed, "hold") for seed in range(10)] + [(seed, "cancel") for seed in range(6)]
MORE = [(seed, policy) for seed in range(10, 72) for policy in ("cancel", "hold")]  # walked only until everything was
# seen, for a change of the code shifts the story of every seed


@pytest.fixture(scope="module")
def walks() -> list[Walk]:
    return [walk(seed, policy=policy) for seed, policy in SEEDS]


@pytest.mark.slow
def test_never_twice_never_after_a_stop_never_lost(walks: list[Walk]) -> None:
    """Every invariant is checked after every commit of every walk; see tests/walks/invariants.py."""
    assert sum(len(w.log) for w in walks) > 100  # letters that the provider took


@pytest.mark.hunt  # until all was seen: half a minute and more
def test_a_walk_goes_everywhere(walks: list[Walk]) -> None:
    """What a walk never does it cannot find fault with: all of the table is walked, but for what our provider takes no
    part in (a sandbox's look, an event for a request that it had refused, a step sent again by a person) and what no
    commit shows: a state that stays, a request armed and void in one transaction."""
    missing: set[tuple[str, ...]] = {("move", name) for name in CANCEL_WEIGHTS}
    for name, table in (("message", MESSAGE_NEXT), ("attempt", ATTEMPT_NEXT)):
        missing |= {
            (name, before, after)
            for (before, what), after in table.items()
            if before != after
            and what not in (Trigger.TRIED, Trigger.RESEND)
            and (what != Trigger.EVENT or before in ("armed", "unknown"))
            and (before, what) != (AttemptState.ARMED, Trigger.ALL_FORBIDDEN)
        }
    for w in chain(walks, (walk(seed, policy=policy) for seed, policy in MORE)):
        missing -= w.seen | {("move", name) for name in w.moves}
        if not missing:
            return
    pytest.fail(f"no walk of {len(SEEDS) + len(MORE)} saw {sorted(missing)}")


def test_a_seed_tells_the_same_story_again() -> None:
    assert walk(3, 150) == walk(3, 150)
