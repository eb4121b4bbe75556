"""A walk: a few hundred random steps through one model, and what it saw. A seed tells the same story again."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from random import Random

from tests.walks.database import WalkDatabase
from tests.walks.invariants import KINDS, Violation
from tests.walks.mutants import MUTANTS, Mutant
from tests.walks.outbox_model import OutboxModel
from tests.walks.provider import Taken

STEPS = 200


@dataclass(frozen=True, slots=True)
class Walk:
    """What happened: how many moves and commits, which steps the rows took, what the provider took."""

    moves: Counter[str]
    commits: int
    seen: frozenset[tuple[str, str, str]]
    log: tuple[Taken, ...]


def walk(
    seed: int, steps: int = STEPS, policy: str = "hold", store: WalkDatabase | None = None,
    watch: Collection[str] = KINDS, *, scenario: Mapping[str, float] | None = None, settle: bool = True,
) -> Walk:  # fmt: skip
    """Raises Violation, with a note that says how to see it again."""
    model = OutboxModel(
        Random(seed),
        policy=policy,
        watch=watch,
        scenario=scenario or {},
        **({"store": store} if store else {}),
    )
    moves: Counter[str] = Counter()
    try:
        with model.playing():
            for _ in range(steps):
                moves[model.any_move()] += 1
            if settle:
                model.settle()
    except Violation as violation:
        violation.step = moves.total() + 1
        violation.add_note(
            f"again: python -m tests.walks --seed {seed} --walks 1 --steps {steps} {_how(scenario, policy)}"
        )
        raise
    return Walk(moves, model.invariants.commits, frozenset(model.invariants.seen), tuple(model.provider.log))


def _how(scenario: Mapping[str, float] | None, policy: str) -> str:
    whose = next((mutant.name for mutant in MUTANTS if mutant.scenario is scenario), None)
    return f'--scenario "{whose}"' if whose else f"--policy {policy}"


@dataclass(frozen=True, slots=True)
class Caught:
    """Where a planted mistake showed itself. `steps`: all that were walked until then."""

    seed: int
    step: int
    steps: int
    said: str


def hunt(mutant: Mutant, seed: int, walks: int, steps: int = 300) -> Caught | None:
    """Walk from `seed` on until the planted mistake has done what it does."""
    for n in range(walks):
        try:
            with mutant.planted():
                walk(
                    seed + n,
                    steps,
                    mutant.policy,
                    mutant.store(),
                    {mutant.breaks},
                    scenario=mutant.scenario,
                    settle=False,
                )
        except Violation as violation:
            said, _, _ = str(violation).partition(". The last")
            return Caught(seed + n, violation.step, n * steps + violation.step, said)
    return None


__all__ = ["MUTANTS", "STEPS", "Caught", "Violation", "Walk", "hunt", "walk"]
