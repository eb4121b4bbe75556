"""`nurture train` on files nobody prepared: what comes out, row for row, and what the errors teach."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest

from nurture.learning.registry import versions
from nurture.learning.train_file import CannotTrain, TrainingFile, train_file
from nurture.learning.training_data.options import TrainingOptions
from tests.support.lead_file import LEAKS, leads

TOGETHER = True  # one worker: what the file makes once is costly

NOW = datetime(2026, 6, 30, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A semicolon file in Windows' encoding, and a holdout in another order, with other columns, without the label."""
    folder = tmp_path_factory.mktemp("training")
    (folder / "leads.csv").write_bytes(leads(1_100).write_csv(separator=";").replace("€", "€").encode("cp1252"))
    later = leads(2_000, seed=8).drop("Converted", "Tags", "Amount").with_columns(pl.lit("Pigeon").alias("Source"))
    held = pl.concat([later.head(150), later.head(1)]).select(reversed(later.columns))
    held.write_parquet(folder / "later.parquet")
    (folder / "map.toml").write_text('[train]\nignore = ["came on"]\n')
    asked = TrainingFile(
        folder / "leads.csv", "converted", mapping=folder / "map.toml", holdout=folder / "later.parquet",
        out=folder / "out", code="0.1.0",
    )  # fmt: skip
    result = train_file(asked, NOW)
    return folder, held, result


def test_predictions_are_row_for_row_in_the_holdouts_order(run):
    folder, held, result = run
    written = pl.read_csv(folder / "out" / "predictions.csv")
    assert written.columns == ["row", "score", "because", "held_back_by", "version"]
    assert written["row"].to_list() == list(range(151))
    assert written["score"][0] == written["score"][150]  # the same lead twice is two rows
    scorer = versions.load(folder / "out" / "models", result.version)
    assert written["score"].to_list() == pytest.approx(scorer.score(held).tolist(), abs=1e-6)


def test_what_is_odd_about_the_holdout_is_said(run):
    warnings = " ".join(run[2].warnings)
    assert '"Amount"' in warnings
    assert '"Source" has a value that the training hardly knew, or not at all, in 151 of 151 leads.' in warnings


def test_the_result_names_the_leaks_and_the_report_is_there(run):
    folder, _, result = run
    assert {one["column"] for one in result.left_out} == LEAKS
    assert "Came on" not in result.card["columns"]
    told = json.loads((folder / "out" / "result.json").read_text())
    assert told["version"] == result.version
    assert told["holdout"] is None  # it did not say what became of its leads
    assert (folder / "out" / "report.html").read_text().startswith("<!doctype html>")


def test_rows_that_are_not_learned_from_are_counted(tmp_path):
    said = ["Yes", "No", "No", "maybe", None] * 80
    frame = leads(400).with_columns(Converted=pl.Series(said))
    pl.concat([frame, frame.head(10)]).write_csv(tmp_path / "leads.csv")
    options = TrainingOptions(positive="Yes", negative=("No",))
    result = train_file(TrainingFile(tmp_path / "leads.csv", "Converted", options, out=tmp_path / "out"), NOW)
    assert result.rows == [
        "240 of 410 rows are learned from.",
        "  6 say the same as an earlier row and count once.",
        '  82 say nothing in "Converted": unknown, not lost.',
        '  82 say "maybe" in "Converted": neither yes nor no, so unknown.',
    ]


def test_the_rules_stay_without_a_model(tmp_path):
    leads(300).with_columns(Converted=pl.lit("No")).write_csv(tmp_path / "leads.csv")
    result = train_file(TrainingFile(tmp_path / "leads.csv", "Converted", out=tmp_path / "out"), NOW)
    assert result.stays
    assert result.model is None
    assert not (tmp_path / "out" / "models").exists()


@pytest.mark.parametrize(
    ("label", "how", "said"),
    [
        ("Convertd", {}, 'has no column "Convertd". It has "Prospect ID"'),
        ("Source", {}, 'has 4 values ("'),
        ("Converted", {"time": "Occupation"}, "neither as dates nor as numbers"),
        ("Converted", {"ignore": ("Fix",)}, 'no column "Fix"'),
        ("Converted", {"positive": "maybe"}, 'never says "maybe"'),
    ],
)
def test_the_error_teaches(tmp_path, label, how, said):
    leads(300).write_csv(tmp_path / "leads.csv")
    with pytest.raises(CannotTrain) as error:
        train_file(TrainingFile(tmp_path / "leads.csv", label, TrainingOptions(**how), out=tmp_path / "out"), NOW)
    assert said in str(error.value)


def test_a_holdout_of_another_kind_is_an_error(tmp_path):
    leads(600).write_csv(tmp_path / "leads.csv")
    pl.DataFrame({"colour": ["red"]}).write_csv(tmp_path / "later.csv")
    asked = TrainingFile(tmp_path / "leads.csv", "Converted", holdout=tmp_path / "later.csv", out=tmp_path / "out")
    with pytest.raises(CannotTrain, match=r"later\.csv: .* columns the model reads are missing"):
        train_file(asked, NOW)
