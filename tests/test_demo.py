"""The demo without Prefect: three of its days on the example company's own files, through the real web app."""

import csv
import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from rich.console import Console
from sqlalchemy import func, select
from sqlmodel import col

from models import Activity, Address, Event, Handoff, Message, Order
from models.campaign import published
from models.delivery_states import State
from models.message import SALES
from models.queries.holdout_lift import HoldoutArms
from nurture.channels import registry
from nurture.cli import demo_days, demo_end, demo_folder, demo_screen
from nurture.cli.demo_days import FIRST, DayFigures
from nurture.cli.demo_end import DemoSummary
from nurture.cli.demo_folder import DemoFolder, DemoFolderError, open_demo_folder
from nurture.config import scoring as scoring_rules
from nurture.files import mapping
from nurture.rendering.composer import Composer
from nurture.rules.reporting.holdout_lift import lift
from nurture.runtime import database
from nurture.runtime.settings import Settings, settings
from nurture.runtime.supervisor import ServiceUrls
from nurture.simulation.inbox import read_mail
from nurture.simulation.provider import SimulatedProvider
from nurture.web import create_app
from tasks import feedback, handoff, publish, reporting, segmentation
from tasks.delivery import outbox
from tasks.intake import import_file
from tasks.planning import promotions, sequences
from tasks.scoring import scores

TOGETHER = True  # one worker: what the file makes once is costly

SHOPPERS = 300  # of the example's 2,000: the same work, a sixth of the time
DAYS = 3


def plain_morning(demo: DemoFolder) -> demo_days.RunMorning:
    """What flows.orchestration.demo_day does, without Prefect."""
    rules = scoring_rules.read(demo.settings.rules / "scoring.toml")
    composer, channel = Composer(demo.settings), registry.channel(demo.settings)

    def morning(at: datetime) -> None:
        for file in sorted(demo.inbox.glob("*.csv")):
            sheet = mapping.read(demo.inbox / f"{file.name.split('-')[0]}.toml")
            done = import_file(demo.engine, at, file, sheet, demo.folder / "rejects")
            assert not done.rejected, done
            file.unlink()
        feedback.apply(demo.engine, at)
        segmentation.segment(demo.engine, at)
        scores.score(demo.engine, at, rules)
        scores.score_accounts(demo.engine, at, rules)
        with database.reading(demo.engine) as session:
            running = published(session)
        for row in running:
            noun = promotions if row.market == "b2c" else sequences
            noun.enrol(demo.engine, at, row.slug, row.version_id)
            noun.plan(demo.engine, at, row.slug)
        handoff.offer(demo.engine, at)
        outbox.deliver(demo.engine, demo.settings.clock, channel, composer)

    return morning


@dataclass
class Played:
    demo: DemoFolder
    days: list[DayFigures]
    end: DemoSummary
    now: datetime


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Three days, once for all tests of this file."""
    folder = tmp_path_factory.mktemp("demo")
    data = folder / "data"
    fewer(data)
    provider = SimulatedProvider(demo_days.SEED)
    with pytest.MonkeyPatch.context() as patch, open_demo_folder(provider.public_key, FIRST, folder / "var") as demo:
        patch.setattr(demo_days, "DATA", data)
        for kind, file in demo_days.files():
            demo_days.import_example_file(demo, kind, file)
        publish.publish(demo.engine, demo.settings.templates, None, "test", FIRST)
        app = create_app(demo.settings, demo.engine)
        with TestClient(app, base_url=demo.settings.web_url, follow_redirects=False) as door:
            simulator = demo_days.make_simulator(demo, provider, door)
            morning, at, days = plain_morning(demo), FIRST, []
            for _ in range(DAYS):
                days.append(demo_days.play_day(demo, simulator, morning, at, lambda now: None))
                at += timedelta(days=1)
            demo_days.finish(demo, simulator, at)
        where = ServiceUrls("http://127.0.0.1:1", demo.settings.web_url)
        yield Played(demo, days, demo_end.summarise(demo, where, at), at)


def fewer(data: Path) -> None:
    """The example's files, with the first shoppers only and what they did."""
    data.mkdir()
    gone: set[str] = set()
    for kind in demo_folder.FILE_ORDER:
        text = (demo_folder.DATA / f"{kind}.csv").read_text("utf-8")
        rows = list(csv.reader(StringIO(text))) if kind in ("consumers", "orders", "activities") else []
        if kind == "consumers":
            gone = {row[0] for row in rows[SHOPPERS + 1 :]}
            rows = rows[: SHOPPERS + 1]
        with (data / f"{kind}.csv").open("w", encoding="utf-8", newline="") as out:
            if rows:
                csv.writer(out, lineterminator="\n").writerows(row for row in rows if not gone & {row[0], row[1]})
            else:
                out.write(text)


# --- what the demo promises at its end ----------------------------------------------


def test_the_ledger_adds_up_for_every_step(played: Played) -> None:
    found = reporting.report(played.demo.engine, played.now)
    with database.reading(played.demo.engine) as session:
        counted = session.execute(
            select(col(Message.campaign), col(Message.step), func.count()).group_by(
                col(Message.campaign), col(Message.step)
            )
        ).all()
    planned = Counter[tuple[str, int]]()
    for line in found.lines:
        assert line.planned == line.accepted + line.skipped + line.refused + line.unknown + line.waiting, line
        assert not line.unknown, "the mailbox can always tell what it took"
        planned[line.campaign, line.step] += line.planned
    assert planned == {(campaign, step): n for campaign, step, n in counted}
    assert {line.campaign for line in found.lines} == {"pump-efficiency", "spring-sale", SALES}
    assert played.end.report.adds_up


def test_every_letter_left_once_and_lies_in_the_mailbox(played: Played) -> None:
    mails = [read_mail(file.read_bytes()) for file in (played.demo.folder / "mailbox").glob("*/*.eml")]
    assert len({mail.message_id for mail in mails}) == len(mails) > SHOPPERS / 2
    with database.reading(played.demo.engine) as session:
        rows = session.execute(
            select(col(Message.id), col(Message.campaign), col(Message.letter), col(Message.address))
            .where(col(Message.state) == State.ACCEPTED)
        ).all()  # fmt: skip
    assert {row.id for row in rows} == {mail.message_id for mail in mails}
    assert len({(row.campaign, row.letter, row.address) for row in rows}) == len(rows)
    by_id = {mail.message_id: mail for mail in mails}
    assert all(by_id[row.id].to == row.address and by_id[row.id].category == row.campaign for row in rows)
    twice = Counter((mail.to, mail.subject) for mail in mails if mail.category != SALES)
    assert max(twice.values()) == 1


def test_nobody_gets_a_letter_after_a_goodbye_or_a_bounce(played: Played) -> None:
    with database.reading(played.demo.engine) as session:
        gone = session.execute(
            select(col(Address.address), col(Address.suppressed_why), col(Address.suppressed_at))
            .where(col(Address.suppressed_at) > FIRST)
        ).all()  # fmt: skip
        later = session.execute(
            select(func.count())
            .select_from(Message)
            .join(Address, col(Address.address) == Message.address)
            .where(col(Message.accepted_at) > Address.suppressed_at, col(Message.campaign) != SALES)
        ).scalar_one()
    assert {"bounce", "unsubscribe"} <= {row.suppressed_why for row in gone}
    assert later == 0


def test_machines_are_heard_and_never_scored(played: Played) -> None:
    with database.reading(played.demo.engine) as session:
        machines = session.execute(select(func.count()).where(col(Event.machine))).scalar_one()
        people = session.execute(
            select(func.count()).where(~col(Event.machine), col(Event.kind).in_(("opened", "clicked", "replied")),
                                       col(Event.message_id).is_not(None))
        ).scalar_one()  # fmt: skip
        counted = session.execute(
            select(func.count()).where(col(Activity.campaign).is_not(None), col(Activity.at) > FIRST)
        ).scalar_one()
        waiting = session.execute(select(func.count()).where(col(Event.applied_at).is_(None))).scalar_one()
    assert machines > 20
    assert counted == people > 50
    assert waiting == 0


def test_sales_got_leads_with_reasons_and_answered_through_their_pages(played: Played) -> None:
    with database.reading(played.demo.engine) as session:
        handoffs = session.execute(select(Handoff.__table__)).mappings().all()
    decided = [row for row in handoffs if row["state"] != "offered"]
    assert decided
    assert all(row["decided_at"] > row["offered_at"] for row in decided)
    assert all(row["decided_why"] for row in decided if row["state"] != "accepted")
    assert all(row["reasons"] and row["due_at"] > row["offered_at"] for row in handoffs)
    assert sum(day.accepted + day.recycled + day.rejected for day in played.days) == len(decided)


def test_the_shop_tells_of_orders_with_and_without_the_code(played: Played) -> None:
    with database.reading(played.demo.engine) as session:
        codes = session.execute(select(col(Order.code)).where(col(Order.at) > FIRST)).scalars().all()
    assert Counter(code or "" for code in codes)["SPRING15"] > 0


def test_the_end_names_people_and_reasons_and_is_one_json_document(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    demo_end.print_document(played.end, DAYS, {"all": 1.0})
    told = json.loads(capsys.readouterr().out)
    assert told["adds_up"] is True
    assert [answer["status"] for answer in told["why"]] == ["sent", "held_back", "never_qualified"]
    assert all(answer["sentence"].endswith(".") for answer in told["why"])
    assert told["handoffs"][0]["reasons"]
    assert [one["score"] for one in told["handoffs"]] == sorted(
        (one["score"] for one in told["handoffs"]), reverse=True
    )
    assert {"planned", "accepted", "skipped", "refused", "unknown", "waiting", "reasons"} <= set(told["ledger"][0])
    assert told["addresses"]["mailbox"].endswith("/mailbox")
    assert "/sales/" in told["addresses"]["sales"]


def test_what_is_printed_to_a_file_is_clean_lines(played: Played) -> None:
    out = StringIO()
    screen = demo_screen.Screen(Console(file=out, highlight=False, soft_wrap=True, width=80))
    screen.heading()
    for day in played.days:
        screen.day(day, played.days[0].letters)
    demo_end.show_summary(screen, played.end, played.demo)
    demo_end.show_how_to_reopen(screen, played.end, played.demo)
    text = out.getvalue()
    assert "\x1b" not in text
    assert "\r" not in text
    lines = text.splitlines()
    assert re.match(r"Mon  2 Mar ████████ +\d", lines[1])
    assert any("adds up" in line for line in lines)
    assert not any("None" in line for line in lines)


# --- the demo's folder ----------------------------------------------


def test_nothing_outside_can_send_the_demos_mail_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("NURTURE_CHANNEL=sendgrid\nNURTURE_DATABASE_URL=sqlite:///mine.db\n")
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.real")
    monkeypatch.setenv("NURTURE_CHANNEL", "sendgrid")
    monkeypatch.setenv("NURTURE_DATABASE_URL", "postgresql://mine/mine")
    with open_demo_folder("", FIRST, tmp_path / "demo") as demo:
        assert settings() == demo.settings
        assert demo.settings.channel == "mailbox"
        assert demo.settings.database == f"sqlite:///{tmp_path / 'demo' / 'nurture.db'}"
        assert demo.settings.sendgrid_api_key.get_secret_value() == ""
        assert demo.settings.clock() == FIRST
    settings.cache_clear()
    assert Settings().channel == "sendgrid"  # as it was before
    settings.cache_clear()


def test_the_demo_empties_its_own_folder_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with open_demo_folder("", FIRST, folder) as demo:
        (demo.folder / "left over.txt").write_text("from the last time")
        with pytest.raises(DemoFolderError, match="running"), open_demo_folder("", FIRST, folder):
            pass
    with open_demo_folder("", FIRST, folder):
        assert not (folder / "left over.txt").exists()
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("ten years of work")
    with pytest.raises(DemoFolderError, match="not the demo's"), open_demo_folder("", FIRST, other):
        pass
    assert (other / "thesis.txt").read_text() == "ten years of work"


def test_a_taken_port_is_gone_round_and_told(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(demo_folder, "WEB_PORT", taken)
            with open_demo_folder("", FIRST, tmp_path / "demo") as demo:
                assert demo.settings.web_port != taken
                assert demo.settings.web_url == f"http://127.0.0.1:{demo.settings.web_port}"
                assert any(f"the pages are on {demo.settings.web_port}" in told for told in demo.port_notes)


def test_the_clock_is_read_by_everybody_without_a_setting(tmp_path: Path) -> None:
    """`NURTURE_VAR=var/demo nurture why …` speaks of the demo's time."""
    with open_demo_folder("", FIRST, tmp_path / "demo") as demo:
        demo.set_clock(FIRST + timedelta(hours=3))
        assert Settings(var=demo.folder, _env_file=None, clock_file=None).clock() == FIRST + timedelta(hours=3)


def test_a_bar_shows_something_for_anything() -> None:
    assert [demo_screen.bar(n, 100) for n in (0, 1, 50, 100)] == ["", "▏", "████", "████████"]
    assert demo_screen.bar(0, 0) == ""


@pytest.mark.parametrize(
    ("arms", "says"),
    [
        ((1_500, 150, 166, 5), "hardly chance"),
        ((1_500, 60, 166, 6), "may still be chance"),
        ((1_500, 30, 166, 30), "did harm"),
        ((1_500, 30, 0, 0), "Nobody was held out"),
    ],
)
def test_the_lift_is_told_with_its_uncertainty(arms: tuple[int, int, int, int], says: str) -> None:
    found = lift(HoldoutArms(*arms))
    assert says in found.sentence()
    assert found.least <= found.difference <= found.most


def test_the_lifts_interval_is_newcombes() -> None:
    """His own example: 56 of 70 against 48 of 80 is +0.20, from +0.0524 to +0.3339."""
    found = lift(HoldoutArms(70, 56, 80, 48))
    assert (found.difference, found.least, found.most) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)
