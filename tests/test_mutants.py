"""The test of the tests: thirteen mistakes one makes when sending mail, planted into the code and found by walking.

FOUND says which walk finds each: the seed it begins with and the step at which somebody got a second letter, or one
after a stop. The two controls belong to a policy that nurture does not have (tests/walks/resend.py). A change of the
code can shift the story of a seed, so the hunt goes on from there for some walks more.
`python -m tests.walks --mutants --walks 200` makes the list anew.
"""

import pytest

from tests.walks.walk import MUTANTS, hunt, walk

FOUND = {  # (seed, step)
    "500 treated as not sent": (3, 96),
    "reaping armed attempts": (3, 75),
    "arming without the fence": (35, 109),
    "arming without the suppression check": (22, 439),
    "finish without the state condition": (29, 289),
    "resend without proof": (1, 216),
    "skipping “still armed?”": (75, 265),
    "a last look without the lease": (2, 251),
    "no positive control": (9, 385),
    "no ear control": (71, 367),
    "sg_event_id as the only key": (3, 202),
    "planning without the unique key": (0, 458),
    "suppressing only waiting rows": (0, 212),
}
WALKS = 30  # from the seed on

# Apart from `make test` (`make hunt` runs it): every change of the sending code shifts the stories behind these seeds,
# and since the brakes and the provider's log came some have to be found anew. tests/test_random_walk.py runs always.
pytestmark = pytest.mark.hunt


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_walk_finds_the_mistake(mutant) -> None:
    seed, _ = FOUND[mutant.name]
    caught = hunt(mutant, seed, WALKS)
    assert caught, f"{WALKS} walks from seed {seed} on did not see “{mutant.breaks}”"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_code_as_it_is_walks_there_unharmed(mutant) -> None:
    seed, step = FOUND[mutant.name]
    walk(seed, step, mutant.policy)


def test_every_mistake_has_its_seed() -> None:
    assert [mutant.name for mutant in MUTANTS] == list(FOUND)
