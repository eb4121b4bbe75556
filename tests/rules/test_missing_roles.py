"""Which missing role matters most: learned from deals won and lost where there are enough, said only when proven."""

import random

import pytest

from nurture.rules.scoring.missing_roles import ClosedDeal, NeededRoles, learn_roles, read_roles

NEEDED = ("authorizer", "specifier", "purchaser", "user", "finance")


def deals(n: int, seed: int = 1, finance: float = 2.5) -> list[ClosedDeal]:
    """Invented deals: 20 % are won, `finance` times as many with somebody from finance."""
    chance = random.Random(seed)
    found = []
    for _ in range(n):
        roles = frozenset(role for role in NEEDED if chance.random() < 0.5)
        found.append(ClosedDeal(roles, chance.random() < 0.2 * (finance if "finance" in roles else 1)))
    return found


def test_the_role_that_wins_deals_comes_first_with_its_figures() -> None:
    record = deals(300)
    learned = learn_roles(record, NEEDED)
    assert learned.order[0] == "finance"
    one = learned.effects[0]
    assert one.deals_with == sum("finance" in deal.roles for deal in record)
    assert one.deals_with + one.deals_without == 300
    assert 1.6 < one.ratio < 3
    assert learned.why("finance") == (
        f"No finance yet: groups with one won {one.ratio:.1f}× as often as like groups without "
        f"({one.deals_with} deals with, {one.deals_without} without)."
    )
    assert learned.why("user") is None


def test_a_role_that_only_comes_with_rich_groups_gets_no_praise() -> None:
    """The user is there where the others are; the deal is won by their number, not by the user."""
    chance = random.Random(3)
    record = []
    for _ in range(400):
        many = chance.random() < 0.5
        others = frozenset(NEEDED[:3]) if many else frozenset()
        there = chance.random() < (0.9 if many else 0.1)
        record.append(ClosedDeal(others | ({"user"} if there else set()), chance.random() < (0.6 if many else 0.15)))
    users = next(one for one in learn_roles(record, NEEDED).effects if one.role == "user")
    with_it, without = ([d.won for d in record if ("user" in d.roles) is there] for there in (True, False))
    assert sum(with_it) / len(with_it) > 2 * sum(without) / len(without)
    assert not users.proven
    assert users.ratio < 1.3


def test_too_few_deals_leave_the_file_in_charge_and_say_so() -> None:
    learned = learn_roles(deals(39), NEEDED)
    assert learned.order == NEEDED
    assert learned.why("finance") is None
    assert learned.sentence.startswith("The order of the missing roles stays the file's: ")
    assert learn_roles([], NEEDED).order == NEEDED
    lost = [ClosedDeal(frozenset(), False)] * 500
    assert "0 deals were won and 500 lost" in learn_roles(lost, NEEDED).sentence


def test_deals_that_say_nothing_leave_the_files_order() -> None:
    same = [ClosedDeal(frozenset(NEEDED) if n % 4 < 2 else frozenset(), n % 2 == 0) for n in range(80)]
    learned = learn_roles(same, NEEDED)
    assert learned.order == NEEDED
    assert not any(one.proven for one in learned.effects)
    assert "no role" in learned.sentence.lower()


def test_chance_alone_is_rarely_called_proof() -> None:
    claimed = sum(
        any(one.proven for one in learn_roles(deals(120, seed, finance=1.0), NEEDED).effects) for seed in range(30)
    )
    assert claimed <= 3


def test_one_side_that_never_won_is_proof_and_not_infinitely_bad() -> None:
    record = [ClosedDeal(frozenset({"finance"} if n % 2 else set()), n % 4 == 1) for n in range(80)]
    effect = learn_roles(record, NEEDED).effects[0]
    assert effect.role == "finance"
    assert effect.proven
    assert effect.ratio < 20


def test_ten_thousand_deals_are_no_more_than_a_clearer_answer() -> None:
    effect = learn_roles(deals(10_000), NEEDED).effects[0]
    assert effect.role == "finance"
    assert effect.ratio == pytest.approx(2.5, abs=0.15)
    assert effect.least > 2.2


def test_a_kept_parameter_follows_the_files_roles() -> None:
    learned = learn_roles(deals(300), NEEDED)
    assert read_roles(learned.as_body(), NEEDED) == NeededRoles(learned.order, learned.effects)
    today = read_roles(learned.as_body(), ("gatekeeper", "finance"))
    assert today.order == ("finance", "gatekeeper")
    assert today.why("gatekeeper") is None
