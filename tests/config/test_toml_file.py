"""Values are taken by key and type; what is wrong has its line and a mend. Old keys are told their new names."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from nurture.config.campaign_file import CampaignError, parse, read_files
from nurture.config.toml_file import ConfigFileError, TomlTable, parse_toml

TEXT = """whole = 3
part = 0.5
yes = true
day = 2026-03-20
said = "2026-03-21"
names = ["a", "b"]
[inner]
wait = "P4BD"
[[rows]]
n = 1
[[rows]]
n = "two"
"""


@pytest.fixture
def table() -> TomlTable:
    """A file that has a bit of everything."""
    return parse_toml(TEXT, "x.toml", ConfigFileError, Decimal)


def told(table: TomlTable) -> list[str]:
    """The problems so far, as they are shown."""
    return [str(problem) for problem in table.file.in_order()]


def test_values_come_by_their_types_and_absent_ones_as_usual(table: TomlTable) -> None:
    assert (table.get("whole", int, 0), table.decimal("part", None), table.get("yes", bool, False)) == (
        3,
        Decimal("0.5"),
        True,
    )
    days = [table.parsed(key, date, date.fromisoformat, "a date", "…") for key in ("day", "said", "no")]
    assert days == [date(2026, 3, 20), date(2026, 3, 21), None]
    assert table.texts("names", "…") == ("a", "b")
    assert (table.get("no", str, "usual"), table.number("no", 1), table.texts("no", "…", ("c",))) == (
        "usual",
        1,
        ("c",),
    )
    span = table.table("inner").span("wait")
    assert span is not None
    assert span.business_days == 4
    assert not table.table("nothing")
    assert told(table) == []


def test_a_value_of_another_type_is_told_with_its_line_and_the_usual_one_is_taken(table: TomlTable) -> None:
    assert table.get("yes", int, 7) == 7  # True is no number
    assert table.require("said", int) is None
    assert table.require("gone", str) is None
    rows = table.tables("rows", "…")
    assert [row.get("n", int, 0) for row in rows] == [1, 0]
    assert told(table) == [
        "x.toml:1: gone is missing (add a line gone = …)",
        "x.toml:3: yes should be a whole number, not True (correct the value)",
        "x.toml:5: said should be a whole number, not “2026-03-21” (correct the value)",
        "x.toml:12: rows.1.n should be a whole number, not “two” (correct the value)",
    ]
    with pytest.raises(ConfigFileError, match=r"x\.toml:1: gone") as caught:
        table.file.raise_problems(ConfigFileError)
    assert len(caught.value.problems) == 4


def test_broken_toml_is_told_with_its_line() -> None:
    with pytest.raises(ConfigFileError, match=r"x\.toml:2: .*\(correct the TOML"):
        parse_toml("a = 1\nb = \n", "x.toml", ConfigFileError)


# ── keys that had another name ──

CAMPAIGN = """name = "N"
market = "b2b"
goal = "demo"
audience = "stage = 'lead'"
[send]
lead = "PT30M"
[[steps]]
letter = "a"
"""


def test_a_key_by_its_old_name_is_refused_and_told_the_new_one() -> None:
    campaign, problems = parse(CAMPAIGN, "c/campaign.toml", "c", frozenset({"a"}))
    assert campaign is None
    assert [str(problem) for problem in problems] == [
        "c/campaign.toml:6: send.lead is called hold_for now (write hold_for instead of lead)"
    ]


def test_a_version_published_with_an_old_key_is_read_as_before() -> None:
    stored = {"c/campaign.toml": CAMPAIGN, "c/a/body.txt": ""}
    assert read_files(stored, "c").hold_for == timedelta(minutes=30)
    renamed = {**stored, "c/campaign.toml": CAMPAIGN.replace("lead =", "hold_for =")}
    assert read_files(renamed, "c") == read_files(stored, "c")
    with pytest.raises(CampaignError, match="not between PT20M and P2D"):
        read_files({**stored, "c/campaign.toml": CAMPAIGN.replace("PT30M", "PT1M")}, "c")
