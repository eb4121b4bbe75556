"""Only a transition of the tables can be written, and nothing else writes a message's or a request's state."""

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from models import metadata
from models.delivery_states import (
    ATTEMPT_NEXT,
    MESSAGE_NEXT,
    AttemptState,
    NoSuchTransition,
    State,
    Trigger,
    change_state,
    next_message_state,
)
from nurture.rules.delivery.states import Verdict
from nurture.runtime import database
from tests.support.outbox import fill

TOP = Path(__file__).parents[2]
PRODUCT = ("models", "nurture", "tasks", "flows")
MESSAGE, ATTEMPT = metadata.tables["message"], metadata.tables["attempt"]
BOTH = (("message", MESSAGE_NEXT), ("attempt", ATTEMPT_NEXT))


@pytest.mark.parametrize(("name", "table"), BOTH)
def test_a_trigger_leads_to_one_state(name: str, table: dict[tuple[str, Trigger], str]) -> None:
    for trigger in Trigger:
        assert len({after for (_, what), after in table.items() if what == trigger}) <= 1, f"{name}: {trigger}"


def test_every_answer_is_a_trigger() -> None:
    assert all(Trigger(verdict) for verdict in Verdict)


def test_an_unlisted_transition_raises() -> None:
    every = [(MESSAGE, MESSAGE_NEXT, State), (ATTEMPT, ATTEMPT_NEXT, AttemptState)]
    for table, listed, states in every:
        for state, trigger in product(states, Trigger):
            if (state, trigger) in listed:
                assert change_state(table, trigger, state).compile().params["state"] == listed[state, trigger]
            else:
                with pytest.raises(NoSuchTransition, match=trigger):
                    change_state(table, trigger, state)


def test_a_trigger_that_a_table_does_not_know_raises() -> None:
    with pytest.raises(NoSuchTransition, match="any state"):
        change_state(MESSAGE, Trigger.ALL_FORBIDDEN)
    with pytest.raises(NoSuchTransition):
        next_message_state(Trigger.ALL_FORBIDDEN)


def test_rows_in_other_states_stay(engine: Engine, now) -> None:
    """An accepted message has no way back, whoever asks."""
    fill(engine, now, 2)
    with database.writing(engine) as session:
        session.execute(change_state(MESSAGE, Trigger.EVENT).where(MESSAGE.c.id == 1))
        for trigger in {what for _, what in MESSAGE_NEXT} - {Trigger.EVENT}:
            session.execute(change_state(MESSAGE, trigger).where(MESSAGE.c.id == 1))
        assert session.execute(select(MESSAGE.c.state).where(MESSAGE.c.id == 1)).scalar() == State.ACCEPTED


def updates_of_states(text: str, own_table: bool = False) -> Iterator[int]:
    """The lines of statements that set `state` of a message or a request. `own_table`: TABLE is one of them there."""
    names = r"Message|MESSAGE|Attempt|ATTEMPT|message\.TABLE|attempt\.TABLE" + (r"|TABLE" if own_table else "")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Assign, ast.Expr, ast.Return)):
            said = ast.unparse(node)
            sets = re.search(r"\.values\((?:[^()]|\([^()]*\))*\bstate'?[=:]", said)
            if sets and re.search(rf"\bupdate\((?:{names})\b", said):
                yield node.lineno
    for found in re.finditer(r"(?i)\bupdate\s+(message|attempt)\s+set\b", text):
        yield text[: found.start()].count("\n") + 1


def test_nothing_else_writes_a_state() -> None:
    own = {TOP / "models" / name for name in ("message.py", "attempt.py")}
    files = [path for top in PRODUCT for path in (TOP / top).rglob("*.py") if "migrations" not in path.parts]
    found = [(path, line) for path in files for line in updates_of_states(path.read_text("utf-8"), path in own)]
    assert [f"{path.relative_to(TOP)}:{line}" for path, line in found] == []


@pytest.mark.parametrize(
    "line",
    [
        "session.execute(update(MESSAGE).where(x).values(state=State.WAITING))",
        "X = update(Attempt).where(f(1)).values(detail=g(2), state=bindparam('b'))",
        "execute('UPDATE message SET state = 1')",
    ],
)
def test_the_search_finds_such_an_update(line: str) -> None:
    assert list(updates_of_states(line)) == [1]
