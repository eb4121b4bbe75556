"""The test of the tests: the mistakes one makes when sending mail, planted into the code and found by walking.

Each is hunted in a scenario of its own (tests/walks/mutants.py), in which a third of all walks or more meet it (a
quarter, where several requests are armed at once). FOUND says
with which seed to begin; a change of the code shifts the story of a seed, and then one of the next walks finds it.
The two controls belong to a policy that nurture does not have (tests/walks/resend.py).
`python -m tests.walks --mutants --walks 200` shows where each is found now.
"""

import pytest

from tests.walks.walk import MUTANTS, hunt, walk

FOUND = {  # the seed of the walk
    "500 treated as not sent": 0,
    "reaping armed attempts": 0,
    "arming without the fence": 2,
    "arming several requests without the fence": 3,
    "arming without the suppression check": 0,
    "a policy that is not asked at the arming": 0,
    "finish without the state condition": 2,
    "resend without proof": 0,
    "skipping “still armed?”": 1,
    "a last look without the lease": 0,
    "the log's silence without a control": 2,
    "no positive control": 1,
    "no receiver control": 3,
    "sg_event_id as the only key": 0,
    "planning without the unique key": 1,
    "suppressing only waiting rows": 1,
    "a failed cancellation taken for done": 0,
    "cancelling too late": 0,
    "no note of a cancellation": 0,
}
WALKS = 60  # from that seed on: a quarter of them finds it, so 60 miss it once in 10^7 changes of the code


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_walk_finds_the_mistake(mutant) -> None:
    caught = hunt(mutant, FOUND[mutant.name], WALKS)
    assert caught, f"{WALKS} walks from seed {FOUND[mutant.name]} on did not see “{mutant.breaks}”"
    walk(
        caught.seed, caught.step, mutant.policy, scenario=mutant.scenario, settle=False
    )  # unharmed with nothing planted


def test_every_mistake_has_its_seed() -> None:
    assert [mutant.name for mutant in MUTANTS] == list(FOUND)
