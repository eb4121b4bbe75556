"""Somebody leaves in the very moment in which a sender claims their letter: neither waits for the other for ever.

On PostgreSQL only: SQLite has one writer at a time, and nobody can wait for two things.
"""

import threading
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from models.address import SuppressedBy
from models.queries import outbox as outbox_queries
from models.queries import suppression
from nurture.runtime import database
from tasks.delivery import outbox
from tests.support.outbox import Told, composer, fill, message, states


@pytest.mark.parametrize("engine", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_the_unsubscribe_and_the_claim_both_succeed(
    engine: Engine, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim has the message and wants the address; the unsubscribe has the address and wants the message."""
    fill(engine, now, 3)
    holds_the_address, failures = threading.Event(), []

    def leave() -> None:
        try:
            with database.writing(engine) as session:
                suppression._lock(session, ["p0@home.example"])
                holds_the_address.set()
                said = suppression.SuppressionEntry("p0@home.example", now, SuppressedBy.UNSUBSCRIBE, "page")
                suppression.record_once(session, said)
        except Exception as error:  # told below: a failed thread fails nothing
            failures.append(error)

    leaving, hold = threading.Thread(target=leave), outbox_queries.lock_addresses_to_claim

    def hold_while_somebody_leaves(*given, **named):
        if not leaving.ident:  # the messages are picked, their addresses not yet held
            leaving.start()
            holds_the_address.wait(10)
        return hold(*given, **named)

    monkeypatch.setattr(outbox_queries, "lock_addresses_to_claim", hold_while_somebody_leaves)
    channel = Told()
    outbox.deliver(engine, lambda: now, channel, composer(tmp_path))
    leaving.join(30)
    assert failures == []
    assert sorted(channel.people) == ["p1@home.example", "p2@home.example"]
    assert (states(engine), message(engine, 0)["reason"]) == ({"accepted": 2, "skipped": 1}, "unsubscribed")
