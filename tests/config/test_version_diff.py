"""What publishing would change, and for whom: said before anything is written."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from models.enrolment import EnrolledCount
from nurture.cli.planning import foresee_campaign
from nurture.config.version_diff import changes
from tests.support import plain_campaigns
from tests.support.people import dump

BASE = {"one": "", "two": 'wait = "P2D"', "three": 'wait = "P2D"'}


def files(top: str = "", words: str = "same", **steps: str) -> dict[str, str]:
    steps = steps or BASE
    toml = f'name = "P"\nmarket = "b2b"\ngoal = "a word"\naudience = "1 = 1"\n{top}\n'
    toml += "".join(f'[[steps]]\nletter = "{letter}"\n{more}\n' for letter, more in steps.items())
    return {"p/campaign.toml": toml} | {f"p/{letter}/body.txt": f"{words} {letter}" for letter in steps}


@pytest.mark.parametrize(
    ("new", "field", "sentence"),
    [
        (files(two=BASE["two"], one="", three=BASE["three"]), "steps",
         "one moves from step 1 to 2; nobody gets it again"),
        (files(one="", three=BASE["three"]), "steps", "two goes; whoever began before still gets it as step 2"),
        (files(**BASE, four=""), "steps", "step 4 is new: four to everybody"),
        (files(one="", two='wait = "P4BD"', three=BASE["three"]), "steps",
         "two: wait was 2 days, becomes 4 business days"),
        (files(words="other"), "letters", "one: other words in body.txt"),
        ({**files(), "_layout/base.txt": "new"}, "letters", "for all letters: _layout/base.txt"),
        (files(top="priority = 70"), "terms", "priority was 50, becomes 70"),
        (files(top='reentry = "P20D"'), "terms", "reentry was never, becomes after 20 days"),
    ],
)  # fmt: skip
def test_every_change_is_told_in_a_sentence(new: dict[str, str], field: str, sentence: str) -> None:
    told, campaign = changes(files(), new, "p")
    assert told.status == "changed"
    assert sentence in getattr(told, field)
    assert campaign is not None


def test_a_renamed_letter_and_a_step_in_between_are_warned_of() -> None:
    renamed = files(first="", two=BASE["two"], three=BASE["three"]) | {"p/first/body.txt": "same one"}
    warnings = changes(files(), renamed, "p")[0].warnings
    assert "first says what one said: a renamed letter is a new letter" in warnings
    between = changes(files(), files(one="", between="", two=BASE["two"], three=BASE["three"]), "p")[0]
    assert "between comes before letters that some have had" in between.warnings[0]


def test_new_unchanged_and_broken_are_told_apart() -> None:
    assert changes(None, files(), "p")[0].steps[0] == "step 1: one to everybody"
    assert changes(files(), files(), "p")[0].status == "unchanged"
    broken, campaign = changes(files(), {"p/campaign.toml": "name = 1"}, "p")
    assert (broken.status, campaign) == ("broken", None)
    assert broken.problems


def test_a_plan_says_who_enters_who_leaves_what_happens_to_those_inside_and_writes_nothing(
    engine: Engine, now: datetime, tmp_path: Path
) -> None:
    plain_campaigns.settle(engine, now, {"zoe": 1, "ann": 2, "bo": 3})
    version = plain_campaigns.publish(engine, now, "p", "one", "two", audience="contact_id < 3")
    plain_campaigns.morning(engine, now, "p", version)
    plain_campaigns.post(engine, now)
    folder = tmp_path / "p"
    for name in ("one", "three"):
        (folder / name).mkdir(parents=True)
        (folder / name / "body.txt").write_text(name)
    toml = 'name = "p"\nmarket = "b2b"\ngoal = "a word"\naudience = "1 = 1"\n[[steps]]\nletter = "one"\n'
    (folder / "campaign.toml").write_text(toml + '[[steps]]\nletter = "three"\nwait = "P2D"\n')
    before = dump(engine)
    told = foresee_campaign(engine, now + timedelta(days=3), tmp_path, "p")
    assert dump(engine) == before
    assert (told.status, told.version) == ("changed", 1)
    assert told.steps == ["step 2 is new: three to everybody after 2 days",
                             "two goes; whoever began before still gets it as step 2"]  # fmt: skip
    assert told.inside == [EnrolledCount(version=1, state="active", n=2)]
    assert told.enter
    assert (told.enter.n, told.enter.first[0].address) == (1, "bo@a3.example")
    assert told.next_run
    assert told.next_run.sends == {"two": 2}  # those inside go on as they began
