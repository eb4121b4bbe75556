"""How good are our scores on real leads? Four public data sets, beside a plain HistGradientBoostingClassifier().

    python benchmarks/scoring.py [--quick] [--json] [--only bank,olist]

Everything (columns, learner, crossed features, calibration) is chosen by `train` inside the training part; the figures
are of leads it never saw. The data is looked for in ../shared/data beside the project and never comes with it.
`--quick` judges the first two of five folds (one for hillstrom) and refits the rolling model every 1,000 calls.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # on shared cores, threads that wait should not spin

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier

from nurture.scorers import contest
from nurture.scorers.columns import Kind, describe
from nurture.scorers.features import plan
from nurture.scorers.files import read_frame
from nurture.scorers.learners import few_threads
from nurture.scorers.measures import Floats, Ints, auc, figures
from nurture.scorers.train import TrainedScorer, refit, train

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
AT_CREATION = [
    "Opportunity Number",
    "Supplies Subgroup",
    "Supplies Group",
    "Region",
    "Route To Market",
    "Opportunity Amount USD",
    "Client Size By Revenue",
    "Client Size By Employee Count",
    "Revenue From Client Past Two Years",
    "Competitor Type",
]
SEED = 0
BLOCK = 200  # calls between two looks at the rolling model, as in the published protocol


def learn(frame: pl.DataFrame, label: str, **how: Any) -> tuple[TrainedScorer, float]:
    started = perf_counter()
    trained = train(frame, label, seed=SEED, **how)
    assert isinstance(trained, TrainedScorer), trained
    return trained, perf_counter() - started


def plain(train_on: pl.DataFrame, y: Floats, judged: pl.DataFrame) -> Floats:
    """The yardstick: defaults, native categories where there are at most 255."""
    columns = [one for one in describe(train_on) if one.kind != Kind.NOTHING]
    reader = plan(train_on, columns)
    native = [i for i, one in enumerate(reader.levels) if one.size <= 255]
    tables = [np.column_stack([table.levels, table.numbers]) for table in (reader.read(train_on), reader.read(judged))]
    with few_threads(len(y)):
        return (
            HistGradientBoostingClassifier(categorical_features=native or None, random_state=SEED)
            .fit(tables[0], y)
            .predict_proba(tables[1])[:, 1]
        )


def folded(
    frame: pl.DataFrame, label: str, positive: str, folds: int, group: str | None = None, **how: Any
) -> dict[str, Any]:
    """Shuffled five-fold cross-validation, groups never split; the first `folds` of the five are judged."""
    frame = frame.unique(maintain_order=True)
    y = (frame[label] == positive).to_numpy().astype(float)
    groups = None if group is None else np.unique(frame[group].to_numpy().astype(str), return_inverse=True)[1]
    fold = contest.shuffled_folds(y, groups, 5, SEED + 1234)
    ours, theirs, seconds, rate = np.full(len(y), np.nan), np.full(len(y), np.nan), [], []
    features = frame.drop(label, *([group] if group else []))
    for i in range(folds):
        rows, judged = np.flatnonzero(fold != i), np.flatnonzero(fold == i)
        trained, took = learn(frame[rows], label, group=group, **how)
        started = perf_counter()
        ours[judged] = trained.scorer.score(frame[judged])
        rate.append(len(judged) / (perf_counter() - started))
        seconds.append(took)
        theirs[judged] = plain(features[rows], y[rows], features[judged])
    some = ~np.isnan(ours)
    return told(
        y[some], ours[some], theirs[some], float(np.mean(seconds)), float(np.mean(rate)), f"{folds} of 5 folds", trained
    )


def win_loss(quick: bool) -> dict[str, Any]:
    frame = read_frame(DATA / "sales_win_loss_first70.csv.gz").select(*AT_CREATION, "Opportunity Result")
    return folded(frame, "Opportunity Result", "Won", 2 if quick else 5, group="Opportunity Number")


def bank(quick: bool) -> dict[str, Any]:
    return folded(read_frame(DATA / "bank_marketing.csv.gz").drop("duration"), "y", "yes", 2 if quick else 5)


def hillstrom(quick: bool) -> dict[str, Any]:
    return folded(
        read_frame(DATA / "hillstrom_email.csv.gz").drop("conversion", "spend"), "visit", "1", 1 if quick else 5
    )


def olist(quick: bool) -> dict[str, Any]:
    frame = read_frame(DATA / "olist_mql_funnel.csv.gz").select(
        "mql_id", "first_contact_date", "landing_page_id", "origin", "won"
    )
    frame = frame.sort("first_contact_date", maintain_order=True)
    cut = round(0.7 * frame.height)
    y = (frame["won"] == "1").to_numpy().astype(float)
    trained, took = learn(frame[:cut], "won", time="first_contact_date")
    started = perf_counter()
    ours = trained.scorer.score(frame[cut:])
    rate = (frame.height - cut) / (perf_counter() - started)
    features = frame.drop("won", "mql_id")
    return told(y[cut:], ours, plain(features[:cut], y[:cut], features[cut:]), took, rate, "time 70/30", trained)


def bank_rolling(quick: bool) -> dict[str, Any]:
    """Train on the last 20,000 calls, refit as they go by, judge the last 40 %. The recipe is chosen once, before."""
    frame = (
        read_frame(DATA / "bank_marketing.csv.gz")
        .drop("duration")
        .with_row_index("call")
        .with_columns(pl.col("call").cast(pl.Float64))
    )
    y = (frame["y"] == "yes").to_numpy().astype(float)
    start, step = int(0.6 * len(y)), 1_000 if quick else BLOCK
    trained, took = learn(frame[start - 20_000 : start], "y", time="call")
    recipe, reader, calibrator = trained.scorer.learned.recipe, trained.scorer.reader, trained.scorer.calibrator
    ours, theirs, control, spent = np.full(len(y), np.nan), np.full(len(y), np.nan), np.full(len(y), np.nan), 0.0
    features = frame.drop("y", "call")
    for at in range(start, len(y), step):
        rows, judged = np.arange(at - 20_000, at), np.arange(at, min(at + step, len(y)))
        scorer = refit(recipe, reader, calibrator, frame[rows], y[rows], seed=SEED)
        started = perf_counter()
        ours[judged] = scorer.score(frame[judged])
        spent += perf_counter() - started
        theirs[judged] = plain(features[rows], y[rows], features[judged])
        control[judged] = y[at - 2 * BLOCK : at].mean()
    some = slice(start, None)
    result = told(
        y[some], ours[some], theirs[some], took, (len(y) - start) / spent, f"time order, refit every {step}", trained
    )
    return {
        **result,
        "within_block": within(y[some], ours[some]),
        "plain_within_block": within(y[some], theirs[some]),
        "control_auc": round(auc(y[some], control[some]), 4),
    }


def within(y: Floats, p: Floats) -> float:
    """AUC inside blocks of 200 calls, where no drift helps, weighted by the pairs in a block."""
    blocks: list[Ints] = [np.arange(i, min(i + BLOCK, len(y))) for i in range(0, len(y), BLOCK)]
    pairs = [y[one].sum() * (1 - y[one]).sum() for one in blocks]
    return round(float(np.average([auc(y[one], p[one]) for one in blocks], weights=pairs)), 4)


def told(
    y: Floats, ours: Floats, theirs: Floats, train_s: float, rows_s: float, protocol: str, trained: TrainedScorer
) -> dict[str, Any]:
    mine, other = figures(y, ours), figures(y, theirs)
    return {
        "auc": round(mine.auc, 4),
        "plain_auc": round(other.auc, 4),
        "ap": round(mine.ap, 4),
        "plain_ap": round(other.ap, 4),
        "brier": round(mine.brier, 4),
        "plain_brier": round(other.brier, 4),
        "ece": round(mine.ece, 4),
        "plain_ece": round(other.ece, 4),
        "lift10": round(mine.lift10, 3),
        "top_half": round(mine.top_half, 4),
        "train_s": round(train_s, 2),
        "rows_s": round(rows_s),
        "rows": mine.rows,
        "protocol": protocol,
        "learner": trained.scorer.card["learner"],
        "calibration": trained.scorer.card["calibration"],
    }


# Published or best seen elsewhere, with the same protocol on the full sets.
KNOWN = {"win_loss": "0.845", "bank": "0.805", "bank_rolling": "0.793", "olist": "0.697", "hillstrom": "—"}
SETS: dict[str, Callable[[bool], dict[str, Any]]] = {
    "win_loss": win_loss,
    "bank": bank,
    "bank_rolling": bank_rolling,
    "olist": olist,
    "hillstrom": hillstrom,
}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true")
    options.add_argument("--json", action="store_true")
    options.add_argument("--only", default=",".join(SETS))
    asked = options.parse_args()
    if not DATA.is_dir():
        print(
            f"The data sets are not there: looked for {os.path.relpath(DATA)}. Nothing was measured.", file=sys.stderr
        )
        if asked.json:
            print(json.dumps({"sets": {}, "absent": os.path.relpath(DATA)}))
        return 1
    found = {}
    for name in asked.only.split(","):
        one = found[name] = SETS[name](asked.quick)
        if not asked.json:
            print(
                f"{name:13} AUC {one['auc']:.4f} (plain {one['plain_auc']:.4f}, best known {KNOWN[name]})  "
                f"AP {one['ap']:.4f}  Brier {one['brier']:.4f}  "
                f"ECE {one['ece']:.4f}  lift {one['lift10']:.2f}  top half {one['top_half']:.1%}  "
                f"{one['train_s']:.0f} s  {one['rows_s']:,} rows/s"
            )
            print(
                f"{'':13} {one['protocol']}; {one['learner']}; calibration: {one['calibration']}"
                + (
                    f"; within blocks {one['within_block']:.4f} (plain {one['plain_within_block']:.4f}); "
                    f"no features at all {one['control_auc']:.4f}"
                    if "within_block" in one
                    else ""
                ),
                flush=True,
            )
    if asked.json:
        print(json.dumps({"sets": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
