"""The log: one line an event, for a person or for a machine, and nobody's name in it."""

import io
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Engine

from nurture.channels.base import OutboundEmail
from nurture.channels.logged import LoggedChannel
from nurture.rules.delivery.states import CLAIM_LEASE, Answer, Verdict
from nurture.runtime import log
from nurture.runtime.log import OURS, RequestAnswered, SendPauseSet, formatter, forwarded, write
from tasks.delivery import claims, outbox
from tasks.delivery.worker import DeliveryWorker
from tests.support.outbox import Told, composer, fill

ANSWERED = RequestAnswered("a1", "sendgrid", "spring-sale", 1_000, "taken", 202)


@pytest.fixture(params=["text", "json"])
def lines(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What the log says, for a person and for a machine."""
    heard = logging.StreamHandler(io.StringIO())
    heard.setFormatter(formatter(request.param))
    level = OURS.level
    OURS.addHandler(heard)
    OURS.setLevel(logging.INFO)
    yield heard.stream
    OURS.removeHandler(heard)
    OURS.setLevel(level)


@pytest.mark.parametrize("lines", ["text"], indirect=True)
def test_a_person_reads_a_line_in_words(lines: io.StringIO) -> None:
    write(ANSWERED)
    write(SendPauseSet("all", "the provider's answer"))
    first, second = lines.getvalue().splitlines()
    assert first.endswith(
        "INFO nurture.delivery: request answered: "
        "attempt=a1 channel=sendgrid campaign=spring-sale emails=1000 verdict=taken status=202 refused=0"
    )
    assert second.endswith("send pause set: scope=all by=the provider's answer")


@pytest.mark.parametrize("lines", ["json"], indirect=True)
def test_a_machine_reads_the_same_as_fields(lines: io.StringIO) -> None:
    write(ANSWERED)
    logging.getLogger("nurture.web").warning("%s went wrong", "something")
    event, other = map(orjson.loads, lines.getvalue().splitlines())
    assert event.pop("at") <= other.pop("at")
    assert event == {
        "level": "info", "logger": "nurture.delivery", "event": "request_answered", "attempt": "a1",
        "channel": "sendgrid", "campaign": "spring-sale", "emails": 1_000, "verdict": "taken", "status": 202,
        "refused": 0,
    }  # fmt: skip
    assert other == {"level": "warning", "logger": "nurture.web", "message": "something went wrong"}


def test_where_nobody_listens_nothing_is_put_into_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RequestAnswered, "__str__", lambda _: pytest.fail("somebody paid for it"))
    write(ANSWERED)


def test_the_setting_writes_to_stderr_and_the_second_form_counts(capsys: pytest.CaptureFixture[str]) -> None:
    level, handlers, propagate = OURS.level, list(OURS.handlers), OURS.propagate
    try:
        log.configure("")
        write(ANSWERED)
        log.configure("text")
        log.configure("json")
        write(ANSWERED)
    finally:
        OURS.handlers[:], OURS.propagate = handlers, propagate
        OURS.setLevel(level)
    assert orjson.loads(capsys.readouterr().err)["event"] == "request_answered"


def test_another_logger_gets_the_lines_for_a_while() -> None:
    """A Prefect run's, say. A run within a run has its own."""
    outer, inner = ([], [])
    runs = []
    for heard in (outer, inner):
        run = logging.getLogger(f"a run {id(heard)}")
        run.propagate = False
        run.setLevel(logging.INFO)
        run.addHandler(_Into(heard))
        runs.append(run)
    with forwarded(runs[0]):
        write(ANSWERED)
        with forwarded(runs[1]):
            write(ANSWERED)
        write(ANSWERED)
    write(ANSWERED)
    assert (len(outer), len(inner)) == (2, 1)
    assert OURS.propagate


class _Into(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__()
        self.heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


def test_a_whole_delivery_with_every_kind_of_answer_names_nobody(
    engine: Engine, now: datetime, tmp_path: Path, lines: io.StringIO
) -> None:
    fill(engine, now, 60)

    def blames_its_first(emails: list[OutboundEmail]) -> Answer:
        return Answer(
            Verdict.REFUSED, 400, detail=f"{emails[0].to_email} is no address", refused={0: emails[0].to_name}
        )

    answers = [
        Answer(Verdict.TAKEN, 202, "x"),
        blames_its_first,
        Answer(Verdict.BUSY, 429, detail="p3@home.example asks us to slow down", retry_at=now),
        Answer(Verdict.UNKNOWN, 504, detail="Zoë O'Brien may have it"),
        Answer(Verdict.STOP, 401, detail="the key of nora@mail.brunnhold.example is wrong"),
    ]
    office, channel = composer(tmp_path), LoggedChannel(Told(answers, most=10))
    claimed = claims.claim(DeliveryWorker(engine, lambda: now, channel, office, "a worker that dies"))
    assert claimed is not None
    for minutes in range(4):
        outbox.deliver(engine, lambda m=minutes: now + CLAIM_LEASE + timedelta(minutes=1 + m), channel, office)
    told = lines.getvalue()
    assert [verdict for verdict in Verdict if verdict.value not in told] == [Verdict.TRIED]
    for what in ("sent", "answered", "claim", "pause"):
        assert what in told, what
    for person in ("@", "Zoë", "O'Brien", "Brien"):
        assert person not in told, person
