"""The same model, explored by hypothesis: fewer steps than the random walk, but what it finds it makes short.

The walk finds more (tests/walks/test_random_walk.py); this is where a failure is told in the fewest steps.
"""

from datetime import timedelta
from random import Random

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.walks.outbox_model import OutboxModel


class Outbox(RuleBasedStateMachine):
    """Rules are the moves of a walk; what each of them chooses is hypothesis' choice too."""

    @initialize(chance=st.randoms(use_true_random=False), workers=st.integers(1, 3))
    def begin(self, chance: Random, workers: int) -> None:
        self.model = OutboxModel(chance, workers=workers)
        self.playing = self.model.playing()
        self.playing.__enter__()

    @rule(steps=st.integers(1, 12))
    def work(self, steps: int) -> None:
        for _ in range(steps):
            self.model.move("work")

    @rule(move=st.sampled_from(["freeze", "wake", "crash", "database fails"]))
    def a_worker_suffers(self, move: str) -> None:
        self.model.move(move)

    @rule(seconds=st.sampled_from([1, 30, 61, 91, 200, 3600, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.model.pass_time(timedelta(seconds=seconds))

    @rule()
    def events_come(self) -> None:
        self.model.move("hear")
        self.model.move("apply")

    @rule(move=st.sampled_from(["leave", "return", "withdraw", "answer", "pause", "go on", "plan", "look up"]))
    def people_act(self, move: str) -> None:
        self.model.move(move)

    def teardown(self) -> None:
        if hasattr(self, "playing"):
            try:
                self.model.settle()
            finally:
                self.playing.__exit__(None, None, None)


TestOutbox = Outbox.TestCase
TestOutbox.settings = settings(
    max_examples=12, stateful_step_count=25, deadline=None, database=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
