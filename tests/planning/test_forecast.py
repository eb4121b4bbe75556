"""`nurture plan` counts letters: its forecast for those who would enter is exactly what their first run then does."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from models import Message
from models import campaign as kept
from nurture.cli.planning import foresee_campaign
from nurture.config import campaigns
from nurture.rules.planning.holdouts import held_out
from nurture.runtime import database
from tasks.planning.forecast import CampaignFiles, PlanForecast, foresee, foresee_entry
from tests.planning.history import NOBODY, TERMS, History, Standing
from tests.planning.test_why_agrees import engine as engine  # SQLite without fsync
from tests.support.plain_campaigns import morning, post, publish, settle


def foretell(history: History, slug: str, published: bool) -> tuple[int, PlanForecast]:
    """How many would enter, and the forecast of their first run, of a new campaign or of a published one."""
    version = history.versions[slug]
    with database.reading(history.engine) as session:
        files = kept.version(session, version).files
        campaign = CampaignFiles(campaigns.read_files(files, slug), files, version if published else None)
        inside = foresee(session, history.now, slug, 99)
        found = foresee_entry(session, history.now, campaign, 99, inside)
    return found.n, found.run


def what_the_run_did(
    before: dict[str, Standing], after: dict[str, Standing]
) -> tuple[Counter[str], Counter[tuple[str, str]], int, int]:
    """To those who entered: letters planned, letters skipped by reason, how many wait, how many left again."""
    sends, skips, waits, ends = Counter[str](), Counter[tuple[str, str]](), 0, 0
    for address, now in after.items():
        was = before.get(address, NOBODY)
        if now.run == was.run:
            continue
        new = {letter: found for letter, found in now.letters.items() if letter not in was.letters}
        sends.update(letter for letter, found in new.items() if found[0] == "waiting")
        skips.update((letter, found[1] or "") for letter, found in new.items() if found[0] == "skipped")
        ends += not new and now.state != "active"
        waits += not new and now.state == "active"
    return sends, skips, waits, ends


@pytest.mark.parametrize("seed", range(3))
def test_the_first_run_does_what_the_plan_said(engine: Engine, seed: int) -> None:
    if engine.dialect.name == "postgresql" and seed > 0:
        pytest.skip("a short share on PostgreSQL")
    history, entered = History(engine, seed), 0
    for number in range(5):
        for slug in TERMS:
            n, told = foretell(history, slug, published=number > 0)
            before = history.where_leads_stand(slug)
            history.run(slug)
            after = history.where_leads_stand(slug)
            sends, skips, waits, ends = what_the_run_did(before, after)
            place = f"seed {seed}, {history.now:%d %B}, {slug}"
            assert (told.sends, told.skips) == (sends, skips), place
            assert (told.waits.total(), told.ends.total()) == (waits, ends), place
            assert n == sends.total() + skips.total() + waits + ends, place
            m = Message.__table__.c  # type: ignore[attr-defined]
            with database.reading(engine) as session:
                for address, letter, at in told.letters:
                    mine = (m.campaign == slug, m.address == address, m.letter == letter)
                    assert session.execute(select(m.not_before).where(*mine)).scalar_one() == at, place
            entered += n
        history.night()
    assert entered > 9


def folder(path: Path, toml: str, *letters: str) -> Path:
    for letter in letters:
        (path / "p" / letter).mkdir(parents=True)
        (path / "p" / letter / "body.txt").write_text(letter)
    (path / "p" / "campaign.toml").write_text(toml)
    return path


def test_a_new_campaign_is_foreseen_in_letters_by_day_and_reason(engine: Engine, now: datetime, tmp_path: Path) -> None:
    """Of 42 who would enter, those at held-out accounts get nothing, and the others two an account and day."""
    settle(engine, now, {f"{name}{n}": n for n in range(1, 15) for name in ("ann", "bo", "cy")})
    toml = 'name = "P"\nmarket = "b2b"\ngoal = "a word"\naudience = "1 = 1"\nholdout = 0.5\n[[steps]]\nletter = "one"\n'
    told = foresee_campaign(engine, now, folder(tmp_path, toml, "one"), "p")
    held = sum(held_out(f"a{n}", "p", 0.5) for n in range(1, 15))
    assert told.enter
    assert told.enter.n == 42
    run = told.enter.run
    assert run.sends == {"one": 3 * (14 - held)}
    assert [(one.letter, f"{one.day:%A}", one.n) for one in run.days] == [
        ("one", "Monday", 2 * (14 - held)), ("one", "Tuesday", 14 - held)]  # fmt: skip
    assert [(one.letter, one.reason, one.n) for one in run.skips] == [("one", "holdout", 3 * held)]
    assert [one.letter for one in run.letters] == ["one"] * min(20, 3 * (14 - held))
    assert told.next_run is None


def test_an_account_that_another_sequence_has_waits_in_the_forecast(
    engine: Engine, now: datetime, tmp_path: Path
) -> None:
    settle(engine, now, {"ann": 1, "bo": 2})
    version = publish(engine, now, "first", "one", audience="contact_id = 1")
    morning(engine, now, "first", version)
    toml = 'name = "P"\nmarket = "b2b"\ngoal = "a word"\naudience = "1 = 1"\n[[steps]]\nletter = "one"\n'
    told = foresee_campaign(engine, now, folder(tmp_path, toml, "one"), "p")
    assert told.enter
    assert (told.enter.run.sends, told.enter.run.waits) == ({"one": 1}, {"outranked": 1})


def test_letters_to_those_inside_fill_the_days_of_their_account_first(
    engine: Engine, now: datetime, tmp_path: Path
) -> None:
    settle(engine, now, {"ann": 1, "bo": 1})
    terms = {"account": "max_contacts_per_day = 1"}
    version = publish(engine, now, "p", "one", "two", audience="contact_id = 1", **terms)
    morning(engine, now, "p", version)
    post(engine, now)
    toml = 'name = "P"\nmarket = "b2b"\ngoal = "a word"\naudience = "1 = 1"\n[account]\nmax_contacts_per_day = 1\n'
    toml += '[[steps]]\nletter = "one"\n'
    later = now + timedelta(days=2)  # a Wednesday: Ann gets her second letter, so Bo has to wait for Thursday
    told = foresee_campaign(engine, later, folder(tmp_path, toml, "one"), "p")
    assert told.next_run
    assert told.enter
    assert [(one.letter, f"{one.day:%A}") for one in told.next_run.days] == [("two", "Wednesday")]
    assert [(one.letter, f"{one.day:%A}") for one in told.enter.run.days] == [("one", "Thursday")]
