"""The command as its users type it: what it prints, JSON that scripts can read, exit codes they can trust."""

import csv
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nurture.cli import main
from nurture.runtime.settings import Settings, settings

TOGETHER = True  # one worker: what the file makes once is costly

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
MORNING = ("--at", "2026-03-02T09:00:00")
COMMANDS = (
    "demo",
    "up",
    "doctor",
    "import",
    "score",
    "check",
    "preview",
    "apply",
    "send",
    "pause",
    "resume",
    "ledger",
    "why",
    "role",
    "plan",
    "funnel",
    "timeline",
    "train",
    "models",
    "threshold",
    "accounts",
    "unknown",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the example company is imported, scored, published and mailed once."""
    folder = tmp_path_factory.mktemp("home")
    for name in ("accounts", "contacts", "consumers"):
        done = nurture(
            folder,
            "import",
            EXAMPLES / "data" / f"{name}.csv",
            "--map",
            EXAMPLES / "mappings" / f"{name}.toml",
            *MORNING,
        )
        assert done.returncode in (0, 1), done.stderr
    for line in (("score",), ("apply",), ("send",)):
        assert nurture(folder, *line, *MORNING).returncode == 0
    return folder


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def nurture(folder: Path, *words: Any, rules: Path | None = None) -> Done:
    """`nurture WORDS` as the console script runs it, in this process: a new interpreter takes two seconds each time."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("NURTURE_", "SENDGRID_"))}
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in set(os.environ) - set(clean):
            patch.delenv(name)
        patch.setenv("NURTURE_VAR", str(folder))
        patch.setenv("COLUMNS", "100")
        if rules:
            patch.setenv("NURTURE_RULES", str(rules))
        patch.setattr(sys, "argv", ["nurture", *map(str, words)])
        patch.chdir(ROOT)
        settings.cache_clear()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        finally:
            settings.cache_clear()
    return Done(code, out.getvalue(), err.getvalue())


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_help_fits_a_screen(command: str) -> None:
    from typer.testing import CliRunner

    from nurture.cli import app

    said = CliRunner().invoke(app, [*filter(None, [command]), "--help"])
    assert said.exit_code == 0
    assert len(said.output.splitlines()) <= 40
    assert max(map(len, said.output.splitlines())) <= 100


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    heavy = "('prefect', 'sqlalchemy', 'polars', 'sklearn')"
    code = f"import sys, nurture.cli; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
        == "[]\n"
    )


def test_the_ledger_is_one_json_document_that_adds_up(home: Path) -> None:
    lines = json.loads(nurture(home, "ledger", "--json").stdout)
    assert {line["campaign"] for line in lines} == {"pump-efficiency", "spring-sale"}
    for line in lines:
        assert line["planned"] == sum(line[group] for group in ("accepted", "skipped", "refused", "unknown", "waiting"))
        assert sum(line["reasons"].values()) == line["skipped"] + line["refused"]
    assert sum(line["accepted"] for line in lines) > 0


def test_sending_again_sends_nothing_again(home: Path) -> None:
    again = json.loads(nurture(home, "send", "--json", *MORNING).stdout)
    assert again["delivered"]["accepted"] == 0
    assert all(plan["planned"] == plan["entered"] == 0 for plan in again["plans"].values())


def test_the_people_of_a_group_have_names_and_reasons(home: Path) -> None:
    people = json.loads(nurture(home, "ledger", "spring-sale", "--who", "skipped", "--json").stdout)
    assert people
    assert all(person["reason"] for person in people)
    sentence = nurture(home, "why", people[0]["address"], "spring-sale").stdout
    assert "was not sent 'offer' on 2 March 2026" in sentence


def test_importing_the_same_file_again_changes_nothing_and_rejects_have_an_exit_code(home: Path) -> None:
    words = ("import", EXAMPLES / "data" / "contacts.csv", "--map", EXAMPLES / "mappings" / "contacts.toml", "--json")
    done = nurture(home, *words, *MORNING)
    said = json.loads(done.stdout)
    assert done.returncode == 1
    assert said["rejected"] > 0
    assert said["unchanged"] == said["good"] == said["rows"] - said["rejected"]
    assert Path(said["rejects_file"]).exists()


def test_a_plan_a_funnel_and_a_story_are_told_to_people_and_to_scripts(home: Path) -> None:
    before = (home / "nurture.db").read_bytes()
    [plan] = json.loads(nurture(home, "plan", "pump-efficiency", "--json", *MORNING).stdout)
    assert (plan["status"], plan["version"], plan["enter"]["n"]) == ("unchanged", 1, 0)
    assert sum(plan["next_run"]["sends"].values()) + sum(plan["next_run"]["waits"].values()) > 50
    assert "Inside: " in nurture(home, "plan", *MORNING).stdout
    rungs = json.loads(nurture(home, "funnel", "--json", *MORNING).stdout)
    assert {rung["stage"] for rung in rungs} >= {"lead", "mql", "customer", "aware", "lapsed"}
    assert "went on" in nurture(home, "funnel", *MORNING).stdout
    story = json.loads(nurture(home, "timeline", "A-1001", "--json", *MORNING).stdout)
    assert any(line["kind"] == "letter" for day in story["days"] for line in day["lines"])
    assert "The sequence Pump efficiency begins for" in nurture(home, "timeline", "A-1001", *MORNING).stdout
    assert (home / "nurture.db").read_bytes() == before
    assert nurture(home, "timeline", "nobody").returncode == 2


def test_one_account_rests_until_a_day(home: Path) -> None:
    words = ("pause", "--account", "A-1001", "--why", "tender", "--by", "Sam")
    assert nurture(home, *words, *MORNING).returncode == 2
    assert nurture(home, *words, "--until", "2026-02-01", *MORNING).returncode == 2
    assert "A-1001 is paused until 1 April 2026" in nurture(home, *words, "--until", "2026-04-01", *MORNING).stdout
    assert "Sam pauses the account until 1 April: tender" in nurture(home, "timeline", "A-1001", *MORNING).stdout
    assert "A-1001 goes on" in nurture(home, "resume", "--account", "A-1001", *MORNING).stdout
    assert "A-1001 was not paused" in nurture(home, "resume", "--account", "A-1001", *MORNING).stdout


def test_score_shows_leads_with_reasons(home: Path) -> None:
    best = json.loads(nurture(home, "score", "--json", *MORNING).stdout)["best"]
    assert len(best) == 10
    assert all(lead["reasons"][0]["text"] for lead in best)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("why", "nobody@nowhere.example", "spring-sale"), 2, "nobody with the address"),
        (("why", "nobody@nowhere.example", "winter"), 2, "no published campaign 'winter'"),
        (("apply", "winter"), 2, "winter"),
        (("apply", "spring-sale", "--at", "2026-04-01T00:00:00"), 2, "the offer ended on 2026-03-20"),
        (("import", "no-such-file.csv"), 2, "no-such-file.csv"),
        (("import", "README.md", "--map", "no-such-map.toml"), 2, "no-such-map.toml"),
        (("send", "winter"), 2, "not published"),
        (("ledger", "--who", "skipped"), 2, "name a campaign"),
        (("preview", "spring-sale", "nope"), 2, "offer"),
    ],
)
def test_what_cannot_be_done_says_so_in_a_sentence(home: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = nurture(home, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nurture", "ledger"], capture_output=True, text=True, cwd=ROOT, check=False,
        env={**os.environ, "NURTURE_VAR": str(tmp_path), "NURTURE_WEB_PORT": "eighty"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "NURTURE_WEB_PORT" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("old", "new"), [("NURTURE_TIMETABLE", "NURTURE_DEPLOYMENTS"), ("NURTURE_TRANSPORT", "NURTURE_CHANNEL")]
)
def test_a_setting_by_its_old_name_is_refused_with_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    monkeypatch.setenv(old, "mailbox")
    with pytest.raises(ValidationError, match=f"{new}=mailbox"):
        Settings(var=tmp_path, _env_file=None)


def test_pause_stops_sending_until_resume(home: Path) -> None:
    evening = ("--at", "2026-03-02T17:30:00")
    assert "paused" in nurture(home, "pause", "--why", "wrong price").stdout
    assert json.loads(nurture(home, "send", "--json", *evening).stdout)["delivered"]["accepted"] == 0
    assert "goes on" in nurture(home, "resume").stdout
    assert json.loads(nurture(home, "send", "--json", *evening).stdout)["delivered"]["accepted"] > 100


def test_check_and_preview_need_no_database(tmp_path: Path) -> None:
    assert nurture(tmp_path, "check").returncode == 0
    shown = json.loads(nurture(tmp_path, "preview", "pump-efficiency", "why-now", "--locale", "de", "--json").stdout)
    assert shown[0]["language"] == "de"
    assert not list(tmp_path.iterdir())


def test_the_doctor_finds_a_fresh_installation_well(tmp_path: Path) -> None:
    findings = json.loads(nurture(tmp_path, "doctor", "--json").stdout)
    assert {finding["state"] for finding in findings} <= {"ok", "note"}


def test_titles_are_read_row_for_row(tmp_path: Path) -> None:
    file, to = tmp_path / "in.csv", tmp_path / "out.csv"
    file.write_text('name,title\nAna,"Jefa de compras, Norte"\nBo,\nLi,采购经理\n', "utf-8")
    assert nurture(tmp_path, "role", "--file", file, "--out", to).returncode == 0
    rows = list(csv.DictReader(to.read_text("utf-8").splitlines()))
    assert [row["title"] for row in rows] == ["Jefa de compras, Norte", "", "采购经理"]
    assert [row["department"] for row in rows] == ["Purchasing", "Other", "Purchasing"]
    assert "purchaser" in nurture(tmp_path, "role", "Einkaufsleiter").stdout
    nameless = nurture(tmp_path, "role", "--file", ROOT / "examples" / "data" / "orders.csv")
    assert nameless.returncode == 2
    assert "has no column `title`" in " ".join(nameless.stderr.replace("│", " ").split())


def test_a_file_nobody_prepared_becomes_a_model_with_predictions(tmp_path: Path) -> None:
    leads = [(n % 7, "web" if n % 3 else "fair", "yes" if (n * 37) % 100 < 12 * (n % 7) else "no") for n in range(600)]
    file, apart, out = tmp_path / "leads.csv", tmp_path / "new.csv", tmp_path / "out"
    file.write_text("visits;source;bought\n" + "".join(f"{v};{s};{b}\n" for v, s, b in leads), "utf-8")
    apart.write_text("visits;source;bought\n0;web;\n6;letter;\n", "utf-8")
    words = ("train", "--data", file, "--label", "bought", "--holdout", apart, "--out", out)
    done = nurture(tmp_path, *words, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    cold, keen = csv.DictReader(Path(said["predictions"]).read_text("utf-8").splitlines())
    assert float(keen["score"]) > float(cold["score"]) + 0.3
    [kept] = json.loads(nurture(tmp_path, "models", "list", "--folder", out / "models", "--json").stdout)
    assert kept["name"] == said["version"]
    wrong = nurture(tmp_path, "train", "--data", file, "--label", "bougth")
    assert (wrong.returncode, "bought" in wrong.stderr, "Traceback" in wrong.stderr) == (2, True, False)


def test_who_agrees_later_is_sent_what_they_missed_and_nobody_else_again(home: Path) -> None:
    from sqlalchemy import update
    from sqlmodel import col

    from models import Contact
    from nurture.runtime import database

    engine = database.engine_for(f"sqlite:///{home / 'nurture.db'}")
    skipped = json.loads(nurture(home, "ledger", "spring-sale", "--who", "skipped", "--json").stdout)
    person = next(row for row in skipped if row["reason"] == "no_consent")
    with database.writing(engine) as session:
        session.execute(update(Contact).where(col(Contact.address) == person["address"]).values(consent="granted"))
    engine.dispose()
    words = ("send", "spring-sale", "--missing", "offer", "--json", "--at", "2026-03-04T17:30:00")
    assert json.loads(nurture(home, *words).stdout)["again"] == 1
    assert json.loads(nurture(home, *words).stdout)["again"] == 0
    assert "was sent 'offer' on 4 March 2026" in nurture(home, "why", person["address"], "spring-sale").stdout
    assert nurture(home, "send", "spring-sale", "--missing", "nope").returncode == 2


def test_an_unknown_request_is_listed_and_settled_by_a_person(tmp_path: Path, now: datetime) -> None:
    from models.queries import reconciliation
    from nurture.rules.delivery.states import Answer, Verdict
    from nurture.runtime import database
    from tasks.delivery import outbox
    from tests.support.outbox import Told, composer, fill, states

    engine = database.engine_for(f"sqlite:///{tmp_path / 'nurture.db'}")
    database.prepare(engine)
    fill(engine, now, 3)
    outbox.deliver(
        engine, lambda: now, Told([Answer(Verdict.UNKNOWN, 504, detail="504 after the body")]), composer(tmp_path)
    )
    listed = nurture(tmp_path, "unknown", "list", "--json")
    [request] = json.loads(listed.stdout)
    assert (listed.returncode, request["n"], request["detail"]) == (1, 3, "504 after the body")
    with database.writing(engine) as session:
        reconciliation.note_log_answers(session, {request["id"]: "the log has no note"}, now)
    assert json.loads(nurture(tmp_path, "unknown", "list", "--json").stdout)[0]["evidence"] == "the log has no note"
    assert "asked at" in nurture(tmp_path, "unknown", "list").stdout
    assert (
        "3 letters count as sent" in nurture(tmp_path, "unknown", "settle", request["id"], "sent", "--by", "Mia").stdout
    )
    assert states(engine) == {"accepted": 3}
    assert nurture(tmp_path, "unknown", "list").returncode == 0
    twice = nurture(tmp_path, "unknown", "settle", request["id"], "not-sent")
    assert (twice.returncode, "is not unknown" in twice.stderr) == (2, True)
    engine.dispose()
