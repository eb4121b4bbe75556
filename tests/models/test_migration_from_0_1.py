"""A database of version 0.1 that is at work: it is migrated, and goes on as if nothing had happened.

Filled as 0.1 left it (revision 0012), table by table, in its own names; then migrated, and sent from.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, MetaData, inspect, select

from models import Attempt, Event, Message
from models.account_pause import active_pauses
from models.attempt import AttemptItem
from models.learned_parameter import LearnedSubject, newest
from models.queries.content_assets import letters_had
from models.restore_guard import guard_state
from models.send_pause import EVERYTHING, RESTORE_GUARD, PauseScope, resume_sending, send_pauses
from nurture.config import campaigns
from nurture.rules.delivery.restore_guard import RestoreMark
from nurture.runtime import database
from nurture.runtime.restore_guard import RestoreMarkFile
from tasks.delivery import outbox
from tasks.delivery.reconciliation import settle
from tasks.delivery.restore_guard import confirm_restore
from tasks.delivery.scheduled_send import cancel_sends
from tasks.planning import sequences
from tests.support.outbox import FILES, Told, composer

PUMPS = {
    "pumps/campaign.toml": """
name = "Pumps"
market = "b2b"
goal = "a deal"
audience = "market = 'b2b'"
[hours]
start = "00:00"
end = "23:59"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
[[steps]]
letter = "one"
[[steps]]
letter = "two"
wait = "P1D"
""",
    **{f"pumps/{letter}/{name}": text.replace("offer", letter)
       for letter in ("one", "two") for name, text in
       ((key.partition("test/offer/")[2], said) for key, said in FILES.items() if "/offer/" in key)},
}  # fmt: skip
STATES = {  # address → state of its letter in 0.1, and its request
    "p0@home.example": ("accepted", "a0"),
    "p1@home.example": ("armed", "a1"),  # its worker died
    "p2@home.example": ("unknown", "a2"),
    "p3@home.example": ("waiting", None),
    "p4@home.example": ("scheduled", "a4"),  # SendGrid has it and keeps it until its time
    "p5@home.example": ("claimed", "a5"),
}
PAUSES = ("all", "restored", "campaign:test", "domain:news.example")


def rows_of_0_1(now: datetime) -> Mapping[str, list[dict[str, Any]]]:
    """Rows by table, with the tables' and columns' names of 0.1."""
    made = {"created_at": now, "updated_at": now, "traits": {}}
    person = {
        "first_name": "Zoë",
        "last_name": "O'Brien",
        "country": "DE",
        "locale": "en",
        "consent": "granted",
        **made,
    }
    lease = {"owner": "w", "transport": "told", "campaign": "test", "version_id": 1, "letter": "offer", "n": 1,
             "claimed_at": now - timedelta(minutes=9), "lease_until": now - timedelta(minutes=5)}  # fmt: skip
    armed = {"armed_at": now - timedelta(minutes=8)}
    life = {"planned_at": now, "not_before": now, "not_after": now + timedelta(days=7), "tries": 0, "step": 0}
    colleague = "ann@foo.example"
    people = [*STATES, colleague]
    return {
        "address": [{"address": address} for address in people],
        "account": [{"id": 1, "key": "foo", "name": "Foo & Søns <GmbH>", **made},
                    {"id": 2, "key": "bar", "name": "Bar", **made}],
        "contact": [
            {"id": n, "market": "b2b" if one == colleague else "b2c", "key": one, "address": one, "email": one,
             "account_id": 2 if one == colleague else None, "stage": "lead" if one == colleague else "aware", **person}
            for n, one in enumerate(people, 1)],
        "campaign": [{"slug": slug, "name": slug, "market": market, "version_id": n, "created_at": now}
                     for slug, market, n in (("test", "b2c", 1), ("pumps", "b2b", 2))],
        "campaign_version": [{"id": n, "campaign": slug, "number": 1, "digest": campaigns.digest(files),
                              "files": files, "published_at": now, "published_by": "me"}
                             for n, slug, files in ((1, "test", FILES), (2, "pumps", PUMPS))],
        "enrolment": [{"id": 1, "campaign": "pumps", "version_id": 2, "contact_id": 7, "account_id": 2, "run": 1,
                       "address": colleague, "state": "active", "entered_at": now - timedelta(days=3)}],
        "message": [
            *({"id": n, "campaign": "test", "version_id": 1, "letter": "offer", "address": one, "contact_id": n,
               "state": state, "attempt_id": attempt, **life,
               "accepted_at": now - timedelta(days=1) if state == "accepted" else None}
              for n, (one, (state, attempt)) in enumerate(STATES.items(), 1)),
            {"id": 7, "campaign": "pumps", "version_id": 2, "letter": "one", "address": colleague, "contact_id": 7,
             "account_id": 2, "state": "accepted", "attempt_id": None, **life, "accepted_at": now - timedelta(days=2),
             "pieces": {"case study": "early"}},
        ],
        "attempt": [
            {"id": "a0", "state": "accepted", **lease, **armed, "provider_id": "id-0"},
            {"id": "a1", "state": "armed", **lease, **armed},
            {"id": "a2", "state": "unknown", **lease, **armed, "detail": "no answer came"},
            {"id": "a4", "state": "scheduled", **lease, **armed, "batch_id": "b4", "send_at": now + timedelta(hours=1)},
            {"id": "a5", "state": "claimed", **lease},
        ],
        "attempt_item": [{"attempt_id": attempt, "message_id": n, "live": 1}
                         for n, (_, attempt) in enumerate(STATES.values(), 1) if attempt],
        "event": [{"id": 1, "key": "k", "kind": "delivered", "at": now, "received_at": now, "machine": False,
                   "raw": "{}", "attempt_id": "a0", "epoch": "old-name", "applied_at": now}],
        "brake": [{"scope": scope, "why": f"why {scope}", "by": "Mia", "at": now} for scope in PAUSES],
        "epoch": [{"id": 1, "name": "old-name", "mark": 7, "moved_at": now, "forgiven": "0000"}],
        "pause": [{"id": 1, "account_id": 1, "at": now, "until": now + timedelta(days=9), "why": "tender",
                   "by": "Sam"}],
        "lesson": [{"id": 1, "about": "threshold", "version": "v1", "made_at": now - timedelta(days=1),
                    "words": "From 72 on.", "body": {"threshold": 72}}],
    }  # fmt: skip


@pytest.fixture
def migrated(database_url: str, now: datetime) -> Iterator[Engine]:
    """A database filled by 0.1 and brought to today's tables."""
    engine = database.engine_for(database_url)
    with engine.connect() as connection:
        command.upgrade(database.migrations(engine, connection), "0012")
        connection.commit()
    tables = MetaData()
    tables.reflect(engine)
    naive = engine.dialect.name == "sqlite"
    with engine.begin() as connection:
        for name, rows in rows_of_0_1(now).items():
            for row in rows:
                kept = {key: value.replace(tzinfo=None) if naive and isinstance(value, datetime) else value
                        for key, value in row.items()}  # fmt: skip
                connection.execute(tables.tables[name].insert(), kept)
        if not naive:
            for name in ("account", "contact", "message", "enrolment", "event", "pause", "lesson"):
                connection.exec_driver_sql(f"SELECT setval('{name}_id_seq', (SELECT max(id) FROM \"{name}\"))")  # noqa: S608
    database.prepare(engine)
    yield engine
    engine.dispose()


def states_by_address(engine: Engine) -> dict[str, str]:
    """The state of every letter of the promotion."""
    with database.reading(engine) as session:
        rows = session.execute(select(Message.address, Message.state).where(Message.campaign == "test"))
        return dict(rows.tuples().all())


def test_pauses_marks_and_what_was_learned_are_kept(migrated: Engine, now: datetime) -> None:
    gone = {"brake", "epoch", "pause", "lesson"}
    assert gone.isdisjoint(inspect(migrated).get_table_names())
    with database.reading(migrated) as session:
        assert send_pauses(session).why_of == {
            EVERYTHING: "why all",
            RESTORE_GUARD: "why restored",
            PauseScope.campaign("test"): "why campaign:test",
            PauseScope.domain("news.example"): "why domain:news.example",
        }
        guard = guard_state(session)
        assert guard is not None
        assert (guard.name, guard.mark, guard.ignore_before) == ("old-name", 7, "0000")
        assert active_pauses(session, now).accounts[1].until == now + timedelta(days=9)
        learned = newest(session, LearnedSubject.THRESHOLD, now)
        assert learned is not None
        assert learned.body == {"threshold": 72}
        assert session.execute(select(Event.database_name)).scalars().all() == ["old-name"]
        assert set(session.execute(select(Attempt.channel)).scalars()) == {"told"}
        assert session.execute(select(Message.content_assets).where(Message.id == 7)).scalar() == {
            "case study": "early"
        }
        assert len(letters_had(session, [7])) == 1


def test_delivery_goes_on_and_nobody_gets_a_letter_again(migrated: Engine, now: datetime, tmp_path: Path) -> None:
    """The pauses of 0.1 hold; then each of them ends, and of the six letters those leave that had not left."""
    channel, mark = Told(), RestoreMarkFile(tmp_path / "sending.json")
    mark.write(RestoreMark("old-name", 7))

    def deliver(at: datetime = now) -> list[str]:
        before = len(channel.people)
        cancel_sends(migrated, lambda: at, channel, composer(tmp_path))
        outbox.deliver(migrated, lambda: at, channel, composer(tmp_path), outside=mark)
        return channel.people[before:]

    assert deliver() == []
    assert states_by_address(migrated) == {
        "p0@home.example": "accepted",
        "p1@home.example": "unknown",  # whoever died while it was armed may have sent it
        "p2@home.example": "unknown",
        "p3@home.example": "waiting",
        "p4@home.example": "scheduled",
        "p5@home.example": "waiting",
    }
    with database.writing(migrated) as session:
        assert resume_sending(session, EVERYTHING)
    assert deliver() == []
    confirm_restore(migrated, mark, "Mia", "0001", now)
    assert deliver() == []  # the campaign is paused for itself
    with database.writing(migrated) as session:
        assert resume_sending(session, PauseScope.named("test"))
    while more := deliver():  # small requests after an unknown one
        assert set(more) <= {"p3@home.example", "p5@home.example"}
    assert sorted(channel.people) == ["p3@home.example", "p5@home.example"]
    assert settle(migrated, now, "a2", False, "Mia") == 1
    assert settle(migrated, now, "a1", True, "Mia") == 1
    assert deliver(now + timedelta(hours=2)) == ["p2@home.example"]
    assert set(states_by_address(migrated).values()) == {"accepted"}
    assert deliver(now + timedelta(hours=3)) == []
    with database.reading(migrated) as session:
        live = session.execute(select(AttemptItem.message_id).where(AttemptItem.live == 1)).scalars().all()
        assert len(live) == len(set(live))


def test_an_enrolment_under_way_gets_its_next_letter_and_not_its_first(migrated: Engine, now: datetime) -> None:
    sequences.enrol(migrated, now, "pumps", 2)
    sequences.plan(migrated, now, "pumps")
    with database.reading(migrated) as session:
        rows = session.execute(select(Message.letter, Message.state).where(Message.campaign == "pumps"))
        assert sorted(rows.tuples()) == [("one", "accepted"), ("two", "waiting")]


def test_back_to_0_1_and_here_again_changes_nothing(migrated: Engine) -> None:
    """The way back is there for whoever has to go it."""
    with migrated.connect() as connection:
        command.downgrade(database.migrations(migrated, connection), "0012")
        connection.commit()
        assert {scope for (scope,) in connection.exec_driver_sql("SELECT scope FROM brake")} == set(PAUSES)
        connection.rollback()
        command.upgrade(database.migrations(migrated, connection), "head")
        connection.commit()
    with database.reading(migrated) as session:
        assert EVERYTHING in send_pauses(session).why_of
