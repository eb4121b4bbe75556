"""Training: leaks stay out, too little stays with the rules, probabilities come true, reasons move the score."""

import numpy as np
import polars as pl
import pytest

from nurture.learning.estimators.calibration import choose_calibrator
from nurture.learning.estimators.folds import forward_folds, rounds_of_folds
from nurture.learning.estimators.log_odds import sigmoid
from nurture.learning.estimators.recipe import Recipe, fit_recipe
from nurture.learning.features.columns import plan_features
from nurture.learning.features.encoding import learn_encoding, make_key
from nurture.learning.features.interactions import find_interactions
from nurture.learning.fit.card import ModelCard
from nurture.learning.fit.evaluate import LEAST
from nurture.learning.fit.partial_effects import replaced
from nurture.learning.fit.prepare import usable_rows
from nurture.learning.fit.scorer import ColumnsMissing
from nurture.learning.fit.train import train
from nurture.learning.fit.trained import NothingLearned, TrainedScorer
from nurture.learning.judge.drift import find_drift
from nurture.learning.judge.protected import protected_columns
from nurture.learning.judge.report import headline, write_report
from nurture.learning.leaks.find import find_leaks
from nurture.learning.metrics import auc, average_precision, ece, figures
from nurture.learning.reasons.contributions import describe_reasons, find_reasons
from nurture.learning.registry import versions
from nurture.learning.training_data.examples import Examples
from nurture.learning.training_data.labels import read_labels
from nurture.learning.training_data.options import TrainingOptions
from nurture.learning.training_data.schema import describe
from tests.support.lead_file import LEAKS, leads, trained


def outcome(frame):
    return (frame["Converted"] == "Yes").to_numpy().astype(float)


def accused(frame, y, moment=None, **options):
    examples = Examples(y, moment)
    return {one.column: one for one in find_leaks(frame, describe(frame), examples, TrainingOptions(**options))}


# Leaks


def test_leaks_are_left_out_and_named_and_honest_columns_stay():
    assert {one.column for one in trained().findings if one.left_out} == LEAKS
    assert not LEAKS & set(trained().scorer.reader.owners)
    assert {"Source", "Occupation", "Seconds on site", "Pages"} <= set(trained().scorer.reader.owners)


def test_a_leak_can_be_kept_and_is_still_reported():
    frame = leads().drop("Converted")
    finding = accused(frame, outcome(leads()), keep=("Tags",))["Tags"]
    assert not finding.left_out
    assert "kept because you said so" in finding.why


def test_a_strong_honest_column_is_no_leak():
    rng = np.random.default_rng(0)
    visits, y = rng.poisson(3, 2_000), rng.random(2_000)
    bought = (y < sigmoid(visits - 3.5)).astype(float)
    frame = pl.DataFrame({"visits": visits, "noise": rng.normal(size=2_000)})
    assert not [one for one in accused(frame, bought).values() if one.left_out]


def test_a_name_alone_accuses_nobody():
    rng = np.random.default_rng(1)
    frame = pl.DataFrame({"won awards": rng.integers(0, 9, 2_000), "Tags": rng.choice(["a", "b"], 2_000)})
    assert not [one for one in accused(frame, rng.integers(0, 2, 2_000).astype(float)).values() if one.left_out]


def test_notes_that_tell_how_it_ended_are_a_leak():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 1_000).astype(float)
    texts = [f"{'deal signed welcome aboard' if won else 'asked about the price'} again {i}" for i, won in enumerate(y)]
    assert accused(pl.DataFrame({"message": texts, "x": rng.normal(size=1_000)}), y)["message"].left_out


def test_a_date_after_the_moment_is_a_leak():
    rng = np.random.default_rng(3)
    days = rng.integers(0, 300, 1_000)
    y = rng.integers(0, 2, 1_000).astype(float)
    known = pl.Series(np.datetime64("2025-01-01") + days)
    later = pl.Series(np.datetime64("2025-01-01") + days + (y * 5 + rng.integers(0, 8, 1_000)).astype(int))
    moment = days + 9132.0  # since 2000
    found = accused(pl.DataFrame({"seen": later, "came": known}), y, time="came", moment=moment)
    assert "lie after the moment" in found["seen"].why


def test_the_promise_is_of_leads_whose_doubtful_columns_are_still_blank():
    rng = np.random.default_rng(13)
    seconds, visits = rng.gamma(1.4, 400, 3_000), rng.normal(size=3_000)
    y = rng.random(3_000) < sigmoid(seconds / 700 + 0.6 * visits - 1.5)
    rating = np.round(y + rng.normal(0, 0.72, 3_000), 2)  # as good as everything else together, and perhaps honest
    answer = train(pl.DataFrame({"seconds": seconds, "visits": visits, "rating": rating, "won": y}), "won")
    assert isinstance(answer, TrainedScorer)
    assert answer.doubtful == ("rating",)
    assert answer.evaluation.p_blank is not None
    blank = auc(answer.evaluation.y, answer.evaluation.p_blank)
    assert blank < answer.figures.auc - 0.05
    assert f"(AUC {blank:.3f} ±" in headline(answer)
    assert f'while "rating" is blank; else AUC {answer.figures.auc:.3f}' in headline(answer)


# Too little to learn from


@pytest.mark.parametrize(("positives", "said"), [(0, "no lead of"), (1, "only 1 lead of"), (3, "only 3 leads of")])
def test_the_rules_stay_with_a_handful_of_buyers(positives, said):
    frame = pl.DataFrame({"x": range(400), "won": [1] * positives + [0] * (400 - positives)})
    answer = train(frame, "won")
    assert isinstance(answer, NothingLearned)
    assert said in answer.reason
    assert str(LEAST) in answer.reason


def test_the_rules_stay_when_nothing_tells_buyers_from_others():
    rng = np.random.default_rng(4)
    frame = pl.DataFrame({"x": rng.normal(size=500), "c": rng.choice(["a", "b"], 500), "won": rng.integers(0, 2, 500)})
    answer = train(frame, "won")
    assert isinstance(answer, NothingLearned)
    assert "no better than chance" in answer.reason


def test_the_rules_stay_when_only_leaks_are_left():
    y = np.random.default_rng(5).integers(0, 2, 400)
    answer = train(pl.DataFrame({"won date": np.where(y, "2025-01-01", ""), "won": y}), "won")
    assert isinstance(answer, NothingLearned)
    assert [one.column for one in answer.findings] == ["won date"]


# Honesty of the model selection


def test_the_same_lead_twice_counts_once_and_open_leads_not_at_all():
    frame = leads(600).with_columns(Converted=pl.Series(["Yes", "No", None] * 200))
    assert learned_from(pl.concat([frame, frame])) == 400


def test_leads_that_look_alike_are_different_leads():
    frame = pl.DataFrame({"Source": ["a", "b"] * 200, "Converted": ["Yes", "No", "No", "No"] * 100})
    assert learned_from(frame) == 400


def learned_from(frame):
    return len(usable_rows(frame, read_labels(frame["Converted"])))


def test_folds_go_forward_in_time_and_never_split_a_group():
    y = np.tile([0.0, 1.0, 0.0], 200)
    moment = np.random.default_rng(6).permutation(600).astype(float)
    for known, judged in forward_folds(y, moment):
        assert moment[known].max() <= moment[judged].min()
    groups = np.repeat(np.arange(150), 4)
    for folds in rounds_of_folds(y, groups):
        for known, judged in folds:
            assert not set(groups[known]) & set(groups[judged])


def test_scores_follow_the_base_rate_of_the_newest_leads():
    rng = np.random.default_rng(11)
    moment = np.arange(4_000.0)
    y = (rng.random(4_000) < np.where(moment < 3_000, 0.1, 0.4)).astype(float)
    frame = pl.DataFrame({"x": rng.normal(size=4_000)})
    reader = plan_features(frame, describe(frame))
    table, parts = reader.read(frame), rng.integers(0, 5, 4_000)
    for window, rate in ((None, y.mean()), (1_000, y[3_000:].mean())):
        learned = fit_recipe(Recipe(trees=None, weight=1.0, window=window), reader, table, Examples(y, moment), parts)
        assert sigmoid(learned.log_odds(table))[3_000:].mean() == pytest.approx(rate, abs=0.01)


def test_a_pair_that_matters_only_together_is_found():
    rng = np.random.default_rng(12)
    a, b = rng.integers(0, 6, 4_000), rng.integers(0, 6, 4_000)
    rest = np.where((a + b) % 2, 0.3, -0.3) + rng.normal(0, 0.3, 4_000)
    frame = pl.DataFrame({"a": a.astype(str), "b": b.astype(str), "c": rng.integers(0, 6, 4_000).astype(str)})
    reader = plan_features(frame, describe(frame))
    found = find_interactions(reader, reader.read(frame), rest, rng.integers(0, 5, 4_000), forward=False)
    assert found[0] == (("number", 0), ("number", 1))


def test_a_lead_is_not_told_its_own_outcome():
    rng = np.random.default_rng(7)
    frame = pl.DataFrame({"company": [f"c{i % 300}" for i in range(3_000)]})
    y = rng.integers(0, 2, 3_000).astype(float)
    reader = plan_features(frame, describe(frame))
    table = reader.read(frame)
    _, told = learn_encoding([make_key(reader, table, [("level", 0)])], table, y, rng.integers(0, 5, 3_000))
    assert auc(y, told[:, 0]) < 0.55


def test_probabilities_come_true_though_buyers_are_rare():
    rng = np.random.default_rng(8)
    x = rng.normal(size=6_000)
    frame = pl.DataFrame({"x": x, "won": (rng.random(6_000) < sigmoid(1.2 * x - 4)).astype(int)})
    answer = train(frame[:3_000], "won")
    assert isinstance(answer, TrainedScorer)
    p, y = answer.scorer.score(frame[3_000:]), frame["won"].to_numpy()[3_000:].astype(float)
    assert p.mean() == pytest.approx(y.mean(), rel=0.25)
    assert ece(y, p) < 0.02


def test_a_calibration_is_chosen_only_where_it_pays():
    rng = np.random.default_rng(9)
    truth = rng.normal(size=4_000)
    y = (rng.random(4_000) < sigmoid(truth)).astype(float)
    folds = rng.integers(0, 5, 4_000)
    assert choose_calibrator(truth, y, folds).kind == "none"
    mended = choose_calibrator(3 * truth + 1, y, folds)  # three times too sure of itself
    assert mended.kind != "none"
    assert ece(y, mended(3 * truth + 1)) < 0.03


def test_figures_agree_with_scikit_learn():
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

    rng = np.random.default_rng(10)
    y, p = rng.integers(0, 2, 300).astype(float), rng.random(300).round(1)
    assert figures(y, p).auc == pytest.approx(roc_auc_score(y, p))
    assert average_precision(y, p) == pytest.approx(average_precision_score(y, p))
    assert figures(y, p).brier == pytest.approx(brier_score_loss(y, p))


# Scoring


def test_strange_leads_are_scored_all_the_same():
    frame = leads().head(3).with_columns(Source=pl.Series(["Pigeon", None, ""]), **{"Seconds on site": pl.lit("many")})
    p = trained().scorer.score(frame)
    assert ((p > 0) & (p < 1)).all()
    assert trained().scorer.strange(frame) == {"Source": 1}


def test_a_missing_column_is_tolerated_and_most_of_them_is_an_error():
    assert trained().scorer.missing(leads().drop("Amount")) == ["Amount"]
    with pytest.raises(ColumnsMissing, match="Seconds on site"):
        trained().scorer.score(leads().select("Amount"))


def test_training_twice_gives_the_same_scores():
    again = train(leads(), "Converted")
    assert isinstance(again, TrainedScorer)
    np.testing.assert_array_equal(again.scorer.score(leads()), trained().scorer.score(leads()))


# Reasons


def test_taking_a_reason_away_moves_the_score_as_it_says():
    scorer = trained().scorer
    table = scorer.reader.read(leads().head(200))
    found, score = find_reasons(scorer, table), scorer.score_table(table)
    assert (found.family >= 0).sum() > 300
    for lead, place in zip(*np.nonzero(found.family >= 0), strict=True):
        family = scorer.partial_effects.families[found.family[lead, place]]
        one = table.take(np.array([lead]))
        without = scorer.score_table(replaced(one, scorer.typical, scorer.reader, family))[0]
        assert score[lead] - without == pytest.approx(found.effect[lead, place], abs=1e-12)


def test_praise_comes_first_and_no_reason_twice():
    scorer = trained().scorer
    found = find_reasons(scorer, scorer.reader.read(leads()))
    assert (found.effect[:, :3] >= 0).all()
    assert (found.effect[:, 3:] <= 0).all()
    for row in found.family.tolist():
        said = [one for one in row if one >= 0]
        assert len(said) == len(set(said))


def test_the_likeliest_reasons_are_the_strongest():
    scorer = trained().scorer
    table = scorer.reader.read(leads().head(300))
    score = scorer.score_table(table)
    every = np.column_stack([
        score - scorer.score_table(replaced(table, scorer.typical, scorer.reader, family))
        for family in scorer.partial_effects.families
    ])  # fmt: skip
    found = find_reasons(scorer, table)
    assert np.mean(np.isclose(found.effect[:, 0], np.maximum(every.max(1), 0), atol=0.003)) > 0.95


def test_reasons_read_as_a_salesperson_speaks():
    scorer = trained().scorer
    best = leads().filter(pl.col("Source") == "Referral", pl.col("Occupation") == "Professional").head(1)
    table = scorer.reader.read(best)
    said = [text for text, effect in describe_reasons(scorer, table, find_reasons(scorer, table))[0] if effect > 0]
    assert {"Source: Referral", "Occupation: Professional"} <= set(said)
    own = describe_reasons(scorer, table, find_reasons(scorer, table), {"Source": "came by {value}"})[0]
    assert "came by Referral" in [text for text, _ in own]


def test_a_year_has_no_comma_and_that_nothing_happened_is_no_praise():
    rng = np.random.default_rng(14)
    founded, visits = rng.integers(1_950, 2_020, 1_500), rng.poisson(3, 1_500)
    y = rng.random(1_500) < sigmoid((founded - 1_985) / 15 - 0.5 * (visits - 3))
    frame = pl.DataFrame({"Founded": founded, "Visits": visits, "Age": rng.normal(45, 9, 1_500).round(), "won": y})
    answer = train(frame, "won")
    assert isinstance(answer, TrainedScorer)
    table = answer.scorer.reader.read(frame)
    said = [one for row in describe_reasons(answer.scorer, table, find_reasons(answer.scorer, table)) for one in row]
    assert any(text.startswith("Founded: 20") for text, _ in said)
    assert not any("Founded: 2," in text or "Founded: 1," in text for text, _ in said)
    assert not any(text.startswith("Visits: 0 ") and points > 0 for text, points in said)
    assert protected_columns(answer.scorer.card) == []  # it is there, and the score does not lean on it


def test_a_score_that_leans_on_age_says_so():
    card = ModelCard(importance={"Alter": 0.08, "age_band": 0.01, "Page views": 0.2, "Sex": 0.0001})
    assert [one.split('"')[1] for one in protected_columns(card)] == ["Alter", "age_band"]


def test_columns_that_move_together_are_one_reason():
    names = [[trained().scorer.reader.owners[i] for i in one] for one in trained().scorer.partial_effects.families]
    assert ["Seconds on site", "Pages"] in names


# The report, drift, and what a trained scorer remembers


def test_the_report_is_one_page_that_needs_nothing_else():
    report = write_report(trained(), leads())
    assert report.page.count("data:image/png;base64,") >= 8
    assert "http" not in report.page
    for leak in LEAKS:
        assert leak in report.page
        assert leak in report.markdown
    first = report.figures.backtest[0]
    assert first.calls["model"] < first.random


def test_the_report_says_which_way_every_column_moves_the_chance():
    told = {one.column: one for one in write_report(trained(), leads()).figures.directions}
    assert set(told) == set(trained().scorer.reader.owners)
    assert told["Seconds on site"].sentence.startswith("The chance rises with it: ")
    assert told["Source"].sentence.startswith("The chance is highest for Referral (")
    referral = next(one for one in told["Source"].values if one.value == "Referral")
    assert referral.chance > 0.1 + max(one.chance for one in told["Source"].values if one.value != "Referral")
    assert "Which way each column moves the chance" in write_report(trained(), leads()).page


def test_the_report_says_what_is_dangerous_in_a_page_as_text():
    frame = leads().rename({"Source": "<script>alert(1)</script>"})
    report = write_report(trained(), frame.rename({"<script>alert(1)</script>": "Source"}))
    assert "<script" not in report.page


def test_what_moved_is_said_in_a_sentence():
    scorer, now = trained().scorer, leads()
    assert find_drift(scorer, now, scorer.score(now), outcome(now)) == []
    moved_on = now.with_columns(Source=pl.lit("Chat"))
    [said, *_] = find_drift(scorer, moved_on, scorer.score(moved_on))
    assert said.sentence.startswith('Source: "Chat" for all of the leads now; ')
    dead = find_drift(scorer, now, scorer.score(now), np.zeros(now.height))
    assert dead[0].what == "calibration"
    assert "0.0% did" in dead[0].sentence


def test_time_puts_the_newest_leads_aside():
    answer = train(leads(), "Converted", TrainingOptions(time="Came on"))
    assert isinstance(answer, TrainedScorer)
    judged = set(answer.evaluation.rows.tolist())
    assert min(judged) > 0.7 * leads().height  # the file is in order of time
    assert answer.scorer.card["data_cut"] == "2025-12-28"
    assert versions.challenge(answer.evaluation.y, answer.evaluation.p, answer.evaluation.p).better is False
