"""Longer walks, and the hunt for mutants.

python -m tests.walks --walks 1000            the code as it is: any violation ends it and prints its seed
python -m tests.walks --mutants --walks 200   where each planted mistake shows itself: the list of test_mutants.py
"""

import argparse
import sys
import time

from tests.walks.walk import MUTANTS, STEPS, hunt, walk


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.walks", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--walks", type=int, default=100)
    parser.add_argument("--steps", type=int, default=STEPS, help="of each walk")
    parser.add_argument("--seed", type=int, default=0, help="of the first walk")
    parser.add_argument("--policy", choices=("hold", "resend"), default="hold")
    parser.add_argument("--mutants", nargs="?", const="", metavar="NAME", help="plant them; only those with NAME")
    given = parser.parse_args()
    if given.mutants is not None:
        for mutant in MUTANTS:
            if given.mutants in mutant.name:
                print(f"{mutant.name}: {hunt(mutant, given.seed, given.walks, given.steps)}", flush=True)
        return 0
    began, cpu, steps, commits = time.monotonic(), time.process_time(), 0, 0
    for seed in range(given.seed, given.seed + given.walks):
        done = walk(seed, given.steps, given.policy)
        steps, commits = steps + done.moves.total(), commits + done.commits
    took, worked = time.monotonic() - began, time.process_time() - cpu
    print(f"{given.walks} walks, {steps:,} steps, {commits:,} commits, no violation: {took:.0f} s")
    print(f"{given.walks / took * 60:.0f} walks a minute, {given.walks / worked * 60:.0f} by processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
