"""Longer walks, and the hunt for mutants.

python -m tests.walks --walks 1000            the code as it is: any violation ends it and prints its seed
python -m tests.walks --scenario fence            the same in the scenario in which the mutant of that name is hunted
python -m tests.walks --mutants --walks 200   where each planted mistake shows itself: the list of test_mutants.py
python -m tests.walks --mutants --share       ... and in which share of the walks
"""

import argparse
import sys
import time
from collections.abc import Mapping

from tests.walks.walk import MUTANTS, STEPS, hunt, walk


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.walks", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--walks", type=int, default=100)
    parser.add_argument("--steps", type=int, default=STEPS, help="of each walk")
    parser.add_argument("--seed", type=int, default=0, help="of the first walk")
    parser.add_argument("--policy", choices=("hold", "resend", "cancel"), default="hold")
    parser.add_argument("--mutants", nargs="?", const="", metavar="NAME", help="plant them; only those with NAME")
    parser.add_argument("--share", action="store_true", help="walk on after a mutant is found, and count")
    parser.add_argument("--scenario", default="", metavar="NAME", help="of the mutant of this NAME, not planted")
    given = parser.parse_args()
    seeds = range(given.seed, given.seed + given.walks)
    if given.mutants is not None:
        for mutant in MUTANTS:
            if given.mutants in mutant.name and given.share:
                found = sum(hunt(mutant, seed, 1) is not None for seed in seeds)
                print(f"{mutant.name}: {found} of {given.walks} walks, {found / given.walks:.0%}", flush=True)
            elif given.mutants in mutant.name:
                print(f"{mutant.name}: {hunt(mutant, given.seed, given.walks)}", flush=True)
        return 0
    scenario: Mapping[str, float] = {}
    policy = given.policy
    if given.scenario:
        mutant = next(mutant for mutant in MUTANTS if given.scenario in mutant.name)
        scenario, policy = mutant.scenario, mutant.policy
    began, cpu, steps, commits = time.monotonic(), time.process_time(), 0, 0
    for seed in seeds:
        done = walk(seed, given.steps, policy, scenario=scenario)
        steps, commits = steps + done.moves.total(), commits + done.commits
    took, worked = time.monotonic() - began, time.process_time() - cpu
    print(f"{given.walks} walks, {steps:,} steps, {commits:,} commits, no violation: {took:.0f} s")
    print(f"{given.walks / took * 60:.0f} walks a minute, {given.walks / worked * 60:.0f} by processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
