"""Clean lead files with meaningless names, and eight kinds of columns that know the outcome beforehand."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
DAY0 = np.datetime64("2024-01-01")
WORDS = ["need", "pumps", "price", "for", "plant", "asap"]
OPEN = 0.15  # share of the leads whose outcome is not known yet: the newest


@dataclass(frozen=True)
class CleanFile:
    """n leads in the order they came in; `y` is what becomes of each, known for all but the newest (`known`)."""

    frame: pl.DataFrame
    y: Floats
    known: npt.NDArray[np.bool_]
    days: npt.NDArray[np.int64]  # when each came in


def clean_file(seed: int, n: int = 2_000) -> CleanFile:
    """Honest columns of every sort: strong and weak, with gaps that buyers have less often, bands, dates, free text."""
    rng = np.random.default_rng(seed)
    days = np.sort(rng.integers(0, 500, n))
    source = rng.choice(["ab", "cd", "ef", "gh"], n, p=[0.5, 0.25, 0.15, 0.1])
    seconds = np.where(rng.random(n) < 0.25, 0, rng.gamma(1.4, 400, n)).round()
    pages = np.where(seconds > 0, np.ceil(seconds / 150 + rng.random(n)), 0)
    amount = rng.lognormal(8, 1.2, n).round(2)
    staff = rng.choice([5, 20, 100, 500, 2_000], n)
    spent = np.where(rng.random(n) < 0.2, rng.gamma(2, 900, n), 0).round()
    odds = -2.4 + seconds / 600 + 1.5 * (source == "gh") - 0.35 * np.log(amount / 3_000) + 0.8 * (spent > 0)
    y = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(float)
    told = rng.random(n) < np.where(y == 1, 0.85, 0.6)  # those who mean it fill in the form
    columns = [
        pl.Series(source),
        pl.Series(np.where(rng.random(n) < 0.1, "", rng.choice(["N", "S", "W", "E"], n))),
        pl.Series(seconds),
        pl.Series(pages),
        pl.Series([f"{one:,.2f} €" for one in amount]),
        pl.Series(np.digitize(amount, [500, 2_000, 8_000]).astype(str)),  # a band of the amount
        pl.Series(staff),
        pl.Series(spent),
        pl.Series(np.where(told, rng.choice(["owner", "buyer", "engineer"], n), "Select")),
        pl.Series((DAY0 + days).astype(str)),
        pl.Series((DAY0 + days - rng.integers(1, 900, n)).astype(str)),  # known for so long
        pl.Series(rng.normal(size=n).round(3)),
        pl.Series(
            [" ".join(rng.choice(["need", "pumps", "price", "for", "plant", "asap"], 5)) + f" {i}" for i in range(n)]
        ),
        pl.Series(rng.integers(0, 12, n)),
    ]
    frame = pl.DataFrame([one.alias(f"x{i}") for i, one in enumerate(columns)])
    return CleanFile(frame, y, np.arange(n) < (1 - OPEN) * n, days)


Leak = Callable[[CleanFile, np.random.Generator], pl.Series]


def _dates(days: Floats, there: npt.NDArray[np.bool_]) -> pl.Series:
    texts = (DAY0 + days.astype(np.int64)).astype(str)
    return pl.Series(np.where(there, texts, ""))


def filled_after_a_sale(made: CleanFile, rng: np.random.Generator) -> pl.Series:
    """A contract's date: nearly all buyers have one once they are won, some others by mistake."""
    there = made.known & (rng.random(len(made.y)) < np.where(made.y == 1, 0.8, 0.04))
    return _dates(made.days - rng.integers(0, 200, len(made.y)), there)


def filled_after_a_loss(made: CleanFile, rng: np.random.Generator) -> pl.Series:
    """A reason for a lost deal, never written for others."""
    there = made.known & (made.y == 0) & (rng.random(len(made.y)) < 0.4)
    return pl.Series(np.where(there, rng.choice(["p", "q", "r"], len(made.y)), ""))


def counted_over_the_future(made: CleanFile, rng: np.random.Generator) -> pl.Series:
    """Contacts up to today: buyers go on to have many."""
    return pl.Series(rng.poisson(np.where(made.y == 1, 9, 2.2)))


def number_given_at_the_end(made: CleanFile, rng: np.random.Generator) -> pl.Series:
    """Numbers given in the order of outcome: first the lost, then the won."""
    order = np.lexsort((rng.random(len(made.y)), made.y))
    given = np.empty(len(made.y), dtype=np.int64)
    given[order] = 40_000 + np.cumsum(rng.integers(1, 5, len(made.y)))
    return pl.Series(given)


def status_text(made: CleanFile, rng: np.random.Generator) -> pl.Series:
    """Notes that say how it ended."""
    ends = np.where(made.y == 1, "signed and welcomed", rng.choice(["no budget now", "does not answer"], len(made.y)))
    ends = np.where(rng.random(len(made.y)) < 0.1, "talked about pumps", ends)
    return pl.Series([f"called twice then {end} item {i}" for i, end in enumerate(ends)])


def status_code(made: CleanFile, rng: np.random.Generator) -> pl.Series:
    """A status whose values all but say the outcome."""
    won = rng.choice(["s7", "s8", "s1"], len(made.y), p=[0.5, 0.3, 0.2])
    lost = rng.choice(["s2", "s3", "s1"], len(made.y), p=[0.4, 0.3, 0.3])
    return pl.Series(np.where(made.y == 1, won, lost))


def blank_while_open(made: CleanFile, rng: np.random.Generator) -> pl.Series:
    """Somebody's judgement, written when a lead is closed; it agrees with the outcome only so far."""
    said = np.where(rng.random(len(made.y)) < np.where(made.y == 1, 0.7, 0.35), "A", "B")
    return pl.Series(np.where(made.known, said, ""))


def dated_after_the_lead(made: CleanFile, rng: np.random.Generator) -> pl.Series:
    """The last change of the record, weeks after the lead came in, later for those who buy."""
    return _dates(made.days + 5 + rng.gamma(2, np.where(made.y == 1, 12, 6)), np.ones(len(made.y), dtype=bool))


KINDS: tuple[Leak, ...] = (
    filled_after_a_sale, filled_after_a_loss, counted_over_the_future, number_given_at_the_end, status_text,
    status_code, blank_while_open, dated_after_the_lead,
)  # fmt: skip
