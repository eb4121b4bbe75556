"""nurture threshold and nurture accounts, as they are typed."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nurture.runtime import database
from tests.cli.test_cli import EXAMPLES, ROOT, nurture
from tests.support.account_history import a_past

TOGETHER = True  # one worker: what the file makes once is costly

AT = ("--at", "2026-03-02T09:00:00")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database of companies, and none of our settings."""
    folder = tmp_path_factory.mktemp("selling")
    engine = database.engine_for(f"sqlite:///{folder / 'nurture.db'}")
    database.prepare(engine)
    a_past(engine, datetime(2026, 3, 2, 8, tzinfo=UTC), accounts=150)
    engine.dispose()
    return folder


def answer(home: Path, *words: str, rules: Path | None = None) -> Any:
    done = nurture(home, *words, "--json", rules=rules)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_threshold_is_that_of_the_settings_until_sales_have_a_file(home: Path, tmp_path: Path) -> None:
    usual = answer(home, "threshold", *AT)
    assert (usual["in_force"]["threshold"], usual["week"]) == (70, None)
    assert "cp examples/sales.toml" in nurture(home, "threshold", *AT).stdout
    for file in (ROOT / "templates").glob("*.toml"):
        shutil.copy(file, tmp_path)
    (tmp_path / "sales.toml").write_text((EXAMPLES / "sales.toml").read_text().replace("least_score  = 40", ""))
    assert nurture(home, "score", *AT, rules=tmp_path).returncode == 0
    set_by_scoring = answer(home, "threshold", *AT, rules=tmp_path)
    assert set_by_scoring["in_force"]["threshold"] == set_by_scoring["week"]["threshold"]
    assert 0 < set_by_scoring["week"]["leads"] <= set_by_scoring["week"]["free"]
    shown = nurture(home, "threshold", *AT, rules=tmp_path).stdout
    assert "ana@brunnhold.example" in shown
    assert "In force: " in shown
    (tmp_path / "sales.toml").write_text("leads_per_rep = 3")
    wrong = nurture(home, "threshold", *AT, rules=tmp_path)
    assert wrong.returncode == 2
    assert "sales.toml:1: leads_per_rep is not known" in wrong.stderr


def test_accounts_say_what_was_learned(home: Path) -> None:
    before = nurture(home, "accounts", *AT)
    assert "Nothing was learned yet: nurture accounts --learn" in before.stdout
    found = answer(home, "accounts", "--learn", "--top", "3", *AT)
    assert found["learned"]["accounts"]["words"]
    assert len(found["best"]) == 3
    assert found["best"][0]["probability"] >= found["best"][-1]["probability"] > 0
    assert "likely to open an opportunity" in nurture(home, "accounts", *AT).stdout
