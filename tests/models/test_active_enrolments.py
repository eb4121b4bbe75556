"""The planner's parts: everybody once, colleagues together, however small the parts and however many the shards."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from models.queries import active_enrolments
from nurture.runtime import database
from tasks.planning import sequences
from tests.support import plain_campaigns

PEOPLE = {"ann": 1, "bob": 1, "cat": 1, "dan": 2, "eve": 3, "fay": 3, "gil": 7, "hal": None, "ida": None, "jon": None}


@pytest.mark.parametrize("shards", [1, 2, 3])
@pytest.mark.parametrize("many", [1, 2, 50])
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_every_lead_is_in_one_part_and_colleagues_are_never_apart(
    engine: Engine, now: datetime, many: int, shards: int
) -> None:
    plain_campaigns.settle(engine, now, PEOPLE)
    version = plain_campaigns.publish(engine, now, "pumps", "one")
    sequences.enrol(engine, now, "pumps", version)
    with database.reading(engine) as session:
        parts = [
            [(one.address.partition("@")[0], one.account_id) for one in part]
            for shard in range(shards)
            for part in active_enrolments.groups(
                session, "pumps", version, active_enrolments.Shard(shard, shards), many
            )
        ]
    assert sorted(name for part in parts for name, _ in part) == sorted(PEOPLE)
    for account in (1, 2, 3, 7):
        assert sum(any(of == account for _, of in part) for part in parts) == 1


def test_colleagues_in_many_small_parts_still_share_the_days(
    engine: Engine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = active_enrolments.groups
    monkeypatch.setattr(active_enrolments, "groups", lambda *rest: whole(*rest, many=1))
    plain_campaigns.settle(engine, now, {f"p{n}": 1 + n % 2 for n in range(10)})
    version = plain_campaigns.publish(engine, now, "pumps", "one")
    assert plain_campaigns.morning(engine, now, "pumps", version).planned == 10
    days: dict[tuple[int, str], int] = {}
    for account, at in plain_campaigns.letters(engine, "account_id", "not_before"):
        days[account, f"{at + timedelta(hours=1):%d}"] = days.get((account, f"{at + timedelta(hours=1):%d}"), 0) + 1
    assert set(days.values()) == {1, 2}
    assert len(days) == 6  # five colleagues of each account on three days, two a day at most
