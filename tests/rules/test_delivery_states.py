"""docs/delivery-states.md shows the tables of models/delivery_states.py. `pytest --record` draws it anew."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from models.delivery_states import ATTEMPT_NEXT, LEDGER, MESSAGE_NEXT, AttemptState, State

GUIDE = Path(__file__).parents[2] / "docs" / "delivery-states.md"
BEGINNING = {"message": ["waiting", "skipped"], "attempt": ["claimed"]}


def picture(name: str, table: Mapping[tuple[str, str], str]) -> str:
    """A state machine as Mermaid draws it, with what happened written on the arrows."""
    arrows: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (before, what), after in table.items():
        arrows[str(before), str(after)].append(str(what))
    lines = ["```mermaid", "stateDiagram-v2", *(f"    [*] --> {state}" for state in BEGINNING[name])]
    lines += [f"    {before} --> {after}: {', '.join(what)}" for (before, after), what in arrows.items()]
    ends = {str(after) for after in table.values()} - {str(before) for before, _ in table}
    return "\n".join([*lines, *(f"    {state} --> [*]" for state in sorted(ends)), "```"])


PICTURES = {"message": picture("message", MESSAGE_NEXT), "attempt": picture("attempt", ATTEMPT_NEXT)}


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_the_table(name: str, request: pytest.FixtureRequest) -> None:
    begin, end = f"<!-- {name}: drawn by tests/rules/test_delivery_states.py -->\n", f"\n<!-- {name} ends -->"
    before, _, rest = GUIDE.read_text().partition(begin)
    shown, _, after = rest.partition(end)
    if request.config.getoption("--record"):
        GUIDE.write_text(before + begin + PICTURES[name] + end + after)
        return
    assert shown == PICTURES[name], "draw it again: pytest --record tests/rules/test_delivery_states.py"


def test_the_tables_know_every_state() -> None:
    assert {*State} == {s for (s, _) in MESSAGE_NEXT} | set(MESSAGE_NEXT.values()) == set(LEDGER)
    assert {*AttemptState} == {s for (s, _) in ATTEMPT_NEXT} | set(ATTEMPT_NEXT.values())


def test_accepted_is_never_taken_back() -> None:
    assert State.ACCEPTED not in {before for before, _ in MESSAGE_NEXT}
    assert AttemptState.ACCEPTED not in {before for before, _ in ATTEMPT_NEXT}


def test_what_may_have_been_sent_waits_again_only_with_proof() -> None:
    """From armed and unknown back to waiting: the provider said no, or somebody looked. No lease, no timer."""
    reasons = {what for (before, what), after in MESSAGE_NEXT.items()
               if before in (State.ARMED, State.UNKNOWN) and after == State.WAITING}  # fmt: skip
    assert reasons == {
        "busy",
        "stop",
        "refused beside others",
        "settled: not sent",
        "cancelled in time",
    }
