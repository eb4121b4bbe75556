"""What is asked of those inside: the audience's condition, but for what the campaign's own letters change."""

import pytest

from nurture.config.campaign_file import parse
from nurture.config.staying import lasting, stays_condition

PUMPS = """
name = "Pumps"
market = "b2b"
goal = "opportunity"
audience = "industry = 'Food' AND stage = 'lead'"
[[steps]]
letter = "why"
"""


@pytest.mark.parametrize(
    ("audience", "asked"),
    [
        ("stage = 'lead'", None),
        ("industry = 'Food' AND grade IN ('A', 'B') AND stage = 'lead'", "industry = 'Food' AND grade IN ('A', 'B')"),
        ("stage = 'lead' OR country = 'DE'", None),
        ("NOT (stage = 'customer') AND country = 'DE'", "country = 'DE'"),
        ("NOT (stage = 'customer' AND country = 'DE')", None),
        ("NOT (stage = 'customer' OR country = 'DE')", "NOT (country = 'DE')"),
        ("(stage = 'lead' OR score < 40) AND employees > 3", "employees > 3"),
        ("score >= 40 AND clicks_30d = 0", "score >= 40"),
        ("score < 40 AND tier = 'x'", "tier = 'x'"),
        ("NOT score < 40", "NOT (score < 40)"),
        ("NOT score >= 40", None),
        ("40 <= score", "40 <= score"),
        ("40 >= score", None),
        ("days_since_activity > 60 AND shopper = 'lapsed'", "shopper = 'lapsed'"),
        ("days_since_activity <= 60", "days_since_activity <= 60"),
        ("1 = 1", None),
    ],
)  # fmt: skip
def test_what_the_letters_themselves_change_is_not_asked_again(audience: str, asked: str | None) -> None:
    assert lasting(audience) == asked


def test_stays_if_is_always_a_condition_or_the_audience() -> None:
    def read(line: str) -> str | None:
        campaign, problems = parse(PUMPS.replace("[[steps]]", f"{line}\n[[steps]]"), "x", "x", frozenset({"why"}))
        assert campaign is not None, problems
        return stays_condition(campaign)

    assert read("") == "industry = 'Food'"
    assert read('stays_if = "always"') is None
    assert read('''stays_if = "country = 'DE'"''') == "country = 'DE'"
    _, [problem] = parse(f'stays_if = "colour = 1"\n{PUMPS}', "x", "x", frozenset({"why"}))
    assert (problem.line, "there is no column 'colour'" in problem.what) == (1, True)


@pytest.mark.parametrize(("said", "right"), [("skip", True), ("send", True), ("later", False)])
def test_if_late_is_skip_or_send(said: str, right: bool) -> None:
    campaign, problems = parse(f'{PUMPS}if_late = "{said}"', "x", "x", frozenset({"why"}))
    assert (campaign is not None) is right
    what = ["what happens to a late letter, “later” is not known"]
    assert [problem.what for problem in problems] == ([] if right else what)
    if campaign:
        assert campaign.steps[0].if_late == said
