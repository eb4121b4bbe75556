"""Learning: who converted, of all the leads as they were known then? The answer scores those of the coming nights."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Engine

from models.queries import training_history as moments
from nurture.learning.fit.score_scale import Scale, in_points, make_scale
from nurture.learning.fit.scorer import ColumnsMissing, Scorer
from nurture.learning.fit.train import Habits, RulesStay, TrainedScorer, Trial, train
from nurture.learning.judge.backtest import backtest_by_month
from nurture.learning.judge.metrics import Ints, auc, auc_gain, captured
from nurture.learning.judge.report import Report, Say, write_report
from nurture.learning.reasons.contributions import reasons
from nurture.learning.reasons.reason_text import reasons_in_words
from nurture.learning.registry import versions
from nurture.learning.training_data import point_in_time_labels
from nurture.learning.training_data.point_in_time import DAY, add_up, families, frame
from nurture.rules.scoring.lead_score import Rules, Sheet
from nurture.runtime import database
from tasks.scoring.training_set import (
    COMPANY,
    CONVERTED,
    EPOCH_DAYS,
    LEAD,
    MOMENT,
    RECORD,
    ROW,
    RULES_SAID,
    SAID,
    TrainingSet,
    apart,
    training_set,
)
from tasks.task import task

CUTS = 12  # moments looked at
LEAST_JUDGES = 20  # conversions among those kept apart
REPORT = "report.html"


@dataclass(frozen=True)
class Taught:
    """What came of learning about one market. `version` is None where nothing was learned; `words` say why or what."""

    market: str
    looks: int  # leads as they were at earlier moments
    converted: int  # of them
    moments: int
    version: str | None
    promoted: bool
    words: str
    report: Path | None = None
    markdown: str = ""
    backtest: tuple[str, ...] = ()  # month by month, in sentences
    rejected: dict[str, int] = field(default_factory=dict)  # sales' reasons against leads, all of them labels

    @property
    def outcome(self) -> str:
        """For a list of runs: three words."""
        return f"promoted {self.version}" if self.promoted else "as before" if self.version else "nothing learned"


@task(run_name="learn who buys, {market}")
def learn(
    engine: Engine, now: datetime, rules: Rules, market: str, days: int, folder: Path, mql: float, code: str = ""
) -> Taught:
    """Learn from what became of a market's leads within `days`, keep the model in `folder`, and promote it if it is
    better than what is in charge, beyond noise, on the newest leads that neither learned from."""
    with database.reading(engine) as session:
        first, why_not = moments.earliest(session), moments.why_not(session, now)
    cuts = [] if first is None else point_in_time_labels.cuts(int(first.timestamp()), int(now.timestamp()), days, CUTS)
    if first is None or not cuts:
        back = 0 if first is None else (now - first).days
        least = f"{days + 30} are the least: 30 to look at and {days} to see what came of them"
        return _stays(market, f"the record reaches back {back} days, and {least}", why_not)
    made = training_set(engine, now, rules.markets[market], rules, market, days, cuts)
    if made is None:
        return _stays(market, f"there was no {market} lead {days} days ago", why_not)
    learning = made.frame.filter(~apart(made.frame))
    trained = train(
        learning, CONVERTED, time=MOMENT, group=COMPANY, ignore=[name for name in SAID if name != CONVERTED],
        rules=RULES_SAID["score"], habits=_habits(made), positive="1",
    )  # fmt: skip
    looks, converted = made.frame.height, int(made.frame[CONVERTED].sum())
    about: dict[str, Any] = {
        "market": market, "looks": looks, "converted": converted, "moments": len(made.cuts), "rejected": why_not
    }  # fmt: skip
    if isinstance(trained, RulesStay):
        return Taught(**about, version=None, promoted=False, words=trained.reason)
    trained = _with_card(trained, made, learning, days, mql, why_not)
    won, words = _judge(trained, made, folder)
    version = versions.save(trained.scorer, folder, now, code)
    if won:
        versions.promote(folder, version, now, words)
    had = backtest_by_month(trained.trial)
    report = _report(trained, learning, words, had, _say(trained.scorer, made, learning, rules.markets[market]))
    (folder / version / REPORT).write_text(report.page, encoding="utf-8")
    return Taught(
        **about,
        version=version,
        promoted=won,
        words=words,
        report=folder / version / REPORT,
        markdown=report.markdown,
        backtest=tuple(had),
    )


def _stays(market: str, why: str, rejected: dict[str, int]) -> Taught:
    return Taught(market, 0, 0, 0, None, False, f"The rules stay in charge: {why}.", rejected=rejected)


def _habits(made: TrainingSet) -> Habits:
    columns = [name for name in made.frame.columns if name not in SAID]
    named = families(made.plan, columns)
    return Habits(named, frozenset(name for name in columns if named[name] in made.plan.kinds))


def _with_card(
    trained: TrainedScorer, made: TrainingSet, learning: pl.DataFrame, days: int, mql: float, why_not: dict[str, int]
) -> TrainedScorer:
    """The card of a model of our own record says how to look at a lead, and how to say its score in points."""
    scorer = trained.scorer
    newest = learning.filter(learning[MOMENT] == learning[MOMENT].max())
    table = scorer.reader.read(newest)
    said = {name: newest[column].to_numpy() for name, column in RULES_SAID.items()}
    card = {
        **scorer.card,
        "plan": made.plan.as_dict(),
        "days": days,
        "data_cut": f"{datetime.fromtimestamp(max(made.cuts) + days * DAY, UTC):%Y-%m-%d}",
        "moments": [f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d}" for t in made.cuts],
        "rejections": {"looks": made.rejections, "why": why_not},
        "scale": make_scale(scorer, table, made.plan.market, mql, said).as_dict(),
    }
    return replace(trained, scorer=replace(scorer, card=card))


def _judge(trained: TrainedScorer, made: TrainingSet, folder: Path) -> tuple[bool, str]:
    """Is it better than what is in charge, beyond noise? And a sentence that says so."""
    if versions.champion(folder) is None:
        return _against_rules(trained.trial)
    judges = _judges(made.frame.filter(apart(made.frame)))
    if judges is None:
        return False, f"The champion stays: fewer than {LEAST_JUDGES} conversions are kept apart to judge it by."
    y = judges[CONVERTED].to_numpy()
    try:
        reigning: Scorer = versions.load(folder)
        theirs = reigning.score(judges)
    except ColumnsMissing as error:
        return True, f"The champion no longer fits the record ({error}); the challenger takes over."
    verdict = versions.challenge(y, theirs, trained.scorer.score(judges))
    return verdict.better, verdict.sentence


def _against_rules(trial: Trial) -> tuple[bool, str]:
    """The first model has to beat the rules: on the newest leads, in time order."""
    if trial.rules is None:
        return True, "There are no scores of the rules to compare with."
    gain, best = auc_gain(trial.y, trial.rules, trial.p), max(1, len(trial.y) // 10)
    ours, theirs = (captured(trial.y, one, best) for one in (trial.p, trial.rules))
    said = (
        f"AUC {auc(trial.y, trial.p):.3f} against {auc(trial.y, trial.rules):.3f} by the rules (difference "
        f"± {2 * gain.error:.3f}), {ours:.0f} against {theirs:.0f} of {trial.y.sum():.0f} who converted among the best "
        f"tenth, on the newest {len(trial.y):,} leads"
    )
    if gain.beyond_noise and ours >= theirs:
        return True, f"The model is better than the rules beyond noise: {said}."
    return False, f"The rules stay in charge: the model is not better than they are beyond noise, {said}."


def _judges(kept: pl.DataFrame) -> pl.DataFrame | None:
    """The newest moments' leads, of those kept apart, as many moments as it takes."""
    for t in sorted(kept[MOMENT].unique().to_list(), reverse=True):
        some = kept.filter(pl.col(MOMENT) >= t)
        bought = int(some[CONVERTED].sum())
        if LEAST_JUDGES <= bought < some.height:
            return some
    return None


def _say(scorer: Scorer, made: TrainingSet, learning: pl.DataFrame, sheet: Sheet) -> Say:
    """Names looks, and tells their reasons as a salesperson reads them."""
    scale = Scale.from_dict(scorer.card["scale"])

    def say(rows: Ints) -> list[tuple[str, list[tuple[str, float]]]]:
        told = []
        for look in learning[rows].select(RECORD, ROW, LEAD, MOMENT).iter_rows(named=True):
            record, t = made.records[look[RECORD]], round((look[MOMENT] + EPOCH_DAYS) * DAY)
            sums = add_up(record, t, len(made.plan.kinds))
            looked = frame(record, t, made.plan, sums, sheet)
            table = scorer.reader.read(looked[[look[ROW]]])
            found = reasons(in_points(scorer, scale), table, scale.unbounded(scorer.score_table(table)) / 100)
            [words] = reasons_in_words(scorer, found, looked, record, sums, t, made.plan, sheet, [look[ROW]])
            when = f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d}"
            told.append((f"{look[LEAD]} on {when}", [(one["text"], one["points"]) for one in words]))
        return told

    return say


def _report(trained: TrainedScorer, learning: pl.DataFrame, words: str, had: Sequence[str], say: Say) -> Report:
    report = write_report(trained, learning, say=say)
    page = report.page.replace("<h2>Backtest</h2>", f"<p><b>{words}</b></p><h2>Backtest</h2><ul>" + "".join(
        f"<li>{line}</li>" for line in had) + "</ul>", 1)  # fmt: skip
    markdown = "\n".join([report.markdown, "", f"**{words}**", "", *(f"* {line}" for line in had)])
    return Report(page, markdown, report.data)
