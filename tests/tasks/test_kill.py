"""kill -9 at random moments, the short version: the long one and its figures are in docs/benchmarks.md."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(300)  # two busy cores take their time to start and kill so many processes
@pytest.mark.parametrize(
    ("database", "kills"), [("sqlite", 20), pytest.param("postgresql", 12, marks=pytest.mark.postgres)]
)
def test_nobody_gets_two_nor_one_after_a_stop_and_nothing_is_lost(database: str, kills: int) -> None:
    command = [sys.executable, "benchmarks/kill.py", "--database", database, "--kills", str(kills), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.stdout, done.stderr
    toll = json.loads(done.stdout)["databases"][database]
    assert (toll["duplicates"], toll["after_stop"], toll["lost"], toll["failures"]) == (0, 0, 0, 0), toll
    assert toll["kills"] >= kills
    assert toll["accepted"] > 0  # something was really sent
    assert done.returncode == 0
