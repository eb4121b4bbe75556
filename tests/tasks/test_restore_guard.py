"""A restored or copied database has forgotten what was sent: it says so, and nothing leaves until a person confirms."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, insert, select, update

from models import Attempt, AttemptItem, Event, Message, RestoreGuard, SendPause, event, restore_guard
from models.send_pause import RESTORE_GUARD
from nurture.channels.sendgrid.events import read_events
from nurture.checks import installation
from nurture.rules.delivery.restore_guard import RestoreMark, why_nothing_may_leave
from nurture.rules.delivery.states import CLAIM_LEASE, Answer, Verdict
from nurture.runtime import database
from nurture.runtime.restore_guard import MarkUnreadable, RestoreMarkFile, restore_mark_file
from nurture.runtime.settings import Settings
from tasks import feedback
from tasks.delivery import claims, outbox
from tasks.delivery.restore_guard import confirm_restore
from tests.support.outbox import Told, composer, fill, message, states


@pytest.mark.parametrize(
    ("inside", "outside", "says"),
    [
        (None, None, ""), (("a", 0), None, ""), (("a", 5), ("a", 5), ""), (("a", 6), ("a", 5), ""),
        (("a", 4), ("a", 5), "1 steps ahead"), (("a", 5), None, "copy"), (None, ("a", 5), "this one is new"),
        (("b", 9), ("a", 5), "another database"),
    ],
)  # fmt: skip
def test_what_two_marks_say(inside, outside, says) -> None:
    said = why_nothing_may_leave(inside and RestoreMark(*inside), outside and RestoreMark(*outside), "sending.json")
    assert (said == "") if says == "" else (says in said)


@pytest.fixture
def mark(tmp_path: Path) -> RestoreMarkFile:
    return RestoreMarkFile(tmp_path / "elsewhere" / "sending.json")


@pytest.fixture
def send(engine: Engine, now: datetime, mark: RestoreMarkFile, tmp_path: Path) -> Callable[..., outbox.Delivered]:
    def send(channel: Told, most: int = 100, at: datetime = now) -> outbox.Delivered:
        return outbox.deliver(engine, lambda: at, channel, composer(tmp_path), most, mark)

    return send


FORGETS = (Message, Attempt, AttemptItem, RestoreGuard)


def backup(engine: Engine) -> dict[Any, list[dict[str, Any]]]:
    with database.reading(engine) as session:
        return {t: [dict(row) for row in session.execute(select(t.__table__)).mappings()] for t in FORGETS}


def restore(engine: Engine, kept: dict[Any, list[dict[str, Any]]]) -> None:
    with database.writing(engine) as session:
        for table in reversed(FORGETS):
            session.execute(table.__table__.delete())
        for table in FORGETS:
            if kept[table]:
                session.execute(insert(table.__table__), kept[table])


def test_a_restored_database_sends_nothing_until_somebody_confirms(engine, now, send, mark) -> None:
    fill(engine, now, 20)
    channel = Told(most=5)
    assert send(channel, 10).accepted == 10
    kept = backup(engine)
    assert send(channel, 5).accepted == 5
    restore(engine, kept)
    done = send(channel)
    assert (done.requests, len(channel.people)) == (0, 15)
    assert "restored" in done.stopped
    assert "nurture resume --restored" in done.stopped
    confirm_restore(engine, mark, "Mia", claims.new_id(), now)
    assert send(channel).accepted == 10
    with database.reading(engine) as session:
        said = restore_guard.guard_state(session)
    assert said is not None
    assert (said.confirmed_by, said.confirmed_at) == ("Mia", now)


def test_a_backup_from_the_middle_of_a_run_is_noticed_too(engine, now, send) -> None:
    fill(engine, now, 20)
    kept = []
    channel = Told([lambda _: kept.append(backup(engine)) or Answer(Verdict.TAKEN, 202, "x")], most=5)
    send(channel)
    restore(engine, kept[0])
    assert "restored" in send(channel).stopped


def test_a_copy_on_another_machine_sends_nothing(engine, now, send, mark) -> None:
    fill(engine, now, 4)
    send(Told(), 2)
    mark.path.unlink()
    assert "Is it a copy?" in send(Told()).stopped
    assert states(engine) == {"accepted": 2, "waiting": 2}


def test_a_new_database_beside_an_old_mark_sends_nothing(engine, now, send, mark) -> None:
    mark.write(RestoreMark("old", 7))
    fill(engine, now, 2)
    assert "this one is new" in send(Told()).stopped
    mark.path.write_text("{")
    assert "cannot be read" in send(Told()).stopped
    assert confirm_restore(engine, mark, "Mia", "", now).mark == 1
    assert send(Told()).accepted == 2


def test_a_power_cut_between_database_and_mark_is_no_restore(engine, now, send, mark, monkeypatch) -> None:
    fill(engine, now, 4)
    send(Told(), 2)

    def cut(*_: Any) -> None:
        raise OSError("no power")

    with monkeypatch.context() as patch:
        patch.setattr(RestoreMarkFile, "write", cut)
        with pytest.raises(OSError, match="no power"):
            send(Told(), 2)
    later = now + CLAIM_LEASE + timedelta(seconds=1)
    assert send(Told(), at=later).accepted == 2


def test_the_mark_outside_never_goes_ahead_of_the_database(engine, now, send, mark, monkeypatch) -> None:
    fill(engine, now, 4)
    send(Told(), 2)
    before = mark.read()

    def cut(*_: Any, **__: Any) -> None:
        raise OSError("no disk")

    with monkeypatch.context() as patch:
        patch.setattr(restore_guard, "move_mark", cut)
        with pytest.raises(OSError, match="no disk"):
            send(Told(), 2)
    assert mark.read() == before


def test_where_nothing_leaves_this_machine_nobody_is_bothered(tmp_path: Path) -> None:
    assert restore_mark_file(Settings(var=tmp_path)) is None
    real = Settings(var=tmp_path, channel="sendgrid")
    assert restore_mark_file(real) == RestoreMarkFile(tmp_path / "sending.json")
    assert restore_mark_file(real.model_copy(update={"marker": tmp_path / "m"})) == RestoreMarkFile(tmp_path / "m")


def test_the_doctor_says_it(engine, now, send, mark, tmp_path) -> None:
    fill(engine, now, 4)
    ours = Settings(var=tmp_path, channel="sendgrid", marker=mark.path)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0001')")
        connection.commit()
    send(Told(), 2)
    assert installation._memory("memory", ours, engine).state == "ok"
    mark.write(RestoreMark(mark.read().name, 99))
    found = installation._memory("memory", ours, engine)
    assert (found.state, "resume --restored" in found.remedy) == ("ill", True)
    mark.path.write_text("")
    with pytest.raises(MarkUnreadable):
        installation._memory("memory", ours, engine)


def told(attempt_id: str, i: int, address: str, name: str, now: datetime) -> dict[str, Any]:
    ids = {"nt_attempt": attempt_id, "nt_message": str(i), "nt_epoch": name, "sg_message_id": f"m.{i}"}
    return {"event": "delivered", "email": address, "timestamp": int(now.timestamp()), **ids}


def hear(engine: Engine, now: datetime, *events: dict[str, Any]) -> feedback.Applied:
    with database.writing(engine) as session:
        event.keep(session, read_events(orjson.dumps(events), now))
    return feedback.apply(engine, now)


def test_events_about_forgotten_requests_stop_sending_and_tell_who_has_a_letter(engine, now, send, mark) -> None:
    """Also where the mark outside was lost with the machine: the provider remembers."""
    fill(engine, now, 4)
    send(Told(), 1)
    kept = backup(engine)
    channel = Told()
    send(channel, 2)
    restore(engine, kept)
    mark.write(RestoreMark(mark.read().name, 0))
    [email, other] = channel.offered[0]
    assert email.custom_args["nt_epoch"] == mark.read().name
    strange = told(other.attempt_id, email.message_id, "somebody@else.example", email.database_name, now)
    sent = told(email.attempt_id, email.message_id, email.to_email, email.database_name, now)
    done = hear(engine, now, sent, strange)
    assert done.strangers == 1
    assert states(engine) == {"accepted": 2, "waiting": 2}
    assert message(engine, 1)["outcome"] == "delivered"
    assert send(Told()).requests == 0
    with database.reading(engine) as session:
        assert session.get(SendPause, str(RESTORE_GUARD)) is not None
        assert sorted(e or 0 for e in session.execute(select(Event.__table__.c.message_id)).scalars())[0] == 0
    confirm_restore(engine, mark, "Mia", claims.new_id(), now)
    again = hear(
        engine,
        now,
        told(email.attempt_id, email.message_id, email.to_email, email.database_name, now) | {"event": "open"},
    )
    assert again.strangers == 0  # forgiven: somebody knows
    assert send(Told()).accepted == 2


def test_another_installations_events_stop_nothing(engine, now, send) -> None:
    """All that use one SendGrid account are told together."""
    fill(engine, now, 2)
    send(Told(), 1)
    theirs = told("018f-theirs", 1, "p1@home.example", "another", now)
    nameless = {key: value for key, value in theirs.items() if key != "nt_epoch"} | {"nt_attempt": "018f-older"}
    assert hear(engine, now, theirs, nameless).strangers == 0
    assert send(Told()).accepted == 1
    with database.writing(engine) as session:
        session.execute(update(Message).values(state="waiting"))
