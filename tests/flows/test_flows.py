"""The deployments on a real Prefect server: what runs, what is skipped, what ops are told; and nobody is named."""

import asyncio
import json
import re
import shutil
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from sqlalchemy import Engine

from models import metadata
from models.send_pause import EVERYTHING, pause_sending, resume_sending
from nurture.rules.delivery.states import Answer, Verdict
from nurture.runtime import database, supervisor
from nurture.runtime import settings as settings_module
from nurture.runtime.settings import PROJECT, Settings
from tasks import publish
from tests.doubles.sendgrid import SendGridDouble
from tests.runtime.test_supervisor import free_port
from tests.support import outbox
from tests.support.installation import MAPPINGS
from tests.test_walk import ACCOUNTS, CONTACTS, VISITS

if TYPE_CHECKING:
    from prefect import State
    from prefect.client.orchestration import PrefectClient

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect"), pytest.mark.timeout(300)]

NOUNS = ("intake", "segmentation", "scoring", "learning", "drift", "sequences", "promotions", "delivery", "feedback",
         "handoff", "reporting")  # fmt: skip
AT = datetime(2026, 3, 5, 8, tzinfo=UTC)  # a Thursday morning; what Zoë did is in the files by then
R = TypeVar("R")


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[supervisor.ServiceUrls]:
    """One real Prefect server for the whole session, as `nurture up` starts it. No heartbeats: each costs a second."""
    ours = Settings(var=tmp_path_factory.mktemp("prefect"), prefect_port=free_port(), _env_file=None)
    with supervisor.running(ours, with_web=False) as where:
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker
        from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        with temporary_settings({PREFECT_API_URL: f"{where.prefect}/api", PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            yield where
            EventsWorker.drain_all(timeout=5)
            APILogWorker.drain_all(timeout=5)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The database the flows find by themselves: through the settings, as in a process of their own."""
    (tmp_path / "clock").write_text(AT.isoformat())
    ours = Settings(var=tmp_path, clock_file=tmp_path / "clock", _env_file=None)
    for name, value in supervisor.environment(ours).items():
        if name.startswith(("NURTURE_", "SENDGRID_")):
            monkeypatch.setenv(name, value)
    settings_module.settings.cache_clear()
    engine = database.here()
    metadata.create_all(engine)
    yield engine
    engine.dispose()
    database.engine_at.cache_clear()
    settings_module.settings.cache_clear()


def arrive(folder: Path) -> None:
    """Zoë's account, herself and what she did, as files in the inbox with their mappings."""
    inbox = folder / "inbox"
    inbox.mkdir()
    for kind, rows in {"accounts": ACCOUNTS, "contacts-2026-03": CONTACTS, "activities": VISITS}.items():
        (inbox / f"{kind}.csv").write_text(rows, "utf-8")
        (inbox / f"{kind.partition('-')[0]}.toml").write_text(MAPPINGS[kind.partition("-")[0]], "utf-8")


def run(noun: str, **parameters: Any) -> "State[Any]":
    """Run the noun's flow here, as a run of its own on the server."""
    from importlib import import_module

    flow = getattr(import_module(f"flows.{noun}"), noun)
    return flow(**parameters, return_state=True)  # type: ignore[no-any-return]


def ask(question: Callable[["PrefectClient"], Awaitable[R]]) -> R:
    """Ask the server something."""
    from prefect.client.orchestration import get_client

    async def asked() -> R:
        async with get_client() as client:
            return await question(client)

    return asyncio.run(asked())


def newest_artifact(key: str) -> Any:
    """The newest artifact under a key: rows of a table, or the text of a page."""
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    found = ask(lambda client: client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])),
                                                     sort="CREATED_DESC", limit=1))  # type: ignore[arg-type]  # fmt: skip
    data = found[0].data
    return json.loads(data) if found[0].type == "table" else data  # type: ignore[arg-type]


def test_every_noun_does_its_work_and_shows_it_as_an_artifact(
    prefect: supervisor.ServiceUrls, engine: Engine, tmp_path: Path
) -> None:
    arrive(tmp_path)
    publish.publish(engine, PROJECT / "templates", "pump-efficiency", "Mia of marketing", AT)
    said = {}
    for noun in NOUNS:
        state = run(noun, settle_seconds=0) if noun == "intake" else run(noun)
        assert state.is_completed(), (noun, state.message)
        assert state.name == "Completed", (noun, state.message)
        said[noun] = state.message
    assert said["intake"] == "3 files, 7 rows, 6 good, 1 rejected, 0 incomplete, 0 unchanged"
    assert said["scoring"] == "1 leads, 1 best, 1 accounts"
    assert said["drift"] == "nothing moved"
    assert said["sequences"].startswith("1 entered, 1 planned")
    assert said["delivery"].startswith("1 accepted")
    assert [row["file"] for row in newest_artifact("intake")] == [
        "accounts.csv",
        "contacts-2026-03.csv",
        "activities.csv",
    ]
    assert newest_artifact("sequences")[0]["campaign"] == "pump-efficiency"
    assert newest_artifact("delivery")[0]["accepted"] == 1
    assert "| pump-efficiency | 1 | 1 | why-now | 1 | 1 |" in newest_artifact("reporting")
    assert sorted(file.name for file in (tmp_path / "inbox" / "done").iterdir())[0] == "accounts.csv"
    assert (
        run("intake", settle_seconds=0).message == "0 files, 0 rows, 0 good, 0 rejected, 0 incomplete, 0 unchanged"
    )  # taken once


def test_what_moved_is_an_artifact_and_an_event(
    prefect: supervisor.ServiceUrls, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look itself is in tests/tasks/test_drift.py; here is what ops get of it."""
    import flows.drift
    from tasks.scoring.drift import Watched

    told = "Employees: 1,000 or more for half of the leads now; a tenth in training."
    found = [Watched("b2b", "2026-03-01-1f0c9a3b", 900, 800, (told,)), Watched("b2c", None, 0, 0)]
    events: list[dict[str, Any]] = []
    monkeypatch.setattr(flows.drift, "watch", SimpleNamespace(prefect_task=lambda *_: found))
    monkeypatch.setattr(flows.drift, "emit_event", lambda event, **more: events.append({"event": event, **more}))
    state = run("drift")
    assert (state.name, state.message) == ("Completed", f"b2b: {told}")
    assert told in newest_artifact("drift")
    (event,) = events
    assert (event["event"], event["payload"]["moved"]) == ("nurture.drift", [told])
    assert event["resource"]["prefect.resource.id"] == "nurture.model.b2b"


def test_shards_side_by_side_come_to_the_same(prefect: supervisor.ServiceUrls, engine: Engine) -> None:
    outbox.fill(engine, AT, 40)
    assert run("scoring", shards=4).message == run("scoring").message == "40 leads, 0 best, 1 accounts"
    assert run("segmentation", shards=3).message.startswith("40 contacts")  # type: ignore[union-attr]


def test_a_late_run_says_so_instead_of_acting(prefect: supervisor.ServiceUrls, engine: Engine) -> None:
    from prefect.flow_engine import run_flow
    from prefect.states import Scheduled

    from flows.delivery import delivery

    outbox.fill(engine, AT, 3)
    planned = datetime.now(UTC) - timedelta(minutes=40, seconds=5)
    late = ask(lambda client: client.create_flow_run(delivery, state=Scheduled(scheduled_time=planned)))  # type: ignore[arg-type]
    state = run_flow(delivery, flow_run=late, parameters={}, return_type="state")
    assert (state.type.value, state.name) == ("COMPLETED", "Skipped")  # type: ignore[union-attr]
    assert state.message == "40 min late (at most 30): nothing was done, the next run will"  # type: ignore[union-attr]
    assert outbox.states(engine) == {"waiting": 3}
    patient = ask(lambda client: client.create_flow_run(delivery, state=Scheduled(scheduled_time=planned)))  # type: ignore[arg-type]
    state = run_flow(delivery, flow_run=patient, parameters={"most_late": 60}, return_type="state")
    assert outbox.states(engine) == {"accepted": 3}


def test_delivery_says_that_it_is_paused_and_how_to_go_on(prefect: supervisor.ServiceUrls, engine: Engine) -> None:
    outbox.fill(engine, AT, 3)
    with database.writing(engine) as session:
        pause_sending(session, EVERYTHING, "a wrong price in the letter", "Mia", AT)
    state = run("delivery")
    assert (state.name, state.message) == (
        "Paused",
        "Nothing leaves: a wrong price in the letter. Go on with `nurture resume`",
    )
    assert outbox.states(engine) == {"waiting": 3}
    with database.writing(engine) as session:
        resume_sending(session, EVERYTHING)
    assert run("delivery", most=2).message == "2 accepted, 0 skipped, 0 refused, 0 unknown, 0 put off"


def test_a_provider_that_refuses_everything_fails_the_run_with_the_mend(
    prefect: supervisor.ServiceUrls, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.fill(engine, AT, 3)
    told = outbox.Told([Answer(Verdict.STOP, 401, detail="401 the key is not accepted")])
    monkeypatch.setattr("flows.delivery.registry", SimpleNamespace(channel=lambda _: told))
    state = run("delivery")
    assert state.is_failed()
    assert "401 the key is not accepted. Mend that, then `nurture resume`" in (state.message or "")
    assert outbox.states(engine) == {"waiting": 3}


def test_what_left_and_what_was_answered_is_in_the_runs_log(prefect: supervisor.ServiceUrls, engine: Engine) -> None:
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
    from prefect.client.schemas.sorting import FlowRunSort
    from prefect.logging.handlers import APILogWorker

    outbox.fill(engine, AT, 3)
    assert run("delivery").is_completed()
    APILogWorker.drain_all(timeout=5)
    [last] = ask(lambda client: client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1))
    ours = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[last.id]))
    told = [entry.message for entry in ask(lambda client: client.read_logs(ours))]
    [sent] = [line for line in told if line.startswith("request sent: ")]
    [answered] = [line for line in told if line.startswith("request answered: ")]
    assert sent.endswith("channel=mailbox campaign=test emails=3 scheduled=no")
    assert answered.endswith("channel=mailbox campaign=test emails=3 verdict=taken status=202 refused=0")
    assert "@" not in "".join(told)


def test_the_providers_log_is_asked_about_what_nobody_knows(
    prefect: supervisor.ServiceUrls, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three requests: the second one's answer was lost. An hour later the run that applies events asks the log."""
    with SendGridDouble(clock=lambda: settings_module.settings().clock(), faults=["ok", "accept_then_cut"]) as sg:
        for name, value in {"NURTURE_CHANNEL": "sendgrid", "SENDGRID_API_KEY": sg.api_key, "SENDGRID_HOST": sg.url,
                            "NURTURE_SENDGRID_REQUESTS": "1"}.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        settings_module.settings.cache_clear()
        outbox.fill(engine, AT, 3)
        for most, minutes in ((1, 0), (1, 1), (1, 2)):
            (tmp_path / "clock").write_text((AT + timedelta(minutes=minutes)).isoformat())
            run("delivery", most=most)
        assert outbox.states(engine) == {"accepted": 2, "unknown": 1}
        assert run("feedback").message == "0 events, 0 outcomes, 0 suppressed, 0 stopped"  # too early to ask
        (tmp_path / "clock").write_text((AT + timedelta(hours=1)).isoformat())
        state = run("feedback")
        assert "of 1 unknown requests the log shows 1, surely not 0, leaves 0" in (state.message or "")
        assert newest_artifact("unknown")[0]["sent"] == 1
        assert outbox.states(engine) == {"accepted": 3}


def test_one_mistake_does_not_hold_the_others_and_is_told_to_ops(
    prefect: supervisor.ServiceUrls, engine: Engine, tmp_path: Path
) -> None:
    arrive(tmp_path)
    (tmp_path / "inbox" / "contacts.toml").unlink()
    state = run("intake", settle_seconds=0)
    assert state.is_failed()
    assert "contacts-2026-03.csv: " in (state.message or "")
    assert "there is no such file" in (state.message or "")
    assert "accounts.csv" not in (state.message or "")
    assert [row["file"] for row in newest_artifact("intake")] == ["accounts.csv", "activities.csv"]
    assert (tmp_path / "inbox" / "contacts-2026-03.csv").exists()  # stays for the next run

    outbox.fill(engine, AT, 1)
    templates = shutil.copytree(PROJECT / "templates", tmp_path / "templates")
    publish.publish(engine, templates, "pump-efficiency", "Mia", AT)
    assert run("sequences", campaign="pump-eficiency").message.startswith(  # type: ignore[union-attr]
        "Flow run encountered an exception: Trouble: pump-eficiency is not published for b2b. Published are: pump-effic"
    )


def test_a_day_is_one_run_and_names_nobody(prefect: supervisor.ServiceUrls, engine: Engine, tmp_path: Path) -> None:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.sorting import FlowRunSort

    from flows.orchestration.demo_day import run_day

    arrive(tmp_path)
    publish.publish(engine, PROJECT / "templates", "pump-efficiency", "Mia of marketing", AT)
    did = run_day(AT)
    assert (did["intake"]["good"], did["plan_sequences"]["planned"], did["deliver"]["accepted"]) == (6, 1, 2)
    assert did["offer_to_sales"]["offered"] == 1
    [last] = ask(lambda client: client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1))
    assert last.name == "Thursday 5 March 2026"

    this = FlowRunFilter(id=FlowRunFilterId(any_=[last.id]))
    tasks = ask(lambda client: client.read_task_runs(flow_run_filter=this))
    artifacts = ask(lambda client: client.read_artifacts(flow_run_filter=this))
    logs = ask(lambda client: client.read_logs())
    assert len(tasks) == 8
    assert len(artifacts) == 2
    everything = " ".join(thing.model_dump_json() for thing in (last, *tasks, *artifacts, *logs)).lower()
    for person in ("zoe", "zoë", "o'brien", "sam@", "foo &"):
        assert person not in everything


def test_what_ops_switched_off_stays_off_and_what_died_is_tidied_up(prefect: supervisor.ServiceUrls) -> None:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.objects import StateType
    from prefect.runner import Runner
    from prefect.states import Running, Scheduled

    from flows.orchestration import deployments

    four = ("scoring", "promotions", "delivery", "handoff")
    entries = [entry for entry in deployments.read_deployments(PROJECT / "prefect.yaml") if entry.name in four]

    async def start(client: "PrefectClient") -> dict[str, Any]:
        """What `nurture up` does before the runner begins."""
        await deployments.register_deployments(client, Runner(name="test", pause_on_shutdown=False), entries)
        return {one.name: one for one in await client.read_deployments()}

    first = ask(start)
    assert sorted(first) == sorted(four)
    assert {one.concurrency_options.collision_strategy.value for one in first.values()} == {"CANCEL_NEW"}
    assert {one.global_concurrency_limit.limit for one in first.values()} == {1}

    async def interfere(client: "PrefectClient") -> tuple[Any, Any, Any]:
        """Ops switch two things off in the UI; then the power fails in the middle of a run, for a night."""
        scoring, delivery = first["scoring"], first["delivery"]
        await client.update_deployment_schedule(scoring.id, scoring.schedules[0].id, active=False)
        await client.pause_deployment(delivery.id)
        died = await client.create_flow_run_from_deployment(delivery.id, state=Running())
        night = datetime.now(UTC) - timedelta(hours=9)
        missed = await client.create_flow_run_from_deployment(delivery.id, state=Scheduled(scheduled_time=night))
        due = await client.create_flow_run_from_deployment(
            delivery.id, state=Scheduled(scheduled_time=datetime.now(UTC))
        )
        return died, missed, due

    died, missed, due = ask(interfere)
    entries = [entry for entry in entries if entry.name != "promotions"]  # and somebody takes a line out of the file
    second = ask(start)

    assert [schedule.active for schedule in second["scoring"].schedules] == [False]
    assert second["delivery"].paused
    assert second["promotions"].paused  # no more runs that nobody would execute
    assert [schedule.active for schedule in second["handoff"].schedules] == [True]
    assert not second["handoff"].paused

    async def states(client: "PrefectClient") -> dict[Any, Any]:
        found = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[died.id, missed.id, due.id]))
        )
        return {one.id: one.state for one in found}

    after = ask(states)
    assert after[died.id].type == StateType.CRASHED
    assert "the next run goes on from the database" in after[died.id].message
    assert after[missed.id].name == "Skipped"
    assert after[missed.id].message.startswith("540 min late")
    assert after[due.id].type == StateType.SCHEDULED  # its time is now


def test_prefect_yaml_has_every_noun_with_a_slug_and_a_zone_and_nothing_that_switches_on() -> None:
    from flows.orchestration import deployments

    entries = deployments.read_deployments(PROJECT / "prefect.yaml")
    assert sorted(entry.entrypoint for entry in entries) == sorted(f"flows.{noun}.{noun}" for noun in NOUNS)
    for entry in entries:
        made = entry.deployment()
        assert (made.name, made.entrypoint, made.flow_name) == (entry.name, entry.entrypoint, entry.name)
        assert "nurture" in made.tags
        for written, kept in zip(entry.schedules, made.schedules or [], strict=True):
            assert "active" not in written
            assert (kept.slug, kept.schedule.cron, kept.schedule.timezone) == (  # type: ignore[union-attr]
                written["slug"], written["cron"], written["timezone"],
            )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "wrong", "says"),
    [
        ('slug: nightly, cron: "0 4', 'cron: "0 4', "a schedule has no slug"),
        ("flows.scoring.scoring", "flows.scoring.score_all", "module, dot, flow"),
        ("parameters: { shards: 1 }", "parameters: { shard: 1 }", "shard is no parameter of it; it has shards"),
        ("parameters: { shards: 1 }", "parameters: { shards: 0 }", "greater than or equal to 1"),
        ('cron: "0 4 * * *"', 'cron: "0 4 * *"', "0 4 * *"),
        ("timezone: Europe/Berlin", "timezone: Europe/Berlyn", "Berlyn"),
        ('"0 4 * * *",', '"0 4 * * *", active: true,', "a schedule says active"),
        ("concurrency_limit: *alone", "work_queue: x", "'concurrency_limit' is missing"),
    ],
)
def test_a_mistake_in_prefect_yaml_shows_at_the_start_and_names_the_deployment(
    tmp_path: Path, line: str, wrong: str, says: str
) -> None:
    from flows.orchestration import deployments

    whole = (PROJECT / "prefect.yaml").read_text()
    head, mark, rest = whole.partition("  - name: scoring")
    assert line in rest
    file = tmp_path / "prefect.yaml"
    file.write_text(head + mark + rest.replace(line, wrong, 1))
    with pytest.raises(deployments.DeploymentsError) as trouble:
        deployments.read_deployments(file)
    assert str(trouble.value).startswith(f"{file}: deployment 3 (flows.scoring.")
    assert says in str(trouble.value)


def test_deployments_of_0_1_are_brought_up_to_date_and_still_find_their_flows(prefect: supervisor.ServiceUrls) -> None:
    """0.1 registered every noun as flows.<noun>.<noun>; what a server knows under that name keeps its id."""
    from prefect.flows import load_flow_from_entrypoint
    from prefect.runner import Runner

    from flows.orchestration import deployments

    entries = {entry.name: entry for entry in deployments.read_deployments(PROJECT / "prefect.yaml")}
    reporting = entries["reporting"]

    async def update(client: "PrefectClient") -> dict[str, Any]:
        runner = Runner(name="test", pause_on_shutdown=False)
        old = reporting.deployment()
        old.description, old.tags = "as 0.1 wrote it", ["nurture", "0.1"]
        known = await runner.aadd_deployment(old)
        gone = old.model_copy(update={"name": "day", "entrypoint": "flows.day.day"})
        await runner.aadd_deployment(gone)
        await deployments.register_deployments(client, runner, [reporting])
        found = {one.name: one for one in await client.read_deployments()}
        assert found["reporting"].id == known
        return found

    after = ask(update)
    assert after["reporting"].description == reporting.description
    assert after["reporting"].tags == ["nurture", "reporting"]
    assert not after["reporting"].paused
    assert after["day"].paused  # a flow that is gone is not started any more
    for noun in NOUNS:
        assert load_flow_from_entrypoint(f"flows.{noun}.{noun}").name == noun


def test_the_form_explains_every_field() -> None:
    from flows.orchestration import deployments

    for entry in deployments.read_deployments(PROJECT / "prefect.yaml"):
        for name, about in entry.flow.parameters.properties.items():
            assert about.get("description"), f"{entry.name}: {name} needs a line under Args:"


def test_the_guide_shows_the_schedules_as_they_are() -> None:
    from flows.orchestration import crashed_run_repair, deployments

    rows = re.findall(
        r"(?m)^\| (\w+) \| .* \| `(.*)` \| (\d+) (h|min) \|$", (PROJECT / "docs" / "prefect.md").read_text()
    )
    shown = {noun: (cron, int(n) * (60 if unit == "h" else 1)) for noun, cron, n, unit in rows}
    assert shown == {
        entry.name: (entry.schedules[0]["cron"], crashed_run_repair.most_minutes_late(entry.flow, entry.parameters))
        for entry in deployments.read_deployments(PROJECT / "prefect.yaml")
    }


def test_trouble_is_told_in_words_that_quote_nobody() -> None:
    from sqlalchemy.exc import IntegrityError

    from flows.orchestration.flow_factory import Trouble, describe_error

    quoted = Exception(
        'duplicate key value violates unique constraint "contact_key"\nDETAIL: (zoe@foo.example) exists.'
    )
    for error in (ValueError("zoe@foo.example is odd"), IntegrityError("INSERT", {"email": "zoe@foo.example"}, quoted)):
        assert "zoe" not in describe_error(error)
    assert "unique constraint" in describe_error(IntegrityError("INSERT", {}, quoted))
    assert describe_error(Trouble("Publish it first.")) == "Publish it first."


def test_files_wait_until_nobody_writes_to_them_and_find_their_mapping(tmp_path: Path) -> None:
    from flows.intake import arrived_files, mapping_of, move_to_done

    for name in ("orders.csv", "contacts-uk-2026.csv.gz", "accounts.parquet", "contacts.toml", "contacts-uk.toml"):
        (tmp_path / name).write_text("x")
    assert [file.name for file in arrived_files(tmp_path, timedelta(0))] == [
        "accounts.parquet",
        "contacts-uk-2026.csv.gz",
        "orders.csv",
    ]
    assert not list(arrived_files(tmp_path, timedelta(minutes=1)))
    assert mapping_of(tmp_path / "contacts-uk-2026.csv.gz").name == "contacts-uk.toml"
    assert mapping_of(tmp_path / "contacts-de.csv").name == "contacts.toml"
    assert mapping_of(tmp_path / "contactsheet.csv").name == "contactsheet.toml"  # is not there: the run says so
    move_to_done(tmp_path / "orders.csv")
    (tmp_path / "orders.csv").write_text("newer")
    move_to_done(tmp_path / "orders.csv")
    assert [(tmp_path / "done" / name).read_text() for name in ("orders.csv", "2-orders.csv")] == ["x", "newer"]
