"""Leaks are found by what the data say: eight kinds of them among honest columns, none of which has a name."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from nurture.learning.leaks.find import find_leaks
from nurture.learning.leaks.finding import LeakFinding
from nurture.learning.training_data.examples import Examples
from nurture.learning.training_data.options import TrainingOptions
from nurture.learning.training_data.schema import ColumnKind, describe
from tests.support.leaky_columns import KINDS, CleanFile, clean_file

CAME = "x9"  # the column that says when a lead came in
SEEDS = range(2)


def search(made: CleanFile, frame: pl.DataFrame) -> list[LeakFinding]:
    columns = describe(frame)
    moment = made.days[made.known] + 8_766.0  # since 2000
    examples = Examples(made.y[made.known], moment)
    options = TrainingOptions(time=CAME)
    return find_leaks(frame.filter(made.known), columns, examples, options, 0, frame.filter(~made.known))


@pytest.mark.parametrize("seeds", [SEEDS[:1], pytest.param(SEEDS, marks=pytest.mark.hunt)], ids=["one file", "all"])
def test_eight_kinds_of_leaks_are_found_and_honest_columns_are_not_accused(seeds: Sequence[int]) -> None:
    missed, accused, tried, clean = [], [], 0, 0
    for seed in seeds:
        made = clean_file(seed)
        for leak in KINDS:
            frame = made.frame.with_columns(leak(made, np.random.default_rng(seed + 99)).alias("y7"))
            junk = {one.name for one in describe(frame) if one.kind == ColumnKind.NOTHING}
            out = {one.column for one in search(made, frame) if one.left_out} | junk
            tried, clean = tried + 1, clean + made.frame.width - 1
            missed += [] if "y7" in out else [f"{leak.__name__} {seed}"]
            accused += [f"{name} beside {leak.__name__} {seed}" for name in out - {"y7"}]
    assert len(missed) <= 0.05 * tried, missed
    assert len(accused) <= 0.02 * clean, accused


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clean_file_loses_no_column(seed: int) -> None:
    made = clean_file(seed + 10)
    assert [one.column for one in search(made, made.frame) if one.left_out] == []


def test_what_a_leak_costs_is_measured_on_leads_for_whom_it_is_still_blank() -> None:
    made = clean_file(1)
    leak = KINDS[2](made, np.random.default_rng(5))
    [found] = [one for one in search(made, made.frame.with_columns(leak.alias("y7"))) if one.column == "y7"]
    assert found.cost
    assert found.cost.with_it > found.cost.without > found.cost.blank
    assert "while it is blank" in found.cost.sentence


def test_columns_that_only_know_it_together_are_found_together() -> None:
    """Shares of a process that is over: each says little, all say how it ended."""
    made = clean_file(2, n=4_000)
    rng = np.random.default_rng(3)
    whole = rng.gamma(2, 20, len(made.y)) + 1
    first = np.where(made.y == 1, rng.beta(8, 8, len(made.y)), rng.choice([0.0, 1.0], len(made.y)))
    parts = pl.DataFrame({"y1": whole.round(), "y2": (whole * first).round(), "y3": (first).round(4)})
    out = {one.column for one in search(made, made.frame.hstack(parts)) if one.left_out}
    assert {"y2", "y3"} <= out
    assert not out & set(made.frame.columns)
