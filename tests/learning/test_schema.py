"""What is in a column nobody described, and what became of a lead: read from whatever the customer wrote."""

import gzip

import numpy as np
import polars as pl
import pytest

from nurture.learning.features.columns import RARE, plan_features
from nurture.learning.training_data.files import read_frame
from nurture.learning.training_data.labels import UnreadableLabels, read_labels
from nurture.learning.training_data.options import TrainingOptionsError, read_options
from nurture.learning.training_data.schema import ColumnKind, describe, read_days, read_numbers
from tests.support.lead_file import JUNK, leads


def only(values, name="x"):
    return describe(pl.DataFrame({name: values}, strict=False))[0]


@pytest.mark.parametrize(
    ("values", "kind", "form"),
    [
        (["1", "2.5", "-3"], ColumnKind.NUMBER, "plain"),
        (["1.234,50", "12,5", "7"], ColumnKind.NUMBER, "1.234,5"),
        (["$1,234.50", "12", "3.5%"], ColumnKind.NUMBER, "1,234.5"),
        (["10.0.0.1", "10.0.0.2", "1.2.3.4"], ColumnKind.CATEGORY, ""),
        (["00123", "04711", "10115"], ColumnKind.CATEGORY, ""),
        (["2025-01-31", "2025-02-01"], ColumnKind.DATE, "%Y-%m-%d"),
        (["31.01.2025", "01.02.2025"], ColumnKind.DATE, "%d.%m.%Y"),
        (["01/31/2025", "02/01/2025"], ColumnKind.DATE, "%m/%d/%Y"),
        (["1/2/2025", "31/1/2025"], ColumnKind.DATE, "%d/%m/%Y"),
        (["13-02-2012", "05-11-2012"], ColumnKind.DATE, "%d-%m-%Y"),
        (["02-13-2012", "11-05-2012"], ColumnKind.DATE, "%m-%d-%Y"),
        (["3-Jan-2012", "14-Feb-2012"], ColumnKind.DATE, "%d-%b-%Y"),
        (["2025-01-31T10:00:00Z", "2025-01-31T23:00:00+02:00"], ColumnKind.DATE, "%Y-%m-%dT%H:%M:%S"),
        ([True, False, True], ColumnKind.CATEGORY, ""),
        ([[1], [2]], ColumnKind.NOTHING, ""),
    ],
)
def test_a_column_says_by_its_values_what_it_is(values, kind, form):
    assert (only(values).kind, only(values).form) == (kind, form)


def test_a_number_is_read_as_its_column_writes_numbers():
    column = only(["1.234,50", "12,5", "-", "7"] * 20)
    assert read_numbers(pl.Series(["1.234,50", "2", "?"]), column)[:2].tolist() == [1234.5, 2.0]
    assert np.isnan(read_numbers(pl.Series(["?"]), column)).all()


def test_a_date_is_read_whether_text_or_typed():
    text = only(["01.02.2000", "31.01.2000"])
    assert read_days(pl.Series(["01.02.2000"]), text).tolist() == [31.0]
    assert read_days(pl.Series(["2000-02-01"]).str.to_date(), text).tolist() == [31.0]


@pytest.mark.parametrize("text", ["14-02-2012", "02-14-2012", "14-Feb-2012", "2012-02-14 10:30 +01:00", "14.02.2012"])
def test_a_date_is_read_whatever_its_dress(text):
    day = (np.datetime64("2012-02-14") - np.datetime64("2000-01-01")).astype(int)
    assert int(read_days(pl.Series([text]), only([text]))[0]) == day


def test_numbers_that_a_system_gave_are_no_feature_whatever_their_order_and_name():
    rng = np.random.default_rng(3)
    given = rng.permutation(np.cumsum(rng.integers(1, 9, 900)) + 641_000)
    assert only(given, "x7").why == "It numbers the leads."
    assert only(rng.permutation(np.unique(rng.gamma(2, 90_000, 900).astype(int))), "x8").kind == ColumnKind.NUMBER
    assert only(rng.integers(1, 60, 900), "x9").kind == ColumnKind.NUMBER


@pytest.mark.parametrize("said", ["Select", "N/A", "-", "keine Angabe", "请选择"])
def test_a_placeholder_is_missing_and_no_level(said):
    frame = pl.DataFrame({"source": ["Google"] * 20 + [said] * 20 + ["Chat"] * 20})
    reader = plan_features(frame, describe(frame))
    assert reader.levels[0].levels == ("Chat", "Google")
    assert reader.read(frame).levels[20:40, 0].tolist() == [0] * 20
    assert only([said] * 30 + ["Google"] * 3).kind == ColumnKind.CATEGORY
    assert only([said] * 50).kind == ColumnKind.NOTHING


def test_junk_is_left_out_with_its_reason():
    left_out = {one.name: one.why for one in describe(leads(), skip={"Converted"}) if one.kind == ColumnKind.NOTHING}
    assert set(left_out) == JUNK
    assert left_out["Source (copy)"] == 'It says the same as "Source".'
    assert left_out["Do Not Call"] == 'It says "No" in every row.'
    assert left_out["Lead Number"] == "It numbers the leads."


def test_a_postcode_is_a_name_not_an_amount():
    codes = np.random.default_rng(0).integers(10_000, 99_999, 50).tolist() * 4
    assert only(codes, "Postal code").kind == ColumnKind.CATEGORY
    assert only(codes, "Revenue").kind == ColumnKind.NUMBER


def test_unseen_and_missing_levels_have_places_of_their_own():
    frame = pl.DataFrame({"source": ["Google"] * 20 + ["Chat"] * 20 + ["Fax"]})
    reader = plan_features(frame, describe(frame))
    table = reader.read(pl.DataFrame({"source": ["Chat", "Fax", "Pigeon", None]}))
    assert table.levels[:, 0].tolist() == [2, RARE, RARE, 0]


def test_a_hundred_thousand_categories_are_read():
    frame = pl.DataFrame({"company": [f"c{i}" for i in range(100_000)] * 2, "x": range(200_000)})
    reader = plan_features(frame, describe(frame))
    assert reader.read(frame).levels.max() == RARE  # two rows each say nothing


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (["yes", "no"], "yes"), (["Won", "Loss"], "Won"), (["1", "0"], "1"), ([1, 0], "1"), ([1.0, 0.0], "1"),
        ([True, False], "true"), (["Closed Won", "Closed Lost"], "Closed Won"), (["ja", "nein"], "ja"),
        (["customer", "0"], "customer"), (["Yes ", " no"], "Yes"), (["成交", "否"], "成交"),
    ],
)  # fmt: skip
def test_two_outcomes_are_recognised(values, positive):
    outcome = read_labels(pl.Series("y", [*values, None]))
    assert outcome.positive == positive
    assert outcome.y[:2].tolist() == [1, 0]
    assert np.isnan(outcome.y[2])  # an open lead is not a lost one


def test_an_outcome_that_does_not_say_which_is_good_must_be_told():
    with pytest.raises(UnreadableLabels, match='--positive "A"'):
        read_labels(pl.Series("y", ["A", "B"]))
    assert read_labels(pl.Series("y", ["A", "B"]), positive="b").y.tolist() == [0, 1]


def test_many_outcomes_are_named_and_may_be_chosen_from():
    stages = pl.Series("Stage", ["Won", "Lost", "Open", "Won"])
    with pytest.raises(UnreadableLabels, match='"Won", "Lost", "Open"'):
        read_labels(stages)
    outcome = read_labels(stages, positive="Won", negative=["Lost"])
    assert outcome.y[:2].tolist() == [1, 0]
    assert np.isnan(outcome.y[2])


@pytest.mark.parametrize("undecided", ["Open", "In progress", "Pending", "offen", "进行中"])
def test_a_deal_under_way_is_never_taken_or_proposed_as_lost(undecided):
    with pytest.raises(UnreadableLabels, match="not lost but undecided"):
        read_labels(pl.Series("y", ["Won", undecided]))
    with pytest.raises(UnreadableLabels, match='--negative "Lost"') as error:
        read_labels(pl.Series("y", ["Won", undecided, "Lost"]), positive="Won")
    assert f'--negative "{undecided}"' not in str(error.value)
    with pytest.raises(UnreadableLabels):
        read_labels(pl.Series("y", ["A", undecided]), positive="A")
    labels = read_labels(pl.Series("y", ["Won", undecided, "Lost", undecided]), "Won", ["Lost"])
    assert labels.others == ((undecided, 2),)


def test_nothing_or_yes_is_no_outcome():
    with pytest.raises(UnreadableLabels, match="Empty means unknown"):
        read_labels(pl.Series("y", ["bought", None]))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_file_is_read_in_any_dress(tmp_path, separator, encoding):
    text = f'Näme{separator}n\r\n"Søren{separator} sen."{separator}1\r\nZoë{separator}\r\n'
    path = tmp_path / "leads.csv.gz"
    path.write_bytes(gzip.compress(text.encode(encoding)))
    frame = read_frame(path)
    assert frame.to_dicts() == [{"Näme": f"Søren{separator} sen.", "n": "1"}, {"Näme": "Zoë", "n": None}]


def test_parquet_keeps_its_types(tmp_path):
    pl.DataFrame({"a": [1.5, None]}).write_parquet(tmp_path / "leads.parquet")
    assert read_frame(tmp_path / "leads.parquet")["a"].dtype == pl.Float64


def test_a_misspelt_wish_is_named(tmp_path):
    (tmp_path / "map.toml").write_text('[train]\nignroe = ["Tags"]\n')
    with pytest.raises(TrainingOptionsError, match="ignroe"):
        read_options(tmp_path / "map.toml")
