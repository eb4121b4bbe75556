"""A surprise: an event for a request that we had ruled out. It says who was in that request, and nobody else."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from sqlmodel import col

from models import Address
from models import message as messages
from models.queries import request_evidence
from nurture.channels.base import OutboundEmail, RequestBatch
from nurture.rules.delivery.states import Answer, Verdict
from nurture.runtime import database
from tasks.delivery import claims, dispatch, outbox
from tasks.delivery.worker import DeliveryWorker
from tests.support.outbox import Told, composer, fill, message, states


class OneByOne(Told):
    """A channel that wants a request for each letter."""

    def request_batches(self, emails: Sequence[OutboundEmail]) -> list[RequestBatch]:
        return [RequestBatch([email]) for email in emails]


def test_letters_that_left_the_attempt_before_its_request_are_not_believed_sent(
    engine: Engine, now: datetime, tmp_path: Path
) -> None:
    """Three claimed at once, a request each; the first is answered 429 and was taken all the same."""
    fill(engine, now, 3)
    office, channel = composer(tmp_path), OneByOne([Answer(Verdict.BUSY, 429)])
    claimed = claims.claim(DeliveryWorker(engine, lambda: now, channel, office, "worker"))
    assert claimed is not None
    loads, _ = claims.write(DeliveryWorker(engine, lambda: now, channel, office, "worker"), claimed)
    dispatch.offer(DeliveryWorker(engine, lambda: now, channel, office, "worker"), loads[0])
    with database.writing(engine) as session:
        assert request_evidence.prove_accepted(session, [loads[0].attempt_id], now) == (0, 1)
    assert states(engine) == {"accepted": 1, "claimed": 2}


def test_a_letter_put_aside_at_the_arming_is_not_believed_sent(engine: Engine, now: datetime, tmp_path: Path) -> None:
    """It was suppressed between claim and request, then lifted and planned to wait again."""
    fill(engine, now, 2)
    office, channel = composer(tmp_path), Told([Answer(Verdict.BUSY, 429)])
    claimed = claims.claim(DeliveryWorker(engine, lambda: now, channel, office, "worker"))
    assert claimed is not None
    with database.writing(engine) as session:
        session.execute(
            update(Address).where(col(Address.address) == "p0@home.example").values(suppressed_why="person")
        )
    dispatch.send(DeliveryWorker(engine, lambda: now, channel, office, "worker"), claimed)
    with database.writing(engine) as session:
        session.execute(update(messages.TABLE).values(state="waiting"))
        request_evidence.prove_accepted(session, [claimed.attempt_id], now)
    assert [message(engine, i)["state"] for i in (0, 1)] == ["waiting", "accepted"]


@pytest.mark.parametrize("since", ["waiting", "skipped", "refused"])
def test_what_was_skipped_or_refused_since_was_in_the_request_all_the_same(
    engine: Engine, now: datetime, tmp_path: Path, since: str
) -> None:
    """Else `nurture send --missing` would write to them a second time."""
    fill(engine, now, 2)
    channel = Told([Answer(Verdict.BUSY, 429)])
    outbox.deliver(engine, lambda: now, channel, composer(tmp_path))
    [request] = channel.offered
    with database.writing(engine) as session:
        session.execute(update(messages.TABLE).values(state=since, reason="expired"))
        assert request_evidence.prove_accepted(session, [request[0].attempt_id], now) == (0, 1)
    assert states(engine) == {"accepted": 2}
    assert message(engine, 0)["reason"] is None
