"""Learning: who converted, of all the leads as they were known then? The answer scores those of the coming nights."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from sqlalchemy import Engine

from models.queries import training_history
from nurture.learning.fit.card import ModelCard
from nurture.learning.fit.score_scale import Scale, in_points, make_scale
from nurture.learning.fit.scorer import ColumnsMissing, Scorer
from nurture.learning.fit.train import train
from nurture.learning.fit.trained import ColumnHints, Evaluation, NothingLearned, TrainedScorer
from nurture.learning.judge.backtest import backtest_by_month
from nurture.learning.judge.report import DescribedLead, DescribeRows, TrainingReport, write_report
from nurture.learning.metrics import Ints, auc, auc_gain, captured
from nurture.learning.reasons.contributions import find_reasons
from nurture.learning.reasons.reason_text import reasons_in_words
from nurture.learning.registry import versions
from nurture.learning.training_data import record_labels
from nurture.learning.training_data.lead_record import DAY
from nurture.learning.training_data.options import TrainingOptions
from nurture.learning.training_data.point_in_time import families, leads_at
from nurture.rules.scoring.lead_score import Rules
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

CUTS = 12  # points in time looked at
LEAST_JUDGES = 20  # conversions among those kept apart
REPORT = "report.html"


@dataclass(frozen=True)
class LearningGoal:
    """What is to be learned of one market, and where the model goes."""

    market: str
    days: int  # within which a lead that converts counts as a yes
    folder: Path  # of the market's models
    mql: float  # the score, 0–100, from which on a lead goes to sales
    code: str = ""  # the version of nurture that learns


@dataclass(frozen=True)
class LearningResult:
    """What came of learning about one market. `version` is None where nothing was learned; `words` say why or what."""

    market: str
    looks: int  # leads as they were at earlier points in time
    converted: int  # of them
    moments: int  # points in time
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


@task(run_name="learn who buys, {goal.market}")
def learn(engine: Engine, now: datetime, rules: Rules, goal: LearningGoal) -> LearningResult:
    """Learn from what became of a market's leads, keep the model, and promote it if it is better than what is in
    charge, beyond noise, on the newest leads that neither learned from."""
    with database.reading(engine) as session:
        first, why_not = training_history.earliest(session), training_history.why_not(session, now)
    made = _training_set(engine, now, rules, goal, first)
    if isinstance(made, str):
        words = f"The rules stay in charge: {made}."
        return LearningResult(goal.market, 0, 0, 0, None, False, words, rejected=why_not)
    learning = made.frame.filter(~apart(made.frame))
    options = TrainingOptions(
        ignore=tuple(name for name in SAID if name != CONVERTED),
        time=MOMENT,
        group=COMPANY,
        positive="1",
        rules=RULES_SAID["score"],
    )
    trained = train(learning, CONVERTED, options, hints=_hints(made))
    converted = int(made.frame[CONVERTED].sum())
    result = LearningResult(
        goal.market, made.frame.height, converted, len(made.cuts), None, False, "", rejected=why_not
    )
    if isinstance(trained, NothingLearned):
        return replace(result, words=trained.reason)
    trained = _with_card(trained, made, learning, goal, why_not)
    won, words = _judge(trained, made, goal.folder)
    version = versions.save(trained.scorer, goal.folder, now, goal.code)
    if won:
        versions.promote(goal.folder, version, now, words)
    had = backtest_by_month(trained.evaluation)
    report = _report(trained, learning, words, had, _describe_rows(trained.scorer, made, learning, rules))
    page = goal.folder / version / REPORT
    page.write_text(report.page, encoding="utf-8")
    return replace(
        result, version=version, promoted=won, words=words, report=page, markdown=report.markdown, backtest=tuple(had)
    )


def _training_set(
    engine: Engine, now: datetime, rules: Rules, goal: LearningGoal, first: datetime | None
) -> TrainingSet | str:
    """What can be learned from, or why there is nothing. `first`: when the record begins."""
    cuts = (
        []
        if first is None
        else record_labels.points_in_time(int(first.timestamp()), int(now.timestamp()), goal.days, CUTS)
    )
    if not cuts:
        back = 0 if first is None else (now - first).days
        least = f"{goal.days + 30} are the least: 30 to look at and {goal.days} to see what came of them"
        return f"the record reaches back {back} days, and {least}"
    made = training_set(engine, now, rules, goal.market, goal.days, cuts)
    return f"there was no {goal.market} lead {goal.days} days ago" if made is None else made


def _hints(made: TrainingSet) -> ColumnHints:
    columns = [name for name in made.frame.columns if name not in SAID]
    named = families(made.plan, columns)
    return ColumnHints(named, frozenset(name for name in columns if named[name] in made.plan.kinds))


def _with_card(
    trained: TrainedScorer, made: TrainingSet, learning: pl.DataFrame, goal: LearningGoal, why_not: dict[str, int]
) -> TrainedScorer:
    """The card of a model of our own record says how to look at a lead, and how to say its score in points."""
    scorer = trained.scorer
    newest = learning.filter(learning[MOMENT] == learning[MOMENT].max())
    table = scorer.reader.read(newest)
    said = {name: newest[column].to_numpy() for name, column in RULES_SAID.items()}
    card: ModelCard = {
        **scorer.card,
        "plan": made.plan.as_dict(),
        "days": goal.days,
        "data_cut": f"{datetime.fromtimestamp(max(made.cuts) + goal.days * DAY, UTC):%Y-%m-%d}",
        "moments": [f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d}" for t in made.cuts],
        "rejections": {"looks": made.rejections, "why": why_not},
        "scale": make_scale(scorer, table, made.plan.market, goal.mql, said).as_dict(),
    }
    return replace(trained, scorer=replace(scorer, card=card))


def _judge(trained: TrainedScorer, made: TrainingSet, folder: Path) -> tuple[bool, str]:
    """Is it better than what is in charge, beyond noise? And a sentence that says so."""
    if versions.champion(folder) is None:
        return _against_rules(trained.evaluation)
    judges = _judges(made.frame.filter(apart(made.frame)))
    if judges is None:
        return False, f"The champion stays: fewer than {LEAST_JUDGES} conversions are kept apart to judge it by."
    y = judges[CONVERTED].to_numpy()
    try:
        reigning: Scorer = versions.load(folder)
        theirs = reigning.score(judges)
    except ColumnsMissing as error:
        return True, f"The champion no longer fits the record ({error}); the challenger takes over."
    challenge = versions.challenge(y, theirs, trained.scorer.score(judges))
    return challenge.better, challenge.sentence


def _against_rules(judged: Evaluation) -> tuple[bool, str]:
    """The first model has to beat the rules: on the newest leads, in time order."""
    if judged.rules is None:
        return True, "There are no scores of the rules to compare with."
    y = judged.y
    gain, best = auc_gain(y, judged.rules, judged.p), max(1, len(y) // 10)
    ours, theirs = (captured(y, one, best) for one in (judged.p, judged.rules))
    said = (
        f"AUC {auc(y, judged.p):.3f} against {auc(y, judged.rules):.3f} by the rules (difference "
        f"± {2 * gain.error:.3f}), {ours:.0f} against {theirs:.0f} of {y.sum():.0f} who converted among the best "
        f"tenth, on the newest {len(y):,} leads"
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


def _describe_rows(scorer: Scorer, made: TrainingSet, learning: pl.DataFrame, rules: Rules) -> DescribeRows:
    """Names rows of the training frame, and tells their reasons as a salesperson reads them."""
    scale, market = Scale.from_dict(scorer.card["scale"]), rules.markets[made.plan.market]

    def describe(rows: Ints) -> list[DescribedLead]:
        told = []
        for number, row, lead, moment in learning[rows].select(RECORD, ROW, LEAD, MOMENT).iter_rows():
            t = round((moment + EPOCH_DAYS) * DAY)
            then = leads_at(made.records[number], t, made.plan, market)
            table = scorer.reader.read(then.frame[[row]])
            found = find_reasons(in_points(scorer, scale), table, scale.unbounded(scorer.score_table(table)) / 100)
            [reasons] = reasons_in_words(scorer, found, then, [row])
            when = f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d}"
            told.append(DescribedLead(f"{lead} on {when}", [(one.text, one.tenths / 10) for one in reasons]))
        return told

    return describe


def _report(
    trained: TrainedScorer, learning: pl.DataFrame, words: str, had: Sequence[str], describe: DescribeRows
) -> TrainingReport:
    report = write_report(trained, learning, describe=describe)
    page = report.page.replace("<h2>Backtest</h2>", f"<p><b>{words}</b></p><h2>Backtest</h2><ul>" + "".join(
        f"<li>{line}</li>" for line in had) + "</ul>", 1)  # fmt: skip
    markdown = "\n".join([report.markdown, "", f"**{words}**", "", *(f"* {line}" for line in had)])
    return TrainingReport(page, markdown, report.figures)
