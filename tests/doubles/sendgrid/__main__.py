"""The double as a process, for benchmarks and kill tests.

Prints one JSON line when it listens: `{"url", "public_key", "pid"}`, and one more when SIGTERM or SIGINT ends it:
`{"state": …}`. SIGKILL needs no farewell: the journal is written before a request is answered.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import sys
from datetime import timedelta

from .double import SendGridDouble
from .reactions import POLICIES, Disorder


def mixture(text: str) -> dict[str, float]:
    """`accept_then_cut=0.02,500=0.05`"""
    return {name: float(share) for name, _, share in (part.partition("=") for part in text.split(","))}


def rate(text: str) -> tuple[int, float]:
    """`600/60`: six hundred calls a minute."""
    calls, _, seconds = text.partition("/")
    return int(calls), float(seconds or 1)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.doubles.sendgrid", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--api-key", default="SG.double")
    parser.add_argument("--delay-ms", type=float, default=0, help="taken at once, answered this much later")
    parser.add_argument("--journal", help="append a JSON line per acceptance to this file")
    parser.add_argument("--keep", choices=("full", "keys", "none"), default="none")
    parser.add_argument("--substitute", choices=("all", "sample", "off"), default="sample",
                        help="which letters of a request have their substitutions checked in every order")  # fmt: skip
    parser.add_argument("--seed", default="0")
    parser.add_argument(
        "--faults", type=lambda text: text.split(","), default=[], metavar="NAME,NAME", help="one per request, in order"
    )
    parser.add_argument("--mix", type=mixture, default={}, metavar="NAME=SHARE,…", help="after that, by chance")
    parser.add_argument("--rate-limit", type=rate, metavar="CALLS/SECONDS")
    parser.add_argument("--webhook", metavar="URL", help="where events are posted (loopback only)")
    parser.add_argument("--react", choices=sorted(POLICIES), default="silent")
    parser.add_argument("--post-every-ms", type=float, default=1000)
    parser.add_argument("--post-connections", type=int, default=1)
    parser.add_argument("--repeats", type=float, default=0.0, help="share of events that are told again")
    parser.add_argument("--shuffle", action="store_true", help="events of a post in any order")
    return parser


def main() -> None:
    given = arguments().parse_args()
    gc.set_threshold(500_000, 50, 1_000)  # a request is a hundred thousand objects without a cycle among them
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before any thread exists, so that only sigwait below sees them
    double = SendGridDouble(
        api_key=given.api_key,
        keep=given.keep,
        journal=given.journal,
        seed=given.seed,
        delay=timedelta(milliseconds=given.delay_ms),
        faults=given.faults,
        mix=given.mix,
        rate_limit=given.rate_limit,
        substitute=given.substitute,
        react=POLICIES[given.react],
        webhook=given.webhook,
        disorder=Disorder(repeats=given.repeats, shuffle=given.shuffle),
        post_every=timedelta(milliseconds=given.post_every_ms),
        post_connections=given.post_connections,
        automatic=True,
        control=True,
        port=given.port,
    )
    with double as sg:
        say({"url": sg.url, "public_key": sg.public_key, "pid": os.getpid()})
        signal.sigwait(ends)
        say({"state": sg.state()})


def say(line: object) -> None:
    print(json.dumps(line))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
